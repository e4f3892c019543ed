import { deepEqual } from '../../api/groups/define.ts';
import { type FieldError, forbidden, invalid, required } from '../../api/meta/field-error.ts';
import type { KubernetesObject } from '../../api/meta/object.ts';
import type { Resource } from '../../api/resource.ts';

/** Everything wrong with an object's metadata, by itself. */
export function validateMetadata(object: KubernetesObject, resource: Resource): readonly FieldError[] {
  const metadata = object.metadata ?? {};
  const errors: FieldError[] = [];
  const { name = '', generateName = '', namespace = '' } = metadata;
  if (generateName !== '') {
    for (const message of resource.validateName(generateName, true)) {
      errors.push(invalid('metadata.generateName', generateName, message));
    }
  }
  if (name === '') {
    errors.push(required('metadata.name', 'name or generateName is required'));
  } else {
    for (const message of resource.validateName(name, false)) errors.push(invalid('metadata.name', name, message));
  }
  if (resource.namespaced) {
    if (namespace === '') errors.push(required('metadata.namespace'));
  } else if (namespace !== '') {
    errors.push(forbidden('metadata.namespace', 'not allowed on this type'));
  }
  return errors;
}

const immutable = ['name', 'namespace', 'uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const;

/** Everything wrong with metadata as a successor of `old`'s: upstream's ValidateObjectMetaUpdate. */
export function validateMetadataUpdate(object: KubernetesObject, old: KubernetesObject): readonly FieldError[] {
  const now = object.metadata ?? {};
  const before = old.metadata ?? {};
  const errors: FieldError[] = [];
  if (before.deletionTimestamp !== undefined && now.finalizers !== undefined) {
    const had = new Set(before.finalizers ?? []);
    const added = now.finalizers.filter((f) => !had.has(f));
    if (added.length > 0) {
      errors.push(
        forbidden(
          'metadata.finalizers',
          `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((f) => JSON.stringify(f)).join(', ')}}`,
        ),
      );
    }
  }
  for (const field of immutable) {
    if (!deepEqual(now[field], before[field])) errors.push(invalid(`metadata.${field}`, now[field], 'field is immutable'));
  }
  return errors;
}
