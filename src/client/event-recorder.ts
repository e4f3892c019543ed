import { Counter, type Registry } from 'prom-client';
import type { KubernetesObject } from '../api/meta/object.ts';
import { isAlreadyExists, isNotFound, StatusError } from '../api/meta/status.ts';
import { formatTime } from '../api/meta/time.ts';
import { patchTypes } from '../api/request.ts';
import type { Event, ObjectReference } from '../api/types/core-v1.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import type { Random } from '../util/random.ts';
import { Slice } from '../util/slice.ts';
import type { Client, EventRecorder } from './contract.ts';
import { EventCorrelator, eventName } from './event-correlator.ts';
import { events } from './resource-refs.ts';

/** Events waiting to be written; more are dropped and counted (client-go's maxQueuedEvents). */
const MAX_QUEUED = 1000;
/** Tries of one event against a server that does not answer, and the pause between (client-go's). */
const MAX_TRIES = 12;
const RETRY_MS = 10_000;

export interface EventRecorderOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Who reports: `deployment-controller`, `kubelet`. */
  readonly component: string;
  /** The node it runs on; '' for what runs on none. */
  readonly host?: string;
  readonly metrics?: Registry | undefined;
  /** Ends retries at shutdown. */
  readonly signal?: AbortSignal;
}

/** A recorder that writes core/v1 Events in order, one at a time, in the background. */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  return new QueuedRecorder(options);
}

/** A reference to an object as events carry it. */
export function objectReference(object: KubernetesObject): ObjectReference {
  const { name, namespace, uid, resourceVersion } = object.metadata ?? {};
  return {
    ...(object.kind === undefined ? {} : { kind: object.kind }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(uid === undefined ? {} : { uid }),
    ...(object.apiVersion === undefined ? {} : { apiVersion: object.apiVersion }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
}

class QueuedRecorder implements EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #correlator: EventCorrelator;
  readonly #queue: Event[] = [];
  #overflowing = false;
  readonly #lost: Counter<'component'> | undefined;
  #draining = false;
  /** Set apart events of one object made in the same millisecond. */
  #sequence = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#correlator = new EventCorrelator(options.clock);
    if (options.metrics !== undefined) {
      this.#lost =
        (options.metrics.getSingleMetric('k8ts_events_lost_total') as Counter<'component'> | undefined) ??
        new Counter({
          name: 'k8ts_events_lost_total',
          help: 'Events that could not be written, by the component that reported them.',
          labelNames: ['component'] as const,
          registers: [options.metrics],
        });
    }
  }

  event(
    object: KubernetesObject,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    annotations?: Readonly<Record<string, string>>,
  ): void {
    if (this.#queue.length >= MAX_QUEUED) {
      // Told once, not for each of the thousands that a large cluster may bring at a time.
      if (!this.#overflowing) this.#options.logger.warn({ component: this.#options.component }, 'event queue is full');
      this.#overflowing = true;
      this.#lost?.inc({ component: this.#options.component });
      return;
    }
    this.#overflowing = false;
    // A caller may hand over a reference in place of an object (a container's fieldPath): it has no metadata.
    const involved = object.metadata === undefined ? (object as ObjectReference) : objectReference(object);
    const { clock, component, host = '' } = this.#options;
    const now = clock.now();
    const time = formatTime(now);
    this.#sequence = (this.#sequence + 1) % 1_000_000;
    this.#queue.push({
      metadata: {
        name: eventName(involved.name ?? '', now, this.#sequence),
        namespace: involved.namespace || 'default',
        ...(annotations === undefined ? {} : { annotations }),
      },
      involvedObject: involved,
      reason,
      message,
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
      type,
      source: host === '' ? { component } : { component, host },
      reportingComponent: component,
      reportingInstance: host,
    });
    if (!this.#draining) void this.#drain();
  }

  async #drain(): Promise<void> {
    this.#draining = true;
    // What is refused at once, as all of a namespace that goes away, never waits for anything.
    const slice = new Slice();
    for (let event = this.#queue.shift(); event !== undefined; event = this.#queue.shift()) {
      const correlated = this.#correlator.correlate(event);
      if (correlated.action !== 'skip') await this.#record(correlated.action, correlated.key, correlated.event);
      if (slice.over) await slice.next();
    }
    this.#draining = false;
  }

  async #record(action: 'create' | 'patch', key: string, event: Event): Promise<void> {
    const { clock, random, logger, signal } = this.#options;
    for (let tries = 1; ; tries++) {
      try {
        this.#correlator.recorded(key, await this.#write(action, event));
        return;
      } catch (err) {
        if (isAlreadyExists(err)) return;
        if (err instanceof StatusError && err.code < 500 && err.code !== 429) {
          // Events into a namespace that is going away are expected to fail.
          if (err.reason === 'Forbidden' || err.reason === 'NotFound')
            logger.debug({ err, reason: event.reason }, 'event rejected');
          else this.#lose(err, 'event rejected');
          return;
        }
        if (tries >= MAX_TRIES || signal?.aborted) {
          this.#lose(err, 'event could not be written');
          return;
        }
        try {
          // The first pause is shortened at random, so that components that lost the server together do not come back together.
          await clock.sleep(tries === 1 ? RETRY_MS * random.float() : RETRY_MS, signal);
        } catch {
          return;
        }
      }
    }
  }

  async #write(action: 'create' | 'patch', event: Event): Promise<Event> {
    const client = this.#options.client.resource(events);
    if (action === 'patch') {
      try {
        const { count, message, lastTimestamp } = event;
        return await client.patch(event.metadata.name!, event.metadata.namespace!, patchTypes.strategic, {
          count,
          message,
          lastTimestamp,
        });
      } catch (err) {
        if (!isNotFound(err)) throw err;
      }
    }
    const { resourceVersion: _, ...metadata } = event.metadata;
    return await client.create({ ...event, metadata });
  }

  #lose(err: unknown, why: string): void {
    this.#lost?.inc({ component: this.#options.component });
    this.#options.logger.warn({ err, component: this.#options.component }, why);
  }
}
