import { Quantity } from '../meta/quantity.ts';
import type { QuotaEvaluator } from './evaluator.ts';

/** Types that could be counted before all could; their old names stay. */
const aliases: ReadonlySet<string> = new Set(['configmaps', 'resourcequotas', 'replicationcontrollers', 'secrets']);
const one = Quantity.of(1);

/** `count/deployments.apps`: the quota resource that is the number of objects of a type. */
export const countName = (group: string, resource: string): string =>
  group === '' ? `count/${resource}` : `count/${resource}.${group}`;

/** How objects that are nothing but objects count: by number. */
export function objectCount(group: string, resource: string): QuotaEvaluator {
  const names = [countName(group, resource), ...(group === '' && aliases.has(resource) ? [resource] : [])];
  const usage = new Map(names.map((name) => [name, one]));
  return { counts: (name) => names.includes(name), usage: () => usage, matchesScope: () => false };
}

/** The types that a quota resource counts objects of; undefined when it counts something else. */
export function countedType(name: string): { readonly group: string; readonly resource: string } | undefined {
  if (aliases.has(name)) return { group: '', resource: name };
  if (!name.startsWith('count/')) return undefined;
  const type = name.slice('count/'.length);
  const dot = type.indexOf('.');
  return dot < 0 ? { group: '', resource: type } : { group: type.slice(dot + 1), resource: type.slice(0, dot) };
}
