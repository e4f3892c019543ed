import { type KubernetesObject, objectKey } from '../../api/meta/object.ts';
import { isAlreadyExists, isNotFound } from '../../api/meta/status.ts';
import type { StatefulSet } from '../../api/types/apps-v1.ts';
import type { PersistentVolumeClaim, Pod } from '../../api/types/core-v1.ts';
import type { EventRecorder, Informer, WorkQueue } from '../../client/contract.ts';
import type { Controller, ControllerContext } from '../../client/controller.ts';
import { startReconciler } from '../../client/controller-runner.ts';
import { persistentVolumeClaims, pods, statefulSets } from '../../client/resource-refs.ts';
import type { ReconcileResult } from '../../client/work-queue.ts';
import { semanticallyEqual } from '../equality.ts';
import { selectorIsEmpty, selectorMatches } from '../label-selector.ts';
import { namespaceIsGoing } from '../service-account.ts';
import { Expectations } from '../workload/expectations.ts';
import { wakeUntilAvailable, watchOwnedPods } from '../workload/owned-pods.ts';
import { messageOf, slowStart } from '../workload/pod-control.ts';
import { type RevisedSetKind, RevisedSets } from '../workload/revised-set.ts';
import { ordinalOf, revisionOf, setRef } from './identity.ts';
import { planStatefulSet, type StatefulAction } from './plan.ts';

const WORKERS = 5;
const KIND: RevisedSetKind<StatefulSet> = { ref: statefulSets, hashLabel: 'controller.kubernetes.io/hash', refTo: setRef };

/** Keeps the pods of every StatefulSet, each with its name and its storage. */
export function statefulSetController(): Controller {
  return { name: 'statefulset-controller', start: (context, signal) => new StatefulShell(context, signal).start() };
}

class StatefulShell {
  readonly #context: ControllerContext;
  readonly #signal: AbortSignal;
  readonly #sets: Informer<StatefulSet>;
  readonly #members: RevisedSets<StatefulSet>;
  readonly #claims: Informer<PersistentVolumeClaim>;
  readonly #recorder: EventRecorder;
  readonly #expectations: Expectations;
  #queue!: WorkQueue;

  constructor(context: ControllerContext, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    this.#sets = context.informers.informer(statefulSets);
    this.#members = new RevisedSets(KIND, context, signal);
    this.#claims = context.informers.informer(persistentVolumeClaims);
    this.#recorder = context.recorder('statefulset-controller');
    this.#expectations = new Expectations(context.clock);
  }

  start(): void {
    const { pods: allPods, revisions } = this.#members;
    const informers = [this.#sets, allPods, this.#claims, revisions] as readonly Informer<KubernetesObject>[];
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
      pods: allPods,
      owners: this.#sets,
      kind: 'StatefulSet',
      expectations: this.#expectations,
      selects: (set, pod) => selectorMatches(set.spec?.selector, pod.metadata?.labels),
      wake: wakeUntilAvailable(
        () => this.#queue,
        (set) => set.spec?.minReadySeconds ?? 0,
      ),
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
    // Only pods named as its own are ever adopted.
    const owned = await this.#members.claimPods(set, (pod) => ordinalOf(set, pod) !== undefined);
    const history = await this.#members.revise(set);
    const { update, collisionCount, all } = history;
    const current = all.find((revision) => revision.metadata?.name === set.status?.currentRevision) ?? update;
    const { namespace } = set.metadata!;
    const plan = planStatefulSet(
      { set, current, update, collisionCount, pods: owned, claim: (name) => this.#claims.get(`${namespace}/${name}`) },
      this.#context.clock.now(),
    );
    if (mayAct) for (const pod of plan.recreated) this.#tellRecreation(set, pod);
    const failure = mayAct ? await this.#performAll(key, set, plan.actions) : undefined;
    if (!semanticallyEqual(plan.status, set.status)) {
      try {
        await this.#context.client.resource(statefulSets).updateStatus({ ...set, status: plan.status }, { signal: this.#signal });
      } catch (err) {
        if (!isNotFound(err)) throw err;
      }
    }
    if (failure !== undefined) throw failure;
    const used = new Set([current.metadata!.name!, update.metadata!.name!, ...owned.map(revisionOf)]);
    await this.#members.trim(set, all, ({ metadata }) => used.has(metadata!.name!));
    const seconds = set.spec?.minReadySeconds ?? 0;
    const waits = seconds > 0 && plan.status.availableReplicas !== plan.status.readyReplicas;
    return waits ? { requeueAfterMs: seconds * 1000 } : undefined;
  }

  #tellRecreation(set: StatefulSet, pod: Pod): void {
    const subject = `StatefulSet ${objectKey(set)} is recreating`;
    const name = pod.metadata?.name;
    if (pod.status?.phase === 'Failed') {
      this.#recorder.event(set, 'Warning', 'RecreatingFailedPod', `${subject} failed Pod ${name}`);
    } else this.#recorder.event(set, 'Normal', 'RecreatingTerminatedPod', `${subject} terminated Pod ${name}`);
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
