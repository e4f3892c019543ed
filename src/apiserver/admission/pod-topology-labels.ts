import type { Binding, Node, Pod } from '../../api/types/core-v1.ts';
import type { AdmissionPlugin, ResourceView } from '../contract.ts';

const topologyLabels = ['topology.kubernetes.io/zone', 'topology.kubernetes.io/region'] as const;

/** Tells a pod the zone and region of the node that it goes to: as labels, with its binding or its creation (KEP-4742). */
export function podTopologyLabels(): AdmissionPlugin {
  let nodes: ResourceView<Node> | undefined;
  return {
    name: 'PodTopologyLabels',
    initialize: (access) => {
      nodes = access.view<Node>('', 'nodes');
    },
    handles: ({ operation, group, resource, subresource }) =>
      operation === 'CREATE' && group === '' && resource === 'pods' && (subresource === '' || subresource === 'binding'),
    mutate: ({ object, subresource }) => {
      const target = (object as Binding).target;
      const node = subresource === '' ? (object as Pod).spec?.nodeName : target?.kind === 'Node' ? target.name : undefined;
      if (!node) return object;
      const found = nodes?.get('', node)?.metadata?.labels;
      if (found === undefined) return object;
      const labels: Record<string, string> = {};
      for (const key of topologyLabels) if (found[key] !== undefined) labels[key] = found[key];
      if (Object.keys(labels).length === 0) return object;
      return { ...object, metadata: { ...object?.metadata, labels: { ...object?.metadata?.labels, ...labels } } };
    },
  };
}
