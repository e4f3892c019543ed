import type { KubernetesObject } from '../../api/meta/object.ts';

/** The class that is marked as the default by one of `annotations`: of several the newest, and then the first by name. */
export function defaultClass<T extends KubernetesObject>(classes: Iterable<T>, annotations: readonly string[]): T | undefined {
  let chosen: T | undefined;
  for (const candidate of classes) {
    if (!annotations.some((key) => candidate.metadata?.annotations?.[key] === 'true')) continue;
    if (chosen === undefined || isBefore(candidate, chosen)) chosen = candidate;
  }
  return chosen;
}

function isBefore(a: KubernetesObject, b: KubernetesObject): boolean {
  const [made, other] = [a.metadata?.creationTimestamp ?? '', b.metadata?.creationTimestamp ?? ''];
  return made === other ? (a.metadata?.name ?? '') < (b.metadata?.name ?? '') : made > other;
}
