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
  /** How many prefixes have each length: those that a key may have are looked up, not all gone through. */
  readonly #lengths: number[] = [];

  /** The watcher gets every event published from now on with a revision above `after`. */
  add(prefix: string, after: number, handler: StoreWatchHandler, signal: AbortSignal): void {
    let set = this.#byPrefix.get(prefix);
    if (set === undefined) {
      this.#byPrefix.set(prefix, (set = new Set()));
      while (this.#lengths.length <= prefix.length) this.#lengths.push(0);
      this.#lengths[prefix.length]!++;
    }
    const subscription: Subscription = { handler, after, signal };
    const members = set;
    members.add(subscription);
    signal.addEventListener(
      'abort',
      () => {
        members.delete(subscription);
        if (members.size !== 0 || this.#byPrefix.get(prefix) !== members) return;
        this.#byPrefix.delete(prefix);
        this.#lengths[prefix.length]!--;
      },
      { once: true },
    );
  }

  /** Delivers the events of one revision. */
  publish(revision: number, events: readonly StoreEvent[]): void {
    if (events.length === 1) {
      const { key } = events[0]!;
      const longest = Math.min(key.length, this.#lengths.length - 1);
      for (let length = 0; length <= longest; length++) {
        if (this.#lengths[length] === 0) continue;
        const set = this.#byPrefix.get(key.slice(0, length));
        if (set !== undefined) deliver(set, revision, events);
      }
      return;
    }
    for (const [prefix, set] of this.#byPrefix) {
      const matching = events.filter((event) => event.key.startsWith(prefix));
      if (matching.length > 0) deliver(set, revision, matching);
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
    this.clear();
    for (const { handler, signal } of all) if (!signal.aborted) handler.onError(error);
  }

  /** Ends every watch without a word. */
  clear(): void {
    this.#byPrefix.clear();
    this.#lengths.length = 0;
  }
}

function deliver(set: Set<Subscription>, revision: number, events: readonly StoreEvent[]): void {
  for (const subscription of set) {
    if (revision <= subscription.after || subscription.signal.aborted) continue;
    try {
      subscription.handler.onEvents(events);
    } catch (error) {
      set.delete(subscription);
      subscription.handler.onError(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
