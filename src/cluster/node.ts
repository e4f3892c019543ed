import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { UserInfo } from '../api/request.ts';
import type { ControllerContext } from '../client/controller.ts';
import { createClusterView, createDnsServer, createUpstream, type DnsServer, parseNameServers } from '../dns/index.ts';
import { type ConfiguredOptions, createKubelet, hostMounter, readKubeletConfiguration, treeCgroups } from '../kubelet/index.ts';
import { createPodNetwork, linuxHost, type PodNetworkController } from '../network/index.ts';
import { createNft, createServiceProxy, type ServiceProxy } from '../proxy/index.ts';
import { openCgroupTree } from '../runtime/cgroup.ts';
import { type SupervisedContainerd, superviseContainerd } from '../runtime/containerd.ts';
import type { ContainerRuntime } from '../runtime/contract.ts';
import { connectRuntime } from '../runtime/cri-client.ts';
import { ensurePauseImage, importImageArchive } from '../runtime/image-archive.ts';
import { mountImage } from '../runtime/image-mount.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import { type ClusterConfig, runs } from './config.ts';
import { ensureExampleImage } from './example-image.ts';
import { defaultDataDirectory, type Layout, UserError } from './layout.ts';
import { type ClusterPki, ensureCertificate } from './pki.ts';

/** The container runtime of this node, with the images it cannot fetch anywhere. */
export interface NodeRuntime {
  readonly containerd: SupervisedContainerd;
  readonly runtime: ContainerRuntime;
}

/** Starts containerd (or takes over the one that runs) and sees to the images. Needs nothing of the control plane. */
export async function startRuntime(layout: Layout, clock: Clock, logger: Logger, signal: AbortSignal): Promise<NodeRuntime> {
  const log = logger.child({ component: 'containerd' });
  let containerd: SupervisedContainerd;
  try {
    containerd = await superviseContainerd(
      { dataDir: layout.node.containerd, cniConfDir: layout.node.cniConfig, clock, logger: log },
      signal,
    );
  } catch (err) {
    if (signal.aborted) throw err;
    throw new UserError((err as Error).message);
  }
  const runtime = connectRuntime(containerd.socketPath, { clock, logger: log });
  signal.addEventListener('abort', () => runtime.close(), { once: true });
  const target = { socketPath: containerd.socketPath, ctr: containerd.ctr };
  await ensurePauseImage(runtime, target, clock, signal);
  // Only examples need it: a node without it is a whole node.
  void ensureExampleImage(runtime, target, clock, signal).then(
    (there) => there || log.info({}, 'there is no busybox here to make the image of the examples from'),
    (err: unknown) => signal.aborted || log.warn({ err }, 'the image of the examples could not be made'),
  );
  return { containerd, runtime };
}

/** Gives the images of an archive to the node; resolves with their names. */
export function loadImage(runtime: NodeRuntime, file: string): Promise<readonly string[]> {
  return importImageArchive({ socketPath: runtime.containerd.socketPath, ctr: runtime.containerd.ctr }, file);
}

/** Who the node's kubelet is. */
export const nodeUser = (nodeName: string): UserInfo => ({
  name: `system:node:${nodeName}`,
  groups: ['system:nodes', 'system:authenticated'],
});

export interface NodeOptions {
  readonly config: ClusterConfig;
  readonly layout: Layout;
  readonly pki: ClusterPki;
  readonly runtime: NodeRuntime;
  /** What the kubelet acts with: as the node, and no more. */
  readonly kubelet: ControllerContext;
  /** What network, proxy and DNS read with. */
  readonly services: ControllerContext;
}

/** The running parts of a node, for status. */
export interface RunningNode {
  readonly network: PodNetworkController;
  /** Undefined: disabled. */
  readonly proxy: ServiceProxy | undefined;
  /** Undefined: disabled. */
  readonly dns: DnsServer | undefined;
  /** Why the kubelet does not run; undefined while it does. */
  readonly kubeletFailure: string | undefined;
  readonly dnsFailure: string | undefined;
}

/** Starts the node's components. They end with the signal; containers, addresses and rules stay. */
export async function startNode(options: NodeOptions, signal: AbortSignal): Promise<RunningNode> {
  const { config, layout, services } = options;
  const proxy = runs(config, 'proxy')
    ? createServiceProxy({
        nodeName: config.nodeName,
        nft: createNft(),
        clusterCidr: config.clusterCidr,
        podCidr: '',
        bridge: config.bridge,
      })
    : undefined;
  const network = createPodNetwork({
    nodeName: config.nodeName,
    bridge: config.bridge,
    cniDirectory: layout.node.cniConfig,
    ipamDirectory: layout.node.cniAddresses,
    host: linuxHost,
    onReady: (podCidr) => proxy?.update({ podCidr }),
  });
  const failures: { kubelet?: string; dns?: string } = {};
  const dns = runs(config, 'dns') ? await startDns(config, services, (failure) => (failures.dns = failure), signal) : undefined;
  proxy?.start({ ...services, logger: services.logger.child({ component: 'proxy' }) }, signal);
  network.start({ ...services, logger: services.logger.child({ component: 'network' }) }, signal);
  services.informers.start(signal);
  if (runs(config, 'kubelet')) await startKubelet(options, (failure) => (failures.kubelet = failure), signal);
  return {
    network,
    proxy,
    dns,
    get kubeletFailure() {
      return failures.kubelet;
    },
    get dnsFailure() {
      return failures.dns;
    },
  };
}

/** Serves the cluster's names. Answers may begin before the informers have started. */
async function startDns(
  config: ClusterConfig,
  services: ControllerContext,
  onFailure: (why: string) => void,
  signal: AbortSignal,
): Promise<DnsServer> {
  const resolvConf = await readFile('/etc/resolv.conf', 'utf8').catch(() => '');
  const dns = createDnsServer({
    view: createClusterView(services.informers),
    zone: config.clusterDomain,
    upstream: createUpstream(
      parseNameServers(resolvConf).filter((server) => server !== config.dnsIp),
      services.clock,
    ),
    clock: services.clock,
    logger: services.logger.child({ component: 'dns' }),
  });
  dns.listen(config.nodeIp, config.dnsPort).catch((err: Error) => {
    onFailure(`${config.nodeIp}:${config.dnsPort} cannot be served: ${err.message}`);
    services.logger.error({ err, component: 'dns' }, 'DNS does not listen');
  });
  signal.addEventListener('abort', () => void dns.close(), { once: true });
  return dns;
}

/** What the file with the kubelet's settings says. Throws `UserError`. */
async function kubeletSettings(config: ClusterConfig, logger: Logger): Promise<ConfiguredOptions> {
  const manifests = config.podManifestPath ? { staticPodPath: config.podManifestPath } : {};
  if (!config.kubeletConfig) return manifests;
  try {
    const { options, passedOver } = readKubeletConfiguration(await readFile(config.kubeletConfig, 'utf8'));
    if (passedOver.length > 0) logger.warn({ passedOver }, 'settings of the KubeletConfiguration that mean nothing to k8ts');
    return { ...options, ...manifests };
  } catch (err) {
    throw new UserError(`The kubelet's settings in ${config.kubeletConfig} cannot be read: ${(err as Error).message}`);
  }
}

async function startKubelet(options: NodeOptions, onFailure: (why: string) => void, signal: AbortSignal): Promise<void> {
  const { config, layout, pki, runtime: node, kubelet: kubeletContext, services } = options;
  const target = { socketPath: node.containerd.socketPath, ctr: node.containerd.ctr };
  const serving = await ensureCertificate(
    layout.node.pki,
    'kubelet-server',
    pki.ca,
    {
      commonName: `system:node:${config.nodeName}`,
      organizations: ['system:nodes'],
      names: [config.nodeName, config.nodeIp, 'localhost', '127.0.0.1'],
      usage: 'server',
    },
    services.clock,
  );
  const kubelet = createKubelet({
    nodeName: config.nodeName,
    nodeIp: config.nodeIp,
    client: kubeletContext.client,
    informers: kubeletContext.informers,
    runtime: node.runtime,
    // containerd before 2.1 mounts no images by itself.
    mounter: { ...hostMounter, mountImage: (id, dir) => mountImage(target, id, dir) },
    clock: kubeletContext.clock,
    random: kubeletContext.random,
    logger: kubeletContext.logger,
    recorder: kubeletContext.recorder('kubelet', config.nodeName),
    rootDir: layout.node.kubelet,
    podLogDir: layout.node.podLogs,
    clusterDns: [config.dnsIp],
    clusterDomain: config.clusterDomain,
    cgroups: treeCgroups({ tree: await openCgroupTree(), root: cgroupRoot(layout) }),
    ...(await kubeletSettings(config, kubeletContext.logger)),
    server: { port: config.kubeletPort, cert: serving.cert, key: serving.key, clientCa: pki.ca.cert },
  });
  kubeletContext.informers.start(signal);
  kubelet.run(signal).catch((err: Error) => {
    if (signal.aborted) return;
    onFailure(err.message);
    kubeletContext.logger.error({ err }, 'the kubelet ended');
  });
}

/** The parent of all pods' cgroups. A second cluster on a machine, in another data directory, has its own. */
function cgroupRoot(layout: Layout): string {
  if (layout.root === defaultDataDirectory()) return '/kubepods';
  return `/kubepods-${createHash('sha256').update(layout.root).digest('hex').slice(0, 8)}`;
}
