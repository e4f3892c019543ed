import { tolerates, toleratesAll } from '../../api/groups/core/toleration.ts';
import type { Node, Toleration } from '../../api/types/core-v1.ts';
import { actions } from '../cluster-event.ts';
import { normalizeByMax, type Plugin, type PodPlan, rejectForGood } from '../framework.ts';
import { NodeInfo } from '../node-info.ts';
import type { PodInfo } from '../pod-info.ts';

const cordoned = rejectForGood('NodeUnschedulable', 'node(s) were unschedulable');

/** NodeUnschedulable: cordoned nodes take only pods that tolerate it. */
export const nodeUnschedulable: Plugin = {
  name: 'NodeUnschedulable',
  weight: 0,
  local: true,
  hints: [
    {
      resource: 'Node',
      actions: actions.add | actions.updateNodeTaint,
      check: (_, old, now) =>
        (now as Node).spec?.unschedulable !== true && (old === undefined || (old as Node).spec?.unschedulable === true),
    },
    { resource: 'TargetPod', actions: actions.updatePodToleration },
  ],
  plan(pod): PodPlan | undefined {
    if (pod.tolerations.some((t) => tolerates(t, NodeInfo.cordon))) return undefined;
    return { filter: (node) => (node.unschedulable ? cordoned : undefined) };
  },
};

const otherName = rejectForGood('NodeName', "node(s) didn't match the requested node name");

/** NodeName: a pod that already names its node fits only there. */
export const nodeName: Plugin = {
  name: 'NodeName',
  weight: 0,
  local: true,
  hints: [{ resource: 'Node', actions: actions.add }],
  plan(pod): PodPlan | undefined {
    const wanted = pod.pod.spec?.nodeName ?? '';
    return wanted === '' ? undefined : { filter: (node) => (node.name === wanted ? undefined : otherName) };
  },
};

const tainted = rejectForGood('TaintToleration', 'node(s) had untolerated taint(s)');

/** TaintToleration: no taint that the pod does not tolerate; of PreferNoSchedule taints as few as may be. */
export const taintToleration: Plugin = {
  name: 'TaintToleration',
  weight: 3,
  local: true,
  hints: [
    {
      resource: 'Node',
      actions: actions.add | actions.updateNodeTaint,
      check: (pod, old, now) => toleratesNode(pod, now as Node) && (old === undefined || !toleratesNode(pod, old as Node)),
    },
    { resource: 'TargetPod', actions: actions.updatePodToleration },
  ],
  plan(pod) {
    const soft = pod.tolerations.filter((t) => !t.effect || t.effect === 'PreferNoSchedule');
    return {
      filter: (node) => (toleratesAll(pod.tolerations, node.hardTaints) ? undefined : tainted),
      score: (node) => intolerable(node, soft),
      normalize: (scores) => normalizeByMax(scores, true),
    };
  },
};

function intolerable(node: NodeInfo, soft: readonly Toleration[]): number {
  let count = 0;
  for (const taint of node.softTaints) if (!soft.some((s) => tolerates(s, taint))) count++;
  return count;
}

function toleratesNode(pod: PodInfo, node: Node): boolean {
  return toleratesAll(
    pod.tolerations,
    (node.spec?.taints ?? []).filter((t) => t.effect !== 'PreferNoSchedule'),
  );
}
