import { type KubernetesObject, objectKey } from '../../api/meta/object.ts';
import { isNotFound } from '../../api/meta/status.ts';
import type { Node, Pod, Service } from '../../api/types/core-v1.ts';
import type { EndpointSlice } from '../../api/types/discovery-v1.ts';
import type { EventRecorder, Informer, ResourceClient, WorkQueue } from '../../client/contract.ts';
import type { Controller, ControllerContext } from '../../client/controller.ts';
import { startReconciler } from '../../client/controller-runner.ts';
import { endpointSlices, nodes, pods, services } from '../../client/resource-refs.ts';
import { namespaceIsGoing } from '../service-account.ts';
import { type PacedQueue, pacedQueue } from '../workload/paced-queue.ts';
import { messageOf } from '../workload/pod-control.ts';
import { HintedServices } from './hinted-services.ts';
import { CONTROLLER_NAME, MANAGED_BY, planEndpointSlices, SERVICE_NAME, type SlicePlan } from './plan.ts';
import { podsOfService, watchServicePods } from './service-pods.ts';
import { SliceTracker } from './slice-tracker.ts';
import { wantsTopologyHints } from './topology.ts';
import { TriggerTimes, withTriggerTime } from './trigger-time.ts';

const WORKERS = 5;
const MAX_RETRIES = 15;
const BY_SERVICE = 'endpoint-slice-service';
/** Changes of nodes come in crowds: services that hang on them are looked at a while after the first. */
const REVIEW_AFTER_MS = 1_000;

/** Keeps the EndpointSlices of every Service that has a selector. */
export function endpointSliceController(): Controller {
  return { name: 'endpointslice-controller', start: (context, signal) => new SliceShell(context, signal).start() };
}

/** Files slices by the key of the service (or Endpoints) they belong to and who manages them. */
export function indexSlices(slices: Informer<EndpointSlice>): void {
  slices.addIndex(BY_SERVICE, (slice) => [`${ownerKey(slice)} ${slice.metadata?.labels?.[MANAGED_BY] ?? ''}`]);
}

export function slicesOf(slices: Informer<EndpointSlice>, key: string, manager: string): readonly EndpointSlice[] {
  return slices.byIndex(BY_SERVICE, `${key} ${manager}`);
}

/** The key of the service that a slice names. */
export const ownerKey = (slice: EndpointSlice): string =>
  `${slice.metadata?.namespace}/${slice.metadata?.labels?.[SERVICE_NAME] ?? ''}`;

class SliceShell {
  readonly #context: ControllerContext;
  readonly #signal: AbortSignal;
  readonly #services: Informer<Service>;
  readonly #pods: Informer<Pod>;
  readonly #nodes: Informer<Node>;
  readonly #slices: Informer<EndpointSlice>;
  readonly #client: ResourceClient<EndpointSlice>;
  readonly #recorder: EventRecorder;
  readonly #tracker = new SliceTracker();
  readonly #times = new TriggerTimes();
  /** Services that could not be looked at because our own writes had not been seen. */
  readonly #waiting = new Set<string>();
  readonly #hinted: HintedServices;
  #queue!: PacedQueue;
  #review!: WorkQueue;

  constructor(context: ControllerContext, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    this.#services = context.informers.informer(services);
    this.#pods = context.informers.informer(pods);
    this.#nodes = context.informers.informer(nodes);
    this.#slices = context.informers.informer(endpointSlices);
    this.#client = context.client.resource(endpointSlices);
    this.#recorder = context.recorder('endpoint-slice-controller');
    this.#hinted = new HintedServices(this.#nodes, () => this.#review.addAfter('', REVIEW_AFTER_MS));
  }

  start(): void {
    indexSlices(this.#slices);
    const queue = startReconciler(
      this.#context,
      {
        name: 'endpoint_slice',
        workers: WORKERS,
        informers: [this.#services, this.#pods, this.#nodes, this.#slices] as readonly Informer<KubernetesObject>[],
        reconcile: (key) => this.#reconcile(key),
        maxRetries: MAX_RETRIES,
      },
      this.#signal,
    );
    this.#queue = pacedQueue(queue, this.#context.clock);
    const add = (key: string): void => this.#queue.add(key);
    this.#review = startReconciler(
      this.#context,
      {
        name: 'endpoint_slice_topology',
        workers: 1,
        informers: [this.#nodes] as never,
        reconcile: async () => this.#hinted.toReview().forEach(add),
      },
      this.#signal,
    );
    watchServicePods(this.#services, this.#pods, add);
    this.#slices.addHandler({
      onAdd: (slice) => this.#sliceSeen(slice, false),
      onUpdate: (slice, old) => {
        this.#sliceSeen(slice, false);
        if (!isOurs(slice) && isOurs(old)) add(ownerKey(old));
      },
      onDelete: (slice) => this.#sliceSeen(slice, true),
    });
  }

  #sliceSeen(slice: EndpointSlice, gone: boolean): void {
    if (!isOurs(slice)) return;
    const key = ownerKey(slice);
    const news = this.#tracker.observed(key, slice, gone);
    if (news || (this.#tracker.upToDate(key) && this.#waiting.delete(key))) this.#queue.add(key);
  }

  async #reconcile(key: string): Promise<void> {
    const service = this.#services.get(key);
    if (service === undefined) {
      this.#tracker.forget(key);
      this.#times.forget(key);
      this.#waiting.delete(key);
      this.#hinted.forget(key);
      this.#queue.forget(key);
      return;
    }
    // Without a selector its endpoints are somebody else's business.
    if (service.spec?.selector === undefined || service.spec.type === 'ExternalName') return;
    if (!this.#tracker.upToDate(key)) {
      this.#waiting.add(key);
      return;
    }
    const selected = this.#queue.compute(key, () => podsOfService(service, this.#pods));
    const wantsHints = wantsTopologyHints(service);
    const plan = this.#queue.compute(key, () =>
      planEndpointSlices({
        service,
        pods: selected,
        slices: slicesOf(this.#slices, key, CONTROLLER_NAME),
        node: (name) => this.#nodes.get(name),
        zones: wantsHints ? this.#hinted.ratios : undefined,
        hinted: this.#hinted.has(key),
      }),
    );
    if (wantsHints) this.#hinted.got(key, plan.zoneCounts);
    else this.#hinted.forget(key);
    for (const { type, reason, message } of plan.events) this.#recorder.event(service, type, reason, message);
    const trigger = this.#queue.compute(key, () => this.#times.next(key, service, selected));
    try {
      await this.#perform(key, plan, trigger);
      if (plan.problems.length > 0) throw new Error(plan.problems.join(', '));
    } catch (err) {
      if (this.#signal.aborted) throw err;
      const message = `Error updating Endpoint Slices for Service ${key}: ${messageOf(err)}`;
      this.#recorder.event(service, 'Warning', 'FailedToUpdateEndpointSlices', message);
      throw err;
    }
  }

  async #perform(key: string, plan: SlicePlan, trigger: number | undefined): Promise<void> {
    const options = { signal: this.#signal };
    const stamped = (slice: EndpointSlice): EndpointSlice => ({ ...slice, metadata: withTriggerTime(slice.metadata, trigger) });
    const seen = (slice: KubernetesObject): EndpointSlice | undefined => this.#slices.get(objectKey(slice));
    for (const slice of plan.create) {
      try {
        const made = await this.#client.create(stamped(slice), options);
        this.#tracker.wrote(key, made, seen(made));
      } catch (err) {
        if (namespaceIsGoing(err)) return;
        throw err;
      }
    }
    for (const slice of plan.update) {
      const made = await this.#client.update(stamped(slice), options);
      this.#tracker.wrote(key, made, seen(made));
    }
    for (const slice of plan.delete) {
      const { name = '', namespace = '' } = slice.metadata ?? {};
      try {
        await this.#client.delete(name, namespace, options);
        this.#tracker.deleted(key, name, seen(slice));
      } catch (err) {
        if (!isNotFound(err)) throw err;
      }
    }
  }
}

const isOurs = (slice: EndpointSlice): boolean => slice.metadata?.labels?.[MANAGED_BY] === CONTROLLER_NAME;
