import type { ControllerContext } from '../client/controller.ts';
import { endpointSlices, nodes, pods, services } from '../client/resource-refs.ts';
import { backoffDelay } from '../util/backoff.ts';
import type { Timer } from '../util/clock.ts';
import { forgetFlows, staleUdpFlows } from './conntrack.ts';
import { rulesetCommands } from './diff.ts';
import type { Nft } from './nft.ts';
import { buildRuleset, type Ruleset, type RulesetOptions } from './ruleset.ts';
import { hostPorts, type ServicePort, servicePorts } from './service-ports.ts';

/** The nft table that is ours alone: whatever stands in it is replaced at start. */
export const PROXY_TABLE = 'k8ts-proxy';
const FAMILY = 'ip';
const BY_SERVICE = 'proxy/service';
const ZONE = 'topology.kubernetes.io/zone';
/** Changes are gathered for this long before the rules are written, in milliseconds. */
const GATHER_MS = 10;
/** The least time between two writes, in milliseconds: a storm of changes is written at this pace. */
const MIN_INTERVAL_MS = 100;
const RETRY = { initial: 500, max: 30_000 };

export interface ProxyOptions extends RulesetOptions {
  readonly nodeName: string;
  readonly nft: Nft;
}

/** What the proxy tells of itself, for status and metrics. */
export interface ProxyState {
  /** Rules have been written at least once and the last write succeeded. */
  readonly healthy: boolean;
  readonly syncs: number;
  readonly failures: number;
  readonly lastError: string | undefined;
  readonly servicePorts: number;
}

export interface ServiceProxy {
  /** Starts on shared informers; everything ends with the signal. The rules stay: connections go on while we are away. */
  start(context: ControllerContext, signal: AbortSignal): void;
  /** Options that became known later (this node's pod CIDR). */
  update(options: Partial<RulesetOptions>): void;
  readonly state: ProxyState;
}

/** Keeps the Services of the cluster, as this node must serve them, in the kernel's nftables. */
export function createServiceProxy(options: ProxyOptions): ServiceProxy {
  return new NftablesProxy(options);
}

class NftablesProxy implements ServiceProxy {
  #options: ProxyOptions;
  #context: ControllerContext | undefined;
  #applied: Ruleset | undefined;
  #appliedPorts: readonly ServicePort[] = [];
  #timer: Timer | undefined;
  #running = false;
  #dirty = false;
  #failuresInRow = 0;
  #lastSync = Number.NEGATIVE_INFINITY;
  #state: ProxyState = { healthy: false, syncs: 0, failures: 0, lastError: undefined, servicePorts: 0 };
  #signal: AbortSignal | undefined;
  /** The node's zone, as its labels have it. */
  #zone = '';

  constructor(options: ProxyOptions) {
    this.#options = options;
  }

  get state(): ProxyState {
    return this.#state;
  }

  update(options: Partial<RulesetOptions>): void {
    this.#options = { ...this.#options, ...options };
    this.#changed();
  }

  start(context: ControllerContext, signal: AbortSignal): void {
    this.#context = context;
    this.#signal = signal;
    const changed = (): void => this.#changed();
    const anyChange = { onAdd: changed, onUpdate: changed, onDelete: changed };
    const service = context.informers.informer(services);
    const slice = context.informers.informer(endpointSlices);
    const pod = context.informers.informer(pods);
    slice.addIndex(BY_SERVICE, (s) => {
      const name = s.metadata?.labels?.['kubernetes.io/service-name'];
      return name === undefined ? [] : [`${s.metadata?.namespace}/${name}`];
    });
    service.addHandler(anyChange);
    slice.addHandler(anyChange);
    // Of pods only the host ports on this node matter; most pods have none.
    const { nodeName } = this.#options;
    pod.addHandler({
      onAdd: (p) => hostPorts([p], nodeName).length > 0 && changed(),
      onUpdate: (p, old) => JSON.stringify(hostPorts([p], nodeName)) !== JSON.stringify(hostPorts([old], nodeName)) && changed(),
      onDelete: (p) => hostPorts([p], nodeName).length > 0 && changed(),
    });
    const node = context.informers.informer(nodes, { fieldSelector: `metadata.name=${nodeName}` });
    const moved = (zone = ''): void => {
      if (zone === this.#zone) return;
      this.#zone = zone;
      this.#changed();
    };
    node.addHandler({
      onAdd: ({ metadata }) => moved(metadata?.labels?.[ZONE]),
      onUpdate: ({ metadata }) => moved(metadata?.labels?.[ZONE]),
    });
    signal.addEventListener('abort', () => this.#timer?.cancel(), { once: true });
    void Promise.all([service.synced(signal), slice.synced(signal), pod.synced(signal)]).then(changed, () => {});
  }

  #changed(): void {
    this.#dirty = true;
    if (this.#context === undefined || this.#running || this.#timer !== undefined || this.#signal?.aborted) return;
    const { clock } = this.#context;
    const wait = Math.max(GATHER_MS, this.#lastSync + MIN_INTERVAL_MS - clock.monotonic());
    this.#schedule(wait);
  }

  #schedule(ms: number): void {
    const context = this.#context!;
    this.#timer = context.clock.setTimer(ms, () => {
      this.#timer = undefined;
      void this.#sync(context);
    });
  }

  async #sync(context: ControllerContext): Promise<void> {
    const service = context.informers.informer(services);
    const slice = context.informers.informer(endpointSlices);
    const pod = context.informers.informer(pods);
    // Half a view would take away working rules: nothing is written before all of it is there. The promise in start() calls again.
    if (!service.hasSynced || !slice.hasSynced || !pod.hasSynced) return;
    this.#running = true;
    this.#dirty = false;
    this.#lastSync = context.clock.monotonic();
    const { nodeName, nft } = this.#options;
    const place = { nodeName, zone: this.#zone };
    const ports = service
      .list()
      .flatMap((s) => servicePorts(s, slice.byIndex(BY_SERVICE, `${s.metadata?.namespace}/${s.metadata?.name}`), place));
    const ruleset = buildRuleset(ports, hostPorts(pod.list(), nodeName), this.#options);
    try {
      const script = rulesetCommands(FAMILY, PROXY_TABLE, this.#applied, ruleset);
      if (script !== '') await nft.apply(script);
      this.#applied = ruleset;
      const stale = staleUdpFlows(this.#appliedPorts, ports);
      this.#appliedPorts = ports;
      if (stale.length > 0 && !(await forgetFlows(stale))) {
        context.logger.warn(
          { flows: stale.length },
          'the conntrack command is missing: UDP clients may wait for flows to time out',
        );
      }
      if (this.#failuresInRow > 0) context.logger.info({}, 'the service rules are written again');
      this.#failuresInRow = 0;
      this.#state = {
        ...this.#state,
        healthy: true,
        syncs: this.#state.syncs + 1,
        lastError: undefined,
        servicePorts: ports.length,
      };
    } catch (err) {
      this.#failuresInRow++;
      if (this.#failuresInRow === 1) context.logger.error({ err }, 'the service rules could not be written');
      this.#state = { ...this.#state, healthy: false, failures: this.#state.failures + 1, lastError: (err as Error).message };
      // Somebody else may have changed the table under us: write all of it next time.
      this.#applied = undefined;
      if (!this.#signal?.aborted) this.#schedule(backoffDelay(RETRY, this.#failuresInRow));
    } finally {
      this.#running = false;
    }
    if (this.#dirty && this.#timer === undefined) this.#changed();
  }
}
