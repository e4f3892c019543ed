import type { KubernetesObject } from '../../api/meta/object.ts';
import { validateNameInPath, validateObjectMeta } from '../../api/meta/object-meta-validation.ts';
import { alreadyExists, badRequest, customError, invalidObject } from '../../api/meta/status.ts';
import { PreconditionError } from '../../store/contract.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { withReadableEntries } from '../field-manager/admitted-entries.ts';
import { mutate, validate } from './admission-chain.ts';
import { decodeBody } from './decode-body.ts';
import { withDistinctOwners } from './owner-references.ts';
import { type RestResult, type Scope, validateWriteOptions } from './scope.ts';

/** Names made from a generateName: the base is cut so that the whole fits a DNS label. */
const MAX_NAME_LENGTH = 63;
const SUFFIX_LENGTH = 5;
/** How often what was reserved for an object may turn out to be another server's, before that is the end. */
const MAX_RESERVATIONS = 100;
/** A resourceVersion that names a revision. */
const VERSION = /^0*[1-9]\d*$/;
/** How often a generated name that is taken is made anew. */
const MAX_NAME_ATTEMPTS = 8;

/** POST: decodes the body and creates it. */
export async function create(scope: Scope): Promise<RestResult> {
  validateWriteOptions(scope.request);
  scope.endpoint.families.note(scope.request.body);
  const body = withRequestNamespace(scope, decodeBody(scope, scope.endpoint.resource));
  return createObject(scope, trackFields(scope, withDistinctOwners(body, scope.warnings, false)));
}

/** The object with the namespace of the request; 400 when it says another. What the cluster has loses any. */
export function withRequestNamespace<T extends KubernetesObject>(scope: Scope, object: T): T {
  const { namespaced } = scope.endpoint.resource;
  const expected = namespaced ? scope.request.namespace : '';
  const found = object.metadata?.namespace ?? '';
  if (found === expected) return object;
  if (expected !== '') {
    if (found === '') return { ...object, metadata: { ...object.metadata, namespace: expected } };
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  const { namespace: _, ...metadata } = object.metadata ?? {};
  return { ...object, metadata };
}

/** The object with its writer in managedFields. */
export function trackFields(scope: Scope, object: KubernetesObject): KubernetesObject {
  const { fieldManager } = scope.core;
  if (fieldManager === undefined) return object;
  return fieldManager.update({
    resource: scope.endpoint.resource,
    live: undefined,
    object,
    manager: scope.manager,
    subresource: scope.request.subresource ?? '',
    now: scope.now,
  });
}

/**
 * Creates a decoded object: admission, strategy, validation, one commit. A generated name that is taken is tried anew with another.
 * Also the way an update or an apply to a name that does not exist goes; for these a name that another has taken meanwhile is a
 * PreconditionError, not a 409: they go on from what is there.
 */
export async function createObject(scope: Scope, decoded: KubernetesObject): Promise<RestResult> {
  const { endpoint, request } = scope;
  const chain = scope.chain('CREATE');
  const name = decoded.metadata?.name ?? '';
  const record = scope.admission('CREATE', name, deepFreeze(decoded), undefined);
  if (chain.mutators.length > 0) await mutate(chain, record);
  const admitted = endpoint.families.share(withReadableEntries(record.object ?? decoded, decoded, scope.warnings));
  const generated = (admitted.metadata?.name ?? '') === '' && (admitted.metadata?.generateName ?? '') !== '';
  for (let attempt = 1; ; attempt++) {
    const shaped = shape(scope, admitted);
    const objectName = shaped.metadata?.name ?? '';
    const key = endpoint.key(request.namespace, objectName);
    const reservation = scope.core.guards.get(endpoint.id)?.create(endpoint.toStored(shaped), scope.dryRun);
    try {
      const prepared = reservation === undefined ? shaped : deepFreeze(endpoint.fromStored(reservation.object));
      check(scope, prepared);
      record.object = prepared;
      if (chain.validators.length > 0) await validate(chain, record);
      if (scope.dryRun) {
        if (endpoint.collection.get(key) !== undefined) throw new PreconditionError(key, undefined);
        reservation?.rollback();
        return { code: 201, endpoint, entry: undefined, object: prepared };
      }
      if (request.verb === 'create') refuseVersion(prepared);
      if (endpoint.isRemote) await endpoint.readyToStore(prepared);
      const { ttlSeconds } = endpoint.resource;
      const entry = await endpoint.collection.write({
        type: 'put',
        key,
        object: endpoint.toStored(prepared),
        expectedRevision: 0,
        ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
        ...(reservation?.also === undefined ? {} : { also: reservation.also }),
      });
      reservation?.commit();
      if (endpoint.isRemote) await endpoint.ready([entry.object]);
      return { code: 201, endpoint, entry, object: undefined };
    } catch (err) {
      reservation?.rollback();
      if (!(err instanceof PreconditionError)) throw err;
      if (err.key !== key && attempt < MAX_RESERVATIONS) {
        scope.core.guards.get(endpoint.id)?.lost(err.key);
        continue;
      }
      if (generated && attempt < MAX_NAME_ATTEMPTS) continue;
      throw request.verb === 'create' ? nameTaken(scope, key, objectName, generated) : err;
    }
  }
}

/**
 * Upstream's storage refuses a new object that says of which version it is, and reads no version from what is no number. So what is
 * wrong in other ways is told first, a dry run minds none, nor does an update or an apply that makes the object.
 */
function refuseVersion({ metadata }: KubernetesObject): void {
  if (!VERSION.test(metadata?.resourceVersion ?? '')) return;
  throw customError(500, '', 'resourceVersion should not be set on objects to be created');
}

function nameTaken(scope: Scope, key: string, name: string, generated: boolean): Error {
  const { subject } = scope.endpoint;
  const error = alreadyExists(subject, name);
  const existing = scope.endpoint.collection.get(key);
  const deleting = existing?.object.metadata?.deletionTimestamp !== undefined;
  if (!generated && !deleting) return error;
  const message = generated
    ? `${error.status.message}, the server was not able to generate a unique name for the object`
    : `object is being deleted: ${error.status.message}`;
  const status = { ...error.status, message };
  return Object.assign(customError(409, 'AlreadyExists', message), { status });
}

/** The first half of upstream's BeforeCreate: system fields and the type's strategy. The result is frozen. */
export function shape(scope: Scope, admitted: KubernetesObject): KubernetesObject {
  const { endpoint, request, core } = scope;
  const { resource } = endpoint;
  const metadata = withRequestNamespace(scope, admitted).metadata ?? {};
  const { deletionTimestamp: _d, deletionGracePeriodSeconds: _g, selfLink: _s, ...kept } = metadata;
  const name = (metadata.name ?? '') !== '' ? metadata.name : generateName(scope, metadata.generateName ?? '');
  const system = {
    ...kept,
    ...(name === undefined ? {} : { name }),
    ...(resource.namespaced ? { namespace: request.namespace } : {}),
    uid: core.random.uuid(),
    creationTimestamp: scope.timestamp,
  };
  const stamped = { ...admitted, kind: resource.kind, apiVersion: endpoint.apiVersion, metadata: system };
  // Defaults may look at the name, which was not there when they were first applied.
  const named = name === metadata.name ? stamped : resource.defaults(stamped);
  return deepFreeze(resource.strategy.prepareForCreate(named, scope));
}

/** The second half: validation and warnings. */
function check(scope: Scope, object: KubernetesObject): void {
  const { resource } = scope.endpoint;
  const errors = [...validateObjectMeta(object.metadata ?? {}, resource), ...resource.validate(object, scope)];
  // Only after the type's own rules, as what they say of a name tells more.
  if (errors.length === 0) errors.push(...validateNameInPath(object.metadata ?? {}));
  if (errors.length > 0) throw invalidObject(scope.endpoint.invalidSubject, object.metadata?.name ?? '', errors);
  if (resource.warnings !== undefined) scope.warnings.push(...resource.warnings(object, undefined));
}

function generateName(scope: Scope, base: string): string | undefined {
  if (base === '') return undefined;
  return base.slice(0, MAX_NAME_LENGTH - SUFFIX_LENGTH) + scope.core.random.nameSuffix(SUFFIX_LENGTH);
}
