import type { KubernetesObject, ObjectMeta, Status } from '../../api/meta/object.ts';
import { conflict, notFound, StatusError } from '../../api/meta/status.ts';
import type { Entry } from '../../store/collection.ts';
import { PreconditionError } from '../../store/contract.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { mutate, validate } from './admission-chain.ts';
import { MAX_CONFLICT_RETRIES, type RestResult, Scope, timestamp, validateWriteOptions } from './scope.ts';

/** Types whose DELETE answers the object (upstream's ReturnDeletedObject); the others answer a Status. */
const returnsObject: ReadonlySet<string> = new Set([
  '/persistentvolumeclaims',
  '/persistentvolumes',
  '/pods',
  '/podtemplates',
  '/resourcequotas',
  '/serviceaccounts',
  '/services',
  'resource.k8s.io/deviceclasses',
  'resource.k8s.io/devicetaintrules',
  'resource.k8s.io/resourceclaims',
  'resource.k8s.io/resourceclaimtemplates',
  'resource.k8s.io/resourceslices',
  'storage.k8s.io/csidrivers',
  'storage.k8s.io/csinodes',
  'storage.k8s.io/storageclasses',
  'storage.k8s.io/volumeattachments',
  'storage.k8s.io/volumeattributesclasses',
]);

/** Whether DELETE of one object of a type answers what was deleted. */
export const answersDeleted = ({ group, plural }: { readonly group: string; readonly plural: string }): boolean =>
  returnsObject.has(`${group}/${plural}`);

/** Types that leave no dependents behind on purpose: no finalizer of the garbage collector is put on them (rest.Unsupported). */
const noGarbageCollection: ReadonlySet<string> = new Set(['/events', 'events.k8s.io/events']);
/** Types whose dependents a delete that does not say otherwise leaves alone, as it always has in these versions. */
const orphaning: ReadonlySet<string> = new Set(['batch/jobs', '/replicationcontrollers']);

const ORPHAN = 'orphan';
const FOREGROUND = 'foregroundDeletion';

/** DELETE of one object. */
export async function remove(scope: Scope, nameAsked = scope.request.name): Promise<RestResult> {
  validateWriteOptions(scope.request);
  warnOfOrphans(scope);
  const { endpoint } = scope;
  const { key } = scope;
  const { options } = scope.request;
  const insists = options.preconditions?.resourceVersion !== undefined;
  for (let attempt = 0; ; attempt++) {
    const entry = endpoint.collection.get(key);
    if (entry === undefined) throw notFound(endpoint.subject, scope.request.name);
    try {
      return await removeOnce(scope, entry, nameAsked);
    } catch (err) {
      if (!(err instanceof PreconditionError)) throw err;
      scope.request.signal?.throwIfAborted();
      if (insists || attempt >= MAX_CONFLICT_RETRIES) throw preconditionFailed(scope, endpoint.collection.get(key));
    }
  }
}

/** Jobs are deleted for their pods to go, most of the time. */
function warnOfOrphans({ endpoint, request, warnings }: Scope): void {
  const { propagationPolicy, orphanDependents } = request.options;
  if (endpoint.id !== 'batch/jobs' || propagationPolicy !== undefined || orphanDependents !== undefined) return;
  warnings.push(
    'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning',
  );
}

function preconditionFailed(scope: Scope, entry: Entry<KubernetesObject> | undefined): Error {
  if (entry === undefined) return notFound(scope.endpoint.subject, scope.request.name);
  return conflict(
    scope.endpoint.subject,
    scope.request.name,
    'the object has been modified; please apply your changes to the latest version and try again',
  );
}

async function removeOnce(scope: Scope, entry: Entry<KubernetesObject>, nameAsked: string): Promise<RestResult> {
  const { endpoint } = scope;
  if (endpoint.isRemote) await endpoint.ready([entry.object]);
  const found = endpoint.object(entry);
  checkPreconditions(scope, found);
  const chain = scope.chain('DELETE');
  if (chain.mutators.length + chain.validators.length > 0) {
    const record = scope.admission('DELETE', nameAsked, undefined, found);
    await mutate(chain, record);
    await validate(chain, record);
  }
  const live = endpoint.resource.strategy.prepareForDelete?.(found, scope) ?? found;
  const step = decideDeletion(scope, live);
  switch (step.type) {
    case 'pending':
      return answer(scope, entry, live, false);
    case 'mark': {
      const object = deepFreeze(terminating(scope, { ...live, metadata: step.metadata }));
      if (scope.dryRun) return { code: codeOf(scope, false), endpoint, entry: undefined, object };
      if (endpoint.isRemote) await endpoint.readyToStore(object);
      const written = await endpoint.collection.write({
        type: 'put',
        key: entry.key,
        object: endpoint.toStored(object),
        expectedRevision: entry.revision,
      });
      return { code: codeOf(scope, false), endpoint, entry: written, object: undefined };
    }
    case 'remove': {
      const last = step.metadata === undefined ? live : deepFreeze({ ...live, metadata: step.metadata });
      if (scope.dryRun) return answer(scope, undefined, last, true);
      if (endpoint.isRemote) await endpoint.readyToStore(last);
      const stored = endpoint.toStored(last);
      const also = scope.core.guards.get(endpoint.id)?.release(entry.object);
      const written = await endpoint.collection.write({
        type: 'delete',
        key: entry.key,
        object: stored,
        expectedRevision: entry.revision,
        ...(also === undefined ? {} : { also }),
      });
      return answer(scope, written, last, true);
    }
  }
}

/** A namespace that is being deleted says so in its phase. */
function terminating(scope: Scope, object: KubernetesObject): KubernetesObject {
  if (scope.endpoint.id !== '/namespaces') return object;
  return { ...object, status: { ...(object as { status?: object }).status, phase: 'Terminating' } } as KubernetesObject;
}

const codeOf = (scope: Scope, deleted: boolean): number =>
  !deleted && scope.request.options.orphanDependents === false ? 202 : 200;

function answer(
  scope: Scope,
  entry: Entry<KubernetesObject> | undefined,
  object: KubernetesObject,
  deleted: boolean,
): RestResult {
  const { endpoint } = scope;
  const code = codeOf(scope, deleted);
  if (answersDeleted(endpoint.resource)) {
    return entry === undefined ? { code, endpoint, entry: undefined, object } : { code, endpoint, entry, object: undefined };
  }
  const status: Status = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: {
      name: scope.request.name,
      ...(endpoint.resource.group === '' ? {} : { group: endpoint.resource.group }),
      kind: endpoint.resource.plural,
      ...(object.metadata?.uid === undefined ? {} : { uid: object.metadata.uid }),
    },
  };
  return { code, endpoint: undefined, entry: undefined, object: deepFreeze(status) as KubernetesObject };
}

function checkPreconditions(scope: Scope, live: KubernetesObject): void {
  const { preconditions } = scope.request.options;
  if (preconditions === undefined) return;
  const { name } = scope.request;
  const { kind, group } = scope.endpoint.resource;
  const subject = { group, resource: kind };
  const { uid, resourceVersion } = live.metadata ?? {};
  if (preconditions.uid !== undefined && preconditions.uid !== uid) {
    throw conflict(
      subject,
      name,
      `the UID in the precondition (${preconditions.uid}) does not match the UID in record (${uid ?? ''}). The object might have been deleted and then recreated`,
    );
  }
  if (preconditions.resourceVersion !== undefined && preconditions.resourceVersion !== resourceVersion) {
    throw conflict(
      subject,
      name,
      `the ResourceVersion in the precondition (${preconditions.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion ?? ''}). The object might have been modified`,
    );
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What a DELETE comes to: nothing yet (a deletion is under way), a mark that waits for somebody, or removal. */
export type DeletionStep =
  | { readonly type: 'pending' }
  | { readonly type: 'mark'; readonly metadata: ObjectMeta }
  | { readonly type: 'remove'; readonly metadata?: ObjectMeta };

/** Upstream's BeforeDelete and updateForGracefulDeletionAndFinalizers. Pure. */
export function decideDeletion(scope: Scope, live: KubernetesObject): DeletionStep {
  const metadata: Mutable<ObjectMeta> = { ...live.metadata };
  const asked = scope.request.options.gracePeriodSeconds;
  // A negative period means one second.
  const requested = asked !== undefined && asked < 0 ? 1 : asked;
  const graceful = decideGrace(scope, live, metadata, requested);
  if (graceful === 'pending') return { type: 'pending' };
  const finalizers = collectorFinalizers(scope, live);
  if (finalizers !== live.metadata?.finalizers) {
    if (finalizers.length > 0) metadata.finalizers = finalizers;
    else delete metadata.finalizers;
  }
  // A namespace waits for its own finalizers too.
  const waiting =
    finalizers.length > 0 ||
    (scope.endpoint.id === '/namespaces' &&
      ((live as { spec?: { finalizers?: readonly string[] } }).spec?.finalizers ?? []).length > 0);
  if (graceful === 'no') {
    if (!waiting) return { type: 'remove' };
    return markDeleting(scope, live, metadata);
  }
  if (waiting || (metadata.deletionGracePeriodSeconds ?? 0) > 0) return { type: 'mark', metadata };
  return { type: 'remove', metadata };
}

/** The last time that RFC 3339 can tell: a grace of ages ends there. */
const LAST_TIME_MS = Date.UTC(9999, 11, 31, 23, 59, 59);

/** Sets the deletion fields for a graceful deletion, or tells that there is none, or that one is pending already. */
function decideGrace(
  scope: Scope,
  live: KubernetesObject,
  metadata: Mutable<ObjectMeta>,
  requested: number | undefined,
): 'yes' | 'no' | 'pending' {
  const { strategy } = scope.endpoint.resource;
  if (strategy.gracePeriod === undefined) return 'no';
  const old = live.metadata ?? {};
  if (old.deletionTimestamp !== undefined) {
    const current = old.deletionGracePeriodSeconds ?? 0;
    if (current === 0) return 'no';
    if (requested === undefined || requested >= current) return 'pending';
    let at = Date.parse(old.deletionTimestamp) - current * 1000 + requested * 1000;
    let period = requested;
    if (at < scope.now) {
      at = scope.now;
      if (period !== 0) period = 1;
    }
    metadata.deletionTimestamp = timestamp(at);
    metadata.deletionGracePeriodSeconds = period;
    return 'yes';
  }
  const period = strategy.gracePeriod(live, requested);
  metadata.deletionTimestamp = timestamp(Math.min(scope.now + period * 1000, LAST_TIME_MS));
  metadata.deletionGracePeriodSeconds = period;
  if ((old.generation ?? 0) > 0) metadata.generation = (old.generation ?? 0) + 1;
  return 'yes';
}

/** No graceful deletion, but somebody to wait for. A mark that is there already changes nothing. */
function markDeleting(scope: Scope, live: KubernetesObject, metadata: Mutable<ObjectMeta>): DeletionStep {
  const old = live.metadata ?? {};
  if (old.deletionTimestamp === undefined && (old.generation ?? 0) > 0) metadata.generation = (old.generation ?? 0) + 1;
  if (old.deletionTimestamp === undefined || Date.parse(old.deletionTimestamp) > scope.now) {
    metadata.deletionTimestamp = scope.timestamp;
  }
  if (scope.endpoint.id !== '/namespaces') metadata.deletionGracePeriodSeconds = 0;
  const unchanged =
    metadata.deletionTimestamp === old.deletionTimestamp &&
    metadata.finalizers === old.finalizers &&
    metadata.deletionGracePeriodSeconds === old.deletionGracePeriodSeconds;
  return unchanged ? { type: 'pending' } : { type: 'mark', metadata };
}

/** The finalizers with the garbage collector's two as the options ask; the same list when it does not change. */
function collectorFinalizers(scope: Scope, live: KubernetesObject): readonly string[] {
  const old = live.metadata?.finalizers ?? [];
  if (noGarbageCollection.has(scope.endpoint.id)) return old;
  const { orphanDependents, propagationPolicy } = scope.request.options;
  let orphan = false;
  let foreground = false;
  if (orphanDependents !== undefined) {
    orphan = orphanDependents;
  } else if (propagationPolicy !== undefined) {
    orphan = propagationPolicy === 'Orphan';
    foreground = propagationPolicy === 'Foreground';
  } else {
    const first = old.find((f) => f === ORPHAN || f === FOREGROUND);
    orphan = first === undefined ? orphaning.has(scope.endpoint.id) : first === ORPHAN;
    foreground = first === FOREGROUND;
  }
  if (orphan === old.includes(ORPHAN) && foreground === old.includes(FOREGROUND)) return old;
  const others = old.filter((f) => f !== ORPHAN && f !== FOREGROUND);
  return [...others, ...(orphan ? [ORPHAN] : []), ...(foreground ? [FOREGROUND] : [])];
}

/** At most so many deletions of one collection request are under way at a time. */
const COLLECTION_CONCURRENCY = 32;

/** DELETE of a collection: each of `entries` as if deleted alone. Those that are gone already do not matter. */
export async function removeAll(scope: Scope, entries: readonly Entry<KubernetesObject>[]): Promise<void> {
  validateWriteOptions(scope.request);
  warnOfOrphans(scope);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < entries.length) {
      scope.request.signal?.throwIfAborted();
      const entry = entries[next++]!;
      const { namespace = '', name = '' } = entry.object.metadata ?? {};
      const request = { ...scope.request, verb: 'delete' as const, namespace, name };
      const single = new Scope(scope.core, scope.endpoint, request, scope.user, scope.agent);
      try {
        // Admission sees one object after another, and a request that names none.
        await remove(single, '');
      } catch (err) {
        if (!(err instanceof StatusError && err.reason === 'NotFound')) throw err;
      } finally {
        for (const text of single.warnings) if (!scope.warnings.includes(text)) scope.warnings.push(text);
        for (const [key, value] of single.annotations) scope.annotations.set(key, value);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(COLLECTION_CONCURRENCY, entries.length) }, worker));
}
