import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Pod } from '../api/types/core-v1.ts';
import { leases, nodes, pods } from '../client/resource-refs.ts';
import { createServerFixture, type ServerFixture } from '../controllers/test-support/server.ts';
import { simulatedNodes } from './simulated-nodes.ts';

const podOn = (name: string, nodeName: string): Pod => ({
  metadata: { name, namespace: 'x' },
  spec: { nodeName, containers: [{ name: 'c', image: 'i' }] },
});

describe('simulated nodes', () => {
  let f: ServerFixture;
  beforeEach(async () => {
    f = await createServerFixture();
  });
  afterEach(() => f.stop());

  it('register, are ready, and send heartbeats', async () => {
    f.start(simulatedNodes({ count: 3 }));
    await f.advance();
    expect(f.all(nodes).map((n) => [n.metadata?.name, n.status?.conditions?.find((c) => c.type === 'Ready')?.status])).toEqual([
      ['simulated-0', 'True'],
      ['simulated-1', 'True'],
      ['simulated-2', 'True'],
    ]);
    expect(f.find(nodes, 'simulated-0')?.status).toMatchObject({
      nodeInfo: { kubeletVersion: 'v1.36.0' },
      declaredFeatures: ['InPlacePodLevelResourcesVerticalScaling', 'RestartAllContainersOnContainerExits'],
    });
    const renewed = (): readonly (string | undefined)[] => f.all(leases, 'kube-node-lease').map((l) => l.spec?.renewTime);
    const before = renewed();
    expect(before).toHaveLength(3);
    await f.advance(10_500);
    expect(renewed().every((time, i) => time! > before[i]!)).toBe(true);
  });

  it('run the pods bound to them, each with an address of its own, and let go of deleted ones', async () => {
    f.start(simulatedNodes({ count: 2 }));
    await f.advance();
    for (let i = 0; i < 10; i++) await f.create(pods, podOn(`p${i}`, `simulated-${i % 2}`));
    await f.create(pods, podOn('other', 'elsewhere'));
    await f.advance();
    const mine = f.all(pods).filter((p) => p.metadata?.name !== 'other');
    expect(mine.every((p) => p.status?.phase === 'Running')).toBe(true);
    expect(new Set(mine.map((p) => p.status?.podIP)).size).toBe(10);
    expect(f.find(pods, 'x/other')?.status?.phase).toBe('Pending');
    await f.client.resource(pods).delete('p3', 'x');
    await f.advance();
    expect(f.find(pods, 'x/p3')).toBeUndefined();
  });

  it('come back when somebody deletes them', async () => {
    f.start(simulatedNodes({ count: 1 }));
    await f.advance();
    await f.client.resource(nodes).delete('simulated-0', '');
    await f.advance(11_000);
    expect(f.find(nodes, 'simulated-0')?.status?.conditions?.find((c) => c.type === 'Ready')?.status).toBe('True');
  });

  it('are removed when there shall be fewer', async () => {
    await f.create(nodes, { metadata: { name: 'simulated-7' } });
    await f.create(nodes, { metadata: { name: 'real' } });
    f.start(simulatedNodes({ count: 1 }));
    await f.advance();
    expect(f.all(nodes).map((n) => n.metadata?.name)).toEqual(['real', 'simulated-0']);
  });

  it('keep the addresses of pods that ran before', async () => {
    await f.create(pods, podOn('old', 'simulated-0'));
    await f.change(pods, 'x/old', (p): Pod => ({ ...p, status: { phase: 'Running', podIP: '10.128.0.1' } }), 'status');
    f.start(simulatedNodes({ count: 1 }));
    await f.create(pods, podOn('new', 'simulated-0'));
    await f.advance();
    expect(f.find(pods, 'x/old')?.status?.podIP).toBe('10.128.0.1');
    expect(f.find(pods, 'x/new')?.status?.podIP).toBe('10.128.0.2');
  });
});
