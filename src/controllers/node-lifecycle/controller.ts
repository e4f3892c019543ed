import type { KubernetesObject } from '../../api/meta/object.ts';
import { isConflict, isNotFound } from '../../api/meta/status.ts';
import { formatTime } from '../../api/meta/time.ts';
import { patchTypes } from '../../api/request.ts';
import type { Lease } from '../../api/types/coordination-v1.ts';
import type { Node, Pod, Taint } from '../../api/types/core-v1.ts';
import type { EventRecorder, Informer, ResourceClient } from '../../client/contract.ts';
import type { Controller, ControllerContext } from '../../client/controller.ts';
import { startReconciler } from '../../client/controller-runner.ts';
import { leases, nodes, pods } from '../../client/resource-refs.ts';
import type { Timer } from '../../util/clock.ts';
import { turn } from '../../util/slice.ts';
import { isReady } from '../workload/pod-state.ts';
import { indexByNode, podsOnNode } from '../workload/pods-on-node.ts';
import { checkHealth, defaultHealthLimits, type HealthLimits, type HealthMemory } from './health.ts';
import { type ZoneMetrics, zoneMetrics } from './metrics.ts';
import {
  hasNoExecute,
  NOT_READY,
  noExecuteKey,
  planNodeLabels,
  planNoExecuteTaint,
  planNoScheduleTaints,
  readyCondition,
  UNREACHABLE,
} from './taints.ts';
import { defaultRates, EvictionQueue, type EvictionRates, rateOf, type ZoneState, zoneOf, zoneState } from './zones.ts';

const WORKERS = 8;
/** How often nodes are looked at (upstream's --node-monitor-period). */
const MONITOR_PERIOD_MS = 5_000;
/** Nodes written to at a time. */
const CONCURRENCY = 30;
/** Nodes looked at before the loop may do something else. */
const CHUNK = 500;
const LEASE_NAMESPACE = 'kube-node-lease';
const EXCLUDED = 'node.kubernetes.io/exclude-disruption';

export interface NodeLifecycleOptions {
  readonly limits?: HealthLimits;
  readonly rates?: EvictionRates;
}

/** Notices nodes that fall silent: their conditions become unknown, taints keep pods away, and their pods are not ready. */
export function nodeLifecycleController(options: NodeLifecycleOptions = {}): Controller {
  return {
    name: 'node-lifecycle-controller',
    start: (context, signal) => new NodeLifecycle(context, options, signal).start(),
  };
}

interface Known {
  readonly uid: string;
  memory: HealthMemory | undefined;
  /** Its pods could not all be marked. */
  retry: boolean;
}

interface Verdict {
  readonly node: Node;
  readonly observed: string;
  readonly current: string | undefined;
}

class NodeLifecycle {
  readonly #context: ControllerContext;
  readonly #signal: AbortSignal;
  readonly #limits: HealthLimits;
  readonly #rates: EvictionRates;
  readonly #nodes: Informer<Node>;
  readonly #pods: Informer<Pod>;
  readonly #leases: Informer<Lease>;
  readonly #client: ResourceClient<Node>;
  readonly #recorder: EventRecorder;
  readonly #known = new Map<string, Known>();
  readonly #metrics: ZoneMetrics;
  readonly #zones = new Map<string, { state: ZoneState; readonly queue: EvictionQueue }>();
  /** All zones are down: more likely it is us who are cut off. Nothing is evicted then. */
  #allDisrupted = false;
  #taintTimer: Timer | undefined;

  constructor(context: ControllerContext, options: NodeLifecycleOptions, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    this.#limits = options.limits ?? defaultHealthLimits;
    this.#rates = options.rates ?? defaultRates;
    this.#nodes = context.informers.informer(nodes);
    this.#pods = context.informers.informer(pods);
    this.#leases = context.informers.informer(leases, { namespace: LEASE_NAMESPACE });
    this.#client = context.client.resource(nodes);
    this.#recorder = context.recorder('node-controller');
    this.#metrics = zoneMetrics(context.metrics);
  }

  start(): void {
    indexByNode(this.#pods);
    const informers = [this.#nodes, this.#pods, this.#leases] as readonly Informer<KubernetesObject>[];
    const queue = startReconciler(
      this.#context,
      { name: 'node_lifecycle_controller', workers: WORKERS, informers, reconcile: (name) => this.#reconcile(name) },
      this.#signal,
    );
    const add = (node: Node): void => queue.add(node.metadata!.name!);
    this.#nodes.addHandler({ onAdd: add, onUpdate: add });
    void this.#monitor(informers);
  }

  /** What follows from a node's object alone: NoSchedule taints and labels. */
  async #reconcile(name: string): Promise<void> {
    const node = this.#nodes.get(name);
    if (node === undefined) return;
    const taints = planNoScheduleTaints(node, this.#context.clock.now());
    const labels = planNodeLabels(node);
    if (taints !== undefined || labels !== undefined) await this.#patch(node, taints, labels);
  }

  async #patch(node: Node, taints: readonly Taint[] | undefined, labels?: Readonly<Record<string, string>>): Promise<void> {
    const { name = '', resourceVersion } = node.metadata ?? {};
    const patch = {
      metadata: { resourceVersion, ...(labels === undefined ? {} : { labels }) },
      // The list is replaced as a whole: the version says that nobody changed it meanwhile.
      ...(taints === undefined ? {} : { spec: { taints } }),
    };
    try {
      await this.#client.patch(name, '', patchTypes.merge, patch, { signal: this.#signal });
    } catch (err) {
      if (!isNotFound(err)) throw err;
    }
  }

  async #monitor(informers: readonly Informer<KubernetesObject>[]): Promise<void> {
    const { clock, logger } = this.#context;
    try {
      await Promise.all(informers.map((informer) => informer.synced(this.#signal)));
      while (!this.#signal.aborted) {
        try {
          await this.#look();
        } catch (err) {
          logger.error({ err }, 'nodes could not be looked at');
        }
        await clock.sleep(MONITOR_PERIOD_MS, this.#signal);
      }
    } catch (err) {
      if (!this.#signal.aborted) logger.error({ err }, 'the node monitor ended');
    }
  }

  async #look(): Promise<void> {
    const list = this.#nodes.list();
    this.#noteMembers(list);
    const verdicts: Verdict[] = [];
    const writes: (() => Promise<void>)[] = [];
    const { clock } = this.#context;
    let looked = 0;
    for (const node of list) {
      if (++looked % CHUNK === 0) await turn();
      const name = node.metadata!.name!;
      const known = this.#known.get(name);
      if (known === undefined) continue;
      const lease = this.#leases.get(`${LEASE_NAMESPACE}/${name}`);
      const check = checkHealth(node, lease, known.memory, this.#limits, clock.now());
      if (check.conditions === undefined) {
        known.memory = check.memory;
        verdicts.push({ node, observed: check.observed, current: check.current });
        continue;
      }
      const marked: Node = { ...node, status: { ...node.status, conditions: check.conditions } };
      writes.push(async () => {
        try {
          const written = await this.#client.updateStatus(marked, { signal: this.#signal });
          known.memory = check.memory;
          verdicts.push({ node: written, observed: check.observed, current: check.current });
        } catch (err) {
          // It reported meanwhile, or is gone; else the next look tries again.
          if (!isConflict(err) && !isNotFound(err)) this.#context.logger.warn({ err, node: name }, 'node was not marked');
        }
      });
    }
    await inParallel(writes);
    // Nearly all nodes are well and have been: nothing is made for them.
    const concerned = verdicts.filter((verdict) => !this.#isWell(verdict));
    await inParallel(concerned.map((verdict) => () => this.#follow(verdict)));
    await this.#judgeZones(verdicts);
    this.#armTainting();
  }

  #noteMembers(list: readonly Node[]): void {
    const present = new Set<string>();
    for (const node of list) {
      const { name = '', uid = '' } = node.metadata ?? {};
      present.add(name);
      const zone = zoneOf(node);
      if (!this.#zones.has(zone)) {
        const queue = new EvictionQueue(this.#rates.evictionRate, this.#context.clock.monotonic());
        this.#zones.set(zone, { state: 'initial', queue });
      }
      if (this.#known.get(name)?.uid === uid) continue;
      this.#known.set(name, { uid, memory: undefined, retry: false });
      this.#nodeEvent(name, uid, 'RegisteredNode', `Node ${name} event: Registered Node ${name} in Controller`);
    }
    for (const [name, { uid }] of this.#known) {
      if (present.has(name)) continue;
      this.#known.delete(name);
      for (const { queue } of this.#zones.values()) queue.remove(name);
      this.#nodeEvent(name, uid, 'RemovingNode', `Node ${name} event: Removing Node ${name} from Controller`);
    }
  }

  #nodeEvent(name: string, uid: string, reason: string, message: string): void {
    const reference = { apiVersion: 'v1', kind: 'Node', name, uid, namespace: '' };
    this.#recorder.event(reference as KubernetesObject, 'Normal', reason, message);
  }

  /** A node about which nothing need be done. */
  #isWell({ node, observed, current }: Verdict): boolean {
    if (observed !== 'True' || current !== 'True' || hasNoExecute(node, NOT_READY) || hasNoExecute(node, UNREACHABLE)) {
      return false;
    }
    const name = node.metadata!.name!;
    if (this.#known.get(name)?.retry === true) return false;
    for (const { queue } of this.#zones.values()) queue.remove(name);
    return true;
  }

  /** Taints and pods of one node. */
  async #follow({ node, observed, current }: Verdict): Promise<void> {
    const name = node.metadata!.name!;
    const known = this.#known.get(name);
    if (current === undefined || known === undefined) return;
    const zone = this.#zones.get(zoneOf(node));
    try {
      if (observed === 'True') {
        zone?.queue.remove(name);
        await this.#setNoExecute(node, undefined);
      } else {
        const [wanted, other] = observed === 'False' ? ([NOT_READY, UNREACHABLE] as const) : ([UNREACHABLE, NOT_READY] as const);
        // A node that pods are being driven from already only changes the name of its trouble; a new one waits its turn.
        if (hasNoExecute(node, other)) await this.#setNoExecute(node, wanted);
        else if (!hasNoExecute(node, wanted)) zone?.queue.add(name);
      }
    } catch (err) {
      this.#context.logger.warn({ err, node: name }, 'node was not tainted; trying again at the next look');
    }
    const fellSilent = current !== 'True' && observed === 'True';
    if (fellSilent) {
      this.#nodeEvent(name, node.metadata?.uid ?? '', 'NodeNotReady', `Node ${name} status is now: NodeNotReady`);
    }
    if (fellSilent || (known.retry && observed !== 'True')) known.retry = !(await this.#markPodsNotReady(name));
  }

  async #setNoExecute(node: Node, wanted: typeof NOT_READY | typeof UNREACHABLE | undefined): Promise<void> {
    const taints = planNoExecuteTaint(node, wanted, this.#context.clock.now());
    if (taints !== undefined) await this.#patch(node, taints);
  }

  /** Marks every pod of the node; false when some could not be. */
  async #markPodsNotReady(node: string): Promise<boolean> {
    let good = true;
    const client = this.#context.client.resource(pods);
    await inParallel(
      podsOnNode(this.#pods, node)
        .filter(isReady)
        .map((pod) => async () => {
          try {
            await client.updateStatus(notReady(pod, this.#context.clock.now()), { signal: this.#signal });
            this.#recorder.event(pod, 'Warning', 'NodeNotReady', 'Node is not ready');
          } catch (err) {
            if (isNotFound(err)) return;
            good = false;
            this.#context.logger.debug({ err, pod: pod.metadata?.name }, 'pod was not marked');
          }
        }),
    );
    return good;
  }

  async #judgeZones(verdicts: readonly Verdict[]): Promise<void> {
    const ready = new Map<string, (string | undefined)[]>();
    for (const { node, current } of verdicts) {
      if (node.metadata?.labels?.[EXCLUDED] !== undefined) continue;
      const zone = zoneOf(node);
      const list = ready.get(zone);
      if (list === undefined) ready.set(zone, [current]);
      else list.push(current);
    }
    for (const [zone, list] of ready) {
      this.#metrics.counted(zone, list.length, list.filter((status) => status === 'True').length);
    }
    const now = this.#context.clock.monotonic();
    const states = new Map([...ready].map(([zone, list]) => [zone, zoneState(list, this.#rates)]));
    const disrupted = states.size > 0 && [...states.values()].every((state) => state === 'full');
    if (disrupted && !this.#allDisrupted) {
      this.#context.logger.info({}, 'every zone is disrupted: no pods are driven from nodes until one recovers');
      await inParallel(
        verdicts.map(
          ({ node }) =>
            async () =>
              await this.#setNoExecute(node, undefined).catch(() => {}),
        ),
      );
    } else if (!disrupted && this.#allDisrupted) {
      // Whoever was not heard while we were cut off gets the whole grace again.
      for (const known of this.#known.values()) {
        if (known.memory !== undefined) known.memory = { ...known.memory, probedAt: this.#context.clock.now() };
      }
    }
    this.#allDisrupted = disrupted;
    for (const [zone, entry] of this.#zones) {
      const state = states.get(zone);
      if (state === undefined) {
        if (!this.#inUse(zone)) this.#zones.delete(zone);
        continue;
      }
      entry.state = state;
      entry.queue.setRate(disrupted ? 0 : rateOf(state, ready.get(zone)!.length, this.#rates), now);
    }
  }

  #inUse(zone: string): boolean {
    return this.#nodes.list().some((node) => zoneOf(node) === zone);
  }

  /** Sets a timer for the next node that may be tainted. */
  #armTainting(): void {
    this.#taintTimer?.cancel();
    this.#taintTimer = undefined;
    const now = this.#context.clock.monotonic();
    let next: number | undefined;
    for (const { queue } of this.#zones.values()) {
      const wait = queue.nextIn(now);
      if (wait !== undefined && (next === undefined || wait < next)) next = wait;
    }
    if (next === undefined || this.#signal.aborted) return;
    this.#taintTimer = this.#context.clock.setTimer(next, () => {
      this.#taintNext().catch((err: unknown) => this.#context.logger.warn({ err }, 'tainting failed'));
    });
  }

  async #taintNext(): Promise<void> {
    for (const { queue } of this.#zones.values()) {
      const name = queue.take(this.#context.clock.monotonic());
      const node = name === undefined ? undefined : this.#nodes.get(name);
      const key = node === undefined ? undefined : noExecuteKey(readyCondition(node));
      if (node === undefined || key === undefined) {
        if (name !== undefined) queue.giveBack();
        continue;
      }
      try {
        await this.#setNoExecute(node, key);
        this.#metrics.evicted(zoneOf(node));
      } catch (err) {
        queue.giveBack();
        queue.add(name!);
        if (!isConflict(err)) throw err;
      }
    }
    this.#armTainting();
  }
}

function notReady(pod: Pod, now: number): Pod {
  const conditions = (pod.status?.conditions ?? []).map((condition) =>
    condition.type === 'Ready' ? { ...condition, status: 'False', lastTransitionTime: formatTime(now) } : condition,
  );
  return { ...pod, status: { ...pod.status, conditions } };
}

/** Runs all, a bounded number at a time. Each is to deal with its own failures. */
async function inParallel(jobs: readonly (() => Promise<void>)[]): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < jobs.length) await jobs[next++]!();
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, jobs.length) }, worker));
}
