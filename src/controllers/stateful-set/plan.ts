import type { OwnerReference } from '../../api/meta/object.ts';
import type { ControllerRevision, StatefulSet, StatefulSetStatus } from '../../api/types/apps-v1.ts';
import type { PersistentVolumeClaim, Pod } from '../../api/types/core-v1.ts';
import { isAvailable, isFinished, isReady } from '../workload/pod-state.ts';
import { claimsOf, firstOrdinal, inRange, newPod, ordinalOf, revisionOf, withIdentity } from './identity.ts';
import { isStaleClaim, planClaimOwners } from './retention.ts';

export interface StatefulObservation {
  readonly set: StatefulSet;
  /** The revision that pods below the partition stay at, and the one that the others go to. */
  readonly current: ControllerRevision;
  readonly update: ControllerRevision;
  readonly collisionCount: number;
  /** The pods it controls. */
  readonly pods: readonly Pod[];
  readonly claim: (name: string) => PersistentVolumeClaim | undefined;
}

export type StatefulAction =
  /** Makes what claims are missing, then the pod. */
  | { readonly type: 'create'; readonly pod: Pod; readonly claims: readonly PersistentVolumeClaim[] }
  /** Claims that a pod which waits for them lacks. */
  | { readonly type: 'claims'; readonly pod: Pod; readonly claims: readonly PersistentVolumeClaim[] }
  | { readonly type: 'update'; readonly pod: Pod }
  | { readonly type: 'own-claim'; readonly claim: PersistentVolumeClaim; readonly ownerReferences: readonly OwnerReference[] }
  | { readonly type: 'delete'; readonly pod: Pod };

export interface StatefulPlan {
  /** Pods that are over before their time: they are deleted and made anew. */
  readonly recreated: readonly Pod[];
  /** In the order they are to be done. */
  readonly actions: readonly StatefulAction[];
  readonly status: StatefulSetStatus;
}

/** Decides on everything a StatefulSet needs now. One that is not Parallel takes one step at a time. Pure. */
export function planStatefulSet(observed: StatefulObservation, now: number): StatefulPlan {
  return new Planner(observed, now).plan();
}

class Planner {
  readonly #observed: StatefulObservation;
  readonly #set: StatefulSet;
  readonly #now: number;
  readonly #minReady: number;
  readonly #monotonic: boolean;
  readonly #actions: StatefulAction[] = [];
  readonly #recreated: Pod[] = [];
  /** The pods that should be, by ordinal; undefined where there is none. */
  readonly #replicas: (Pod | undefined)[];
  /** The pods that should not be, highest ordinal first. */
  readonly #condemned: readonly Pod[];

  constructor(observed: StatefulObservation, now: number) {
    const { set, pods } = observed;
    this.#observed = observed;
    this.#set = set;
    this.#now = now;
    this.#minReady = set.spec?.minReadySeconds ?? 0;
    this.#monotonic = set.spec?.podManagementPolicy !== 'Parallel';
    this.#replicas = Array.from({ length: set.spec?.replicas ?? 1 });
    const condemned: Pod[] = [];
    for (const pod of pods) {
      const ordinal = ordinalOf(set, pod);
      if (ordinal === undefined) continue;
      if (inRange(set, ordinal)) this.#replicas[ordinal - firstOrdinal(set)] = pod;
      else condemned.push(pod);
    }
    this.#condemned = condemned.sort((a, b) => ordinalOf(set, b)! - ordinalOf(set, a)!);
  }

  plan(): StatefulPlan {
    if (this.#set.metadata?.deletionTimestamp === undefined) this.#steps();
    return { recreated: this.#recreated, actions: this.#actions, status: this.#status() };
  }

  #steps(): void {
    for (const [i, pod] of this.#replicas.entries()) if (this.#keepReplica(pod, i) && this.#monotonic) return;
    for (const pod of this.#condemned) this.#ownClaims(pod);
    const firstUnavailable = this.#firstUnavailable();
    for (const pod of this.#condemned) {
      this.#condemn(pod, firstUnavailable);
      if (this.#monotonic) return;
    }
    this.#rollOver();
  }

  /** One pod that should be. True when there is nothing to be done after it in order. */
  #keepReplica(pod: Pod | undefined, index: number): boolean {
    const ordinal = firstOrdinal(this.#set) + index;
    if (pod === undefined) {
      const fresh = newPod(this.#set, this.#revisionFor(ordinal), ordinal);
      const claims = claimsOf(this.#set, ordinal);
      // A claim on its way out with an earlier pod must be gone first.
      const stale = claims.some((claim) => {
        const there = this.#observed.claim(claim.metadata!.name!);
        return there !== undefined && isStaleClaim(fresh, there);
      });
      if (!stale) this.#actions.push({ type: 'create', pod: fresh, claims });
      return true;
    }
    if (isFinished(pod)) {
      this.#recreated.push(pod);
      // Made anew once it is gone.
      if (pod.metadata?.deletionTimestamp === undefined) this.#actions.push({ type: 'delete', pod });
      return true;
    }
    if (pod.status?.phase === 'Pending') this.#completeClaims(pod, ordinal);
    if (isGoing(pod) || !this.#isAvailable(pod)) {
      if (this.#monotonic) return true;
      if (isGoing(pod)) return false;
    }
    this.#ownClaims(pod);
    const identified = withIdentity(this.#set, pod);
    if (identified !== pod) this.#actions.push({ type: 'update', pod: identified });
    return false;
  }

  /** Below the partition pods are made as they were. */
  #revisionFor(ordinal: number): ControllerRevision {
    const { current, update } = this.#observed;
    const { type = 'RollingUpdate', rollingUpdate } = this.#set.spec?.updateStrategy ?? {};
    if (type !== 'RollingUpdate') return update;
    const first = firstOrdinal(this.#set);
    const kept = rollingUpdate === undefined ? (this.#set.status?.currentReplicas ?? 0) : (rollingUpdate.partition ?? 0);
    return ordinal < first + kept ? current : update;
  }

  #completeClaims(pod: Pod, ordinal: number): void {
    const missing = claimsOf(this.#set, ordinal).filter((claim) => this.#observed.claim(claim.metadata!.name!) === undefined);
    if (missing.length > 0) this.#actions.push({ type: 'claims', pod, claims: missing });
  }

  #ownClaims(pod: Pod): void {
    const ordinal = ordinalOf(this.#set, pod)!;
    for (const { metadata } of claimsOf(this.#set, ordinal)) {
      const claim = this.#observed.claim(metadata!.name!);
      if (claim === undefined) continue;
      const ownerReferences = planClaimOwners(this.#set, pod, claim);
      if (ownerReferences !== undefined) this.#actions.push({ type: 'own-claim', claim, ownerReferences });
    }
  }

  /** One pod that should not be. In order, it goes when all before it are well, or when it is itself the one that is not. */
  #condemn(pod: Pod, firstUnavailable: Pod | undefined): void {
    if (isGoing(pod)) return;
    if (this.#monotonic && !this.#isAvailable(pod) && pod !== firstUnavailable) return;
    this.#actions.push({ type: 'delete', pod });
  }

  #firstUnavailable(): Pod | undefined {
    const unavailable = (pod: Pod | undefined): pod is Pod => pod !== undefined && this.#isUnavailable(pod);
    return this.#replicas.find(unavailable) ?? this.#condemned.findLast(unavailable);
  }

  /** Takes one pod of an old revision away, the highest ordinal first, and waits for each to be well again. */
  #rollOver(): void {
    const { type = 'RollingUpdate', rollingUpdate } = this.#set.spec?.updateStrategy ?? {};
    if (type === 'OnDelete') return;
    const updated = this.#observed.update.metadata!.name;
    for (let i = this.#replicas.length - 1; i >= (rollingUpdate?.partition ?? 0); i--) {
      const pod = this.#replicas[i];
      if (pod === undefined || isGoing(pod) || isFinished(pod)) return;
      if (revisionOf(pod) !== updated) {
        this.#actions.push({ type: 'delete', pod });
        return;
      }
      if (!this.#isAvailable(pod)) return;
    }
  }

  #isAvailable(pod: Pod): boolean {
    return pod.status?.phase === 'Running' && isReady(pod) && isAvailable(pod, this.#minReady, this.#now);
  }

  #isUnavailable(pod: Pod): boolean {
    return isGoing(pod) || !this.#isAvailable(pod);
  }

  #status(): StatefulSetStatus {
    const { set, current, update, collisionCount, pods } = this.#observed;
    const [currentName, updateName] = [current.metadata!.name!, update.metadata!.name!];
    const counts = { replicas: 0, readyReplicas: 0, availableReplicas: 0, currentReplicas: 0, updatedReplicas: 0 };
    for (const pod of pods) {
      if (!pod.status?.phase) continue;
      counts.replicas++;
      if (pod.status.phase === 'Running' && isReady(pod)) {
        counts.readyReplicas++;
        if (this.#isAvailable(pod)) counts.availableReplicas++;
      }
      if (isGoing(pod)) continue;
      if (revisionOf(pod) === currentName) counts.currentReplicas++;
      if (revisionOf(pod) === updateName) counts.updatedReplicas++;
    }
    const wanted = set.spec?.replicas ?? 1;
    const complete =
      set.spec?.updateStrategy?.type !== 'OnDelete' &&
      counts.updatedReplicas === wanted &&
      counts.readyReplicas === wanted &&
      counts.replicas === wanted;
    const { conditions } = set.status ?? {};
    return {
      observedGeneration: set.metadata?.generation ?? 0,
      ...counts,
      ...(complete ? { currentReplicas: counts.updatedReplicas } : {}),
      currentRevision: complete ? updateName : currentName,
      updateRevision: updateName,
      collisionCount,
      ...(conditions === undefined ? {} : { conditions }),
    };
  }
}

const isGoing = (pod: Pod): boolean => pod.metadata?.deletionTimestamp !== undefined;
