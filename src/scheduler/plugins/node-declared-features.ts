import type { Node, Pod } from '../../api/types/core-v1.ts';
import { actions } from '../cluster-event.ts';
import { type Plugin, type PodPlan, type Rejection, rejectForGood } from '../framework.ts';

const NAME = 'NodeDeclaredFeatures';

/** NodeDeclaredFeatures: what the pod needs of its kubelet beyond the common is declared in the node's status (KEP-5328). */
export const nodeDeclaredFeatures: Plugin = {
  name: NAME,
  weight: 0,
  local: false,
  hints: [
    {
      resource: 'Node',
      actions: actions.add | actions.updateNodeDeclaredFeature,
      check: (pod, _, now) => missing(neededFeatures(pod.pod), now as Node).length === 0,
    },
  ],
  plan(pod): PodPlan | undefined {
    const needed = neededFeatures(pod.pod);
    if (needed.length === 0) return undefined;
    const known = new Map<string, Rejection>();
    return {
      filter({ node }) {
        const lacking = missing(needed, node).join(', ');
        if (lacking === '') return undefined;
        let rejection = known.get(lacking);
        if (rejection === undefined) {
          rejection = rejectForGood(NAME, `node declared features check failed - unsatisfied requirements: ${lacking}`);
          known.set(lacking, rejection);
        }
        return rejection;
      },
    };
  },
};

/** The features that a pod's spec tells it needs (component-helpers nodedeclaredfeatures), sorted. */
function neededFeatures({ spec }: Pod): readonly string[] {
  const features: string[] = [];
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
  const restartsAll = containers.some((c) => c.restartPolicyRules?.some((rule) => rule.action === 'RestartAllContainers'));
  if (restartsAll) features.push('RestartAllContainersOnContainerExits');
  if (spec?.hostNetwork === true && spec.hostUsers === false) features.push('UserNamespacesHostNetworkSupport');
  return features;
}

function missing(needed: readonly string[], node: Node): readonly string[] {
  const declared = node.status?.declaredFeatures ?? [];
  return needed.filter((feature) => !declared.includes(feature));
}
