import type { Timer } from '../../util/clock.ts';
import type { RequestAttributes } from '../contract.ts';
import type { FlowSeries, Refusal } from './flow-series.ts';
import type { PriorityLevel, Queue } from './priority-level.ts';
import type { Work } from './work-estimate.ts';

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
