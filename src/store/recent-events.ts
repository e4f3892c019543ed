import type { StoreEvent, StoreWatchHandler } from './contract.ts';
import { Feed } from './feed.ts';

/** How many revisions are remembered, and how many bytes of values. */
const MAX_REVISIONS = 4_096;
const MAX_BYTES = 16 * 1024 * 1024;

interface Revision {
  readonly events: readonly StoreEvent[];
  readonly bytes: number;
}

/** A live feed that remembers its newest events, so that a watcher that starts a little late joins it without a gap. */
export class RecentEvents {
  readonly #feed = new Feed();
  #revisions: Revision[] = [];
  #bytes = 0;
  #start = 0;

  /** Every event after this revision is remembered. */
  get start(): number {
    return this.#start;
  }

  /** Forgets everything; `revision` is the newest known. */
  reset(revision: number): void {
    this.#revisions = [];
    this.#bytes = 0;
    this.#start = revision;
  }

  /** Forgets what is not after `revision`. */
  compact(revision: number): void {
    if (revision <= this.#start) return;
    this.#revisions = this.#revisions.filter(({ events }) => events[0]!.revision > revision);
    this.#bytes = this.#revisions.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#start = revision;
  }

  /** The events of one revision. */
  publish(events: readonly StoreEvent[]): void {
    if (events.length === 0) return;
    const bytes = events.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0);
    this.#revisions.push({ events, bytes });
    this.#bytes += bytes;
    if (this.#revisions.length > MAX_REVISIONS || this.#bytes > MAX_BYTES) this.#forget();
    this.#feed.publish(events[0]!.revision, events);
  }

  /** Drops a quarter at once: dropping one at a time would move all the others each time. */
  #forget(): void {
    const dropped = this.#revisions.splice(0, Math.ceil(this.#revisions.length / 4));
    for (const { bytes } of dropped) this.#bytes -= bytes;
    this.#start = dropped.at(-1)!.events[0]!.revision;
  }

  progress(revision: number): void {
    this.#feed.progress(revision);
  }

  /**
   * Lets a watcher in that knows everything up to `after`, which is not before `start`. What it missed is delivered in a later turn, and
   * in the same turn it goes live; `published` is how far the feed has come.
   */
  join(prefix: string, after: number, published: number, handler: StoreWatchHandler, signal: AbortSignal): void {
    if (after >= published) {
      this.#feed.add(prefix, after, handler, signal);
      return;
    }
    const missed = this.#revisions
      .filter(({ events }) => events[0]!.revision > after)
      .map(({ events }) => events.filter((event) => event.key.startsWith(prefix)))
      .filter((events) => events.length > 0);
    const held: (() => void)[] = [];
    let caughtUp = false;
    const later: StoreWatchHandler = {
      onEvents: (events) => (caughtUp ? handler.onEvents(events) : void held.push(() => handler.onEvents(events))),
      onProgress: (revision) =>
        caughtUp ? handler.onProgress?.(revision) : void held.push(() => handler.onProgress?.(revision)),
      onError: (error) => (caughtUp ? handler.onError(error) : void held.push(() => handler.onError(error))),
    };
    this.#feed.add(prefix, published, later, signal);
    queueMicrotask(() => {
      caughtUp = true;
      try {
        for (const events of missed) if (!signal.aborted) handler.onEvents(events);
        if (!signal.aborted) handler.onProgress?.(published);
        for (const call of held) if (!signal.aborted) call();
      } catch (error) {
        handler.onError(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  fail(error: Error): void {
    this.#feed.fail(error);
  }

  clear(): void {
    this.#feed.clear();
  }
}
