import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import type { PersistentVolume, Pod } from '../../api/types/core-v1.ts';
import type { VolumeAttachment } from '../../api/types/storage-v1.ts';
import {
  csiDrivers,
  events,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  volumeAttachments,
} from '../../client/resource-refs.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { createServerFixture, type ServerFixture } from '../test-support/server.ts';
import { attachDetachController } from './controller.ts';
import { attachmentName, mayDetach, multiAttachMessage, planAttachments } from './plan.ts';

const UNIQUE = 'kubernetes.io/csi/disk.example^vol-1';
const node = (name: string) => ({
  metadata: { name, annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' } },
});
const pod = (name: string, nodeName: string): Pod => ({
  metadata: { name, namespace: 'x' },
  spec: {
    nodeName,
    containers: [{ name: 'c', image: 'i' }],
    volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }],
  },
});
const volume = (accessMode = 'ReadWriteOnce'): PersistentVolume => ({
  metadata: { name: 'pv' },
  spec: {
    accessModes: [accessMode as 'ReadWriteOnce'],
    capacity: { storage: '1Gi' },
    csi: { driver: 'disk.example', volumeHandle: 'vol-1' },
    persistentVolumeReclaimPolicy: 'Retain',
    storageClassName: '',
  },
});

describe('volumes', () => {
  let f: ServerFixture;
  const attachments = (): readonly VolumeAttachment[] => f.all(volumeAttachments);
  const attachedTo = (): unknown => attachments().map(({ spec }) => spec.nodeName);
  const reasons = (): unknown => f.all(events, 'x').map(({ reason, message }) => `${reason}: ${message}`);
  const setup = async (accessMode?: string): Promise<void> => {
    for (const name of ['a', 'b']) await f.create(nodes, node(name));
    const claim = await f.create(persistentVolumeClaims, {
      metadata: { name: 'data', namespace: 'x' },
      spec: {
        accessModes: ['ReadWriteOnce'],
        resources: { requests: { storage: '1Gi' } },
        volumeName: 'pv',
        storageClassName: '',
      },
    });
    const { name, namespace, uid } = claim.metadata!;
    const pv = volume(accessMode);
    await f.create(persistentVolumes, {
      ...pv,
      spec: { ...pv.spec, claimRef: { name: name!, namespace: namespace!, uid: uid! } },
    });
    await f.change(
      persistentVolumeClaims,
      'x/data',
      (c) => ({ ...c, status: { ...c.status, phase: 'Bound' as const } }),
      'status',
    );
  };
  /** What a driver does. */
  const attach = async (): Promise<void> => {
    for (const { metadata } of attachments())
      await f.change(volumeAttachments, metadata!.name!, (a) => ({ ...a, status: { attached: true } }), 'status');
    await f.advance();
  };
  beforeEach(async () => {
    f = await createServerFixture();
    f.start(attachDetachController());
  });
  afterEach(() => f.stop());

  it('are attached for pods, told to node and pod, and detached once they are not mounted any more', async () => {
    await setup();
    await f.create(pods, pod('p', 'a'));
    await f.advance();
    expect(attachments()).toMatchObject([
      {
        metadata: { name: attachmentName(volume(), 'a') },
        spec: { attacher: 'disk.example', nodeName: 'a', source: { persistentVolumeName: 'pv' } },
      },
    ]);
    expect(f.find(nodes, 'a')?.status?.volumesAttached).toBeUndefined();
    await attach();
    expect(f.find(nodes, 'a')?.status?.volumesAttached).toEqual([{ name: UNIQUE, devicePath: '' }]);
    expect(reasons()).toEqual(['SuccessfulAttachVolume: AttachVolume.Attach succeeded for volume "pv" ']);
    await f.change(nodes, 'a', (n) => ({ ...n, status: { ...n.status, volumesInUse: [UNIQUE] } }), 'status');
    await f.client.resource(pods).delete('p', 'x', { gracePeriodSeconds: 0 });
    await f.advance(1_000);
    expect(attachedTo()).toEqual(['a']);
    await f.change(nodes, 'a', (n) => ({ ...n, status: { ...n.status, volumesInUse: [] } }), 'status');
    await f.advance();
    expect(attachedTo()).toEqual([]);
    expect(f.find(nodes, 'a')?.status?.volumesAttached ?? []).toEqual([]);
    // The kubelet hears of it before the driver does.
    const order = f.writes.filter((w) => w.resource === 'nodes' || w.verb === 'delete').map((w) => `${w.verb} ${w.resource}`);
    expect(order.slice(-2)).toEqual(['patch nodes', 'delete volumeattachments']);
  });

  it('that one node may have are refused to others, who are told once', async () => {
    await setup();
    await f.create(pods, pod('p', 'a'));
    await f.advance();
    await f.create(pods, pod('q', 'b'));
    await f.advance();
    expect(attachedTo()).toEqual(['a']);
    expect(reasons()).toEqual(['FailedAttachVolume: Multi-Attach error for volume "pv" Volume is already used by pod(s) p']);
    await f.client.resource(pods).delete('p', 'x', { gracePeriodSeconds: 0 });
    await f.advance();
    expect(attachedTo()).toEqual(['b']);
  });

  it('that many may have are attached to all', async () => {
    await setup('ReadWriteMany');
    await f.create(pods, pod('p', 'a'));
    await f.create(pods, pod('q', 'b'));
    await f.advance();
    expect((attachedTo() as string[]).sort()).toEqual(['a', 'b']);
  });

  it('of drivers that do not attach are let be', async () => {
    await f.create(csiDrivers, { metadata: { name: 'disk.example' }, spec: { attachRequired: false } });
    await setup();
    await f.create(pods, pod('p', 'a'));
    await f.advance();
    expect(attachedTo()).toEqual([]);
  });

  it('that fail to attach are told with the error of the driver', async () => {
    await setup();
    await f.create(pods, pod('p', 'a'));
    await f.advance();
    const name = attachments()[0]!.metadata!.name!;
    await f.change(
      volumeAttachments,
      name,
      (a) => ({ ...a, status: { attached: false, attachError: { message: 'no slot' } } }),
      'status',
    );
    await f.advance();
    expect(reasons()).toEqual(['FailedAttachVolume: AttachVolume.Attach failed for volume "pv" : no slot']);
  });

  it('are taken from a node that does not answer after six minutes', async () => {
    await setup();
    await f.create(pods, pod('p', 'a'));
    await f.advance();
    await attach();
    await f.change(nodes, 'a', (n) => ({ ...n, status: { ...n.status, volumesInUse: [UNIQUE] } }), 'status');
    await f.client.resource(pods).delete('p', 'x', { gracePeriodSeconds: 0 });
    await f.advance(300_000);
    expect(attachedTo()).toEqual(['a']);
    await f.advance(70_000);
    expect(attachedTo()).toEqual([]);
  });

  it('are taken from a node at once when it stops to answer later than that', async () => {
    await setup();
    await f.create(pods, pod('p', 'a'));
    await f.advance();
    await attach();
    const say = async (status: 'True' | 'False'): Promise<void> => {
      const conditions = [{ type: 'Ready', status }];
      await f.change(nodes, 'a', (n) => ({ ...n, status: { ...n.status, volumesInUse: [UNIQUE], conditions } }), 'status');
      await f.advance();
    };
    await say('True');
    await f.client.resource(pods).delete('p', 'x', { gracePeriodSeconds: 0 });
    await f.advance(1_000_000);
    expect(attachedTo()).toEqual(['a']);
    await say('False');
    expect(attachedTo()).toEqual([]);
  });

  it('attached by others, under other names, are not touched', async () => {
    await setup();
    const spec = { attacher: 'disk.example', nodeName: 'a', source: { persistentVolumeName: 'pv' } };
    await f.create(volumeAttachments, { metadata: { name: 'mine' }, spec });
    await f.create(volumeAttachments, {
      metadata: { name: 'stray' },
      spec: { ...spec, source: { persistentVolumeName: 'nowhere' } },
    });
    await f.advance();
    expect(attachments()).toHaveLength(2);
  });
});

test('the first pod has the volume', () => {
  const plan = planAttachments(deepFreeze({ volume: volume(), pods: [pod('p', 'a'), pod('q', 'b')], attachments: [] }));
  expect([plan.attach, plan.refused]).toEqual([['a'], ['b']]);
});

test('a mounted volume leaves only a node that is out of service, or does not answer', () => {
  const at = (ready: 'True' | 'False', taints: readonly { key: string; effect: 'NoExecute' }[] = []) => ({
    metadata: { name: 'a' },
    spec: { taints },
    status: { volumesInUse: [UNIQUE], conditions: [{ type: 'Ready', status: ready }] },
  });
  const verdict = (node: ReturnType<typeof at> | undefined, idleMs: number) => mayDetach({ node, volume: UNIQUE, idleMs });
  expect(verdict(at('True'), 1e9)).toBe('wait');
  expect(verdict(at('False'), 1)).toBe('wait');
  expect(verdict(at('False'), 400_000)).toBe('timeout');
  expect(verdict(at('True', [{ key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute' }]), 1)).toBe('out-of-service');
  expect(verdict(undefined, 0)).toBe('now');
});

test('who holds a volume is named only in the own namespace', () => {
  const other = { ...pod('o', 'b'), metadata: { name: 'o', namespace: 'y' } };
  expect(multiAttachMessage('pv', pod('p', 'a'), [pod('q', 'b'), other])).toBe(
    'Multi-Attach error for volume "pv" Volume is already used by pod(s) q and 1 pod(s) in different namespaces',
  );
  expect(multiAttachMessage('pv', pod('p', 'a'), [other])).toContain('by 1 pod(s) in different namespaces');
  expect(multiAttachMessage('pv', pod('p', 'a'), [])).toContain('already exclusively attached to one node');
});
