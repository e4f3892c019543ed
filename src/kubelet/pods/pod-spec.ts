import type { Container, EphemeralContainer, Pod } from '../../api/types/core-v1.ts';
import { isMirrorPod, isStatic } from './pod-source.ts';

/** Grace given to a pod that names none (upstream's default of the API). Seconds. */
export const DEFAULT_GRACE_SECONDS = 30;
/** Containers are never given less than this between SIGTERM and SIGKILL, unless the deletion says 0 or 1. Seconds. */
export const MINIMUM_GRACE_SECONDS = 2;

/** A static pod's is the hash of its manifest. */
export const podUid = (pod: Pod): string => pod.metadata?.uid ?? '';
export const podName = (pod: Pod): string => pod.metadata?.name ?? '';
export const podNamespace = (pod: Pod): string => pod.metadata?.namespace ?? 'default';

/** `name_namespace(uid)`, as kubelet messages name a pod. */
export const podFormat = (pod: Pod): string => `${podName(pod)}_${podNamespace(pod)}(${podUid(pod)})`;

export const isHostNetwork = (pod: Pod): boolean => pod.spec?.hostNetwork === true;
/** A sidecar (KEP-753): an init container that keeps running. */
export const isRestartableInit = (c: { readonly restartPolicy?: string }): boolean => c.restartPolicy === 'Always';
export const isTerminalPhase = (phase: string | undefined): boolean => phase === 'Failed' || phase === 'Succeeded';

/** Priority from which a pod is critical to the node (scheduling.SystemCriticalPriority). */
export const SYSTEM_CRITICAL_PRIORITY = 2_000_000_000;

/** A pod the node must not lose: a static one, its mirror, or one of system priority (kubelet types.IsCriticalPod). */
export function isCritical(pod: Pod): boolean {
  return isMirrorPod(pod) || isStatic(pod) || (pod.spec?.priority ?? 0) >= SYSTEM_CRITICAL_PRIORITY;
}

export type AnyContainer = Container | EphemeralContainer;
export type ContainerKind = 'init' | 'regular' | 'ephemeral';

/** Every container of the pod: init, regular, ephemeral. */
export function allContainers(pod: Pod): readonly AnyContainer[] {
  return [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? []), ...(pod.spec?.ephemeralContainers ?? [])];
}

export function findContainer(
  pod: Pod,
  name: string,
): { readonly container: AnyContainer; readonly kind: ContainerKind } | undefined {
  const init = pod.spec?.initContainers?.find((c) => c.name === name);
  if (init !== undefined) return { container: init, kind: 'init' };
  const regular = pod.spec?.containers.find((c) => c.name === name);
  if (regular !== undefined) return { container: regular, kind: 'regular' };
  const ephemeral = pod.spec?.ephemeralContainers?.find((c) => c.name === name);
  return ephemeral === undefined ? undefined : { container: ephemeral, kind: 'ephemeral' };
}

/** Where a container stands in its pod, as events name it: `spec.containers{app}`. */
export function containerFieldPath(pod: Pod, name: string): string | undefined {
  const found = findContainer(pod, name);
  if (found === undefined) return undefined;
  const list = found.kind === 'init' ? 'initContainers' : found.kind === 'ephemeral' ? 'ephemeralContainers' : 'containers';
  return `spec.${list}{${name}}`;
}

/** Seconds a pod has to stop: what its deletion says, or its spec. */
export function gracePeriodOf(pod: Pod): number {
  return pod.metadata?.deletionGracePeriodSeconds ?? pod.spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
}

/** The port a probe or hook means: a number, or the name of one of the container's ports. Undefined when there is none of that name. */
export function resolvePort(port: number | string, container: AnyContainer): number | undefined {
  if (typeof port === 'number') return port;
  const named = container.ports?.find((p) => p.name === port);
  if (named !== undefined) return named.containerPort;
  const numeric = Number(port);
  return Number.isInteger(numeric) && numeric > 0 ? numeric : undefined;
}
