import type { Controller } from '../client/controller.ts';
import { type Client, type ControllerContext, runControllers, runLeaderElection } from '../client/index.ts';
import { type ClusterConfig, DISABLED, runs } from './config.ts';
import type { ComponentStatus } from './control.ts';

/** The loops that the control plane runs, each under the name of its component. */
export type LoopName = 'controllers' | 'scheduler';

/** The Leases by which upstream's components elect a leader: one that stands in for ours takes part in the same election. */
const LEASES: Readonly<Record<LoopName, string>> = { controllers: 'kube-controller-manager', scheduler: 'kube-scheduler' };
const LEASE_NAMESPACE = 'kube-system';

export interface ControlLoopsOptions {
  readonly config: ClusterConfig;
  /** What the loops of one process share. */
  readonly shared: ControllerContext;
  /** A context of its own for a loop that may end before the process does: informers keep their handlers for good. */
  readonly ownContext: (name: LoopName, signal: AbortSignal) => ControllerContext;
  /** As whom a loop takes part in its election. */
  readonly clientFor: (name: LoopName) => Client;
  /** Lets others run between the starts of two controllers. */
  readonly turn: () => Promise<void>;
}

/**
 * The controllers and the scheduler of this process. Where the state is this process's own they simply run. Where other API servers share it
 * (etcd), each runs in one process at a time: the one that holds its Lease.
 */
export class ControlLoops {
  readonly #o: ControlLoopsOptions;
  readonly #states = new Map<LoopName, { synced: boolean; leader: string | undefined }>();

  constructor(options: ControlLoopsOptions) {
    this.#o = options;
  }

  /** Runs a component's loops until the signal aborts. `scheduler` gives its own client to what it shares with the others. */
  async run(
    name: LoopName,
    loops: () => readonly Controller[],
    adapt: (context: ControllerContext) => ControllerContext,
    signal: AbortSignal,
  ): Promise<void> {
    const { config, shared } = this.#o;
    if (!runs(config, name)) return;
    const state = { synced: false, leader: undefined as string | undefined };
    this.#states.set(name, state);
    if (config.etcd === undefined) return this.#start(state, loops(), adapt(shared), signal);
    const identity = identityOf(config);
    void runLeaderElection(
      {
        client: this.#o.clientFor(name),
        clock: shared.clock,
        random: shared.random,
        logger: shared.logger,
        namespace: LEASE_NAMESPACE,
        name: LEASES[name],
        identity,
        onStartedLeading: (leading) => {
          void this.#start(state, loops(), adapt(this.#o.ownContext(name, leading)), leading);
        },
        onStoppedLeading: () => {
          state.synced = false;
        },
        onNewLeader: (leader) => {
          state.leader = leader === identity ? undefined : leader;
        },
      },
      signal,
    );
  }

  async #start(
    state: { synced: boolean },
    controllers: readonly Controller[],
    context: ControllerContext,
    signal: AbortSignal,
  ): Promise<void> {
    for (const controller of controllers) {
      if (signal.aborted) return;
      runControllers([controller], context, signal);
      // Together they take a while to start; whoever asks meanwhile is answered.
      await this.#o.turn();
    }
    context.informers.synced(signal).then(
      () => {
        state.synced = true;
      },
      // Aborted: nobody asks any more.
      () => {},
    );
  }

  /** Whether a component's loops see the cluster: they do nothing before their first lists have come. */
  health(name: LoopName): ComponentStatus {
    if (!runs(this.#o.config, name)) return { name, healthy: true, message: DISABLED };
    const state = this.#states.get(name);
    if (state?.synced) return { name, healthy: true, message: 'running' };
    if (state?.leader !== undefined) return { name, healthy: true, message: `stands by: ${state.leader} leads` };
    return { name, healthy: false, message: 'waits for its first lists' };
  }
}

/** The same after a restart, so that a process which was killed need not wait for the end of its own lease. */
function identityOf(config: ClusterConfig): string {
  return `${config.nodeName}_${config.nodeIp}:${config.port}`;
}
