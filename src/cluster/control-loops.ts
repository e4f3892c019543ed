import type { Controller } from '../client/controller.ts';
import { type Client, type ControllerContext, runLeaderElection, startController } from '../client/index.ts';
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

/** The loops of a component. */
export interface Loops {
  readonly name: LoopName;
  readonly loops: () => readonly Controller[];
  /** Gives the scheduler its own client, where what else it is given is shared. */
  readonly adapt?: (context: ControllerContext) => ControllerContext;
}

interface LoopState {
  synced: boolean;
  /** Who runs the loops, when it is not this process. */
  leader: string | undefined;
}

/**
 * The controllers and the scheduler of this process. Where the state is this process's own they simply run. Where other API servers share it
 * (etcd), each runs in one process at a time: the one that holds its Lease.
 */
export class ControlLoops {
  readonly #o: ControlLoopsOptions;
  readonly #states = new Map<LoopName, LoopState>();

  constructor(options: ControlLoopsOptions) {
    this.#o = options;
  }

  /** Runs the loops of components until the signal aborts. Resolves when those that are not elected have started. */
  async run(components: readonly Loops[], signal: AbortSignal): Promise<void> {
    const { config, shared } = this.#o;
    const alone: LoopState[] = [];
    for (const component of components) {
      if (!runs(config, component.name)) continue;
      const state: LoopState = { synced: false, leader: undefined };
      this.#states.set(component.name, state);
      if (config.etcd === undefined) {
        alone.push(state);
        await this.#start(component, shared, signal);
      } else this.#elect(component, state, signal);
    }
    if (alone.length > 0) this.#feed(shared, alone, signal);
  }

  #elect(component: Loops, state: LoopState, signal: AbortSignal): void {
    const { config, shared } = this.#o;
    const { name } = component;
    const identity = identityOf(config);
    const lead = async (leading: AbortSignal): Promise<void> => {
      const context = this.#o.ownContext(name, leading);
      await this.#start(component, context, leading);
      this.#feed(context, [state], leading);
    };
    void runLeaderElection(
      {
        client: this.#o.clientFor(name),
        clock: shared.clock,
        random: shared.random,
        logger: shared.logger,
        namespace: LEASE_NAMESPACE,
        name: LEASES[name],
        identity,
        onStartedLeading: (leading) => void lead(leading),
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

  async #start({ loops, adapt }: Loops, context: ControllerContext, signal: AbortSignal): Promise<void> {
    const adapted = adapt?.(context) ?? context;
    for (const controller of loops()) {
      if (signal.aborted) return;
      startController(controller, adapted, signal);
      // Together they take a while to start; whoever asks meanwhile is answered.
      await this.#o.turn();
    }
  }

  /** Starts the informers, when everybody has told what they want to hear: whoever comes later is told everything there is at once. */
  #feed({ informers }: ControllerContext, states: readonly LoopState[], signal: AbortSignal): void {
    informers.start(signal);
    informers.synced(signal).then(
      () => {
        for (const state of states) state.synced = true;
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
