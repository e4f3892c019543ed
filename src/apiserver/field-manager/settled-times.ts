import { equalValues } from '../../api/apply/index.ts';
import type { KubernetesObject } from '../../api/meta/object.ts';
import type { ManagedFieldsEntry } from '../../api/types/meta-v1.ts';

/**
 * The object with the times of the live object's entries, when nothing but these times differs: a write that changes nothing shall not
 * be one (upstream's IgnoreManagedFieldsTimestampsTransformer). Otherwise the object itself. Runs when the strategy is done with it.
 */
export function withSettledTimes<T extends KubernetesObject>(object: T, live: T): T {
  const now = object.metadata?.managedFields;
  const before = live.metadata?.managedFields;
  if (now === before || now === undefined || before === undefined || now.length !== before.length) return object;
  if (!now.some((entry, i) => entry.time !== before[i]!.time)) return object;
  if (!now.every((entry, i) => sameButTime(entry, before[i]!))) return object;
  const settled = { ...object, metadata: { ...object.metadata, managedFields: before } };
  return equalValues(settled, live) ? settled : object;
}

function sameButTime(a: ManagedFieldsEntry, b: ManagedFieldsEntry): boolean {
  return (
    a.manager === b.manager &&
    a.operation === b.operation &&
    a.apiVersion === b.apiVersion &&
    a.subresource === b.subresource &&
    equalValues(a.fieldsV1, b.fieldsV1)
  );
}
