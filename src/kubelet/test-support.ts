import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { builtinResources } from '../api/groups/index.ts';
import type { KubernetesObject } from '../api/meta/object.ts';
import { isNotFound } from '../api/meta/status.ts';
import type { UserInfo } from '../api/request.ts';
import type { ConfigMap, Container, Event, Pod, PodSpec, Secret } from '../api/types/core-v1.ts';
import { nodeRestriction } from '../apiserver/admission/node-restriction.ts';
import { serviceAccountKeys } from '../apiserver/authn/service-account-keys.ts';
import { serviceAccountAuthenticator } from '../apiserver/authn/service-account-token.ts';
import { x509Authenticator } from '../apiserver/authn/x509.ts';
import { ensureBootstrapPolicy } from '../apiserver/authz/bootstrap.ts';
import { mastersAuthorizer, unionAuthorizer } from '../apiserver/authz/chain.ts';
import { nodeAuthorizer } from '../apiserver/authz/node.ts';
import { rbacAuthorizer } from '../apiserver/authz/rbac.ts';
import { type ApiServer, createApiServer } from '../apiserver/index.ts';
import { addKubeletProxy } from '../apiserver/proxy/kubelet.ts';
import { accessReviews } from '../apiserver/reviews/access-reviews.ts';
import { tokenRequestHandler } from '../apiserver/reviews/token-request.ts';
import { authenticationReviews } from '../apiserver/reviews/token-reviews.ts';
import type { Client, Informer } from '../client/contract.ts';
import { createClient, createControllerContext, inProcessTransport } from '../client/index.ts';
import { events, pods, serviceAccounts } from '../client/resource-refs.ts';
import { type ClusterPki, ensurePki } from '../cluster/pki.ts';
import { openCgroupTree } from '../runtime/cgroup.ts';
import type { ContainerRuntime } from '../runtime/contract.ts';
import { connectRuntime } from '../runtime/cri-client.ts';
import { mountImage } from '../runtime/image-mount.ts';
import { BUSYBOX_IMAGE, startTestNode, type TestNode } from '../runtime/test-support.ts';
import { createMemoryStore } from '../store/memory-store.ts';
import { systemClock } from '../util/clock.ts';
import { createLogger, type Logger, type LogLevel, silentLogger } from '../util/logger.ts';
import { systemRandom } from '../util/random.ts';
import { createKubelet, hostMounter, type Kubelet, type KubeletOptions, treeCgroups } from './index.ts';

/** For tests: an API server in this process, a kubelet that acts as its node's user, and a real containerd. */

/** How long a test waits for what must come, milliseconds. */
const PATIENCE_MS = 12_000;
/** How often the runtime is asked, which tells of nothing by itself. Milliseconds. */
const POLL_MS = 20;

/** Says nothing, unless someone wants to know why a test fails: K8TS_TEST_LOG=debug. */
const level = process.env['K8TS_TEST_LOG'];
const testLogger = level === undefined ? silentLogger : createLogger({ level: level as LogLevel });

export interface TestApi {
  readonly server: ApiServer;
  readonly pki: ClusterPki;
  /** The cluster's administrator. */
  readonly client: Client;
  clientFor(user: UserInfo): Client;
  close(): Promise<void>;
}

/** An API server over a memory store, with RBAC, the node authorizer and service account tokens. */
export async function startTestApi(dir: string, logger: Logger = silentLogger): Promise<TestApi> {
  const clock = systemClock;
  const pki = await ensurePki(join(dir, 'pki'), { serverNames: ['127.0.0.1'], clock });
  const keys = serviceAccountKeys({
    issuer: 'https://kubernetes.default.svc.cluster.local',
    privateKey: pki.serviceAccount.privateKey,
    publicKeys: [pki.serviceAccount.publicKey],
  });
  const tokens = serviceAccountAuthenticator(keys);
  const rbac = rbacAuthorizer();
  const nodes = nodeAuthorizer();
  const authorizer = unionAuthorizer([mastersAuthorizer, nodes, rbac]);
  const server = await createApiServer({
    store: createMemoryStore({ clock, logger }),
    resources: builtinResources,
    virtualResources: [...accessReviews(authorizer), ...authenticationReviews(tokens)],
    subresourceHandlers: [tokenRequestHandler(keys)],
    authenticators: [x509Authenticator(clock), tokens],
    authorizer,
    admission: [nodeRestriction(authorizer)],
    clock,
    random: systemRandom,
    logger,
  });
  for (const part of [tokens, rbac, nodes]) part.initialize(server.access);
  await ensureBootstrapPolicy(server.access);
  addKubeletProxy(server, { ca: pki.ca.cert, ...pki.apiserverKubeletClient });
  const clientFor = (user: UserInfo): Client => createClient(inProcessTransport(server, user));
  const client = clientFor({ name: 'admin', groups: ['system:masters', 'system:authenticated'] });
  await client.resource(serviceAccounts).create({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'default', namespace: 'default' },
  });
  return { server, pki, client, clientFor, close: () => server.close() };
}

/** A kubelet that runs; `stop` ends it as a crash would, leaving its containers. */
export interface RunningKubelet {
  readonly kubelet: Kubelet;
  stop(): Promise<void>;
}

/** One node of a cluster of one, and what tests ask of it. */
export class TestKubeletNode {
  readonly name: string;
  readonly node: TestNode;
  readonly api: TestApi;
  readonly dir: string;
  readonly client: Client;
  readonly runtime: ContainerRuntime;
  readonly #logger: Logger;
  readonly #watching = new AbortController();
  readonly #pods: Informer<Pod>;
  readonly #events: Informer<Event>;
  readonly #lookers = new Set<() => void>();
  #running: RunningKubelet | undefined;
  #pod = 0;

  constructor(name: string, node: TestNode, api: TestApi, dir: string, logger: Logger) {
    this.name = name;
    this.node = node;
    this.api = api;
    this.dir = dir;
    this.#logger = logger;
    this.client = api.client;
    this.runtime = node.runtime;
    const context = createControllerContext({ client: api.client, clock: systemClock, random: systemRandom, logger });
    this.#pods = context.informers.informer(pods);
    this.#events = context.informers.informer(events);
    const look = (): void => {
      for (const looker of [...this.#lookers]) looker();
    };
    for (const informer of [this.#pods, this.#events] as readonly Informer<KubernetesObject>[]) {
      informer.addHandler({ onAdd: look, onUpdate: look, onDelete: look });
    }
    context.informers.start(this.#watching.signal);
  }

  /** Starts a kubelet on this node; an earlier one must have been stopped. */
  async start(more: Partial<KubeletOptions> = {}): Promise<Kubelet> {
    const client = this.api.clientFor({
      name: `system:node:${this.name}`,
      groups: ['system:nodes', 'system:authenticated'],
    });
    const runtime = connectRuntime(this.node.containerd.socketPath, { clock: systemClock, logger: this.#logger });
    const context = createControllerContext({ client, clock: systemClock, random: systemRandom, logger: this.#logger });
    const kubelet = createKubelet({
      nodeName: this.name,
      client,
      informers: context.informers,
      runtime,
      clock: systemClock,
      random: systemRandom,
      logger: this.#logger,
      recorder: context.recorder('kubelet', this.name),
      rootDir: join(this.dir, 'kubelet'),
      podLogDir: join(this.dir, 'pods'),
      clusterDns: ['10.96.0.10'],
      clusterDomain: 'cluster.local',
      resolvConf: '',
      nodeIp: '192.0.2.7',
      cgroups: treeCgroups({ tree: await openCgroupTree(), root: this.node.cgroupRoot }),
      mounter: { ...hostMounter, mountImage: (id, dir) => mountImage(this.node.containerd, id, dir) },
      ...more,
    });
    const stop = new AbortController();
    context.informers.start(stop.signal);
    const ended = kubelet.run(stop.signal);
    ended.catch((err: unknown) => this.#logger.error({ err }, 'kubelet ended'));
    this.#running = {
      kubelet,
      async stop() {
        stop.abort(new Error('test stops the kubelet'));
        await ended.catch(() => undefined);
        runtime.close();
      },
    };
    return kubelet;
  }

  /** Ends the kubelet without a word to its pods. */
  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.stop();
  }

  /** Creates a pod on this node: `pod` of one container that runs the script, or as the spec says. Returns its name. */
  async run(script: string, more: { readonly container?: Partial<Container>; readonly pod?: Partial<PodSpec> } = {}) {
    return this.create({ containers: [busybox('app', script, more.container)], ...more.pod });
  }

  async create(spec: Partial<PodSpec>, metadata: Pod['metadata'] = {}): Promise<string> {
    const name = metadata.name ?? `pod-${++this.#pod}`;
    await this.client.resource(pods).create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: 'default', ...metadata, name },
      spec: { nodeName: this.name, terminationGracePeriodSeconds: 0, containers: [], ...spec },
    });
    return name;
  }

  pod(name: string): Pod | undefined {
    return this.#pods.get(`default/${name}`);
  }

  /** The pod once it is so. Rejects, telling how it is instead, when it does not become so in time. */
  async until(name: string, so: (pod: Pod) => boolean): Promise<Pod> {
    const found = await this.#look(
      () => {
        const pod = this.pod(name);
        return pod !== undefined && so(pod) ? pod : undefined;
      },
      () => JSON.stringify({ status: this.pod(name)?.status, events: this.eventsOf(name).map(eventLine) }, undefined, 1),
    );
    return found;
  }

  running(name: string): Promise<Pod> {
    return this.until(name, (p) => p.status?.phase === 'Running' && isReady(p));
  }

  /** The pod at its end. */
  ended(name: string): Promise<Pod> {
    return this.until(name, (p) => p.status?.phase === 'Succeeded' || p.status?.phase === 'Failed');
  }

  /** Resolves when the API has no such pod any more. */
  async gone(name: string): Promise<void> {
    await this.#look(
      () => (this.pod(name) === undefined ? true : undefined),
      () => JSON.stringify(this.pod(name)?.status, undefined, 1),
    );
  }

  /** Resolves when the runtime has nothing of the pod any more. */
  async cleared(name: string): Promise<void> {
    const filter = { labelSelector: { 'io.kubernetes.pod.name': name } };
    while ((await this.runtime.listPodSandboxes(filter)).length + (await this.runtime.listContainers(filter)).length > 0) {
      await systemClock.sleep(POLL_MS);
    }
  }

  async delete(name: string, gracePeriodSeconds?: number): Promise<void> {
    try {
      await this.client.resource(pods).delete(name, 'default', gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds });
    } catch (err) {
      if (!isNotFound(err)) throw err;
    }
  }

  eventsOf(name: string): readonly Event[] {
    return this.#events
      .list()
      .filter((e) => e.involvedObject.name === name)
      .sort((a, b) => (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? ''));
  }

  /** An event of that reason about an object of that name, once there is one whose message fits. */
  async event(name: string, reason: string, message: RegExp | string = ''): Promise<Event> {
    const fits = (e: Event): boolean =>
      e.reason === reason && (typeof message === 'string' ? (e.message ?? '').includes(message) : message.test(e.message ?? ''));
    return this.#look(
      () => this.eventsOf(name).find(fits),
      () => JSON.stringify({ events: this.eventsOf(name).map(eventLine), status: this.pod(name)?.status }, undefined, 1),
    );
  }

  /** What a command prints in a container; its trailing newline is cut. */
  async exec(name: string, script: string, container = 'app'): Promise<string> {
    const id = containerId(this.pod(name), container);
    const { stdout, stderr, exitCode } = await this.runtime.execSync(id, ['sh', '-c', script], 10);
    const text = Buffer.concat([stdout, stderr]).toString('utf8').replace(/\n$/, '');
    if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${text}`);
    return text;
  }

  async #look<T>(find: () => T | undefined, describe: () => string): Promise<T> {
    const now = find();
    if (now !== undefined) return now;
    return new Promise((resolve, reject) => {
      const timer = systemClock.setTimer(PATIENCE_MS, () => {
        this.#lookers.delete(looker);
        reject(new Error(`waited for nothing: ${describe()}`));
      });
      const looker = (): void => {
        const found = find();
        if (found === undefined) return;
        this.#lookers.delete(looker);
        timer.cancel();
        resolve(found);
      };
      this.#lookers.add(looker);
    });
  }

  async cleanUp(): Promise<void> {
    await this.stop();
    this.#watching.abort();
    await this.node.cleanUp();
    await this.api.close();
    // Volumes of pods that nobody deleted.
    for (const point of await hostMounter.mountsBelow(this.dir)) await hostMounter.unmount(point);
    await rm(this.dir, { recursive: true, force: true });
  }
}

/** Starts all three; `id` as in `startTestNode`. The kubelet is not started yet. */
export async function startTestKubeletNode(id: number, logger: Logger = testLogger): Promise<TestKubeletNode> {
  const dir = await mkdtemp(join(tmpdir(), 'k8ts-kubelet-'));
  const api = await startTestApi(dir, logger);
  const node = await startTestNode(id, logger);
  return new TestKubeletNode(`node-${id}`, node, api, dir, logger);
}

/** A container that runs a script in busybox. */
export function busybox(name: string, script: string, more: Partial<Container> = {}): Container {
  return { name, image: BUSYBOX_IMAGE, imagePullPolicy: 'IfNotPresent', command: ['sh', '-c', script], ...more };
}

export const isReady = (pod: Pod): boolean =>
  pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true;

/** The status of a container of any kind, by name. */
export function statusOf(pod: Pod | undefined, name = 'app') {
  return [
    ...(pod?.status?.containerStatuses ?? []),
    ...(pod?.status?.initContainerStatuses ?? []),
    ...(pod?.status?.ephemeralContainerStatuses ?? []),
  ].find((s) => s.name === name);
}

export function containerId(pod: Pod | undefined, name = 'app'): string {
  const id = statusOf(pod, name)?.containerID?.replace('containerd://', '');
  if (id === undefined) throw new Error(`container ${name} has no id`);
  return id;
}

export const eventLine = (e: Event): string => `${e.type} ${e.reason} x${e.count ?? 1}: ${e.message}`;

export const configMap = (name: string, data: Readonly<Record<string, string>>): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default' },
  data,
});

export const secret = (name: string, data: Readonly<Record<string, string>>): Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'default' },
  data: Object.fromEntries(Object.entries(data).map(([k, v]) => [k, Buffer.from(v).toString('base64')])),
});

/** The log of a process that never ends and leaves at once when asked to. */
export const FOREVER = 'trap "exit 0" TERM; while true; do sleep 1000 & wait $!; done';
