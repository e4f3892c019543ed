import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Container, PersistentVolume, Pod } from '../../api/types/core-v1.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { containerDevices } from './container-devices.ts';
import { LocalVolumes } from './local-volume.ts';
import type { MountPoint } from './mount-table.ts';
import { type Mounter, plainMounter } from './mounter.ts';

let dir = '';
let table: MountPoint[] = [];
let said: string[] = [];
beforeEach(async () => {
  dir = await realpath(await mkdtemp(join(tmpdir(), 'k8ts-local-')));
  table = [{ device: '8:1', root: '/', point: '/' }];
  said = [];
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** A mount table as the kernel would keep it, without mounting. */
const mounter: Mounter = {
  ...plainMounter,
  table: async () => table,
  async bind(source, point, options) {
    said.push(`bind ${options.join(',')}`);
    const on = table.findLast((m) => m.point !== '/' && m.point === source);
    table = [...table, on === undefined ? { device: '8:1', root: source, point } : { ...on, point }];
    return point;
  },
  async mountDevice(device, point, fsType, options) {
    said.push(`device ${device} ${fsType} ${options.join(',')}`);
    table = [...table, { device: '7:0', root: '/', point }];
  },
  async unmount(point) {
    table = table.filter((m) => m.point !== point);
  },
};
const podOf = (uid: string, fsGroup?: number): Pod =>
  deepFreeze({
    metadata: { name: uid, namespace: 'ns', uid },
    spec: { containers: [], ...(fsGroup === undefined ? {} : { securityContext: { fsGroup } }) },
  });
const volumeAt = (path: string, more: object = {}): PersistentVolume =>
  deepFreeze({ metadata: { name: 'pv' }, spec: { local: { path }, ...more } });
const how = { readOnly: false, warn: (reason: string, message: string) => void said.push(`${reason}: ${message}`) };
const podDir = (uid: string): string => join(dir, 'pods', uid, 'volumes/kubernetes.io~local-volume/pv');

it('gives each pod a mount of its own, once', async () => {
  await mkdir(join(dir, 'data'));
  await symlink('data', join(dir, 'link'));
  const volumes = new LocalVolumes(dir, mounter);
  const volume = volumeAt(join(dir, 'link'), { mountOptions: ['noatime'] });
  expect(await volumes.mount(volume, podOf('a'), how)).toBe(podDir('a'));
  expect(await volumes.mount(volume, podOf('a'), how)).toBe(podDir('a'));
  expect(await volumes.mount(volume, podOf('b'), { ...how, readOnly: true })).toBe(podDir('b'));
  expect(said).toEqual(['bind noatime', 'bind noatime,ro']);
  expect(table.slice(1).map((m) => m.root)).toEqual([join(dir, 'data'), join(dir, 'data')]);
});

it('belongs to the group of the first pod that has it', async () => {
  await mkdir(join(dir, 'data'));
  const mine = process.getgid!();
  const volumes = new LocalVolumes(dir, mounter);
  const volume = volumeAt(join(dir, 'data'));
  await volumes.mount(volume, podOf('a', mine), how);
  await volumes.mount(volume, podOf('b', mine), how);
  expect(said).toEqual(['bind ', 'bind ']);
  await volumes.mount(volume, podOf('c', mine + 1), how);
  expect(said.slice(2)).toEqual([
    `AlreadyMountedVolume: The requested fsGroup is ${mine + 1}, but the volume pv has GID ${mine}. The volume may not be shareable.`,
    'bind ',
  ]);
});

it('refuses what is neither directory nor device', async () => {
  await writeFile(join(dir, 'file'), '');
  const volumes = new LocalVolumes(dir, mounter);
  await expect(volumes.mount(volumeAt(join(dir, 'file')), podOf('a'), how)).rejects.toThrow(
    'only directory and block device are supported',
  );
  await expect(volumes.mount(volumeAt(join(dir, 'no')), podOf('a'), how)).rejects.toThrow(
    `path "${join(dir, 'no')}" does not exist`,
  );
  await mkdir(join(dir, 'data'));
  await expect(volumes.device(volumeAt(join(dir, 'data')))).rejects.toThrow('is not a block device');
});

it('mounts a device once for all pods, and lets it go after the last', async ({ skip }) => {
  const device = await realpath('/dev/loop0').catch(() => skip('this machine has no block device to look at'));
  const global = join(dir, 'plugins/kubernetes.io/local-volume/mounts/pv');
  const volumes = new LocalVolumes(dir, mounter);
  const volume = deepFreeze({ metadata: { name: 'pv' }, spec: { local: { path: device, fsType: '' } } });
  await Promise.all([volumes.mount(volume, podOf('a'), how), volumes.mount(volume, podOf('b'), how)]);
  expect(said).toEqual([`device ${device} ext4 `, 'bind ', 'bind ']);
  await mounter.unmount(podDir('a'));
  await volumes.release();
  expect(table.some((m) => m.point === global)).toBe(true);
  await mounter.unmount(podDir('b'));
  await volumes.release();
  expect(table).toHaveLength(1);
  expect(await volumes.device(volume)).toBe(device);
});

it('passes devices into containers', () => {
  const pod: Pod = deepFreeze({
    metadata: { name: 'p', namespace: 'ns', uid: 'u' },
    spec: {
      containers: [],
      volumes: [
        { name: 'raw', persistentVolumeClaim: { claimName: 'c' } },
        { name: 'kept', persistentVolumeClaim: { claimName: 'd', readOnly: true } },
      ],
    },
  });
  const container = (...names: string[]): Container => ({
    name: 'c',
    image: 'i',
    volumeDevices: names.map((name) => ({ name, devicePath: `/dev/${name}` })),
  });
  const paths = new Map([
    ['raw', '/dev/loop0'],
    ['kept', '/dev/loop1'],
  ]);
  expect(containerDevices(pod, container('raw', 'kept'), paths)).toEqual([
    { hostPath: '/dev/loop0', containerPath: '/dev/raw', permissions: 'mrw' },
    { hostPath: '/dev/loop1', containerPath: '/dev/kept', permissions: 'r' },
  ]);
  expect(() => containerDevices(pod, container('gone'), paths)).toThrow('cannot find volume "gone" to pass into container "c"');
});
