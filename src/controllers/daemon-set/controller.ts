import { type KubernetesObject, type OwnerReference, objectKey } from '../../api/meta/object.ts';
import { isNotFound } from '../../api/meta/status.ts';
import type { DaemonSet } from '../../api/types/apps-v1.ts';
import type { Node, Pod } from '../../api/types/core-v1.ts';
import type { EventRecorder, Informer } from '../../client/contract.ts';
import type { Controller, ControllerContext } from '../../client/controller.ts';
import { startReconciler } from '../../client/controller-runner.ts';
import { daemonSets, nodes } from '../../client/resource-refs.ts';
import type { ReconcileResult } from '../../client/work-queue.ts';
import { backoffDelay } from '../../util/backoff.ts';
import { semanticallyEqual } from '../equality.ts';
import { selectorIsEmpty, selectorMatches } from '../label-selector.ts';
import { controllerRef } from '../workload/controller-ref.ts';
import { Expectations } from '../workload/expectations.ts';
import { wakeUntilAvailable, watchOwnedPods } from '../workload/owned-pods.ts';
import { type PacedQueue, pacedQueue } from '../workload/paced-queue.ts';
import { createPods, deletePods, PodControl, podFromTemplate, podKeys } from '../workload/pod-control.ts';
import { type RevisedSetKind, RevisedSets } from '../workload/revised-set.ts';
import { REVISION_HASH } from '../workload/revisions.ts';
import { pinnedTo, withDaemonTolerations } from './placement.ts';
import { type DaemonPlan, daemonStatus, placementFor, planDaemonSet, TEMPLATE_GENERATION } from './plan.ts';

const WORKERS = 2;
const TEMPLATE_GENERATION_ANNOTATION = 'deprecated.daemonset.template.generation';
/** How long a failed pod of a node is left alone before it is replaced, milliseconds. */
const FAILED_POD_BACKOFF = { initial: 1_000, max: 15 * 60_000 };

/** Runs a pod of every DaemonSet on each node that it is for. */
export function daemonSetController(): Controller {
  return { name: 'daemonset-controller', start: (context, signal) => new DaemonShell(context, signal).start() };
}

/** When a node's pods of a set failed, and how often in a row. */
interface Failures {
  count: number;
  at: number;
}

class DaemonShell {
  readonly #context: ControllerContext;
  readonly #signal: AbortSignal;
  readonly #sets: Informer<DaemonSet>;
  readonly #members: RevisedSets<DaemonSet>;
  readonly #nodes: Informer<Node>;
  readonly #recorder: EventRecorder;
  readonly #control: PodControl;
  readonly #expectations: Expectations;
  /** By set, generation and node. */
  readonly #failures = new Map<string, Map<string, Failures>>();
  #queue!: PacedQueue;

  constructor(context: ControllerContext, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    this.#sets = context.informers.informer(daemonSets);
    this.#members = new RevisedSets(KIND, context, signal);
    this.#nodes = context.informers.informer(nodes);
    this.#recorder = context.recorder('daemonset-controller');
    this.#control = new PodControl(context.client, this.#recorder);
    this.#expectations = new Expectations(context.clock);
  }

  start(): void {
    const { pods: allPods, revisions } = this.#members;
    const informers = [this.#sets, allPods, this.#nodes, revisions] as readonly Informer<KubernetesObject>[];
    const queue = startReconciler(
      this.#context,
      { name: 'daemonset', workers: WORKERS, informers, reconcile: (key) => this.#reconcile(key) },
      this.#signal,
    );
    this.#queue = pacedQueue(queue, this.#context.clock);
    const enqueue = (set: DaemonSet): void => this.#queue.add(objectKey(set));
    this.#sets.addHandler({
      onAdd: enqueue,
      onUpdate: enqueue,
      onDelete: (set) => {
        this.#expectations.forget(objectKey(set));
        this.#failures.delete(set.metadata!.uid!);
        enqueue(set);
      },
    });
    watchOwnedPods<DaemonSet>({
      pods: allPods,
      owners: this.#sets,
      kind: 'DaemonSet',
      expectations: this.#expectations,
      selects: (set, pod) => selectorMatches(set.spec?.selector, pod.metadata?.labels),
      wake: wakeUntilAvailable(
        () => this.#queue,
        (set) => set.spec?.minReadySeconds ?? 0,
      ),
    });
    this.#nodes.addHandler({
      onAdd: (node) => {
        for (const set of this.#sets.list()) if (placementFor(set)(node).shouldRun) enqueue(set);
      },
      onUpdate: (node, old) => this.#nodeChanged(node, old),
      onDelete: (node) => {
        for (const set of this.#sets.list()) if (placementFor(set)(node).shouldRun) enqueue(set);
      },
    });
  }

  /** Most updates of nodes are heartbeats: only labels and taints decide who runs there. */
  #nodeChanged(node: Node, old: Node): void {
    const same =
      semanticallyEqual(node.metadata?.labels, old.metadata?.labels) && semanticallyEqual(node.spec?.taints, old.spec?.taints);
    if (same) return;
    for (const set of this.#sets.list()) {
      const placement = placementFor(set);
      const [before, after] = [placement(old), placement(node)];
      if (before.shouldRun !== after.shouldRun || before.mayStay !== after.mayStay) this.#queue.add(objectKey(set));
    }
  }

  async #reconcile(key: string): Promise<ReconcileResult | undefined> {
    const set = this.#sets.get(key);
    if (set === undefined) {
      this.#expectations.forget(key);
      return undefined;
    }
    if (selectorIsEmpty(set.spec?.selector)) {
      const message = 'This daemon set is selecting all pods. A non-empty selector is required.';
      this.#recorder.event(set, 'Warning', 'SelectingAll', message);
      return undefined;
    }
    if (set.metadata?.deletionTimestamp !== undefined) return undefined;
    const mayAct = this.#expectations.satisfied(key);
    const owned = await this.#queue.compute(key, () => this.#members.claimPods(set));
    const history = await this.#members.revise(set);
    const { collisionCount } = history;
    const hash = history.update.metadata?.labels?.[REVISION_HASH] ?? '';
    const now = this.#context.clock.now();
    const observed = {
      set,
      hash,
      collisionCount,
      nodes: this.#nodes.list(),
      pods: owned,
      failedPodWait: (node: string) => this.#failedPodWait(set, node),
    };
    let plan: DaemonPlan | undefined;
    let failure: unknown;
    if (mayAct) {
      plan = this.#queue.compute(key, () => planDaemonSet(observed, now));
      failure = await this.#perform(key, set, hash, plan);
    }
    const generation = mayAct ? (set.metadata?.generation ?? 0) : (set.status?.observedGeneration ?? 0);
    const status = this.#queue.compute(key, () => daemonStatus(observed, generation, now));
    if (!semanticallyEqual(status, set.status)) {
      try {
        await this.#context.client.resource(daemonSets).updateStatus({ ...set, status }, { signal: this.#signal });
      } catch (err) {
        if (!isNotFound(err)) throw err;
      }
    }
    if (failure !== undefined) throw failure;
    const used = new Set(owned.map((pod) => pod.metadata?.labels?.[REVISION_HASH]));
    await this.#members.trim(
      set,
      history.all,
      ({ metadata }) => metadata?.name === history.update.metadata?.name || used.has(metadata?.labels?.[REVISION_HASH]),
    );
    const seconds = set.spec?.minReadySeconds ?? 0;
    const unripe = seconds > 0 && status.numberReady !== status.numberAvailable ? seconds * 1000 : undefined;
    const waits = [plan?.requeueAfterMs, unripe].filter((ms) => ms !== undefined);
    return waits.length === 0 ? undefined : { requeueAfterMs: Math.min(...waits) };
  }

  #failedPodWait(set: DaemonSet, node: string): number {
    const { uid = '', generation = 0 } = set.metadata ?? {};
    let byNode = this.#failures.get(uid);
    if (byNode === undefined) {
      byNode = new Map();
      this.#failures.set(uid, byNode);
    }
    const now = this.#context.clock.monotonic();
    const id = `${generation} ${node}`;
    const failures = byNode.get(id);
    if (failures === undefined) {
      byNode.set(id, { count: 1, at: now });
      return 0;
    }
    const delay = backoffDelay(FAILED_POD_BACKOFF, failures.count);
    const left = failures.at + delay - now;
    if (left > 0) return left;
    // Long without a failure: begin anew.
    failures.count = now - failures.at > 2 * FAILED_POD_BACKOFF.max ? 1 : failures.count + 1;
    failures.at = now;
    return 0;
  }

  async #perform(key: string, set: DaemonSet, hash: string, plan: DaemonPlan): Promise<unknown> {
    for (const { pod, node } of plan.failed) {
      const message = `Found failed daemon pod ${objectKey(pod)} on node ${node}, will try to kill it`;
      this.#recorder.event(set, 'Warning', 'FailedDaemonPod', message);
    }
    for (const { pod, node } of plan.succeeded) {
      const message = `Found succeeded daemon pod ${objectKey(pod)} on node ${node}, will try to delete it`;
      this.#recorder.event(set, 'Normal', 'SucceededDaemonPod', message);
    }
    if (plan.create.length === 0 && plan.delete.length === 0) return undefined;
    this.#expectations.expect(key, plan.create.length, podKeys(plan.delete));
    const owner = { object: set, key, expectations: this.#expectations };
    const podAt = (i: number): Pod => podFor(set, plan.create[i]!, hash);
    const created = await createPods(this.#control, owner, plan.create.length, podAt, this.#signal);
    const deleted = await deletePods(this.#control, owner, plan.delete, this.#signal);
    return created ?? deleted;
  }
}

const refTo = (set: DaemonSet): OwnerReference => controllerRef(set, 'apps/v1', 'DaemonSet');

const KIND: RevisedSetKind<DaemonSet> = { ref: daemonSets, hashLabel: REVISION_HASH, refTo };

/** The pod for one node: it puts up with what daemons put up with, and goes nowhere else. */
function podFor(set: DaemonSet, node: string, hash: string): Pod {
  const pod = podFromTemplate(set.spec!.template, set, refTo(set));
  const generation = set.metadata?.annotations?.[TEMPLATE_GENERATION_ANNOTATION];
  const labels = {
    ...pod.metadata?.labels,
    ...(generation === undefined ? {} : { [TEMPLATE_GENERATION]: generation }),
    [REVISION_HASH]: hash,
  };
  const spec = pod.spec ?? { containers: [] };
  return {
    ...pod,
    metadata: { ...pod.metadata, labels },
    spec: { ...spec, tolerations: withDaemonTolerations(spec), affinity: pinnedTo(node, spec.affinity) },
  };
}
