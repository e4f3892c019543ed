import { Histogram } from '../http/histogram.ts';

const WAIT_BUCKETS = [0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30];
const QUEUE_BUCKETS = [0, 10, 25, 50, 100, 250, 500, 1000];
const SEAT_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 100];
const WATCH_BUCKETS = [0, 1, 10, 100, 1000, 10_000];

/** Why a request was turned away, as the metric says it. */
export type Refusal = 'concurrency-limit' | 'queue-full' | 'time-out' | 'cancelled';

/** What is counted of one flow schema's requests at one priority level. Outlives the objects that it is named for. */
export class FlowSeries {
  readonly level: string;
  readonly schema: string;
  readonly labels: string;
  dispatched = 0;
  readonly refused = new Map<Refusal, number>();
  waiting = 0;
  waitingSeats = 0;
  executing = 0;
  executingSeats = 0;
  notAccommodated = 0;
  readonly queueLength = new Histogram(QUEUE_BUCKETS);
  readonly waitedAndRan = new Histogram(WAIT_BUCKETS);
  readonly waitedInVain = new Histogram(WAIT_BUCKETS);
  readonly ran = new Histogram(WAIT_BUCKETS);
  readonly watchStarts = new Histogram(WAIT_BUCKETS);
  readonly seats = new Histogram(SEAT_BUCKETS);
  readonly watchers = new Histogram(WATCH_BUCKETS);

  constructor(level: string, schema: string) {
    this.level = level;
    this.schema = schema;
    this.labels = `flow_schema="${schema}",priority_level="${level}"`;
  }

  refuse(reason: Refusal): void {
    this.refused.set(reason, (this.refused.get(reason) ?? 0) + 1);
  }
}
