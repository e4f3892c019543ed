import { type KubernetesObject, objectKey } from '../api/meta/object.ts';
import { isNotFound } from '../api/meta/status.ts';
import {
  amountsOf,
  measureUsage,
  quotaEvaluator,
  sameAmounts,
  subtractToZero,
  toResourceList,
  typesCounted,
} from '../api/quota/index.ts';
import type { CustomResourceDefinition } from '../api/types/apiextensions-v1.ts';
import type { ResourceQuota } from '../api/types/core-v1.ts';
import type { Informer, WorkQueue } from '../client/contract.ts';
import type { Controller, ControllerContext } from '../client/controller.ts';
import { startReconciler } from '../client/controller-runner.ts';
import { createInformerFactory } from '../client/informer.ts';
import { customResourceDefinitions, resourceQuotas } from '../client/resource-refs.ts';
import type { ReconcileResult } from '../client/work-queue.ts';
import { type DiscoveredResource, discoverResources } from './discovery.ts';
import { semanticallyEqual } from './equality.ts';

const WORKERS = 5;
/** Every quota is counted anew after this time, whatever was heard (upstream's --resource-quota-sync-period). */
const RESYNC_MS = 5 * 60_000;

/** Counts what is used of every ResourceQuota anew when something goes away; what comes is charged at admission. */
export function resourceQuotaController(): Controller {
  return { name: 'resourcequota-controller', start: (context, signal) => new QuotaShell(context, signal).start() };
}

class QuotaShell {
  readonly #context: ControllerContext;
  readonly #signal: AbortSignal;
  readonly #quotas: Informer<ResourceQuota>;
  readonly #definitions: Informer<CustomResourceDefinition>;
  /** Ends the watch of a custom type, by `group/resource`. */
  readonly #stops = new Map<string, AbortController>();
  /** Informers of the types that some quota counts, by `group/resource`. */
  readonly #counted = new Map<string, Informer<KubernetesObject>>();
  #resources: ReadonlyMap<string, DiscoveredResource> = new Map();
  #queue!: WorkQueue;

  constructor(context: ControllerContext, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    this.#quotas = context.informers.informer(resourceQuotas);
    this.#definitions = context.informers.informer(customResourceDefinitions);
  }

  start(): void {
    this.#queue = startReconciler(
      this.#context,
      {
        name: 'resourcequota_primary',
        workers: WORKERS,
        informers: [this.#quotas, this.#definitions] as readonly Informer<KubernetesObject>[],
        reconcile: (key) => this.#reconcile(key),
      },
      this.#signal,
    );
    const add = (quota: ResourceQuota): void => this.#queue.add(objectKey(quota));
    this.#quotas.addHandler({
      onAdd: add,
      onUpdate: (quota, old) => {
        // Admission's own charges are right; only another limit asks for a count.
        if (!semanticallyEqual(quota.spec, old.spec)) add(quota);
      },
    });
    this.#definitions.addHandler({
      onAdd: (definition, initial) => (initial ? undefined : this.#redefined(definition)),
      onUpdate: (definition, old) => {
        const same = semanticallyEqual(definition.spec, old.spec) && isServed(definition) === isServed(old);
        if (!same) this.#redefined(definition);
      },
      onDelete: (definition) => this.#redefined(definition),
    });
  }

  /** A custom type has come, changed or gone: whatever counts it looks again. */
  #redefined({ spec }: CustomResourceDefinition): void {
    const id = `${spec.group}/${spec.names.plural}`;
    this.#resources = new Map();
    this.#counted.delete(id);
    this.#stops.get(id)?.abort(new Error(`${id} has changed`));
    this.#stops.delete(id);
    for (const quota of this.#quotas.list()) {
      const types = typesCounted(Object.keys(quota.spec?.hard ?? {}));
      if (types.some(({ group, resource }) => `${group}/${resource}` === id)) this.#queue.add(objectKey(quota));
    }
  }

  async #reconcile(key: string): Promise<ReconcileResult | undefined> {
    const quota = this.#quotas.get(key);
    if (quota === undefined) return undefined;
    const hard = quota.spec?.hard ?? {};
    const names = Object.keys(hard);
    const { namespace = '' } = quota.metadata!;
    const lists = await this.#lists(namespace, names);
    const used = await measureUsage(
      quota,
      names,
      (group, resource) => lists.get(`${group}/${resource}`) ?? [],
      this.#context.clock.now(),
    );
    const { status } = quota;
    const same =
      status?.hard !== undefined &&
      status.used !== undefined &&
      sameAmounts(amountsOf(status.hard), amountsOf(hard)) &&
      sameAmounts(amountsOf(status.used), used);
    if (!same) {
      try {
        await this.#context.client
          .resource(resourceQuotas)
          .updateStatus({ ...quota, status: { hard, used: toResourceList(used) } }, { signal: this.#signal });
      } catch (err) {
        if (!isNotFound(err)) throw err;
      }
    }
    return { requeueAfterMs: RESYNC_MS };
  }

  /** The objects of a namespace, of every type that has to be looked at for `names`. */
  async #lists(namespace: string, names: readonly string[]): Promise<ReadonlyMap<string, readonly KubernetesObject[]>> {
    const lists = new Map<string, readonly KubernetesObject[]>();
    for (const { group, resource } of typesCounted(names)) {
      const id = `${group}/${resource}`;
      const ref = await this.#resource(id);
      // A type that is not served has no objects.
      if (ref === undefined || !ref.namespaced) continue;
      const custom = this.#definitions.get(`${resource}.${group}`) !== undefined;
      if (!custom && isForeign(group)) {
        const { items } = await this.#context.client.resource(ref).list(namespace, { signal: this.#signal });
        lists.set(id, items);
        continue;
      }
      const informer = this.#watched(id, ref, custom);
      const stop = this.#stops.get(id);
      await informer.synced(stop === undefined ? this.#signal : AbortSignal.any([this.#signal, stop.signal]));
      lists.set(id, informer.list(namespace));
    }
    return lists;
  }

  async #resource(id: string): Promise<DiscoveredResource | undefined> {
    const known = this.#resources.get(id);
    if (known !== undefined) return known;
    const { resources } = await discoverResources(this.#context.client, this.#signal);
    this.#resources = new Map(resources.map((resource) => [`${resource.group}/${resource.plural}`, resource]));
    return this.#resources.get(id);
  }

  #watched(id: string, ref: DiscoveredResource, custom: boolean): Informer<KubernetesObject> {
    const known = this.#counted.get(id);
    if (known !== undefined) return known;
    // Built-in types stay, so one cache serves everybody; a custom type may go, and its watch with it.
    const factory = custom ? createInformerFactory(this.#context.client, this.#context) : this.#context.informers;
    const informer = factory.informer<KubernetesObject>(ref, { metadataOnly: custom });
    this.#counted.set(id, informer);
    const evaluator = quotaEvaluator(ref.group, ref.plural);
    const replenish = (object: KubernetesObject): void => {
      for (const quota of this.#quotas.list(object.metadata?.namespace)) {
        if (Object.keys(quota.spec?.hard ?? {}).some((name) => evaluator.counts(name))) this.#queue.add(objectKey(quota));
      }
    };
    informer.addHandler({
      onUpdate: (object, old) => {
        if (this.#quotas.list(object.metadata?.namespace).length === 0) return;
        const now = this.#context.clock.now();
        const freed = subtractToZero(evaluator.usage(old, now), evaluator.usage(object, now));
        for (const amount of freed.values()) {
          if (amount.isZero) continue;
          replenish(object);
          return;
        }
      },
      onDelete: replenish,
    });
    if (custom) {
      const stop = new AbortController();
      this.#stops.set(id, stop);
      factory.start(AbortSignal.any([this.#signal, stop.signal]));
    }
    return informer;
  }
}

const isServed = (definition: CustomResourceDefinition): boolean =>
  definition.status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True') === true;

/** Types of other servers may go unannounced, and a watch of them would not: they are listed instead. */
const isForeign = (group: string): boolean => group.includes('.') && !group.endsWith('.k8s.io');
