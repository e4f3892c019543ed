import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ControllerContext } from '../client/controller.ts';
import { nodes } from '../client/resource-refs.ts';
import { backoffDelay } from '../util/backoff.ts';
import type { Timer } from '../util/clock.ts';
import { cniConfig } from './cni-config.ts';
import type { Host } from './host.ts';
import { routeChanges, wantedRoutes } from './routes.ts';

/** Name of the configuration in the CNI directory. */
export const CNI_CONFIG_FILE = '10-k8ts.conflist';
const RETRY = { initial: 500, max: 30_000 };

/** What pods and Services need of the kernel. */
const sysctls = {
  'net.ipv4.ip_forward': '1',
  // Replies between pods of one bridge must pass the Service rules, and so must what a NetworkPolicy shall stop.
  'net.bridge.bridge-nf-call-iptables': '1',
  // Node ports answer on 127.0.0.1 too; the proxy's rules keep others from using it.
  'net.ipv4.conf.all.route_localnet': '1',
};

export interface PodNetworkOptions {
  readonly nodeName: string;
  readonly bridge: string;
  /** The runtime reads its CNI configuration here. */
  readonly cniDirectory: string;
  readonly ipamDirectory: string;
  readonly host: Host;
  /** Called once, when this node's pod CIDR is known and the network is configured. */
  readonly onReady?: (podCidr: string) => void;
}

export interface PodNetworkState {
  readonly healthy: boolean;
  readonly podCidr: string | undefined;
  readonly routes: number;
  readonly lastError: string | undefined;
}

export interface PodNetworkController {
  start(context: ControllerContext, signal: AbortSignal): void;
  readonly state: PodNetworkState;
}

/** Configures the pod network of this node once its range of addresses is known, and keeps routes to the pods of the other nodes. */
export function createPodNetwork(options: PodNetworkOptions): PodNetworkController {
  return new BridgeNetwork(options);
}

class BridgeNetwork implements PodNetworkController {
  readonly #options: PodNetworkOptions;
  #state: PodNetworkState = { healthy: false, podCidr: undefined, routes: 0, lastError: undefined };
  #running = false;
  #dirty = false;
  #failures = 0;
  #timer: Timer | undefined;

  constructor(options: PodNetworkOptions) {
    this.#options = options;
  }

  get state(): PodNetworkState {
    return this.#state;
  }

  start(context: ControllerContext, signal: AbortSignal): void {
    const node = context.informers.informer(nodes);
    const changed = (): void => {
      if (!node.hasSynced || signal.aborted) return;
      if (this.#running) this.#dirty = true;
      else void this.#sync(context, signal);
    };
    // Heartbeats change nodes all the time; only addresses and pod ranges matter here.
    const relevant = (n: Parameters<typeof wantedRoutes>[0][number]): string =>
      JSON.stringify([n.spec?.podCIDRs, n.status?.addresses]);
    node.addHandler({ onAdd: changed, onDelete: changed, onUpdate: (n, old) => relevant(n) !== relevant(old) && changed() });
    signal.addEventListener('abort', () => this.#timer?.cancel(), { once: true });
    void node.synced(signal).then(changed, () => {});
  }

  async #sync(context: ControllerContext, signal: AbortSignal): Promise<void> {
    this.#running = true;
    this.#dirty = false;
    this.#timer?.cancel();
    try {
      const node = context.informers.informer(nodes);
      const { host, nodeName } = this.#options;
      const podCidr = node.get(nodeName)?.spec?.podCIDRs?.find((c) => !c.includes(':')) ?? node.get(nodeName)?.spec?.podCIDR;
      if (podCidr !== undefined && podCidr !== this.#state.podCidr) await this.#configure(podCidr);
      const want = wantedRoutes(node.list(), nodeName);
      const { replace, remove } = routeChanges(await host.routes(), want);
      for (const route of replace) await host.replaceRoute(route);
      for (const route of remove) await host.removeRoute(route);
      if (this.#failures > 0) context.logger.info({}, 'the pod network is configured again');
      this.#failures = 0;
      this.#state = { ...this.#state, healthy: this.#state.podCidr !== undefined, routes: want.length, lastError: undefined };
    } catch (err) {
      this.#failures++;
      if (this.#failures === 1) context.logger.error({ err }, 'the pod network could not be configured');
      this.#state = { ...this.#state, healthy: false, lastError: (err as Error).message };
      this.#timer = context.clock.setTimer(backoffDelay(RETRY, this.#failures), () => {
        if (!this.#running && !signal.aborted) void this.#sync(context, signal);
      });
    } finally {
      this.#running = false;
    }
    if (this.#dirty && !signal.aborted) await this.#sync(context, signal);
  }

  async #configure(podCidr: string): Promise<void> {
    const { host, bridge, cniDirectory, ipamDirectory, onReady } = this.#options;
    await host.setSysctls(sysctls);
    await mkdir(cniDirectory, { recursive: true });
    const mtu = await host.uplinkMtu();
    await host.writeFile(join(cniDirectory, CNI_CONFIG_FILE), cniConfig({ podCidr, bridge, mtu, ipamDirectory }));
    this.#state = { ...this.#state, podCidr };
    onReady?.(podCidr);
  }
}
