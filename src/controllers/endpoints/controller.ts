import { type KubernetesObject, objectKey, splitKey } from '../../api/meta/object.ts';
import { isNotFound } from '../../api/meta/status.ts';
import type { Endpoints, Pod, Service } from '../../api/types/core-v1.ts';
import type { EventRecorder, Informer } from '../../client/contract.ts';
import type { Controller, ControllerContext } from '../../client/controller.ts';
import { startReconciler } from '../../client/controller-runner.ts';
import { endpoints, pods, services } from '../../client/resource-refs.ts';
import { podsOfService, watchServicePods } from '../endpoint-slice/service-pods.ts';
import { TriggerTimes } from '../endpoint-slice/trigger-time.ts';
import { namespaceIsGoing } from '../service-account.ts';
import { type PacedQueue, pacedQueue } from '../workload/paced-queue.ts';
import { messageOf } from '../workload/pod-control.ts';
import { planEndpoints } from './plan.ts';

const WORKERS = 5;
const MAX_RETRIES = 15;
/** Endpoints that hold an election's record have no service, and must not be deleted. */
const LEADER = 'control-plane.alpha.kubernetes.io/leader';

/** Keeps the (legacy) Endpoints of every Service that has a selector. */
export function endpointsController(): Controller {
  return { name: 'endpoints-controller', start: (context, signal) => new EndpointsShell(context, signal).start() };
}

class EndpointsShell {
  readonly #context: ControllerContext;
  readonly #signal: AbortSignal;
  readonly #services: Informer<Service>;
  readonly #pods: Informer<Pod>;
  readonly #endpoints: Informer<Endpoints>;
  readonly #recorder: EventRecorder;
  readonly #times = new TriggerTimes();
  #queue!: PacedQueue;

  constructor(context: ControllerContext, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    this.#services = context.informers.informer(services);
    this.#pods = context.informers.informer(pods);
    this.#endpoints = context.informers.informer(endpoints);
    this.#recorder = context.recorder('endpoint-controller');
  }

  start(): void {
    const queue = startReconciler(
      this.#context,
      {
        name: 'endpoint',
        workers: WORKERS,
        informers: [this.#services, this.#pods, this.#endpoints] as readonly Informer<KubernetesObject>[],
        reconcile: (key) => this.#reconcile(key),
        maxRetries: MAX_RETRIES,
      },
      this.#signal,
    );
    this.#queue = pacedQueue(queue, this.#context.clock);
    const add = (key: string): void => this.#queue.add(key);
    watchServicePods(this.#services, this.#pods, add);
    this.#endpoints.addHandler({
      // What stands at the start may have lost its service while nobody watched.
      onAdd: (object, inInitialList) => {
        if (inInitialList && object.metadata?.annotations?.[LEADER] === undefined) add(objectKey(object));
      },
      onDelete: (object) => add(objectKey(object)),
    });
  }

  async #reconcile(key: string): Promise<void> {
    const service = this.#services.get(key);
    if (service === undefined) {
      await this.#deleteFor(key);
      return;
    }
    if (service.spec?.selector === undefined || service.spec.type === 'ExternalName') return;
    const selected = this.#queue.compute(key, () => podsOfService(service, this.#pods));
    const trigger = this.#times.next(key, service, selected);
    const current = this.#endpoints.get(key);
    const next = this.#queue.compute(key, () => planEndpoints(service, selected, current, trigger));
    if (next === undefined) return;
    const client = this.#context.client.resource(endpoints);
    const options = { signal: this.#signal };
    try {
      await (current === undefined ? client.create(next, options) : client.update(next, options));
    } catch (err) {
      if (this.#signal.aborted || (current === undefined && namespaceIsGoing(err))) return;
      if (current === undefined) {
        const message = `Failed to create endpoint for service ${key}: ${messageOf(err)}`;
        this.#recorder.event(next, 'Warning', 'FailedToCreateEndpoint', message);
      } else {
        const message = `Failed to update endpoint ${key}: ${messageOf(err)}`;
        this.#recorder.event(next, 'Warning', 'FailedToUpdateEndpoint', message);
      }
      throw err;
    }
  }

  async #deleteFor(key: string): Promise<void> {
    this.#times.forget(key);
    this.#queue.forget(key);
    if (this.#endpoints.get(key) === undefined) return;
    const { namespace, name } = splitKey(key);
    try {
      await this.#context.client.resource(endpoints).delete(name, namespace, { signal: this.#signal });
    } catch (err) {
      if (!isNotFound(err)) throw err;
    }
  }
}
