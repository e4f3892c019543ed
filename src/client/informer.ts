import type { KubernetesObject } from '../api/meta/object.ts';
import { isExpired, isNotFound } from '../api/meta/status.ts';
import { backoffDelay } from '../util/backoff.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import type { Random } from '../util/random.ts';
import type { Client, Informer, InformerFactory, InformerHandler, ResourceRef } from './contract.ts';
import { InformerCache } from './informer-cache.ts';

/** client-go's reflector: 800 ms doubling to 30 s, spread by as much again; forgotten after two quiet minutes. */
const BACKOFF = { initial: 800, max: 30_000, factor: 2, jitter: 1 };
const BACKOFF_RESET_MS = 120_000;
/** A watch is asked to end after 5 to 10 minutes, so that a dead connection is not trusted for ever. */
const MIN_WATCH_SECONDS = 300;

export interface InformerDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface InformerOptions {
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
  readonly namespace?: string;
  readonly metadataOnly?: boolean;
}

/** Makes a factory: one informer per type and selector, started together, ended by the signal given to `start`. */
export function createInformerFactory(client: Client, dependencies: InformerDependencies): InformerFactory {
  const informers = new Map<string, ReflectedInformer<KubernetesObject>>();
  let running: AbortSignal | undefined;
  return {
    informer<T extends KubernetesObject>(ref: ResourceRef<T>, options: InformerOptions = {}): Informer<T> {
      const { namespace = '', labelSelector = '', fieldSelector = '' } = options;
      const whole = `${ref.group}/${ref.version}/${ref.plural} ${namespace} ${labelSelector} ${fieldSelector}`;
      // Who keeps the whole objects keeps their metadata.
      const id = options.metadataOnly === true && !informers.has(whole) ? `${whole} metadata` : whole;
      let informer = informers.get(id);
      if (informer === undefined) {
        informer = new ReflectedInformer(client, ref as ResourceRef, options, dependencies);
        informers.set(id, informer);
        if (running !== undefined) informer.start(running);
      }
      return informer as unknown as Informer<T>;
    },
    start(signal) {
      running = signal;
      for (const informer of informers.values()) informer.start(signal);
    },
    async synced(signal) {
      await Promise.all([...informers.values()].map((informer) => informer.synced(signal)));
    },
  };
}

/** A cache of one type, kept in step by listing once and then watching. */
export class ReflectedInformer<T extends KubernetesObject> implements Informer<T> {
  readonly #client: Client;
  readonly #ref: ResourceRef<T>;
  readonly #options: InformerOptions;
  readonly #dependencies: InformerDependencies;
  readonly #logger: Logger;
  readonly #cache: InformerCache<T>;
  readonly #waiting: (() => void)[] = [];
  #started = false;
  #synced = false;
  /** Where the watch goes on; '' makes the next list a consistent read, '0' one from the server's cache. */
  #resourceVersion = '0';

  constructor(client: Client, ref: ResourceRef<T>, options: InformerOptions, dependencies: InformerDependencies) {
    this.#client = client;
    this.#ref = ref;
    this.#options = options;
    this.#dependencies = dependencies;
    this.#logger = dependencies.logger.child({ informer: ref.plural });
    this.#cache = new InformerCache(this.#logger);
  }

  get hasSynced(): boolean {
    return this.#synced;
  }
  get(key: string): T | undefined {
    return this.#cache.get(key);
  }
  list(namespace?: string): readonly T[] {
    return this.#cache.list(namespace);
  }
  byIndex(index: string, value: string): readonly T[] {
    return this.#cache.byIndex(index, value);
  }
  addHandler(handler: InformerHandler<T>): void {
    this.#cache.addHandler(handler);
  }
  addIndex(name: string, values: (object: T) => readonly string[]): void {
    this.#cache.addIndex(name, values);
  }

  synced(signal?: AbortSignal): Promise<void> {
    if (this.#synced) return Promise.resolve();
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = (): void => reject(signal?.reason);
      this.#waiting.push(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Begins to list and watch, once; later calls do nothing. */
  start(signal: AbortSignal): void {
    if (this.#started) return;
    this.#started = true;
    void this.#run(signal);
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#dependencies;
    let failures = 0;
    let failedAt = 0;
    let listed = false;
    while (!signal.aborted) {
      try {
        if (!listed) {
          await this.#list(signal);
          listed = true;
        }
        await this.#watch(signal);
        failures = 0;
      } catch (err) {
        if (signal.aborted) return;
        if (isExpired(err)) {
          // What the cache knows is too old to go on from: list again, and not from a cache that may be older still.
          this.#logger.debug({ err }, 'watch expired; listing again');
          listed = false;
          this.#resourceVersion = '';
        } else if (listed && isNotFound(err)) {
          // The type went with its definition: whoever started this will end it.
          this.#logger.debug({ err }, 'watch failed: the type is not served any more; retrying');
        } else {
          this.#logger.warn({ err }, listed ? 'watch failed; retrying' : 'list failed; retrying');
        }
        failures = clock.monotonic() - failedAt > BACKOFF_RESET_MS ? 1 : failures + 1;
        failedAt = clock.monotonic();
        try {
          await clock.sleep(backoffDelay(BACKOFF, failures, random), signal);
        } catch {
          return;
        }
      }
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const list = await this.#client.resource(this.#ref).list(this.#options.namespace ?? '', {
      ...this.#selectors(),
      ...(this.#resourceVersion === '' ? {} : { resourceVersion: this.#resourceVersion }),
      signal,
    });
    await this.#cache.replace(list.items);
    this.#resourceVersion = list.metadata.resourceVersion ?? '';
    if (!this.#synced) {
      this.#synced = true;
      for (const resolve of this.#waiting.splice(0)) resolve();
    }
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const timeoutSeconds = MIN_WATCH_SECONDS + this.#dependencies.random.int(MIN_WATCH_SECONDS);
    const events = this.#client.resource(this.#ref).watch(this.#options.namespace ?? '', {
      ...this.#selectors(),
      resourceVersion: this.#resourceVersion,
      allowWatchBookmarks: true,
      timeoutSeconds,
      signal,
    });
    const startedAt = this.#dependencies.clock.monotonic();
    let seen = 0;
    for await (const event of events) {
      seen++;
      switch (event.type) {
        case 'ADDED':
        case 'MODIFIED':
          this.#cache.put(event.object);
          break;
        case 'DELETED':
          this.#cache.remove(event.object);
          break;
        case 'BOOKMARK':
        case 'ERROR':
          break;
      }
      const version = event.object.metadata?.resourceVersion;
      if (version !== undefined) this.#resourceVersion = version;
    }
    // A server that ends watches at once, having said nothing, must not be asked in a tight loop.
    if (seen === 0 && !signal.aborted && this.#dependencies.clock.monotonic() - startedAt < 1000) {
      throw new Error('very short watch: the server closed it at once, with no events');
    }
  }

  #selectors(): Pick<InformerOptions, 'labelSelector' | 'fieldSelector' | 'metadataOnly'> {
    const { labelSelector, fieldSelector, metadataOnly } = this.#options;
    return {
      ...(labelSelector ? { labelSelector } : {}),
      ...(fieldSelector ? { fieldSelector } : {}),
      ...(metadataOnly === true ? { metadataOnly } : {}),
    };
  }
}
