/**
 * What counts in a ResourceQuota, and how much: shared by the admission of new objects and by the controller that counts all of them anew.
 */

import { Slice } from '../../util/slice.ts';
import type { KubernetesObject } from '../meta/object.ts';
import { Quantity } from '../meta/quantity.ts';
import type { ResourceQuota } from '../types/core-v1.ts';
import type { Amounts } from './amounts.ts';
import { claimQuota } from './claims.ts';
import { matchesQuota, type QuotaEvaluator } from './evaluator.ts';
import { countedType, objectCount } from './object-count.ts';
import { podQuota } from './pods.ts';
import { resourceClaimQuota } from './resource-claims.ts';
import { serviceQuota } from './services.ts';

export {
  type Amounts,
  addAmounts,
  amountsOf,
  describeAmounts,
  exceeding,
  maskAmounts,
  sameAmounts,
  subtractToZero,
  toResourceList,
  withoutZeros,
} from './amounts.ts';
export { matchesQuota, type QuotaEvaluator, scopesOf } from './evaluator.ts';
export { countedType, countName } from './object-count.ts';

/** The evaluator of a type: a special one, or plain counting. */
export function quotaEvaluator(group: string, resource: string): QuotaEvaluator {
  if (group === '' && resource === 'pods') return podQuota;
  if (group === '' && resource === 'services') return serviceQuota;
  if (group === '' && resource === 'persistentvolumeclaims') return claimQuota;
  if (group === 'resource.k8s.io' && resource === 'resourceclaims') return resourceClaimQuota;
  return objectCount(group, resource);
}

/** The types whose objects have to be looked at to know what is used of `names`. */
export function typesCounted(names: Iterable<string>): readonly { readonly group: string; readonly resource: string }[] {
  const types = new Map<string, { group: string; resource: string }>();
  const note = (group: string, resource: string): void => void types.set(`${group}/${resource}`, { group, resource });
  for (const name of names) {
    for (const resource of ['pods', 'services', 'persistentvolumeclaims']) {
      if (quotaEvaluator('', resource).counts(name)) note('', resource);
    }
    if (resourceClaimQuota.counts(name)) note('resource.k8s.io', 'resourceclaims');
    const type = countedType(name);
    if (type !== undefined) note(type.group, type.resource);
  }
  return [...types.values()];
}

/**
 * What the objects of the quota's namespace use of `names`, each of which the answer has. `list` gives the objects of a type there;
 * `now` in milliseconds. There may be very many, so they are counted in slices of time.
 */
export async function measureUsage(
  quota: ResourceQuota,
  names: readonly string[],
  list: (group: string, resource: string) => Iterable<KubernetesObject>,
  now: number,
): Promise<Amounts> {
  const used = new Map(names.map((name) => [name, Quantity.of(0)]));
  const slice = new Slice();
  for (const { group, resource } of typesCounted(names)) {
    const evaluator = quotaEvaluator(group, resource);
    for (const object of list(group, resource)) {
      if (slice.over) await slice.next();
      if (!matchesQuota(evaluator, quota, names, object)) continue;
      for (const [name, amount] of evaluator.usage(object, now)) {
        const had = used.get(name);
        if (had !== undefined) used.set(name, had.add(amount));
      }
    }
  }
  return used;
}
