import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout that is tested. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Why a real cluster cannot be had here; '' when it can. */
export function realClusterObstacle(): string {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.getuid?.() !== 0) return 'needs root';
  const missing = ['/usr/bin/containerd', '/usr/sbin/nft', '/usr/lib/cni/bridge', '/sbin/ip', '/bin/busybox'].filter(
    (file) => !existsSync(file),
  );
  if (missing.length > 0) return `needs ${missing.join(' ')}`;
  return kubectls().length === 0 ? 'needs a kubectl' : '';
}

export interface Kubectl {
  /** Minor version, 20 for v1.20. */
  readonly minor: number;
  readonly path: string;
}

/** Every kubectl on this machine, oldest first. */
export function kubectls(): readonly Kubectl[] {
  const directories = new Set([
    ...(process.env['PATH'] ?? '').split(':'),
    '/usr/bin',
    '/usr/lib/google-cloud-sdk/bin',
    '/opt/kubectl-1.20/usr/bin',
  ]);
  const found = new Map<number, string>();
  for (const directory of directories) {
    if (!existsSync(directory)) continue;
    for (const name of readdirSync(directory).filter((n) => /^kubectl(\.\d+\.\d+)?$/.test(n))) {
      const path = join(directory, name);
      const named = /^kubectl\.1\.(\d+)$/.exec(name)?.[1];
      const minor = named ?? versionOf(path);
      if (minor !== undefined && !found.has(Number(minor))) found.set(Number(minor), path);
    }
  }
  return [...found].sort((a, b) => a[0] - b[0]).map(([minor, path]) => ({ minor, path }));
}

function versionOf(path: string): string | undefined {
  const { stdout } = spawnSync(path, ['version', '--client', '-o', 'json'], { encoding: 'utf8' });
  return /"gitVersion":\s*"v1\.(\d+)\./.exec(stdout ?? '')?.[1];
}

/** What a command said and how it ended. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end, as it is. */
export function runCommand(
  command: string,
  args: readonly string[],
  options: { readonly input?: string; readonly timeoutMs?: number; readonly env?: NodeJS.ProcessEnv } = {},
): Outcome {
  const done: SpawnSyncReturns<string> = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, ...options.env },
    timeout: options.timeoutMs ?? 60_000,
    maxBuffer: 64 * 1024 * 1024,
    ...(options.input === undefined ? { stdio: ['ignore', 'pipe', 'pipe'] } : { input: options.input }),
  });
  // A program need not read all of its input.
  if (done.error !== undefined && (done.error as NodeJS.ErrnoException).code !== 'EPIPE')
    throw new Error(`${command} ${args.join(' ')}: ${done.error.message}\n${done.stdout}\n${done.stderr}`);
  return { code: done.status ?? -1, stdout: done.stdout, stderr: done.stderr };
}

/**
 * A machine of the test's own: a network namespace with an address and a default route, and a directory. Commands run inside it.
 * `remove` takes everything away again, also after a failure.
 */
export class Machine {
  readonly netns: string;
  readonly directory: string;
  readonly #host: string;
  readonly #env: NodeJS.ProcessEnv;

  constructor(name: string, subnet: string) {
    this.netns = `k8ts-${name}-${process.pid}`;
    this.#host = `kt${process.pid % 100_000}${name.slice(0, 4)}`;
    this.directory = mkdtempSync(join(tmpdir(), `k8ts-${name}-`));
    this.#env = { ...process.env, HOME: this.directory, KUBECONFIG: '' };
    const ip = (...args: readonly string[]): void => {
      const done = spawnSync('ip', args, { encoding: 'utf8' });
      if (done.status !== 0) throw new Error(`ip ${args.join(' ')}: ${done.stderr}`);
    };
    ip('netns', 'add', this.netns);
    ip('link', 'add', this.#host, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.netns);
    ip('addr', 'add', `${subnet}.1/24`, 'dev', this.#host);
    ip('link', 'set', this.#host, 'up');
    for (const args of [
      ['addr', 'add', `${subnet}.2/24`, 'dev', 'eth0'],
      ['link', 'set', 'eth0', 'up'],
      ['link', 'set', 'lo', 'up'],
      ['route', 'add', 'default', 'via', `${subnet}.1`],
    ]) {
      ip('-n', this.netns, ...args);
    }
  }

  /** Runs a command to its end. By nsenter: `ip netns exec` would hide the cgroups, for it mounts another /sys. */
  run(
    command: string,
    args: readonly string[],
    options: { readonly input?: string; readonly timeoutMs?: number; readonly env?: NodeJS.ProcessEnv } = {},
  ): Outcome {
    return runCommand('nsenter', [`--net=/run/netns/${this.netns}`, command, ...args], {
      ...options,
      env: { ...this.#env, ...options.env },
    });
  }

  /** Starts a command and leaves it running. */
  start(command: string, args: readonly string[]): ReturnType<typeof spawn> {
    return spawn('nsenter', [`--net=/run/netns/${this.netns}`, command, ...args], {
      cwd: root,
      env: this.#env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  }

  remove(): void {
    spawnSync('ip', ['netns', 'delete', this.netns]);
    spawnSync('ip', ['link', 'delete', this.#host]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}
