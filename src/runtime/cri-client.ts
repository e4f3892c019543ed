import {
  Client,
  type ClientReadableStream,
  type ClientUnaryCall,
  credentials,
  status as grpcStatus,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import { containerdEvents } from './containerd-events.ts';
import {
  type Container,
  type ContainerEvent,
  type ContainerRuntime,
  type ContainerStats,
  type ContainerStatus,
  type FilesystemUsage,
  type Image,
  type PodMetadata,
  type PodSandbox,
  type PodSandboxState,
  type PodSandboxStats,
  type PodSandboxStatus,
  RuntimeError,
  type RuntimeHandler,
  type RuntimeStatus,
  runtimeErrorCodes,
} from './contract.ts';
import { createCriCodec } from './cri-proto.ts';
import type { ProtoMessage } from './protobuf.ts';

/** How long a call may take unless it says more (the kubelet's runtimeRequestTimeout), milliseconds. */
const CALL_TIMEOUT_MS = 2 * 60_000;
/** Starting a sandbox sets up its network too: upstream gives it twice the time. */
const RUN_SANDBOX_TIMEOUT_MS = 2 * CALL_TIMEOUT_MS;
/** Most for a call whose length the caller does not bound: pulling an image, `execSync` with time-out 0. */
const LONGEST_CALL_MS = 60 * 60_000;
/** Largest answer taken, bytes: upstream's maxMsgSize. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
/** A daemon that comes back is found again within this, milliseconds. */
const RECONNECT_MAX_MS = 1_000;
const RECONNECT_FIRST_MS = 50;

const RUNTIME = '/runtime.v1.RuntimeService/';
const IMAGE = '/runtime.v1.ImageService/';

/** What `connectRuntime` needs from its surroundings. */
export interface ConnectRuntimeOptions {
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * A runtime behind a CRI unix socket. Does not wait: the first call connects, and a call made while the daemon is down rejects with code 14
 * (UNAVAILABLE); when the daemon is back the next calls reach it. Every call is bounded in time. Rejects with `RuntimeError`, or with the
 * signal's reason when it is aborted.
 */
export function connectRuntime(socketPath: string, options: ConnectRuntimeOptions): ContainerRuntime {
  const { clock, logger } = options;
  const codec = createCriCodec();
  const client = new Client(`unix:${socketPath}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    'grpc.initial_reconnect_backoff_ms': RECONNECT_FIRST_MS,
    'grpc.min_reconnect_backoff_ms': RECONNECT_FIRST_MS,
    'grpc.max_reconnect_backoff_ms': RECONNECT_MAX_MS,
    'grpc.enable_retries': 0,
    // Sockets of the same path must not share a channel with a client that was closed.
    'grpc.use_local_subchannel_pool': 1,
  });
  let down = false;
  /** False once the CRI has said that it has none: then containerd's own are taken. */
  let criHasEvents = true;

  /** One unary call. `request` and `response` are names of messages in cri-proto.ts. */
  function call(
    method: string,
    request: string,
    value: ProtoMessage,
    response: string,
    signal?: AbortSignal,
    timeoutMs = CALL_TIMEOUT_MS,
  ): Promise<ProtoMessage> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      let inFlight: ClientUnaryCall | undefined;
      const onAbort = (): void => inFlight?.cancel();
      signal?.addEventListener('abort', onAbort, { once: true });
      inFlight = client.makeUnaryRequest(
        method,
        (message: ProtoMessage) => codec.encode(request, message),
        (bytes) => codec.decode(response, bytes),
        value,
        new Metadata(),
        { deadline: clock.now() + timeoutMs },
        (err, answer) => {
          signal?.removeEventListener('abort', onAbort);
          if (err === null) {
            noteUp();
            resolve(answer!);
          } else if (signal?.aborted) reject(signal.reason);
          else reject(failure(method, err));
        },
      );
    });
  }

  function noteUp(): void {
    if (!down) return;
    down = false;
    logger.info({ socket: socketPath }, 'The container runtime answers again');
  }

  function failure(method: string, err: ServiceError): RuntimeError {
    // Told once for each time it goes away; callers get every failure.
    if (err.code === grpcStatus.UNAVAILABLE && !down) {
      down = true;
      logger.warn({ socket: socketPath, err }, 'The container runtime does not answer');
    } else if (err.code !== grpcStatus.UNAVAILABLE) noteUp();
    return toRuntimeError(method, err);
  }

  /** For Stop* and Remove*: what is gone is stopped. */
  async function callUnlessGone(
    method: string,
    request: string,
    value: ProtoMessage,
    signal?: AbortSignal,
    timeoutMs?: number,
  ): Promise<void> {
    try {
      await call(method, request, value, 'Empty', signal, timeoutMs);
    } catch (err) {
      if (!(err instanceof RuntimeError && err.code === runtimeErrorCodes.notFound)) throw err;
    }
  }

  async function* criEvents(signal: AbortSignal): AsyncGenerator<ContainerEvent> {
    const stream: ClientReadableStream<ProtoMessage> = client.makeServerStreamRequest(
      `${RUNTIME}GetContainerEvents`,
      (message: ProtoMessage) => codec.encode('Empty', message),
      (bytes) => codec.decode('ContainerEventResponse', bytes),
      {},
      new Metadata(),
      {},
    );
    const onAbort = (): void => stream.cancel();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      for await (const event of stream as AsyncIterable<ProtoMessage>) {
        const pod = event['podSandboxStatus'] as { readonly metadata?: PodMetadata } | undefined;
        yield {
          containerId: event['containerId'] as string,
          type: event['type'] as ContainerEvent['type'],
          podUid: pod?.metadata?.uid ?? '',
        };
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      stream.cancel();
    }
  }

  async function* events(signal: AbortSignal): AsyncGenerator<ContainerEvent> {
    if (signal.aborted) return;
    try {
      if (criHasEvents) yield* criEvents(signal);
      else yield* containerdEvents(client, signal);
    } catch (err) {
      if (signal.aborted) return;
      if (!isServiceError(err)) throw err;
      if (criHasEvents && err.code === grpcStatus.UNIMPLEMENTED) {
        criHasEvents = false;
        yield* events(signal);
      } else throw failure('GetContainerEvents', err);
    }
  }

  return {
    async version(signal) {
      const answer = await call(`${RUNTIME}Version`, 'VersionRequest', { version: 'v1' }, 'VersionResponse', signal);
      return answer as unknown as Awaited<ReturnType<ContainerRuntime['version']>>;
    },
    async status(signal) {
      const answer = await call(`${RUNTIME}Status`, 'StatusRequest', {}, 'StatusResponse', signal);
      const { status, runtimeHandlers, features } = answer as unknown as {
        readonly status?: Pick<RuntimeStatus, 'conditions'>;
        readonly runtimeHandlers: readonly RuntimeHandler[];
        readonly features?: RuntimeStatus['features'];
      };
      return {
        conditions: status?.conditions ?? [],
        // containerd before 2.0 tells of neither.
        ...(runtimeHandlers.length === 0 ? {} : { runtimeHandlers }),
        ...(features === undefined ? {} : { features }),
      };
    },
    async runPodSandbox(config, runtimeHandler, signal) {
      const answer = await call(
        `${RUNTIME}RunPodSandbox`,
        'RunPodSandboxRequest',
        { config, runtimeHandler },
        'PodSandboxIdResponse',
        signal,
        RUN_SANDBOX_TIMEOUT_MS,
      );
      return answer['podSandboxId'] as string;
    },
    stopPodSandbox: (id, signal) =>
      callUnlessGone(`${RUNTIME}StopPodSandbox`, 'PodSandboxIdRequest', { podSandboxId: id }, signal),
    removePodSandbox: (id, signal) =>
      callUnlessGone(`${RUNTIME}RemovePodSandbox`, 'PodSandboxIdRequest', { podSandboxId: id }, signal),
    async podSandboxStatus(id, signal) {
      const answer = await call(
        `${RUNTIME}PodSandboxStatus`,
        'PodSandboxIdRequest',
        { podSandboxId: id },
        'PodSandboxStatusResponse',
        signal,
      );
      return toSandboxStatus(present(answer['status'], 'PodSandboxStatus'));
    },
    async listPodSandboxes(filter, signal) {
      const answer = await call(
        `${RUNTIME}ListPodSandbox`,
        'ListPodSandboxRequest',
        filter === undefined ? {} : { filter },
        'ListPodSandboxResponse',
        signal,
      );
      return answer['items'] as readonly PodSandbox[];
    },
    async createContainer(sandboxId, config, sandboxConfig, signal) {
      const { image, userSpecifiedImage, ...rest } = config;
      const answer = await call(
        `${RUNTIME}CreateContainer`,
        'CreateContainerRequest',
        { podSandboxId: sandboxId, config: { ...rest, image: { image, userSpecifiedImage } }, sandboxConfig },
        'ContainerIdResponse',
        signal,
      );
      return answer['containerId'] as string;
    },
    async startContainer(id, signal) {
      await call(`${RUNTIME}StartContainer`, 'ContainerIdRequest', { containerId: id }, 'Empty', signal);
    },
    stopContainer: (id, timeout, signal) =>
      callUnlessGone(
        `${RUNTIME}StopContainer`,
        'StopContainerRequest',
        { containerId: id, timeout },
        signal,
        timeout * 1000 + CALL_TIMEOUT_MS,
      ),
    removeContainer: (id, signal) =>
      callUnlessGone(`${RUNTIME}RemoveContainer`, 'ContainerIdRequest', { containerId: id }, signal),
    async listContainers(filter, signal) {
      const answer = await call(
        `${RUNTIME}ListContainers`,
        'ListContainersRequest',
        filter === undefined ? {} : { filter },
        'ListContainersResponse',
        signal,
      );
      return (answer['containers'] as readonly Container[]).map(withImageId);
    },
    async containerStatus(id, signal) {
      const answer = await call(
        `${RUNTIME}ContainerStatus`,
        'ContainerIdRequest',
        { containerId: id },
        'ContainerStatusResponse',
        signal,
      );
      return toContainerStatus(present(answer['status'], 'ContainerStatus'));
    },
    async updateContainerResources(id, linux, signal) {
      await call(
        `${RUNTIME}UpdateContainerResources`,
        'UpdateContainerResourcesRequest',
        { containerId: id, linux },
        'Empty',
        signal,
      );
    },
    async reopenContainerLog(id, signal) {
      await call(`${RUNTIME}ReopenContainerLog`, 'ContainerIdRequest', { containerId: id }, 'Empty', signal);
    },
    async execSync(id, command, timeout, signal) {
      const answer = await call(
        `${RUNTIME}ExecSync`,
        'ExecSyncRequest',
        { containerId: id, cmd: command, timeout },
        'ExecSyncResponse',
        signal,
        timeout > 0 ? timeout * 1000 + CALL_TIMEOUT_MS : LONGEST_CALL_MS,
      );
      return answer as unknown as Awaited<ReturnType<ContainerRuntime['execSync']>>;
    },
    async exec(request) {
      return (await call(`${RUNTIME}Exec`, 'ExecRequest', request, 'UrlResponse'))['url'] as string;
    },
    async attach(request) {
      return (await call(`${RUNTIME}Attach`, 'AttachRequest', request, 'UrlResponse'))['url'] as string;
    },
    async portForward(request) {
      return (await call(`${RUNTIME}PortForward`, 'PortForwardRequest', request, 'UrlResponse'))['url'] as string;
    },
    async containerStats(id, signal) {
      const answer = await call(
        `${RUNTIME}ContainerStats`,
        'ContainerIdRequest',
        { containerId: id },
        'ContainerStatsResponse',
        signal,
      );
      return toContainerStats(present(answer['stats'], 'ContainerStats') as unknown as WireContainerStats);
    },
    async listContainerStats(filter, signal) {
      const answer = await call(
        `${RUNTIME}ListContainerStats`,
        'ListContainerStatsRequest',
        filter === undefined ? {} : { filter },
        'ListContainerStatsResponse',
        signal,
      );
      return (answer['stats'] as readonly WireContainerStats[]).map(toContainerStats);
    },
    async listPodSandboxStats(signal) {
      const answer = await call(`${RUNTIME}ListPodSandboxStats`, 'Empty', {}, 'ListPodSandboxStatsResponse', signal);
      return (answer['stats'] as readonly WireSandboxStats[]).map(toSandboxStats);
    },
    containerEvents: events,
    async listImages(signal) {
      const answer = await call(`${IMAGE}ListImages`, 'ListImagesRequest', {}, 'ListImagesResponse', signal);
      return answer['images'] as readonly Image[];
    },
    async imageStatus(image, signal) {
      const answer = await call(`${IMAGE}ImageStatus`, 'ImageRequest', { image }, 'ImageStatusResponse', signal);
      return answer['image'] as Image | undefined;
    },
    async pullImage(image, auth, sandboxConfig, signal) {
      const answer = await call(
        `${IMAGE}PullImage`,
        'PullImageRequest',
        { image, auth, sandboxConfig },
        'PullImageResponse',
        signal,
        LONGEST_CALL_MS,
      );
      return answer['imageRef'] as string;
    },
    removeImage: (image, signal) => callUnlessGone(`${IMAGE}RemoveImage`, 'ImageRequest', { image }, signal),
    async imageFsInfo(signal) {
      const answer = await call(`${IMAGE}ImageFsInfo`, 'Empty', {}, 'ImageFsInfoResponse', signal);
      return (answer['imageFilesystems'] as readonly WireFilesystemUsage[]).map(
        (usage): FilesystemUsage => ({
          timestamp: usage.timestamp,
          mountpoint: usage.mountpoint ?? '',
          usedBytes: usage.usedBytes ?? 0,
          inodesUsed: usage.inodesUsed ?? 0,
        }),
      );
    },
    async updateRuntimeConfig(podCidr, signal) {
      await call(
        `${RUNTIME}UpdateRuntimeConfig`,
        'UpdateRuntimeConfigRequest',
        { runtimeConfig: { networkConfig: { podCidr } } },
        'Empty',
        signal,
      );
    },
    close: () => client.close(),
  };
}

function isServiceError(err: unknown): err is ServiceError {
  return err instanceof Error && typeof (err as Partial<ServiceError>).code === 'number';
}

function toRuntimeError(method: string, err: ServiceError): RuntimeError {
  // The sentence as upstream's kubelet shows it in events and statuses.
  const name = Object.entries(grpcStatus).find(([, code]) => code === err.code)?.[0] ?? 'UNKNOWN';
  return new RuntimeError(err.code, `rpc error: code = ${goCodeName(name)} desc = ${err.details}`, {
    cause: new Error(`${method}: ${err.message}`),
  });
}

/** DEADLINE_EXCEEDED as Go prints it: DeadlineExceeded. */
function goCodeName(name: string): string {
  if (name === 'CANCELLED') return 'Canceled';
  return name
    .split('_')
    .map((word) => word.charAt(0) + word.slice(1).toLowerCase())
    .join('');
}

/** An answer without the message it is for is a runtime's fault. */
function present(value: unknown, what: string): ProtoMessage {
  if (value === undefined) throw new RuntimeError(runtimeErrorCodes.unknown, `the runtime answered without a ${what}`);
  return value as ProtoMessage;
}

function withImageId<T extends { readonly imageId: string; readonly imageRef: string }>(container: T): T {
  // containerd before 1.7 knows no image_id; its image_ref is what upstream then takes.
  return container.imageId === '' ? { ...container, imageId: container.imageRef } : container;
}

function toSandboxStatus(wire: ProtoMessage): PodSandboxStatus {
  const { network, linux, ...rest } = wire as unknown as PodSandbox & {
    readonly state: PodSandboxState;
    readonly network?: { readonly ip: string; readonly additionalIps: readonly string[] };
    readonly linux?: { readonly namespaces?: { readonly options?: PodSandboxStatus['namespaceOptions'] } };
  };
  const namespaceOptions = linux?.namespaces?.options;
  return {
    ...rest,
    ip: network?.ip ?? '',
    additionalIps: network?.additionalIps ?? [],
    ...(namespaceOptions === undefined ? {} : { namespaceOptions }),
  };
}

function toContainerStatus(wire: ProtoMessage): ContainerStatus {
  const { resources, user, stopSignal, ...rest } = wire as unknown as Omit<ContainerStatus, 'resources' | 'user'> & {
    readonly resources?: { readonly linux?: ContainerStatus['resources'] };
    readonly user?: { readonly linux?: ContainerStatus['user'] };
  };
  return {
    ...withImageId(rest),
    ...(resources?.linux === undefined ? {} : { resources: resources.linux }),
    ...(user?.linux === undefined ? {} : { user: user.linux }),
    ...(stopSignal === undefined || stopSignal === 'RUNTIME_DEFAULT' ? {} : { stopSignal }),
  };
}

interface WireFilesystemUsage {
  readonly timestamp: bigint;
  readonly mountpoint?: string;
  readonly usedBytes?: number;
  readonly inodesUsed?: number;
}

interface WireCpu {
  readonly timestamp: bigint;
  readonly usageCoreNanoSeconds?: bigint;
}

interface WireMemory {
  readonly timestamp: bigint;
  readonly workingSetBytes?: number;
  readonly availableBytes?: number;
  readonly usageBytes?: number;
  readonly rssBytes?: number;
  readonly pageFaults?: number;
  readonly majorPageFaults?: number;
}

interface WireContainerStats {
  readonly attributes?: {
    readonly id: string;
    readonly metadata?: { readonly name: string };
    readonly labels: ContainerStats['labels'];
  };
  readonly cpu?: WireCpu;
  readonly memory?: WireMemory;
  readonly writableLayer?: WireFilesystemUsage;
  readonly swap?: { readonly swapAvailableBytes?: number; readonly swapUsageBytes?: number };
}

function toContainerStats(wire: WireContainerStats): ContainerStats {
  return {
    id: wire.attributes?.id ?? '',
    name: wire.attributes?.metadata?.name ?? '',
    labels: wire.attributes?.labels ?? {},
    timestamp: wire.cpu?.timestamp ?? wire.memory?.timestamp ?? 0n,
    ...defined({
      cpuUsageCoreNanoSeconds: wire.cpu?.usageCoreNanoSeconds,
      memoryWorkingSetBytes: wire.memory?.workingSetBytes,
      memoryUsageBytes: wire.memory?.usageBytes,
      memoryRssBytes: wire.memory?.rssBytes,
      memoryAvailableBytes: wire.memory?.availableBytes,
      memoryPageFaults: wire.memory?.pageFaults,
      memoryMajorPageFaults: wire.memory?.majorPageFaults,
      swapUsageBytes: wire.swap?.swapUsageBytes,
      swapAvailableBytes: wire.swap?.swapAvailableBytes,
      writableLayerUsedBytes: wire.writableLayer?.usedBytes,
      writableLayerInodesUsed: wire.writableLayer?.inodesUsed,
    }),
  };
}

interface WireInterface {
  readonly name: string;
  readonly rxBytes?: bigint;
  readonly rxErrors?: bigint;
  readonly txBytes?: bigint;
  readonly txErrors?: bigint;
}

interface WireSandboxStats {
  readonly attributes?: { readonly id: string; readonly metadata?: PodMetadata };
  readonly linux?: {
    readonly cpu?: WireCpu;
    readonly memory?: WireMemory;
    readonly network?: { readonly defaultInterface?: WireInterface; readonly interfaces: readonly WireInterface[] };
    readonly process?: { readonly processCount?: number };
  };
}

function toSandboxStats(wire: WireSandboxStats): PodSandboxStats {
  const linux = wire.linux;
  const first = linux?.network?.defaultInterface;
  const others = (linux?.network?.interfaces ?? []).filter((i) => i.name !== first?.name);
  return {
    id: wire.attributes?.id ?? '',
    metadata: wire.attributes?.metadata ?? { name: '', uid: '', namespace: '', attempt: 0 },
    timestamp: linux?.cpu?.timestamp ?? linux?.memory?.timestamp ?? 0n,
    ...defined({
      cpuUsageCoreNanoSeconds: linux?.cpu?.usageCoreNanoSeconds,
      memoryWorkingSetBytes: linux?.memory?.workingSetBytes,
      memoryUsageBytes: linux?.memory?.usageBytes,
      memoryRssBytes: linux?.memory?.rssBytes,
      processCount: linux?.process?.processCount,
    }),
    interfaces: (first === undefined ? others : [first, ...others]).map((i) => ({
      name: i.name,
      rxBytes: i.rxBytes ?? 0n,
      rxErrors: i.rxErrors ?? 0n,
      txBytes: i.txBytes ?? 0n,
      txErrors: i.txErrors ?? 0n,
    })),
  };
}

/** The entries that have a value. */
function defined<T extends object>(fields: { readonly [K in keyof T]: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}
