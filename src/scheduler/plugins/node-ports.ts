import { actions } from '../cluster-event.ts';
import { type Plugin, type PodPlan, reject } from '../framework.ts';
import type { HostPort, PodInfo } from '../pod-info.ts';

const taken = reject('NodePorts', "node(s) didn't have free ports for the requested pod ports");

/** NodePorts: no host port twice on a node. */
export const nodePorts: Plugin = {
  name: 'NodePorts',
  weight: 0,
  local: true,
  hints: [
    {
      resource: 'AssignedPod',
      actions: actions.delete,
      check: (pod, old) => (old as PodInfo).hostPorts.some((held) => pod.hostPorts.some((wanted) => conflict(held, wanted))),
    },
    { resource: 'Node', actions: actions.add },
  ],
  plan(pod): PodPlan | undefined {
    if (pod.hostPorts.length === 0) return undefined;
    return { filter: (node) => (pod.hostPorts.some((p) => node.portTaken(p)) ? taken : undefined) };
  },
};

const conflict = (a: HostPort, b: HostPort): boolean =>
  a.protocol === b.protocol && a.port === b.port && (a.ip === b.ip || a.ip === '0.0.0.0' || b.ip === '0.0.0.0');
