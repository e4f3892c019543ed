import type { Clock, Timer } from '../util/clock.ts';
import {
  type Container,
  type ContainerConfig,
  type ContainerEvent,
  type ContainerRuntime,
  type ContainerState,
  type ContainerStats,
  type ContainerStatus,
  type Image,
  type Labels,
  type PodSandbox,
  type PodSandboxConfig,
  type PodSandboxStatus,
  RuntimeError,
  runtimeErrorCodes,
} from './contract.ts';

/** How a container of an image behaves when it is started. */
export interface FakeBehaviour {
  /** Ends by itself this long after its start, milliseconds; runs until stopped unless said. */
  readonly exitAfterMs?: number;
  /** Its exit code then; 0 unless said. */
  readonly exitCode?: number;
  readonly reason?: string;
  readonly message?: string;
  /** Ignores SIGTERM: it ends when its grace is over, with 137. */
  readonly ignoresStop?: boolean;
  /** What it writes at its start, kept for `logs`. */
  readonly output?: string;
  readonly cpuNanoCores?: number;
  readonly memoryBytes?: number;
}

export interface FakeExecResult {
  readonly stdout?: string;
  readonly stderr?: string;
  readonly exitCode?: number;
}

/** Names of the calls that can be made to fail. */
export type FakeCall = Exclude<keyof ContainerRuntime, 'close' | 'containerEvents'>;

export interface FakeRuntimeOptions {
  readonly clock: Clock;
  /** How containers behave, by what their configuration says; they run for ever unless said. Called at each start. */
  readonly behaviour?: (config: ContainerConfig, attempt: number) => FakeBehaviour;
  readonly exec?: (containerName: string, command: readonly string[]) => FakeExecResult | Promise<FakeExecResult>;
  /** The address of the n-th sandbox; 10.244.x.y unless said. */
  readonly podIp?: (n: number) => string;
  /** Every image can be pulled unless this says otherwise: the message of the failure. */
  readonly pullFailure?: (image: string) => string | undefined;
  /** Whether `containerEvents` works; without it callers must poll, as with containerd 1.6. */
  readonly events?: boolean;
}

/** A `ContainerRuntime` in memory with what tests and simulated nodes need to look behind it. */
export interface FakeRuntime extends ContainerRuntime {
  /** The calls made, oldest first: name and what it was about. The last 10,000 are kept. */
  readonly calls: readonly string[];
  /** The next `times` calls of `call` reject with `error`. */
  failNext(call: FakeCall, error: RuntimeError, times?: number): void;
  /** Ends a running container as if by itself. */
  exit(containerId: string, exitCode: number, reason?: string): void;
  /** Ends everything at once, as a crash of the machine does; nothing is forgotten. */
  crash(): void;
  /** What the container wrote. */
  logs(containerId: string): string;
  addImage(name: string): void;
}

interface FakeSandbox {
  readonly sandbox: PodSandbox;
  readonly config: PodSandboxConfig;
  readonly ip: string;
  ready: boolean;
}

interface FakeContainer {
  readonly id: string;
  readonly sandboxId: string;
  readonly config: ContainerConfig;
  readonly imageId: string;
  readonly createdAt: bigint;
  behaviour: FakeBehaviour;
  state: ContainerState;
  startedAt: bigint;
  finishedAt: bigint;
  exitCode: number;
  reason: string;
  message: string;
  timer: Timer | undefined;
  output: string;
  /** Told when it ends. */
  readonly ended: (() => void)[];
}

const MAX_CALLS = 10_000;
/** Events kept for a subscriber that is behind; then the oldest are dropped: the kubelet relists anyway. */
const MAX_EVENTS = 10_000;
const SIGKILLED = 137;
const SIGTERMED = 143;

/** A runtime in memory. Time passes only on `clock`; identifiers count up, so that a run can be repeated. */
export function createFakeRuntime(options: FakeRuntimeOptions): FakeRuntime {
  const { clock } = options;
  const sandboxes = new Map<string, FakeSandbox>();
  const containers = new Map<string, FakeContainer>();
  const images = new Map<string, Image>();
  const calls: string[] = [];
  const failures = new Map<FakeCall, RuntimeError[]>();
  const subscribers = new Set<(event: ContainerEvent) => void>();
  let lastId = 0;
  let lastAddress = 0;
  let open = true;

  const nanos = (): bigint => BigInt(Math.round(clock.now() * 1e6));
  const nextId = (): string => (++lastId).toString(16).padStart(64, '0');

  /** Everything begins here: notes the call, and fails when it was told to. */
  function enter(call: FakeCall, about: string, signal?: AbortSignal): void {
    if (!open) throw new RuntimeError(runtimeErrorCodes.unavailable, 'the runtime is closed');
    signal?.throwIfAborted();
    if (calls.length >= MAX_CALLS) calls.splice(0, MAX_CALLS / 2);
    calls.push(about === '' ? call : `${call} ${about}`);
    const waiting = failures.get(call);
    const failure = waiting?.shift();
    if (failure !== undefined) throw failure;
  }

  function emit(container: FakeContainer, type: ContainerEvent['type']): void {
    const podUid = sandboxes.get(container.sandboxId)?.config.metadata.uid ?? '';
    for (const tell of subscribers) tell({ containerId: container.id, type, podUid });
  }

  function sandboxOf(id: string): FakeSandbox {
    const found = sandboxes.get(id);
    if (found === undefined)
      throw new RuntimeError(runtimeErrorCodes.notFound, `an error occurred when try to find sandbox: not found: ${id}`);
    return found;
  }

  function containerOf(id: string): FakeContainer {
    const found = containers.get(id);
    if (found === undefined)
      throw new RuntimeError(runtimeErrorCodes.notFound, `an error occurred when try to find container "${id}": not found`);
    return found;
  }

  function finish(container: FakeContainer, exitCode: number, reason?: string, message = ''): void {
    if (container.state !== 'RUNNING') return;
    container.timer?.cancel();
    container.timer = undefined;
    container.state = 'EXITED';
    container.finishedAt = nanos();
    container.exitCode = exitCode;
    container.reason = reason ?? (exitCode === 0 ? 'Completed' : 'Error');
    container.message = message;
    for (const tell of container.ended.splice(0)) tell();
    emit(container, 'STOPPED');
  }

  function imageFor(name: string): Image | undefined {
    return images.get(name) ?? [...images.values()].find((image) => image.id === name || image.repoDigests.includes(name));
  }

  function addImage(name: string): Image {
    const known = imageFor(name);
    if (known !== undefined) return known;
    const id = `sha256:${fnv(name).toString(16).padStart(64, '0')}`;
    const repository = name.replace(/[@:][^/]*$/, '');
    const image: Image = {
      id,
      repoTags: name.includes('@') ? [] : [name],
      repoDigests: [`${repository}@${id}`],
      size: 1_000_000,
      username: '',
      pinned: false,
    };
    images.set(name, image);
    return image;
  }

  function toContainer(c: FakeContainer): Container {
    return {
      id: c.id,
      podSandboxId: c.sandboxId,
      metadata: c.config.metadata,
      image: c.config.image,
      imageRef: c.imageId,
      imageId: c.imageId,
      state: c.state,
      createdAt: c.createdAt,
      labels: c.config.labels,
      annotations: c.config.annotations,
    };
  }

  function toStats(c: FakeContainer): ContainerStats {
    const ran = Number(nanos() - c.startedAt);
    const memory = c.behaviour.memoryBytes ?? 0;
    return {
      id: c.id,
      name: c.config.metadata.name,
      labels: c.config.labels,
      timestamp: nanos(),
      cpuUsageCoreNanoSeconds: BigInt(Math.round((ran * (c.behaviour.cpuNanoCores ?? 0)) / 1e9)),
      memoryWorkingSetBytes: memory,
      memoryUsageBytes: memory,
      memoryRssBytes: memory,
      writableLayerUsedBytes: 0,
      writableLayerInodesUsed: 0,
    };
  }

  function sandboxView(s: FakeSandbox): PodSandbox {
    return { ...s.sandbox, state: s.ready ? 'READY' : 'NOTREADY' };
  }

  async function stopContainer(container: FakeContainer, timeoutSeconds: number, signal?: AbortSignal): Promise<void> {
    if (container.state !== 'RUNNING') return;
    if (container.behaviour.ignoresStop !== true) {
      finish(container, SIGTERMED);
      return;
    }
    const ended = new Promise<void>((resolve) => container.ended.push(resolve));
    const timer = clock.setTimer(timeoutSeconds * 1000, () => finish(container, SIGKILLED));
    const onAbort = (): void =>
      container.ended.splice(0).forEach((tell) => {
        tell();
      });
    signal?.addEventListener('abort', onAbort, { once: true });
    await ended;
    signal?.removeEventListener('abort', onAbort);
    timer.cancel();
    signal?.throwIfAborted();
  }

  const runtime: FakeRuntime = {
    calls,
    failNext(call, error, times = 1) {
      const waiting = failures.get(call) ?? [];
      failures.set(call, waiting);
      for (let i = 0; i < times; i++) waiting.push(error);
    },
    exit: (id, exitCode, reason) => finish(containerOf(id), exitCode, reason),
    crash() {
      for (const container of containers.values()) finish(container, SIGKILLED);
      for (const sandbox of sandboxes.values()) sandbox.ready = false;
    },
    logs: (id) => containerOf(id).output,
    addImage: (name) => {
      addImage(name);
    },

    async version(signal) {
      enter('version', '', signal);
      return { runtimeName: 'fake', runtimeVersion: '1.0.0', runtimeApiVersion: 'v1' };
    },
    async status(signal) {
      enter('status', '', signal);
      const ready = (type: string) => ({ type, status: true, reason: '', message: '' });
      return { conditions: [ready('RuntimeReady'), ready('NetworkReady')] };
    },
    async runPodSandbox(config, runtimeHandler, signal) {
      enter('runPodSandbox', `${config.metadata.namespace}/${config.metadata.name}`, signal);
      const id = nextId();
      const n = ++lastAddress;
      const isHost = config.linux.securityContext.namespaceOptions.network === 'NODE';
      sandboxes.set(id, {
        config,
        ready: true,
        ip: isHost ? '' : (options.podIp?.(n) ?? `10.244.${(n >> 8) & 255}.${n & 255}`),
        sandbox: {
          id,
          metadata: config.metadata,
          state: 'READY',
          createdAt: nanos(),
          labels: config.labels,
          annotations: config.annotations,
          runtimeHandler: runtimeHandler ?? '',
        },
      });
      return id;
    },
    async stopPodSandbox(id, signal) {
      enter('stopPodSandbox', id, signal);
      const sandbox = sandboxes.get(id);
      if (sandbox === undefined) return;
      for (const container of containers.values()) if (container.sandboxId === id) finish(container, SIGKILLED);
      sandbox.ready = false;
    },
    async removePodSandbox(id, signal) {
      enter('removePodSandbox', id, signal);
      for (const container of [...containers.values()]) {
        if (container.sandboxId !== id) continue;
        finish(container, SIGKILLED);
        containers.delete(container.id);
        emit(container, 'DELETED');
      }
      sandboxes.delete(id);
    },
    async podSandboxStatus(id, signal): Promise<PodSandboxStatus> {
      enter('podSandboxStatus', id, signal);
      const sandbox = sandboxOf(id);
      return {
        ...sandboxView(sandbox),
        ip: sandbox.ready ? sandbox.ip : '',
        additionalIps: [],
        namespaceOptions: sandbox.config.linux.securityContext.namespaceOptions,
      };
    },
    async listPodSandboxes(filter, signal) {
      enter('listPodSandboxes', '', signal);
      return [...sandboxes.values()]
        .map(sandboxView)
        .filter(
          (s) =>
            (filter?.id === undefined || s.id === filter.id) &&
            (filter?.state === undefined || s.state === filter.state) &&
            matches(s.labels, filter?.labelSelector),
        );
    },
    async createContainer(sandboxId, config, _sandboxConfig, signal) {
      enter('createContainer', config.metadata.name, signal);
      if (!sandboxOf(sandboxId).ready)
        throw new RuntimeError(runtimeErrorCodes.unknown, `sandbox container "${sandboxId}" is not running`);
      const image = imageFor(config.image);
      if (image === undefined)
        throw new RuntimeError(runtimeErrorCodes.notFound, `failed to resolve image "${config.image}": not found`);
      const container: FakeContainer = {
        id: nextId(),
        sandboxId,
        config,
        imageId: image.id,
        createdAt: nanos(),
        behaviour: {},
        state: 'CREATED',
        startedAt: 0n,
        finishedAt: 0n,
        exitCode: 0,
        reason: '',
        message: '',
        timer: undefined,
        output: '',
        ended: [],
      };
      containers.set(container.id, container);
      emit(container, 'CREATED');
      return container.id;
    },
    async startContainer(id, signal) {
      enter('startContainer', id, signal);
      const container = containerOf(id);
      if (container.state !== 'CREATED')
        throw new RuntimeError(runtimeErrorCodes.unknown, `container "${id}" is in CONTAINER_${container.state} state`);
      const behaviour = options.behaviour?.(container.config, container.config.metadata.attempt) ?? {};
      container.behaviour = behaviour;
      container.state = 'RUNNING';
      container.startedAt = nanos();
      container.output += behaviour.output ?? '';
      emit(container, 'STARTED');
      if (behaviour.exitAfterMs !== undefined)
        container.timer = clock.setTimer(behaviour.exitAfterMs, () =>
          finish(container, behaviour.exitCode ?? 0, behaviour.reason, behaviour.message),
        );
    },
    async stopContainer(id, timeout, signal) {
      enter('stopContainer', id, signal);
      const container = containers.get(id);
      if (container !== undefined) await stopContainer(container, timeout, signal);
    },
    async removeContainer(id, signal) {
      enter('removeContainer', id, signal);
      const container = containers.get(id);
      if (container === undefined) return;
      finish(container, SIGKILLED);
      containers.delete(id);
      emit(container, 'DELETED');
    },
    async listContainers(filter, signal) {
      enter('listContainers', '', signal);
      return [...containers.values()]
        .filter(
          (c) =>
            (filter?.id === undefined || c.id === filter.id) &&
            (filter?.podSandboxId === undefined || c.sandboxId === filter.podSandboxId) &&
            (filter?.state === undefined || c.state === filter.state) &&
            matches(c.config.labels, filter?.labelSelector),
        )
        .map(toContainer);
    },
    async containerStatus(id, signal): Promise<ContainerStatus> {
      enter('containerStatus', id, signal);
      const c = containerOf(id);
      const { podSandboxId: _, ...rest } = toContainer(c);
      const directory = sandboxes.get(c.sandboxId)?.config.logDirectory ?? '';
      return {
        ...rest,
        startedAt: c.startedAt,
        finishedAt: c.finishedAt,
        exitCode: c.exitCode,
        reason: c.reason,
        message: c.message,
        logPath: c.config.logPath === '' ? '' : `${directory}/${c.config.logPath}`,
        mounts: c.config.mounts,
        resources: c.config.linux.resources,
      };
    },
    async updateContainerResources(id, _linux, signal) {
      enter('updateContainerResources', id, signal);
      containerOf(id);
    },
    async reopenContainerLog(id, signal) {
      enter('reopenContainerLog', id, signal);
      if (containerOf(id).state !== 'RUNNING') throw new RuntimeError(runtimeErrorCodes.unknown, 'container is not running');
    },
    async execSync(id, command, timeout, signal) {
      enter('execSync', command.join(' '), signal);
      const container = containerOf(id);
      if (container.state !== 'RUNNING')
        throw new RuntimeError(runtimeErrorCodes.unknown, `container is in CONTAINER_${container.state} state`);
      const work = Promise.resolve(options.exec?.(container.config.metadata.name, command) ?? {});
      const result = await (timeout > 0 ? withDeadline(clock, work, timeout * 1000) : work);
      return {
        stdout: Buffer.from(result.stdout ?? ''),
        stderr: Buffer.from(result.stderr ?? ''),
        exitCode: result.exitCode ?? 0,
      };
    },
    exec: () => noStreaming(),
    attach: () => noStreaming(),
    portForward: () => noStreaming(),
    async containerStats(id, signal) {
      enter('containerStats', id, signal);
      return toStats(containerOf(id));
    },
    async listContainerStats(filter, signal) {
      enter('listContainerStats', '', signal);
      return [...containers.values()]
        .filter(
          (c) =>
            c.state === 'RUNNING' &&
            (filter?.podSandboxId === undefined || c.sandboxId === filter.podSandboxId) &&
            matches(c.config.labels, filter?.labelSelector),
        )
        .map(toStats);
    },
    async listPodSandboxStats(signal) {
      enter('listPodSandboxStats', '', signal);
      return [...sandboxes.values()].map((s) => ({
        id: s.sandbox.id,
        metadata: s.sandbox.metadata,
        timestamp: nanos(),
        interfaces: [],
      }));
    },
    async *containerEvents(signal) {
      if (options.events !== true)
        throw new RuntimeError(runtimeErrorCodes.unimplemented, 'method GetContainerEvents not implemented');
      const waiting: ContainerEvent[] = [];
      let wake = (): void => {};
      const tell = (event: ContainerEvent): void => {
        if (waiting.length >= MAX_EVENTS) waiting.shift();
        waiting.push(event);
        wake();
      };
      const onAbort = (): void => wake();
      subscribers.add(tell);
      signal.addEventListener('abort', onAbort);
      try {
        while (!signal.aborted) {
          const event = waiting.shift();
          if (event !== undefined) yield event;
          else
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
        }
      } finally {
        subscribers.delete(tell);
        signal.removeEventListener('abort', onAbort);
      }
    },
    async listImages(signal) {
      enter('listImages', '', signal);
      return [...images.values()];
    },
    async imageStatus(image, signal) {
      enter('imageStatus', image, signal);
      return imageFor(image);
    },
    async pullImage(image, _auth, _sandboxConfig, signal) {
      enter('pullImage', image, signal);
      const failure = options.pullFailure?.(image);
      if (failure !== undefined) throw new RuntimeError(runtimeErrorCodes.unknown, failure);
      return addImage(image).id;
    },
    async removeImage(image, signal) {
      enter('removeImage', image, signal);
      const found = imageFor(image);
      for (const [name, candidate] of images) if (candidate === found) images.delete(name);
    },
    async imageFsInfo(signal) {
      enter('imageFsInfo', '', signal);
      const usedBytes = [...images.values()].reduce((sum, image) => sum + image.size, 0);
      return [{ timestamp: nanos(), mountpoint: '/fake', usedBytes, inodesUsed: images.size }];
    },
    async updateRuntimeConfig(podCidr, signal) {
      enter('updateRuntimeConfig', podCidr, signal);
    },
    close() {
      open = false;
      for (const container of containers.values()) container.timer?.cancel();
    },
  };
  return runtime;
}

async function noStreaming(): Promise<string> {
  throw new RuntimeError(runtimeErrorCodes.unimplemented, 'containers in memory have no streams');
}

function matches(labels: Labels, selector: Labels | undefined): boolean {
  return selector === undefined || Object.entries(selector).every(([key, value]) => labels[key] === value);
}

function withDeadline<T>(clock: Clock, work: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(ms, () =>
      reject(new RuntimeError(runtimeErrorCodes.deadlineExceeded, 'failed to exec in container: timeout exceeded')),
    );
    work.then(resolve, reject).finally(() => timer.cancel());
  });
}

/** FNV-1a over 32 bits: enough to tell names apart. */
function fnv(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
