import { isExtendedResource } from '../../api/groups/core/resource-names.ts';
import { deepEqual } from '../../api/groups/define.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../api/meta/status.ts';
import { formatMicroTime } from '../../api/meta/time.ts';
import { patchTypes } from '../../api/request.ts';
import type { Lease } from '../../api/types/coordination-v1.ts';
import type { Node, NodeStatus, Taint } from '../../api/types/core-v1.ts';
import type { Client, EventRecorder } from '../../client/contract.ts';
import { leases, nodes } from '../../client/resource-refs.ts';
import type { ContainerRuntime } from '../../runtime/contract.ts';
import { backoffDelay } from '../../util/backoff.ts';
import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import type { EvictionPolicy, PressureTracker } from '../eviction/thresholds.ts';
import type { Machine, MachineFacts } from './machine.ts';
import { initialNode, nodeStatus, type Reserved, statusChanged, transitionEvents } from './node-status.ts';
import { RuntimeHealth } from './runtime-health.ts';

/** How often the status is made (nodeStatusUpdateFrequency), and the longest it goes unwritten (nodeStatusReportFrequency). Milliseconds. */
const UPDATE_MS = 10_000;
const REPORT_MS = 300_000;
/** The lease is good for this long, and renewed four times in it. Seconds, milliseconds. */
const LEASE_SECONDS = 40;
const RENEW_MS = 10_000;
const RETRY = { initial: 200, max: 7000 } as const;
const LEASE_NAMESPACE = 'kube-node-lease';

export interface NodeReporterOptions {
  readonly nodeName: string;
  readonly addresses: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly unschedulable: boolean;
  readonly providerId?: string;
  readonly maxPods: number;
  readonly reserved: Reserved;
  readonly eviction: EvictionPolicy;
  readonly pressure: PressureTracker;
  readonly rootDir: string;
  readonly machine: Machine;
  readonly client: Client;
  readonly runtime: ContainerRuntime;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly recorder: EventRecorder;
  /** The port the server listens at. */
  port(): number;
  /** The node as it now stands in the API: undefined when there is none. Throws nothing; before it is known it is the one registered. */
  current(): Node | undefined;
  /** Further reasons not to be ready. */
  problems(): readonly string[];
}

/** Registers the node and keeps telling the API that and how it is. */
export class NodeReporter {
  readonly #options: NodeReporterOptions;
  readonly #facts: MachineFacts;
  #node: Node | undefined;
  #status: NodeStatus | undefined;
  #lastReport = 0;
  #diskCapacity: number | undefined;
  /** Somebody has deleted the node, and that was said. */
  #missing = false;
  readonly #health: RuntimeHealth;
  #poked: (() => void) | undefined;
  #pokedMeanwhile = false;

  constructor(options: NodeReporterOptions) {
    this.#options = options;
    this.#facts = options.machine.facts();
    this.#health = new RuntimeHealth(options.runtime, options.clock, options.logger, () => this.poke());
  }

  get facts(): MachineFacts {
    return this.#facts;
  }
  /** What the runtime tells that it can. */
  get abilities(): RuntimeHealth['abilities'] {
    return this.#health.abilities;
  }
  /** The node as the API last answered. */
  get node(): Node | undefined {
    return this.#node;
  }

  /** Registers, then reports and renews until the signal. Resolves at its end. */
  async run(signal: AbortSignal): Promise<void> {
    this.#event('Starting', 'Starting kubelet.');
    // A runtime that answers is known from the start: the node registers ready.
    await this.#health.check(signal);
    const health = this.#health.run(signal);
    await this.#register(signal);
    await Promise.all([health, this.#reportLoop(signal), this.#leaseLoop(signal)]);
  }

  /** Something about the node has changed: look now. */
  poke(): void {
    if (this.#poked === undefined) this.#pokedMeanwhile = true;
    else this.#poked();
  }

  /** Records a Warning event on the node. */
  warn(reason: string, message: string): void {
    this.#event(reason, message, 'Warning');
  }

  #event(reason: string, message: string, type: 'Normal' | 'Warning' = 'Normal'): void {
    const { recorder, nodeName } = this.#options;
    // Events of a node carry its name as uid, so that they outlive its registration (upstream's nodeRef).
    recorder.event({ apiVersion: 'v1', kind: 'Node', metadata: { name: nodeName, uid: nodeName } }, type, reason, message);
  }

  async #makeStatus(): Promise<NodeStatus> {
    const o = this.#options;
    // It changes with the file system alone; pressure is the eviction's to watch.
    this.#diskCapacity ??= (await o.machine.use(o.rootDir)).diskCapacity;
    return nodeStatus({
      nodeName: o.nodeName,
      addresses: o.addresses,
      facts: this.#facts,
      diskCapacity: this.#diskCapacity,
      eviction: o.eviction,
      pressure: o.pressure.current,
      maxPods: o.maxPods,
      port: o.port(),
      reserved: o.reserved,
      runtimeVersion: this.#health.version,
      runtime: this.#health.abilities,
      images: this.#health.images,
      problems: [...o.problems(), ...this.#health.problems()],
      previous: this.#status ?? this.#node?.status,
      found: o.current()?.status,
      now: o.clock.now(),
    });
  }

  async #register(signal: AbortSignal): Promise<void> {
    const { client, logger, clock, nodeName, labels, taints, unschedulable, providerId } = this.#options;
    for (let failures = 0; ; ) {
      try {
        const status = await this.#makeStatus();
        const wanted = initialNode(nodeName, labels, this.#facts.architecture, taints, status);
        const node: Node = {
          ...wanted,
          spec: {
            ...wanted.spec,
            ...(unschedulable ? { unschedulable } : {}),
            ...(providerId === undefined ? {} : { providerID: providerId }),
          },
        };
        try {
          this.#node = await client.resource(nodes).create(node, { signal });
          this.#told(undefined, status);
        } catch (err) {
          if (!isAlreadyExists(err)) throw err;
          await this.#adopt(node, signal);
        }
        return;
      } catch (err) {
        signal.throwIfAborted();
        failures++;
        logger.warn({ err, node: nodeName }, 'unable to register node with API server');
        await clock.sleep(backoffDelay(RETRY, failures), signal);
      }
    }
  }

  /** The node is there from an earlier life: only its labels are brought up to date, what others put there stays. */
  async #adopt(wanted: Node, signal: AbortSignal): Promise<void> {
    const { client, nodeName } = this.#options;
    const found = await client.resource(nodes).get(nodeName, '', { signal });
    this.#node = found;
    this.#status = found.status;
    const labels = Object.fromEntries(
      Object.entries(wanted.metadata?.labels ?? {}).filter(([k, v]) => found.metadata?.labels?.[k] !== v),
    );
    if (Object.keys(labels).length > 0) {
      this.#node = await client.resource(nodes).patch(nodeName, '', patchTypes.merge, { metadata: { labels } }, { signal });
    }
    const boot = found.status?.nodeInfo?.bootID ?? '';
    if (boot !== '' && boot !== this.#facts.bootId) {
      this.#options.recorder.event(
        found,
        'Warning',
        'Rebooted',
        `Node ${nodeName} has been rebooted, boot id: ${this.#facts.bootId}`,
      );
    }
  }

  #told(before: NodeStatus | undefined, status: NodeStatus): void {
    this.#status = status;
    this.#lastReport = this.#options.clock.now();
    for (const reason of transitionEvents(before, status)) {
      this.#event(reason, `Node ${this.#options.nodeName} status is now: ${reason}`);
    }
  }

  async #reportLoop(signal: AbortSignal): Promise<void> {
    const { logger } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      try {
        await this.#report(signal);
        failures = 0;
      } catch (err) {
        if (signal.aborted) return;
        failures++;
        logger.warn({ err }, 'error updating node status, will retry');
      }
      const wait = failures > 0 ? backoffDelay(RETRY, failures) : UPDATE_MS;
      await this.#pause(wait, signal);
    }
  }

  /** Until it is poked, at the latest for so long. */
  #pause(ms: number, signal: AbortSignal): Promise<void> {
    if (this.#pokedMeanwhile) {
      this.#pokedMeanwhile = false;
      return Promise.resolve();
    }
    return new Promise<void>((resolve) => {
      const done = (): void => {
        timer.cancel();
        signal.removeEventListener('abort', done);
        this.#poked = undefined;
        resolve();
      };
      const timer = this.#options.clock.setTimer(ms, done);
      signal.addEventListener('abort', done, { once: true });
      this.#poked = done;
    });
  }

  async #report(signal: AbortSignal): Promise<void> {
    const { client, clock, nodeName, logger } = this.#options;
    const current = this.#options.current();
    if (current === undefined) {
      // Deleted, and on purpose for all we know: it stays away until the kubelet is started again (kubernetes#71398).
      if (!this.#missing) logger.error({ node: nodeName }, `error getting node ${JSON.stringify(nodeName)}: not found`);
      this.#missing = true;
      return;
    }
    if (current.metadata?.uid !== this.#node?.metadata?.uid) {
      // Somebody has made it again.
      this.#node = current;
      this.#status = current.status;
      this.#lastReport = 0;
    }
    this.#missing = false;
    const status = await this.#makeStatus();
    const before = this.#status;
    const due = clock.now() - this.#lastReport >= REPORT_MS;
    if (!due && this.#lastReport > 0 && !statusChanged(before, status, deepEqual)) return;
    try {
      // Everything but conditions is the kubelet's alone; conditions merge by type.
      this.#node = await client
        .resource(nodes)
        .patch(
          nodeName,
          '',
          patchTypes.strategic,
          { status: statusPatch(before, status, current.status) },
          { subresource: 'status', signal },
        );
    } catch (err) {
      // Its deletion is about to be told.
      if (isNotFound(err)) return;
      throw err;
    }
    this.#told(before, status);
  }

  async #leaseLoop(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    let lease: Lease | undefined;
    let failures = 0;
    while (!signal.aborted) {
      try {
        lease = await this.#renew(lease, signal);
        failures = 0;
      } catch (err) {
        if (signal.aborted) return;
        lease = undefined;
        failures++;
        if (!isConflict(err)) logger.warn({ err }, 'failed to update lease, will retry');
      }
      await clock.sleep(failures > 0 ? backoffDelay(RETRY, failures) : RENEW_MS, signal).catch(() => undefined);
    }
  }

  async #renew(known: Lease | undefined, signal: AbortSignal): Promise<Lease | undefined> {
    const { client, clock, nodeName } = this.#options;
    const api = client.resource(leases);
    const spec = { holderIdentity: nodeName, leaseDurationSeconds: LEASE_SECONDS, renewTime: formatMicroTime(clock.now()) };
    let lease = known;
    if (lease === undefined) {
      try {
        lease = await api.get(nodeName, LEASE_NAMESPACE, { signal });
      } catch (err) {
        if (!isNotFound(err)) throw err;
        const node = this.#options.current();
        // A node that was deleted takes its lease with it.
        if (node === undefined) return undefined;
        return api.create(
          {
            apiVersion: 'coordination.k8s.io/v1',
            kind: 'Lease',
            metadata: {
              name: nodeName,
              namespace: LEASE_NAMESPACE,
              ...(node.metadata?.uid === undefined
                ? {}
                : { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: nodeName, uid: node.metadata.uid }] }),
            },
            spec,
          },
          { signal },
        );
      }
    }
    return api.update({ ...lease, spec: { ...lease.spec, ...spec } }, { signal });
  }
}

/** What of the status may come and go. */
const passing = ['volumesInUse', 'runtimeHandlers', 'features'] as const;

/** The strategic merge patch for a status. Addresses would merge by type; they are the kubelet's own. */
function statusPatch(before: NodeStatus | undefined, status: NodeStatus, found: NodeStatus | undefined): object {
  const over = passing.filter((field) => before?.[field] !== undefined && status[field] === undefined);
  const addresses = [{ $patch: 'replace' }, ...(status.addresses ?? [])];
  // Extended resources that were taken out of the capacity.
  const gone = Object.keys(found?.allocatable ?? {}).filter(
    (name) => isExtendedResource(name) && status.allocatable?.[name] === undefined,
  );
  const allocatable = { ...status.allocatable, ...Object.fromEntries(gone.map((name) => [name, null])) };
  // What is attached is told by who attaches: what was known of it here may be old.
  const { volumesAttached: _, ...own } = status;
  return { ...own, addresses, allocatable, ...Object.fromEntries(over.map((field) => [field, null])) };
}
