import type { Namespace, PersistentVolume, PersistentVolumeClaim } from '../api/types/core-v1.ts';
import type { StorageClass } from '../api/types/storage-v1.ts';
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

/** What plugins may look at beside the nodes. Reads are of caches. */
export interface ClusterView {
  readonly nodes: readonly NodeInfo[];
  namespace(name: string): Namespace | undefined;
  claim(namespace: string, name: string): PersistentVolumeClaim | undefined;
  volume(name: string): PersistentVolume | undefined;
  storageClass(name: string): StorageClass | undefined;
}

/** What a plugin worked out for one pod in `preFilter` and `preScore`. Fresh for every attempt. */
export interface PodPlan {
  /** Undefined: it fits, as far as this plugin goes. Absent: this plugin lets every node pass. */
  filter?(node: NodeInfo): Rejection | undefined;
  /** Called before `score`, with the nodes that passed all filters. */
  preScore?(nodes: readonly NodeInfo[]): void;
  /** Points for a node, before normalization. Absent: this plugin has no opinion. */
  score?(node: NodeInfo): number;
  /** Brings the scores to 0…100, in place, in the order of the nodes given. Absent: they are. */
  normalize?(scores: number[], nodes: readonly NodeInfo[]): void;
}

/**
 * A plugin of the scheduling framework (KEP-624), reduced to what is pure: from a pod and the cluster's state to a plan that judges nodes.
 */
export interface Plugin {
  readonly name: string;
  /** What its score counts. */
  readonly weight: number;
  /**
   * The plan for one pod; undefined when it has nothing to do with this pod. A rejection here is about the pod as a whole, whatever the node;
   * `nodes` narrows the nodes that are worth a look.
   */
  plan(
    pod: PodInfo,
    view: ClusterView,
  ): PodPlan | Rejection | { readonly nodes: ReadonlySet<string>; readonly plan?: PodPlan } | undefined;
}

export const isRejection = (result: object): result is Rejection => 'reasons' in result;

export const reject = (plugin: string, ...reasons: readonly string[]): Rejection => ({ plugin, reasons, unresolvable: false });
export const rejectForGood = (plugin: string, ...reasons: readonly string[]): Rejection => ({
  plugin,
  reasons,
  unresolvable: true,
});

/** Scales scores so that the largest becomes 100; with `reverse`, small is good. */
export function normalizeByMax(scores: number[], reverse: boolean): void {
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
