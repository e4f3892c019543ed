import { LabelSelector, nothing, requirement } from '../../meta/label-selector.ts';
import type { Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodSpec } from '../../types/core-v1.ts';

type LabelMap = Readonly<Record<string, string>>;
/** A test of a node by its labels and name. */
export type NodeTest = (labels: LabelMap, name: string) => boolean;

const noLabels: LabelMap = {};

/** A node selector term as a test. An empty term matches nothing. */
export function compileTerm(term: NodeSelectorTerm): NodeTest {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length === 0 && fields.length === 0) return () => false;
  const selector = compileExpressions(expressions);
  return (labels, name) =>
    selector.matches(labels) &&
    fields.every((f) => {
      const holds = f.key === 'metadata.name' && (f.values ?? []).includes(name);
      return f.operator === 'NotIn' ? !holds : holds;
    });
}

/** A node selector as a test: one of its terms must hold. */
export function compileNodeSelector(selector: NodeSelector): NodeTest {
  const terms = selector.nodeSelectorTerms.map(compileTerm);
  return (labels, name) => terms.some((matches) => matches(labels, name));
}

/** What a pod demands of its node's labels and name: nodeSelector and required node affinity. Undefined when nothing. */
export function requiredNodes(spec: Pick<PodSpec, 'nodeSelector' | 'affinity'> | undefined): NodeTest | undefined {
  const wanted = Object.entries(spec?.nodeSelector ?? noLabels);
  const required = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (wanted.length === 0 && required === undefined) return undefined;
  const terms = required === undefined ? undefined : compileNodeSelector(required);
  return (labels, name) => {
    for (const [key, value] of wanted) if (labels[key] !== value) return false;
    return terms === undefined || terms(labels, name);
  };
}

/** A test applied to a node as the API has it. */
export const nodePasses = (test: NodeTest | undefined, node: Node): boolean =>
  test === undefined || test(node.metadata?.labels ?? noLabels, node.metadata?.name ?? '');

/** Expressions that validation would have refused match no node. */
function compileExpressions(expressions: readonly NodeSelectorRequirement[]): LabelSelector {
  try {
    return new LabelSelector(expressions.map(toRequirement));
  } catch {
    return nothing;
  }
}

function toRequirement(r: NodeSelectorRequirement): ReturnType<typeof requirement> {
  switch (r.operator) {
    case 'In':
      return requirement(r.key, 'in', r.values ?? []);
    case 'NotIn':
      return requirement(r.key, 'notin', r.values ?? []);
    case 'Exists':
      return requirement(r.key, 'exists', []);
    case 'DoesNotExist':
      return requirement(r.key, '!', []);
    case 'Gt':
      return requirement(r.key, 'gt', r.values ?? []);
    case 'Lt':
      return requirement(r.key, 'lt', r.values ?? []);
    default:
      return r.operator satisfies never;
  }
}
