import { Quantity } from '../meta/quantity.ts';
import type { Service } from '../types/core-v1.ts';
import type { QuotaEvaluator } from './evaluator.ts';

const counted: ReadonlySet<string> = new Set(['count/services', 'services', 'services.nodeports', 'services.loadbalancers']);
const one = Quantity.of(1);
const zero = Quantity.of(0);

/** How Services count: by number, by their node ports, and by their load balancers. */
export const serviceQuota: QuotaEvaluator = {
  counts: (name) => counted.has(name),
  usage: (object) => {
    const { spec } = object as Service;
    return new Map([
      ['count/services', one],
      ['services', one],
      ['services.nodeports', Quantity.of(nodePorts(spec))],
      ['services.loadbalancers', spec?.type === 'LoadBalancer' ? one : zero],
    ]);
  },
  matchesScope: () => false,
};

function nodePorts(spec: Service['spec']): number {
  const ports = spec?.ports ?? [];
  if (spec?.type === 'NodePort') return ports.length;
  if (spec?.type !== 'LoadBalancer') return 0;
  return spec.allocateLoadBalancerNodePorts === false ? ports.filter((p) => (p.nodePort ?? 0) !== 0).length : ports.length;
}
