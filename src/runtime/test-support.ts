import { execFile } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '../util/clock.ts';
import { type Logger, silentLogger } from '../util/logger.ts';
import { openCgroupTree } from './cgroup.ts';
import { type SupervisedContainerd, superviseContainerd } from './containerd.ts';
import type { ContainerConfig, ContainerRuntime, PodSandboxConfig } from './contract.ts';
import { connectRuntime } from './cri-client.ts';
import { ensurePauseImage, importImageBytes, untilImageVisible } from './image-archive.ts';
import { buildImage, hostArchitecture } from './image-build.ts';

/** For tests: a real containerd in directories of its own, an image to run, and the cleaning up. */

const run = promisify(execFile);

export const BUSYBOX_IMAGE = 'k8ts.local/busybox:1';
const BUSYBOX = '/bin/busybox';

/** Why tests with real containers cannot run here; undefined when they can. */
export function whyNoContainers(): string | undefined {
  if (process.platform !== 'linux') return 'containers need Linux';
  if (process.getuid?.() !== 0) return 'containers need root';
  for (const path of [BUSYBOX, '/usr/bin/containerd', '/usr/bin/ctr']) {
    try {
      accessSync(path, constants.X_OK);
    } catch {
      return `there is no ${path}`;
    }
  }
  return undefined;
}

/** An image of busybox-static with links for the commands tests use. Needs /bin/busybox. */
export function buildBusyboxImage(names: readonly string[] = [BUSYBOX_IMAGE]): Uint8Array {
  const commands =
    'sh cat echo sleep true false ls ps id env hostname wget nc httpd test kill mkdir touch rm ip nslookup head tail seq dd stat df mount chmod date yes stty'.split(
      ' ',
    );
  return buildImage({
    names,
    architecture: hostArchitecture(),
    files: [
      { path: 'bin/busybox', mode: 0o755, content: readFileSync(BUSYBOX) },
      ...commands.map((name) => ({ path: `bin/${name}`, symlink: 'busybox' })),
      { path: 'tmp', mode: 0o1777 },
      { path: 'root', mode: 0o700 },
      { path: 'etc/passwd', content: Buffer.from('root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n') },
      { path: 'etc/group', content: Buffer.from('root:x:0:\nnogroup:x:65534:\n') },
    ],
    config: { Cmd: ['sh'], Env: ['PATH=/bin'], WorkingDir: '/' },
  });
}

export interface TestNode {
  readonly dir: string;
  readonly cgroupRoot: string;
  readonly containerd: SupervisedContainerd;
  readonly runtime: ContainerRuntime;
  /** Everything goes: pods, the daemon, bridge, cgroups, files. */
  cleanUp(): Promise<void>;
}

/**
 * Starts a containerd with a bridge network of its own, and the pause and busybox images. `id` (1 to 250) keeps nodes of tests that run at
 * the same time apart: it is in the name of the bridge and in its subnet, 10.199.ID.0/24.
 */
export async function startTestNode(id: number, logger: Logger = silentLogger): Promise<TestNode> {
  const dir = await mkdtemp(join(tmpdir(), 'k8ts-rt-'));
  const bridge = `k8tst${id}`;
  const cgroupRoot = `/k8ts-test-${id}`;
  const options = { dataDir: join(dir, 'c'), cniConfDir: join(dir, 'cni'), clock: systemClock, logger };
  await mkdir(options.cniConfDir, { recursive: true });
  await writeFile(
    join(options.cniConfDir, '10-test.conflist'),
    JSON.stringify({
      cniVersion: '0.4.0',
      name: bridge,
      plugins: [
        {
          type: 'bridge',
          bridge,
          isGateway: true,
          ipam: { type: 'host-local', dataDir: join(dir, 'ipam'), ranges: [[{ subnet: `10.199.${id}.0/24` }]] },
        },
      ],
    }),
  );
  const supervision = new AbortController();
  const containerd = await superviseContainerd(options, supervision.signal);
  const runtime = connectRuntime(containerd.socketPath, { clock: systemClock, logger });
  const target = { socketPath: containerd.socketPath, ctr: containerd.ctr };
  await ensurePauseImage(runtime, target, systemClock);
  await importImageBytes(target, buildBusyboxImage());
  await untilImageVisible(runtime, BUSYBOX_IMAGE, systemClock);
  return {
    dir,
    cgroupRoot,
    containerd,
    runtime,
    async cleanUp() {
      runtime.close();
      await containerd.stop({ pods: 'stop' });
      await run('ip', ['link', 'delete', bridge]).catch(() => {});
      await (await openCgroupTree()).remove(cgroupRoot);
      const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map((line) => line.split(' ')[4] ?? '');
      for (const point of mounts.filter((m) => m.startsWith(`${dir}/`)).reverse()) await run('umount', [point]);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** A pod to run on a test node. */
export function testPod(node: Pick<TestNode, 'dir' | 'cgroupRoot'>, name: string): PodSandboxConfig {
  return {
    metadata: { name, uid: `uid-${name}`, namespace: 'default', attempt: 0 },
    hostname: name,
    logDirectory: join(node.dir, 'logs', name),
    dnsConfig: { servers: ['10.96.0.10'], searches: ['default.svc.cluster.local'], options: ['ndots:5'] },
    portMappings: [],
    labels: { app: name },
    annotations: {},
    linux: {
      cgroupParent: `${node.cgroupRoot}/pod-${name}`,
      sysctls: {},
      securityContext: { namespaceOptions: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' } },
    },
  };
}

/** A busybox container that runs `script`. */
export function testContainer(name: string, script: string, more: Partial<ContainerConfig> = {}): ContainerConfig {
  return {
    metadata: { name, attempt: 0 },
    image: BUSYBOX_IMAGE,
    command: ['sh', '-c', script],
    args: [],
    workingDir: '',
    envs: [],
    mounts: [],
    devices: [],
    labels: { name },
    annotations: {},
    logPath: `${name}.log`,
    stdin: false,
    stdinOnce: false,
    tty: false,
    linux: {
      resources: {},
      securityContext: {
        namespaceOptions: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' },
        privileged: false,
        readonlyRootfs: false,
        supplementalGroups: [],
        noNewPrivs: false,
      },
    },
    ...more,
  };
}
