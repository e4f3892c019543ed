import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { backoffDelay } from '../util/backoff.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import { containerdConfig, mayLowerOomScore, type RuncRuntime } from './containerd-config.ts';
import type { ContainerRuntime } from './contract.ts';
import { connectRuntime } from './cri-client.ts';

export interface ContainerdOptions {
  /** Everything of this containerd is kept below: images, state, configuration, log. Absolute. */
  readonly dataDir: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly cniConfDir: string;
  /** /usr/lib/cni or /opt/cni/bin, whichever is there, unless said. */
  readonly cniBinDir?: string;
  /** Where the socket stands: a short path, for it may have no more than 107 bytes. `dataDir` unless said. */
  readonly socketDir?: string;
  /** Address of the stream server, reachable for the kubelet; 127.0.0.1 unless said. */
  readonly streamAddress?: string;
  readonly registryConfigPath?: string;
  /** Path of a network namespace to run in, for several nodes on one machine. */
  readonly networkNamespace?: string;
  /** Directories (one for each controller) of a cgroup to run in; they must exist. */
  readonly cgroupDirectories?: readonly string[];
  /** `auto`, unless said: crun when it is installed, else runc. */
  readonly runtime?: RuncRuntime | 'auto';
  /** Directories programs are looked for in, instead of the PATH's. */
  readonly programPath?: readonly string[];
}

/** How the supervised daemon is doing. */
export interface ContainerdHealth {
  readonly state: 'running' | 'restarting' | 'stopped';
  readonly pid: number | undefined;
  /** Times it was started anew since supervision began. */
  readonly restarts: number;
  /** Why it was last started anew. */
  readonly lastFailure: string | undefined;
}

export interface SupervisedContainerd {
  readonly socketPath: string;
  /** The program `ctr` that belongs to it. */
  readonly ctr: string;
  readonly defaultRuntime: RuncRuntime;
  /** Whether it ran already and was taken over. */
  readonly adopted: boolean;
  health(): ContainerdHealth;
  /** Ends supervision and the daemon. `pods: 'stop'` stops and removes every pod first; `leave` leaves them running. Calling it again does nothing. */
  stop(options: { readonly pods: 'stop' | 'leave' }): Promise<void>;
}

/** Longest path of a unix socket, bytes. */
const MAX_SOCKET_PATH = 107;
/** Time for the daemon to answer after its start, milliseconds. */
const START_TIMEOUT_MS = 30_000;
const START_POLL_MS = 4;
/** How often a running daemon is asked for its version: whether it still answers. */
const QUESTION_INTERVAL_MS = 10_000;
/** How often the process of one is looked at that is no child of this one, so that nobody tells of its end. */
const LOOK_INTERVAL_MS = 1_000;
const ANSWER_TIMEOUT_MS = 10_000;
/** Unanswered questions in a row before it is ended and started anew. */
const MAX_UNANSWERED = 3;
/** Time from SIGTERM to SIGKILL. */
const TERMINATION_MS = 10_000;
const TERMINATION_POLL_MS = 20;
const RESTART_BACKOFF = { initial: 100, max: 30_000 } as const;
/** A daemon that ran this long has its failures forgiven. */
const STABLE_MS = 60_000;
const MAX_LOG_BYTES = 16 * 1024 * 1024;
/** Pods stopped at a time by `stop`. */
const STOP_CONCURRENCY = 8;

const sbinDirectories = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/bin', '/bin'];

/**
 * Runs a containerd of our own below `dataDir`. One that an earlier process started there is taken over; otherwise it is started in a session
 * of its own, so that it and its containers outlive this process. Resolves when its CRI answers. From then on it is started anew, with backoff,
 * when it ends or no longer answers, until `signal` aborts (which leaves it running) or `stop` is called.
 * Rejects with a sentence for the user when a program is missing or it does not come up.
 */
export async function superviseContainerd(options: ContainerdOptions, signal: AbortSignal): Promise<SupervisedContainerd> {
  const { clock, logger, dataDir } = options;
  const paths = {
    config: join(dataDir, 'config.toml'),
    pid: join(dataDir, 'containerd.pid'),
    log: join(dataDir, 'containerd.log'),
    socket: join(options.socketDir ?? dataDir, 'containerd.sock'),
  };
  if (Buffer.byteLength(paths.socket) > MAX_SOCKET_PATH)
    throw new Error(`the path of containerd's socket is too long (${MAX_SOCKET_PATH} bytes at most): ${paths.socket}`);
  const programs = await findPrograms(options);
  const defaultRuntime = programs.runtimes[0]!.name;
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await mkdir(options.socketDir ?? dataDir, { recursive: true, mode: 0o700 });
  await mkdir(options.cniConfDir, { recursive: true });

  let runtime = connectRuntime(paths.socket, { clock, logger });
  let pid = await runningPid(paths.pid, paths.config);
  let restarts = 0;
  let lastFailure: string | undefined;
  let state: ContainerdHealth['state'] = 'restarting';

  /** Resolves when the daemon started here ends; undefined for one that was taken over. */
  let ended: Promise<void> | undefined;
  const start = async (): Promise<void> => {
    const launched = await launch(options, paths, programs);
    pid = launched.pid;
    ended = launched.ended;
    // A channel that has just failed waits before it tries again: take a new one.
    runtime.close();
    await untilListening(paths, pid, clock, signal);
    runtime = connectRuntime(paths.socket, { clock, logger });
    if (!(await comesToAnswer(runtime, pid, clock, START_TIMEOUT_MS, signal)))
      throw new Error(`containerd does not answer after its start: ${await lastLines(paths.log)}`);
    state = 'running';
  };

  let adopted = false;
  try {
    if (pid !== undefined && (await comesToAnswer(runtime, pid, clock, ANSWER_TIMEOUT_MS, signal))) {
      adopted = true;
      state = 'running';
      logger.info({ pid, socket: paths.socket }, 'Took over the containerd that is running');
    } else {
      if (pid !== undefined) await terminate(pid, clock);
      await start();
    }
  } catch (err) {
    runtime.close();
    if (pid !== undefined) await terminate(pid, clock);
    throw err;
  }

  const supervision = new AbortController();
  const watching = AbortSignal.any([signal, supervision.signal]);
  const done = supervise().catch((err: unknown) => {
    if (!watching.aborted) logger.error({ err }, 'Supervision of containerd ended');
  });

  async function supervise(): Promise<void> {
    let failures = 0;
    let runningSince = clock.monotonic();
    for (;;) {
      const reason = await untilFailed();
      if (clock.monotonic() - runningSince > STABLE_MS) failures = 0;
      state = 'restarting';
      lastFailure = reason;
      logger.warn({ pid, reason, log: paths.log }, 'containerd failed: starting it anew');
      for (;;) {
        failures++;
        await clock.sleep(backoffDelay(RESTART_BACKOFF, failures), watching);
        restarts++;
        try {
          if (pid !== undefined) await terminate(pid, clock);
          await start();
          break;
        } catch (err) {
          if (watching.aborted) return;
          lastFailure = String(err);
          logger.error({ err, restarts }, 'containerd could not be started');
        }
      }
      runningSince = clock.monotonic();
      logger.info({ pid, restarts }, 'containerd runs again');
    }
  }

  /** Resolves with the reason when the daemon is gone or does not answer. */
  async function untilFailed(): Promise<string> {
    let unanswered = 0;
    let askedAt = clock.monotonic();
    for (;;) {
      const interval = ended === undefined ? LOOK_INTERVAL_MS : QUESTION_INTERVAL_MS;
      await Promise.race([clock.sleep(interval, watching), ...(ended === undefined ? [] : [ended])]);
      watching.throwIfAborted();
      if (pid === undefined || !(await isAlive(pid))) return 'the process ended';
      if (ended === undefined && clock.monotonic() - askedAt < QUESTION_INTERVAL_MS) continue;
      askedAt = clock.monotonic();
      if (await answers(runtime, watching)) unanswered = 0;
      else if (++unanswered >= MAX_UNANSWERED) return `no answer to ${unanswered} questions in a row`;
    }
  }

  let stopping: Promise<void> | undefined;
  async function stop(pods: 'stop' | 'leave'): Promise<void> {
    supervision.abort(new Error('containerd is being stopped'));
    await done;
    try {
      if (pods === 'stop') await stopAllPods(runtime, logger);
    } finally {
      runtime.close();
      if (pid !== undefined) await terminate(pid, clock);
      pid = undefined;
      state = 'stopped';
      await rm(paths.pid, { force: true });
      await rm(paths.socket, { force: true });
    }
  }

  watching.addEventListener('abort', () => {
    if (signal.aborted && !supervision.signal.aborted) runtime.close();
  });

  return {
    socketPath: paths.socket,
    ctr: programs.ctr,
    defaultRuntime,
    adopted,
    health: () => ({ state, pid, restarts, lastFailure }),
    stop: ({ pods }) => (stopping ??= stop(pods)),
  };
}

interface Paths {
  readonly config: string;
  readonly pid: string;
  readonly log: string;
  readonly socket: string;
}

interface Programs {
  readonly containerd: string;
  readonly ctr: string;
  readonly runtimes: readonly { readonly name: RuncRuntime; readonly path: string }[];
  readonly cniBinDir: string;
}

async function findPrograms(options: ContainerdOptions): Promise<Programs> {
  const directories = options.programPath ?? [
    ...(process.env['PATH'] ?? '').split(':').filter((d) => d !== ''),
    ...sbinDirectories,
  ];
  const find = async (name: string): Promise<string | undefined> => {
    for (const directory of directories) {
      const path = join(directory, name);
      if (await isExecutable(path)) return path;
    }
    return undefined;
  };
  const containerd = await find('containerd');
  const ctr = await find('ctr');
  if (containerd === undefined || ctr === undefined)
    throw new Error(
      'containerd is not installed: a node needs it to run containers (on Debian and Ubuntu: apt-get install containerd)',
    );
  const wanted: readonly RuncRuntime[] =
    options.runtime === undefined || options.runtime === 'auto' ? ['crun', 'runc'] : [options.runtime];
  const runtimes: { name: RuncRuntime; path: string }[] = [];
  for (const name of wanted) {
    const path = await find(name);
    if (path !== undefined) runtimes.push({ name, path });
  }
  if (runtimes.length === 0)
    throw new Error(
      `${wanted.join(' or ')} is not installed: containerd needs it to run containers (apt-get install ${wanted[0]})`,
    );
  const cniBinDir = options.cniBinDir ?? ((await isExecutable('/usr/lib/cni/bridge')) ? '/usr/lib/cni' : '/opt/cni/bin');
  return { containerd, ctr, runtimes, cniBinDir };
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

interface Launched {
  readonly pid: number;
  /** Resolves when the process ends. */
  readonly ended: Promise<void>;
}

/** Starts the daemon; its process id is on record in the pid file before this resolves. */
async function launch(options: ContainerdOptions, paths: Paths, programs: Programs): Promise<Launched> {
  const { dataDir } = options;
  const text = containerdConfig({
    rootDir: join(dataDir, 'root'),
    stateDir: join(dataDir, 'state'),
    socketPath: paths.socket,
    ttrpcPath: `${paths.socket}.ttrpc`,
    optDir: join(dataDir, 'opt'),
    cniBinDir: programs.cniBinDir,
    cniConfDir: options.cniConfDir,
    streamAddress: options.streamAddress ?? '127.0.0.1',
    runtimes: programs.runtimes,
    lowOomScores: mayLowerOomScore(await readFile('/proc/self/status', 'utf8').catch(() => '')),
    ...(options.registryConfigPath === undefined ? {} : { registryConfigPath: options.registryConfigPath }),
  });
  await writeFile(paths.config, text, { mode: 0o600 });
  await rm(paths.socket, { force: true });
  if (((await stat(paths.log).catch(() => undefined))?.size ?? 0) > MAX_LOG_BYTES) await rename(paths.log, `${paths.log}.1`);

  const mounts = await readFile('/proc/self/mountinfo', 'utf8');
  const log = await open(paths.log, 'a', 0o600);
  let child: ChildProcess;
  try {
    const command = launchCommand({
      containerd: programs.containerd,
      config: paths.config,
      makeRootShared: !isRootShared(mounts),
      hideUnifiedCgroup: programs.runtimes[0]!.name === 'crun' && isHybridCgroup(mounts),
      networkNamespace: options.networkNamespace,
      cgroupDirectories: options.cgroupDirectories ?? [],
    });
    child = spawn(command[0]!, command.slice(1), { detached: true, stdio: ['ignore', log.fd, log.fd], cwd: '/' });
    await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  } finally {
    await log.close();
  }
  // Each step of the command replaces the one before: the process keeps its id.
  child.unref();
  await writeFile(paths.pid, `${child.pid}\n`, { mode: 0o600 });
  const ended = new Promise<void>((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once('exit', () => resolve());
  });
  return { pid: child.pid!, ended };
}

/** What decides how containerd is started. */
export interface LaunchPlan {
  readonly containerd: string;
  readonly config: string;
  /** Mounts must travel between the node and containers that ask for it, and `/` is private without systemd. */
  readonly makeRootShared: boolean;
  /** crun takes a hybrid layout for cgroup v2: /sys/fs/cgroup/unified must be out of its sight. */
  readonly hideUnifiedCgroup: boolean;
  readonly networkNamespace: string | undefined;
  readonly cgroupDirectories: readonly string[];
}

/** The command that becomes containerd: every program in it replaces itself by the next. */
export function launchCommand(plan: LaunchPlan): readonly string[] {
  const script = ['set -e'];
  plan.cgroupDirectories.forEach((_, i) => {
    script.push(`echo $$ > "$${i + 2}/cgroup.procs"`);
  });
  if (plan.makeRootShared) script.push('mount --make-rshared /');
  const containerd = 'exec "$0" --config "$1"';
  if (plan.hideUnifiedCgroup) {
    // Mounts stay shared with the node (the kubelet's volumes must reach containerd), all but this one unmount.
    script.push(
      'exec unshare --mount --propagation unchanged sh -c \'mount --make-rprivate /sys/fs/cgroup && umount /sys/fs/cgroup/unified && exec "$0" --config "$1"\' "$0" "$1"',
    );
  } else script.push(containerd);
  const shell = ['sh', '-c', script.join('\n'), plan.containerd, plan.config, ...plan.cgroupDirectories];
  return plan.networkNamespace === undefined ? shell : ['nsenter', `--net=${plan.networkNamespace}`, '--', ...shell];
}

/** Whether mounts below `/` are shared, by the text of mountinfo. */
export function isRootShared(mountinfo: string): boolean {
  return mountFields(mountinfo).some(([, , , , point, , ...rest]) => point === '/' && rest.some((f) => f.startsWith('shared:')));
}

/** Whether cgroup v1 is in use with a v2 tree mounted beside it, by the text of mountinfo. */
export function isHybridCgroup(mountinfo: string): boolean {
  const points = mountFields(mountinfo);
  const typeOf = (point: string): string | undefined => {
    const fields = points.findLast((f) => f[4] === point);
    return fields?.[fields.indexOf('-') + 1];
  };
  return typeOf('/sys/fs/cgroup/unified') === 'cgroup2' && typeOf('/sys/fs/cgroup') !== 'cgroup2';
}

function mountFields(mountinfo: string): readonly (readonly string[])[] {
  return mountinfo.split('\n').map((line) => line.split(' '));
}

/** The process in the pid file, if it is still the containerd of this configuration. */
async function runningPid(pidFile: string, config: string): Promise<number | undefined> {
  const pid = Number.parseInt(await readFile(pidFile, 'utf8').catch(() => ''), 10);
  if (!Number.isSafeInteger(pid) || pid <= 1) return undefined;
  // Process ids are used again: its arguments say whether it is ours.
  const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
  return args.includes(config) ? pid : undefined;
}

/** Whether the process runs. One that has ended and was not yet waited for does not. */
async function isAlive(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const state = text.slice(text.lastIndexOf(')') + 2)[0];
  return state !== undefined && state !== 'Z' && state !== 'X';
}

async function terminate(pid: number, clock: Clock): Promise<void> {
  for (const name of ['SIGTERM', 'SIGKILL'] as const) {
    try {
      process.kill(pid, name);
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code === 'ESRCH') return;
      throw err;
    }
    const end = clock.monotonic() + TERMINATION_MS;
    while (clock.monotonic() < end) {
      if (!(await isAlive(pid))) return;
      await clock.sleep(TERMINATION_POLL_MS);
    }
  }
}

async function answers(runtime: ContainerRuntime, signal: AbortSignal): Promise<boolean> {
  return runtime.version(AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)])).then(
    () => true,
    () => {
      signal.throwIfAborted();
      return false;
    },
  );
}

/** Asks until it answers: while it takes up the pods of its predecessor it listens, but refuses every question. False when it never does. */
async function comesToAnswer(
  runtime: ContainerRuntime,
  pid: number,
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const end = clock.monotonic() + timeoutMs;
  while (!(await answers(runtime, signal))) {
    if (clock.monotonic() > end || !(await isAlive(pid))) return false;
    await clock.sleep(START_POLL_MS, signal);
  }
  return true;
}

async function untilListening(paths: Paths, pid: number, clock: Clock, signal: AbortSignal): Promise<void> {
  const end = clock.monotonic() + START_TIMEOUT_MS;
  while (!(await accepts(paths.socket))) {
    if (!(await isAlive(pid))) throw new Error(`containerd ended at its start: ${await lastLines(paths.log)}`);
    if (clock.monotonic() > end) throw new Error(`containerd does not listen after ${START_TIMEOUT_MS} ms; see ${paths.log}`);
    await clock.sleep(START_POLL_MS, signal);
  }
}

function accepts(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

async function lastLines(log: string): Promise<string> {
  const text = await readFile(log, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-3).join(' | ').slice(-1_000);
}

async function stopAllPods(runtime: ContainerRuntime, logger: Logger): Promise<void> {
  const waiting = [...(await runtime.listPodSandboxes())];
  const worker = async (): Promise<void> => {
    for (let pod = waiting.pop(); pod !== undefined; pod = waiting.pop()) {
      try {
        await runtime.stopPodSandbox(pod.id);
        await runtime.removePodSandbox(pod.id);
      } catch (err) {
        logger.error({ err, pod: `${pod.metadata.namespace}/${pod.metadata.name}` }, 'A pod could not be stopped');
      }
    }
  };
  await Promise.all(Array.from({ length: STOP_CONCURRENCY }, worker));
}
