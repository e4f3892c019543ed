import type { KubernetesObject } from '../api/meta/object.ts';
import { isNotFound } from '../api/meta/status.ts';
import type { Pod } from '../api/types/core-v1.ts';
import type { PodDisruptionBudget } from '../api/types/policy-v1.ts';
import type { EventRecorder, Informer } from '../client/contract.ts';
import type { Controller, ControllerContext } from '../client/controller.ts';
import {
  podDisruptionBudgets,
  pods,
  replicaSets,
  replicationControllers,
  services,
  statefulSets,
} from '../client/resource-refs.ts';
import { turn } from '../util/slice.ts';
import { bindPod, carryOut, type NamedPreparation } from './binding.ts';
import { ClusterCache } from './cache.ts';
import { ClaimCache } from './claim-cache.ts';
import { actions } from './cluster-event.ts';
import { DefaultSelectors } from './default-selector.ts';
import { type Diagnosis, fitMessage } from './diagnosis.ts';
import { watchCluster } from './event-handlers.ts';
import { evictVictims } from './eviction.ts';
import type { ClusterView, Plugin } from './framework.ts';
import { noMetrics, type SchedulerMetrics, schedulerMetrics } from './metrics.ts';
import { nominate } from './nomination.ts';
import { PodInfo } from './pod-info.ts';
import { patchStatus } from './pod-status.ts';
import { findPreemption } from './preemption.ts';
import { defaultPlugins } from './profile.ts';
import { type QueuedPod, SchedulingQueue } from './queue.ts';
import { type Placement, type PodPlans, SchedulingAlgorithm } from './scheduling-algorithm.ts';
import { VolumeCache } from './volume-cache.ts';

/** What a scheduler may be told. */
export interface SchedulerOptions {
  /** Which pods are its own: those with this spec.schedulerName. `default-scheduler` unless said. */
  readonly schedulerName?: string;
  /** Share of nodes that must be found to fit before the best is taken; 0, the default, adapts to the size of the cluster. */
  readonly percentageOfNodesToScore?: number;
}

/** Bindings under way at once. */
const MAX_BINDINGS = 256;
/** The loop is given to others after so long, or so many pods. */
const SLICE_MS = 5;
const SLICE_PODS = 32;
/** A pod whose binding was accepted should be seen bound in far less; then the API is asked. */
const ASSUMED_OVERDUE_MS = 30_000;
/** Longer messages are cut in events (core validation NoteLengthLimit). */
const MAX_NOTE_LENGTH = 1024;

/** What to do about a pod's nomination when it could not be placed. */
type Nomination = { readonly node: string } | undefined;
const noNomination: Nomination = { node: '' };

/** The scheduler, as upstream's default profile has it. */
export function scheduler(options: SchedulerOptions = {}): Controller {
  return {
    name: 'scheduler',
    start(context, signal) {
      new Scheduler(context, options, signal).start();
    },
  };
}

/** Takes pods from the queue one at a time, decides, and binds in the background. */
class Scheduler {
  readonly #context: ControllerContext;
  readonly #signal: AbortSignal;
  readonly #name: string;
  readonly #recorder: EventRecorder;
  readonly #metrics: SchedulerMetrics;
  readonly #cache = new ClusterCache();
  readonly #queue: SchedulingQueue;
  readonly #plugins: ReadonlyMap<string, Plugin>;
  readonly #algorithm: SchedulingAlgorithm;
  readonly #pods: Informer<Pod>;
  readonly #budgets: Informer<PodDisruptionBudget>;
  readonly #informers: readonly Informer<KubernetesObject>[];
  #bindings = 0;
  #wake: (() => void) | undefined;

  constructor(context: ControllerContext, options: SchedulerOptions, signal: AbortSignal) {
    const { informers, clock } = context;
    this.#context = context;
    this.#signal = signal;
    this.#name = options.schedulerName ?? 'default-scheduler';
    this.#recorder = context.recorder(this.#name);
    this.#metrics =
      context.metrics === undefined
        ? noMetrics
        : schedulerMetrics(context.metrics, this.#name, {
            pending: (queue) => this.#queue.count(queue),
            rejections: () => this.#queue.rejections(),
            bindings: () => this.#bindings,
            cacheSize: () => ({
              nodes: this.#cache.nodes.length,
              pods: this.#cache.podCount,
              assumed: this.#cache.assumedCount,
            }),
          });
    this.#plugins = new Map(defaultPlugins.map((plugin) => [plugin.name, plugin]));
    this.#queue = new SchedulingQueue({
      clock,
      hintsOf: (plugin) => this.#plugins.get(plugin)?.hints ?? [],
      onReady: () => this.#wake?.(),
      metrics: this.#metrics,
    });
    const selectors = new DefaultSelectors(informers);
    const view: ClusterView = {
      cache: this.#cache,
      volumes: new VolumeCache(informers, context.client, clock),
      claims: new ClaimCache(informers, context.client, signal, (event) => this.#queue.happened(event)),
      spreadSelector: (pod) => selectors.of(pod),
    };
    this.#algorithm = new SchedulingAlgorithm({
      view,
      plugins: defaultPlugins,
      random: context.random,
      ...(context.metrics === undefined ? {} : { timing: { metrics: this.#metrics, monotonic: () => clock.monotonic() } }),
      ...(options.percentageOfNodesToScore === undefined ? {} : { percentageOfNodesToScore: options.percentageOfNodesToScore }),
    });
    this.#pods = informers.informer(pods);
    this.#budgets = informers.informer(podDisruptionBudgets);
    this.#informers = [
      ...watchCluster(informers, { cache: this.#cache, queue: this.#queue, schedulerName: this.#name }),
      ...[services, replicationControllers, replicaSets, statefulSets, podDisruptionBudgets].map((ref) =>
        informers.informer<KubernetesObject>(ref),
      ),
    ];
  }

  start(): void {
    void this.#run();
  }

  async #run(): Promise<void> {
    const signal = this.#signal;
    signal.addEventListener('abort', () => this.#queue.close(), { once: true });
    try {
      await Promise.all(this.#informers.map((informer) => informer.synced(signal)));
    } catch {
      return;
    }
    this.#watchAssumed();
    while (!signal.aborted) {
      this.#slice();
      if (this.#queue.ready && this.#bindings < MAX_BINDINGS) await turn();
      else await this.#ready();
    }
  }

  /** Schedules pods until there are none, or others must have their turn. */
  #slice(): void {
    const { clock } = this.#context;
    const end = clock.monotonic() + SLICE_MS;
    for (let done = 0; done < SLICE_PODS && this.#bindings < MAX_BINDINGS && clock.monotonic() < end; done++) {
      const pod = this.#queue.pop();
      if (pod === undefined) return;
      try {
        this.#scheduleOne(pod);
      } catch (err) {
        this.#fail(pod, err, clock.monotonic(), noNomination);
      }
    }
  }

  /** Resolves when there may be something to do, or at the end. */
  #ready(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#wake = undefined;
        this.#signal.removeEventListener('abort', done);
        resolve();
      };
      this.#wake = done;
      this.#signal.addEventListener('abort', done, { once: true });
    });
  }

  #scheduleOne(queued: QueuedPod): void {
    const { info } = queued;
    const start = this.#context.clock.monotonic();
    if (info.terminating) {
      this.#recorder.event(info.pod, 'Warning', 'FailedScheduling', `skip schedule deleting pod: ${info.key}`);
      this.#queue.delete(info.uid);
      return;
    }
    if (this.#cache.nodeOf(info.uid) !== undefined) {
      this.#queue.delete(info.uid);
      return;
    }
    if (this.#cache.nodes.length === 0) {
      this.#reject(queued, 'no nodes available to schedule pods', new Set(), start, noNomination);
      return;
    }
    const decision = this.#algorithm.schedule(info);
    this.#metrics.algorithm((this.#context.clock.monotonic() - start) / 1000);
    if (decision.placement !== undefined) this.#place(queued, decision.placement, start);
    else this.#unschedulable(queued, decision.diagnosis, decision.plans, start);
  }

  #place(queued: QueuedPod, { node, plans }: Placement, start: number): void {
    const { info } = queued;
    const preparations: NamedPreparation[] = [];
    for (const { plugin, plan } of plans.global) {
      const preparation = plan.prepare?.(node);
      if (preparation !== undefined) preparations.push({ plugin: plugin.name, preparation });
    }
    this.#cache.assume(info, node.name);
    this.#cache.unnominate(info.uid);
    void this.#bind(queued, node.name, preparations, start);
  }

  async #bind(queued: QueuedPod, node: string, preparations: readonly NamedPreparation[], start: number): Promise<void> {
    const { client, clock } = this.#context;
    const { info } = queued;
    try {
      if (preparations.length > 0) await this.#announce(info, node);
      const begun = clock.monotonic();
      await carryOut(preparations, this.#signal);
      const prepared = clock.monotonic();
      await this.#limited(() => bindPod(info, node, { client, clock, signal: this.#signal }));
      this.#metrics.extensionPoint('PreBind', true, (prepared - begun) / 1000);
      this.#metrics.extensionPoint('Bind', true, (clock.monotonic() - prepared) / 1000);
    } catch (err) {
      if (this.#signal.aborted) return;
      for (const { preparation } of preparations) preparation.revert();
      this.#cache.forget(info.uid);
      // What it was thought to take is free again.
      this.#queue.happened({ resource: 'AssignedPod', action: actions.delete, label: 'AssignedPodDelete', old: info });
      this.#fail(queued, err, start, noNomination);
      return;
    }
    const now = clock.monotonic();
    this.#cache.bound(info.uid, now);
    this.#queue.delete(info.uid);
    this.#recorder.event(info.pod, 'Normal', 'Scheduled', `Successfully assigned ${info.key} to ${node}`);
    this.#metrics.attempt('scheduled', (now - start) / 1000);
    this.#metrics.bound((now - (queued.firstAttemptAt ?? start)) / 1000, queued.attempts);
  }

  /** Says where a pod is about to go while its volumes are got ready, which may take minutes (KEP-5278). Not vital. */
  async #announce(info: PodInfo, node: string): Promise<void> {
    const { client, clock, logger } = this.#context;
    try {
      await patchStatus(client, info.pod, { nominatedNodeName: node }, clock.now(), this.#signal);
    } catch (err) {
      if (!this.#signal.aborted) logger.warn({ err, pod: info.key, node }, 'nomination could not be written');
    }
  }

  /** Counts a binding while it is under way. Work before it, which may take minutes, holds nobody up. */
  async #limited(work: () => Promise<void>): Promise<void> {
    this.#bindings++;
    try {
      await work();
    } finally {
      if (this.#bindings-- === MAX_BINDINGS) this.#wake?.();
    }
  }

  /** No node will do: looks for pods of lower priority that could make way. */
  #unschedulable(queued: QueuedPod, diagnosis: Diagnosis, plans: PodPlans | undefined, start: number): void {
    const { random, clock } = this.#context;
    const begun = clock.monotonic();
    const result = findPreemption(queued.info, plans, diagnosis, {
      cache: this.#cache,
      algorithm: this.#algorithm,
      random,
      now: clock.now(),
      budgets: (namespace) => this.#budgets.list(namespace),
    });
    this.#metrics.preemption();
    this.#metrics.extensionPoint('PostFilter', result.candidate !== undefined, (clock.monotonic() - begun) / 1000);
    if (result.candidate === undefined) {
      const message = fitMessage(diagnosis, `${this.#remedy(queued.info, plans)}, preemption: ${result.message}`);
      this.#reject(queued, message, diagnosis.plugins, start, result.keepNomination ? undefined : noNomination);
      return;
    }
    const { candidate } = result;
    this.#metrics.victims(candidate.victims.length);
    this.#reject(queued, fitMessage(diagnosis, ''), diagnosis.plugins, start, { node: candidate.node.name });
    void evictVictims(queued.info, candidate, {
      ...this.#context,
      recorder: this.#recorder,
      cache: this.#cache,
      queue: this.#queue,
      schedulerName: this.#name,
      signal: this.#signal,
    });
  }

  /** Does what plugins know to help, and says what that is. Without anything to do, that is what upstream's plugin for dynamic resources says. */
  #remedy(info: PodInfo, plans: PodPlans | undefined): string {
    for (const { plan } of plans?.global ?? []) {
      const remedy = plan.remedy?.();
      if (remedy === undefined) continue;
      remedy.act(this.#signal).catch((err: unknown) => {
        if (!this.#signal.aborted) this.#context.logger.warn({ err, pod: info.key }, remedy.message);
      });
      return remedy.message;
    }
    return 'no new claims to deallocate';
  }

  /** The pod fits nowhere: it waits for something to happen. */
  #reject(queued: QueuedPod, message: string, plugins: ReadonlySet<string>, start: number, nomination: Nomination): void {
    this.#metrics.attempt('unschedulable', (this.#context.clock.monotonic() - start) / 1000);
    const current = this.#stillPending(queued.info);
    if (current === undefined) {
      this.#queue.delete(queued.info.uid);
      return;
    }
    this.#queue.rejected(current.uid, current, plugins);
    this.#report(current, 'Unschedulable', message, nomination);
  }

  /** Something else went wrong: the pod is tried again in a while. */
  #fail(queued: QueuedPod, err: unknown, start: number, nomination: Nomination): void {
    this.#metrics.attempt('error', (this.#context.clock.monotonic() - start) / 1000);
    const message = err instanceof Error ? err.message : String(err);
    const current = this.#stillPending(queued.info);
    if (current === undefined) {
      this.#queue.delete(queued.info.uid);
      return;
    }
    this.#context.logger.warn({ err, pod: current.key }, 'pod could not be scheduled; retrying');
    this.#queue.failed(current.uid, current);
    this.#report(current, 'SchedulerError', message, nomination);
  }

  /** The pod as it is now; undefined when it is gone, or has a node after all. */
  #stillPending(info: PodInfo): PodInfo | undefined {
    const pod = this.#pods.get(info.key);
    if (pod === undefined || pod.metadata?.uid !== info.uid || (pod.spec?.nodeName ?? '') !== '') return undefined;
    return pod === info.pod ? info : new PodInfo(pod);
  }

  #report(info: PodInfo, reason: string, message: string, nomination: Nomination): void {
    const { client, clock, logger } = this.#context;
    if (nomination !== undefined) nominate(this.#cache, this.#queue, info, nomination.node);
    const note = message.length <= MAX_NOTE_LENGTH ? message : `${message.slice(0, MAX_NOTE_LENGTH - 4)} ...`;
    this.#recorder.event(info.pod, 'Warning', 'FailedScheduling', note);
    const change = {
      condition: { type: 'PodScheduled', status: 'False', reason, message } as const,
      nominatedNodeName: nomination?.node,
    };
    patchStatus(client, info.pod, change, clock.now(), this.#signal).catch((err: unknown) => {
      if (!this.#signal.aborted) logger.warn({ err, pod: info.key }, 'pod status could not be written');
    });
  }

  /** Asks after pods that were bound and never seen so: a lost watch event must not hold a node's room for ever. */
  #watchAssumed(): void {
    const { clock, client, logger } = this.#context;
    const check = async (): Promise<void> => {
      for (const info of this.#cache.overdue(clock.monotonic() - ASSUMED_OVERDUE_MS)) {
        try {
          const pod = await client.resource(pods).get(info.name, info.namespace, { signal: this.#signal });
          if (pod.metadata?.uid === info.uid && (pod.spec?.nodeName ?? '') !== '') continue;
          this.#cache.forget(info.uid);
          if (pod.metadata?.uid === info.uid) this.#queue.put(new PodInfo(pod));
        } catch (err) {
          if (this.#signal.aborted) return;
          if (isNotFound(err)) this.#cache.forget(info.uid);
          else logger.warn({ err, pod: info.key }, 'assumed pod could not be read');
        }
      }
    };
    const arm = (): void => {
      if (this.#signal.aborted) return;
      clock.setTimer(ASSUMED_OVERDUE_MS, () => void check().finally(arm));
    };
    arm();
  }
}
