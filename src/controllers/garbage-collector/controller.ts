import { apiVersionOf, type KubernetesObject, type OwnerReference, objectKey, parseApiVersion } from '../../api/meta/object.ts';
import { isConflict, isNotFound } from '../../api/meta/status.ts';
import { patchTypes } from '../../api/request.ts';
import type { CallOptions, EventRecorder, InformerHandler, ResourceClient } from '../../client/contract.ts';
import type { Controller, ControllerContext } from '../../client/controller.ts';
import { createWorkQueue, type ReconcileResult, runWorkers, type WorkerQueue } from '../../client/work-queue.ts';
import { BoundedSet } from '../bounded-set.ts';
import {
  blocks,
  decideItem,
  FOREGROUND,
  isDeletingDependents,
  isOrphaning,
  ORPHAN,
  type OwnerState,
  withoutOwner,
} from './decision.ts';
import { Dependents } from './dependents.ts';
import { type Monitor, Monitors } from './monitors.ts';

/** Upstream's --concurrent-gc-syncs. */
const WORKERS = 20;
/** Owners remembered to be gone, so that each of many dependents does not ask for them. */
const MAX_ABSENT = 10_000;
/** How long an owner's last rites wait when some type has not been listed yet. */
const UNSYNCED_WAIT_MS = 100;
/** Tries of a change that keeps meeting newer versions, before the queue's backoff takes over. */
const MAX_CONFLICTS = 5;

/** Deletes what lost its owners, and sees deletions in the foreground and with orphans through. */
export function garbageCollector(): Controller {
  return { name: 'garbage-collector-controller', start: (context, signal) => new Collector(context, signal).start() };
}

/** An object under watch. */
interface Item {
  readonly monitor: Monitor;
  readonly object: KubernetesObject;
}

interface MetadataChange {
  readonly ownerReferences?: readonly OwnerReference[];
  readonly finalizers?: readonly string[];
}

/** The owner cannot be where the reference looks for it: a cluster-scoped object cannot have an owner in a namespace. */
class NamespacedOwnerError extends Error {}

class Collector {
  readonly #context: ControllerContext;
  readonly #signal: AbortSignal;
  /** How objects are asked for: only their metadata tells who owns whom, and of all types together they are many. */
  readonly #metadata: CallOptions;
  readonly #monitors: Monitors;
  readonly #dependents = new Dependents();
  readonly #absent = new BoundedSet(MAX_ABSENT);
  readonly #queue: WorkerQueue;
  readonly #recorder: EventRecorder;

  constructor(context: ControllerContext, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    this.#metadata = { signal, metadataOnly: true };
    this.#recorder = context.recorder('garbage-collector-controller');
    this.#queue = createWorkQueue({
      name: 'garbage_collector_attempt_to_delete',
      clock: context.clock,
      metrics: context.metrics,
    });
    this.#monitors = new Monitors(
      context,
      (monitor) => this.#handler(monitor),
      (monitor) => this.#forget(monitor),
    );
  }

  start(): void {
    runWorkers(
      {
        queue: this.#queue,
        workers: WORKERS,
        logger: this.#context.logger,
        waitFor: this.#monitors.start(this.#signal),
        reconcile: (id) => this.#reconcile(id),
      },
      this.#signal,
    );
  }

  #handler(monitor: Monitor): InformerHandler<KubernetesObject> {
    const idOf = (object: KubernetesObject): string => `${monitor.id} ${objectKey(object)}`;
    return {
      onAdd: (object) => {
        const references = object.metadata?.ownerReferences;
        const going = object.metadata?.deletionTimestamp !== undefined;
        if (references === undefined && !going) return;
        const id = idOf(object);
        this.#dependents.change(id, undefined, object);
        if (going && (isDeletingDependents(object) || isOrphaning(object))) this.#wakeFamily(id, object);
        else if (references?.some((reference) => this.#inQuestion(object, reference)) === true) this.#queue.add(id);
      },
      onUpdate: (object, old) => {
        const id = idOf(object);
        if (object.metadata?.ownerReferences !== old.metadata?.ownerReferences) {
          this.#dependents.change(id, old, object);
          this.#wakeReleasedOwners(object, old);
          this.#queue.add(id);
        }
        const waits = isDeletingDependents(object) || isOrphaning(object);
        if (waits && !(isDeletingDependents(old) || isOrphaning(old))) this.#wakeFamily(id, object);
        // A deletion in the foreground unblocks those who waited for this object to be in it.
        else if (waits && object.metadata?.finalizers !== old.metadata?.finalizers) this.#queue.add(id);
      },
      onDelete: (object) => {
        const uid = object.metadata?.uid ?? '';
        this.#dependents.change(idOf(object), object, undefined);
        for (const dependent of this.#dependents.of(uid)) {
          this.#absent.add(uid);
          this.#queue.add(dependent);
        }
        this.#wakeReleasedOwners(undefined, object);
      },
    };
  }

  /** A type is no longer served: what its objects said does not count any more. */
  #forget(monitor: Monitor): void {
    for (const object of monitor.informer.list()) {
      this.#dependents.change(`${monitor.id} ${objectKey(object)}`, object, undefined);
    }
  }

  #wakeFamily(id: string, object: KubernetesObject): void {
    this.#queue.add(id);
    for (const dependent of this.#dependents.of(object.metadata?.uid ?? '')) this.#queue.add(dependent);
  }

  /** Owners that wait for their dependents hear of one that blocks them no longer. */
  #wakeReleasedOwners(object: KubernetesObject | undefined, old: KubernetesObject): void {
    for (const reference of old.metadata?.ownerReferences ?? []) {
      const now = object?.metadata?.ownerReferences?.find(({ uid }) => uid === reference.uid);
      if (now !== undefined && blocks(now) === blocks(reference)) continue;
      const owner = this.#cachedOwner(old, reference);
      if (owner !== undefined && isDeletingDependents(owner.object)) {
        this.#queue.add(`${owner.monitor.id} ${objectKey(owner.object)}`);
      }
    }
  }

  #item(id: string): Item | undefined {
    const space = id.indexOf(' ');
    const monitor = this.#monitors.get(id.slice(0, space));
    const object = monitor?.informer.get(id.slice(space + 1));
    return object === undefined ? undefined : { monitor: monitor!, object };
  }

  #dependentsOf(object: KubernetesObject): readonly Item[] {
    const items: Item[] = [];
    for (const id of this.#dependents.of(object.metadata?.uid ?? '')) {
      const item = this.#item(id);
      if (item !== undefined) items.push(item);
    }
    return items;
  }

  /** The owner as its informer has it, where the reference says it is. */
  #cachedOwner(object: KubernetesObject, reference: OwnerReference): Item | undefined {
    const { group } = parseApiVersion(reference.apiVersion);
    const monitor = this.#monitors.forKind(group, reference.kind);
    if (monitor === undefined) return undefined;
    const namespace = object.metadata?.namespace;
    const key = monitor.resource.namespaced ? `${namespace ?? ''}/${reference.name}` : reference.name;
    const owner = monitor.informer.get(key);
    return owner?.metadata?.uid === reference.uid ? { monitor, object: owner } : undefined;
  }

  /** The owner has not been seen, or waits for the object to go. */
  #inQuestion(object: KubernetesObject, reference: OwnerReference): boolean {
    const owner = this.#cachedOwner(object, reference);
    return owner === undefined || isDeletingDependents(owner.object);
  }

  async #reconcile(id: string): Promise<ReconcileResult | undefined> {
    const item = this.#item(id);
    if (item === undefined) return undefined;
    const { object } = item;
    const waits = isDeletingDependents(object) || isOrphaning(object);
    if (waits && !this.#monitors.allSynced) return { requeueAfterMs: UNSYNCED_WAIT_MS };
    try {
      if (isOrphaning(object)) await this.#orphan(item);
      else if (isDeletingDependents(object)) await this.#finishForeground(item);
      // Once it is being deleted it is only to be waited for.
      else if (object.metadata?.deletionTimestamp === undefined) await this.#collect(item);
    } catch (err) {
      if (err instanceof NamespacedOwnerError) this.#context.logger.debug({ err, key: id }, 'not collected');
      else if (!isNotFound(err)) throw err;
    }
    return undefined;
  }

  async #collect(item: Item): Promise<void> {
    const { object } = item;
    const references = object.metadata?.ownerReferences ?? [];
    const owners: { readonly reference: OwnerReference; readonly state: OwnerState }[] = [];
    for (const reference of references) owners.push({ reference, state: await this.#stateOf(item, reference) });
    const dependents = this.#dependentsOf(object).map((dependent) => dependent.object);
    const decision = decideItem({ object, owners, dependents });
    if (decision.action === 'none') return;
    const { name = '', namespace = '', uid } = object.metadata ?? {};
    let { resourceVersion } = object.metadata ?? {};
    if (decision.action === 'keep') {
      await this.#patch(item, { ownerReferences: decision.ownerReferences });
      return;
    }
    if (decision.unblocked !== undefined) {
      const written = await this.#patch(item, { ownerReferences: decision.unblocked });
      resourceVersion = written.metadata?.resourceVersion;
    }
    // The version as decided upon: an owner added meanwhile must be seen first.
    await this.#client(item).delete(name, namespace, {
      propagationPolicy: decision.propagationPolicy,
      preconditions: { uid: uid!, resourceVersion: resourceVersion! },
      signal: this.#signal,
    });
  }

  async #stateOf(item: Item, reference: OwnerReference): Promise<OwnerState> {
    const { object } = item;
    const { apiVersion, kind, name, uid } = reference;
    if (this.#absent.has(uid)) return 'dangling';
    const { group } = parseApiVersion(apiVersion);
    const resource = this.#monitors.resourceOf(group, kind);
    if (resource === undefined)
      throw new Error(`no matches for kind ${JSON.stringify(kind)} in version ${JSON.stringify(apiVersion)}`);
    const namespace = object.metadata?.namespace ?? '';
    if (resource.namespaced && namespace === '') {
      this.#reportInvalidNamespace(item, reference);
      throw new NamespacedOwnerError('cluster-scoped objects cannot refer to namespaced owners');
    }
    const cached = this.#cachedOwner(object, reference);
    if (cached !== undefined) return isDeletingDependents(cached.object) ? 'waiting' : 'solid';
    // The cache may lag behind: only the server can say that an owner is not there.
    const place = resource.namespaced ? namespace : '';
    const absence = `${place} ${kind}.${group} ${name} ${uid}`;
    if (this.#absent.has(absence)) return 'dangling';
    let owner: KubernetesObject | undefined;
    try {
      owner = await this.#context.client.resource(resource).get(name, place, this.#metadata);
    } catch (err) {
      if (!isNotFound(err)) throw err;
    }
    if (owner?.metadata?.uid !== uid) {
      this.#absent.add(absence);
      if (resource.namespaced && this.#existsElsewhere(group, reference)) this.#reportInvalidNamespace(item, reference);
      return 'dangling';
    }
    return isDeletingDependents(owner) ? 'waiting' : 'solid';
  }

  #existsElsewhere(group: string, reference: OwnerReference): boolean {
    const informer = this.#monitors.forKind(group, reference.kind)?.informer;
    return informer?.list().some((object) => object.metadata?.uid === reference.uid) === true;
  }

  #reportInvalidNamespace({ object, monitor }: Item, reference: OwnerReference): void {
    const { apiVersion, kind, name, uid } = reference;
    const namespace = object.metadata?.namespace ?? '';
    const owner = `[${apiVersion}/${kind}, namespace: ${namespace}, name: ${name}, uid: ${uid}]`;
    const message = `ownerRef ${owner} does not exist in namespace ${JSON.stringify(namespace)}`;
    // Of an object that came without its type, the type is the monitor's.
    const involved = { ...object, apiVersion: apiVersionOf(monitor.resource), kind: monitor.resource.kind };
    this.#recorder.event(involved, 'Warning', 'OwnerRefInvalidNamespace', message);
  }

  /** Lets go of an owner when nothing blocks it any more, else sees that what blocks it goes. */
  async #finishForeground(item: Item): Promise<void> {
    const uid = item.object.metadata?.uid ?? '';
    const blocking = this.#dependentsOf(item.object).filter(({ object }) =>
      object.metadata?.ownerReferences?.some((reference) => reference.uid === uid && blocks(reference)),
    );
    if (blocking.length === 0) {
      await this.#removeFinalizer(item, FOREGROUND);
      return;
    }
    for (const { monitor, object } of blocking) {
      if (!isDeletingDependents(object)) this.#queue.add(`${monitor.id} ${objectKey(object)}`);
    }
  }

  async #orphan(item: Item): Promise<void> {
    const uid = item.object.metadata?.uid ?? '';
    const results = await Promise.allSettled(
      this.#dependentsOf(item.object).map(async (dependent) => {
        try {
          await this.#patchLatest(dependent, (object) => ({ ownerReferences: withoutOwner(object, uid) }));
        } catch (err) {
          if (!isNotFound(err)) throw err;
        }
      }),
    );
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    await this.#removeFinalizer(item, ORPHAN);
  }

  async #removeFinalizer(item: Item, finalizer: string): Promise<void> {
    await this.#patchLatest(item, (object) => ({
      finalizers: (object.metadata?.finalizers ?? []).filter((held) => held !== finalizer),
    }));
  }

  /** A change that is right whatever else became of the object meanwhile: tried again on what is there now. */
  async #patchLatest(item: Item, change: (object: KubernetesObject) => MetadataChange): Promise<void> {
    let { object } = item;
    const { name = '', namespace = '', uid } = object.metadata ?? {};
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#patch({ ...item, object }, change(object));
        return;
      } catch (err) {
        if (!isConflict(err) || attempt >= MAX_CONFLICTS) throw err;
      }
      object = await this.#client(item).get(name, namespace, this.#metadata);
      if (object.metadata?.uid !== uid) return;
    }
  }

  /** Changes metadata on condition that the object is still the one decided upon. */
  async #patch(item: Item, change: MetadataChange): Promise<KubernetesObject> {
    const { name = '', namespace = '', uid, resourceVersion } = item.object.metadata ?? {};
    const patch = { metadata: { uid, resourceVersion, ...change } };
    return await this.#client(item).patch(name, namespace, patchTypes.merge, patch, this.#metadata);
  }

  #client(item: Item): ResourceClient<KubernetesObject> {
    return this.#context.client.resource(item.monitor.resource);
  }
}
