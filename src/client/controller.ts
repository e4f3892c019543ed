import type { Registry } from 'prom-client';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import type { Random } from '../util/random.ts';
import type { Client, EventRecorder, InformerFactory } from './contract.ts';

/** What every controller, the scheduler and the node's components are given. */
export interface ControllerContext {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Where queues and components register their metrics; none when left out. */
  readonly metrics?: Registry;
  /** A recorder whose events come from `component`. */
  recorder(component: string, host?: string): EventRecorder;
}

/**
 * A control loop. `start` adds its handlers to informers and starts its workers; it returns at once and everything ends with the signal.
 * Reconciliation is level-triggered: a key names an object, never an event; running twice does no harm; being killed anywhere does no harm.
 */
export interface Controller {
  readonly name: string;
  start(context: ControllerContext, signal: AbortSignal): void;
}
