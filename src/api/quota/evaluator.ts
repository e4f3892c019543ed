import type { KubernetesObject } from '../meta/object.ts';
import type { ResourceQuota, ScopedResourceSelectorRequirement } from '../types/core-v1.ts';
import type { Amounts } from './amounts.ts';

/** How objects of one type count in a ResourceQuota. Upstream's quota.Evaluator. Pure. */
export interface QuotaEvaluator {
  /** Whether a quota's resource is counted in objects of this type. */
  counts(name: string): boolean;
  /** What an object uses. `now` in milliseconds: what is overdue for removal no longer counts. */
  usage(object: KubernetesObject, now: number): Amounts;
  matchesScope(requirement: ScopedResourceSelectorRequirement, object: KubernetesObject): boolean;
  /** Why an object cannot be counted under a quota of these resources; undefined: it can. */
  constraint?(names: readonly string[], object: KubernetesObject): string | undefined;
}

/** The scopes of a quota, all of which an object must be in to count. */
export const scopesOf = ({ spec }: ResourceQuota): readonly ScopedResourceSelectorRequirement[] => [
  ...(spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists' as const })),
  ...(spec?.scopeSelector?.matchExpressions ?? []),
];

/** Whether an object counts in a quota that limits `names`. */
export const matchesQuota = (
  evaluator: QuotaEvaluator,
  quota: ResourceQuota,
  names: Iterable<string>,
  object: KubernetesObject,
): boolean =>
  [...names].some((name) => evaluator.counts(name)) && scopesOf(quota).every((scope) => evaluator.matchesScope(scope, object));

/** Whether a scope selects one of `values`; none of them counts as having no value. */
export function selectsValue({ operator, values = [] }: ScopedResourceSelectorRequirement, found: readonly string[]): boolean {
  switch (operator) {
    case 'In':
      return found.some((value) => values.includes(value));
    case 'NotIn':
      return found.length === 0 || found.some((value) => !values.includes(value));
    case 'Exists':
      return found.length > 0;
    case 'DoesNotExist':
      return found.length === 0;
    default:
      return false;
  }
}
