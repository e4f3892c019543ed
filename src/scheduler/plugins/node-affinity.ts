import { compileTerm, nodePasses, requiredNodes } from '../../api/groups/core/node-selector.ts';
import type { Node, NodeSelectorTerm } from '../../api/types/core-v1.ts';
import { actions } from '../cluster-event.ts';
import { normalizeByMax, type Plugin, type PodPlan, rejectForGood } from '../framework.ts';

const mismatch = rejectForGood('NodeAffinity', "node(s) didn't match Pod's node affinity/selector");
const contradiction = rejectForGood('NodeAffinity', 'pod affinity terms conflict');

/** NodeAffinity: nodeSelector and required node affinity; preferred terms score. */
export const nodeAffinity: Plugin = {
  name: 'NodeAffinity',
  weight: 2,
  local: true,
  hints: [
    {
      resource: 'Node',
      actions: actions.add | actions.updateNodeLabel,
      check(pod, old, now) {
        const test = requiredNodes(pod.pod.spec);
        return nodePasses(test, now as Node) && (old === undefined || !nodePasses(test, old as Node));
      },
    },
  ],
  plan(pod) {
    const affinity = pod.pod.spec?.affinity?.nodeAffinity;
    const test = requiredNodes(pod.pod.spec);
    const preferred = (affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [])
      .filter((p) => p.weight !== 0)
      .map((p) => ({ weight: p.weight, matches: compileTerm(p.preference) }));
    if (test === undefined && preferred.length === 0) return undefined;
    const nodes = namedNodes(affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms);
    if (nodes?.size === 0) return contradiction;
    return {
      ...(nodes === undefined ? {} : { nodes }),
      ...(test === undefined ? {} : { filter: (node) => (test(node.labels, node.name) ? undefined : mismatch) }),
      ...(preferred.length === 0
        ? {}
        : {
            score: (node) => {
              let sum = 0;
              for (const p of preferred) if (p.matches(node.labels, node.name)) sum += p.weight;
              return sum;
            },
            normalize: (scores) => normalizeByMax(scores, false),
          }),
    } satisfies PodPlan;
  },
};

/**
 * The nodes that terms name by metadata.name, when every term does: then no other node need be looked at (DaemonSet pods). Fields within a
 * term must all hold, so their names are intersected.
 */
function namedNodes(terms: readonly NodeSelectorTerm[] | undefined): ReadonlySet<string> | undefined {
  if (terms === undefined || terms.length === 0) return undefined;
  const names = new Set<string>();
  for (const term of terms) {
    let own: readonly string[] | undefined;
    for (const field of term.matchFields ?? []) {
      if (field.key !== 'metadata.name' || field.operator !== 'In') continue;
      const values = field.values ?? [];
      own = own === undefined ? values : own.filter((name) => values.includes(name));
    }
    if (own === undefined) return undefined;
    for (const name of own) names.add(name);
  }
  return names;
}
