import { CompactedError, type StoreEvent, StoreUnavailableError } from './contract.ts';
import { type EtcdConnection, EVENT_DELETE, type KeyValue, type WatchResponse } from './etcd-protocol.ts';

export interface EtcdWatchRange {
  readonly key: Buffer;
  readonly rangeEnd: Buffer;
  readonly startRevision: number;
}

/** One watch on a stream of its own. Puts together what etcd sends in fragments, and cuts it into revisions. */
export class EtcdWatch {
  readonly #connection: EtcdConnection;
  #held: StoreEvent[] = [];

  constructor(connection: EtcdConnection) {
    this.#connection = connection;
  }

  /**
   * Runs until the signal aborts (resolves) or the watch breaks (rejects). `onEvents` gets one whole revision at a time;
   * `onCreated` is called when etcd has taken the watch up.
   */
  run(
    range: EtcdWatchRange,
    signal: AbortSignal,
    onEvents: (revision: number, events: readonly StoreEvent[]) => void,
    onCreated?: () => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        resolve();
        return;
      }
      const stream = this.#connection.watch();
      const finish = (error?: Error): void => {
        signal.removeEventListener('abort', onAbort);
        stream.cancel();
        if (error === undefined) resolve();
        else reject(error);
      };
      const onAbort = (): void => finish();
      signal.addEventListener('abort', onAbort, { once: true });
      // Cancelling is reported as an error, too: after the promise is settled that changes nothing, but somebody must listen.
      stream.on('error', (error: Error) => finish(error));
      stream.on('end', () => finish(new StoreUnavailableError('etcd ended a watch')));
      stream.on('data', (response: WatchResponse) => {
        if (signal.aborted) return;
        try {
          this.#take(response, signal, onEvents);
          if (response.created) onCreated?.();
        } catch (error) {
          finish(error instanceof Error ? error : new Error(String(error)));
        }
      });
      stream.write({ createRequest: { ...range, progressNotify: true, fragment: true } });
    });
  }

  #take(response: WatchResponse, signal: AbortSignal, onEvents: (revision: number, events: readonly StoreEvent[]) => void): void {
    if (response.canceled) {
      throw response.compactRevision > 0
        ? new CompactedError(response.compactRevision)
        : new StoreUnavailableError(`etcd cancelled a watch: ${response.cancelReason}`);
    }
    for (const { type, kv } of response.events) this.#held.push(eventOf(type === EVENT_DELETE, kv));
    if (response.fragment) return;
    const events = this.#held;
    this.#held = [];
    // A notice without events says that nothing is missing so far; the one of the creation speaks of the store, not of this watch.
    if (events.length === 0) {
      if (!response.created) onEvents(response.header.revision, events);
      return;
    }
    for (let start = 0; start < events.length && !signal.aborted; ) {
      const { revision } = events[start]!;
      let end = start + 1;
      while (end < events.length && events[end]!.revision === revision) end++;
      onEvents(revision, events.slice(start, end));
      start = end;
    }
  }
}

function eventOf(deleted: boolean, kv: KeyValue): StoreEvent {
  return {
    type: deleted ? 'delete' : 'put',
    key: kv.key.toString('latin1'),
    revision: kv.modRevision,
    value: deleted ? undefined : kv.value,
    createRevision: deleted ? 0 : kv.createRevision,
  };
}
