import type { KubernetesObject } from '../../api/meta/object.ts';
import type { Informer, InformerHandler } from '../../client/contract.ts';
import type { ControllerContext } from '../../client/controller.ts';
import { createInformerFactory } from '../../client/informer.ts';
import { apiServices, customResourceDefinitions } from '../../client/resource-refs.ts';
import { createWorkQueue, runWorkers } from '../../client/work-queue.ts';
import { type DiscoveredResource, discoverResources } from '../discovery.ts';

/** How often the server is asked what it serves, besides when a definition changes (upstream's --gc sync period). */
const DISCOVERY_PERIOD_MS = 30_000;
/** A definition that was just established may not be served in the same moment. */
const DISCOVERY_RETRY_MS = 1_000;
/** A type that cannot be listed holds the collector up for no longer than this at the start. */
const INITIAL_SYNC_MS = 30_000;

/** Objects of these own nothing, are owned by nothing, and are many. */
const ignored: ReadonlySet<string> = new Set(['events.', 'events.events.k8s.io']);

/** One type under watch. */
export interface Monitor {
  readonly id: string;
  readonly resource: DiscoveredResource;
  readonly informer: Informer<KubernetesObject>;
  readonly stop: () => void;
}

/** Watches every type that can be collected, as types come and go. */
export class Monitors {
  readonly #context: ControllerContext;
  readonly #handler: (monitor: Monitor) => InformerHandler<KubernetesObject>;
  readonly #onStopped: (monitor: Monitor) => void;
  readonly #byId = new Map<string, Monitor>();
  readonly #byKind = new Map<string, Monitor>();
  /** Types served whose objects cannot be watched or deleted; by kind. */
  readonly #others = new Map<string, DiscoveredResource>();

  constructor(
    context: ControllerContext,
    handler: (monitor: Monitor) => InformerHandler<KubernetesObject>,
    onStopped: (monitor: Monitor) => void,
  ) {
    this.#context = context;
    this.#handler = handler;
    this.#onStopped = onStopped;
  }

  get(id: string): Monitor | undefined {
    return this.#byId.get(id);
  }

  /** The monitor of a kind, in whatever version. */
  forKind(group: string, kind: string): Monitor | undefined {
    return this.#byKind.get(`${kind}.${group}`);
  }

  /** How to ask for objects of a kind; also of those that are not watched. */
  resourceOf(group: string, kind: string): DiscoveredResource | undefined {
    return this.forKind(group, kind)?.resource ?? this.#others.get(`${kind}.${group}`);
  }

  get allSynced(): boolean {
    for (const { informer } of this.#byId.values()) if (!informer.hasSynced) return false;
    return true;
  }

  /** Begins to discover. Resolves when everything found at first has been listed once, or that took too long. */
  start(signal: AbortSignal): Promise<void> {
    const { clock, logger, metrics, informers } = this.#context;
    const queue = createWorkQueue({ name: 'garbage_collector_discovery', clock, metrics });
    const definitions = informers.informer(customResourceDefinitions);
    const aggregated = informers.informer(apiServices);
    const first = Promise.withResolvers<void>();
    runWorkers(
      {
        queue,
        workers: 1,
        logger,
        // Who is built in and who custom is known only once the definitions are.
        waitFor: definitions.synced(signal),
        reconcile: async () => {
          await this.#discover(definitions, signal);
          first.resolve();
          return { requeueAfterMs: DISCOVERY_PERIOD_MS };
        },
      },
      signal,
    );
    const again = (): void => {
      queue.add('');
      queue.addAfter('', DISCOVERY_RETRY_MS);
    };
    const handler: InformerHandler<KubernetesObject> = {
      onAdd: (_, initial) => (initial ? undefined : again()),
      onUpdate: again,
      onDelete: again,
    };
    definitions.addHandler(handler as never);
    aggregated.addHandler(handler as never);
    queue.add('');
    return first.promise.then(() => this.#synced(signal));
  }

  async #synced(signal: AbortSignal): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = this.#context.clock.setTimer(INITIAL_SYNC_MS, () => {
      const missing = [...this.#byId.values()].filter((m) => !m.informer.hasSynced).map((m) => m.id);
      this.#context.logger.warn({ missing }, 'types could not be listed; collecting without them');
      late.resolve();
    });
    await Promise.race([Promise.all([...this.#byId.values()].map((m) => m.informer.synced(signal))), late.promise]);
    timer.cancel();
  }

  async #discover(definitions: Informer<KubernetesObject>, signal: AbortSignal): Promise<void> {
    const { resources, failed } = await discoverResources(this.#context.client, signal);
    if (failed.size > 0) this.#context.logger.debug({ failed: [...failed.keys()] }, 'group versions that did not answer');
    const found = new Set<string>();
    this.#others.clear();
    for (const resource of resources) {
      const id = `${resource.plural}.${resource.group}`;
      const collectable = ['delete', 'list', 'watch'].every((verb) => resource.verbs.includes(verb));
      if (!collectable || ignored.has(id)) {
        if (resource.verbs.includes('get')) this.#others.set(`${resource.kind}.${resource.group}`, resource);
        continue;
      }
      found.add(id);
      const current = this.#byId.get(id);
      const same = current?.resource.version === resource.version && current.resource.kind === resource.kind;
      if (same) continue;
      if (current !== undefined) this.#stop(current);
      this.#watch(id, resource, definitions.get(id) !== undefined, signal);
    }
    const unknown = new Set([...failed.keys()].map((groupVersion) => groupVersion.split('/')[0]));
    for (const monitor of [...this.#byId.values()]) {
      // A group that did not answer may still serve what it served.
      if (!found.has(monitor.id) && !unknown.has(monitor.resource.group)) this.#stop(monitor);
    }
  }

  #watch(id: string, resource: DiscoveredResource, custom: boolean, signal: AbortSignal): void {
    const stopping = new AbortController();
    // Built-in types stay, so one cache serves everybody; a custom type may go, and its watch with it.
    const own = custom || (resource.group.includes('.') && !resource.group.endsWith('.k8s.io'));
    const factory = own ? createInformerFactory(this.#context.client, this.#context) : this.#context.informers;
    const informer = factory.informer<KubernetesObject>(resource, { metadataOnly: true });
    const monitor: Monitor = { id, resource, informer, stop: () => stopping.abort(new Error(`${id} is no longer served`)) };
    this.#byId.set(id, monitor);
    this.#byKind.set(`${resource.kind}.${resource.group}`, monitor);
    informer.addHandler(this.#handler(monitor));
    if (own) factory.start(AbortSignal.any([signal, stopping.signal]));
  }

  #stop(monitor: Monitor): void {
    this.#byId.delete(monitor.id);
    const kind = `${monitor.resource.kind}.${monitor.resource.group}`;
    if (this.#byKind.get(kind) === monitor) this.#byKind.delete(kind);
    monitor.stop();
    this.#onStopped(monitor);
  }
}
