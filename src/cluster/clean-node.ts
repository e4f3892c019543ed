import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PROXY_TABLE } from '../proxy/index.ts';
import { superviseContainerd } from '../runtime/containerd.ts';
import { systemClock } from '../util/clock.ts';
import { silentLogger } from '../util/logger.ts';
import { type ClusterConfig, loadConfig } from './config.ts';
import type { Layout } from './layout.ts';

const run = promisify(execFile);

/** One step of cleaning, to be shown. */
export type BeginStep = (name: string) => { done(detail?: string): void };

/**
 * Takes away what a real node leaves on the machine: containers, the runtime, mounts, the bridge, the service rules. Works whatever state an
 * earlier process left, and again. Resolves false when there was nothing.
 */
export async function cleanNode(layout: Layout, begin: BeginStep): Promise<boolean> {
  if (process.platform !== 'linux' || !existsSync(layout.node.containerd)) return false;
  const config = await loadConfig(layout, {});
  const stop = new AbortController();
  const containers = begin('stopping the containers');
  const daemon = await superviseContainerd(
    { dataDir: layout.node.containerd, cniConfDir: layout.node.cniConfig, clock: systemClock, logger: silentLogger },
    stop.signal,
  );
  await daemon.stop({ pods: 'stop' });
  stop.abort();
  await endLeftovers(layout.node.containerd);
  containers.done();
  await unmountBelow(layout.node.root);
  await removeNetwork(config);
  return true;
}

/**
 * Ends what the runtime could not: containers whose sandbox would not stop (its network may be gone) live on under their shims, which nobody
 * would find again. They are ours by the socket they were given.
 */
async function endLeftovers(containerdDirectory: string): Promise<void> {
  const processes = await Promise.all((await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(readProcess));
  const known = processes.filter((p) => p !== undefined);
  const address = join(containerdDirectory, 'containerd.sock');
  const doomed = known.filter((p) => p.args[0]?.includes('containerd-shim') && p.args.includes(address)).map((p) => p.pid);
  // The shims' children, and theirs: the list grows while it is walked.
  for (const pid of doomed) doomed.push(...known.filter((p) => p.parent === pid).map((p) => p.pid));
  for (const pid of doomed.reverse()) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}

interface RunningProcess {
  readonly pid: number;
  readonly parent: number;
  readonly args: readonly string[];
}

async function readProcess(pid: string): Promise<RunningProcess | undefined> {
  try {
    const [stat, cmdline] = await Promise.all([readFile(`/proc/${pid}/stat`, 'utf8'), readFile(`/proc/${pid}/cmdline`, 'utf8')]);
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    return { pid: Number(pid), parent, args: cmdline.split('\0') };
  } catch {
    // It has ended meanwhile.
    return undefined;
  }
}

/** Lets go of everything mounted below a directory (secrets' tmpfs, memory volumes), innermost first. */
async function unmountBelow(directory: string): Promise<void> {
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map((line) => line.split(' ')[4] ?? '');
  const ours = mounts
    .filter((m) => m.startsWith(`${directory}/`))
    .map((m) => m.replaceAll(/\\(\d{3})/g, (_all, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))));
  for (const mount of ours.sort((a, b) => b.length - a.length)) await run('umount', ['--lazy', mount]).catch(ignore);
}

async function removeNetwork(config: ClusterConfig): Promise<void> {
  await run('nft', ['delete', 'table', 'ip', PROXY_TABLE]).catch(ignore);
  await run('ip', ['link', 'delete', config.bridge]).catch(ignore);
}

/** What is gone already needs no removing. */
const ignore = (): void => {};
