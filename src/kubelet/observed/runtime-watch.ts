import { type ContainerRuntime, RuntimeError, runtimeErrorCodes } from '../../runtime/contract.ts';
import { backoffDelay } from '../../util/backoff.ts';
import type { Clock, Timer } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import { goDuration } from '../containers/crash-backoff.ts';
import type { RuntimeCache } from './runtime-cache.ts';

/** How often the runtime is looked at while something runs there, and while nothing does. Milliseconds. */
const RELIST_MS = 1000;
const IDLE_RELIST_MS = 10_000;
/** With events from the runtime a look is only insurance. Milliseconds. */
const EVENTED_RELIST_MS = 20_000;
/** Without a look for so long the node is not ready. Milliseconds. */
const RELIST_THRESHOLD_MS = 180_000;
/** A stream of events that has lived this long works. Milliseconds. */
const EVENTS_TRUSTED_MS = 3000;
/** Waits before each look for a container whose end was told: containerd tells of it before its CRI has taken note. Milliseconds. */
const END_LOOKS_MS = [0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
/** How long an end that was told but not found is looked for. Milliseconds. */
const UNSETTLED_MS = 60_000;
const RETRY = { initial: 100, max: 5000 } as const;

export interface RuntimeWatchOptions {
  readonly runtime: ContainerRuntime;
  readonly cache: RuntimeCache;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The runtime was seen for the first time, or again after it did not answer. */
  seen(): void;
}

/** Keeps the cache in step with the runtime: by its events where it has some, and by looking at everything from time to time. */
export class RuntimeWatch {
  readonly #options: RuntimeWatchOptions;
  #timer: Timer | undefined;
  #relisting = false;
  /** The runtime tells of what happens. */
  #evented = false;
  /** Monotonic time of the last look at everything. */
  #relistedAt: number | undefined;
  #failing = false;
  /** Containers whose end was told and is not to be seen yet, with the monotonic time of that. Until it is, the runtime is looked at often. */
  readonly #unsettled = new Map<string, number>();

  constructor(options: RuntimeWatchOptions) {
    this.#options = options;
  }

  /** Whether the runtime has been seen at least once. */
  get ready(): boolean {
    return this.#relistedAt !== undefined;
  }

  /** Why what is known of the runtime is too old to be trusted (genericPLEG.Healthy). */
  problems(): readonly string[] {
    if (this.#relistedAt === undefined) return [];
    const age = this.#options.clock.monotonic() - this.#relistedAt;
    if (age < RELIST_THRESHOLD_MS) return [];
    return [
      `PLEG is not healthy: pleg was last seen active ${goDuration(Math.round(age))} ago; threshold is ${goDuration(RELIST_THRESHOLD_MS)}`,
    ];
  }

  /** Waits for the runtime, and learns what it runs already. Resolves with its name. */
  async firstLook(signal: AbortSignal): Promise<string> {
    const { runtime, cache, clock, logger, seen } = this.#options;
    for (let failures = 0; ; ) {
      try {
        const { runtimeName } = await runtime.version(signal);
        await cache.relist(signal);
        this.#relistedAt = clock.monotonic();
        seen();
        return runtimeName;
      } catch (err) {
        signal.throwIfAborted();
        failures++;
        logger.warn({ err }, 'container runtime does not answer yet');
        await clock.sleep(backoffDelay(RETRY, failures), signal);
      }
    }
  }

  /** Watches until the signal. */
  start(signal: AbortSignal): void {
    signal.addEventListener('abort', () => this.#timer?.cancel(), { once: true });
    void this.#followEvents(signal);
    this.#schedule(signal, RELIST_MS);
  }

  #schedule(signal: AbortSignal, ms: number): void {
    if (signal.aborted) return;
    this.#timer = this.#options.clock.setTimer(ms, () => void this.#relist(signal));
  }

  async #relist(signal: AbortSignal): Promise<void> {
    const { cache, clock, logger, seen } = this.#options;
    if (this.#relisting || signal.aborted) return;
    this.#relisting = true;
    this.#timer?.cancel();
    let failed = false;
    try {
      await cache.relist(signal);
      this.#relistedAt = clock.monotonic();
      if (this.#failing) {
        this.#failing = false;
        seen();
      }
    } catch (err) {
      failed = true;
      if (!signal.aborted && !this.#failing) logger.warn({ err }, 'could not list what the container runtime runs');
      this.#failing = true;
    } finally {
      this.#relisting = false;
    }
    this.#schedule(signal, failed ? RELIST_MS : this.#pause());
  }

  #pause(): number {
    const { cache, clock } = this.#options;
    for (const [id, since] of this.#unsettled) {
      if (cache.hasEnded(id) || clock.monotonic() - since > UNSETTLED_MS) this.#unsettled.delete(id);
    }
    if (this.#unsettled.size > 0) return RELIST_MS;
    if (this.#evented) return EVENTED_RELIST_MS;
    return cache.alive === 0 ? IDLE_RELIST_MS : RELIST_MS;
  }

  /** Where the runtime tells of changes, they are looked at when told. */
  async #followEvents(signal: AbortSignal): Promise<void> {
    const { runtime, clock, logger } = this.#options;
    for (let failures = 0; !signal.aborted; ) {
      // A stream says nothing when it opens: one that has not failed by now is believed, and the next relist covers what came before.
      const trust = clock.setTimer(EVENTS_TRUSTED_MS, () => {
        this.#evented = true;
      });
      try {
        for await (const event of runtime.containerEvents(signal)) {
          failures = 0;
          // What this kubelet starts it looks at itself.
          if (event.type === 'STOPPED') void this.#sawEnd(event.containerId, event.podUid, signal);
        }
      } catch (err) {
        if (signal.aborted) return;
        if (err instanceof RuntimeError && err.code === runtimeErrorCodes.unimplemented) return;
        logger.debug({ err }, 'container events ended');
      } finally {
        trust.cancel();
        this.#evented = false;
      }
      failures++;
      await clock.sleep(backoffDelay(RETRY, failures), signal).catch(() => undefined);
      void this.#relist(signal);
    }
  }

  /** A container or sandbox has ended: looks until the runtime's lists say so too. */
  async #sawEnd(id: string, podUid: string, signal: AbortSignal): Promise<void> {
    const { cache, clock, logger } = this.#options;
    let known = false;
    try {
      for (const wait of END_LOOKS_MS) {
        await clock.sleep(wait, signal);
        const uid = cache.ownerOf(id) ?? podUid;
        if (uid !== '' && !cache.hasEnded(id)) await cache.refresh(uid, signal);
        // One that was there and is not any more has been removed.
        if (cache.hasEnded(id) || (known && cache.ownerOf(id) === undefined)) return;
        known ||= cache.ownerOf(id) !== undefined;
      }
    } catch (err) {
      if (signal.aborted) return;
      logger.debug({ err, id }, 'refresh after an event failed');
    }
    this.#unsettled.set(id, clock.monotonic());
    void this.#relist(signal);
  }
}
