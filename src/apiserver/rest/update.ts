import { invalid } from '../../api/meta/field-error.ts';
import { nameIsPathSegment } from '../../api/meta/names.ts';
import type { GroupVersionKind, KubernetesObject } from '../../api/meta/object.ts';
import { validateObjectMeta, validateObjectMetaUpdate } from '../../api/meta/object-meta-validation.ts';
import { badRequest, conflict, invalidObject, notFound, staleConflict } from '../../api/meta/status.ts';
import type { Subresource } from '../../api/resource.ts';
import type { Entry } from '../../store/collection.ts';
import { PreconditionError, type StoreOp } from '../../store/contract.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { withReadableEntries } from '../field-manager/admitted-entries.ts';
import { withSettledTimes } from '../field-manager/settled-times.ts';
import { authorize } from '../http/authorize.ts';
import type { AdmissionRecord } from './admission-chain.ts';
import { mutate, validate } from './admission-chain.ts';
import { attributesOf } from './attributes.ts';
import { createObject, withRequestNamespace } from './create.ts';
import { decodeBody } from './decode-body.ts';
import { withDistinctOwners } from './owner-references.ts';
import { MAX_CONFLICT_RETRIES, type RestResult, type Scope, validateWriteOptions } from './scope.ts';
import { shareUnchanged } from './share-unchanged.ts';

/** PUT of an object, or of its view through a subresource. */
export async function update(scope: Scope, subresource: Subresource | undefined): Promise<RestResult> {
  validateWriteOptions(scope.request);
  const body = decodeBody(scope, scope.endpoint.resource);
  const { name } = scope.request;
  const bodyName = body.metadata?.name ?? '';
  if (bodyName === '') {
    throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
  }
  if (bodyName !== name) throw badRequest(`the name of the object (${bodyName}) does not match the name on the URL (${name})`);
  const object = withDistinctOwners(withRequestNamespace(scope, body), scope.warnings, false);
  return replace(scope, {
    subresource,
    createWhenMissing: subresource === undefined && scope.endpoint.resource.strategy.allowCreateOnUpdate,
    next: () => object,
    operation: 'update',
  });
}

/** One optimistic change of an object. */
export interface Replacement {
  readonly subresource: Subresource | undefined;
  readonly createWhenMissing: boolean;
  /**
   * The object wanted, from what is there now (in the request's version; undefined when nothing is and it may be created). Asked again after a conflict.
   * It carries the resourceVersion that it insists on, or none.
   */
  next(live: KubernetesObject | undefined): KubernetesObject | Promise<KubernetesObject>;
  readonly operation: 'update' | 'patch' | 'apply';
  /** What the object is on the way through admission, when the subresource speaks another kind (Scale). */
  readonly admitAs?: {
    readonly kind: GroupVersionKind;
    view(object: KubernetesObject): KubernetesObject;
    apply(object: KubernetesObject, view: KubernetesObject): KubernetesObject;
  };
}

/** Reads, changes, admits, validates and commits; takes it up again when another writer was quicker and the caller did not insist. */
export async function replace(scope: Scope, replacement: Replacement): Promise<RestResult> {
  const { endpoint } = scope;
  const { key } = scope;
  for (let attempt = 0; ; attempt++) {
    const entry = endpoint.collection.get(key);
    if (entry === undefined) {
      if (!replacement.createWhenMissing) throw notFound(endpoint.subject, scope.request.name);
      const wanted = await replacement.next(undefined);
      await authorizeCreate(scope);
      try {
        return await createObject(scope, replacement.operation === 'apply' ? wanted : trackFields(scope, wanted, undefined));
      } catch (err) {
        if (!(err instanceof PreconditionError)) throw err;
        scope.request.signal?.throwIfAborted();
        // Another has made it meanwhile: it is changed now, not made.
        if (attempt < MAX_CONFLICT_RETRIES) continue;
        throw staleConflict(endpoint.subject, scope.request.name);
      }
    }
    if (endpoint.isRemote) await endpoint.ready([entry.object]);
    const live = endpoint.object(entry);
    const produced = replacement.next(live);
    const wanted = produced instanceof Promise ? await produced : produced;
    const insists = insistsOnVersion(scope, replacement, wanted, live);
    try {
      return await replaceOnce(scope, replacement, entry, live, wanted);
    } catch (err) {
      if (!(err instanceof PreconditionError)) throw err;
      scope.request.signal?.throwIfAborted();
      if (err.key !== key && attempt < MAX_CONFLICT_RETRIES) {
        scope.core.guards.get(endpoint.id)?.lost(err.key);
        continue;
      }
      if (insists || attempt >= MAX_CONFLICT_RETRIES) throw staleConflict(endpoint.subject, scope.request.name);
    }
  }
}

/** Whoever may update need not be allowed to create. Throws the 403. */
function authorizeCreate(scope: Scope): Promise<void> | undefined {
  return authorize(scope.core.authorizer, attributesOf({ ...scope.request, verb: 'create' }, scope.user));
}

/** Checks uid and resourceVersion against the live object; whether the caller insisted on a version. */
function insistsOnVersion(scope: Scope, replacement: Replacement, wanted: KubernetesObject, live: KubernetesObject): boolean {
  const { endpoint, request } = scope;
  const uid = wanted.metadata?.uid ?? '';
  if (uid !== '' && uid !== live.metadata?.uid) {
    throw conflict(
      endpoint.subject,
      request.name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live.metadata?.uid ?? ''}`,
    );
  }
  const version = wanted.metadata?.resourceVersion ?? '';
  if (version === '' || version === '0') {
    if (replacement.operation === 'update' && !endpoint.resource.strategy.allowUnconditionalUpdate) {
      throw invalidObject(endpoint.resource, request.name, [
        invalid('metadata.resourceVersion', 0, 'must be specified for an update'),
      ]);
    }
    return false;
  }
  if (version !== live.metadata?.resourceVersion) throw staleConflict(endpoint.subject, request.name);
  // A patch starts from the live object and so carries its version without meaning it.
  return replacement.operation === 'update';
}

async function replaceOnce(
  scope: Scope,
  replacement: Replacement,
  entry: Entry<KubernetesObject>,
  live: KubernetesObject,
  wanted: KubernetesObject,
): Promise<RestResult> {
  const { endpoint } = scope;
  const chain = scope.chain('UPDATE');
  let object = replacement.operation === 'apply' ? wanted : trackFields(scope, wanted, live);
  const record = admissionRecord(scope, replacement, deepFreeze(object), live);
  if (chain.mutators.length > 0) {
    const before = record.object;
    await mutate(chain, record);
    if (record.object !== undefined && record.object !== before) {
      object =
        replacement.admitAs === undefined
          ? withReadableEntries(record.object, object, scope.warnings)
          : replacement.admitAs.apply(object, record.object);
    }
  }
  const shaped = shape(scope, replacement.subresource, withDistinctOwners(object, scope.warnings, true), live);
  const reservation =
    replacement.subresource === undefined
      ? scope.core.guards.get(endpoint.id)?.update(endpoint.toStored(shaped), entry.object, scope.dryRun)
      : undefined;
  try {
    const prepared = reservation === undefined ? shaped : deepFreeze(endpoint.fromStored(reservation.object));
    check(scope, replacement.subresource, prepared, live);
    if (chain.validators.length > 0) {
      record.object = replacement.admitAs === undefined ? prepared : deepFreeze(replacement.admitAs.view(prepared));
      await validate(chain, record);
    }
    const result = shouldDelete(scope, prepared, live)
      ? await removeFinalized(scope, entry, prepared)
      : await commitUpdate(scope, entry, live, prepared, reservation?.also);
    if (scope.dryRun) reservation?.rollback();
    else reservation?.commit();
    return result;
  } catch (err) {
    reservation?.rollback();
    throw err;
  }
}

async function commitUpdate(
  scope: Scope,
  entry: Entry<KubernetesObject>,
  live: KubernetesObject,
  wanted: KubernetesObject,
  also: readonly StoreOp[] | undefined,
): Promise<RestResult> {
  const { endpoint } = scope;
  const prepared = withSettledTimes(wanted, live);
  const changed = shareUnchanged(prepared, live);
  // What changes nothing writes nothing: the revision stays.
  if (changed === live) return { code: 200, endpoint, entry, object: undefined };
  if (scope.dryRun) return { code: 200, endpoint, entry: undefined, object: prepared };
  if (endpoint.isRemote) await endpoint.readyToStore(prepared);
  const { ttlSeconds } = endpoint.resource;
  const written = await endpoint.collection.write({
    type: 'put',
    key: entry.key,
    object: endpoint.toStored(changed),
    expectedRevision: entry.revision,
    ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
    ...(also === undefined ? {} : { also }),
  });
  if (endpoint.isRemote) await endpoint.ready([written.object]);
  return { code: 200, endpoint, entry: written, object: undefined };
}

function admissionRecord(
  scope: Scope,
  replacement: Replacement,
  object: KubernetesObject,
  live: KubernetesObject,
): AdmissionRecord {
  const { admitAs } = replacement;
  return admitAs === undefined
    ? scope.admission('UPDATE', scope.request.name, object, live)
    : scope.admission(
        'UPDATE',
        scope.request.name,
        deepFreeze(admitAs.view(object)),
        deepFreeze(admitAs.view(live)),
        admitAs.kind,
      );
}

function trackFields(scope: Scope, object: KubernetesObject, live: KubernetesObject | undefined): KubernetesObject {
  const { fieldManager } = scope.core;
  if (fieldManager === undefined) return object;
  return fieldManager.update({
    resource: scope.endpoint.resource,
    live,
    object,
    manager: scope.manager,
    subresource: scope.request.subresource ?? '',
    now: scope.now,
  });
}

/** The first half of upstream's BeforeUpdate: what an update may not touch, and the strategy. The result is frozen. */
function shape(
  scope: Scope,
  subresource: Subresource | undefined,
  wanted: KubernetesObject,
  live: KubernetesObject,
): KubernetesObject {
  const { endpoint } = scope;
  const { resource } = endpoint;
  const object = withRequestNamespace(scope, wanted);
  const old = live.metadata ?? {};
  const { generation: _generation, selfLink: _selfLink, ...kept } = object.metadata ?? {};
  const base: KubernetesObject = {
    ...object,
    kind: resource.kind,
    apiVersion: endpoint.apiVersion,
    metadata: { ...kept, ...(old.generation === undefined ? {} : { generation: old.generation }) },
  };
  const strategy = subresource?.strategy ?? resource.strategy;
  const shaped = strategy.prepareForUpdate(base, live, scope);
  return deepFreeze({
    ...shaped,
    metadata: {
      ...shaped.metadata,
      ...((shaped.metadata?.uid ?? '') === '' ? { uid: old.uid } : {}),
      ...(old.creationTimestamp === undefined ? {} : { creationTimestamp: old.creationTimestamp }),
      ...(old.deletionTimestamp === undefined ? {} : { deletionTimestamp: old.deletionTimestamp }),
      ...(old.deletionGracePeriodSeconds !== undefined && shaped.metadata?.deletionGracePeriodSeconds === undefined
        ? { deletionGracePeriodSeconds: old.deletionGracePeriodSeconds }
        : {}),
      // The version it insists on has been checked; validation wants to see one.
      resourceVersion: old.resourceVersion,
    },
  } as KubernetesObject);
}

/** The second half: validation and warnings. */
function check(scope: Scope, subresource: Subresource | undefined, prepared: KubernetesObject, live: KubernetesObject): void {
  const { resource } = scope.endpoint;
  const errors = [
    // The name cannot change; what its type asks of new names is no matter here.
    ...validateObjectMeta(prepared.metadata ?? {}, {
      namespaced: resource.namespaced,
      validateName: nameIsPathSegment,
      qualifiedFinalizers: resource.qualifiedFinalizers === true,
    }),
    ...validateObjectMetaUpdate(prepared.metadata ?? {}, live.metadata ?? {}),
    ...(subresource?.validateUpdate !== undefined
      ? subresource.validateUpdate(prepared, live, scope)
      : subresource?.strategy !== undefined
        ? []
        : resource.validateUpdate(prepared, live, scope)),
  ];
  if (errors.length > 0) throw invalidObject(scope.endpoint.invalidSubject, scope.request.name, errors);
  if (resource.warnings !== undefined && subresource === undefined) scope.warnings.push(...resource.warnings(prepared, live));
}

/** An update that takes away the last thing a deletion waits for is the deletion. */
function shouldDelete(scope: Scope, object: KubernetesObject, live: KubernetesObject): boolean {
  if ((object.metadata?.finalizers ?? []).length > 0 || live.metadata?.deletionTimestamp === undefined) return false;
  if ((live.metadata.deletionGracePeriodSeconds ?? 0) !== 0) return false;
  if (scope.endpoint.id !== '/namespaces') return true;
  const spec = (object as { spec?: { finalizers?: readonly string[] } }).spec;
  return (spec?.finalizers ?? []).length === 0;
}

/** The object is deleted with this state as its last; the answer is the object as it was sent, as upstream gives it. */
async function removeFinalized(scope: Scope, entry: Entry<KubernetesObject>, object: KubernetesObject): Promise<RestResult> {
  const { endpoint } = scope;
  if (!scope.dryRun) {
    if (endpoint.isRemote) await endpoint.readyToStore(object);
    const stored = endpoint.toStored(object);
    const also = scope.core.guards.get(endpoint.id)?.release(entry.object);
    await endpoint.collection.write({
      type: 'delete',
      key: entry.key,
      object: stored,
      expectedRevision: entry.revision,
      ...(also === undefined ? {} : { also }),
    });
  }
  return { code: 200, endpoint, entry: undefined, object };
}
