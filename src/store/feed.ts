import type { StoreEvent, StoreWatchHandler } from './contract.ts';

interface Subscription {
  readonly handler: StoreWatchHandler;
  /** Events up to here are known to the watcher. */
  readonly after: number;
  readonly signal: AbortSignal;
}

/** The live watchers of a store, by prefix. Publishing is plain function calls; a watcher that throws is dropped and told. */
export class Feed {
  readonly #byPrefix = new Map<string, Set<Subscription>>();

  /** The watcher gets every event published from now on with a revision above `after`. */
  add(prefix: string, after: number, handler: StoreWatchHandler, signal: AbortSignal): void {
    let set = this.#byPrefix.get(prefix);
    if (set === undefined) this.#byPrefix.set(prefix, (set = new Set()));
    const subscription: Subscription = { handler, after, signal };
    const members = set;
    members.add(subscription);
    signal.addEventListener(
      'abort',
      () => {
        members.delete(subscription);
        if (members.size === 0 && this.#byPrefix.get(prefix) === members) this.#byPrefix.delete(prefix);
      },
      { once: true },
    );
  }

  /** Delivers the events of one revision. */
  publish(revision: number, events: readonly StoreEvent[]): void {
    for (const [prefix, set] of this.#byPrefix) {
      const matching = select(prefix, events);
      if (matching.length === 0) continue;
      for (const subscription of set) {
        if (revision <= subscription.after || subscription.signal.aborted) continue;
        try {
          subscription.handler.onEvents(matching);
        } catch (error) {
          set.delete(subscription);
          subscription.handler.onError(error instanceof Error ? error : new Error(String(error)));
        }
      }
    }
  }

  /** Tells every watcher that nothing is missing up to `revision`. */
  progress(revision: number): void {
    for (const set of this.#byPrefix.values()) {
      for (const { handler, after, signal } of set) if (revision > after && !signal.aborted) handler.onProgress?.(revision);
    }
  }

  /** Ends every watch with `error`. */
  fail(error: Error): void {
    const all = [...this.#byPrefix.values()].flatMap((set) => [...set]);
    this.#byPrefix.clear();
    for (const { handler, signal } of all) if (!signal.aborted) handler.onError(error);
  }

  /** Ends every watch without a word. */
  clear(): void {
    this.#byPrefix.clear();
  }
}

function select(prefix: string, events: readonly StoreEvent[]): readonly StoreEvent[] {
  if (events.length === 1) return events[0]!.key.startsWith(prefix) ? events : NO_EVENTS;
  return events.filter((event) => event.key.startsWith(prefix));
}

const NO_EVENTS: readonly StoreEvent[] = [];
