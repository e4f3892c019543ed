import { DECLARED_FEATURES, KUBELET_VERSION } from '../api/groups/core/node-release.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../api/meta/status.ts';
import { formatMicroTime, formatTime } from '../api/meta/time.ts';
import type { Node, NodeStatus, Pod } from '../api/types/core-v1.ts';
import type { Controller, ControllerContext } from '../client/controller.ts';
import { startReconciler } from '../client/controller-runner.ts';
import { leases, nodes, pods } from '../client/resource-refs.ts';
import { nextStep, type PodAddresses } from './simulated-pod.ts';

export interface SimulatedNodesOptions {
  readonly count: number;
  /** Nodes are called `<prefix>-0`, `<prefix>-1` …; `simulated` unless said. */
  readonly prefix?: string;
  /** What every node has; 32 CPUs, 256 Gi of memory and 110 pods unless said. */
  readonly capacity?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}

const LEASE_NAMESPACE = 'kube-node-lease';
/** As the kubelet: a lease of 40 s, renewed every 10 s. */
const LEASE_SECONDS = 40;
const HEARTBEAT_MS = 10_000;
/** The status is written anew this often when nothing changed (nodeStatusReportFrequency). */
const STATUS_MS = 300_000;
/** Heartbeats are spread over their interval in so many portions: no burst of thousands of writes. */
const PORTIONS = 20;
const WORKERS = 32;
/** Pods' addresses are handed out from 10.128.0.0/9: far more than a node's range of a real network, for there is no network. */
const FIRST_ADDRESS = (10 << 24) | (128 << 16) | 1;
const ADDRESSES = 2 ** 23 - 2;

const defaultCapacity = { cpu: '32', memory: '256Gi', pods: '110', 'ephemeral-storage': '1Ti' };

/**
 * Nodes that exist in memory only: each registers, sends heartbeats as a kubelet does, and makes the pods bound to it Running and Ready at once.
 * One controller plays all of them, so that thousands cost little. Nodes of an earlier run that are beyond `count` are removed.
 */
export function simulatedNodes(options: SimulatedNodesOptions): Controller {
  return { name: 'simulated-nodes', start: (context, signal) => new SimulatedNodes(options, context).start(signal) };
}

class SimulatedNodes {
  readonly #options: SimulatedNodesOptions;
  readonly #context: ControllerContext;
  readonly #prefix: string;
  readonly #addresses = new Map<string, number>();
  readonly #taken = new Set<number>();
  #nextAddress = 0;

  constructor(options: SimulatedNodesOptions, context: ControllerContext) {
    this.#options = options;
    this.#context = context;
    this.#prefix = `${options.prefix ?? 'simulated'}-`;
  }

  start(signal: AbortSignal): void {
    const informer = this.#context.informers.informer(pods);
    const queue = startReconciler(
      this.#context,
      {
        name: 'simulated_pods',
        workers: WORKERS,
        informers: [informer],
        reconcile: (key) => this.#syncPod(key, (ms) => queue.addAfter(key, ms)),
      },
      signal,
    );
    const key = (pod: Pod): string => `${pod.metadata?.namespace}/${pod.metadata?.name}`;
    const seen = (pod: Pod): void => {
      if (this.#index(pod.spec?.nodeName) === undefined) return;
      this.#keepAddress(pod);
      queue.add(key(pod));
    };
    informer.addHandler({
      onAdd: seen,
      onUpdate: seen,
      onDelete: (pod) => this.#release(pod.metadata?.uid ?? ''),
    });
    this.#live(signal).catch((err: unknown) => {
      if (!signal.aborted) this.#context.logger.error({ err }, 'the simulated nodes could not be registered');
    });
  }

  async #live(signal: AbortSignal): Promise<void> {
    await this.#register(signal);
    await this.#beat(signal);
  }

  /** Which of our nodes a name means. */
  #index(name: string | undefined): number | undefined {
    if (name === undefined || !name.startsWith(this.#prefix)) return undefined;
    const index = Number(name.slice(this.#prefix.length));
    return Number.isInteger(index) && index >= 0 && index < this.#options.count ? index : undefined;
  }

  async #syncPod(key: string, again: (ms: number) => void): Promise<void> {
    const { client, informers, clock } = this.#context;
    const pod = informers.informer(pods).get(key);
    const index = this.#index(pod?.spec?.nodeName);
    if (pod === undefined || index === undefined) return;
    const addresses: PodAddresses = { podIp: this.#address(pod), hostIp: nodeAddress(index) };
    const step = nextStep(pod, addresses, clock.now());
    try {
      switch (step.do) {
        case 'nothing':
          break;
        case 'write-status':
          await client.resource(pods).updateStatus({ ...pod, status: step.status });
          break;
        case 'remove': {
          const { name = '', namespace = '', uid = '' } = pod.metadata ?? {};
          await client.resource(pods).delete(name, namespace, { gracePeriodSeconds: 0, preconditions: { uid } });
          return;
        }
        default:
          step satisfies never;
      }
    } catch (err) {
      // The informer will bring what is newer, and with it the key.
      if (isConflict(err) || isNotFound(err)) return;
      throw err;
    }
    if (step.lookAgainAt !== undefined) again(Math.max(0, step.lookAgainAt - clock.now()));
  }

  #address(pod: Pod): string {
    const uid = pod.metadata?.uid ?? '';
    let offset = this.#addresses.get(uid);
    if (offset === undefined) {
      if (this.#taken.size >= ADDRESSES) throw new Error('no address is free for another simulated pod');
      while (this.#taken.has(this.#nextAddress)) this.#nextAddress = (this.#nextAddress + 1) % ADDRESSES;
      offset = this.#nextAddress;
      this.#nextAddress = (this.#nextAddress + 1) % ADDRESSES;
      this.#taken.add(offset);
      this.#addresses.set(uid, offset);
    }
    return toText(FIRST_ADDRESS + offset);
  }

  /** The address of a pod that an earlier run started stays its own. */
  #keepAddress(pod: Pod): void {
    const uid = pod.metadata?.uid ?? '';
    if (pod.status?.podIP === undefined || this.#addresses.has(uid)) return;
    const offset = fromText(pod.status.podIP) - FIRST_ADDRESS;
    if (offset < 0 || offset >= ADDRESSES || this.#taken.has(offset)) return;
    this.#taken.add(offset);
    this.#addresses.set(uid, offset);
  }

  #release(uid: string): void {
    const offset = this.#addresses.get(uid);
    if (offset === undefined) return;
    this.#addresses.delete(uid);
    this.#taken.delete(offset);
  }

  async #register(signal: AbortSignal): Promise<void> {
    const known = this.#context.informers.informer(nodes);
    await known.synced(signal);
    const surplus = known
      .list()
      .map((n) => n.metadata?.name ?? '')
      .filter((name) => name.startsWith(this.#prefix) && this.#index(name) === undefined);
    for (const name of surplus) await this.#context.client.resource(nodes).delete(name, '');
    let next = 0;
    const register = async (): Promise<void> => {
      while (next < this.#options.count && !signal.aborted) await this.#registerNode(next++);
    };
    await Promise.all(Array.from({ length: WORKERS }, register));
  }

  async #registerNode(index: number): Promise<void> {
    const name = `${this.#prefix}${index}`;
    const { client } = this.#context;
    await this.#renewLease(name);
    const labels = {
      'kubernetes.io/hostname': name,
      'kubernetes.io/os': 'linux',
      'kubernetes.io/arch': 'amd64',
      'beta.kubernetes.io/os': 'linux',
      'beta.kubernetes.io/arch': 'amd64',
      'k8ts.dev/simulated': 'true',
      ...this.#options.labels,
    };
    try {
      await client.resource(nodes).create({ apiVersion: 'v1', kind: 'Node', metadata: { name, labels } });
    } catch (err) {
      if (!isAlreadyExists(err)) throw err;
    }
    await this.#writeStatus(index);
  }

  async #writeStatus(index: number): Promise<void> {
    const name = `${this.#prefix}${index}`;
    const { client, clock } = this.#context;
    try {
      const node = await client.resource(nodes).get(name, '');
      // A patch, for controllers write to new nodes at the same time: nothing of theirs is lost, and no conflict delays readiness.
      const patch = { status: this.#status(node, index, clock.now()) };
      await client.resource(nodes).patch(name, '', 'application/merge-patch+json', patch, { subresource: 'status' });
    } catch (err) {
      // Deleted by someone: the next heartbeat registers it again.
      if (!isNotFound(err)) throw err;
    }
  }

  #status(node: Node, index: number, now: number): NodeStatus {
    const capacity = this.#options.capacity ?? defaultCapacity;
    const time = formatTime(now);
    const condition = (type: string, status: string, reason: string, message: string) => {
      const was = node.status?.conditions?.find((c) => c.type === type);
      const lastTransitionTime = was?.status === status ? (was.lastTransitionTime ?? time) : time;
      return { type, status, reason, message, lastHeartbeatTime: time, lastTransitionTime };
    };
    return {
      ...node.status,
      capacity,
      allocatable: capacity,
      addresses: [
        { type: 'InternalIP', address: nodeAddress(index) },
        { type: 'Hostname', address: `${this.#prefix}${index}` },
      ],
      conditions: [
        condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
        condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
        condition('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
        condition('Ready', 'True', 'KubeletReady', 'simulated kubelet is posting ready status'),
      ],
      nodeInfo: {
        machineID: '',
        systemUUID: '',
        bootID: '',
        kernelVersion: 'simulated',
        osImage: 'k8ts simulation',
        containerRuntimeVersion: 'simulated://1',
        kubeletVersion: KUBELET_VERSION,
        kubeProxyVersion: '',
        operatingSystem: 'linux',
        architecture: 'amd64',
      },
      features: { supplementalGroupsPolicy: true },
      declaredFeatures: DECLARED_FEATURES,
    };
  }

  async #renewLease(name: string): Promise<void> {
    const { client, clock } = this.#context;
    const spec = { holderIdentity: name, leaseDurationSeconds: LEASE_SECONDS, renewTime: formatMicroTime(clock.now()) };
    const metadata = { name, namespace: LEASE_NAMESPACE };
    try {
      await client.resource(leases).patch(name, LEASE_NAMESPACE, 'application/merge-patch+json', { spec });
    } catch (err) {
      if (!isNotFound(err)) throw err;
      await client.resource(leases).create({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec });
    }
  }

  /** Heartbeats until the signal: each portion of the nodes in its turn. */
  async #beat(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#context;
    let turn = 0;
    let failing = false;
    const turnsOfStatus = (STATUS_MS / HEARTBEAT_MS) * PORTIONS;
    for (;;) {
      await clock.sleep(HEARTBEAT_MS / PORTIONS, signal);
      turn++;
      try {
        for (let i = turn % PORTIONS; i < this.#options.count; i += PORTIONS)
          await this.#heartbeat(i, turn % turnsOfStatus < PORTIONS);
        failing = false;
      } catch (err) {
        if (signal.aborted) return;
        if (!failing) logger.warn({ err }, 'heartbeats of simulated nodes fail');
        failing = true;
      }
    }
  }

  async #heartbeat(index: number, withStatus: boolean): Promise<void> {
    const name = `${this.#prefix}${index}`;
    const node = this.#context.informers.informer(nodes).get(name);
    if (node === undefined) return this.#registerNode(index);
    await this.#renewLease(name);
    const ready = node.status?.conditions?.find((c) => c.type === 'Ready')?.status;
    if (withStatus || ready !== 'True') await this.#writeStatus(index);
  }
}

/** Nodes' addresses: 10.64.0.1 and on. */
const nodeAddress = (index: number): string => toText(((10 << 24) | (64 << 16)) + 1 + index);

const toText = (n: number): string => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255].join('.');
const fromText = (text: string): number => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
