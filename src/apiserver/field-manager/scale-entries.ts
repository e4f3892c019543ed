import {
  compare,
  difference,
  type FieldPath,
  type FieldSet,
  fieldElement,
  has,
  isEmpty,
  pathsOf,
  setOf,
  shapeOf,
  union,
} from '../../api/apply/index.ts';
import { apiVersionOf, type KubernetesObject } from '../../api/meta/object.ts';
import type { Resource, ScaleMapping } from '../../api/resource.ts';
import type { ManagedFieldsEntry } from '../../api/types/meta-v1.ts';
import { type ManagedEntry, readManaged, writeManaged, writerKey } from './entries.ts';

const SCALE_VERSION = 'autoscaling/v1';
/** Where a Scale has its replicas. */
const scaleReplicas: FieldPath = [fieldElement('spec'), fieldElement('replicas')];
const scaleSet = setOf(scaleReplicas);

type Entries = readonly ManagedFieldsEntry[] | undefined;

/** Where the parent has them: what changes when they do. Undefined for a mapping that changes nothing. */
export function replicasPath(resource: Resource, mapping: ScaleMapping, parent: KubernetesObject): FieldPath | undefined {
  const other = mapping.withReplicas(parent, mapping.specReplicas(parent) + 1);
  const { added, modified } = compare(shapeOf(resource.schema), parent, other, { typed: false });
  return pathsOf(union(added, modified)).at(-1);
}

/** The entries of a Scale: those owners of the parent who own its replicas. */
export function entriesOfScale(parent: Entries, path: FieldPath): Entries {
  const out = new Map<string, ManagedEntry>();
  for (const [key, entry] of readManaged(parent)) {
    if (has(entry.set, path)) out.set(key, { ...entry, apiVersion: SCALE_VERSION, set: scaleSet, source: undefined });
  }
  return writeManaged(out, undefined);
}

/**
 * The parent's entries when those of its Scale have become `scale`: who no longer owns the Scale's replicas does not own the parent's,
 * and whoever does, does. New entries have no time, as upstream makes them. An owner is found again in the version it was known in;
 * upstream looks for it in the Scale's and gives an owner by update two entries.
 */
export function entriesOfParent(parent: Entries, scale: Entries, path: FieldPath, resource: Resource): Entries {
  const apiVersion = apiVersionOf(resource);
  const owners = new Map<string, ManagedEntry>();
  for (const entry of readManaged(scale).values()) {
    if (has(entry.set, scaleReplicas)) owners.set(writerKey({ ...entry, apiVersion }), entry);
  }
  const replicas: FieldSet = setOf(path);
  const out = new Map<string, ManagedEntry>();
  for (const [key, entry] of readManaged(parent)) {
    if (owners.delete(key) || !has(entry.set, path)) out.set(key, entry);
    else {
      const set = difference(entry.set, replicas);
      if (!isEmpty(set)) out.set(key, { ...entry, set, source: undefined });
    }
  }
  for (const [key, entry] of owners) out.set(key, { ...entry, apiVersion, set: replicas, time: undefined, source: undefined });
  return writeManaged(out, parent);
}
