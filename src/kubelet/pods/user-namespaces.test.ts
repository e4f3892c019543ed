import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Pod } from '../../api/types/core-v1.ts';
import { containerConfig, sandboxConfig } from '../containers/container-config.ts';
import { UserNamespaces, userNamespaceObstacle } from './user-namespaces.ts';

const pod = (uid: string, hostUsers?: boolean): Pod => ({
  metadata: { name: uid, namespace: 'default', uid },
  spec: { containers: [{ name: 'app', image: 'i' }], ...(hostUsers === undefined ? {} : { hostUsers }) },
});

describe('user namespaces', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'k8ts-userns-'));
    await mkdir(join(dir, 'pods'));
  });
  afterAll(() => rm(dir, { recursive: true }));

  it('give each pod ids that no other has, and remember whose they are', async () => {
    const namespaces = new UserNamespaces(dir);
    expect(await namespaces.of(pod('a'))).toBeUndefined();
    expect(await namespaces.of(pod('a', true))).toBeUndefined();
    expect(await namespaces.of(pod('a', false))).toEqual({ hostId: 65_536, containerId: 0, length: 65_536 });
    expect((await namespaces.of(pod('b', false)))?.hostId).toBe(131_072);
    expect((await namespaces.of(pod('a', false)))?.hostId).toBe(65_536);
    const later = new UserNamespaces(dir);
    await later.load();
    expect((await later.of(pod('c', false)))?.hostId).toBe(196_608);
    expect((await later.of(pod('b', false)))?.hostId).toBe(131_072);
    later.release('a');
    expect((await later.of(pod('d', false)))?.hostId).toBe(65_536);
  });

  it('are refused where the runtime has none', () => {
    const handlers = [
      { name: '', features: { recursiveReadOnlyMounts: true, userNamespaces: true } },
      { name: 'old', features: { recursiveReadOnlyMounts: false, userNamespaces: false } },
    ];
    expect(userNamespaceObstacle(pod('a'), undefined, undefined)).toBeUndefined();
    expect(userNamespaceObstacle(pod('a', false), handlers, undefined)).toBeUndefined();
    expect(userNamespaceObstacle(pod('a', false), handlers, 'old')).toBe(
      'can\'t set `spec.hostUsers: false`, RuntimeClass handler "old" does not support user namespaces',
    );
    expect(userNamespaceObstacle(pod('a', false), undefined, '')).toBe(
      "can't set `spec.hostUsers: false`, runtime does not support user namespaces",
    );
  });

  it('are asked of the runtime for sandbox, containers and what these mount', () => {
    const userNamespace = { hostId: 65_536, containerId: 0, length: 65_536 };
    const usernsOptions = { mode: 'POD', uids: [userNamespace], gids: [userNamespace] };
    const p = pod('a', false);
    const sandbox = sandboxConfig(p, {
      attempt: 0,
      hostname: 'a',
      dns: { servers: [], searches: [], options: [] },
      logDir: '/l',
      cgroupParent: '',
      seccompRoot: '/s',
      userNamespace,
    });
    expect(sandbox.linux.securityContext.namespaceOptions).toMatchObject({ usernsOptions });
    const config = containerConfig(p, p.spec!.containers[0]!, {
      restartCount: 0,
      env: new Map(),
      mounts: [{ hostPath: '/h', containerPath: '/c', readonly: false }],
      imageRef: 'i',
      image: undefined,
      memoryCapacity: 1,
      seccompRoot: '/s',
      volumeGroups: [],
      userNamespace,
    });
    expect(config.linux.securityContext.namespaceOptions).toMatchObject({ usernsOptions });
    expect(config.mounts).toEqual([
      { hostPath: '/h', containerPath: '/c', readonly: false, uidMappings: [userNamespace], gidMappings: [userNamespace] },
    ]);
  });
});
