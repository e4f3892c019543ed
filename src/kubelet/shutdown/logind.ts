import { execFile, spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import type { ShutdownSource } from './node-shutdown.ts';

const run = promisify(execFile);

const MANAGER = ['org.freedesktop.login1', '/org/freedesktop/login1', 'org.freedesktop.login1.Manager'] as const;
const DROP_IN = '/etc/systemd/logind.conf.d';

/** systemd-logind, asked by systemd's own programs: its inhibitor locks delay a shutdown (systemd.io/INHIBITOR_LOCKS). `dropIn`: for tests. */
export function logind(dropIn = DROP_IN): ShutdownSource {
  return {
    async delay(seconds) {
      if ((await longestDelay()) < seconds) {
        await mkdir(dropIn, { recursive: true });
        await writeFile(`${dropIn}/99-kubelet.conf`, `# Kubelet logind override\n[Login]\nInhibitDelayMaxSec=${seconds}\n`);
        await run('systemctl', ['kill', '--signal=HUP', 'systemd-logind.service']);
        const now = await longestDelay();
        if (now < seconds) {
          throw new Error(
            `node shutdown manager was unable to update logind InhibitDelayMaxSec to ${seconds}s (ShutdownGracePeriod), current value of InhibitDelayMaxSec (${now}s) is less than requested ShutdownGracePeriod`,
          );
        }
      }
      // The lock is held as long as this lives, which ends with its input: also when the kubelet is killed.
      const why = ['--what=shutdown', '--mode=delay', '--who=kubelet', '--why=Kubelet needs time to handle node shutdown'];
      const child = spawn('systemd-inhibit', [...why, 'cat'], { stdio: ['pipe', 'ignore', 'ignore'] });
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve);
        child.once('error', reject);
      });
      child.unref();
      return { release: () => void child.stdin.end() };
    },
    async *changes(signal) {
      const match = `type='signal',interface='${MANAGER[2]}',member='PrepareForShutdown'`;
      const child = spawn('busctl', ['--system', '--json=short', 'monitor', '--match', match], {
        stdio: ['ignore', 'pipe', 'ignore'],
        signal,
      });
      child.on('error', () => {});
      for await (const line of createInterface(child.stdout)) {
        const begins = shutdownBegins(line);
        if (begins !== undefined) yield begins;
      }
      signal.throwIfAborted();
      throw new Error('busctl monitor ended');
    },
  };
}

/** Seconds that logind waits for those who hold locks. */
async function longestDelay(): Promise<number> {
  const { stdout } = await run('busctl', ['--system', 'get-property', ...MANAGER, 'InhibitDelayMaxUSec']);
  return Number(/^t (\d+)/.exec(stdout)?.[1] ?? 0) / 1_000_000;
}

/** What a line of `busctl --json=short monitor` says of a shutdown; undefined for other lines. */
export function shutdownBegins(line: string): boolean | undefined {
  try {
    const { member, payload } = JSON.parse(line) as {
      readonly member?: string;
      readonly payload?: { readonly data?: readonly unknown[] };
    };
    const begins = payload?.data?.[0];
    return member === 'PrepareForShutdown' && typeof begins === 'boolean' ? begins : undefined;
  } catch {
    return undefined;
  }
}
