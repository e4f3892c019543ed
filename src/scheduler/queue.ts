import { claimNames } from '../api/groups/core/pod-resource-claims.ts';
import type { Clock, Timer } from '../util/clock.ts';
import { Heap } from '../util/heap.ts';
import { type ClusterEvent, type Hint, mayHelp } from './cluster-event.ts';
import type { QueueName, SchedulerMetrics } from './metrics.ts';
import { tally } from './node-info.ts';
import type { PodInfo } from './pod-info.ts';

/** Upstream's podInitialBackoffSeconds and podMaxBackoffSeconds, in milliseconds. */
const INITIAL_BACKOFF_MS = 1000;
const MAX_BACKOFF_MS = 10_000;
/** A pod that no event brought back is tried again after five minutes: hints may be wrong. Looked after every half minute. */
const MAX_UNSCHEDULABLE_MS = 5 * 60_000;
const FLUSH_EVERY_MS = 30_000;

/**
 * An idle scheduler takes pods out of backoff early, up to so many. When more wait, an event that brought them all back would otherwise make it try
 * all of them over and over.
 */
const MAX_EARLY_BACKOFF = 100;

type Place = QueueName | 'in flight';

/** A pod that waits for a node, with its history. */
export interface QueuedPod {
  readonly info: PodInfo;
  /** Tries so far. */
  readonly attempts: number;
  /** When it was first to be tried, milliseconds of the monotonic clock; undefined before. */
  readonly firstAttemptAt: number | undefined;
  readonly place: Place;
}

interface Entry extends QueuedPod {
  info: PodInfo;
  attempts: number;
  firstAttemptAt: number | undefined;
  place: Place;
  /** When it came into the queue, or failed last. */
  since: number;
  unschedulable: number;
  errors: number;
  backoffUntil: number;
  /** Plugins that said no; empty when something else went wrong. */
  rejectedBy: ReadonlySet<string>;
  /** Preempting: not to be tried until that is done. */
  held: boolean;
  /** Something happened while it was held. */
  wanted: boolean;
  /** The heap position that counts; older ones are passed over. */
  ticket: number;
}

interface Ticket {
  readonly entry: Entry;
  readonly number: number;
  readonly priority: number;
  readonly since: number;
  readonly backoffUntil: number;
}

export interface QueueOptions {
  readonly clock: Clock;
  /** The hints of a plugin. */
  hintsOf(plugin: string): readonly Hint[];
  /** Called when a pod may be popped. */
  onReady(): void;
  readonly metrics: SchedulerMetrics;
}

const noPlugins: ReadonlySet<string> = new Set();
const ANY = '';

/**
 * The pods that wait for a node. `active`: to be tried, by priority and then by age. `backoff`: to be tried in a while. `unschedulable`: tried
 * in vain, until something happens that may help. `gated`: never tried, by the will of whoever made them.
 *
 * A pod is decided about in one go, without anything else happening meanwhile, so there is no event that a pod in flight could miss.
 */
export class SchedulingQueue {
  readonly #options: QueueOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #active = new Heap<Ticket>((a, b) => b.priority < a.priority || (b.priority === a.priority && older(a, b)));
  readonly #backoff = new Heap<Ticket>(
    (a, b) => a.backoffUntil < b.backoffUntil || (a.backoffUntil === b.backoffUntil && older(a, b)),
  );
  /** Pods that met with errors: their backoff protects the API server, so an idle scheduler does not cut it short. */
  readonly #errors = new Heap<Ticket>(
    (a, b) => a.backoffUntil < b.backoffUntil || (a.backoffUntil === b.backoffUntil && older(a, b)),
  );
  readonly #unschedulable = new Set<Entry>();
  /** Unschedulable pods by the plugins that rejected them; under ANY those that no plugin did. */
  readonly #rejections = new Map<string, number>();
  readonly #counts: Record<QueueName, number> = { active: 0, backoff: 0, unschedulable: 0, gated: 0 };
  #tickets = 0;
  #backoffTimer: Timer | undefined;
  #flushTimer: Timer | undefined;
  #closed = false;

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  count(queue: QueueName): number {
    return this.#counts[queue];
  }

  /** Whether `pop` has one. */
  get ready(): boolean {
    return this.#counts.active > 0 || (this.#mayCutBackoff && this.#first(this.#backoff, 'backoff') !== undefined);
  }

  get #mayCutBackoff(): boolean {
    return this.#counts.backoff <= MAX_EARLY_BACKOFF;
  }

  /** Unschedulable pods by the plugins that rejected them. */
  rejections(): readonly (readonly [plugin: string, pods: number])[] {
    return [...this.#rejections].filter(([plugin]) => plugin !== ANY);
  }

  /** A pod in the queue, or being tried. */
  get(uid: string): QueuedPod | undefined {
    return this.#entries.get(uid);
  }

  /** A pod that is to be scheduled, or its new state. */
  put(info: PodInfo): void {
    const entry = this.#entries.get(info.uid);
    if (entry === undefined) {
      const fresh: Entry = {
        info,
        attempts: 0,
        firstAttemptAt: undefined,
        place: 'in flight',
        since: this.#options.clock.monotonic(),
        unschedulable: 0,
        errors: 0,
        backoffUntil: 0,
        rejectedBy: noPlugins,
        held: false,
        wanted: false,
        ticket: 0,
      };
      this.#entries.set(info.uid, fresh);
      this.#moveTo(fresh, gated(info) ? 'gated' : 'active', 'PodAdd');
      return;
    }
    const before = entry.info;
    entry.info = info;
    if (entry.place === 'gated') {
      if (!gated(info)) this.#moveTo(entry, 'active', 'PodUpdate');
    } else if (entry.place === 'active' && before.priority !== info.priority) this.#moveTo(entry, 'active', 'PodUpdate');
  }

  /** A pod's own change, which may make it schedulable. */
  targetChanged(uid: string, event: ClusterEvent): void {
    const entry = this.#entries.get(uid);
    if (entry?.place === 'unschedulable' && this.#worthTrying(entry, event)) this.#bringBack(entry, event.label);
  }

  /** The pod is bound, deleted, or somebody else's. */
  delete(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry === undefined) return;
    this.#entries.delete(uid);
    this.#leave(entry);
    entry.ticket = -1;
  }

  /** The next pod to try; undefined when there is none now. It stays known as in flight until it is put back or deleted. */
  pop(): QueuedPod | undefined {
    // An idle scheduler need not let pods wait out a backoff that is there to spare it work (SchedulerPopFromBackoffQ, KEP-5142).
    const entry = this.#take(this.#active, 'active') ?? (this.#mayCutBackoff ? this.#take(this.#backoff, 'backoff') : undefined);
    if (entry === undefined) return undefined;
    this.#leave(entry);
    entry.attempts++;
    entry.firstAttemptAt ??= this.#options.clock.monotonic();
    return entry;
  }

  /** The pod was tried, and these plugins said no. None: no plugin was asked, and any event will do. */
  rejected(uid: string, info: PodInfo, plugins: ReadonlySet<string>): void {
    const entry = this.#entries.get(uid);
    if (entry?.place !== 'in flight') return;
    entry.info = info;
    entry.rejectedBy = plugins;
    entry.errors = 0;
    entry.unschedulable++;
    entry.since = this.#options.clock.monotonic();
    entry.backoffUntil = entry.since + backoff(entry.unschedulable);
    this.#moveTo(entry, 'unschedulable', 'ScheduleAttemptFailure');
  }

  /** Something went wrong that is not about the pod. */
  failed(uid: string, info: PodInfo): void {
    const entry = this.#entries.get(uid);
    if (entry?.place !== 'in flight') return;
    entry.info = info;
    entry.rejectedBy = noPlugins;
    entry.errors++;
    entry.since = this.#options.clock.monotonic();
    entry.backoffUntil = entry.since + backoff(entry.errors);
    this.#moveTo(entry, 'backoff', 'ScheduleAttemptFailure');
  }

  /** Something happened in the cluster: the pods it may help come back. */
  happened(event: ClusterEvent): void {
    if (!this.#concernsAny(event)) return;
    for (const entry of this.#unschedulable) {
      if (this.#worthTrying(entry, event)) this.#bringBack(entry, event.label);
    }
  }

  /** Keeps a pod from being tried while it preempts others. */
  hold(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry !== undefined) entry.held = true;
  }

  /** The preemption is done; `failed`: in vain, so the pod is to be tried at once. */
  release(uid: string, failed: boolean): void {
    const entry = this.#entries.get(uid);
    if (entry === undefined) return;
    entry.held = false;
    if (entry.place !== 'unschedulable') return;
    if (failed) this.#moveTo(entry, 'active', 'ForceActivate');
    else if (entry.wanted) this.#bringBack(entry, 'AssignedPodDelete');
  }

  /** Stops the timers. */
  close(): void {
    this.#closed = true;
    this.#backoffTimer?.cancel();
    this.#flushTimer?.cancel();
  }

  /** Whether any plugin that rejected a pod has a hint about such events: most events are of no interest to any. */
  #concernsAny(event: ClusterEvent): boolean {
    for (const plugin of this.#rejections.keys()) {
      if (plugin === ANY) return true;
      for (const hint of this.#options.hintsOf(plugin)) {
        if (hint.resource === event.resource && (hint.actions & event.action) !== 0) return true;
      }
    }
    return false;
  }

  #worthTrying(entry: Entry, event: ClusterEvent): boolean {
    if (entry.rejectedBy.size === 0) return true;
    for (const plugin of entry.rejectedBy) if (mayHelp(this.#options.hintsOf(plugin), entry.info, event)) return true;
    return false;
  }

  #bringBack(entry: Entry, label: string): void {
    if (entry.held) {
      entry.wanted = true;
      return;
    }
    this.#moveTo(entry, entry.backoffUntil > this.#options.clock.monotonic() ? 'backoff' : 'active', label);
  }

  #moveTo(entry: Entry, queue: QueueName, label: string): void {
    this.#leave(entry);
    entry.place = queue;
    entry.wanted = false;
    this.#counts[queue]++;
    this.#options.metrics.incoming(queue, label);
    entry.ticket = ++this.#tickets;
    const ticket: Ticket = {
      entry,
      number: entry.ticket,
      priority: entry.info.priority,
      since: entry.since,
      backoffUntil: entry.backoffUntil,
    };
    switch (queue) {
      case 'active':
        this.#active.push(ticket);
        this.#options.onReady();
        break;
      case 'backoff':
        if (entry.errors > 0) this.#errors.push(ticket);
        else {
          this.#backoff.push(ticket);
          this.#options.onReady();
        }
        this.#armBackoff();
        break;
      case 'unschedulable':
        this.#unschedulable.add(entry);
        this.#tallyRejections(entry, 1);
        this.#armFlush();
        break;
      case 'gated':
        break;
    }
  }

  #leave(entry: Entry): void {
    if (entry.place === 'in flight') return;
    this.#counts[entry.place]--;
    if (this.#unschedulable.delete(entry)) this.#tallyRejections(entry, -1);
    entry.place = 'in flight';
  }

  #tallyRejections(entry: Entry, by: 1 | -1): void {
    if (entry.rejectedBy.size === 0) tally(this.#rejections, ANY, by);
    else for (const plugin of entry.rejectedBy) tally(this.#rejections, plugin, by);
  }

  /** The first entry of a heap that is still where its ticket says. */
  #first(heap: Heap<Ticket>, place: Place): Ticket | undefined {
    for (let top = heap.peek(); top !== undefined; top = heap.peek()) {
      if (top.entry.place === place && top.entry.ticket === top.number) return top;
      heap.pop();
    }
    return undefined;
  }

  #take(heap: Heap<Ticket>, place: Place): Entry | undefined {
    const ticket = this.#first(heap, place);
    if (ticket !== undefined) heap.pop();
    return ticket?.entry;
  }

  #armBackoff(): void {
    this.#backoffTimer?.cancel();
    this.#backoffTimer = undefined;
    const first = this.#first(this.#backoff, 'backoff')?.backoffUntil ?? Number.POSITIVE_INFINITY;
    const next = Math.min(first, this.#first(this.#errors, 'backoff')?.backoffUntil ?? Number.POSITIVE_INFINITY);
    if (this.#closed || next === Number.POSITIVE_INFINITY) return;
    this.#backoffTimer = this.#options.clock.setTimer(Math.max(0, next - this.#options.clock.monotonic()), () => {
      this.#backoffTimer = undefined;
      const now = this.#options.clock.monotonic();
      for (const heap of [this.#backoff, this.#errors]) {
        for (
          let top = this.#first(heap, 'backoff');
          top !== undefined && top.backoffUntil <= now;
          top = this.#first(heap, 'backoff')
        ) {
          heap.pop();
          this.#moveTo(top.entry, 'active', 'BackoffComplete');
        }
      }
      this.#armBackoff();
    });
  }

  #armFlush(): void {
    if (this.#closed || this.#flushTimer !== undefined) return;
    this.#flushTimer = this.#options.clock.setTimer(FLUSH_EVERY_MS, () => {
      this.#flushTimer = undefined;
      const limit = this.#options.clock.monotonic() - MAX_UNSCHEDULABLE_MS;
      for (const entry of this.#unschedulable) if (entry.since < limit) this.#bringBack(entry, 'UnschedulableTimeout');
      if (this.#unschedulable.size > 0) this.#armFlush();
    });
  }
}

const older = (a: Ticket, b: Ticket): boolean => a.since < b.since || (a.since === b.since && a.number < b.number);

/** The wait after the n-th failure: 1 s, doubling, at most 10 s. */
const backoff = (count: number): number => Math.min(MAX_BACKOFF_MS, INITIAL_BACKOFF_MS * 2 ** Math.min(count - 1, 16));

/** By the will of whoever made it, or because its resource claims are not made yet. */
const gated = ({ pod }: PodInfo): boolean =>
  (pod.spec?.schedulingGates ?? []).length > 0 || claimNames(pod).some(({ name }) => name === undefined);
