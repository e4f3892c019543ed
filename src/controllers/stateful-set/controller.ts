import { type KubernetesObject, objectKey } from '../../api/meta/object.ts';
import { isAlreadyExists, isNotFound } from '../../api/meta/status.ts';
import type { ControllerRevision, StatefulSet } from '../../api/types/apps-v1.ts';
import type { PersistentVolumeClaim, Pod } from '../../api/types/core-v1.ts';
import type { EventRecorder, Informer, WorkQueue } from '../../client/contract.ts';
import type { Controller, ControllerContext } from '../../client/controller.ts';
import { startReconciler } from '../../client/controller-runner.ts';
import { controllerRevisions, persistentVolumeClaims, pods, statefulSets } from '../../client/resource-refs.ts';
import type { ReconcileResult } from '../../client/work-queue.ts';
import { semanticallyEqual } from '../equality.ts';
import { selectorIsEmpty, selectorMatches } from '../label-selector.ts';
import { namespaceIsGoing } from '../service-account.ts';
import { claim } from '../workload/controller-ref.ts';
import { Expectations } from '../workload/expectations.ts';
import { watchOwnedPods } from '../workload/owned-pods.ts';
import { messageOf, slowStart } from '../workload/pod-control.ts';
import { isReady } from '../workload/pod-state.ts';
import { candidatesFor, indexByController } from '../workload/pods-of.ts';
import { deleteRevisions, excessRevisions, reviseHistory } from '../workload/revisions.ts';
import { ordinalOf, revisionOf, setRef } from './identity.ts';
import { planStatefulSet, type StatefulAction } from './plan.ts';

const WORKERS = 5;
const DEFAULT_HISTORY = 10;

/** Keeps the pods of every StatefulSet, each with its name and its storage. */
export function statefulSetController(): Controller {
  return { name: 'statefulset-controller', start: (context, signal) => new StatefulShell(context, signal).start() };
}

class StatefulShell {
  readonly #context: ControllerContext;
  readonly #signal: AbortSignal;
  readonly #sets: Informer<StatefulSet>;
  readonly #pods: Informer<Pod>;
  readonly #claims: Informer<PersistentVolumeClaim>;
  readonly #revisions: Informer<ControllerRevision>;
  readonly #recorder: EventRecorder;
  readonly #expectations: Expectations;
  #queue!: WorkQueue;

  constructor(context: ControllerContext, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    this.#sets = context.informers.informer(statefulSets);
    this.#pods = context.informers.informer(pods);
    this.#claims = context.informers.informer(persistentVolumeClaims);
    this.#revisions = context.informers.informer(controllerRevisions);
    this.#recorder = context.recorder('statefulset-controller');
    this.#expectations = new Expectations(context.clock);
  }

  start(): void {
    indexByController(this.#pods);
    indexByController(this.#revisions);
    const informers = [this.#sets, this.#pods, this.#claims, this.#revisions] as readonly Informer<KubernetesObject>[];
    this.#queue = startReconciler(
      this.#context,
      { name: 'statefulset', workers: WORKERS, informers, reconcile: (key) => this.#reconcile(key) },
      this.#signal,
    );
    const enqueue = (set: StatefulSet): void => this.#queue.add(objectKey(set));
    this.#sets.addHandler({
      onAdd: enqueue,
      onUpdate: enqueue,
      onDelete: (set) => {
        this.#expectations.forget(objectKey(set));
        enqueue(set);
      },
    });
    watchOwnedPods<StatefulSet>({
      pods: this.#pods,
      owners: this.#sets,
      kind: 'StatefulSet',
      expectations: this.#expectations,
      selects: (set, pod) => selectorMatches(set.spec?.selector, pod.metadata?.labels),
      wake: (set, pod, old) => {
        enqueue(set);
        const seconds = set.spec?.minReadySeconds ?? 0;
        if (seconds > 0 && isReady(pod) && old !== undefined && !isReady(old)) {
          this.#queue.addAfter(objectKey(set), (seconds + 1) * 1000);
        }
      },
    });
    // A claim that kept a pod from being made anew is gone.
    this.#claims.addHandler({
      onDelete: (gone) => {
        for (const set of this.#sets.list(gone.metadata?.namespace)) {
          const name = gone.metadata?.name ?? '';
          const ours = set.spec?.volumeClaimTemplates?.some(({ metadata }) =>
            name.startsWith(`${metadata!.name}-${set.metadata!.name}-`),
          );
          if (ours === true) enqueue(set);
        }
      },
    });
  }

  async #reconcile(key: string): Promise<ReconcileResult | undefined> {
    const set = this.#sets.get(key);
    if (set === undefined) {
      this.#expectations.forget(key);
      return undefined;
    }
    // It would select every pod; validation forbids it.
    if (selectorIsEmpty(set.spec?.selector)) return undefined;
    const mayAct = this.#expectations.satisfied(key);
    const owned = await this.#claimPods(set);
    const history = await this.#history(set);
    const { update, collisionCount, all } = history;
    const current = all.find((revision) => revision.metadata?.name === set.status?.currentRevision) ?? update;
    const { namespace } = set.metadata!;
    const plan = planStatefulSet(
      { set, current, update, collisionCount, pods: owned, claim: (name) => this.#claims.get(`${namespace}/${name}`) },
      this.#context.clock.now(),
    );
    const failure = mayAct ? await this.#performAll(key, set, plan.actions) : undefined;
    if (!semanticallyEqual(plan.status, set.status)) {
      try {
        await this.#context.client.resource(statefulSets).updateStatus({ ...set, status: plan.status }, { signal: this.#signal });
      } catch (err) {
        if (!isNotFound(err)) throw err;
      }
    }
    if (failure !== undefined) throw failure;
    await this.#trimHistory(set, all, [current, update], owned);
    const seconds = set.spec?.minReadySeconds ?? 0;
    const waits = seconds > 0 && plan.status.availableReplicas !== plan.status.readyReplicas;
    return waits ? { requeueAfterMs: seconds * 1000 } : undefined;
  }

  async #claimPods(set: StatefulSet): Promise<readonly Pod[]> {
    const { client } = this.#context;
    const { name = '', namespace = '' } = set.metadata ?? {};
    return await claim<Pod>({
      owner: set,
      ownerRef: setRef(set),
      // Only pods named as its own are ever adopted.
      candidates: candidatesFor(this.#pods, set).filter((pod) => ordinalOf(set, pod) !== undefined),
      matches: (pod) => selectorMatches(set.spec?.selector, pod.metadata?.labels),
      client: client.resource(pods),
      freshOwner: () => client.resource(statefulSets).get(name, namespace, { signal: this.#signal }),
    });
  }

  async #history(set: StatefulSet): ReturnType<typeof reviseHistory> {
    const { client } = this.#context;
    const { name = '', namespace = '' } = set.metadata ?? {};
    return await reviseHistory(
      {
        object: set,
        ref: setRef(set),
        selector: set.spec?.selector,
        template: set.spec!.template,
        collisionCount: set.status?.collisionCount ?? 0,
        hashLabel: 'controller.kubernetes.io/hash',
        freshOwner: () => client.resource(statefulSets).get(name, namespace, { signal: this.#signal }),
      },
      this.#revisions,
      client.resource(controllerRevisions),
      this.#signal,
    );
  }

  async #trimHistory(
    set: StatefulSet,
    all: readonly ControllerRevision[],
    live: readonly ControllerRevision[],
    owned: readonly Pod[],
  ): Promise<void> {
    const used = new Set([...live.map(({ metadata }) => metadata!.name!), ...owned.map(revisionOf)]);
    const limit = set.spec?.revisionHistoryLimit ?? DEFAULT_HISTORY;
    const excess = excessRevisions(all, ({ metadata }) => used.has(metadata!.name!), limit);
    await deleteRevisions(excess, this.#context.client.resource(controllerRevisions), this.#signal);
  }

  /** Performs a plan; gives the first failure. What is created is created in batches that grow. */
  async #performAll(key: string, set: StatefulSet, actions: readonly StatefulAction[]): Promise<unknown> {
    const creations = actions.filter((action) => action.type === 'create');
    const deletions = actions.filter((action) => action.type === 'delete');
    if (creations.length > 0 || deletions.length > 0) {
      this.#expectations.expect(
        key,
        creations.length,
        deletions.map(({ pod }) => objectKey(pod)),
      );
    }
    const result = await slowStart(creations.length, async (i) => {
      try {
        await this.#perform(set, creations[i]!);
      } catch (err) {
        this.#expectations.creationObserved(key);
        throw err;
      }
    });
    for (let i = 0; i < result.skipped; i++) this.#expectations.creationObserved(key);
    let failure = result.error;
    for (const action of actions) {
      if (action.type === 'create') continue;
      try {
        if (failure === undefined) await this.#perform(set, action);
        else if (action.type === 'delete') this.#expectations.deletionObserved(key, objectKey(action.pod));
      } catch (err) {
        failure = err;
        if (action.type === 'delete') this.#expectations.deletionObserved(key, objectKey(action.pod));
      }
    }
    return namespaceIsGoing(failure) ? undefined : failure;
  }

  async #perform(set: StatefulSet, action: StatefulAction): Promise<void> {
    const options = { signal: this.#signal };
    const client = this.#context.client.resource(pods);
    switch (action.type) {
      case 'create':
        await this.#createClaims(set, action.pod, action.claims);
        await this.#told(set, 'create', action.pod, async () => {
          try {
            await client.create(action.pod, options);
          } catch (err) {
            // It is there, and the informer will show it.
            if (!isAlreadyExists(err)) throw err;
            this.#expectations.creationObserved(objectKey(set));
          }
        });
        return;
      case 'claims':
        await this.#createClaims(set, action.pod, action.claims);
        return;
      case 'update':
        await this.#told(set, 'update', action.pod, async () => void (await client.update(action.pod, options)));
        return;
      case 'own-claim':
        await this.#context.client
          .resource(persistentVolumeClaims)
          .update({ ...action.claim, metadata: { ...action.claim.metadata, ownerReferences: action.ownerReferences } }, options);
        return;
      case 'delete':
        await this.#told(set, 'delete', action.pod, async () => {
          const { name = '', namespace = '', uid } = action.pod.metadata ?? {};
          try {
            await client.delete(name, namespace, { preconditions: { uid: uid! }, ...options });
          } catch (err) {
            if (!isNotFound(err)) throw err;
          }
        });
    }
  }

  async #createClaims(set: StatefulSet, pod: Pod, claims: readonly PersistentVolumeClaim[]): Promise<void> {
    const client = this.#context.client.resource(persistentVolumeClaims);
    const setName = set.metadata!.name;
    const podName = pod.metadata!.name;
    for (const wanted of claims) {
      const name = wanted.metadata!.name!;
      const there = this.#claims.get(objectKey(wanted));
      if (there?.metadata?.deletionTimestamp !== undefined) throw new Error(`pvc ${name} is being deleted`);
      if (there !== undefined) continue;
      try {
        await client.create(wanted, { signal: this.#signal });
        const message = `create Claim ${name} Pod ${podName} in StatefulSet ${setName} success`;
        this.#recorder.event(set, 'Normal', 'SuccessfulCreate', message);
      } catch (err) {
        if (isAlreadyExists(err)) continue;
        const message = `create Claim ${name} for Pod ${podName} in StatefulSet ${setName} failed error: ${messageOf(err)}`;
        this.#recorder.event(set, 'Warning', 'FailedCreate', message);
        throw err;
      }
    }
  }

  async #told(set: StatefulSet, verb: 'create' | 'update' | 'delete', pod: Pod, act: () => Promise<void>): Promise<void> {
    const subject = `${verb} Pod ${pod.metadata?.name} in StatefulSet ${set.metadata?.name}`;
    const reason = { create: 'Create', update: 'Update', delete: 'Delete' }[verb];
    try {
      await act();
    } catch (err) {
      this.#recorder.event(set, 'Warning', `Failed${reason}`, `${subject} failed error: ${messageOf(err)}`);
      throw err;
    }
    this.#recorder.event(set, 'Normal', `Successful${reason}`, `${subject} successful`);
  }
}
