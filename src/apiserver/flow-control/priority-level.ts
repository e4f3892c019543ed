import type { PriorityLevelConfiguration } from '../../api/types/flowcontrol-v1.ts';
import type { Timer } from '../../util/clock.ts';
import type { RequestAttributes } from '../contract.ts';
import type { SeatLimits } from './allocation.ts';
import { DemandMeter, type DemandSummary } from './demand.ts';
import type { FlowSeries, Refusal } from './flow-series.ts';
import { RetryAfter } from './retry-after.ts';
import type { Work } from './work-estimate.ts';

/** How long a request is taken to hold its seats until it is known: upstream's estimatedServiceDuration. */
const EXPECTED_SERVICE_MS = 3;
/** Of a level's nominal seats, how many one request may take at most. */
const MAX_SEATS_FRACTION = 0.15;

/** One request under flow control, from its coming until its seats are free again. */
export class Ticket {
  readonly request: RequestAttributes;
  readonly level: PriorityLevel;
  readonly series: FlowSeries;
  /** The schema's and the level's, for the answer's headers. */
  readonly schemaUid: string;
  readonly levelUid: string;
  readonly distinguisher: string;
  readonly work: Work;
  readonly maxSeats: number;
  /** Milliseconds, monotonic. */
  readonly arrivedAt: number;
  startedAt = 0;
  state: 'waiting' | 'running' | 'refused' | 'finished' = 'waiting';
  refusal: Refusal | undefined;
  queue: Queue | undefined;
  /** The level's virtual time when it came. */
  arrivedVirtually = 0;
  /** Ends its waiting. */
  timer: Timer | undefined;
  /** Called when one that had to wait runs, or is refused. */
  onDecision: (() => void) | undefined;

  constructor(
    request: RequestAttributes,
    level: PriorityLevel,
    series: FlowSeries,
    schemaUid: string,
    distinguisher: string,
    work: Work,
    arrivedAt: number,
  ) {
    this.request = request;
    this.level = level;
    this.series = series;
    this.schemaUid = schemaUid;
    this.levelUid = level.config.metadata?.uid ?? '';
    this.distinguisher = distinguisher;
    this.work = work;
    this.maxSeats = Math.max(work.seats, work.finalSeats);
    this.arrivedAt = arrivedAt;
  }
}

/** Requests of a few flows, in the order of their coming. Kept while there are any. */
export class Queue {
  readonly index: number;
  readonly waiting = new Set<Ticket>();
  readonly running = new Set<Ticket>();
  /** Virtual time at which its next request starts: seats × milliseconds that it has had. */
  next: number;
  waitingWork = 0;
  seatsInUse = 0;

  constructor(index: number, next: number) {
    this.index = index;
    this.next = next;
  }
}

/**
 * The requests of one priority level: how many seats they hold, and which of those that wait comes next. Fair queuing as KEP-1040 has it:
 * the queues share the seats alike, by the work that they have been given, whatever is asked of each. Nothing here waits or calls back;
 * who is let in is told through `decided`.
 */
export class PriorityLevel {
  readonly name: string;
  /** The API object, or the mandatory one that stands in for it. */
  config: PriorityLevelConfiguration;
  limits: SeatLimits = { nominal: 0, least: 0, most: 0 };
  /** Seats it may give at present. */
  limit = 0;
  /** Whether its object is gone: it ends when its requests have. */
  quiescing = false;
  readonly demand: DemandMeter;
  /** Demand in the period before the last adjustment. */
  lastDemand: DemandSummary = { average: 0, deviation: 0, highest: 0 };
  /** Smoothed demand: what borrowing goes by. */
  smoothed = 0;
  /** The seats that the last adjustment aimed at. */
  target = 0;
  readonly retryAfter = new RetryAfter();
  waiting = 0;
  waitingSeats = 0;
  executing = 0;
  seatsInUse = 0;
  dispatched = 0;
  refused = 0;
  timedOut = 0;
  cancelled = 0;
  /** Those that run without having come through a queue. */
  readonly queueless = new Set<Ticket>();
  readonly #queues = new Map<number, Queue>();
  readonly #decided: (ticket: Ticket) => void;
  #virtualTime = 0;
  #virtualAt: number;
  #deals = 0;

  constructor(config: PriorityLevelConfiguration, now: number, decided: (ticket: Ticket) => void) {
    this.name = config.metadata?.name ?? '';
    this.config = config;
    this.demand = new DemandMeter(now);
    this.#virtualAt = now;
    this.#decided = decided;
  }

  get exempt(): boolean {
    return this.config.spec?.type === 'Exempt';
  }

  /** Seats that one request may take at most. */
  get maxSeats(): number {
    const hand = this.config.spec?.limited?.limitResponse?.queuing?.handSize;
    if (hand === undefined) return Number.POSITIVE_INFINITY;
    const { nominal } = this.limits;
    return Math.max(1, Math.min(Math.ceil(nominal * MAX_SEATS_FRACTION), Math.floor(nominal / hand)));
  }

  get idle(): boolean {
    return this.waiting === 0 && this.executing === 0;
  }

  /** Queues with something in them. */
  queues(): Iterable<Queue> {
    return this.#queues.values();
  }

  /** One comes. It runs, waits or is refused when this returns. `hand`: the queues it may join; undefined where there are none. */
  arrive(ticket: Ticket, hand: readonly number[] | undefined, now: number): void {
    this.#advance(now);
    if (hand === undefined) {
      if (this.exempt || this.#fits(ticket.maxSeats)) this.#start(ticket, undefined, now);
      else this.#refuse(ticket, 'concurrency-limit');
      return;
    }
    const queue = this.#shortest(hand);
    if (this.waiting === 0 && this.seatsInUse < this.limit && this.#fits(ticket.maxSeats)) {
      // Nobody is before it, and there is room: as if it had been enqueued and dispatched at once.
      ticket.series.queueLength.observe(1);
      this.#start(ticket, queue, now);
      return;
    }
    const { queueLengthLimit = 0 } = this.config.spec?.limited?.limitResponse?.queuing ?? {};
    if (this.seatsInUse >= this.limit && queue.waiting.size >= queueLengthLimit) {
      this.#forgetIfEmpty(queue);
      this.#refuse(ticket, 'queue-full');
      return;
    }
    this.#enqueue(ticket, queue, now);
    this.#dispatch(now);
  }

  /** One that ran has come to its end; its seats may be held for what follows. */
  finish(ticket: Ticket, now: number): void {
    this.#advance(now);
    const { queue, series } = ticket;
    this.executing--;
    series.executing--;
    if (queue === undefined) this.queueless.delete(ticket);
    else {
      queue.running.delete(ticket);
      queue.next -= ticket.work.seats * (EXPECTED_SERVICE_MS - (now - ticket.startedAt));
      bound(queue);
      this.#forgetIfEmpty(queue);
    }
    if (ticket.work.finalMs === 0) this.release(ticket, now);
  }

  /** Gives back the seats of one that has finished. */
  release(ticket: Ticket, now: number): void {
    this.#advance(now);
    const { maxSeats, queue } = ticket;
    this.seatsInUse -= maxSeats;
    ticket.series.executingSeats -= maxSeats;
    if (queue !== undefined) queue.seatsInUse -= maxSeats;
    this.demand.set(this.seatsInUse + this.waitingSeats, now);
    if (this.waiting > 0) this.#dispatch(now);
  }

  /** One that waits waits no more: its time is over, or its client is gone. */
  giveUp(ticket: Ticket, reason: 'time-out' | 'cancelled', now: number): void {
    this.#advance(now);
    const { queue } = ticket;
    if (queue?.waiting.has(ticket) !== true) return;
    this.#leave(ticket, queue);
    bound(queue);
    this.#forgetIfEmpty(queue);
    if (reason === 'time-out') this.timedOut++;
    else this.cancelled++;
    this.#refuse(ticket, reason);
    this.demand.set(this.seatsInUse + this.waitingSeats, now);
  }

  /** Takes up a changed limit: there may be room for some that wait. */
  setLimit(limit: number, now: number): void {
    this.#advance(now);
    this.limit = limit;
    this.#dispatch(now);
  }

  /** Virtual time goes on by the seats that an active queue gets. */
  #advance(now: number): void {
    const passed = now - this.#virtualAt;
    if (passed <= 0) return;
    this.#virtualAt = now;
    const active = this.#queues.size;
    if (active > 0) this.#virtualTime += (Math.min(this.seatsInUse + this.waitingSeats, this.limit) / active) * passed;
  }

  #fits(seats: number): boolean {
    // One that is wider than the level may run alone.
    return seats > this.limit ? this.executing === 0 : this.seatsInUse + seats <= this.limit;
  }

  /** The queue of the hand with the least work waiting; the first one is another each time. */
  #shortest(hand: readonly number[]): Queue {
    const offset = this.#deals++ % hand.length;
    let best = hand[offset]!;
    if (this.waiting > 0) {
      let least = Number.POSITIVE_INFINITY;
      for (let i = 0; i < hand.length; i++) {
        const index = hand[(offset + i) % hand.length]!;
        const work = this.#queues.get(index)?.waitingWork ?? 0;
        if (work < least) {
          least = work;
          best = index;
        }
      }
    }
    let queue = this.#queues.get(best);
    if (queue === undefined) this.#queues.set(best, (queue = new Queue(best, this.#virtualTime)));
    return queue;
  }

  #forgetIfEmpty(queue: Queue): void {
    if (queue.waiting.size === 0 && queue.running.size === 0) this.#queues.delete(queue.index);
  }

  #enqueue(ticket: Ticket, queue: Queue, now: number): void {
    const { series, maxSeats } = ticket;
    ticket.queue = queue;
    ticket.arrivedVirtually = this.#virtualTime;
    queue.waiting.add(ticket);
    queue.waitingWork += workOf(ticket);
    bound(queue);
    this.waiting++;
    this.waitingSeats += maxSeats;
    series.waiting++;
    series.waitingSeats += maxSeats;
    series.queueLength.observe(queue.waiting.size);
    this.demand.set(this.seatsInUse + this.waitingSeats, now);
  }

  #leave(ticket: Ticket, queue: Queue): void {
    const { series, maxSeats } = ticket;
    queue.waiting.delete(ticket);
    queue.waitingWork -= workOf(ticket);
    this.waiting--;
    this.waitingSeats -= maxSeats;
    series.waiting--;
    series.waitingSeats -= maxSeats;
  }

  #dispatch(now: number): void {
    while (this.waiting > 0 && this.seatsInUse < this.limit) {
      let best: Queue | undefined;
      let ticket: Ticket | undefined;
      let soonest = Number.POSITIVE_INFINITY;
      for (const queue of this.#queues.values()) {
        const first = oldest(queue);
        if (first === undefined) continue;
        const end = queue.next + workOf(first);
        if (end < soonest) {
          soonest = end;
          best = queue;
          ticket = first;
        }
      }
      if (best === undefined || ticket === undefined) return;
      if (!this.#fits(ticket.maxSeats)) {
        ticket.series.notAccommodated++;
        return;
      }
      this.#leave(ticket, best);
      // Among equals the one that has waited longest for its turn is first: this one goes to the end.
      this.#queues.delete(best.index);
      this.#queues.set(best.index, best);
      this.#start(ticket, best, now);
      bound(best);
      this.#decided(ticket);
    }
  }

  #start(ticket: Ticket, queue: Queue | undefined, now: number): void {
    const { series, maxSeats } = ticket;
    ticket.state = 'running';
    ticket.startedAt = now;
    ticket.queue = queue;
    this.executing++;
    this.dispatched++;
    this.seatsInUse += maxSeats;
    series.executing++;
    series.executingSeats += maxSeats;
    if (queue === undefined) this.queueless.add(ticket);
    else {
      queue.running.add(ticket);
      queue.seatsInUse += maxSeats;
      queue.next += workOf(ticket);
    }
    this.demand.set(this.seatsInUse + this.waitingSeats, now);
  }

  #refuse(ticket: Ticket, reason: Refusal): void {
    ticket.state = 'refused';
    ticket.refusal = reason;
    ticket.series.refuse(reason);
    this.refused++;
  }
}

const workOf = ({ work }: Ticket): number => work.seats * EXPECTED_SERVICE_MS + work.finalSeats * work.finalMs;

const oldest = (queue: Queue): Ticket | undefined => queue.waiting.values().next().value;

/** A queue does not save up for later what it did not use: its next request starts no sooner than it came. */
function bound(queue: Queue): void {
  const first = oldest(queue);
  if (first !== undefined && queue.next < first.arrivedVirtually) queue.next = first.arrivedVirtually;
}
