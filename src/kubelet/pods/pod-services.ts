import type { Pod, Probe, Secret } from '../../api/types/core-v1.ts';
import type { ContainerRuntime, RuntimeStatus } from '../../runtime/contract.ts';
import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import type { Random } from '../../util/random.ts';
import type { DnsOptions } from '../containers/dns.ts';
import type { EnvironmentSources } from '../containers/env.ts';
import type { Images } from '../images/images.ts';
import type { KubeletMetrics } from '../metrics.ts';
import type { RuntimeCache } from '../observed/runtime-cache.ts';
import type { ProbeOutcome, ProbeTarget } from '../probes/run-probe.ts';
import type { ResizePending } from '../resources/resize.ts';
import type { LocalVolumes } from '../volumes/local-volume.ts';
import type { Mounter } from '../volumes/mounter.ts';
import type { VolumeEnvironment } from '../volumes/pod-volumes.ts';
import type { StatusWriter } from './status-writer.ts';
import type { UserNamespaces } from './user-namespaces.ts';

/** The pods' part of the cgroup tree. */
export interface PodCgroups {
  /** Makes the pod's own group with its limits, and says its name: the parent of the containers'. '' leaves that to the runtime. */
  ensure(pod: Pod): Promise<string>;
  /** Removes what is left of a pod's group. */
  remove(uid: string): Promise<void>;
}

/** For nodes whose containers are not real, or whose limits nobody enforces. */
export const noCgroups: PodCgroups = { ensure: async () => '', remove: async () => {} };

/** What a pod worker needs of its node. One for all workers. */
export interface PodServices {
  readonly runtime: ContainerRuntime;
  readonly metrics: KubeletMetrics;
  readonly cache: RuntimeCache;
  readonly images: Images;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly status: StatusWriter;
  readonly cgroups: PodCgroups;
  readonly mounter: Mounter;
  readonly localVolumes: LocalVolumes;
  readonly userNamespaces: UserNamespaces;
  /** What the runtime tells that it can. */
  abilities(): Pick<RuntimeStatus, 'runtimeHandlers' | 'features'>;
  /** Prefix of container ids: `containerd`. */
  readonly runtimeName: string;
  readonly rootDir: string;
  readonly podLogDir: string;
  readonly clusterDomain: string;
  readonly hostIPs: readonly string[];
  /** Bytes. */
  readonly memoryCapacity: number;
  /** Longest wait before a container that crashed is started again, milliseconds. */
  readonly maxRestartPeriod: number;
  readonly dns: DnsOptions;
  /** The node's own /etc/hosts, for host-network pods. */
  readonly hostsFile: string;
  /** Records an event on the pod, or on one of its containers. */
  record(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string, container?: string): void;
  probe(probe: Probe, target: ProbeTarget, signal: AbortSignal): Promise<ProbeOutcome>;
  /** Fetches and from then on watches what the pod refers to. Rejects when the API does not answer. */
  prepare(pod: Pod): Promise<void>;
  environment(pod: Pod, podIPs: readonly string[]): EnvironmentSources;
  volumes(pod: Pod, podIPs: readonly string[]): VolumeEnvironment;
  pullSecrets(pod: Pod): readonly Secret[];
  /** The handler of the pod's RuntimeClass. Rejects when there is no such class. */
  runtimeHandler(pod: Pod): Promise<string | undefined>;
  /** When a token in the pod's volumes is due for renewal. Milliseconds since the epoch. */
  tokenRenewAt(uid: string): number | undefined;
  /** Why the node cannot grant a running pod what it now asks for; undefined when it can. */
  resizeObstacle(pod: Pod): ResizePending | undefined;
  /** Deletes the pod from the API for good: grace 0. */
  remove(pod: Pod): Promise<void>;
  /** The worker holds nothing of the pod any more. */
  released(uid: string): void;
}
