import type { Registry } from 'prom-client';
import type { KubernetesObject } from '../api/meta/object.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import type { Random } from '../util/random.ts';
import type { Client, EventRecorder, Informer, WorkQueue } from './contract.ts';
import type { Controller, ControllerContext } from './controller.ts';
import { createEventRecorder } from './event-recorder.ts';
import { createInformerFactory } from './informer.ts';
import { createWorkQueue, runWorkers, type WorkerOptions } from './work-queue.ts';

export interface ControllerContextOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics?: Registry;
}

/** What controllers of one process share: one client, one informer per type, one event recorder per component. */
export function createControllerContext(options: ControllerContextOptions): ControllerContext {
  const { client, clock, random, logger, metrics } = options;
  const recorders = new Map<string, EventRecorder>();
  return {
    client,
    informers: createInformerFactory(client, { clock, random, logger }),
    clock,
    random,
    logger,
    ...(metrics === undefined ? {} : { metrics }),
    recorder(component, host = '') {
      const id = `${component} ${host}`;
      let recorder = recorders.get(id);
      if (recorder === undefined) {
        recorder = createEventRecorder({ client, clock, random, logger, component, host, metrics });
        recorders.set(id, recorder);
      }
      return recorder;
    },
  };
}

/** Starts a controller, which then waits for its informers. One that fails to start is logged, and does not stop the others. */
export function startController(controller: Controller, context: ControllerContext, signal: AbortSignal): void {
  const logger = context.logger.child({ controller: controller.name });
  try {
    controller.start({ ...context, logger }, signal);
    logger.debug({}, 'started');
  } catch (err) {
    logger.error({ err }, 'controller did not start');
  }
}

/** Starts controllers on one context, then its informers. */
export function runControllers(controllers: readonly Controller[], context: ControllerContext, signal: AbortSignal): void {
  for (const controller of controllers) startController(controller, context, signal);
  context.informers.start(signal);
}

export interface ReconcilerOptions {
  /** The queue's name in metrics: upstream's name for it. */
  readonly name: string;
  readonly workers: number;
  /** The informers whose first list must have been seen before anything is decided. */
  readonly informers: readonly Informer<KubernetesObject>[];
  readonly reconcile: WorkerOptions['reconcile'];
  readonly maxRetries?: number;
}

/** The usual middle of a controller: a queue on the context's clock, and workers that begin when the informers have synced. */
export function startReconciler(context: ControllerContext, options: ReconcilerOptions, signal: AbortSignal): WorkQueue {
  const queue = createWorkQueue({ name: options.name, clock: context.clock, metrics: context.metrics });
  runWorkers(
    {
      queue,
      workers: options.workers,
      reconcile: options.reconcile,
      logger: context.logger,
      waitFor: Promise.all(options.informers.map((informer) => informer.synced(signal))),
      ...(options.maxRetries === undefined ? {} : { maxRetries: options.maxRetries }),
    },
    signal,
  );
  return queue;
}
