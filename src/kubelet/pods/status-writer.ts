import { isNotFound } from '../../api/meta/status.ts';
import { patchTypes } from '../../api/request.ts';
import type { Pod, PodStatus } from '../../api/types/core-v1.ts';
import type { Client } from '../../client/contract.ts';
import { pods } from '../../client/resource-refs.ts';
import { backoffDelay } from '../../util/backoff.ts';
import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import { podFormat, podName, podNamespace, podUid } from './pod-spec.ts';
import { statusPatch } from './status-patch.ts';

const RETRY = { initial: 200, max: 10_000 } as const;

interface Entry {
  pod: Pod;
  wanted: PodStatus;
  /** The status the API is known to have, and the object that has it. */
  written: PodStatus | undefined;
  writtenTo: string;
  busy: boolean;
  /** Called when `wanted` has been written, or can never be. */
  readonly waiting: (() => void)[];
}

/** Writes pod statuses: the newest wish of each pod, one request at a time for each; wishes that come meanwhile are one more request. */
export class StatusWriter {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #signal: AbortSignal;
  readonly #target: (pod: Pod) => Pod | undefined;
  readonly #entries = new Map<string, Entry>();

  /** `target`: the object in the API that a pod's status is written to; undefined while there is none. */
  constructor(
    client: Client,
    clock: Clock,
    logger: Logger,
    signal: AbortSignal,
    target: (pod: Pod) => Pod | undefined = (pod) => pod,
  ) {
    this.#target = target;
    this.#client = client;
    this.#clock = clock;
    this.#logger = logger;
    this.#signal = signal;
  }

  /** The last status asked for. */
  get(uid: string): PodStatus | undefined {
    return this.#entries.get(uid)?.wanted;
  }

  /** Asks for a status; it is written soon. `pod` is the object as last seen in the API. */
  set(pod: Pod, status: PodStatus): void {
    const uid = podUid(pod);
    let entry = this.#entries.get(uid);
    if (entry === undefined) {
      entry = { pod, wanted: status, written: undefined, writtenTo: '', busy: false, waiting: [] };
      this.#entries.set(uid, entry);
    }
    entry.pod = pod;
    entry.wanted = status;
    if (!entry.busy) void this.#write(entry);
  }

  /** The object that the pod's status is written to has come, or is another now. */
  retarget(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry !== undefined && !entry.busy) void this.#write(entry);
  }

  /** Resolves when everything asked for this pod has been written, or the pod is gone. */
  flushed(uid: string): Promise<void> {
    const entry = this.#entries.get(uid);
    if (entry === undefined || !entry.busy) return Promise.resolve();
    return new Promise((resolve) => entry.waiting.push(resolve));
  }

  forget(uid: string): void {
    const entry = this.#entries.get(uid);
    this.#entries.delete(uid);
    for (const done of entry?.waiting.splice(0) ?? []) done();
  }

  async #write(entry: Entry): Promise<void> {
    entry.busy = true;
    let failures = 0;
    while (!this.#signal.aborted) {
      const { pod, wanted } = entry;
      if (this.#entries.get(podUid(pod)) !== entry) break;
      const target = this.#target(pod);
      if (target === undefined) break;
      const targetUid = target.metadata?.uid ?? '';
      if (entry.writtenTo !== targetUid) entry.written = undefined;
      // The informer lags behind our own last write.
      const patch = statusPatch(targetUid, entry.written ?? target.status, wanted);
      if (patch === undefined) {
        if (entry.wanted === wanted) break;
        continue;
      }
      try {
        const answer = await this.#client
          .resource(pods)
          .patch(podName(pod), podNamespace(pod), patchTypes.strategic, patch, { subresource: 'status', signal: this.#signal });
        entry.written = answer.status ?? wanted;
        entry.writtenTo = targetUid;
        failures = 0;
        if (entry.wanted === wanted) break;
      } catch (err) {
        if (this.#signal.aborted) break;
        // Gone, or another pod of that name stands there by now.
        if (isNotFound(err) || (err as { code?: number }).code === 409) {
          this.#logger.debug({ pod: podFormat(pod) }, 'status of a pod that is gone was not written');
          break;
        }
        failures++;
        this.#logger.warn({ err, pod: podFormat(pod) }, 'could not write pod status');
        await this.#clock.sleep(backoffDelay(RETRY, failures), this.#signal).catch(() => undefined);
      }
    }
    entry.busy = false;
    for (const done of entry.waiting.splice(0)) done();
  }
}
