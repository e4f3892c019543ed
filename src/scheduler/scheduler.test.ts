import { afterEach, expect, test } from 'vitest';
import type { Node, Pod } from '../api/types/core-v1.ts';
import { events, nodes, pods } from '../client/resource-refs.ts';
import { createFixture, type Fixture } from '../client/test-support/fixture.ts';
import { scheduler } from './scheduler.ts';
import { bindingApi, makeNode, makePod } from './test-support/objects.ts';

let f: Fixture;
afterEach(() => f.stop());

async function start(...objects: readonly (Node | Pod)[]): Promise<void> {
  f = createFixture();
  bindingApi(f);
  for (const object of objects) {
    if (object.kind === 'Node') await f.api.seed(nodes, object as Node);
    else await f.api.seed(pods, object as Pod);
  }
  f.start(scheduler());
  await f.advance();
}

const nodeOf = (name: string): string => f.api.find(pods, `default/${name}`)?.spec?.nodeName ?? '';
const condition = (name: string): unknown => {
  const { lastTransitionTime: _, ...rest } = f.api
    .find(pods, `default/${name}`)
    ?.status?.conditions?.find((c) => c.type === 'PodScheduled') ?? {
    lastTransitionTime: '',
  };
  return rest;
};
const eventsOf = (name: string): readonly string[] =>
  f.api
    .all(events)
    .filter((e) => e.involvedObject.name === name)
    .map((e) => `${e.type} ${e.reason} ${e.message}`);

test('a pod is bound to the emptier node, and an event tells', async () => {
  await start(
    makeNode('a', { cpu: '4' }),
    makeNode('b', { cpu: '4' }),
    makePod('old', { cpu: '2', node: 'a' }),
    makePod('web', { cpu: '1' }),
  );
  expect(nodeOf('web')).toBe('b');
  expect(eventsOf('web')).toEqual(['Normal Scheduled Successfully assigned default/web to b']);
});

test('a pod that fits nowhere says why, and is bound when room is made', async () => {
  await start(
    makeNode('a', { cpu: '1' }),
    makeNode('b', { cpu: '1', unschedulable: true }),
    makePod('old', { cpu: '1', node: 'a' }),
    makePod('web', { cpu: '1' }),
  );
  expect(nodeOf('web')).toBe('');
  expect(condition('web')).toMatchObject({ type: 'PodScheduled', status: 'False', reason: 'Unschedulable' });
  expect(eventsOf('web')[0]).toContain('0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable.');
  await f.client.resource(pods).delete('old', 'default');
  await f.advance();
  expect(nodeOf('web')).toBe('a');
});

test('a cluster without nodes: the pod waits for the first', async () => {
  await start(makePod('web'));
  expect(eventsOf('web')).toEqual(['Warning FailedScheduling no nodes available to schedule pods']);
  await f.api.seed(nodes, makeNode('a'));
  await f.advance();
  expect(nodeOf('web')).toBe('a');
});

test('pods of other schedulers, gated pods and pods being deleted are left alone', async () => {
  await start(
    makeNode('a'),
    makePod('other', { spec: { schedulerName: 'mine' } }),
    makePod('gated', { spec: { schedulingGates: [{ name: 'example.com/wait' }] } }),
    makePod('done', { status: { phase: 'Succeeded' } }),
  );
  expect([nodeOf('other'), nodeOf('gated'), nodeOf('done')]).toEqual(['', '', '']);
  f.api.change(pods, 'default/gated', (p) => ({ ...p, spec: { ...p.spec!, schedulingGates: [] } }));
  await f.advance();
  expect(nodeOf('gated')).toBe('a');
});

test('a binding that fails is tried again after a second, and its room is free meanwhile', async () => {
  f = createFixture();
  let failures = 1;
  bindingApi(f, (name) => {
    if (name === 'web' && failures-- > 0) throw new Error('connection reset');
  });
  await f.api.seed(nodes, makeNode('a', { cpu: '1' }));
  await f.api.seed(pods, makePod('web', { cpu: '1' }));
  f.start(scheduler());
  await f.advance();
  expect(nodeOf('web')).toBe('');
  expect(condition('web')).toMatchObject({ reason: 'SchedulerError', message: 'connection reset' });
  await f.advance(999);
  expect(nodeOf('web')).toBe('');
  await f.advance(1);
  expect(nodeOf('web')).toBe('a');
});
