import { formatTime } from '../api/meta/time.ts';
import type { Event, ObjectReference } from '../api/types/core-v1.ts';
import type { Clock } from '../util/clock.ts';

/** client-go's record.CorrelatorOptions, at their defaults. */
const CACHE_SIZE = 4096;
const SPAM_BURST = 25;
const SPAM_REFILL_MS = 300_000;
const AGGREGATE_AFTER = 10;
const AGGREGATE_WINDOW_MS = 600_000;

/** A map that forgets what was used longest ago. */
class LruMap<V> {
  readonly #entries = new Map<string, V>();
  get(key: string): V | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, value);
    }
    return value;
  }
  set(key: string, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= CACHE_SIZE) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }
}

interface Seen {
  readonly count: number;
  readonly firstTimestamp: string;
  readonly name: string;
  readonly resourceVersion: string;
}

/** What to do about an observed event: nothing, create it, or raise the count of one already there. */
export type Correlation =
  | { readonly action: 'skip' }
  | { readonly action: 'create' | 'patch'; readonly key: string; readonly event: Event };

/**
 * Decides how repeated events are written, as client-go's EventCorrelator: an equal one raises a count, ten different ones alike but for the
 * message become one "combined" event, and more than 25 about one object from one source are held to one in five minutes.
 */
export class EventCorrelator {
  readonly #clock: Clock;
  readonly #spam = new LruMap<{ tokens: number; at: number }>();
  readonly #similar = new LruMap<{ messages: Set<string>; at: number }>();
  readonly #seen = new LruMap<Seen>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  correlate(event: Event): Correlation {
    const { event: aggregated, key } = this.#aggregate(event);
    const known = this.#seen.get(key);
    const observed: Event =
      known === undefined
        ? aggregated
        : {
            ...aggregated,
            metadata: { ...aggregated.metadata, name: known.name, resourceVersion: known.resourceVersion },
            firstTimestamp: known.firstTimestamp,
            count: known.count + 1,
          };
    this.#remember(key, observed);
    if (this.#isSpam(event)) return { action: 'skip' };
    return { action: known === undefined ? 'create' : 'patch', key, event: observed };
  }

  /** The server's answer: the next repeat patches this object. */
  recorded(key: string, event: Event): void {
    this.#remember(key, event);
  }

  #remember(key: string, event: Event): void {
    this.#seen.set(key, {
      count: event.count ?? 1,
      firstTimestamp: event.firstTimestamp ?? '',
      name: event.metadata.name ?? '',
      resourceVersion: event.metadata.resourceVersion ?? '',
    });
  }

  #aggregate(event: Event): { readonly event: Event; readonly key: string } {
    const now = this.#clock.now();
    const key = `${sourceKey(event)}\0${event.reason}\0${event.reportingComponent ?? ''}\0${event.reportingInstance ?? ''}`;
    let record = this.#similar.get(key);
    if (record === undefined || now - record.at > AGGREGATE_WINDOW_MS) record = { messages: new Set(), at: now };
    record.messages.add(event.message ?? '');
    record.at = now;
    this.#similar.set(key, record);
    if (record.messages.size < AGGREGATE_AFTER) return { event, key: `${sourceKey(event)}\0${event.reason}\0${event.message}` };
    for (const message of record.messages) {
      record.messages.delete(message);
      break;
    }
    const time = formatTime(now);
    return {
      key,
      event: {
        ...event,
        metadata: { name: eventName(event.involvedObject.name ?? '', now), namespace: event.metadata.namespace! },
        message: `(combined from similar events): ${event.message}`,
        count: 1,
        firstTimestamp: time,
        lastTimestamp: time,
      },
    };
  }

  #isSpam(event: Event): boolean {
    const key = sourceKey(event);
    const now = this.#clock.now();
    const bucket = this.#spam.get(key) ?? { tokens: SPAM_BURST, at: now };
    bucket.tokens = Math.min(SPAM_BURST, bucket.tokens + (now - bucket.at) / SPAM_REFILL_MS);
    bucket.at = now;
    const spam = bucket.tokens < 1;
    if (!spam) bucket.tokens -= 1;
    this.#spam.set(key, bucket);
    return spam;
  }
}

/** Upstream's name of an event: the object's name and the time in hexadecimal nanoseconds. */
export function eventName(objectName: string, nowMs: number, extraNanos = 0): string {
  return `${objectName}.${(BigInt(Math.floor(nowMs)) * 1_000_000n + BigInt(extraNanos)).toString(16)}`;
}

function sourceKey(event: Event): string {
  const o: ObjectReference = event.involvedObject;
  const fieldPath = o.fieldPath ?? '';
  return `${event.source?.component ?? ''}\0${event.source?.host ?? ''}\0${o.kind}\0${o.namespace ?? ''}\0${o.name}\0${fieldPath}\0${o.uid ?? ''}\0${o.apiVersion}\0${event.type}`;
}
