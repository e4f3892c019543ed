import type { Pod } from '../../api/types/core-v1.ts';

/** Annotations that tell where a pod comes from (kubelet/types). */
export const sourceAnnotations = {
  source: 'kubernetes.io/config.source',
  hash: 'kubernetes.io/config.hash',
  seen: 'kubernetes.io/config.seen',
  mirror: 'kubernetes.io/config.mirror',
} as const;

/** A pod as the node runs it that came from the API, whatever its annotations claim. `seen`: when it first did. */
export function fromApi(pod: Pod, seen: string): Pod {
  const own = { ...pod.metadata?.annotations, [sourceAnnotations.seen]: seen, [sourceAnnotations.source]: 'api' };
  return { ...pod, metadata: { ...pod.metadata, annotations: own } };
}

/** Whether the node runs the pod from a manifest of its own. Of pods in the API, which say what they like, this says nothing. */
export const isStatic = (pod: Pod): boolean => (pod.metadata?.annotations?.[sourceAnnotations.source] ?? 'api') !== 'api';

/** A mirror of a static pod: written by a kubelet, run from its manifest. */
export const isMirrorPod = (pod: Pod): boolean => pod.metadata?.annotations?.[sourceAnnotations.mirror] !== undefined;

/** `namespace/name`: what a static pod and its mirror have in common. */
export const fullName = (pod: Pod): string => `${pod.metadata?.namespace ?? 'default'}/${pod.metadata?.name ?? ''}`;
