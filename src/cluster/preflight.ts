import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { UserError } from './layout.ts';

/** What a real node needs of the machine, by Debian package. */
const requirements = [
  { package: 'containerd', anyOf: ['/usr/bin/containerd', '/usr/local/bin/containerd'] },
  { package: 'runc', anyOf: ['/usr/sbin/runc', '/usr/bin/runc', '/usr/local/sbin/runc', '/usr/bin/crun'] },
  { package: 'nftables', anyOf: ['/usr/sbin/nft', '/sbin/nft'] },
  { package: 'containernetworking-plugins', anyOf: ['/usr/lib/cni/bridge', '/opt/cni/bin/bridge'] },
  { package: 'iproute2', anyOf: ['/sbin/ip', '/usr/sbin/ip', '/bin/ip', '/usr/bin/ip'] },
] as const;

/** The Debian packages that are not installed here. */
export function missingPackages(): readonly string[] {
  return requirements.filter((r) => !r.anyOf.some((file) => existsSync(file))).map((r) => r.package);
}

/** Whether a real node can run here at all, and if not, why, in a few words. */
export function realNodeObstacle(): string | undefined {
  if (process.platform !== 'linux') return `real nodes need Linux, this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'real nodes need root';
  if (!['cgroup.controllers', 'memory'].some((name) => existsSync(`/sys/fs/cgroup/${name}`)))
    return 'no cgroups are mounted on /sys/fs/cgroup (`ip netns exec` hides them; use nsenter --net=/run/netns/NAME)';
  return undefined;
}

/** Installs packages by apt. Throws `UserError` where that is not possible. */
export async function installPackages(packages: readonly string[], onLine: (line: string) => void): Promise<void> {
  if (!existsSync('/usr/bin/apt-get')) {
    throw new UserError(
      `These are missing: ${packages.join(', ')}, and this is not Debian. Install them with this system's package manager and run the command again.`,
    );
  }
  const apt = (...args: readonly string[]): Promise<number> =>
    new Promise((resolve, reject) => {
      const child = spawn('apt-get', args, {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      });
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk: Buffer) => chunk.toString().split('\n').filter(Boolean).forEach(onLine));
      child.on('error', reject);
      child.on('close', (code) => resolve(code ?? 1));
    });
  const install = (): Promise<number> => apt('install', '-y', '--no-install-recommends', ...packages);
  // Package lists may be missing or old: fetch them when the first try fails.
  if ((await install()) === 0) return;
  if ((await apt('update')) !== 0 || (await install()) !== 0) {
    throw new UserError(
      `apt-get could not install ${packages.join(' ')}. See what it says with: apt-get install ${packages.join(' ')}`,
    );
  }
}

/** Whether the machine runs Debian or a child of it. */
export async function isDebian(): Promise<boolean> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^ID(_LIKE)?=.*debian/m.test(text);
}
