import { mandatoryLevels, mandatorySchemas } from '../../api/groups/flowcontrol/bootstrap-configuration.ts';
import { byPrecedence } from '../../api/groups/flowcontrol/flow-schema.ts';
import type { UserInfo } from '../../api/request.ts';
import type { FlowSchema, PolicyRulesWithSubjects, PriorityLevelConfiguration } from '../../api/types/flowcontrol-v1.ts';
import type { Clock, Timer } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import type { ApiAccess, RequestAttributes, ResourceView } from '../contract.ts';
import { REQUEST_TIMEOUT_MS } from '../http/request-timeout.ts';
import { type Claimant, fairProportion, seatLimits, shareAt } from './allocation.ts';
import { BootstrapKeeper } from './bootstrap-keeper.ts';
import { DanglingConditions } from './dangling-conditions.ts';
import { FlowSeries } from './flow-series.ts';
import { rulesFor, rulesMatch } from './matching.ts';
import { PriorityLevel, Ticket } from './priority-level.ts';
import { dealHand, hashFlow } from './shuffle-sharding.ts';
import { WatcherCounts } from './watcher-counts.ts';
import { estimateWork } from './work-estimate.ts';

export const FLOW_CONTROL_GROUP = 'flowcontrol.apiserver.k8s.io';
const CATCH_ALL = 'catch-all';
/** Seats of the whole server: upstream's --max-requests-inflight and --max-mutating-requests-inflight together. */
const SERVER_SEATS = 600;
/** How often seats are lent anew. */
const ADJUSTMENT_MS = 10_000;
/** Halves a demand that is gone in five minutes. */
const SMOOTHING = 0.977;
/** A request waits in a queue for at most this part of the time it has. */
const MAX_WAIT_PART = 1 / 4;
/** Flows whose hands are remembered, for each schema. Dealing one takes microseconds, not more. */
const MAX_HANDS = 4_096;
/** Pairs of schema and level that are counted: a guard against objects that are made and deleted without end. */
const MAX_SERIES = 5_000;

/** A schema as it is matched, with the level it leads to. */
interface Flow {
  readonly schema: FlowSchema;
  readonly uid: string;
  readonly level: PriorityLevel;
  readonly series: FlowSeries;
  readonly distinguish: string | undefined;
  /** How hands are dealt; undefined where there are no queues. */
  readonly deal: { readonly queues: number; readonly handSize: number } | undefined;
  readonly hands: Map<string, readonly number[]>;
}

/** A flow that may be a user's, with the rules that name them. */
interface UserFlow {
  readonly flow: Flow;
  readonly rules: readonly PolicyRulesWithSubjects[];
}

export interface FlowControlOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Seats of the whole server. */
  readonly seats?: number;
}

/**
 * API Priority and Fairness (KEP-1040): flow schemas tell which priority level a request belongs to, levels how many are worked on at a
 * time, and in what order the others wait. Where nobody waits a request costs a look at its user's schemas and a few counters.
 */
export class FlowControl {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #seats: number;
  readonly #watchers = new WatcherCounts();
  readonly #series = new Map<string, FlowSeries>();
  #levels = new Map<string, PriorityLevel>();
  #flows: readonly Flow[] = [];
  #byUser = new WeakMap<UserInfo, readonly UserFlow[]>();
  #fairFraction = 0;
  #schemaView: ResourceView<FlowSchema> | undefined;
  #levelView: ResourceView<PriorityLevelConfiguration> | undefined;
  #conditions: DanglingConditions | undefined;
  #digestScheduled = false;
  #stopped = false;
  #objects: (request: RequestAttributes) => number | undefined = () => undefined;

  constructor({ clock, logger, seats = SERVER_SEATS }: FlowControlOptions) {
    this.#clock = clock;
    this.#logger = logger;
    this.#seats = seats;
    this.#digest();
  }

  /** How many objects of the type there are that a request is for; what lists are estimated by. */
  countObjectsBy(objects: (request: RequestAttributes) => number | undefined): void {
    this.#objects = objects;
  }

  /**
   * Begins to follow the configuration in the API, and to keep up what there has to be. Resolves when the bootstrap objects are there.
   * Rejects when they cannot be written.
   */
  async start(access: ApiAccess, signal: AbortSignal): Promise<void> {
    this.#schemaView = access.view<FlowSchema>(FLOW_CONTROL_GROUP, 'flowschemas');
    this.#levelView = access.view<PriorityLevelConfiguration>(FLOW_CONTROL_GROUP, 'prioritylevelconfigurations');
    this.#conditions = new DanglingConditions(access);
    this.#schemaView?.watch(this.#changed, signal);
    this.#levelView?.watch(this.#changed, signal);
    this.#digest();
    let timer: Timer;
    const adjust = (): void => {
      this.#adjust();
      timer = this.#clock.setTimer(ADJUSTMENT_MS, adjust);
    };
    timer = this.#clock.setTimer(ADJUSTMENT_MS, adjust);
    signal.addEventListener('abort', () => {
      this.#stopped = true;
      timer.cancel();
    });
    await new BootstrapKeeper(access).start(signal);
    // What was written just now is heeded by the first request already.
    this.#digest();
  }

  /**
   * A request comes: it runs, waits or is refused when this returns. `now` is monotonic, `timeout` the time it has in milliseconds. Whoever
   * runs is followed by `finish`.
   */
  arrive(request: RequestAttributes, query: URLSearchParams | undefined, now: number, timeout = REQUEST_TIMEOUT_MS): Ticket {
    const { schema, uid, level, series, distinguish, deal, hands } = this.#classify(request);
    let distinguisher = '';
    let hand: readonly number[] | undefined;
    if (deal !== undefined) {
      distinguisher = distinguish === 'ByUser' ? request.user.name : distinguish === 'ByNamespace' ? request.namespace : '';
      hand = hands.get(distinguisher);
      if (hand === undefined) {
        hand = dealHand(hashFlow(schema.metadata?.name ?? '', distinguisher), deal.queues, deal.handSize);
        if (hands.size >= MAX_HANDS) hands.clear();
        hands.set(distinguisher, hand);
      }
    }
    const watchers = level.exempt ? 0 : this.#watchersOf(request, series);
    const work = level.exempt
      ? EXEMPT_WORK
      : estimateWork(request, { query, objects: this.#objectsOf(request), watchers, maxSeats: level.maxSeats });
    const ticket = new Ticket(request, level, series, uid, distinguisher, work, now);
    series.seats.observe(ticket.maxSeats);
    level.arrive(ticket, hand, now);
    if (ticket.state === 'running') this.#ran(ticket, now);
    else if (ticket.state === 'refused') this.#refused(ticket, now);
    else ticket.timer = this.#clock.setTimer(timeout * MAX_WAIT_PART, () => this.giveUp(ticket, 'time-out'));
    return ticket;
  }

  /** One that ran is done, or, for a watch, has begun to follow. Does nothing the second time. */
  finish(ticket: Ticket, now: number): void {
    if (ticket.state !== 'running') return;
    ticket.state = 'finished';
    const { level, series, work } = ticket;
    const kind = ticket.request.verb === 'watch' ? series.watchStarts : series.ran;
    kind.observe((now - ticket.startedAt) / 1000);
    level.finish(ticket, now);
    if (work.finalMs > 0) {
      this.#clock.setTimer(work.finalMs, () => {
        level.release(ticket, this.#clock.monotonic());
        this.#reap(level);
      });
    } else if (level.quiescing) this.#reap(level);
  }

  /** One that waits is refused. Does nothing for others. */
  giveUp(ticket: Ticket, reason: 'time-out' | 'cancelled'): void {
    if (ticket.state !== 'waiting') return;
    const now = this.#clock.monotonic();
    ticket.timer?.cancel();
    ticket.level.giveUp(ticket, reason, now);
    this.#refused(ticket, now);
    this.#reap(ticket.level);
    ticket.onDecision?.();
  }

  /** Somebody watches from here on: writes of what they watch cost more. Gives what ends it. */
  watching(request: RequestAttributes): () => void {
    return this.#watchers.add(request);
  }

  /** Seconds after which one that was refused should try again. */
  retryAfter(ticket: Ticket): number {
    return ticket.level.retryAfter.seconds;
  }

  /** For metrics and dumps. */
  levels(): readonly PriorityLevel[] {
    return [...this.#levels.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  series(): Iterable<FlowSeries> {
    return this.#series.values();
  }

  get fairFraction(): number {
    return this.#fairFraction;
  }

  /** Which schema and level a request belongs to, by their names. */
  classify(request: RequestAttributes): { readonly schema: string; readonly level: string } {
    const { schema, level } = this.#classify(request);
    return { schema: schema.metadata?.name ?? '', level: level.name };
  }

  #classify(request: RequestAttributes): Flow {
    const { user } = request;
    let flows = this.#byUser.get(user);
    if (flows === undefined) {
      flows = this.#flows.flatMap((flow) => {
        const rules = rulesFor(flow.schema, user);
        return rules.length === 0 ? [] : [{ flow, rules }];
      });
      this.#byUser.set(user, flows);
    }
    for (const { flow, rules } of flows) if (rulesMatch(rules, request)) return flow;
    // Users who are neither authenticated nor anonymous; there are none but in tests.
    return this.#flows.find((flow) => flow.schema.metadata?.name === CATCH_ALL)!;
  }

  #watchersOf(request: RequestAttributes, series: FlowSeries): number {
    switch (request.verb) {
      case 'create':
      case 'update':
      case 'patch':
      case 'delete': {
        const count = this.#watchers.of(request);
        series.watchers.observe(count);
        return count;
      }
      default:
        return 0;
    }
  }

  #objectsOf(request: RequestAttributes): number | undefined {
    return request.verb === 'list' || request.verb === 'watch' ? this.#objects(request) : undefined;
  }

  #ran(ticket: Ticket, now: number): void {
    ticket.series.dispatched++;
    if (!ticket.level.exempt) ticket.series.waitedAndRan.observe((now - ticket.arrivedAt) / 1000);
  }

  #refused(ticket: Ticket, now: number): void {
    ticket.series.waitedInVain.observe((now - ticket.arrivedAt) / 1000);
    ticket.level.retryAfter.refused(now);
  }

  /** Called from inside of a level's work: who was let in goes on in a later turn, as its work may end others. */
  readonly #decided = (ticket: Ticket): void => {
    ticket.timer?.cancel();
    this.#ran(ticket, ticket.startedAt);
    setImmediate(() => ticket.onDecision?.());
  };

  readonly #changed = (): void => {
    if (this.#digestScheduled) return;
    this.#digestScheduled = true;
    setImmediate(() => {
      this.#digestScheduled = false;
      if (!this.#stopped) this.#digest();
    });
  };

  #reap(level: PriorityLevel): void {
    if (level.quiescing && level.idle) this.#changed();
  }

  /** Takes up the objects as they are now. Levels that are gone end when their requests have. */
  #digest(): void {
    const now = this.#clock.monotonic();
    const configs = withMandatory([...(this.#levelView?.list() ?? [])].filter(isWellFormed), mandatoryLevels);
    const levels = new Map<string, PriorityLevel>();
    for (const config of configs) {
      const name = config.metadata?.name ?? '';
      const level = this.#levels.get(name) ?? new PriorityLevel(config, now, this.#decided);
      level.config = config;
      level.quiescing = false;
      levels.set(name, level);
    }
    const desired = new Set(levels.keys());
    for (const [name, level] of this.#levels) {
      if (levels.has(name) || level.idle) continue;
      level.quiescing = true;
      levels.set(name, level);
    }
    const shares = [...levels.values()].reduce((sum, level) => sum + sharesOf(level.config), 0);
    for (const level of levels.values()) {
      const { lendablePercent = 0, borrowingLimitPercent } = bounds(level.config);
      level.limits = seatLimits(sharesOf(level.config), lendablePercent, borrowingLimitPercent, shares, this.#seats);
    }
    this.#levels = levels;
    const schemas = [...(this.#schemaView?.list() ?? [])];
    this.#flows = withMandatory(schemas, mandatorySchemas)
      .filter((schema) => desired.has(schema.spec?.priorityLevelConfiguration.name ?? ''))
      .sort(byPrecedence)
      .map((schema) => this.#flow(schema, levels.get(schema.spec?.priorityLevelConfiguration.name ?? '')!));
    this.#byUser = new WeakMap();
    this.#lend(now);
    this.#conditions
      ?.maintain(schemas, desired)
      .catch((err: unknown) => this.#logger.warn({ err }, 'conditions of flow schemas could not be written'));
  }

  #flow(schema: FlowSchema, level: PriorityLevel): Flow {
    const queuing = level.config.spec?.limited?.limitResponse?.queuing;
    const { queues = 0, handSize = 0 } = queuing ?? {};
    return {
      schema,
      uid: schema.metadata?.uid ?? '',
      level,
      series: this.#seriesOf(level.name, schema.metadata?.name ?? ''),
      distinguish: schema.spec?.distinguisherMethod?.type,
      deal: queues > 0 && handSize > 0 ? { queues, handSize } : undefined,
      hands: new Map(),
    };
  }

  #seriesOf(level: string, schema: string): FlowSeries {
    const key = `${level}/${schema}`;
    let series = this.#series.get(key);
    if (series === undefined) {
      series = new FlowSeries(level, schema);
      if (this.#series.size < MAX_SERIES) this.#series.set(key, series);
    }
    return series;
  }

  /** Every ten seconds: what was not written is tried again, and seats go where they were asked for. */
  #adjust(): void {
    const now = this.#clock.monotonic();
    for (const level of this.#levels.values()) {
      const { average, deviation, highest } = level.demand.take(now);
      const envelope = average + deviation;
      level.smoothed = Math.max(envelope, SMOOTHING * level.smoothed + (1 - SMOOTHING) * envelope);
      level.lastDemand = { average, deviation, highest };
    }
    this.#lend(now);
    if (this.#conditions?.behind === true) this.#changed();
  }

  /** Gives every level its limit: at least what it may keep and has used, at most what it may borrow, and shares of the rest by demand. */
  #lend(now: number): void {
    const claims = new Map<PriorityLevel, Claimant>();
    let total = 0;
    let least = 0;
    let wanted = 0;
    let exempted = 0;
    for (const level of this.#levels.values()) {
      const { limits, lastDemand, smoothed } = level;
      total += limits.nominal;
      if (level.exempt) {
        const limit = Math.max(limits.least, lastDemand.highest);
        exempted += limit;
        level.setLimit(limit, now);
        continue;
      }
      const floor = Math.max(limits.least, Math.min(limits.nominal, lastDemand.highest));
      claims.set(level, { least: floor, most: limits.most, target: Math.max(floor, smoothed) });
      least += limits.least;
      wanted += floor;
    }
    const left = total - exempted;
    this.#fairFraction = left > wanted ? fairProportion(total, [...claims.values()]) : 0;
    for (const [level, claim] of claims) {
      let seats: number;
      if (left <= least) seats = level.limits.least;
      else if (left <= wanted) {
        seats = level.limits.least + Math.round(((claim.least - level.limits.least) * (left - least)) / (wanted - least));
      } else seats = Math.round(shareAt(claim, this.#fairFraction));
      level.target = claim.target;
      level.setLimit(seats, now);
    }
  }
}

const EXEMPT_WORK = { seats: 1, finalSeats: 0, finalMs: 0 } as const;

type Named = FlowSchema | PriorityLevelConfiguration;

/** The objects there are, and in place of mandatory ones that are missing what they must be. */
const withMandatory = <T extends Named>(objects: readonly T[], mandatory: readonly T[]): T[] => [
  ...objects,
  ...mandatory.filter((must) => !objects.some((object) => object.metadata?.name === must.metadata?.name)),
];

/** Objects that an older server let pass may not make sense; they are as if they were not there. */
function isWellFormed({ metadata, spec }: PriorityLevelConfiguration): boolean {
  if (spec === undefined) return false;
  const { type, limited, exempt } = spec;
  if ((type === 'Exempt') !== (metadata?.name === 'exempt') || (type === 'Exempt') !== (exempt !== undefined)) return false;
  if ((type === 'Limited') !== (limited !== undefined)) return false;
  return limited === undefined || (limited.limitResponse?.type === 'Queue') === (limited.limitResponse?.queuing !== undefined);
}

const sharesOf = ({ spec }: PriorityLevelConfiguration): number =>
  spec?.limited === undefined ? (spec?.exempt?.nominalConcurrencyShares ?? 0) : (spec.limited.nominalConcurrencyShares ?? 0);

const bounds = ({
  spec,
}: PriorityLevelConfiguration): { readonly lendablePercent?: number; readonly borrowingLimitPercent?: number } =>
  spec?.limited ?? spec?.exempt ?? {};
