import { type KubernetesObject, objectKey } from '../api/meta/object.ts';
import { isNotFound } from '../api/meta/status.ts';
import type { ReplicaSet, ReplicaSetStatus } from '../api/types/apps-v1.ts';
import type { Pod, ReplicationController } from '../api/types/core-v1.ts';
import type { Informer, ResourceRef } from '../client/contract.ts';
import type { Controller, ControllerContext } from '../client/controller.ts';
import { startReconciler } from '../client/controller-runner.ts';
import { pods, replicaSets, replicationControllers } from '../client/resource-refs.ts';
import type { ReconcileResult } from '../client/work-queue.ts';
import { semanticallyEqual } from './equality.ts';
import { selectorMatches } from './label-selector.ts';
import { claim, controllerOf, controllerRef } from './workload/controller-ref.ts';
import { Expectations } from './workload/expectations.ts';
import { wakeUntilAvailable, watchOwnedPods } from './workload/owned-pods.ts';
import { type PacedQueue, pacedQueue } from './workload/paced-queue.ts';
import { createPods, deletePods, messageOf, PodControl, podFromTemplate, podKeys } from './workload/pod-control.ts';
import { isActive, isTerminating } from './workload/pod-state.ts';
import { candidatesFor, controlledBy, indexByController } from './workload/pods-of.ts';
import { planReplicas, type Replicated, replicaStatus } from './workload/replica-plan.ts';

const WORKERS = 5;

/** A type that keeps a number of pods running, as the engine needs to know it. */
interface ReplicaKind<T extends KubernetesObject> {
  readonly ref: ResourceRef<T>;
  readonly apiVersion: string;
  readonly kind: string;
  readonly controller: string;
  readonly component: string;
  readonly queue: string;
  readonly countsTerminating: boolean;
  spec(object: T): Replicated;
  status(object: T): ReplicaSetStatus | undefined;
  withStatus(object: T, status: ReplicaSetStatus): T;
}

const replicaSetKind: ReplicaKind<ReplicaSet> = {
  ref: replicaSets,
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  controller: 'replicaset-controller',
  component: 'replicaset-controller',
  queue: 'replicaset',
  countsTerminating: true,
  spec: ({ spec }) => ({
    replicas: spec?.replicas ?? 1,
    minReadySeconds: spec?.minReadySeconds ?? 0,
    selector: spec?.selector,
    template: spec?.template,
  }),
  status: (set) => set.status,
  withStatus: (set, status) => ({ ...set, status }),
};

const replicationControllerKind: ReplicaKind<ReplicationController> = {
  ref: replicationControllers,
  apiVersion: 'v1',
  kind: 'ReplicationController',
  controller: 'replicationcontroller-controller',
  component: 'replication-controller',
  queue: 'replicationmanager',
  countsTerminating: false,
  spec: ({ spec }) => ({
    replicas: spec?.replicas ?? 1,
    minReadySeconds: spec?.minReadySeconds ?? 0,
    selector: { matchLabels: spec?.selector ?? {} },
    template: spec?.template,
  }),
  status: (set) => set.status,
  withStatus: (set, status) => ({ ...set, status }),
};

/** Keeps the wanted number of pods of every ReplicaSet. */
export const replicaSetController = (): Controller => replicaController(replicaSetKind);

/** The same for ReplicationControllers. */
export const replicationControllerController = (): Controller => replicaController(replicationControllerKind);

function replicaController<T extends KubernetesObject>(kind: ReplicaKind<T>): Controller {
  return { name: kind.controller, start: (context, signal) => new ReplicaEngine(kind, context, signal).start() };
}

class ReplicaEngine<T extends KubernetesObject> {
  readonly #kind: ReplicaKind<T>;
  readonly #context: ControllerContext;
  readonly #signal: AbortSignal;
  readonly #sets: Informer<T>;
  readonly #pods: Informer<Pod>;
  readonly #control: PodControl;
  readonly #expectations: Expectations;
  #queue!: PacedQueue;

  constructor(kind: ReplicaKind<T>, context: ControllerContext, signal: AbortSignal) {
    this.#kind = kind;
    this.#context = context;
    this.#signal = signal;
    this.#sets = context.informers.informer(kind.ref);
    this.#pods = context.informers.informer(pods);
    this.#control = new PodControl(context.client, context.recorder(kind.component));
    this.#expectations = new Expectations(context.clock);
  }

  start(): void {
    indexByController(this.#pods);
    indexByController(this.#sets);
    const queue = startReconciler(
      this.#context,
      {
        name: this.#kind.queue,
        workers: WORKERS,
        informers: [this.#sets as Informer<KubernetesObject>, this.#pods as Informer<KubernetesObject>],
        reconcile: (key) => this.#reconcile(key),
      },
      this.#signal,
    );
    this.#queue = pacedQueue(queue, this.#context.clock);
    this.#sets.addHandler({
      onAdd: (set) => this.#queue.add(objectKey(set)),
      onUpdate: (set) => this.#queue.add(objectKey(set)),
      onDelete: (set) => {
        this.#expectations.forget(objectKey(set));
        this.#queue.add(objectKey(set));
      },
    });
    watchOwnedPods<T>({
      pods: this.#pods,
      owners: this.#sets,
      kind: this.#kind.kind,
      expectations: this.#expectations,
      selects: (set, pod) => selectorMatches(this.#kind.spec(set).selector, pod.metadata?.labels),
      wake: wakeUntilAvailable(
        () => this.#queue,
        (set) => this.#kind.spec(set).minReadySeconds,
      ),
    });
  }

  async #reconcile(key: string): Promise<ReconcileResult | undefined> {
    const set = this.#sets.get(key);
    if (set === undefined) {
      this.#expectations.forget(key);
      return undefined;
    }
    const { clock } = this.#context;
    const spec = this.#kind.spec(set);
    // Asked before the pods are looked at: what has been observed by now is in what is looked at next.
    const mayAct = this.#expectations.satisfied(key);
    const candidates = this.#queue.compute(key, () =>
      candidatesFor(this.#pods, set).filter((pod) => isActive(pod) || isTerminating(pod)),
    );
    const claimed = await this.#queue.compute(key, () => this.#claim(set, spec, candidates));
    const active = claimed.filter(isActive);
    const failure =
      mayAct && set.metadata?.deletionTimestamp === undefined ? await this.#manage(key, set, spec, active) : undefined;
    const status = this.#queue.compute(key, () =>
      replicaStatus(
        {
          spec,
          generation: set.metadata?.generation ?? 0,
          status: this.#kind.status(set),
          active,
          terminating: this.#kind.countsTerminating ? claimed.length - active.length : undefined,
          failure: failure === undefined ? undefined : messageOf(failure),
        },
        clock.now(),
      ),
    );
    if (status !== this.#kind.status(set) && !semanticallyEqual(status, this.#kind.status(set))) {
      try {
        await this.#context.client
          .resource(this.#kind.ref)
          .updateStatus(this.#kind.withStatus(set, status), { signal: this.#signal });
      } catch (err) {
        if (!isNotFound(err)) throw err;
      }
    }
    if (failure !== undefined) throw failure;
    const waits =
      spec.minReadySeconds > 0 && status.readyReplicas === spec.replicas && status.availableReplicas !== spec.replicas;
    return waits ? { requeueAfterMs: spec.minReadySeconds * 1000 } : undefined;
  }

  async #claim(set: T, spec: Replicated, candidates: readonly Pod[]): Promise<readonly Pod[]> {
    const { client } = this.#context;
    const { name = '', namespace = '' } = set.metadata ?? {};
    return await claim<Pod>({
      owner: set,
      ownerRef: controllerRef(set, this.#kind.apiVersion, this.#kind.kind),
      candidates,
      matches: (pod) => selectorMatches(spec.selector, pod.metadata?.labels),
      client: client.resource(pods),
      freshOwner: () => client.resource(this.#kind.ref).get(name, namespace, { signal: this.#signal }),
    });
  }

  /** Creates or deletes towards the wanted number; gives the first failure. */
  async #manage(key: string, set: T, spec: Replicated, active: readonly Pod[]): Promise<unknown> {
    const plan = planReplicas(spec, active, () => this.#related(set, active), this.#context.clock.now());
    const owner = { object: set, key, expectations: this.#expectations };
    switch (plan.action) {
      case 'none':
        return undefined;
      case 'create': {
        this.#expectations.expectCreations(key, plan.count);
        const ownerRef = controllerRef(set, this.#kind.apiVersion, this.#kind.kind);
        const pod = podFromTemplate(spec.template ?? {}, set, ownerRef);
        return await createPods(this.#control, owner, plan.count, () => pod, this.#signal);
      }
      case 'delete':
        this.#expectations.expectDeletions(key, podKeys(plan.pods));
        return await deletePods(this.#control, owner, plan.pods, this.#signal);
    }
  }

  /** The active pods of every set under the same owner (the sets of one Deployment). */
  #related(set: T, active: readonly Pod[]): readonly Pod[] {
    const uid = controllerOf(set)?.uid;
    if (uid === undefined) return active;
    return controlledBy(this.#sets, uid).flatMap((other) => controlledBy(this.#pods, other.metadata?.uid ?? '').filter(isActive));
  }
}
