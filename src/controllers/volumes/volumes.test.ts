import { expect, test } from 'vitest';
import type {
  PersistentVolume,
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
  PersistentVolumeSpec,
  Pod,
} from '../../api/types/core-v1.ts';
import type { StorageClass } from '../../api/types/storage-v1.ts';
import {
  events,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  storageClasses,
  volumeAttributesClasses,
} from '../../client/resource-refs.ts';
import { createServerFixture, type ServerFixture } from '../test-support/server.ts';
import { volumeBinder } from './binder.ts';
import { ephemeralVolumeController } from './ephemeral.ts';
import { volumeExpander } from './expander.ts';
import { attributesClassProtectionController, claimProtectionController, volumeProtectionController } from './protection.ts';

const volume = (name: string, storage: string, more: Partial<PersistentVolumeSpec> = {}): PersistentVolume => ({
  metadata: { name, labels: { name } },
  spec: {
    capacity: { storage },
    accessModes: ['ReadWriteOnce'],
    persistentVolumeReclaimPolicy: 'Retain',
    storageClassName: 'manual',
    hostPath: { path: `/data/${name}` },
    ...more,
  },
});

const claim = (more: Partial<PersistentVolumeClaimSpec> = {}, name = 'data'): PersistentVolumeClaim => ({
  metadata: { name, namespace: 'x' },
  spec: {
    accessModes: ['ReadWriteOnce'],
    storageClassName: 'manual',
    resources: { requests: { storage: '1Gi' } },
    ...more,
  },
});

async function fixture(...volumes: readonly PersistentVolume[]): Promise<ServerFixture> {
  const f = await createServerFixture();
  f.start(volumeBinder(), claimProtectionController(), volumeProtectionController());
  for (const v of volumes) await f.create(persistentVolumes, v);
  await f.advance();
  return f;
}

const bound = (f: ServerFixture, name = 'data'): string | undefined => {
  const found = f.find(persistentVolumeClaims, `x/${name}`);
  return found?.status?.phase === 'Bound' ? found.spec?.volumeName : undefined;
};
const phase = (f: ServerFixture, name: string): string | undefined => f.find(persistentVolumes, name)?.status?.phase;
const told = (f: ServerFixture): string[] => f.all(events).map((e) => `${e.reason}: ${e.message}`);

test('a claim gets the smallest volume that will do, and both say so', async () => {
  const f = await fixture(volume('large', '10Gi'), volume('right', '2Gi'), volume('small', '500Mi'));
  expect(phase(f, 'right')).toBe('Available');
  await f.create(persistentVolumeClaims, claim());
  await f.advance();
  expect(bound(f)).toBe('right');
  const found = f.find(persistentVolumeClaims, 'x/data')!;
  expect(found).toMatchObject({
    metadata: {
      annotations: { 'pv.kubernetes.io/bind-completed': 'yes', 'pv.kubernetes.io/bound-by-controller': 'yes' },
      finalizers: ['kubernetes.io/pvc-protection'],
    },
    status: { phase: 'Bound', accessModes: ['ReadWriteOnce'], capacity: { storage: '2Gi' } },
  });
  expect(f.find(persistentVolumes, 'right')).toMatchObject({
    metadata: { annotations: { 'pv.kubernetes.io/bound-by-controller': 'yes' }, finalizers: ['kubernetes.io/pv-protection'] },
    spec: { claimRef: { kind: 'PersistentVolumeClaim', namespace: 'x', name: 'data', uid: found.metadata!.uid } },
    status: { phase: 'Bound' },
  });
  const before = f.writes.length;
  await f.advance(3_600_000);
  expect(f.writes.length).toBe(before);
  await f.stop();
});

test.each<[string, Partial<PersistentVolumeClaimSpec>, string | undefined]>([
  ['another class', { storageClassName: 'other' }, undefined],
  ['too large', { resources: { requests: { storage: '100Gi' } } }, undefined],
  ['another mode', { volumeMode: 'Block' }, undefined],
  ['more access than there is', { accessModes: ['ReadWriteMany'] }, undefined],
  ['by label', { selector: { matchLabels: { name: 'b' } } }, 'b'],
  ['by name', { volumeName: 'b' }, 'b'],
])('a claim for %s', async (_, spec, expected) => {
  const f = await fixture(volume('a', '2Gi'), volume('b', '5Gi'));
  await f.create(persistentVolumeClaims, claim(spec));
  await f.advance();
  expect(bound(f)).toBe(expected);
  if (expected === undefined) expect(f.find(persistentVolumeClaims, 'x/data')?.status?.phase).toBe('Pending');
  await f.stop();
});

test('many claims and volumes: each volume once', async () => {
  const f = await fixture();
  for (let i = 0; i < 30; i++) await f.create(persistentVolumeClaims, claim({}, `c${i}`));
  for (let i = 0; i < 25; i++) await f.create(persistentVolumes, volume(`v${i}`, '1Gi'));
  await f.advance(1_000);
  const taken = f.all(persistentVolumeClaims, 'x').flatMap((c) => (c.status?.phase === 'Bound' ? [c.spec!.volumeName!] : []));
  expect([taken.length, new Set(taken).size]).toEqual([25, 25]);
  await f.stop();
});

test('a volume promised to a claim waits for it', async () => {
  const f = await fixture(volume('mine', '5Gi', { claimRef: { namespace: 'x', name: 'data' } }), volume('free', '1Gi'));
  await f.create(persistentVolumeClaims, claim());
  await f.create(persistentVolumeClaims, claim({}, 'other'));
  await f.advance();
  expect([bound(f), bound(f, 'other')]).toEqual(['mine', 'free']);
  await f.stop();
});

test('a volume is released with its claim; a claim whose volume is gone is lost', async () => {
  const f = await fixture(volume('v', '1Gi'));
  await f.create(persistentVolumeClaims, claim());
  await f.advance();
  await f.client.resource(persistentVolumeClaims).delete('data', 'x');
  await f.advance();
  expect([f.find(persistentVolumeClaims, 'x/data'), phase(f, 'v')]).toEqual([undefined, 'Released']);
  await f.create(persistentVolumes, volume('w', '1Gi'));
  await f.create(persistentVolumeClaims, claim());
  await f.advance();
  expect(bound(f)).toBe('w');
  await f.client.resource(persistentVolumes).delete('w', '');
  await f.advance();
  // Bound, it is kept; without its finalizer it goes.
  expect(f.find(persistentVolumes, 'w')?.metadata?.deletionTimestamp).toBeDefined();
  await f.change(persistentVolumes, 'w', (v) => ({ ...v, metadata: { ...v.metadata, finalizers: [] } }));
  await f.advance();
  expect(f.find(persistentVolumeClaims, 'x/data')?.status?.phase).toBe('Lost');
  expect(told(f)).toContain('ClaimLost: Bound claim has lost its PersistentVolume. Data on the volume is lost!');
  await f.stop();
});

test('a claim in use is not deleted under its pod', async () => {
  const f = await fixture(volume('v', '1Gi'));
  await f.create(persistentVolumeClaims, claim());
  const pod: Pod = {
    metadata: { name: 'p', namespace: 'x' },
    spec: {
      nodeName: 'n',
      containers: [{ name: 'c', image: 'i' }],
      volumes: [{ name: 'd', persistentVolumeClaim: { claimName: 'data' } }],
    },
  };
  await f.create(pods, pod);
  await f.advance();
  await f.client.resource(persistentVolumeClaims).delete('data', 'x');
  await f.advance();
  expect(f.find(persistentVolumeClaims, 'x/data')?.metadata?.deletionTimestamp).toBeDefined();
  await f.client.resource(pods).delete('p', 'x', { gracePeriodSeconds: 0 });
  await f.advance();
  expect(f.find(persistentVolumeClaims, 'x/data')).toBeUndefined();
  await f.stop();
});

const storageClass = (name: string, more: Partial<StorageClass> = {}): StorageClass => ({
  metadata: { name },
  provisioner: 'example.com/disks',
  ...more,
});

test('a claim is handed to the provisioner of its class, and bound to what that makes', async () => {
  const f = await fixture();
  await f.create(storageClasses, storageClass('fast'));
  await f.create(persistentVolumeClaims, claim({ storageClassName: 'fast' }));
  await f.advance();
  expect(f.find(persistentVolumeClaims, 'x/data')?.metadata?.annotations).toMatchObject({
    'volume.kubernetes.io/storage-provisioner': 'example.com/disks',
    'volume.beta.kubernetes.io/storage-provisioner': 'example.com/disks',
  });
  expect(told(f)[0]).toMatch(/^ExternalProvisioning: Waiting for a volume to be created either by the external provisioner/);
  const { uid } = f.find(persistentVolumeClaims, 'x/data')!.metadata!;
  const claimRef = { namespace: 'x', name: 'data', uid: uid! };
  await f.create(persistentVolumes, volume('made', '1Gi', { storageClassName: 'fast', claimRef }));
  await f.advance();
  expect(bound(f)).toBe('made');
  await f.stop();
});

test('delayed binding waits for a pod that was placed', async () => {
  const f = await fixture(volume('v', '1Gi', { storageClassName: 'local' }));
  const provisioner = 'kubernetes.io/no-provisioner';
  await f.create(storageClasses, storageClass('local', { provisioner, volumeBindingMode: 'WaitForFirstConsumer' }));
  await f.create(persistentVolumeClaims, claim({ storageClassName: 'local' }));
  await f.advance();
  expect(bound(f)).toBeUndefined();
  expect(told(f)).toEqual(['WaitForFirstConsumer: waiting for first consumer to be created before binding']);
  // The scheduler promises the volume.
  await f.change(persistentVolumes, 'v', (v) => ({ ...v, spec: { ...v.spec!, claimRef: { namespace: 'x', name: 'data' } } }));
  await f.advance();
  expect(bound(f)).toBe('v');
  await f.stop();
});

test('claims without a class get the default one, when there is one', async () => {
  const f = await fixture();
  const { storageClassName: _, ...spec } = claim().spec!;
  await f.create(persistentVolumeClaims, { ...claim(), spec });
  await f.advance();
  expect(told(f)).toEqual(['FailedBinding: no persistent volumes available for this claim and no storage class is set']);
  const annotations = { 'storageclass.kubernetes.io/is-default-class': 'true' };
  await f.create(storageClasses, { ...storageClass('standard'), metadata: { name: 'standard', annotations } });
  await f.advance();
  expect(f.find(persistentVolumeClaims, 'x/data')?.spec?.storageClassName).toBe('standard');
  await f.stop();
});

test('an ephemeral volume gets a claim of its own, and no other', async () => {
  const f = await createServerFixture();
  f.start(ephemeralVolumeController());
  const template = { metadata: { labels: { a: 'b' } }, spec: claim().spec! };
  const pod = (name: string): Pod => ({
    metadata: { name, namespace: 'x' },
    spec: { containers: [{ name: 'c', image: 'i' }], volumes: [{ name: 'tmp', ephemeral: { volumeClaimTemplate: template } }] },
  });
  await f.create(persistentVolumeClaims, claim({}, 'taken-tmp'));
  const { uid } = (await f.create(pods, pod('p'))).metadata!;
  await f.create(pods, pod('taken'));
  await f.advance();
  expect(f.find(persistentVolumeClaims, 'x/p-tmp')).toMatchObject({
    metadata: { labels: { a: 'b' }, ownerReferences: [{ kind: 'Pod', name: 'p', uid, controller: true }] },
    spec: { storageClassName: 'manual' },
  });
  expect(told(f)).toContain(
    'FailedBinding: ephemeral volume tmp: PVC x/taken-tmp was not created for pod x/taken (pod is not owner)',
  );
  await f.stop();
});

test('who asks for a larger volume is told whom to wait for', async () => {
  const f = await fixture(volume('large', '10Gi'));
  f.start(volumeExpander());
  await f.create(storageClasses, { metadata: { name: 'manual' }, provisioner: 'p', allowVolumeExpansion: true });
  await f.create(persistentVolumeClaims, claim());
  await f.advance();
  const message = 'ExternalExpanding: waiting for an external controller to expand this PVC';
  expect(told(f)).not.toContain(message);
  await f.change(persistentVolumeClaims, 'x/data', (c) => ({
    ...c,
    spec: { ...c.spec, resources: { requests: { storage: '20Gi' } } },
  }));
  await f.advance();
  expect(told(f)).toContain(message);
  await f.stop();
});

test('a VolumeAttributesClass stays as long as a volume or a claim names it', async () => {
  const f = await fixture();
  const { hostPath: _, ...spec } = volume('v', '1Gi').spec!;
  const csi = { driver: 'd.example', volumeHandle: 'h' };
  await f.create(persistentVolumes, { ...volume('v', '1Gi'), spec: { ...spec, csi, volumeAttributesClassName: 'gold' } });
  f.start(attributesClassProtectionController());
  await f.create(volumeAttributesClasses, { metadata: { name: 'gold' }, driverName: 'd.example', parameters: { iops: '1' } });
  await f.advance();
  expect(f.find(volumeAttributesClasses, 'gold')?.metadata?.finalizers).toEqual(['kubernetes.io/vac-protection']);
  await f.client.resource(volumeAttributesClasses).delete('gold', '');
  await f.advance();
  expect(f.find(volumeAttributesClasses, 'gold')).toBeDefined();
  await f.client.resource(persistentVolumes).delete('v', '');
  await f.advance();
  expect(f.find(volumeAttributesClasses, 'gold')).toBeUndefined();
  await f.stop();
});
