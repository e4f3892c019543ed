import { Counter, Gauge, type Registry } from 'prom-client';
import { sharedMetric } from '../../client/shared-metric.ts';

/** Upstream's metrics of zones. */
export interface ZoneMetrics {
  /** How many nodes a zone has, and how many of them are ready. */
  counted(zone: string, size: number, healthy: number): void;
  /** A node of the zone was tainted, so that its pods go. */
  evicted(zone: string): void;
}

const silent: ZoneMetrics = { counted: () => {}, evicted: () => {} };

export function zoneMetrics(registry: Registry | undefined): ZoneMetrics {
  if (registry === undefined) return silent;
  const base = { labelNames: ['zone'] as const, registers: [registry] };
  const gauge = (name: string, help: string): Gauge<'zone'> =>
    sharedMetric(registry, name, () => new Gauge({ ...base, name, help }));
  const sizes = gauge('node_collector_zone_size', 'Gauge measuring number of registered Nodes per zones.');
  const health = gauge('node_collector_zone_health', 'Gauge measuring percentage of healthy nodes per zone.');
  const unhealthy = gauge('node_collector_unhealthy_nodes_in_zone', 'Gauge measuring number of not Ready Nodes per zones.');
  const evictions = sharedMetric(
    registry,
    'node_collector_evictions_total',
    () =>
      new Counter({
        ...base,
        name: 'node_collector_evictions_total',
        help: 'Number of Node evictions that happened since current instance of NodeController started.',
      }),
  );
  return {
    counted(zone, size, healthy) {
      sizes.set({ zone }, size);
      unhealthy.set({ zone }, size - healthy);
      health.set({ zone }, size === 0 ? 0 : (healthy * 100) / size);
    },
    evicted: (zone) => evictions.inc({ zone }),
  };
}
