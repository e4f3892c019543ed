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
  /** Those of `#byPrefix` that do not end with a slash. The others are looked up by the slashes of a key, not all gone through. */
  readonly #odd = new Set<string>();

  /** The watcher gets every event published from now on with a revision above `after`. */
  add(prefix: string, after: number, handler: StoreWatchHandler, signal: AbortSignal): void {
    let set = this.#byPrefix.get(prefix);
    if (set === undefined) {
      this.#byPrefix.set(prefix, (set = new Set()));
      if (!prefix.endsWith('/')) this.#odd.add(prefix);
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
        this.#odd.delete(prefix);
      },
      { once: true },
    );
  }

  /** Delivers the events of one revision. */
  publish(revision: number, events: readonly StoreEvent[]): void {
    if (events.length === 1) {
      const { key } = events[0]!;
      for (let slash = key.indexOf('/'); slash >= 0; slash = key.indexOf('/', slash + 1)) {
        const set = this.#byPrefix.get(key.slice(0, slash + 1));
        if (set !== undefined) deliver(set, revision, events);
      }
      for (const prefix of this.#odd) if (key.startsWith(prefix)) deliver(this.#byPrefix.get(prefix)!, revision, events);
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
    this.#odd.clear();
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
