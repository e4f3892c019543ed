import { existsSync } from 'node:fs';
import { access, constants, mkdir, readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Something that the user can put right. The message is one sentence of what is wrong and one of what to do. */
export class UserError extends Error {
  override readonly name = 'UserError';
}

/** The version of the data directory's format. A directory of another version is left alone. */
const FORMAT_VERSION = '1';

/** Where everything of one cluster on this machine lies. */
export interface Layout {
  readonly root: string;
  readonly pki: string;
  readonly store: string;
  readonly config: string;
  readonly logFile: string;
  readonly pidFile: string;
  /** Unix socket on which the running k8ts tells its state. */
  readonly controlSocket: string;
  readonly adminKubeconfig: string;
  /** The runtime's and the kubelet's. */
  readonly node: {
    readonly root: string;
    readonly pki: string;
    readonly containerd: string;
    readonly kubelet: string;
    readonly podLogs: string;
    readonly cniConfig: string;
    readonly cniAddresses: string;
  };
}

/** `/var/lib/k8ts` for root, `~/.local/share/k8ts` for others. */
export function defaultDataDirectory(): string {
  return process.getuid?.() === 0
    ? '/var/lib/k8ts'
    : join(process.env['XDG_DATA_HOME'] ?? join(homedir(), '.local', 'share'), 'k8ts');
}

export function layoutOf(dataDirectory: string): Layout {
  const root = resolve(dataDirectory);
  const node = join(root, 'node');
  return {
    root,
    pki: join(root, 'pki'),
    store: join(root, 'store'),
    config: join(root, 'config.json'),
    logFile: join(root, 'log', 'k8ts.log'),
    pidFile: join(root, 'run', 'k8ts.pid'),
    controlSocket: join(root, 'run', 'control.sock'),
    adminKubeconfig: join(root, 'admin.conf'),
    node: {
      root: node,
      pki: join(node, 'pki'),
      containerd: join(node, 'containerd'),
      kubelet: join(node, 'kubelet'),
      podLogs: join(node, 'pod-logs'),
      cniConfig: join(node, 'cni', 'net.d'),
      cniAddresses: join(node, 'cni', 'addresses'),
    },
  };
}

/** Makes the directories, or says why they cannot be used. */
export async function prepareDataDirectory(layout: Layout): Promise<void> {
  const versionFile = join(layout.root, 'VERSION');
  try {
    await mkdir(join(layout.root, 'run'), { recursive: true, mode: 0o700 });
    await mkdir(join(layout.root, 'log'), { recursive: true });
    await access(layout.root, constants.W_OK);
    if (!existsSync(versionFile)) await writeFile(versionFile, `${FORMAT_VERSION}\n`);
  } catch (err) {
    throw new UserError(
      `The data directory ${layout.root} cannot be written (${(err as Error).message}). Choose another with --data-dir, or run as a user who may write it.`,
    );
  }
  const version = (await readFile(versionFile, 'utf8')).trim();
  if (version !== FORMAT_VERSION) {
    throw new UserError(
      `The data directory ${layout.root} has format ${JSON.stringify(version)}, this k8ts writes format ${FORMAT_VERSION}. Use the k8ts that made it, or another --data-dir.`,
    );
  }
}

/** Whether a cluster has ever been started here. */
export const hasCluster = (layout: Layout): boolean => existsSync(layout.config);
