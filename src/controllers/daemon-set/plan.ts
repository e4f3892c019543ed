import { scaledValue } from '../../api/meta/int-or-string.ts';
import type { DaemonSet, DaemonSetStatus } from '../../api/types/apps-v1.ts';
import type { Node, Pod } from '../../api/types/core-v1.ts';
import { isAvailable, isReady } from '../workload/pod-state.ts';
import { REVISION_HASH } from '../workload/revisions.ts';
import { type Placement, placementOn, targetNode, withDaemonTolerations } from './placement.ts';

/** Most pods created or deleted in one pass. */
export const BURST_REPLICAS = 250;
export const TEMPLATE_GENERATION = 'pod-template-generation';

export interface DaemonObservation {
  readonly set: DaemonSet;
  /** The hash of the revision that holds its template. */
  readonly hash: string;
  readonly collisionCount: number;
  readonly nodes: readonly Node[];
  /** The pods it controls. */
  readonly pods: readonly Pod[];
  /** How long a node's failed pod is to be left alone, in milliseconds; asking counts the failure. 0: replace it now. */
  readonly failedPodWait: (node: string) => number;
}

/** A pod that is to be removed although nothing changed, and what is said about it. */
export interface Ended {
  readonly pod: Pod;
  readonly node: string;
}

export interface DaemonPlan {
  /** Nodes to make a pod for. */
  readonly create: readonly string[];
  readonly delete: readonly Pod[];
  readonly failed: readonly Ended[];
  readonly succeeded: readonly Ended[];
  readonly requeueAfterMs?: number;
}

/** Decides on the pods of a DaemonSet: one for each node that should run it, and the steps of a rolling update. Pure but for `failedPodWait`. */
export function planDaemonSet(observed: DaemonObservation, now: number): DaemonPlan {
  return new Planner(observed, now).plan();
}

/** Pods by the node they are on or meant for. */
export function podsByNode(pods: readonly Pod[]): ReadonlyMap<string, readonly Pod[]> {
  const byNode = new Map<string, Pod[]>();
  for (const pod of pods) {
    const node = targetNode(pod);
    if (node === undefined) continue;
    const list = byNode.get(node);
    if (list === undefined) byNode.set(node, [pod]);
    else list.push(pod);
  }
  return byNode;
}

/** Judges nodes for a DaemonSet; its template's tolerations are completed once. */
export function placementFor(set: DaemonSet): (node: Node) => Placement {
  const spec = set.spec?.template.spec ?? { containers: [] };
  const tolerations = withDaemonTolerations(spec);
  return (node) => placementOn(node, spec, tolerations);
}

const isGoing = (pod: Pod): boolean => pod.metadata?.deletionTimestamp !== undefined;

/** Pods with a node first, then those further on, ready, and older ones. */
function byStanding(a: Pod, b: Pod): number {
  const assigned = Number(Boolean(b.spec?.nodeName)) - Number(Boolean(a.spec?.nodeName));
  if (assigned !== 0) return assigned;
  const key = (pod: Pod): string => `${pod.metadata?.creationTimestamp ?? ''} ${pod.metadata?.name ?? ''}`;
  return key(a) < key(b) ? -1 : 1;
}

/** The number of nodes that may be without an available pod, and of those that may have two. */
export function updateBounds(set: DaemonSet, desired: number): { readonly maxUnavailable: number; readonly maxSurge: number } {
  const { maxUnavailable = 1, maxSurge = 0 } = set.spec?.updateStrategy?.rollingUpdate ?? {};
  const unavailable = scaledValue(maxUnavailable, desired, true);
  const surge = scaledValue(maxSurge, desired, true);
  return { maxUnavailable: unavailable === 0 && surge === 0 ? 1 : unavailable, maxSurge: surge };
}

class Planner {
  readonly #observed: DaemonObservation;
  readonly #now: number;
  readonly #placement: (node: Node) => Placement;
  readonly #byNode: ReadonlyMap<string, readonly Pod[]>;
  readonly #minReady: number;
  readonly #create = new Set<string>();
  readonly #delete = new Set<Pod>();
  readonly #failed: Ended[] = [];
  readonly #succeeded: Ended[] = [];
  #requeueAfterMs: number | undefined;
  #desired = 0;

  constructor(observed: DaemonObservation, now: number) {
    this.#observed = observed;
    this.#now = now;
    this.#placement = placementFor(observed.set);
    this.#byNode = podsByNode(observed.pods);
    this.#minReady = observed.set.spec?.minReadySeconds ?? 0;
  }

  plan(): DaemonPlan {
    const known = new Set<string>();
    for (const node of this.#observed.nodes) {
      const name = node.metadata!.name!;
      known.add(name);
      this.#manage(name, this.#placement(node), this.#byNode.get(name));
    }
    // A pod that waits for a node which is gone would wait for ever; those that ran there are collected otherwise.
    for (const [name, pods] of this.#byNode) {
      if (!known.has(name)) for (const pod of pods) if (!pod.spec?.nodeName && !isGoing(pod)) this.#delete.add(pod);
    }
    if (this.#observed.set.spec?.updateStrategy?.type !== 'OnDelete' && this.#create.size === 0 && this.#delete.size === 0) {
      this.#rollOver();
    }
    return {
      create: [...this.#create].slice(0, BURST_REPLICAS),
      delete: [...this.#delete].slice(0, BURST_REPLICAS),
      failed: this.#failed,
      succeeded: this.#succeeded,
      ...(this.#requeueAfterMs === undefined ? {} : { requeueAfterMs: this.#requeueAfterMs }),
    };
  }

  #manage(node: string, { shouldRun, mayStay }: Placement, pods: readonly Pod[] | undefined): void {
    if (shouldRun) this.#desired++;
    if (pods === undefined) {
      if (shouldRun) this.#create.add(node);
      return;
    }
    if (!mayStay) {
      for (const pod of pods) if (!isGoing(pod)) this.#delete.add(pod);
      return;
    }
    const running = pods.filter((pod) => !isGoing(pod) && !this.#ended(pod, node)).sort(byStanding);
    if (running.length <= 1) return;
    if (this.#surges()) this.#thinSurge(running);
    else for (const pod of running.slice(1)) this.#delete.add(pod);
  }

  /** A pod that finished is removed, and made anew once it is gone. */
  #ended(pod: Pod, node: string): boolean {
    if (pod.status?.phase === 'Failed') {
      const wait = this.#observed.failedPodWait(node);
      if (wait > 0) {
        this.#requeueAfterMs = Math.min(this.#requeueAfterMs ?? wait, wait);
        return true;
      }
      this.#failed.push({ pod, node });
      this.#delete.add(pod);
      return true;
    }
    if (pod.status?.phase !== 'Succeeded') return false;
    this.#succeeded.push({ pod, node });
    this.#delete.add(pod);
    return true;
  }

  #surges(): boolean {
    const { type, rollingUpdate } = this.#observed.set.spec?.updateStrategy ?? {};
    return (
      type !== 'OnDelete' &&
      updateBounds(this.#observed.set, Math.max(1, this.#desired)).maxSurge > 0 &&
      rollingUpdate !== undefined
    );
  }

  /** Of the pods on a node one old and one new may stay, the old one only while it is ready and the new one is not available yet. */
  #thinSurge(running: readonly Pod[]): void {
    const newest = running.find((pod) => this.#isUpdated(pod));
    const oldest = running.find((pod) => !this.#isUpdated(pod));
    for (const pod of running) if (pod !== newest && pod !== oldest) this.#delete.add(pod);
    if (newest !== undefined && oldest !== undefined && (!isReady(oldest) || this.#isAvailable(newest))) this.#delete.add(oldest);
  }

  #isUpdated(pod: Pod): boolean {
    const labels = pod.metadata?.labels ?? {};
    return this.#observed.hash !== '' && labels[REVISION_HASH] === this.#observed.hash;
  }

  #isAvailable(pod: Pod): boolean {
    return isAvailable(pod, this.#minReady, this.#now);
  }

  #rollOver(): void {
    const { maxUnavailable, maxSurge } = updateBounds(this.#observed.set, this.#desired);
    if (maxSurge > 0) this.#surge(maxSurge);
    else this.#replace(maxUnavailable);
  }

  /** The one old and the one new pod of every node; undefined where there are more of a kind. */
  *#pairs(): Iterable<{ readonly node: string; readonly pair: { readonly old?: Pod; readonly new?: Pod } | undefined }> {
    for (const node of [...this.#byNode.keys()].sort()) {
      const pods = this.#byNode.get(node)!.filter((pod) => !isGoing(pod));
      const updated = pods.filter((pod) => this.#isUpdated(pod));
      const old = pods.filter((pod) => !this.#isUpdated(pod));
      const single = updated.length <= 1 && old.length <= 1;
      yield {
        node,
        pair: single
          ? { ...(old[0] === undefined ? {} : { old: old[0] }), ...(updated[0] === undefined ? {} : { new: updated[0] }) }
          : undefined,
      };
    }
  }

  /** Without surge: old pods that are no good go at once, others as far as may be missing. */
  #replace(maxUnavailable: number): void {
    let unavailable = 0;
    const candidates: Pod[] = [];
    for (const { pair } of this.#pairs()) {
      const { old, new: updated } = pair ?? {};
      if ((old === undefined) === (updated === undefined)) unavailable++;
      else if (updated !== undefined) {
        if (!this.#isAvailable(updated)) unavailable++;
      } else if (this.#isAvailable(old!)) candidates.push(old!);
      else this.#delete.add(old!);
    }
    for (const pod of candidates.slice(0, Math.max(0, maxUnavailable - unavailable))) this.#delete.add(pod);
  }

  /** With surge: a second pod on as many nodes as may have two; the old one goes when the new one is available. */
  #surge(maxSurge: number): void {
    let surged = 0;
    const candidates: string[] = [];
    for (const { node, pair } of this.#pairs()) {
      const { old, new: updated } = pair ?? {};
      if (old === undefined) continue;
      if (updated === undefined) {
        if (this.#isAvailable(old)) candidates.push(node);
        else this.#create.add(node);
      } else if (!this.#isAvailable(old) || this.#isAvailable(updated)) this.#delete.add(old);
      else surged++;
    }
    for (const node of candidates.slice(0, Math.max(0, maxSurge - surged))) this.#create.add(node);
  }
}

/** The status that nodes and pods call for. Pure. */
export function daemonStatus(
  observed: Pick<DaemonObservation, 'set' | 'hash' | 'collisionCount' | 'nodes' | 'pods'>,
  observedGeneration: number,
  now: number,
): DaemonSetStatus {
  const { set, hash, nodes, collisionCount } = observed;
  const placement = placementFor(set);
  const byNode = podsByNode(observed.pods);
  const minReady = set.spec?.minReadySeconds ?? 0;
  const counts = {
    currentNumberScheduled: 0,
    numberMisscheduled: 0,
    desiredNumberScheduled: 0,
    numberReady: 0,
    updatedNumberScheduled: 0,
    numberAvailable: 0,
  };
  for (const node of nodes) {
    const pods = byNode.get(node.metadata!.name!) ?? [];
    if (!placement(node).shouldRun) {
      if (pods.length > 0) counts.numberMisscheduled++;
      continue;
    }
    counts.desiredNumberScheduled++;
    if (pods.length === 0) continue;
    counts.currentNumberScheduled++;
    const [pod] = [...pods].sort(byStanding) as [Pod];
    if (isReady(pod)) {
      counts.numberReady++;
      if (isAvailable(pod, minReady, now)) counts.numberAvailable++;
    }
    if (hash !== '' && pod.metadata?.labels?.[REVISION_HASH] === hash) counts.updatedNumberScheduled++;
  }
  const { conditions } = set.status ?? {};
  return {
    ...counts,
    numberUnavailable: counts.desiredNumberScheduled - counts.numberAvailable,
    observedGeneration,
    ...(collisionCount === 0 && set.status?.collisionCount === undefined ? {} : { collisionCount }),
    ...(conditions === undefined ? {} : { conditions }),
  };
}
