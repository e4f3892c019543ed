/**
 * Pods scheduled a second, over an API that answers at once: the cost of deciding, of the informers and of the calls, not of a server.
 * `node bench/scheduler.ts [nodes] [pods]`.
 */
import type { KubernetesObject, WatchEvent } from '../src/api/meta/object.ts';
import type { ApiRequest, ApiResponse } from '../src/api/request.ts';
import type { Node, Pod } from '../src/api/types/core-v1.ts';
import type { Transport } from '../src/client/contract.ts';
import { createClient, createControllerContext, runControllers } from '../src/client/index.ts';
import { scheduler } from '../src/scheduler/index.ts';
import { systemClock } from '../src/util/clock.ts';
import { createLogger } from '../src/util/logger.ts';
import { systemRandom } from '../src/util/random.ts';

const NODES = Number(process.argv[2] ?? 5000);
const PODS = Number(process.argv[3] ?? 30_000);
const ZONES = 3;
/** Pods of one workload. */
const REPLICAS = 500;

/** An API of nodes and pods that knows how to bind. */
class BindingApi implements Transport {
  readonly #nodes: readonly Node[];
  readonly #pods = new Map<string, Pod>();
  readonly #events: WatchEvent[] = [];
  #wake: (() => void) | undefined;
  #revision = 1;
  bound = 0;
  failed = 0;
  onAllBound: (() => void) | undefined;

  constructor(nodes: readonly Node[]) {
    this.#nodes = nodes;
  }

  create(pods: readonly Pod[]): void {
    for (const pod of pods) this.#put('ADDED', pod);
  }

  request(request: ApiRequest): Promise<ApiResponse> {
    return Promise.resolve({ code: 200, object: this.#answer(request), warnings: [] });
  }

  async *watch(request: ApiRequest): AsyncGenerator<WatchEvent> {
    for (let next = 0; ; ) {
      if (request.resource === 'pods') for (; next < this.#events.length; next++) yield this.#events[next]!;
      await new Promise<void>((resolve) => {
        if (request.resource === 'pods') this.#wake = resolve;
      });
    }
  }

  raw(): Promise<unknown> {
    return Promise.reject(new Error('no such path'));
  }

  #answer(request: ApiRequest): KubernetesObject {
    const { verb, resource, subresource } = request;
    if (verb === 'list') {
      return { metadata: { resourceVersion: '1' }, items: resource === 'nodes' ? this.#nodes : [] } as KubernetesObject;
    }
    if (resource === 'pods' && subresource === 'binding') {
      const { target } = request.body as { readonly target: { readonly name: string } };
      const pod = this.#pods.get(`${request.namespace}/${request.name}`)!;
      this.#put('MODIFIED', { ...pod, spec: { ...pod.spec!, nodeName: target.name } });
      this.bound++;
      if (this.bound === this.#pods.size) this.onAllBound?.();
    } else if (resource === 'pods') this.failed++;
    return request.body as KubernetesObject;
  }

  #put(type: 'ADDED' | 'MODIFIED', pod: Pod): void {
    const object = { ...pod, metadata: { ...pod.metadata, resourceVersion: String(++this.#revision) } };
    this.#pods.set(`${pod.metadata?.namespace}/${pod.metadata?.name}`, object);
    this.#events.push({ type, object });
    this.#wake?.();
  }
}

const makeNode = (i: number): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name: `node-${i}`,
    uid: `node-${i}`,
    resourceVersion: '1',
    labels: { 'kubernetes.io/hostname': `node-${i}`, 'topology.kubernetes.io/zone': `zone-${i % ZONES}` },
  },
  status: { allocatable: { cpu: '32', memory: '128Gi', pods: '110' } },
});

type Kind = (app: string) => Partial<Pod['spec']>;

/** What the pods of a workload say about where they want to be. */
const kinds: Readonly<Record<string, Kind>> = {
  plain: () => ({}),
  'node affinity': () => ({
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: 'topology.kubernetes.io/zone', operator: 'In', values: ['zone-0', 'zone-1'] }] },
          ],
        },
      },
    },
  }),
  spreading: (app) => ({
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: 'topology.kubernetes.io/zone',
        whenUnsatisfiable: 'DoNotSchedule',
        labelSelector: { matchLabels: { app } },
      },
      {
        maxSkew: 1,
        topologyKey: 'kubernetes.io/hostname',
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: { matchLabels: { app } },
      },
    ],
  }),
  'anti-affinity': (app) => ({
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { labelSelector: { matchLabels: { app } }, topologyKey: 'kubernetes.io/hostname' },
        ],
      },
    },
  }),
  'preferred affinity': (app) => ({
    affinity: {
      podAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          {
            weight: 50,
            podAffinityTerm: { labelSelector: { matchLabels: { app } }, topologyKey: 'topology.kubernetes.io/zone' },
          },
        ],
      },
    },
  }),
};

function makePods(name: string, kind: Kind, count: number): Pod[] {
  return Array.from({ length: count }, (_, i) => {
    const app = `${name.replaceAll(' ', '-')}-${Math.trunc(i / REPLICAS)}`;
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `${app}-${i}`, namespace: 'default', uid: `${app}-${i}`, labels: { app } },
      spec: {
        containers: [{ name: 'main', image: 'app', resources: { requests: { cpu: '100m', memory: '200Mi' } } }],
        schedulerName: 'default-scheduler',
        ...kind(app),
      },
      status: { phase: 'Pending' },
    } as Pod;
  });
}

const renamed = (pod: Pod, i: number): Pod => ({
  ...pod,
  metadata: { ...pod.metadata, name: `${pod.metadata?.name}-${i}`, uid: `${pod.metadata?.name}-${i}` },
});

async function measure(name: string, pods: readonly Pod[]): Promise<void> {
  const api = new BindingApi(Array.from({ length: NODES }, (_, i) => makeNode(i)));
  const logger = createLogger({ level: 'error' });
  const context = createControllerContext({ client: createClient(api), clock: systemClock, random: systemRandom, logger });
  const stop = new AbortController();
  const silent = { ...context, recorder: () => ({ event: () => {} }) };
  runControllers([scheduler()], silent, stop.signal);
  await context.informers.synced();
  const done = new Promise<void>((resolve) => {
    api.onAllBound = resolve;
  });
  const cpu = process.cpuUsage();
  const start = performance.now();
  api.create(pods);
  await done;
  const seconds = (performance.now() - start) / 1000;
  const used = process.cpuUsage(cpu);
  const each = ((used.user + used.system) / pods.length).toFixed(0);
  const rate = Math.round(pods.length / seconds);
  console.log(`${name.padEnd(20)} ${String(rate).padStart(7)} pods/s  cpu ${each.padStart(5)} us a pod  ${api.failed} rejected`);
  stop.abort();
}

console.log(`${PODS} pods on ${NODES} nodes`);
const names = Object.keys(kinds);
const share = Math.trunc(PODS / (names.length + 2));
const all = names.map((name) => makePods(name, kinds[name]!, share));
for (const [i, name] of names.entries()) await measure(name, all[i]!);
// A thousand workloads at once, each with constraints of its own.
await measure(
  'many workloads',
  Array.from({ length: share }, (_, i) => makePods(`w${i % 1000}`, kinds['spreading']!, 1).map((p) => renamed(p, i))[0]!),
);
// All kinds in turn, as a busy cluster has them.
await measure(
  'mixed',
  Array.from({ length: share }, (_, i) => all[i % all.length]![i]!),
);
