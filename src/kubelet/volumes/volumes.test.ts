import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ConfigMap, Container, Pod, Secret, Volume } from '../../api/types/core-v1.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { type Payload, writeAtomically } from './atomic-writer.ts';
import { containerMounts } from './container-mounts.ts';
import { LocalVolumes } from './local-volume.ts';
import { plainMounter } from './mounter.ts';
import { setUpVolumes, tearDownPod, type VolumeEnvironment } from './pod-volumes.ts';

let dir = '';
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'k8ts-volumes-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const files = (table: Record<string, string>, mode = 0o644): Payload =>
  new Map(Object.entries(table).map(([path, text]) => [path, { data: Buffer.from(text), mode }]));

describe('the atomic writer', () => {
  it('shows files through ..data and swaps them at once', async () => {
    expect(await writeAtomically(dir, files({ a: '1', 'sub/b': '2' }), 's1', undefined)).toBe(true);
    expect(await readlink(join(dir, 'a'))).toBe('..data/a');
    expect(await readlink(join(dir, '..data'))).toBe('..s1');
    expect(await readFile(join(dir, 'sub/b'), 'utf8')).toBe('2');
    expect(await writeAtomically(dir, files({ a: '9', c: '3' }), 's2', undefined)).toBe(true);
    expect((await readdir(dir)).sort()).toEqual(['..data', '..s2', 'a', 'c']);
    expect(await readFile(join(dir, 'a'), 'utf8')).toBe('9');
  });
  it('leaves alone what has not changed', async () => {
    await writeAtomically(dir, files({ a: '1' }), 's1', undefined);
    expect(await writeAtomically(dir, files({ a: '1' }), 's2', undefined)).toBe(false);
    expect(await readlink(join(dir, '..data'))).toBe('..s1');
  });
  it('sets modes, and the group where asked', async () => {
    const modeOf = async (path: string): Promise<number> => (await stat(join(dir, path))).mode & 0o7777;
    await writeAtomically(dir, files({ a: '1', 'b/c': '2' }, 0o400), 's1', process.getgid!());
    expect([await modeOf('a'), await modeOf('b'), await modeOf('..data')]).toEqual([0o440, 0o2755, 0o2755]);
    // The group may read what the owner may write, and no more.
    await writeAtomically(dir, files({ a: '2' }, 0o600), 's2', process.getgid!());
    expect(await modeOf('a')).toBe(0o640);
  });
  it.each(['../a', '/a', 'x/../../a', '..a', ''])('refuses the path %j', async (path) => {
    await expect(writeAtomically(dir, files({ [path]: '' }), 's', undefined)).rejects.toThrow('invalid path');
  });
  it('is emptied by an empty payload', async () => {
    await writeAtomically(dir, files({ a: '1' }), 's1', undefined);
    await writeAtomically(dir, new Map(), 's2', undefined);
    expect((await readdir(dir)).sort()).toEqual(['..data', '..s2']);
  });
});

const configMaps: Record<string, ConfigMap> = {
  cfg: { data: { k: 'v', other: 'o' }, binaryData: { bin: Buffer.from([0, 255]).toString('base64') } },
};
const secrets: Record<string, Secret> = { sec: { data: { pw: Buffer.from('hunter2').toString('base64') } } };
let stamps = 0;
const environment = (): VolumeEnvironment => ({
  rootDir: dir,
  mounter: plainMounter,
  local: new LocalVolumes(dir, plainMounter),
  warn: () => {},
  stamp: () => `stamp${++stamps}`,
  sources: {
    downward: { nodeName: 'n', hostIPs: [], podIPs: ['10.1.0.5'], allocatable: { cpu: '2' } },
    configMap: (name) => configMaps[name],
    secret: (name) => secrets[name],
    token: async (audience, seconds) => `token-for-${audience}-${seconds}`,
  },
  claim: async (name) =>
    name === 'bound'
      ? { metadata: { uid: 'c' }, spec: { volumeName: 'pv' }, status: { phase: 'Bound' } }
      : name === 'unbound'
        ? { status: { phase: 'Pending' } }
        : undefined,
  persistentVolume: async () => ({
    spec: { claimRef: { uid: 'c' }, hostPath: { path: join(dir, 'pv'), type: 'DirectoryOrCreate' } },
  }),
});
const podWith = (volumes: readonly Volume[], more: object = {}): Pod =>
  deepFreeze({
    metadata: { name: 'p', namespace: 'ns', uid: 'u', labels: { app: 'x' } },
    spec: {
      containers: [
        {
          name: 'c',
          image: 'i',
          resources: { limits: { cpu: '500m' } },
          volumeMounts: volumes.map(({ name }) => ({ name, mountPath: `/${name}` })),
        },
      ],
      volumes,
      ...more,
    },
  });
const read = async (path: string): Promise<string> => readFile(path, 'utf8');

describe('volumes of a pod', () => {
  it('sets up every kind there is', async () => {
    const { paths, failures } = await setUpVolumes(
      podWith([
        { name: 'empty', emptyDir: {} },
        { name: 'config', configMap: { name: 'cfg', items: [{ key: 'k', path: 'deep/k', mode: 0o400 }] } },
        { name: 'whole', configMap: { name: 'cfg' } },
        { name: 'secret', secret: { secretName: 'sec', defaultMode: 0o600 } },
        { name: 'gone', secret: { secretName: 'nope', optional: true } },
        {
          name: 'down',
          downwardAPI: {
            items: [
              { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
              { path: 'cpu', resourceFieldRef: { containerName: 'c', resource: 'limits.cpu', divisor: '1m' } },
            ],
          },
        },
        {
          name: 'all',
          projected: {
            sources: [
              { serviceAccountToken: { path: 'token', audience: 'api', expirationSeconds: 3607 } },
              { configMap: { name: 'cfg', items: [{ key: 'k', path: 'ca.crt' }] } },
              { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
            ],
          },
        },
        { name: 'host', hostPath: { path: join(dir, 'host'), type: 'DirectoryOrCreate' } },
        { name: 'claim', persistentVolumeClaim: { claimName: 'bound' } },
      ]),
      environment(),
    );
    expect(failures).toEqual([]);
    const at = (volume: string, path = ''): string => join(paths.get(volume)!, path);
    expect((await stat(at('empty'))).mode & 0o777).toBe(0o777);
    expect(await read(at('config', 'deep/k'))).toBe('v');
    expect((await stat(at('config', 'deep/k'))).mode & 0o777).toBe(0o400);
    expect(await readFile(at('whole', 'bin'))).toEqual(Buffer.from([0, 255]));
    expect(await read(at('secret', 'pw'))).toBe('hunter2');
    expect(await read(at('down', 'labels'))).toBe('app="x"');
    expect(await read(at('down', 'cpu'))).toBe('500');
    expect(await read(at('all', 'token'))).toBe('token-for-api-3607');
    expect(await read(at('all', 'namespace'))).toBe('ns');
    expect((await stat(at('host'))).isDirectory()).toBe(true);
    expect(at('claim')).toBe(join(dir, 'pv'));
    await tearDownPod(dir, 'u', plainMounter);
    expect(await stat(join(dir, 'pods/u')).catch(() => 'gone')).toBe('gone');
    expect((await stat(join(dir, 'host'))).isDirectory()).toBe(true);
  });
  it.each<[Volume, string]>([
    [{ name: 'v', configMap: { name: 'nope' } }, 'MountVolume.SetUp failed for volume "v" : configmap "nope" not found'],
    [{ name: 'v', secret: { secretName: 'nope' } }, 'MountVolume.SetUp failed for volume "v" : secret "nope" not found'],
    [
      { name: 'v', configMap: { name: 'cfg', items: [{ key: 'no', path: 'x' }] } },
      'MountVolume.SetUp failed for volume "v" : configmap references non-existent config key: no',
    ],
    [
      { name: 'v', hostPath: { path: '/nonexistent', type: 'Directory' } },
      'MountVolume.SetUp failed for volume "v" : hostPath type check failed: /nonexistent is not a directory',
    ],
    [
      { name: 'v', persistentVolumeClaim: { claimName: 'unbound' } },
      'Unable to attach or mount volumes: unmounted volumes=[v], unattached volumes=[], failed to process volumes=[v]: error processing PVC ns/unbound: PVC is not bound',
    ],
  ])('says what is wrong: %j', async (volume, message) => {
    const { failures } = await setUpVolumes(podWith([volume]), environment());
    expect(failures).toEqual([{ volumes: ['v'], message }]);
  });
  it('follows changes', async () => {
    const pod = podWith([{ name: 'config', configMap: { name: 'live' } }]);
    configMaps['live'] = { data: { a: '1' } };
    const { paths } = await setUpVolumes(pod, environment());
    configMaps['live'] = { data: { a: '2' } };
    await setUpVolumes(pod, environment());
    expect(await read(join(paths.get('config')!, 'a'))).toBe('2');
  });
  it('leaves alone what no container uses', async () => {
    const volumes: readonly Volume[] = [
      { name: 'used', emptyDir: {} },
      { name: 'later', emptyDir: {} },
      { name: 'unused', configMap: { name: 'missing' } },
    ];
    const containers: readonly Container[] = [{ name: 'c', image: 'i', volumeMounts: [{ name: 'used', mountPath: '/u' }] }];
    const before = await setUpVolumes(podWith(volumes, { containers }), environment());
    expect([[...before.paths.keys()], before.failures]).toEqual([['used'], []]);
    const debug = { name: 'd', image: 'i', volumeMounts: [{ name: 'later', mountPath: '/l' }] };
    const after = await setUpVolumes(podWith(volumes, { containers, ephemeralContainers: [debug] }), environment());
    expect([...after.paths.keys()]).toEqual(['used', 'later']);
  });
  it('gives an emptyDir to the group', async () => {
    const gid = process.getgid!();
    const { paths } = await setUpVolumes(
      podWith([{ name: 'e', emptyDir: {} }], { securityContext: { fsGroup: gid } }),
      environment(),
    );
    const found = await lstat(paths.get('e')!);
    expect([found.gid, found.mode & 0o7777]).toEqual([gid, 0o2777]);
  });
  it('gives a token to the user of the pod, and lets its group read it', async () => {
    const [uid, gid] = [process.getuid!(), process.getgid!()];
    const sources = [{ serviceAccountToken: { path: 'token' } }];
    const modeWith = async (securityContext: object): Promise<number> => {
      const volume = { name: `t${Object.keys(securityContext).join('')}`.toLowerCase(), projected: { sources } };
      const { paths } = await setUpVolumes(podWith([volume], { securityContext }), environment());
      const found = await stat(join(paths.get(volume.name)!, 'token'));
      expect([found.uid, found.gid]).toEqual([uid, gid]);
      return found.mode & 0o777;
    };
    expect(await modeWith({})).toBe(0o644);
    expect(await modeWith({ runAsUser: uid })).toBe(0o600);
    expect(await modeWith({ fsGroup: gid })).toBe(0o640);
    expect(await modeWith({ runAsUser: uid, fsGroup: gid })).toBe(0o640);
  });
});

describe('mounts of a container', () => {
  const container = (volumeMounts: Container['volumeMounts']): Container => ({
    name: 'c',
    image: 'i',
    ...(volumeMounts ? { volumeMounts } : {}),
  });
  const pod = podWith([
    { name: 'v', emptyDir: {} },
    { name: 'cm', configMap: { name: 'cfg' } },
  ]);
  it('resolves sub paths inside the volume', async () => {
    await mkdir(join(dir, 'v'));
    await chmod(join(dir, 'v'), 0o2777);
    const paths = new Map([
      ['v', join(dir, 'v')],
      ['cm', join(dir, 'cm')],
    ]);
    const mounts = await containerMounts(
      pod,
      container([
        { name: 'v', mountPath: '/data', mountPropagation: 'HostToContainer' },
        { name: 'v', mountPath: 'rel', subPath: 'a/b', readOnly: true },
        { name: 'v', mountPath: '/x', subPathExpr: '$(POD)/y' },
        { name: 'cm', mountPath: '/cm' },
      ]),
      paths,
      new Map([['POD', 'p']]),
    );
    expect(mounts).toEqual([
      { hostPath: join(dir, 'v'), containerPath: '/data', readonly: false, propagation: 'HOST_TO_CONTAINER' },
      { hostPath: join(dir, 'v/a/b'), containerPath: '/rel', readonly: true, propagation: 'PRIVATE' },
      { hostPath: join(dir, 'v/p/y'), containerPath: '/x', readonly: false, propagation: 'PRIVATE' },
      { hostPath: join(dir, 'cm'), containerPath: '/cm', readonly: true, propagation: 'PRIVATE' },
    ]);
    // As open as the volume.
    expect((await stat(join(dir, 'v/a/b'))).mode).toBe(0o042777);
  });
  it('does not follow links out of the volume', async () => {
    await mkdir(join(dir, 'v'));
    await writeFile(join(dir, 'secret'), '');
    await symlink('..', join(dir, 'v/out'));
    const paths = new Map([['v', join(dir, 'v')]]);
    for (const subPath of ['out/secret', 'out/new', 'out']) {
      await expect(containerMounts(pod, container([{ name: 'v', mountPath: '/x', subPath }]), paths, new Map())).rejects.toThrow(
        'not within volume',
      );
    }
    await expect(
      containerMounts(pod, container([{ name: 'v', mountPath: '/x', subPathExpr: '$(NO)' }]), paths, new Map()),
    ).rejects.toThrow('missing value for "NO"');
  });
});
