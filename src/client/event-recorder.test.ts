import { expect, test } from 'vitest';
import type { Pod } from '../api/types/core-v1.ts';
import { events } from './resource-refs.ts';
import { createFixture } from './test-support/fixture.ts';

const pod: Pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a', namespace: 'one', uid: 'u' }, spec: { containers: [] } };

test('an equal event raises the count of the first', async () => {
  const f = createFixture();
  const recorder = f.context.recorder('kubelet', 'n1');
  recorder.event(pod, 'Normal', 'Pulled', 'image is here');
  await f.advance(5000);
  recorder.event(pod, 'Normal', 'Pulled', 'image is here');
  await f.advance();
  const written = f.api.all(events);
  expect(written).toHaveLength(1);
  expect(written[0]).toMatchObject({
    metadata: { namespace: 'one' },
    count: 2,
    firstTimestamp: '2026-01-01T00:00:00Z',
    lastTimestamp: '2026-01-01T00:00:05Z',
    source: { component: 'kubelet', host: 'n1' },
    reportingComponent: 'kubelet',
    reportingInstance: 'n1',
    involvedObject: { kind: 'Pod', name: 'a', namespace: 'one', uid: 'u', apiVersion: 'v1' },
  });
  expect(written[0]!.metadata.name).toMatch(/^a\.[0-9a-f]{16}$/);
});

test('ten that differ in the message alone become one combined event', async () => {
  const f = createFixture();
  const recorder = f.context.recorder('c');
  for (let i = 0; i < 15; i++) recorder.event(pod, 'Warning', 'Failed', `try ${i}`);
  await f.advance();
  const written = f.api.all(events);
  expect(written).toHaveLength(10);
  expect(written.at(-1)).toMatchObject({ message: '(combined from similar events): try 14', count: 6 });
});

test('more than 25 about one object are held back', async () => {
  const f = createFixture();
  const recorder = f.context.recorder('c');
  for (let i = 0; i < 40; i++) recorder.event(pod, 'Normal', `Reason${i}`, 'm');
  await f.advance();
  expect(f.api.all(events)).toHaveLength(25);
  await f.advance(300_000);
  recorder.event(pod, 'Normal', 'Later', 'm');
  await f.advance();
  expect(f.api.all(events)).toHaveLength(26);
});

test('a server that does not answer is asked again', async () => {
  const f = createFixture();
  let failures = 2;
  f.api.intercept = () => {
    if (failures-- > 0) throw new Error('connection refused');
  };
  f.context.recorder('c').event(pod, 'Normal', 'R', 'm');
  await f.advance(60_000);
  expect(f.api.all(events)).toHaveLength(1);
});
