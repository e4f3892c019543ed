/** What tracking fields costs each write, in a process by itself. `node bench/apply.ts`. */
import { bench, do_not_optimize, run } from 'mitata';
import { builtinResources } from '../src/api/groups/index.ts';
import type { KubernetesObject } from '../src/api/meta/object.ts';
import type { Resource } from '../src/api/resource.ts';
import { decode } from '../src/api/schema/decode.ts';
import { realisticPod } from '../src/api/schema/realistic-pod.fixture.ts';
import type { FieldChange } from '../src/apiserver/contract.ts';
import { fieldManager } from '../src/apiserver/field-manager/index.ts';
import { deepFreeze } from '../src/util/deep-freeze.ts';

const pods = builtinResources.find((r) => r.plural === 'pods') as Resource;
const manager = fieldManager();
const now = Date.UTC(2026, 0, 1);

/** A pod as the API server has it after decoding a request: nothing of it is shared with another. */
const received = (object: object): KubernetesObject =>
  deepFreeze(pods.defaults(decode<KubernetesObject>(pods.schema, JSON.parse(JSON.stringify(object))).object));

const change = (live: KubernetesObject | undefined, object: KubernetesObject, subresource = ''): FieldChange => ({
  resource: pods,
  live,
  object,
  manager: subresource === '' ? 'kube-controller-manager' : 'kubelet',
  subresource,
  now,
});

const withStatus = (pod: KubernetesObject, second: number): object => ({
  ...pod,
  status: {
    phase: 'Running',
    conditions: ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map((type) => ({
      type,
      status: 'True',
      lastTransitionTime: new Date(now + second * 1000).toISOString().replace('.000', ''),
    })),
  },
});

/** Picks another of some objects each time, so that no result is known from before. */
function cycle<T>(count: number, make: (index: number) => T): () => T {
  const made = Array.from({ length: count }, (_, i) => make(i));
  let next = 0;
  return () => made[next++ % count]!;
}

const small = {
  metadata: { name: 'p', labels: { app: 'p' } },
  spec: { containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 80 }] }] },
};
const created = deepFreeze(manager.update(change(undefined, received(realisticPod))));
const running = deepFreeze(manager.update(change(created, received(withStatus(created, 0)), 'status')));

const smallPod = cycle(50, () => received(small));
const bigPod = cycle(50, () => received(realisticPod));
const stranger = cycle(2_000, (i) =>
  received({ ...realisticPod, metadata: { ...realisticPod.metadata, generateName: `app-${i}-` } }),
);
const heartbeat = cycle(50, (i) => received(withStatus(running, i + 1)));
const patched = cycle(50, (i) =>
  deepFreeze({ ...running, status: (heartbeat() as { status?: object }).status, index: i } as KubernetesObject),
);
const config = deepFreeze({ ...small, apiVersion: 'v1', kind: 'Pod' });
const applied = deepFreeze(manager.apply({ ...change(undefined, config), force: false }));

bench('create: a small pod', () => do_not_optimize(manager.update(change(undefined, smallPod()))));
bench('create: a pod of 4 KB, one of many of a template', () => do_not_optimize(manager.update(change(undefined, bigPod()))));
bench('create: a pod of 4 KB, the first of its template', () => do_not_optimize(manager.update(change(undefined, stranger()))));
bench('status update: PUT of the whole pod', () => do_not_optimize(manager.update(change(running, heartbeat(), 'status'))));
bench('status update: patch, the rest shared', () => do_not_optimize(manager.update(change(running, patched(), 'status'))));
bench('apply that changes nothing', () => do_not_optimize(manager.apply({ ...change(applied, config), force: false })));

await run();
