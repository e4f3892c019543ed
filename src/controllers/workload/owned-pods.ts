import { type KubernetesObject, type OwnerReference, objectKey } from '../../api/meta/object.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { Informer, WorkQueue } from '../../client/contract.ts';
import { semanticallyEqual } from '../equality.ts';
import { controllerOf } from './controller-ref.ts';
import type { Expectations } from './expectations.ts';
import { isReady } from './pod-state.ts';

export interface OwnedPodsOptions<T extends KubernetesObject> {
  readonly pods: Informer<Pod>;
  readonly owners: Informer<T>;
  /** The owners' kind. */
  readonly kind: string;
  readonly expectations: Expectations;
  /** Whether an owner would adopt a pod without one. */
  readonly selects: (owner: T, pod: Pod) => boolean;
  /** Something happened to a pod of `owner`; `old` is undefined for a new one. */
  readonly wake: (owner: T, pod: Pod, old: Pod | undefined) => void;
}

/**
 * What wakes an owner of pods that must be ready for a while: at once, and when a pod that became ready will have been for long enough, since
 * nothing more is written then. A second later, for skewed clocks.
 */
export function wakeUntilAvailable<T extends KubernetesObject>(
  queue: () => WorkQueue,
  minReadySeconds: (owner: T) => number,
): OwnedPodsOptions<T>['wake'] {
  return (owner, pod, old) => {
    const key = objectKey(owner);
    queue().add(key);
    const seconds = minReadySeconds(owner);
    if (seconds > 0 && old !== undefined && isReady(pod) && !isReady(old)) queue().addAfter(key, (seconds + 1) * 1000);
  };
}

/** Wakes owners when their pods change, pods change hands, or orphans appear that they may adopt. Counts expectations. */
export function watchOwnedPods<T extends KubernetesObject>(options: OwnedPodsOptions<T>): void {
  const { pods, owners, kind, expectations, selects, wake } = options;
  const ownerOf = (pod: Pod, ref: OwnerReference | undefined): T | undefined => {
    if (ref?.kind !== kind) return undefined;
    const owner = owners.get(`${pod.metadata?.namespace}/${ref.name}`);
    return owner?.metadata?.uid === ref.uid ? owner : undefined;
  };
  const wakeAdopters = (pod: Pod): void => {
    for (const owner of owners.list(pod.metadata?.namespace)) if (selects(owner, pod)) wake(owner, pod, undefined);
  };
  const gone = (pod: Pod, old?: Pod): void => {
    const owner = ownerOf(pod, controllerOf(pod));
    if (owner === undefined) return;
    expectations.deletionObserved(objectKey(owner), objectKey(pod));
    wake(owner, pod, old);
  };
  pods.addHandler({
    onAdd(pod) {
      if (pod.metadata?.deletionTimestamp !== undefined) {
        gone(pod);
        return;
      }
      const ref = controllerOf(pod);
      if (ref === undefined) {
        wakeAdopters(pod);
        return;
      }
      const owner = ownerOf(pod, ref);
      if (owner === undefined) return;
      expectations.creationObserved(objectKey(owner));
      wake(owner, pod, undefined);
    },
    onUpdate(pod, old) {
      const ref = controllerOf(pod);
      const oldRef = controllerOf(old);
      if (oldRef !== undefined && oldRef.uid !== ref?.uid) {
        const former = ownerOf(old, oldRef);
        if (former !== undefined) wake(former, pod, old);
      }
      if (pod.metadata?.deletionTimestamp !== undefined) {
        gone(pod, old);
        return;
      }
      if (ref === undefined) {
        if (oldRef !== undefined || !semanticallyEqual(pod.metadata?.labels, old.metadata?.labels)) wakeAdopters(pod);
        return;
      }
      const owner = ownerOf(pod, ref);
      if (owner !== undefined) wake(owner, pod, old);
    },
    onDelete: (pod) => gone(pod),
  });
}
