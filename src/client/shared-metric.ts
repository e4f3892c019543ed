import type { Registry } from 'prom-client';

/** The family `name` of a registry, made at first use: whoever comes later shares it. */
export function sharedMetric<T>(registry: Registry, name: string, make: () => T): T {
  return (registry.getSingleMetric(name) as T | undefined) ?? make();
}
