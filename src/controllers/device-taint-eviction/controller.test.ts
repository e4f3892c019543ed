import { afterEach, beforeEach, expect, it, test } from 'vitest';
import { formatTime } from '../../api/meta/time.ts';
import type { DeviceTaint, DeviceToleration, ResourceSlice } from '../../api/types/resource-v1.ts';
import { events, pods, resourceClaims, resourceSlices } from '../../client/resource-refs.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { createServerFixture, type ServerFixture } from '../test-support/server.ts';
import { deviceTaintEvictionController } from './controller.ts';
import { claimEvictionTime, taintsOfDevice } from './plan.ts';

const slice = (taints: readonly DeviceTaint[], generation = 1): ResourceSlice => ({
  metadata: { name: `s${generation}` },
  spec: {
    driver: 'gpu.example',
    nodeName: 'a',
    pool: { name: 'p', generation, resourceSliceCount: 1 },
    devices: [{ name: 'gpu0', taints }],
  },
});
const taint = (timeAdded: string): DeviceTaint => ({ key: 'broken', value: 'fan', effect: 'NoExecute', timeAdded });

let f: ServerFixture;
beforeEach(async () => {
  f = await createServerFixture();
  f.start(deviceTaintEvictionController());
});
afterEach(() => f.stop());

async function running(tolerations: readonly DeviceToleration[] = []): Promise<void> {
  await f.create(resourceSlices, slice([]));
  const request = { name: 'r', exactly: { deviceClassName: 'gpu' } };
  await f.create(resourceClaims, { metadata: { name: 'c', namespace: 'x' }, spec: { devices: { requests: [request] } } });
  const pod = await f.create(pods, {
    metadata: { name: 'p', namespace: 'x' },
    spec: {
      nodeName: 'a',
      containers: [{ name: 'c', image: 'i' }],
      resourceClaims: [{ name: 'dev', resourceClaimName: 'c' }],
    },
  });
  const result = { request: 'r', driver: 'gpu.example', pool: 'p', device: 'gpu0', tolerations };
  await f.change(
    resourceClaims,
    'x/c',
    (claim) => ({
      ...claim,
      status: {
        allocation: { devices: { results: [result] } },
        reservedFor: [{ resource: 'pods', name: 'p', uid: pod.metadata!.uid! }],
      },
    }),
    'status',
  );
  await f.advance();
}

const setTaints = async (...taints: readonly DeviceTaint[]): Promise<void> => {
  await f.change(resourceSlices, 's1', (s) => ({ ...s, spec: slice(taints).spec }));
  await f.advance();
};
const gone = (): boolean => f.find(pods, 'x/p')?.metadata?.deletionTimestamp !== undefined || f.find(pods, 'x/p') === undefined;
const told = (): unknown => f.all(events, 'x').map(({ reason, message }) => `${reason}: ${message}`);

it('a pod goes when its device gets a taint that the claim does not tolerate', async () => {
  await running();
  expect(gone()).toBe(false);
  await setTaints({ ...taint(formatTime(f.clock.now())), effect: 'NoSchedule' });
  expect(gone()).toBe(false);
  await setTaints(taint(formatTime(f.clock.now())));
  expect(gone()).toBe(true);
  expect(told()).toEqual(['DeviceTaintManagerEviction: Marking for deletion']);
  const patch = f.writes.find((w) => w.verb === 'patch' && w.subresource === 'status');
  expect(patch?.body).toMatchObject({
    status: { conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'DeletionByDeviceTaintManager' }] },
  });
});

it('a pod stays as long as it is tolerated, and for good when the taint goes', async () => {
  await running([{ key: 'broken', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 60 }]);
  await setTaints(taint(formatTime(f.clock.now())));
  await f.advance(59_000);
  expect(gone()).toBe(false);
  await setTaints();
  await f.advance(10_000);
  expect([gone(), told()]).toEqual([false, ['DeviceTaintManagerEviction: Cancelling deletion']]);
  await setTaints(taint(formatTime(f.clock.now())));
  await f.advance(60_000);
  expect(gone()).toBe(true);
});

test('what an older generation of a pool says does not count', () => {
  const old = slice([taint('2026-01-01T00:00:00Z')]);
  expect(taintsOfDevice(deepFreeze([old, slice([], 2)]), 'gpu0')).toEqual([]);
  expect(taintsOfDevice(deepFreeze([old]), 'gpu0')).toHaveLength(1);
});

test('the shortest toleration counts', () => {
  const time = (...tolerations: readonly DeviceToleration[]): number | undefined =>
    claimEvictionTime(
      deepFreeze({
        metadata: { name: 'c' },
        spec: {},
        status: { allocation: { devices: { results: [{ request: 'r', driver: 'd', pool: 'p', device: 'g', tolerations }] } } },
      }),
      () => [taint('1970-01-01T00:00:10Z')],
    );
  expect(time()).toBe(10_000);
  expect(time({ operator: 'Exists' })).toBeUndefined();
  expect(time({ operator: 'Exists', tolerationSeconds: 9 }, { operator: 'Exists', tolerationSeconds: 5 })).toBe(15_000);
  expect(time({ key: 'other', operator: 'Exists' })).toBe(10_000);
  expect(time({ key: 'broken', operator: 'Equal', value: 'fan' })).toBeUndefined();
});
