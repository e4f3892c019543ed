import { execFile } from 'node:child_process';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Route } from './routes.ts';

const run = promisify(execFile);

/** Routes of ours carry this protocol number, so that we find them again and touch no others. */
const ROUTE_PROTOCOL = '201';

/** What the pod network does to the machine. */
export interface Host {
  /** Sets kernel parameters; those that the kernel does not have are skipped, others that fail reject. */
  setSysctls(values: Readonly<Record<string, string>>): Promise<void>;
  /** MTU of the interface of the default route; 0 without one. */
  uplinkMtu(): Promise<number>;
  routes(): Promise<readonly Route[]>;
  replaceRoute(route: Route): Promise<void>;
  removeRoute(route: Route): Promise<void>;
  /** Writes a file whole or not at all. */
  writeFile(path: string, text: string): Promise<void>;
}

interface IpRoute {
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
}

/** This machine, through /proc and the ip command. */
export const linuxHost: Host = {
  async setSysctls(values) {
    for (const [name, value] of Object.entries(values)) {
      const file = `/proc/sys/${name.replaceAll('.', '/')}`;
      const now = await readFile(file, 'utf8').catch(() => undefined);
      if (now !== undefined && now.trim() !== value) await writeFile(file, value);
    }
  },
  async uplinkMtu() {
    const [route] = await ip('route', 'show', 'default');
    if (route?.dev === undefined) return 0;
    return Number(await readFile(`/sys/class/net/${route.dev}/mtu`, 'utf8').catch(() => '0'));
  },
  async routes() {
    const found = await ip('route', 'show', 'proto', ROUTE_PROTOCOL);
    return found.flatMap((r) => (r.gateway === undefined ? [] : [{ cidr: r.dst, via: r.gateway }]));
  },
  async replaceRoute(route) {
    await run('ip', ['route', 'replace', route.cidr, 'via', route.via, 'proto', ROUTE_PROTOCOL]);
  },
  async removeRoute(route) {
    await run('ip', ['route', 'del', route.cidr, 'via', route.via, 'proto', ROUTE_PROTOCOL]);
  },
  async writeFile(path, text) {
    const temporary = `${path}.tmp`;
    await writeFile(temporary, text);
    await rename(temporary, path);
  },
};

async function ip(...args: readonly string[]): Promise<readonly IpRoute[]> {
  const { stdout } = await run('ip', ['-json', ...args]);
  return stdout.trim() === '' ? [] : (JSON.parse(stdout) as readonly IpRoute[]);
}
