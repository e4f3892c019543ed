/**
 * The container runtime as the kubelet sees it: the CRI (runtime.v1), in this project's names. Field names and meanings are the CRI's;
 * times are nanoseconds since the epoch as bigint where CRI has int64 nanoseconds. Implemented over gRPC for containerd, and in memory for simulated nodes.
 *
 * Promises: every call may be repeated; Stop* and Remove* of something that is gone succeed. Failures are `RuntimeError` with the gRPC code.
 */
export interface ContainerRuntime {
  version(
    signal?: AbortSignal,
  ): Promise<{ readonly runtimeName: string; readonly runtimeVersion: string; readonly runtimeApiVersion: string }>;
  status(signal?: AbortSignal): Promise<RuntimeStatus>;
  runPodSandbox(config: PodSandboxConfig, runtimeHandler?: string, signal?: AbortSignal): Promise<string>;
  stopPodSandbox(id: string, signal?: AbortSignal): Promise<void>;
  removePodSandbox(id: string, signal?: AbortSignal): Promise<void>;
  podSandboxStatus(id: string, signal?: AbortSignal): Promise<PodSandboxStatus>;
  listPodSandboxes(
    filter?: { readonly id?: string; readonly state?: PodSandboxState; readonly labelSelector?: Labels },
    signal?: AbortSignal,
  ): Promise<readonly PodSandbox[]>;
  createContainer(
    sandboxId: string,
    config: ContainerConfig,
    sandboxConfig: PodSandboxConfig,
    signal?: AbortSignal,
  ): Promise<string>;
  startContainer(id: string, signal?: AbortSignal): Promise<void>;
  /** `timeout` in seconds; then SIGKILL. */
  stopContainer(id: string, timeout: number, signal?: AbortSignal): Promise<void>;
  removeContainer(id: string, signal?: AbortSignal): Promise<void>;
  listContainers(
    filter?: {
      readonly id?: string;
      readonly podSandboxId?: string;
      readonly state?: ContainerState;
      readonly labelSelector?: Labels;
    },
    signal?: AbortSignal,
  ): Promise<readonly Container[]>;
  containerStatus(id: string, signal?: AbortSignal): Promise<ContainerStatus>;
  updateContainerResources(id: string, linux: LinuxContainerResources, signal?: AbortSignal): Promise<void>;
  reopenContainerLog(id: string, signal?: AbortSignal): Promise<void>;
  /** `timeout` in seconds, 0 for none. A time-out rejects with code 4 (DEADLINE_EXCEEDED). */
  execSync(
    id: string,
    command: readonly string[],
    timeout: number,
    signal?: AbortSignal,
  ): Promise<{ readonly stdout: Uint8Array; readonly stderr: Uint8Array; readonly exitCode: number }>;
  /** Opens a session; the URL is good for one use and speaks SPDY/3.1 remotecommand v4. */
  exec(request: {
    readonly containerId: string;
    readonly cmd: readonly string[];
    readonly tty: boolean;
    readonly stdin: boolean;
    readonly stdout: boolean;
    readonly stderr: boolean;
  }): Promise<string>;
  attach(request: {
    readonly containerId: string;
    readonly tty: boolean;
    readonly stdin: boolean;
    readonly stdout: boolean;
    readonly stderr: boolean;
  }): Promise<string>;
  portForward(request: { readonly podSandboxId: string; readonly ports: readonly number[] }): Promise<string>;
  containerStats(id: string, signal?: AbortSignal): Promise<ContainerStats>;
  listContainerStats(
    filter?: { readonly podSandboxId?: string; readonly labelSelector?: Labels },
    signal?: AbortSignal,
  ): Promise<readonly ContainerStats[]>;
  /** CPU, memory and network of whole sandboxes. Rejects with code 12 (UNIMPLEMENTED) where the runtime has none. */
  listPodSandboxStats(signal?: AbortSignal): Promise<readonly PodSandboxStats[]>;
  /**
   * Ends and removals of containers and sandboxes (and their creations and starts, where the runtime tells of them) until the signal aborts.
   * An event may come a moment before lists and statuses show the same. Rejects with code 12 (UNIMPLEMENTED) where the runtime has none.
   */
  containerEvents(signal: AbortSignal): AsyncIterable<ContainerEvent>;
  listImages(signal?: AbortSignal): Promise<readonly Image[]>;
  /** Undefined when the image is not there. */
  imageStatus(image: string, signal?: AbortSignal): Promise<Image | undefined>;
  /** Returns the reference of the image pulled. */
  pullImage(image: string, auth: AuthConfig | undefined, sandboxConfig?: PodSandboxConfig, signal?: AbortSignal): Promise<string>;
  removeImage(image: string, signal?: AbortSignal): Promise<void>;
  imageFsInfo(signal?: AbortSignal): Promise<readonly FilesystemUsage[]>;
  updateRuntimeConfig(podCidr: string, signal?: AbortSignal): Promise<void>;
  close(): void;
}

export type Labels = Readonly<Record<string, string>>;

/** gRPC status codes the kubelet acts on. */
export const runtimeErrorCodes = {
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  failedPrecondition: 9,
  unimplemented: 12,
  unavailable: 14,
} as const;

export class RuntimeError extends Error {
  override readonly name = 'RuntimeError';
  readonly code: number;
  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface RuntimeStatus {
  /** RuntimeReady and NetworkReady among them. */
  readonly conditions: readonly {
    readonly type: string;
    readonly status: boolean;
    readonly reason: string;
    readonly message: string;
  }[];
  /** The handlers of runtime classes, that of no class under ''. Undefined where the runtime does not tell. */
  readonly runtimeHandlers?: readonly RuntimeHandler[];
  /** Undefined where the runtime does not tell: then it has none of these. */
  readonly features?: { readonly supplementalGroupsPolicy: boolean; readonly userNamespacesHostNetwork: boolean };
}

export interface RuntimeHandler {
  readonly name: string;
  readonly features?: { readonly recursiveReadOnlyMounts: boolean; readonly userNamespaces: boolean };
}

export type PodSandboxState = 'READY' | 'NOTREADY';
export type ContainerState = 'CREATED' | 'RUNNING' | 'EXITED' | 'UNKNOWN';
/** POD: shared in the pod; CONTAINER: each its own; NODE: the host's; TARGET: another container's. */
export type NamespaceMode = 'POD' | 'CONTAINER' | 'NODE' | 'TARGET';

export interface PodMetadata {
  readonly name: string;
  readonly uid: string;
  readonly namespace: string;
  readonly attempt: number;
}

export interface NamespaceOption {
  readonly network: NamespaceMode;
  readonly pid: NamespaceMode;
  readonly ipc: NamespaceMode;
  readonly targetId?: string;
  /** The pod's user namespace (KEP-127): mode NODE for the host's, POD with the mappings for one of its own. */
  readonly usernsOptions?: {
    readonly mode: NamespaceMode;
    readonly uids: readonly IdMapping[];
    readonly gids: readonly IdMapping[];
  };
}

export interface IdMapping {
  readonly hostId: number;
  readonly containerId: number;
  readonly length: number;
}

export interface SelinuxOptions {
  readonly user: string;
  readonly role: string;
  readonly type: string;
  readonly level: string;
}

/** KEP-3619: Merge adds the groups the image gives the user; Strict does not. */
export type SupplementalGroupsPolicy = 'Merge' | 'Strict';

export interface SecurityProfile {
  readonly profileType: 'RuntimeDefault' | 'Unconfined' | 'Localhost';
  readonly localhostRef?: string;
}

export interface PodSandboxConfig {
  readonly metadata: PodMetadata;
  /** Empty for host network. */
  readonly hostname: string;
  readonly logDirectory: string;
  readonly dnsConfig?: {
    readonly servers: readonly string[];
    readonly searches: readonly string[];
    readonly options: readonly string[];
  };
  readonly portMappings: readonly {
    readonly protocol: 'TCP' | 'UDP' | 'SCTP';
    readonly containerPort: number;
    readonly hostPort: number;
    readonly hostIp: string;
  }[];
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly linux: {
    readonly cgroupParent: string;
    readonly sysctls: Labels;
    readonly securityContext: {
      readonly namespaceOptions: NamespaceOption;
      readonly runAsUser?: number;
      readonly runAsGroup?: number;
      readonly readonlyRootfs?: boolean;
      readonly supplementalGroups?: readonly number[];
      readonly privileged?: boolean;
      readonly supplementalGroupsPolicy?: SupplementalGroupsPolicy;
      readonly selinuxOptions?: SelinuxOptions;
      readonly seccomp?: SecurityProfile;
      readonly apparmor?: SecurityProfile;
    };
    readonly overhead?: LinuxContainerResources;
    readonly resources?: LinuxContainerResources;
  };
}

export interface PodSandbox {
  readonly id: string;
  readonly metadata: PodMetadata;
  readonly state: PodSandboxState;
  readonly createdAt: bigint;
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly runtimeHandler?: string;
}

export interface PodSandboxStatus extends PodSandbox {
  readonly ip: string;
  readonly additionalIps: readonly string[];
  readonly namespaceOptions?: NamespaceOption;
}

export interface LinuxContainerResources {
  readonly cpuPeriod?: number;
  readonly cpuQuota?: number;
  readonly cpuShares?: number;
  readonly memoryLimitInBytes?: number;
  readonly oomScoreAdj?: number;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  readonly hugepageLimits?: readonly { readonly pageSize: string; readonly limit: number }[];
  readonly unified?: Labels;
  readonly memorySwapLimitInBytes?: number;
}

export interface Mount {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly readonly: boolean;
  readonly propagation?: 'PRIVATE' | 'HOST_TO_CONTAINER' | 'BIDIRECTIONAL';
  readonly selinuxRelabel?: boolean;
  /** KEP-3857; needs `readonly` and no propagation. */
  readonly recursiveReadOnly?: boolean;
  readonly uidMappings?: readonly IdMapping[];
  readonly gidMappings?: readonly IdMapping[];
  /** KEP-4639: the mount's content is this image (runtimes that have it), and `hostPath` is empty. */
  readonly image?: string;
  readonly imageSubPath?: string;
}

export interface ContainerConfig {
  readonly metadata: { readonly name: string; readonly attempt: number };
  readonly image: string;
  /** What the pod's author wrote, where `image` is already the resolved reference. */
  readonly userSpecifiedImage?: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir: string;
  readonly envs: readonly { readonly key: string; readonly value: string }[];
  readonly mounts: readonly Mount[];
  readonly devices: readonly { readonly containerPath: string; readonly hostPath: string; readonly permissions: string }[];
  readonly labels: Labels;
  readonly annotations: Labels;
  /** Relative to the sandbox's logDirectory. */
  readonly logPath: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  readonly cdiDevices?: readonly string[];
  /** KEP-4960; a signal by name, such as SIGUSR1. */
  readonly stopSignal?: string;
  readonly linux: {
    readonly resources: LinuxContainerResources;
    readonly securityContext: {
      readonly namespaceOptions: NamespaceOption;
      readonly capabilities?: { readonly add: readonly string[]; readonly drop: readonly string[] };
      readonly privileged: boolean;
      readonly runAsUser?: number;
      readonly runAsGroup?: number;
      readonly runAsUsername?: string;
      readonly readonlyRootfs: boolean;
      readonly supplementalGroups: readonly number[];
      readonly supplementalGroupsPolicy?: SupplementalGroupsPolicy;
      readonly noNewPrivs: boolean;
      readonly selinuxOptions?: SelinuxOptions;
      readonly seccomp?: SecurityProfile;
      readonly apparmor?: SecurityProfile;
      readonly maskedPaths?: readonly string[];
      readonly readonlyPaths?: readonly string[];
    };
  };
}

export interface Container {
  readonly id: string;
  readonly podSandboxId: string;
  readonly metadata: { readonly name: string; readonly attempt: number };
  readonly image: string;
  readonly imageRef: string;
  /** The image's id in the store; `imageRef` where the runtime gives none. */
  readonly imageId: string;
  readonly state: ContainerState;
  readonly createdAt: bigint;
  readonly labels: Labels;
  readonly annotations: Labels;
}

export interface ContainerStatus extends Omit<Container, 'podSandboxId'> {
  readonly startedAt: bigint;
  readonly finishedAt: bigint;
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string;
  readonly logPath: string;
  readonly mounts: readonly Mount[];
  /** What is in force, where the runtime tells. */
  readonly resources?: LinuxContainerResources;
  readonly user?: { readonly uid: number; readonly gid: number; readonly supplementalGroups: readonly number[] };
  /** Undefined where the runtime does not tell. */
  readonly stopSignal?: string;
}

export interface ContainerStats {
  readonly id: string;
  readonly name: string;
  readonly labels: Labels;
  /** Nanoseconds since the epoch of the sample. */
  readonly timestamp: bigint;
  readonly cpuUsageCoreNanoSeconds?: bigint;
  readonly memoryWorkingSetBytes?: number;
  readonly memoryUsageBytes?: number;
  readonly memoryRssBytes?: number;
  readonly memoryAvailableBytes?: number;
  readonly memoryPageFaults?: number;
  readonly memoryMajorPageFaults?: number;
  readonly swapUsageBytes?: number;
  readonly swapAvailableBytes?: number;
  readonly writableLayerUsedBytes?: number;
  readonly writableLayerInodesUsed?: number;
}

export interface PodSandboxStats {
  readonly id: string;
  readonly metadata: PodMetadata;
  /** Nanoseconds since the epoch of the sample. */
  readonly timestamp: bigint;
  readonly cpuUsageCoreNanoSeconds?: bigint;
  readonly memoryWorkingSetBytes?: number;
  readonly memoryUsageBytes?: number;
  readonly memoryRssBytes?: number;
  readonly processCount?: number;
  /** Counters of the pod's interfaces, the default one (eth0) first. */
  readonly interfaces: readonly {
    readonly name: string;
    readonly rxBytes: bigint;
    readonly rxErrors: bigint;
    readonly txBytes: bigint;
    readonly txErrors: bigint;
  }[];
}

export interface ContainerEvent {
  /** Of a container or a sandbox. */
  readonly containerId: string;
  readonly type: 'CREATED' | 'STARTED' | 'STOPPED' | 'DELETED';
  /** '' where the runtime does not tell. */
  readonly podUid: string;
}

export interface Image {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly size: number;
  readonly uid?: number;
  readonly username?: string;
  readonly pinned: boolean;
}

export interface AuthConfig {
  readonly username?: string;
  readonly password?: string;
  readonly auth?: string;
  readonly serverAddress?: string;
  readonly identityToken?: string;
  readonly registryToken?: string;
}

export interface FilesystemUsage {
  readonly timestamp: bigint;
  readonly mountpoint: string;
  readonly usedBytes: number;
  readonly inodesUsed: number;
}
