import { existsSync, mkdirSync } from 'node:fs';
import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { mergeKubeconfig, parseKubeconfig, serializeKubeconfig } from '../../client/kubeconfig.ts';
import {
  type ClusterConfig,
  DEFAULT_ETCD_PREFIX,
  type EtcdConfig,
  loadConfig,
  parseComponents,
  saveConfig,
} from '../../cluster/config.ts';
import { askControl, type ClusterStatus } from '../../cluster/control.ts';
import {
  defaultDataDirectory,
  hasCluster,
  type Layout,
  layoutOf,
  prepareDataDirectory,
  UserError,
} from '../../cluster/layout.ts';
import { installPackages, isDebian, missingPackages, realNodeObstacle } from '../../cluster/preflight.ts';
import { type DaemonMessage, runningPid, startDaemon } from '../../cluster/process.ts';
import { etcdEndpoints } from '../../cluster/storage.ts';
import { systemClock } from '../../util/clock.ts';
import { Steps } from '../steps.ts';

export interface UpOptions {
  readonly dataDir?: string;
  readonly yes?: boolean;
  readonly kubeconfig?: string;
  readonly port?: number;
  readonly nodeName?: string;
  readonly simulatedNodes?: number;
  /** Components with commas between. */
  readonly disable?: string;
  readonly podManifestPath?: string;
  readonly kubeletConfig?: string;
  readonly auditPolicyFile?: string;
  readonly auditLogPath?: string;
  /** URLs with commas between. */
  readonly etcdServers?: string;
  readonly etcdCacert?: string;
  readonly etcdCert?: string;
  readonly etcdKey?: string;
  readonly etcdPrefix?: string;
}

/** Name of the cluster, the user and the context in kubeconfigs. */
const CONTEXT = 'k8ts';
/** How long a k8ts that does not answer may be just ending, and how often it is looked at. Milliseconds. */
const DYING_MS = 2_000;
const DYING_POLL_MS = 50;
/** How many simulated nodes there are when real ones cannot be had and no number was given. */
const DEFAULT_SIMULATED_NODES = 3;

/** `k8ts up`. Throws `UserError` for what the user can put right. */
export async function up(options: UpOptions): Promise<void> {
  const layout = layoutOf(options.dataDir ?? defaultDataDirectory());
  const running = await answeringPid(layout);
  if (running !== undefined) {
    await alreadyRunning(layout, running, options);
    return;
  }
  const etcd = etcdOf(options);
  const disabled = options.disable === undefined ? undefined : parseComponents(options.disable);
  const steps = new Steps(process.stdout, systemClock);
  const simulated = await chooseNodes(layout, options);
  await prepareDataDirectory(layout);
  if (simulated === 0) await bringPackages(options.yes === true, steps);
  const config = await loadConfig(layout, {
    ...(options.port === undefined ? {} : { port: options.port }),
    ...(options.nodeName === undefined ? {} : { nodeName: options.nodeName }),
    simulatedNodes: simulated,
    ...(disabled === undefined ? {} : { disabled }),
    ...path('podManifestPath', options.podManifestPath),
    ...path('kubeletConfig', options.kubeletConfig),
    ...path('auditPolicyFile', options.auditPolicyFile),
    ...path('auditLogPath', options.auditLogPath),
    ...(etcd === undefined ? {} : { etcd }),
  });
  await saveConfig(layout, config);
  await runInBackground(layout, steps);
  const kubeconfig = await writeKubeconfig(layout, options);
  steps.note(`kubeconfig: context ${CONTEXT} in ${kubeconfig}`);
  steps.end('The cluster is up');
  whatNext(config, options, kubeconfig);
}

/** A path as it is stored, for the process that will use it runs elsewhere: absolute; an empty one is none. */
function path<N extends string>(name: N, given: string | undefined): { readonly [K in N]?: string } {
  if (given === undefined) return {};
  return { [name]: given === '' ? '' : resolve(given) } as { readonly [K in N]?: string };
}

/** The etcd that was asked for. Throws `UserError` for addresses that are none, and for its other flags alone. */
function etcdOf(options: UpOptions): EtcdConfig | undefined {
  const { etcdServers, etcdCacert, etcdCert, etcdKey, etcdPrefix } = options;
  if (etcdServers === undefined) {
    if ((etcdCacert ?? etcdCert ?? etcdKey ?? etcdPrefix) === undefined) return undefined;
    throw new UserError('The other --etcd flags mean something only with --etcd-servers.');
  }
  if ((etcdCert === undefined) !== (etcdKey === undefined)) {
    throw new UserError('--etcd-cert and --etcd-key are given together, or neither.');
  }
  const servers = etcdServers.split(',').filter((server) => server !== '');
  etcdEndpoints(servers);
  const file = (name: string, path: string | undefined) => (path === undefined ? {} : { [name]: resolve(path) });
  return {
    servers,
    prefix: etcdPrefix ?? DEFAULT_ETCD_PREFIX,
    ...file('caFile', etcdCacert),
    ...file('certFile', etcdCert),
    ...file('keyFile', etcdKey),
  };
}

/** The pid of the k8ts that runs. One that was killed this moment takes a little while to be gone; one that does not answer is given that while. */
async function answeringPid(layout: Layout): Promise<number | undefined> {
  const until = systemClock.monotonic() + DYING_MS;
  for (;;) {
    const pid = await runningPid(layout);
    if (pid === undefined || systemClock.monotonic() > until) return pid;
    const answers = await askControl(layout.controlSocket, 'GET', '/status').then(
      () => true,
      () => false,
    );
    if (answers) return pid;
    await systemClock.sleep(DYING_POLL_MS);
  }
}

async function alreadyRunning(layout: Layout, pid: number, options: UpOptions): Promise<void> {
  const status = await askControl<ClusterStatus>(layout.controlSocket, 'GET', '/status').catch(() => undefined);
  const ill = status?.components.filter((c) => !c.healthy) ?? [];
  const config = await loadConfig(layout, {});
  for (const [name, asked, has] of [
    ['--port', options.port, config.port],
    ['--node-name', options.nodeName, config.nodeName],
    ['--simulated-nodes', options.simulatedNodes, config.simulatedNodes],
    ['--disable', disabledText(options.disable), config.disabled?.join() || 'none'],
    ['--pod-manifest-path', path('is', options.podManifestPath).is, config.podManifestPath ?? ''],
    ['--kubelet-config', path('is', options.kubeletConfig).is, config.kubeletConfig ?? ''],
    ['--audit-policy-file', path('is', options.auditPolicyFile).is, config.auditPolicyFile ?? ''],
    ['--audit-log-path', path('is', options.auditLogPath).is, config.auditLogPath ?? ''],
    ['--etcd-servers', options.etcdServers, config.etcd?.servers.join() ?? 'none'],
    ['--etcd-prefix', options.etcdPrefix, config.etcd?.prefix ?? 'none'],
  ] as const) {
    if (asked !== undefined && asked !== has) {
      throw new UserError(`The cluster is running with ${name} ${has}; stop it with k8ts down before starting it with ${asked}.`);
    }
  }
  const kubeconfig = await writeKubeconfig(layout, options);
  console.log(`The cluster is already running (pid ${pid}, ${status?.server ?? layout.root}); nothing was changed.`);
  console.log(`kubeconfig: context ${CONTEXT} in ${kubeconfig}`);
  if (status === undefined) console.log('It does not answer, though: see k8ts logs.');
  else if (ill.length > 0) console.log(`Not healthy: ${ill.map((c) => `${c.name} (${c.message})`).join(', ')}. See k8ts status.`);
}

/** Components as asked for, in the order in which they are stored. */
function disabledText(asked: string | undefined): string | undefined {
  return asked === undefined ? undefined : parseComponents(asked).join() || 'none';
}

/** How many simulated nodes there shall be; 0: a real one. */
async function chooseNodes(layout: Layout, options: UpOptions): Promise<number> {
  if (options.simulatedNodes !== undefined) return options.simulatedNodes;
  if (hasCluster(layout)) {
    const { simulatedNodes } = await loadConfig(layout, {});
    if (simulatedNodes > 0) return simulatedNodes;
  }
  const obstacle = realNodeObstacle();
  if (obstacle === undefined) return 0;
  if (hasCluster(layout)) throw new UserError(`The cluster in ${layout.root} has a real node, but ${obstacle}.`);
  console.log(
    `No real node here: ${obstacle}. Starting ${DEFAULT_SIMULATED_NODES} simulated nodes: their pods run in memory only.`,
  );
  return DEFAULT_SIMULATED_NODES;
}

async function bringPackages(yes: boolean, steps: Steps): Promise<void> {
  const missing = missingPackages();
  if (missing.length === 0) return;
  const command = `apt-get install ${missing.join(' ')}`;
  if (!(await isDebian())) {
    throw new UserError(`A real node needs ${missing.join(', ')} (Debian's names). Install them, or use --simulated-nodes.`);
  }
  if (!yes) {
    if (!process.stdin.isTTY)
      throw new UserError(
        `A real node needs packages that are missing. Install them with: ${command} — or let k8ts do it: k8ts up --yes`,
      );
    const prompt = createInterface({ input: process.stdin, output: process.stdout });
    const answer = await prompt.question(`A real node needs ${missing.join(', ')}. Install them with apt-get now? [Y/n] `);
    prompt.close();
    if (/^n/i.test(answer.trim())) throw new UserError(`Install them with: ${command}`);
  }
  const step = steps.begin(`installing ${missing.join(' ')}`);
  await installPackages(missing, (line) => step.progress(line));
  step.done();
}

/** Starts the daemon and shows what it tells until the cluster is ready or has failed. */
async function runInBackground(layout: Layout, steps: Steps): Promise<void> {
  const child = await startDaemon(layout);
  await new Promise<void>((done, fail) => {
    child.on('message', (message: DaemonMessage) => {
      switch (message.type) {
        case 'step':
          steps.show(message.name, message.ms, message.detail);
          break;
        case 'ready':
          done();
          break;
        case 'failed':
          fail(
            message.isUserError
              ? new UserError(message.message)
              : new Error(`${message.message}\nThe log has more: ${layout.logFile}`),
          );
          break;
        default:
          message satisfies never;
      }
    });
    child.on('error', fail);
    child.on('exit', (code, signal) =>
      fail(new UserError(`k8ts ended while starting (${signal ?? `exit ${code}`}). The end of ${layout.logFile} says why.`)),
    );
  });
  child.removeAllListeners();
  child.disconnect();
  child.unref();
}

/** Where the cluster's entry goes: the file asked for, or the user's kubeconfig, merged. Gives the file's name. */
async function writeKubeconfig(layout: Layout, options: UpOptions): Promise<string> {
  const entry = parseKubeconfig(await readFile(layout.adminKubeconfig, 'utf8'));
  const cluster = entry.clusters?.[0]?.cluster;
  const user = entry.users?.[0]?.user;
  if (cluster === undefined || user === undefined) throw new Error(`${layout.adminKubeconfig} has no cluster or no user`);
  const fromEnvironment = (process.env['KUBECONFIG'] ?? '').split(':').find((f) => f !== '');
  const file = resolve(options.kubeconfig ?? fromEnvironment ?? join(homedir(), '.kube', 'config'));
  const before = existsSync(file) && options.kubeconfig === undefined ? await readFile(file, 'utf8') : '';
  let existing: ReturnType<typeof parseKubeconfig>;
  try {
    existing = parseKubeconfig(before);
  } catch (err) {
    throw new UserError(
      `${file} is no kubeconfig that can be read (${(err as Error).message}). Mend it, or write to another file with --kubeconfig.`,
    );
  }
  const text = serializeKubeconfig(mergeKubeconfig(existing, { name: CONTEXT, cluster, user }));
  if (text === before) return file;
  const mode = existsSync(file) ? (await stat(file)).mode & 0o777 : 0o600;
  try {
    mkdirSync(dirname(file), { recursive: true });
    await writeFile(`${file}.k8ts.tmp`, text, { mode });
    await rename(`${file}.k8ts.tmp`, file);
  } catch (err) {
    throw new UserError(
      `The kubeconfig ${file} cannot be written (${(err as Error).message}). Choose another with --kubeconfig. The cluster is running.`,
    );
  }
  return file;
}

function whatNext(config: ClusterConfig, options: UpOptions, kubeconfig: string): void {
  const flag = options.kubeconfig === undefined ? '' : ` --kubeconfig ${kubeconfig}`;
  console.log(`
What to type next:
  kubectl${flag} get nodes -o wide
  kubectl${flag} apply -f examples/guestbook.yaml
  ${config.simulatedNodes > 0 ? `kubectl${flag} get pods -o wide --watch` : `curl http://localhost:30080/   # once the pods are ready`}`);
}
