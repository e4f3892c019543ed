import { writeFile } from 'node:fs/promises';
import type { Node } from '../api/types/core-v1.ts';
import type { ControllerContext } from '../client/controller.ts';
import { serializeKubeconfig } from '../client/kubeconfig.ts';
import { nodes } from '../client/resource-refs.ts';
import { type Clock, systemClock } from '../util/clock.ts';
import { createLogger, type LogLevel } from '../util/logger.ts';
import { giveBackAtRest } from '../util/memory-at-rest.ts';
import { systemRandom } from '../util/random.ts';
import { type ClusterConfig, DISABLED, kubernetesServiceIp, runs, saveConfig } from './config.ts';
import { type ComponentStatus, serveControl } from './control.ts';
import { type ControlPlane, controllerManager, startControlPlane } from './control-plane.ts';
import { publishDns } from './dns-service.ts';
import type { Layout } from './layout.ts';
import type { NodeRuntime, RunningNode } from './node.ts';
import { type ClusterPki, ensurePki } from './pki.ts';
import { removePidFile, writePidFile } from './process.ts';
import { forgetHistory, openStore, snapshotTo } from './storage.ts';
import { VERSION } from './version.ts';

/** A node that is not ready after this long is told of, and `up` ends all the same. Milliseconds. */
const NODE_READY_TIMEOUT_MS = 60_000;
/** Longest that the control plane may take to end. Milliseconds. */
const CLOSE_TIMEOUT_MS = 5_000;

/** Tells that a step of the start is done. `ms`: what it took. */
export type ReportStep = (name: string, ms: number, detail?: string) => void;

/**
 * Runs the cluster of a data directory in this process until the signal aborts. `ready` is called when the API answers and the nodes are ready.
 * Throws `UserError` for what the user can put right.
 */
export async function runCluster(
  config: ClusterConfig,
  layout: Layout,
  report: ReportStep,
  ready: () => void,
  signal: AbortSignal,
  logLevel: LogLevel = 'info',
): Promise<void> {
  const clock = systemClock;
  const logger = createLogger({ level: logLevel });
  const watch = stopwatch(clock, report);
  const stop = new AbortController();
  const running = AbortSignal.any([signal, stop.signal]);
  const real = config.simulatedNodes === 0 && runs(config, 'node');
  logger.info({ version: VERSION, config }, 'k8ts starts');
  giveBackAtRest(clock, running);
  // A promise that nobody awaited is a fault in one place; it must not end the whole cluster.
  process.on('unhandledRejection', (err) => running.aborted || logger.error({ err }, 'a promise was rejected and nobody cared'));
  // A control plane of simulated nodes does not load what a real one needs: gRPC, CNI, DNS.
  const realNode = real ? await import('./node.ts') : undefined;
  // The runtime takes longest and needs nothing of the rest.
  const runtimeReady = realNode && watch.during('container runtime', () => realNode.startRuntime(layout, clock, logger, running));
  // Awaited further down; until then a failure must not count as unhandled.
  runtimeReady?.catch(() => {});
  const pki = await watch.during('certificates', () => loadPki(config, layout, clock));
  const store = await openStore({
    etcd: config.etcd,
    layout,
    clock,
    random: systemRandom,
    logger: logger.child({ component: 'store' }),
  });
  let plane: ControlPlane | undefined;
  try {
    plane = await watch.during('control plane', () =>
      startControlPlane({ store, config, pki, clock, random: systemRandom, logger }, running),
    );
    await writeAdminKubeconfig(config, layout, pki);
    await writePidFile(layout);
    await saveConfig(layout, config);
    const services = plane.contextFor(controllerManager, 'node');
    // What the status tells of, also where nothing else here looks at nodes.
    services.informers.informer(nodes);
    let runtime: NodeRuntime | undefined;
    let node: RunningNode | undefined;
    const startedAt = clock.now();
    await serveControl(
      layout.controlSocket,
      {
        status: async () => ({
          pid: process.pid,
          version: VERSION,
          startedAt,
          server: `https://127.0.0.1:${config.port}`,
          dataDirectory: layout.root,
          components: await componentStatus(config, plane!, services, runtime, node),
        }),
        loadImage: async (file) => {
          if (realNode === undefined || runtime === undefined) throw new Error('there is no node with images yet');
          return realNode.loadImage(runtime, file);
        },
        store: {
          snapshot: (file) => snapshotTo(store, file),
          check: () => store.check(),
          compact: async () => ({ revision: await forgetHistory(store) }),
        },
      },
      logger.child({ component: 'control' }),
      running,
    );
    if (!runs(config, 'node')) {
      services.informers.start(running);
    } else if (realNode === undefined || runtimeReady === undefined) {
      const { simulatedNodes } = await import('../simulation/simulated-nodes.ts');
      simulatedNodes({ count: config.simulatedNodes }).start(
        { ...services, logger: logger.child({ component: 'simulation' }) },
        running,
      );
      services.informers.start(running);
    } else {
      if (runs(config, 'dns')) await publishDns(services.client, config);
      runtime = await runtimeReady;
      node = await realNode.startNode(
        {
          config,
          layout,
          pki,
          runtime,
          kubelet: plane.contextFor(realNode.nodeUser(config.nodeName), 'kubelet'),
          services,
        },
        running,
      );
    }
    const wanted = Math.max(1, config.simulatedNodes);
    // A real node becomes ready with its range of addresses, which a controller gives it.
    if (runs(config, 'kubelet') && (!real || runs(config, 'controllers'))) {
      const detail = await watch.during(wanted === 1 ? 'node' : `${wanted} nodes`, () =>
        untilNodesReady(services, wanted, running),
      );
      if (detail !== undefined) logger.warn({ detail }, 'the node is not ready');
    }
    ready();
    await aborted(signal);
    logger.info({ reason: String(signal.reason) }, 'k8ts ends');
  } finally {
    stop.abort(new Error('k8ts is ending'));
    await Promise.race([plane?.close(), clock.sleep(CLOSE_TIMEOUT_MS)]);
    await store.close();
    await removePidFile(layout);
  }
}

function stopwatch(clock: Clock, report: ReportStep) {
  return {
    /** What `work` gives; a text it gives is told as the step's detail. */
    async during<T>(name: string, work: () => Promise<T>): Promise<T> {
      const since = clock.monotonic();
      const result = await work();
      report(name, clock.monotonic() - since, typeof result === 'string' ? result : undefined);
      return result;
    },
  };
}

function loadPki(config: ClusterConfig, layout: Layout, clock: Clock): Promise<ClusterPki> {
  return ensurePki(layout.pki, {
    serverNames: [
      'kubernetes',
      'kubernetes.default',
      'kubernetes.default.svc',
      `kubernetes.default.svc.${config.clusterDomain}`,
      'localhost',
      config.nodeName,
      '127.0.0.1',
      config.nodeIp,
      kubernetesServiceIp(config.serviceCidr),
    ],
    clock,
  });
}

async function writeAdminKubeconfig(config: ClusterConfig, layout: Layout, pki: ClusterPki): Promise<void> {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const name = 'k8ts';
  const text = serializeKubeconfig({
    clusters: [
      {
        name,
        cluster: { server: `https://127.0.0.1:${config.port}`, 'certificate-authority-data': base64(pki.ca.cert) },
      },
    ],
    users: [
      {
        name,
        user: { 'client-certificate-data': base64(pki.admin.cert), 'client-key-data': base64(pki.admin.key) },
      },
    ],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  });
  await writeFile(layout.adminKubeconfig, text, { mode: 0o600 });
}

/** Resolves when so many nodes are ready, or with what is wrong with them when they do not become it in time. */
async function untilNodesReady(context: ControllerContext, count: number, signal: AbortSignal): Promise<string | undefined> {
  const informer = context.informers.informer(nodes);
  context.informers.start(signal);
  signal.throwIfAborted();
  const missing = (): string | undefined => {
    const ready = informer.list().filter((n) => notReady(n) === undefined);
    if (ready.length >= count) return undefined;
    const ill = informer.list().find((n) => notReady(n) !== undefined);
    return ill === undefined ? 'not registered yet' : `not ready yet: ${notReady(ill)}`;
  };
  return new Promise((resolve, reject) => {
    const finish = (then: () => void): void => {
      timer.cancel();
      signal.removeEventListener('abort', end);
      then();
    };
    const look = (): void => {
      if (missing() === undefined) finish(() => resolve(undefined));
    };
    const end = (): void => finish(() => reject(signal.reason));
    const timer = context.clock.setTimer(NODE_READY_TIMEOUT_MS, () => finish(() => resolve(missing())));
    signal.addEventListener('abort', end, { once: true });
    informer.addHandler({ onAdd: look, onUpdate: look });
    look();
  });
}

/** Why a node is not ready; undefined when it is. */
function notReady(node: Node): string | undefined {
  const condition = node.status?.conditions?.find((c) => c.type === 'Ready');
  if (condition?.status === 'True') return undefined;
  return condition?.message ?? 'it has not reported yet';
}

async function componentStatus(
  config: ClusterConfig,
  plane: ControlPlane,
  services: ControllerContext,
  runtime: NodeRuntime | undefined,
  node: RunningNode | undefined,
): Promise<readonly ComponentStatus[]> {
  const list = services.informers.informer(nodes).list();
  const ill = list.map((n) => [n, notReady(n)] as const).filter(([, why]) => why !== undefined);
  const good = (name: string, message: string): ComponentStatus => ({ name, healthy: true, message });
  const bad = (name: string, message: string): ComponentStatus => ({ name, healthy: false, message });
  const control = await plane.health();
  const nodesStatus =
    (list.length === 0 && runs(config, 'kubelet')) || ill.length > 0
      ? bad(
          'nodes',
          list.length === 0 ? 'none has registered yet' : ill.map(([n, why]) => `${n.metadata?.name}: ${why}`).join('; '),
        )
      : good('nodes', `${list.length} ready`);
  if (config.simulatedNodes > 0 || !runs(config, 'node')) return [...control, nodesStatus];
  const waiting = 'waits for the container runtime';
  if (runtime === undefined || node === undefined)
    return [...control, bad('containerd', 'is starting'), bad('kubelet', waiting), nodesStatus];
  const daemon = runtime.containerd.health();
  const { state: net } = node.network;
  const rules = node.proxy?.state;
  return [
    ...control,
    daemon.state === 'running'
      ? good(
          'containerd',
          `pid ${daemon.pid}, ${runtime.containerd.defaultRuntime}${daemon.restarts === 0 ? '' : `, started anew ${daemon.restarts} times`}`,
        )
      : bad('containerd', `${daemon.state}: ${daemon.lastFailure ?? ''}`),
    !runs(config, 'kubelet')
      ? good('kubelet', DISABLED)
      : node.kubeletFailure === undefined
        ? good('kubelet', `port ${config.kubeletPort}`)
        : bad('kubelet', node.kubeletFailure),
    net.healthy
      ? good('network', `pods get addresses of ${net.podCidr}`)
      : bad('network', net.lastError ?? 'has no range of addresses yet'),
    rules === undefined
      ? good('proxy', DISABLED)
      : rules.healthy
        ? good('proxy', `${rules.servicePorts} service ports`)
        : bad('proxy', rules.lastError ?? 'has not written its rules yet'),
    node.dns === undefined
      ? good('dns', DISABLED)
      : node.dnsFailure === undefined
        ? good('dns', `${config.dnsIp}, ${node.dns.statistics.queries} queries`)
        : bad('dns', node.dnsFailure),
    nodesStatus,
  ];
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
