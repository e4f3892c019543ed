import { existsSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import { type Layout, UserError } from './layout.ts';

/** What a cluster on this machine is like. Written at the first start; later starts read it, so that a bare `up` gives the same cluster again. */
export interface ClusterConfig {
  readonly port: number;
  /** Address that the API server listens on. */
  readonly bindAddress: string;
  /** Address of this machine that pods and other nodes reach. */
  readonly nodeIp: string;
  readonly nodeName: string;
  readonly clusterCidr: string;
  readonly serviceCidr: string;
  /** Cluster IP of kube-dns. */
  readonly dnsIp: string;
  readonly clusterDomain: string;
  readonly kubeletPort: number;
  readonly dnsPort: number;
  readonly bridge: string;
  /** 0: a real node; else so many nodes that exist in memory only. */
  readonly simulatedNodes: number;
  /** Where the state is kept; undefined: in the data directory. */
  readonly etcd?: EtcdConfig;
  /** Where the node finds manifests of pods that it runs by itself: an absolute path; undefined or '': nowhere. */
  readonly podManifestPath?: string;
  /** A KubeletConfiguration for the node: an absolute path, read at each start; undefined or '': none. */
  readonly kubeletConfig?: string;
  /** An audit.k8s.io/v1 Policy: which requests are recorded, and how much of them. Absolute; '' is none. */
  readonly auditPolicyFile?: string;
  /** Where they are recorded. Absolute; '' is nowhere. */
  readonly auditLogPath?: string;
  /** What others run in our place; undefined: nothing. */
  readonly disabled?: readonly Component[];
}

/**
 * What can be left out, so that another program (upstream's, say) stands in for it. `kubelet` leaves container runtime and pod network running
 * for it; `node` leaves out everything that a node has, or the simulated nodes.
 */
export const COMPONENTS = ['scheduler', 'controllers', 'proxy', 'dns', 'kubelet', 'node'] as const;
export type Component = (typeof COMPONENTS)[number];

/** What the status says of a component that others stand in for. */
export const DISABLED = 'disabled';

/** Whether k8ts itself runs a component. */
export function runs(config: Pick<ClusterConfig, 'disabled'>, component: Component): boolean {
  const { disabled = [] } = config;
  const isOfNode = component !== 'scheduler' && component !== 'controllers';
  return !disabled.includes(component) && !(isOfNode && disabled.includes('node'));
}

/** Components with commas between, as on the command line; `none` is none. Throws `UserError` for others. */
export function parseComponents(text: string): readonly Component[] {
  const names = text.split(',').filter((name) => name !== '' && name !== 'none');
  const unknown = names.find((name) => !COMPONENTS.includes(name as Component));
  if (unknown !== undefined) throw new UserError(`There is no component ${unknown}: known are ${COMPONENTS.join(', ')}.`);
  return COMPONENTS.filter((component) => names.includes(component));
}

/** An etcd cluster that keeps the state. Files are absolute paths of PEM. */
export interface EtcdConfig {
  /** URLs, `https://10.0.0.1:2379`. */
  readonly servers: readonly string[];
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  /** What all keys begin with; `/registry` unless said. */
  readonly prefix: string;
}

/** Upstream's --etcd-prefix. */
export const DEFAULT_ETCD_PREFIX = '/registry';

const defaults = {
  port: 6443,
  bindAddress: '0.0.0.0',
  clusterCidr: '10.244.0.0/16',
  serviceCidr: '10.96.0.0/12',
  dnsIp: '10.96.0.10',
  clusterDomain: 'cluster.local',
  kubeletPort: 10_250,
  dnsPort: 10_053,
  bridge: 'k8ts0',
  simulatedNodes: 0,
} as const;

/** This machine's address: the first IPv4 address that is not loopback. */
export function detectNodeIp(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses.find((a) => a.family === 'IPv4' && !a.internal)?.address ?? '127.0.0.1';
}

/** The machine's name as a node name: lower case, and only what a DNS subdomain may hold. */
export function detectNodeName(): string {
  const name = hostname()
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]/g, '-')
    .replaceAll(/^[^a-z0-9]+|[^a-z0-9]+$/g, '');
  return name === '' ? 'k8ts' : name;
}

/**
 * The stored configuration with `wanted` on top; a new one where none is stored. What cannot change once pods exist is refused.
 * Throws `UserError`.
 */
export async function loadConfig(layout: Layout, wanted: Partial<ClusterConfig>): Promise<ClusterConfig> {
  const asked = Object.fromEntries(Object.entries(wanted).filter(([, v]) => v !== undefined)) as Partial<ClusterConfig>;
  const nodeIp = asked.nodeIp ?? detectNodeIp();
  if (!existsSync(layout.config)) return { ...defaults, nodeName: detectNodeName(), ...asked, nodeIp };
  let stored: ClusterConfig;
  try {
    stored = JSON.parse(await readFile(layout.config, 'utf8')) as ClusterConfig;
  } catch (err) {
    throw new UserError(`${layout.config} cannot be read (${(err as Error).message}). Mend it, or use another --data-dir.`);
  }
  for (const fixed of ['clusterCidr', 'serviceCidr', 'dnsIp', 'clusterDomain', 'nodeName'] as const) {
    if (asked[fixed] !== undefined && asked[fixed] !== stored[fixed]) {
      throw new UserError(
        `The cluster in ${layout.root} has ${fixed} ${stored[fixed]}, which cannot become ${asked[fixed]}. Use another --data-dir, or k8ts reset.`,
      );
    }
  }
  if (stored.simulatedNodes > 0 !== (asked.simulatedNodes ?? stored.simulatedNodes) > 0) {
    const kind = stored.simulatedNodes > 0 ? 'simulated nodes' : 'a real node';
    throw new UserError(
      `The cluster in ${layout.root} has ${kind}; real and simulated nodes are not mixed. Use another --data-dir, or k8ts reset.`,
    );
  }
  if (asked.etcd !== undefined && stored.etcd?.prefix !== asked.etcd.prefix) {
    const place = stored.etcd === undefined ? 'in the data directory' : `in etcd under ${stored.etcd.prefix}`;
    throw new UserError(
      `The cluster in ${layout.root} keeps its state ${place}; it does not move by itself. Use another --data-dir, or k8ts reset.`,
    );
  }
  // The machine may have got another address since.
  return { ...defaults, ...stored, ...asked, nodeIp };
}

export async function saveConfig(layout: Layout, config: ClusterConfig): Promise<void> {
  const temporary = `${layout.config}.tmp`;
  await writeFile(temporary, `${JSON.stringify(config, undefined, 2)}\n`);
  await rename(temporary, layout.config);
}

/** The first address of the service range: that of the Service `kubernetes`. */
export function kubernetesServiceIp(serviceCidr: string): string {
  const octets = serviceCidr.split('/')[0]!.split('.').map(Number);
  octets[3] = (octets[3] ?? 0) + 1;
  return octets.join('.');
}
