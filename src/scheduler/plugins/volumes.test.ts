import { describe, expect, test } from 'vitest';
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../api/types/core-v1.ts';
import type { CSINode, StorageClass } from '../../api/types/storage-v1.ts';
import { TestCluster } from '../test-support/cluster.ts';
import { makeNode, makePod } from '../test-support/objects.ts';
import { nodeVolumeLimits } from './node-volume-limits.ts';
import { volumeBinding } from './volume-binding.ts';
import { volumeRestrictions } from './volume-restrictions.ts';
import { volumeZone } from './volume-zone.ts';

const HOST = 'kubernetes.io/hostname';
const ZONE = 'topology.kubernetes.io/zone';
const nodes = [makeNode('a', { labels: { [ZONE]: 'za' } }), makeNode('b', { labels: { [ZONE]: 'zb' } })];

interface ClaimOptions {
  readonly size?: string;
  readonly volume?: string;
  readonly bound?: boolean;
  readonly className?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly modes?: readonly string[];
  readonly phase?: string;
}
function claim(name: string, options: ClaimOptions = {}): PersistentVolumeClaim {
  const {
    size = '1Gi',
    volume,
    bound = volume !== undefined,
    className = 'local',
    annotations,
    modes = ['ReadWriteOnce'],
    phase,
  } = options;
  return {
    metadata: {
      name,
      namespace: 'default',
      uid: `claim-${name}`,
      annotations: { ...annotations, ...(bound ? { 'pv.kubernetes.io/bind-completed': 'yes' } : {}) },
    },
    spec: {
      storageClassName: className,
      accessModes: modes,
      resources: { requests: { storage: size } },
      ...(volume === undefined ? {} : { volumeName: volume }),
    },
    status: { phase: phase ?? (bound ? 'Bound' : 'Pending') },
  } as PersistentVolumeClaim;
}
function volume(
  name: string,
  options: { readonly on?: string; readonly size?: string; readonly className?: string } & Partial<PersistentVolume> = {},
): PersistentVolume {
  const { on, size = '1Gi', className = 'local', metadata, spec, status } = options;
  const required = { nodeSelectorTerms: [{ matchExpressions: [{ key: HOST, operator: 'In', values: [on ?? ''] }] }] };
  return {
    metadata: { name, ...metadata },
    spec: {
      capacity: { storage: size },
      accessModes: ['ReadWriteOnce'],
      storageClassName: className,
      ...(on === undefined ? {} : { nodeAffinity: { required } }),
      ...spec,
    },
    status: { phase: 'Available', ...status },
  } as PersistentVolume;
}
const waiting: StorageClass = {
  metadata: { name: 'local' },
  provisioner: 'kubernetes.io/no-provisioner',
  volumeBindingMode: 'WaitForFirstConsumer',
};
const dynamic = (more: Partial<StorageClass> = {}): StorageClass => ({
  ...waiting,
  provisioner: 'example.com/disk',
  ...more,
});
const using = (...names: readonly string[]): Pod =>
  makePod('p', { spec: { volumes: names.map((name) => ({ name, persistentVolumeClaim: { claimName: name } })) } });

const ELSEWHERE = "node(s) didn't match PersistentVolume's node affinity!";
const NOTHING = "node(s) didn't find available persistent volumes to bind!";

describe('VolumeBinding', () => {
  const cases: readonly [string, ConstructorParameters<typeof TestCluster>[0], Pod, Readonly<Record<string, string>> | string][] =
    [
      ['no claims', {}, makePod('p'), { a: 'ok', b: 'ok' }],
      ['no such claim', {}, using('c'), 'persistentvolumeclaim "c" not found!'],
      [
        'a lost claim',
        { claims: [claim('c', { volume: 'v', phase: 'Lost' })] },
        using('c'),
        'persistentvolumeclaim "c" bound to non-existent persistentvolume "v"!',
      ],
      [
        'an ephemeral claim yet to come',
        {},
        makePod('p', { spec: { volumes: [{ name: 'tmp', ephemeral: {} }] } }),
        'waiting for ephemeral volume controller to create the persistentvolumeclaim "p-tmp"!',
      ],
      [
        'an ephemeral claim of another',
        { claims: [claim('p-tmp')] },
        makePod('p', { spec: { volumes: [{ name: 'tmp', ephemeral: {} }] } }),
        'PVC default/p-tmp was not created for pod default/p (pod is not owner)!',
      ],
      [
        'not bound, and not ours to bind',
        { claims: [claim('c', { className: 'slow' })] },
        using('c'),
        'pod has unbound immediate PersistentVolumeClaims!',
      ],
      [
        'a claim that names its volume',
        { claims: [claim('c', { volume: 'v', bound: false })], classes: [waiting] },
        using('c'),
        'pod has unbound immediate PersistentVolumeClaims!',
      ],
      [
        'bound to a local volume',
        { claims: [claim('c', { volume: 'v' })], volumes: [volume('v', { on: 'b' })] },
        using('c'),
        { a: ELSEWHERE, b: 'ok' },
      ],
      [
        'bound to a volume that is gone',
        { claims: [claim('c', { volume: 'v' })] },
        using('c'),
        {
          a: 'node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)!',
          b: 'node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)!',
        },
      ],
      [
        'a volume on one node',
        { claims: [claim('c')], volumes: [volume('v', { on: 'a' })], classes: [waiting] },
        using('c'),
        { a: 'ok', b: NOTHING },
      ],
      [
        'too small',
        { claims: [claim('c', { size: '2Gi' })], volumes: [volume('v', { on: 'a' })], classes: [waiting] },
        using('c'),
        { a: NOTHING, b: NOTHING },
      ],
      [
        'one volume for two claims',
        { claims: [claim('c'), claim('d')], volumes: [volume('v', { on: 'a' })], classes: [waiting] },
        using('c', 'd'),
        { a: NOTHING, b: NOTHING },
      ],
      [
        'taken by another',
        {
          claims: [claim('c')],
          volumes: [volume('v', { on: 'a', spec: { claimRef: { name: 'x', namespace: 'default' } } })],
          classes: [waiting],
        },
        using('c'),
        { a: NOTHING, b: NOTHING },
      ],
      ['made on demand', { claims: [claim('c')], classes: [dynamic()] }, using('c'), { a: 'ok', b: 'ok' }],
      [
        'made on demand in one zone',
        {
          claims: [claim('c')],
          classes: [dynamic({ allowedTopologies: [{ matchLabelExpressions: [{ key: ZONE, values: ['zb'] }] }] })],
        },
        using('c'),
        { a: NOTHING, b: 'ok' },
      ],
      [
        'promised to a node',
        { claims: [claim('c', { annotations: { 'volume.kubernetes.io/selected-node': 'b' } })], classes: [dynamic()] },
        using('c'),
        { a: NOTHING, b: 'ok' },
      ],
    ];
  test.each(cases)('%s', (_, parts, pod, verdict) => {
    expect(new TestCluster({ nodes, ...parts }).filter(volumeBinding, pod)).toEqual(verdict);
  });
});

test('VolumeZone: a volume with a zone is used there', () => {
  const claims = [claim('c', { volume: 'v' })];
  const of = (labels: Readonly<Record<string, string>>) =>
    new TestCluster({ nodes: [...nodes, makeNode('zoneless')], claims, volumes: [volume('v', { metadata: { labels } })] }).filter(
      volumeZone,
      using('c'),
    );
  const wrong = 'node(s) had no available volume zone!';
  expect(of({ [ZONE]: 'za' })).toEqual({ a: 'ok', b: wrong, zoneless: 'ok' });
  expect(of({ 'failure-domain.beta.kubernetes.io/zone': 'za__zb' })).toEqual({ a: 'ok', b: 'ok', zoneless: 'ok' });
  expect(of({ 'topology.kubernetes.io/region': 'r' })).toEqual({ a: wrong, b: wrong, zoneless: 'ok' });
  expect(of({})).toEqual({ a: 'ok', b: 'ok', zoneless: 'ok' });
});

test('VolumeRestrictions: one pod at a time', () => {
  const inUse = 'node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode';
  const claims = [claim('c', { volume: 'v', modes: ['ReadWriteOncePod'] })];
  const other = makePod('other', { node: 'a', spec: { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }] } });
  const cluster = new TestCluster({ nodes, claims, pods: [other] });
  expect(cluster.filter(volumeRestrictions, using('c'))).toEqual({ a: inUse, b: inUse });
  cluster.cache.removePod('other');
  expect(cluster.filter(volumeRestrictions, using('c'))).toEqual({ a: 'ok', b: 'ok' });
  const disk = (readOnly: boolean): Pod['spec'] => ({
    containers: [],
    volumes: [{ name: 'd', gcePersistentDisk: { pdName: 'x', readOnly } }],
  });
  const writer = new TestCluster({ nodes, pods: [makePod('w', { node: 'a', spec: disk(false) })] });
  expect(writer.filter(volumeRestrictions, makePod('p', { spec: disk(true) }))).toEqual({
    a: 'node(s) had no available disk',
    b: 'ok',
  });
  const reader = new TestCluster({ nodes, pods: [makePod('r', { node: 'a', spec: disk(true) })] });
  expect(reader.filter(volumeRestrictions, makePod('p', { spec: disk(true) }))).toEqual({ a: 'ok', b: 'ok' });
});

test('NodeVolumeLimits: as many volumes as the driver can attach', () => {
  const csi = (name: string): PersistentVolume => volume(name, { spec: { csi: { driver: 'd', volumeHandle: name } } });
  const csiNodes = [
    { metadata: { name: 'a' }, spec: { drivers: [{ name: 'd', nodeID: 'a', allocatable: { count: 1 } }] } },
  ] as unknown as CSINode[];
  const claims = [claim('c', { volume: 'v' }), claim('d', { volume: 'w' })];
  const other = makePod('other', { node: 'a', spec: { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }] } });
  const cluster = new TestCluster({ nodes, claims, volumes: [csi('v'), csi('w')], csiNodes, pods: [other] });
  expect(cluster.filter(nodeVolumeLimits, using('d'))).toEqual({ a: 'node(s) exceed max volume count', b: 'ok' });
  // The same volume twice is one attachment.
  expect(cluster.filter(nodeVolumeLimits, using('c'))).toEqual({ a: 'ok', b: 'ok' });
});
