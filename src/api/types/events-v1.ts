// Generated from src/api/schema/facts.json by scripts/generate-types.ts. Do not edit.
import type { EventSource, ObjectReference } from './core-v1.ts';
import type { ListMeta, ObjectMeta } from './meta-v1.ts';

export interface Event {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly action?: string;
  readonly deprecatedCount?: number;
  readonly deprecatedFirstTimestamp?: string;
  readonly deprecatedLastTimestamp?: string;
  readonly deprecatedSource?: EventSource;
  readonly eventTime: string;
  readonly metadata?: ObjectMeta;
  readonly note?: string;
  readonly reason?: string;
  readonly regarding?: ObjectReference;
  readonly related?: ObjectReference;
  readonly reportingController?: string;
  readonly reportingInstance?: string;
  readonly series?: EventSeries;
  readonly type?: string;
}

export interface EventList {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly items: readonly Event[];
  readonly metadata?: ListMeta;
}

export interface EventSeries {
  readonly count: number;
  readonly lastObservedTime: string;
}
