import type { Taint } from '../api/types/core-v1.ts';
import type { Client, EventRecorder, InformerFactory } from '../client/contract.ts';
import type { ContainerRuntime } from '../runtime/contract.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import type { Random } from '../util/random.ts';
import type { EvictionPolicy } from './eviction/thresholds.ts';
import type { ImageGcPolicy } from './images/image-gc.ts';
import type { Machine } from './node/machine.ts';
import type { Reserved } from './node/node-status.ts';
import type { PodCgroups } from './pods/pod-services.ts';
import type { ServerOptions } from './server/server.ts';
import type { ShutdownSource } from './shutdown/node-shutdown.ts';
import type { ShutdownGracePeriod } from './shutdown/shutdown-groups.ts';
import type { Mounter } from './volumes/mounter.ts';

/** How a kubelet is set up. Amounts of memory in bytes. */
export interface KubeletOptions {
  readonly nodeName: string;
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly runtime: ContainerRuntime;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** A recorder of component `kubelet` on this host. */
  readonly recorder: EventRecorder;
  /** Pods' volumes and the like: `/var/lib/kubelet`. */
  readonly rootDir: string;
  /** Containers' logs: `/var/log/pods`. */
  readonly podLogDir: string;
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
  /** The host's resolv.conf for pods; `/etc/resolv.conf` unless said, '' for none. */
  readonly resolvConf?: string;
  /** The node's address; found out unless said. */
  readonly nodeIp?: string;
  /** Both of a dual-stack node. */
  readonly nodeIps?: readonly string[];
  readonly nodeLabels?: Readonly<Record<string, string>>;
  readonly taints?: readonly Taint[];
  readonly unschedulable?: boolean;
  /** Longest wait before a container that crashed is started again, milliseconds; five minutes unless said. */
  readonly maxContainerRestartPeriod?: number;
  /** Kernel parameters that pods may set beside the safe ones: names, or beginnings with `*`. */
  readonly allowedUnsafeSysctls?: readonly string[];
  readonly providerId?: string;
  /** 110 unless said. */
  readonly maxPods?: number;
  /** Nothing unless said. */
  readonly reserved?: Reserved;
  /** Upstream's default unless said. */
  readonly eviction?: EvictionPolicy;
  /** When unused images are removed: from 85 % down to 80 % of their disk unless said. */
  readonly imageGcPolicy?: ImageGcPolicy;
  /** How large logs get, and how many are kept of a container: 10 Mi and 5 unless said. */
  readonly logLimits?: { readonly size: number; readonly files: number };
  /** What pods are given when the machine shuts down; nothing unless said. */
  readonly shutdownGracePeriods?: readonly ShutdownGracePeriod[];
  /** Who tells of that; systemd-logind unless said. */
  readonly shutdownSource?: ShutdownSource;
  /** A directory of manifests of pods that the node runs by itself, or one manifest; none unless said. */
  readonly staticPodPath?: string;
  readonly machine?: Machine;
  readonly cgroups?: PodCgroups;
  /** How memory volumes are mounted; by mount(8) for root, not at all for others, unless said. */
  readonly mounter?: Mounter;
  /** The HTTPS server on 10250; none when left out. */
  readonly server?: ServerOptions;
}
