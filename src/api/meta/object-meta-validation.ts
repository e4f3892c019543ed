import type { ManagedFieldsEntry, ObjectMeta, OwnerReference } from '../types/meta-v1.ts';
import { type FieldError, FieldPath, forbidden, invalid, required, tooLong } from './field-error.ts';
import { validateLabels } from './label-selector-validation.ts';
import { isQualifiedName, nameIsDNSLabel, nameIsPathSegment, type ObjectNameCheck } from './names.ts';
import { parseApiVersion } from './object.ts';

export const TOTAL_ANNOTATION_SIZE_LIMIT = 256 * 1024;
export const FIELD_MANAGER_MAX_LENGTH = 128;
const MAX_SUBRESOURCE_NAME_LENGTH = 256;
export const FINALIZER_ORPHAN = 'orphan';
export const FINALIZER_FOREGROUND = 'foregroundDeletion';
const standardFinalizers: ReadonlySet<string> = new Set(['kubernetes', FINALIZER_ORPHAN, FINALIZER_FOREGROUND]);
export const IMMUTABLE = 'field is immutable';

const noErrors: readonly FieldError[] = Object.freeze([]);

type At = FieldPath | string;
const asPath = (path: At): FieldPath => (typeof path === 'string' ? new FieldPath(path) : path);

/** How the metadata of a type is judged; a `Resource` tells it. */
export interface ObjectMetaRules {
  readonly namespaced: boolean;
  readonly validateName: ObjectNameCheck;
  /** Finalizers without a domain can only be Kubernetes' own. */
  readonly qualifiedFinalizers?: boolean;
}

/** What is asked of the name of an object of any type, whatever its own rules: that it can stand in a URL. */
export function validateNameInPath(meta: ObjectMeta, path: At = 'metadata'): readonly FieldError[] {
  const at = asPath(path);
  const errors: FieldError[] = [];
  const check = (field: 'generateName' | 'name', prefix: boolean): void => {
    const name = meta[field] ?? '';
    if (name !== '') for (const message of nameIsPathSegment(name, prefix)) errors.push(invalid(at.child(field), name, message));
  };
  check('generateName', true);
  check('name', false);
  return errors;
}

/** apimachinery ValidateObjectMeta: the metadata of a new object, its name generated already. */
export function validateObjectMeta(meta: ObjectMeta, rules: ObjectMetaRules, path: At = 'metadata'): readonly FieldError[] {
  const at = asPath(path);
  const errors: FieldError[] = [];
  if (meta.generateName) {
    for (const message of rules.validateName(meta.generateName, true)) {
      errors.push(invalid(at.child('generateName'), meta.generateName, message));
    }
  }
  if (!meta.name) errors.push(required(at.child('name'), 'name or generateName is required'));
  else for (const message of rules.validateName(meta.name, false)) errors.push(invalid(at.child('name'), meta.name, message));
  if (rules.namespaced) {
    if (!meta.namespace) errors.push(required(at.child('namespace')));
    else
      for (const message of nameIsDNSLabel(meta.namespace, false))
        errors.push(invalid(at.child('namespace'), meta.namespace, message));
  } else if (meta.namespace) errors.push(forbidden(at.child('namespace'), 'not allowed on this type'));
  if ((meta.generation ?? 0) < 0) {
    errors.push(invalid(at.child('generation'), meta.generation, 'must be greater than or equal to 0'));
  }
  collectCommon(meta, at, errors);
  if (meta.finalizers !== undefined) errors.push(...validateFinalizers(meta.finalizers, at.child('finalizers')));
  if (meta.managedFields !== undefined) errors.push(...validateManagedFields(meta.managedFields, at.child('managedFields')));
  if (rules.qualifiedFinalizers === true) collectUnqualifiedFinalizers(meta.finalizers, at, errors);
  return errors;
}

/** apimachinery ValidateObjectMetaUpdate: the metadata of an object as the successor of `old`. */
export function validateObjectMetaUpdate(meta: ObjectMeta, old: ObjectMeta, path: At = 'metadata'): readonly FieldError[] {
  const at = asPath(path);
  const errors: FieldError[] = [];
  if (old.deletionTimestamp !== undefined) {
    errors.push(...validateNoNewFinalizers(meta.finalizers, old.finalizers, at.child('finalizers')));
  }
  if (!meta.resourceVersion) {
    errors.push(invalid(at.child('resourceVersion'), meta.resourceVersion ?? '', 'must be specified for an update'));
  }
  if ((meta.generation ?? 0) < (old.generation ?? 0)) {
    errors.push(invalid(at.child('generation'), meta.generation ?? 0, 'must not be decremented'));
  }
  const immutable = (name: 'name' | 'namespace' | 'uid', value: string | undefined, before: string | undefined): void => {
    if ((value ?? '') !== (before ?? '')) errors.push(invalid(at.child(name), value ?? '', IMMUTABLE));
  };
  immutable('name', meta.name, old.name);
  immutable('namespace', meta.namespace, old.namespace);
  immutable('uid', meta.uid, old.uid);
  for (const name of ['creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const) {
    if (meta[name] !== old[name]) errors.push(invalid(at.child(name), meta[name], IMMUTABLE));
  }
  collectCommon(meta, at, errors);
  if (meta.managedFields !== undefined) errors.push(...validateManagedFields(meta.managedFields, at.child('managedFields')));
  return errors;
}

/** What new objects and updates are asked alike. Paths are made of what is there. */
function collectCommon({ labels, annotations, ownerReferences }: ObjectMeta, at: FieldPath, errors: FieldError[]): void {
  if (labels !== undefined) errors.push(...validateLabels(labels, at.child('labels')));
  if (annotations !== undefined) errors.push(...validateAnnotations(annotations, at.child('annotations')));
  if (ownerReferences !== undefined) errors.push(...validateOwnerReferences(ownerReferences, at.child('ownerReferences')));
}

/** Keys, judged without regard to case, and the size of all together. */
export function validateAnnotations(annotations: Readonly<Record<string, string>> | undefined, path: At): readonly FieldError[] {
  const errors: FieldError[] = [];
  let size = 0;
  for (const key in annotations) {
    for (const message of isQualifiedName(key.toLowerCase())) errors.push(invalid(path, key, message));
    size += Buffer.byteLength(key) + Buffer.byteLength(annotations[key]!);
  }
  if (size > TOTAL_ANNOTATION_SIZE_LIMIT) errors.push(tooLong(path, TOTAL_ANNOTATION_SIZE_LIMIT));
  return errors;
}

export function validateOwnerReferences(references: readonly OwnerReference[] | undefined, path: At): readonly FieldError[] {
  const errors: FieldError[] = [];
  const at = asPath(path);
  let controller: string | undefined;
  for (const reference of references ?? []) {
    // Upstream names the list, not the item; so that clients find what they know.
    const { group, version } = parseApiVersion(reference.apiVersion ?? '');
    if (version === '') errors.push(invalid(at.child('apiVersion'), reference.apiVersion ?? '', 'version must not be empty'));
    if (!reference.kind) errors.push(invalid(at.child('kind'), '', 'must not be empty'));
    if (!reference.name) errors.push(invalid(at.child('name'), '', 'must not be empty'));
    if (!reference.uid) errors.push(invalid(at.child('uid'), '', 'must not be empty'));
    if (group === '' && version === 'v1' && reference.kind === 'Event') {
      errors.push(invalid(at, reference, '/v1, Kind=Event is disallowed from being an owner'));
    }
    if (reference.controller !== true) continue;
    const name = `${reference.kind}/${reference.name}`;
    if (controller === undefined) controller = name;
    else {
      errors.push(
        invalid(
          at,
          references,
          `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${name}`,
        ),
      );
    }
  }
  return errors;
}

/** A finalizer without a domain that is not Kubernetes' own: nobody would ever take it away. */
export function validateStandardFinalizer(name: string, path: At): readonly FieldError[] {
  if (name.includes('/') || standardFinalizers.has(name)) return noErrors;
  return [invalid(path, name, 'name is neither a standard finalizer name nor is it fully qualified')];
}

function collectUnqualifiedFinalizers(finalizers: readonly string[] | undefined, at: FieldPath, errors: FieldError[]): void {
  if (finalizers === undefined) return;
  for (let i = 0; i < finalizers.length; i++) {
    errors.push(...validateStandardFinalizer(finalizers[i]!, at.child('finalizers').index(i)));
  }
}

export const validateFinalizerName = (name: string, path: At): readonly FieldError[] =>
  isQualifiedName(name).map((message) => invalid(path, name, message));

export function validateFinalizers(finalizers: readonly string[] | undefined, path: At): readonly FieldError[] {
  if (finalizers === undefined) return [];
  const errors = finalizers.flatMap((f) => validateFinalizerName(f, path));
  if (finalizers.includes(FINALIZER_ORPHAN) && finalizers.includes(FINALIZER_FOREGROUND)) {
    errors.push(invalid(path, finalizers, `finalizer ${FINALIZER_ORPHAN} and ${FINALIZER_FOREGROUND} cannot be both set`));
  }
  return errors;
}

/** An object that is being deleted may lose finalizers, and gets no more. */
export function validateNoNewFinalizers(
  finalizers: readonly string[] | undefined,
  old: readonly string[] | undefined,
  path: At,
): readonly FieldError[] {
  const added = [...new Set(finalizers ?? [])].filter((f) => !(old ?? []).includes(f)).sort();
  if (added.length === 0) return [];
  const list = `[]string{${added.map((f) => JSON.stringify(f)).join(', ')}}`;
  return [forbidden(path, `no new finalizers can be added if the object is being deleted, found new finalizers ${list}`)];
}

/** Most names, which need no closer look; see `FIELD_MANAGER_MAX_LENGTH`. */
const plainManager = /^[\x20-\x7e]{0,128}$/;

/** The name of a field manager, of a request or an entry of managedFields. */
export function validateFieldManager(manager: string | undefined, path: At): readonly FieldError[] {
  if (manager === undefined || plainManager.test(manager)) return noErrors;
  const errors: FieldError[] = [];
  if (Buffer.byteLength(manager) > FIELD_MANAGER_MAX_LENGTH) errors.push(tooLong(path, FIELD_MANAGER_MAX_LENGTH));
  let at = 0;
  for (const character of manager) {
    if (!/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(character)) {
      const code = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
      errors.push(invalid(path, manager, `invalid character U+${code} (at position ${at})`));
    }
    at += Buffer.byteLength(character);
  }
  return errors;
}

export function validateManagedFields(entries: readonly ManagedFieldsEntry[] | undefined, path: At): readonly FieldError[] {
  if (entries === undefined) return [];
  const errors: FieldError[] = [];
  entries.forEach((entry, i) => {
    const here = asPath(path).index(i);
    if (entry.operation !== 'Apply' && entry.operation !== 'Update') {
      errors.push(invalid(here.child('operation'), entry.operation ?? '', 'must be `Apply` or `Update`'));
    }
    if (entry.fieldsType !== undefined && entry.fieldsType !== '' && entry.fieldsType !== 'FieldsV1') {
      errors.push(invalid(here.child('fieldsType'), entry.fieldsType, 'must be `FieldsV1`'));
    }
    if (entry.manager !== undefined) errors.push(...validateFieldManager(entry.manager, here.child('manager')));
    if (entry.subresource !== undefined && Buffer.byteLength(entry.subresource) > MAX_SUBRESOURCE_NAME_LENGTH) {
      errors.push(tooLong(here.child('subresource'), MAX_SUBRESOURCE_NAME_LENGTH));
    }
  });
  return errors;
}
