import type { KubernetesObject } from '../../api/meta/object.ts';
import { isNotFound } from '../../api/meta/status.ts';
import type { Client, ResourceRef } from '../../client/contract.ts';
import { backoffDelay } from '../../util/backoff.ts';
import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';

/** Pause before a broken watch is taken up again. Milliseconds. */
const RETRY = { initial: 500, max: 30_000 } as const;

interface Entry<T> {
  readonly users: Set<string>;
  readonly stop: AbortController;
  /** Resolves when it is first known whether the object exists; rejects when the API would not say. */
  ready: Promise<void>;
  object: T | undefined;
}

/**
 * Objects that pods refer to, each watched by name for as long as some pod does (as the node authorizer allows), so that a change reaches
 * the volumes at once.
 */
export class ObjectCache<T extends KubernetesObject> {
  readonly #client: Client;
  readonly #ref: ResourceRef<T>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #changed: (user: string) => void;
  readonly #entries = new Map<string, Entry<T>>();

  constructor(client: Client, ref: ResourceRef<T>, clock: Clock, logger: Logger, changed: (user: string) => void) {
    this.#client = client;
    this.#ref = ref;
    this.#clock = clock;
    this.#logger = logger;
    this.#changed = changed;
  }

  /** Says that `user` (a pod's uid) refers to these and no others, and waits until they are known. Rejects when the API does not answer. */
  async use(user: string, namespace: string, names: ReadonlySet<string>): Promise<void> {
    const wanted = new Set([...names].map((name) => `${namespace}/${name}`));
    for (const [key, entry] of this.#entries) if (!wanted.has(key)) this.#drop(key, entry, user);
    const waits: Promise<void>[] = [];
    for (const key of wanted) {
      let entry = this.#entries.get(key);
      if (entry === undefined) {
        entry = { users: new Set(), stop: new AbortController(), ready: Promise.resolve(), object: undefined };
        this.#entries.set(key, entry);
        entry.ready = this.#follow(key, entry);
      }
      entry.users.add(user);
      waits.push(entry.ready);
    }
    await Promise.all(waits);
  }

  /** `user` refers to nothing any more. */
  release(user: string): void {
    for (const [key, entry] of this.#entries) this.#drop(key, entry, user);
  }

  get(namespace: string, name: string): T | undefined {
    return this.#entries.get(`${namespace}/${name}`)?.object;
  }

  stop(): void {
    for (const entry of this.#entries.values()) entry.stop.abort();
    this.#entries.clear();
  }

  #drop(key: string, entry: Entry<T>, user: string): void {
    if (!entry.users.delete(user) || entry.users.size > 0) return;
    entry.stop.abort();
    this.#entries.delete(key);
  }

  /** Resolves after the first get; watches on in the background. */
  async #follow(key: string, entry: Entry<T>): Promise<void> {
    const slash = key.indexOf('/');
    const namespace = key.slice(0, slash);
    const name = key.slice(slash + 1);
    try {
      entry.object = await this.#get(name, namespace, entry.stop.signal);
    } catch (err) {
      this.#entries.delete(key);
      throw err;
    }
    void this.#watch(namespace, name, entry);
  }

  async #get(name: string, namespace: string, signal: AbortSignal): Promise<T | undefined> {
    try {
      return await this.#client.resource(this.#ref).get(name, namespace, { signal });
    } catch (err) {
      if (isNotFound(err)) return undefined;
      throw err;
    }
  }

  async #watch(namespace: string, name: string, entry: Entry<T>): Promise<void> {
    const { signal } = entry.stop;
    let failures = 0;
    let first = true;
    while (!signal.aborted) {
      try {
        if (!first) this.#set(entry, await this.#get(name, namespace, signal));
        first = false;
        const resourceVersion = entry.object?.metadata?.resourceVersion;
        const events = this.#client.resource(this.#ref).watch(namespace, {
          fieldSelector: `metadata.name=${name}`,
          ...(resourceVersion === undefined ? {} : { resourceVersion }),
          signal,
        });
        for await (const event of events) {
          failures = 0;
          if (event.type === 'ADDED' || event.type === 'MODIFIED') this.#set(entry, event.object);
          else if (event.type === 'DELETED') this.#set(entry, undefined);
        }
      } catch (err) {
        if (signal.aborted) return;
        failures++;
        this.#logger.debug({ err, name, namespace, kind: this.#ref.kind }, 'watch of a referred object broke');
      }
      if (signal.aborted) return;
      await this.#clock.sleep(backoffDelay(RETRY, Math.max(failures, 1)), signal).catch(() => undefined);
    }
  }

  #set(entry: Entry<T>, object: T | undefined): void {
    if (entry.object?.metadata?.resourceVersion === object?.metadata?.resourceVersion) return;
    entry.object = object;
    for (const user of entry.users) this.#changed(user);
  }
}
