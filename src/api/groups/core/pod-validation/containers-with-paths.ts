import type { Container, EphemeralContainer, PodSpec } from '../../../types/core-v1.ts';

/** Init containers, containers and ephemeral containers, each with its path; upstream's VisitContainersWithPath. */
export function* containersWithPaths(
  spec: PodSpec,
  at: string,
): Generator<readonly [container: Container | EphemeralContainer, at: string]> {
  for (const list of ['initContainers', 'containers', 'ephemeralContainers'] as const) {
    const containers = spec[list] ?? [];
    for (let i = 0; i < containers.length; i++) {
      yield [containers[i] as Container | EphemeralContainer, `${at === '' ? '' : `${at}.`}${list}[${i}]`];
    }
  }
}
