import type { LabelSelector } from '../api/meta/label-selector.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../api/types/core-v1.ts';
import type { AllocationResult, DeviceClass, ResourceClaim } from '../api/types/resource-v1.ts';
import type { CSIDriver, CSINode, CSIStorageCapacity, StorageClass } from '../api/types/storage-v1.ts';
import type { ClusterCache } from './cache.ts';
import type { Hint } from './cluster-event.ts';
import type { PooledDevice } from './device-pools.ts';
import type { DeviceSelectors } from './device-selector.ts';
import type { NodeInfo } from './node-info.ts';
import type { PodInfo } from './pod-info.ts';

/** Highest score a plugin may give a node, after normalization. */
export const MAX_NODE_SCORE = 100;

/** Why a pod does not fit a node. `unresolvable`: taking pods away from the node would not help. */
export interface Rejection {
  readonly plugin: string;
  readonly reasons: readonly string[];
  readonly unresolvable: boolean;
}

/** What a pod's claims get: volumes that are there, and claims for which a volume is to be made. */
export interface VolumeDecision {
  readonly bindings: readonly { readonly claim: PersistentVolumeClaim; readonly volume: PersistentVolume }[];
  readonly provisions: readonly PersistentVolumeClaim[];
}

/** Volumes and what belongs to them, with what was decided about them and is not yet seen. */
export interface VolumeView {
  claim(namespace: string, name: string): PersistentVolumeClaim | undefined;
  volume(name: string): PersistentVolume | undefined;
  volumesOfClass(name: string): readonly PersistentVolume[];
  /** Whether a volume can be used on a node, by its node affinity. */
  reaches(volume: PersistentVolume, node: NodeInfo): boolean;
  storageClass(name: string): StorageClass | undefined;
  csiDriver(name: string): CSIDriver | undefined;
  csiNode(name: string): CSINode | undefined;
  capacities(): readonly CSIStorageCapacity[];
  /** Takes the decision for carried out, here and until the API shows it. `carriedOut`: the objects as they are to be written. */
  assume(decision: VolumeDecision, node: string): { readonly carriedOut: VolumeDecision; revert(): void };
  /** Carries a decision out; resolves when everything is bound. */
  bind(pod: PodInfo, decision: VolumeDecision, node: string, signal: AbortSignal): Promise<void>;
}

/** A resource claim that a pod uses, and the devices it gets; undefined when it has some. */
export interface ClaimDecision {
  readonly claim: ResourceClaim;
  readonly allocation: AllocationResult | undefined;
}

/** Resource claims and devices, with what was decided about them and is not yet seen. */
export interface ClaimView {
  /** Whether everything there is has been seen. */
  readonly ready: boolean;
  readonly selectors: DeviceSelectors;
  claim(namespace: string, name: string): ResourceClaim | undefined;
  deviceClass(name: string): DeviceClass | undefined;
  /** The devices that a node can use, taken or not. */
  devicesFor(node: NodeInfo): readonly PooledDevice[];
  taken(id: string): boolean;
  /** Takes decisions for carried out. Returns how to take that back. */
  assume(decisions: readonly ClaimDecision[]): () => void;
  bind(pod: PodInfo, decisions: readonly ClaimDecision[], signal: AbortSignal): Promise<void>;
  /** Gives up a claim's devices, which nobody uses. */
  deallocate(claim: ResourceClaim, signal: AbortSignal): Promise<void>;
}

/** What plugins may look at. Reads are of caches. */
export interface ClusterView {
  readonly cache: ClusterCache;
  readonly volumes: VolumeView;
  readonly claims: ClaimView;
  /** What a pod's Services and owner select by, together; undefined for a pod without either. */
  spreadSelector(pod: PodInfo): LabelSelector | undefined;
}

/** What a plugin has claimed for a pod. */
export interface Preparation {
  revert(): void;
  carryOut(signal: AbortSignal): Promise<void>;
}

/** What a plugin worked out for one pod. Its `filter` looks at the state as it is when called. */
export interface PodPlan {
  /** The only nodes worth a look. */
  readonly nodes?: ReadonlySet<string>;
  /** Undefined: it fits, as far as this plugin goes. Absent: this plugin lets every node pass. */
  filter?(node: NodeInfo): Rejection | undefined;
  /** Called before `score`, with the nodes that passed all filters. False: this plugin has no opinion after all. */
  preScore?(nodes: readonly NodeInfo[]): boolean;
  /** Points for a node, before normalization. Absent: this plugin has no opinion. */
  score?(node: NodeInfo): number;
  /** Brings the scores to 0…100, in place, in the order of the nodes given. Absent: they are. */
  normalize?(scores: Int32Array, nodes: readonly NodeInfo[]): void;
  /**
   * Claims what the pod needs on the node that was chosen, in caches only. Returns how to give it back, and the work that must be done before the pod
   * is bound; when that throws, the pod goes back into the queue.
   */
  prepare?(node: NodeInfo): Preparation | undefined;
  /** What may help a pod that fits nowhere, beside preemption. The message says what is being done. */
  remedy?(): { readonly message: string; act(signal: AbortSignal): Promise<void> } | undefined;
}

/**
 * A plugin of the scheduling framework (KEP-624), reduced to what is pure: from a pod and the cluster's state to a plan that judges nodes.
 */
export interface Plugin {
  readonly name: string;
  /** What its score counts. */
  readonly weight: number;
  /**
   * Its verdict on a node follows from the pod's `localSignature`, from `signature` and from the node alone. Then it may be kept until the node
   * changes, and serve for other pods of that signature.
   */
  readonly local: boolean;
  /** What else a local verdict depends on. */
  signature?(pod: PodInfo, view: ClusterView): string;
  /** Events after which a pod that it rejected is tried again. */
  readonly hints: readonly Hint[];
  /** The plan for one pod; undefined when it has nothing to do with this pod. A rejection here is about the pod as a whole, whatever the node. */
  plan(pod: PodInfo, view: ClusterView): PodPlan | Rejection | undefined;
}

export const isRejection = (result: object): result is Rejection => 'reasons' in result;

export const reject = (plugin: string, ...reasons: readonly string[]): Rejection => ({ plugin, reasons, unresolvable: false });
export const rejectForGood = (plugin: string, ...reasons: readonly string[]): Rejection => ({
  plugin,
  reasons,
  unresolvable: true,
});

/** Scales scores so that the largest becomes 100; with `reverse`, small is good. */
export function normalizeByMax(scores: Int32Array, reverse: boolean): void {
  let max = 0;
  for (const s of scores) if (s > max) max = s;
  for (let i = 0; i < scores.length; i++) {
    if (max === 0) scores[i] = reverse ? MAX_NODE_SCORE : 0;
    else {
      const scaled = Math.trunc((MAX_NODE_SCORE * scores[i]!) / max);
      scores[i] = reverse ? MAX_NODE_SCORE - scaled : scaled;
    }
  }
}
