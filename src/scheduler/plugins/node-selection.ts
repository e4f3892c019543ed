import { LabelSelector, requirement } from '../../api/meta/label-selector.ts';
import type { Node, NodeSelectorRequirement, NodeSelectorTerm, Taint, Toleration } from '../../api/types/core-v1.ts';
import { normalizeByMax, type Plugin, type PodPlan, reject, rejectForGood } from '../framework.ts';

/** NodeUnschedulable: cordoned nodes take only pods that tolerate it. */
export const nodeUnschedulable: Plugin = {
  name: 'NodeUnschedulable',
  weight: 0,
  plan: (pod) => ({
    filter: ({ node }) => {
      if (node.spec?.unschedulable !== true) return undefined;
      const taint: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };
      return pod.tolerations.some((t) => tolerates(t, taint))
        ? undefined
        : rejectForGood('NodeUnschedulable', 'node(s) were unschedulable');
    },
  }),
};

/** NodeName: a pod that already names its node fits only there. */
export const nodeName: Plugin = {
  name: 'NodeName',
  weight: 0,
  plan(pod): PodPlan | undefined {
    const wanted = pod.pod.spec?.nodeName ?? '';
    if (wanted === '') return undefined;
    return {
      filter: (node) =>
        node.name === wanted ? undefined : rejectForGood('NodeName', "node(s) didn't match the requested node name"),
    };
  },
};

/** TaintToleration: no taint that the pod does not tolerate; of PreferNoSchedule taints as few as may be. */
export const taintToleration: Plugin = {
  name: 'TaintToleration',
  weight: 3,
  plan: (pod) => {
    const soft = pod.tolerations.filter((t) => !t.effect || t.effect === 'PreferNoSchedule');
    return {
      filter: ({ node }) => {
        const taints = node.spec?.taints;
        if (taints === undefined || taints.length === 0) return undefined;
        const bad = taints.some(
          (t) => t.effect !== 'PreferNoSchedule' && !pod.tolerations.some((toleration) => tolerates(toleration, t)),
        );
        return bad ? rejectForGood('TaintToleration', 'node(s) had untolerated taint(s)') : undefined;
      },
      score: ({ node }) =>
        (node.spec?.taints ?? []).filter((t) => t.effect === 'PreferNoSchedule' && !soft.some((s) => tolerates(s, t))).length,
      normalize: (scores) => normalizeByMax(scores, true),
    };
  },
};

/** Whether a toleration covers a taint (core/v1 Toleration.ToleratesTaint). */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  switch (toleration.operator || 'Equal') {
    case 'Exists':
      return true;
    case 'Equal':
      return Boolean(toleration.key) && (toleration.value ?? '') === (taint.value ?? '');
    case 'Gt':
    case 'Lt': {
      const [limit, actual] = [Number(toleration.value), Number(taint.value)];
      if (!Number.isInteger(limit) || !Number.isInteger(actual)) return false;
      return toleration.operator === 'Gt' ? actual > limit : actual < limit;
    }
    default:
      return false;
  }
}

/** NodeAffinity: nodeSelector and required node affinity; preferred terms score. */
export const nodeAffinity: Plugin = {
  name: 'NodeAffinity',
  weight: 2,
  plan(pod) {
    const { spec } = pod.pod;
    const selector = Object.entries(spec?.nodeSelector ?? {});
    const required =
      spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms.map(compileTerm);
    const preferred = (spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((p) => ({
      weight: p.weight,
      matches: compileTerm(p.preference),
    }));
    if (selector.length === 0 && required === undefined && preferred.length === 0) return undefined;
    const plan: PodPlan = {
      filter: ({ node }) => {
        const labels = node.metadata?.labels ?? {};
        const fits =
          selector.every(([key, value]) => labels[key] === value) &&
          (required === undefined || required.some((matches) => matches(node)));
        return fits ? undefined : rejectForGood('NodeAffinity', "node(s) didn't match Pod's node affinity/selector");
      },
      ...(preferred.length === 0
        ? {}
        : {
            score: ({ node }) => preferred.reduce((sum, p) => sum + (p.matches(node) ? p.weight : 0), 0),
            normalize: (scores) => normalizeByMax(scores, false),
          }),
    };
    const named = namedNodes(spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms);
    return named === undefined ? plan : { nodes: named, plan };
  },
};

/** The nodes that terms name by metadata.name, when every term does: then no other node need be looked at (DaemonSet pods). */
function namedNodes(terms: readonly NodeSelectorTerm[] | undefined): ReadonlySet<string> | undefined {
  if (terms === undefined || terms.length === 0) return undefined;
  const names = new Set<string>();
  for (const term of terms) {
    const field = term.matchFields?.find((f) => f.key === 'metadata.name' && f.operator === 'In');
    if (field === undefined) return undefined;
    for (const name of field.values ?? []) names.add(name);
  }
  return names;
}

/** A node selector term as a test of nodes. An empty term matches nothing. */
export function compileTerm(term: NodeSelectorTerm): (node: Node) => boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length === 0 && fields.length === 0) return () => false;
  const selector = new LabelSelector(expressions.map(toRequirement));
  return (node) =>
    selector.matches(node.metadata?.labels ?? {}) &&
    fields.every((f) => {
      const holds = f.key === 'metadata.name' && (f.values ?? []).includes(node.metadata?.name ?? '');
      return f.operator === 'NotIn' ? !holds : holds;
    });
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

/** NodePorts: no host port twice on a node. */
export const nodePorts: Plugin = {
  name: 'NodePorts',
  weight: 0,
  plan(pod): PodPlan | undefined {
    if (pod.hostPorts.length === 0) return undefined;
    return {
      filter: (node) =>
        pod.hostPorts.some((p) => node.portTaken(p))
          ? reject('NodePorts', "node(s) didn't have free ports for the requested pod ports")
          : undefined,
    };
  },
};

const MIN_IMAGE_BYTES = 23 * 1024 * 1024;
const MAX_IMAGE_BYTES = 1000 * 1024 * 1024;

/** ImageLocality: nodes that have the pod's images already score, larger images more, rare ones less. */
export const imageLocality: Plugin = {
  name: 'ImageLocality',
  weight: 1,
  plan(pod, view): PodPlan | undefined {
    const containers = [...(pod.pod.spec?.initContainers ?? []), ...(pod.pod.spec?.containers ?? [])];
    const images = containers.map((c) => normalizedImage(c.image ?? ''));
    const spread = new Map<string, number>();
    for (const node of view.nodes)
      for (const image of new Set(images)) if (node.images.has(image)) spread.set(image, (spread.get(image) ?? 0) + 1);
    if (spread.size === 0) return undefined;
    return {
      score: (node) => {
        let bytes = 0;
        for (const image of images) {
          const size = node.images.get(image);
          if (size !== undefined) bytes += Math.trunc(size * ((spread.get(image) ?? 0) / view.nodes.length));
        }
        const max = MAX_IMAGE_BYTES * containers.length;
        const clamped = Math.max(MIN_IMAGE_BYTES, Math.min(bytes, max));
        return Math.trunc((100 * (clamped - MIN_IMAGE_BYTES)) / (max - MIN_IMAGE_BYTES));
      },
    };
  },
};

function normalizedImage(name: string): string {
  return name.lastIndexOf(':') <= name.lastIndexOf('/') ? `${name}:latest` : name;
}
