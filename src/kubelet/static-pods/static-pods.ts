import { isAlreadyExists, isConflict, isNotFound } from '../../api/meta/status.ts';
import type { Node, Pod } from '../../api/types/core-v1.ts';
import type { Client } from '../../client/contract.ts';
import { pods } from '../../client/resource-refs.ts';
import { backoffDelay } from '../../util/backoff.ts';
import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import { fullName, sourceAnnotations } from '../pods/pod-source.ts';

/** How a mirror that could not be written is tried again. Milliseconds. */
const RETRY = { initial: 500, max: 60_000 } as const;

export interface StaticPodsOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The node that owns the mirrors; undefined while there is none. */
  node(): Node | undefined;
  /** Runs a pod. */
  start(pod: Pod): void;
  /** Ends a pod for good; `released` is called when nothing of it is left. */
  stop(uid: string): void;
  /** There is an object now that the status of this pod can be written to. */
  mirrored(uid: string): void;
}

interface Entry {
  /** As the manifest has it; undefined when that is gone. */
  wanted?: Pod;
  /** What runs, or is being ended. */
  running?: Pod;
  /** As the API has it. */
  mirror?: Pod;
  /** A mirror is being written. */
  busy: boolean;
  dirty: boolean;
  failures: number;
}

/**
 * The pods a node runs by manifests of its own, and their mirrors in the API. A pod whose manifest changes is another pod: it starts when the
 * old one has ended. What happens to a mirror changes nothing for the pod; a mirror that is missing or of an earlier manifest is made anew.
 */
export class StaticPods {
  readonly #options: StaticPodsOptions;
  readonly #signal: AbortSignal;
  readonly #entries = new Map<string, Entry>();
  /** Nothing is known of the manifests before they were read. */
  #read = false;

  constructor(options: StaticPodsOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  /** The pods that shall run, by full name. */
  setWanted(wanted: ReadonlyMap<string, Pod>): void {
    this.#read = true;
    for (const [name, entry] of this.#entries) if (!wanted.has(name)) delete entry.wanted;
    for (const [name, pod] of wanted) this.#entry(name).wanted = pod;
    for (const name of this.#entries.keys()) this.#look(name);
  }

  /** A mirror is in the API, or has changed there. */
  mirrorSeen(mirror: Pod): void {
    const name = fullName(mirror);
    const entry = this.#entry(name);
    entry.mirror = mirror;
    if (entry.running !== undefined && isMirrorOf(mirror, entry.running)) this.#options.mirrored(entry.running.metadata!.uid!);
    this.#look(name);
  }

  /** A mirror is in the API no more. */
  mirrorGone(mirror: Pod): void {
    const name = fullName(mirror);
    const entry = this.#entries.get(name);
    if (entry?.mirror?.metadata?.uid !== mirror.metadata?.uid) return;
    delete entry?.mirror;
    this.#look(name);
  }

  /** Nothing is left of a pod. */
  released(uid: string): void {
    for (const [name, entry] of this.#entries) {
      if (entry.running?.metadata?.uid !== uid) continue;
      delete entry.running;
      this.#look(name);
    }
  }

  /** The node is there now: mirrors can have their owner. */
  nodeSeen(): void {
    for (const name of this.#entries.keys()) this.#look(name);
  }

  /** The object in the API that stands for a pod; undefined while there is none. */
  mirrorOf(pod: Pod): Pod | undefined {
    const mirror = this.#entries.get(fullName(pod))?.mirror;
    return mirror !== undefined && isMirrorOf(mirror, pod) ? mirror : undefined;
  }

  /** The pod as it is to run; undefined when it no longer is. */
  running(pod: Pod): Pod | undefined {
    const running = this.#entries.get(fullName(pod))?.running;
    return running?.metadata?.uid === pod.metadata?.uid ? running : undefined;
  }

  #entry(name: string): Entry {
    let entry = this.#entries.get(name);
    if (entry === undefined) this.#entries.set(name, (entry = { busy: false, dirty: false, failures: 0 }));
    return entry;
  }

  #look(name: string): void {
    const entry = this.#entries.get(name);
    if (entry === undefined || !this.#read || this.#signal.aborted) return;
    const { wanted, running } = entry;
    if (running === undefined && wanted !== undefined) {
      entry.running = wanted;
      this.#options.start(wanted);
    } else if (running !== undefined && running.metadata?.uid !== wanted?.metadata?.uid) {
      this.#options.stop(running.metadata!.uid!);
    } else if (running !== undefined && wanted !== undefined && running !== wanted) {
      // A manifest that names its pod's uid means the same pod after a change.
      entry.running = wanted;
      this.#options.start(wanted);
    }
    entry.dirty = true;
    if (!entry.busy) void this.#writeMirror(name, entry);
    if (entry.running === undefined && entry.wanted === undefined && entry.mirror === undefined) this.#entries.delete(name);
  }

  async #writeMirror(name: string, entry: Entry): Promise<void> {
    const { clock, logger } = this.#options;
    entry.busy = true;
    while (entry.dirty && !this.#signal.aborted) {
      entry.dirty = false;
      try {
        await this.#bringMirrorUpToDate(entry);
        entry.failures = 0;
      } catch (err) {
        if (this.#signal.aborted) return;
        entry.failures++;
        entry.dirty = true;
        logger.warn({ err, pod: name }, 'mirror pod could not be written');
        await clock.sleep(backoffDelay(RETRY, entry.failures), this.#signal).catch(() => undefined);
      }
    }
    entry.busy = false;
  }

  async #bringMirrorUpToDate(entry: Entry): Promise<void> {
    const { running, mirror } = entry;
    const api = this.#options.client.resource(pods);
    if (mirror !== undefined) {
      const stands = running !== undefined && isMirrorOf(mirror, running);
      // While the pod is being ended its mirror shows how.
      if (stands && mirror.metadata?.deletionTimestamp === undefined) return;
      const { name = '', namespace = '', uid = '' } = mirror.metadata ?? {};
      try {
        await api.delete(name, namespace, { gracePeriodSeconds: 0, preconditions: { uid } });
      } catch (err) {
        if (!isNotFound(err) && !isConflict(err)) throw err;
      }
      // Its end is told by the watch, and then it is made anew.
      return;
    }
    const node = this.#options.node();
    if (running === undefined || entry.wanted?.metadata?.uid !== running.metadata?.uid || node === undefined) return;
    try {
      await api.create(mirrorFor(running, node));
    } catch (err) {
      // The watch is about to tell of it.
      if (!isAlreadyExists(err)) throw err;
    }
  }
}

const isMirrorOf = (mirror: Pod, pod: Pod): boolean =>
  mirror.metadata?.annotations?.[sourceAnnotations.mirror] === pod.metadata?.annotations?.[sourceAnnotations.hash];

/** What the API shows of a static pod (pod.basicMirrorClient). */
function mirrorFor(pod: Pod, node: Node): Pod {
  const { uid: _hash, ...metadata } = pod.metadata ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...metadata,
      annotations: { ...metadata.annotations, [sourceAnnotations.mirror]: metadata.annotations?.[sourceAnnotations.hash] ?? '' },
      ownerReferences: [
        { apiVersion: 'v1', kind: 'Node', name: node.metadata?.name ?? '', uid: node.metadata?.uid ?? '', controller: true },
      ],
    },
    spec: pod.spec!,
  };
}
