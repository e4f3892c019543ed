import { deepEqual } from '../../api/groups/define.ts';
import type { KubernetesObject, OwnerReference } from '../../api/meta/object.ts';

const head = '.metadata.ownerReferences contains duplicate entries';
const tail =
  '; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ';

/** The object with each owner once, and a warning when one was there twice. `admitted` tells whether mutating admission has run. */
export function withDistinctOwners<T extends KubernetesObject>(object: T, warnings: string[], admitted: boolean): T {
  const owners = object.metadata?.ownerReferences;
  if (owners === undefined || owners.length < 2) return object;
  const kept: OwnerReference[] = [];
  const twice: string[] = [];
  for (const owner of owners) {
    if (kept.some((other) => other.uid === owner.uid && deepEqual(other, owner))) twice.push(owner.uid);
    else kept.push(owner);
  }
  if (twice.length === 0) return object;
  warnings.push(`${head}${admitted ? ' after mutating admission happens' : ''}${tail}${twice.join(', ')}`);
  return { ...object, metadata: { ...object.metadata, ownerReferences: kept } };
}
