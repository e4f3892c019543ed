import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from './support/cluster.ts';
import { ControlPlaneProcess, freePort } from './support/control-plane.ts';

/** The cluster's state as its operator sees it: saved, put back, checked, on a full disk, in etcd. */

const maps = '/api/v1/namespaces/default/configmaps';
const ended: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'k8ts-storage-'));
  ended.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function started(path: string, more: object = {}): Promise<ControlPlaneProcess> {
  const plane = await ControlPlaneProcess.create(path, more);
  ended.push(() => plane.end('SIGKILL'));
  await plane.start();
  return plane;
}

const put = async (plane: ControlPlaneProcess, name: string, data: object): Promise<number> =>
  (await plane.request('POST', maps, { metadata: { name }, data })).code;

const names = async (plane: ControlPlaneProcess): Promise<readonly string[]> =>
  (await plane.request('GET', maps)).json.items
    .map((o: { metadata: { name: string } }) => o.metadata.name)
    .filter((name: string) => name !== 'kube-root-ca.crt');

describe('the embedded store', () => {
  it('is saved while it is used, put back when it is stopped, and keeps what it replaces', async () => {
    const path = directory();
    const plane = await started(join(path, 'data'));
    const file = join(path, 'state.snapshot');
    expect(await put(plane, 'before', { a: '1' })).toBe(201);
    expect(plane.k8ts('store', 'snapshot', file)).toMatchObject({ code: 0 });
    expect(statSync(file).mode & 0o077).toBe(0);
    expect(await put(plane, 'after', { a: '1' })).toBe(201);
    expect(plane.k8ts('store', 'check').output).toMatch(/keys with \d+ bytes.*\n✓ whole/);
    expect(plane.k8ts('store', 'compact').output).toContain('Forgot the history before revision');
    expect(plane.k8ts('store', 'restore', file)).toMatchObject({
      code: 1,
      output: expect.stringContaining('The cluster is running. Stop it first'),
    });
    await plane.end('SIGTERM');

    writeFileSync(join(path, 'damaged'), 'no snapshot');
    const refused = plane.k8ts('store', 'restore', join(path, 'damaged'));
    expect(refused.output).toMatch(/This is not a whole snapshot/);
    expect(plane.k8ts('store', 'snapshot', join(path, 'nowhere', 'x')).output).toMatch(/could not be written/);
    await plane.start();
    expect(await names(plane)).toEqual(['after', 'before']);
    await plane.end('SIGTERM');

    expect(plane.k8ts('store', 'restore', file).output).toContain('Restored');
    expect(plane.k8ts('store', 'check').output).toContain('✓ whole');
    await plane.start();
    expect(await names(plane)).toEqual(['before']);
    await plane.end('SIGTERM');
    expect(readdirSync(plane.directory).filter((name) => name.startsWith('store'))).toHaveLength(2);
  });

  it('gets smaller by compaction when it is stopped', async () => {
    const plane = await started(join(directory(), 'data'));
    const value = { big: 'x'.repeat(200_000) };
    expect(await put(plane, 'one', value)).toBe(201);
    for (let i = 0; i < 30; i++) {
      await plane.request('PATCH', `${maps}/one`, { data: { ...value, i: String(i) } }, 'application/merge-patch+json');
    }
    await plane.end('SIGTERM');
    const file = join(plane.directory, 'store', 'data.mdb');
    const before = statSync(file).size;
    expect(plane.k8ts('store', 'compact')).toMatchObject({ code: 0 });
    expect(statSync(file).size).toBeLessThan(before / 3);
    expect(plane.k8ts('store', 'check').output).toContain(', 0 changes of history');
    await plane.start();
    expect((await plane.request('GET', `${maps}/one`)).json.data.i).toBe('29');
  });

  it.skipIf(!canMount())('answers with what is wrong on a full disk, loses nothing, and goes on when there is room', async () => {
    const path = directory();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', path]);
    ended.push(() => void execFileSync('umount', ['-l', path]));
    const ballast = join(path, 'ballast');
    writeFileSync(ballast, Buffer.alloc(8 * 1024 * 1024));
    const plane = await started(join(path, 'data'));
    const data = { big: 'x'.repeat(300_000) };
    const made: string[] = [];
    let refusal: { code: number; json: { message?: string } } | undefined;
    for (let i = 0; refusal === undefined && i < 200; i++) {
      const name = `m${String(i).padStart(3, '0')}`;
      const answer = await plane.request('POST', maps, { metadata: { name }, data });
      if (answer.code === 201) made.push(name);
      else refusal = answer;
    }
    expect(refusal).toMatchObject({ code: 500, json: { kind: 'Status', status: 'Failure' } });
    expect(refusal?.json.message).toMatch(/^the disk is full: nothing was written; make room/);
    // It goes on serving what it has.
    expect(await names(plane)).toEqual(made);
    expect((await plane.request('GET', '/livez')).code).toBe(200);
    rmSync(ballast);
    expect(await put(plane, 'z-later', data)).toBe(201);
    expect(plane.k8ts('store', 'check').output).toContain('✓ whole');
    await plane.end('SIGKILL');
    await plane.start();
    expect(await names(plane)).toEqual([...made, 'z-later']);
    await plane.end('SIGKILL');
  });
});

describe.skipIf(!existsSync('/usr/bin/etcd'))('etcd', () => {
  it('keeps the state of two clusters under two prefixes', async () => {
    const path = directory();
    const client = await etcdIn(path);
    const one = await started(join(path, 'one'), { etcd: { servers: [client], prefix: '/one' } });
    const two = await started(join(path, 'two'), { etcd: { servers: [client], prefix: '/two' } });
    expect(await put(one, 'mine', {})).toBe(201);
    expect(await names(one)).toEqual(['mine']);
    expect(await names(two)).toEqual([]);
    await one.end('SIGKILL');
    await one.start();
    expect(await names(one)).toEqual(['mine']);
    expect(existsSync(join(path, 'one', 'store'))).toBe(false);
    expect(one.k8ts('store', 'check').output).toContain('✓ whole');
    expect(one.k8ts('store', 'compact').output).toContain('Forgot the history');
    await one.end('SIGTERM');
    expect(one.k8ts('store', 'snapshot', join(path, 'etcd.snapshot'))).toMatchObject({ code: 0 });
    expect(one.k8ts('store', 'restore', join(path, 'etcd.snapshot')).output).toContain('etcdctl snapshot restore');
    const moved = one.k8ts('up', '--etcd-servers', client, '--etcd-prefix', '/three');
    expect(moved.output).toContain('keeps its state in etcd under /one; it does not move by itself');
  });

  it('is shared by two, one of which runs the controllers, and the other when that one is killed', async () => {
    const path = directory();
    const etcd = { servers: [await etcdIn(path)], prefix: '/registry' };
    const one = await started(join(path, 'one'), { etcd, disabled: ['node'], nodeName: 'one' });
    cpSync(join(path, 'one', 'pki'), join(path, 'two', 'pki'), { recursive: true });
    const two = await started(join(path, 'two'), { etcd, disabled: ['node'], nodeName: 'two' });
    const holder = async (): Promise<string> =>
      (await two.request('GET', '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-controller-manager')).json.spec
        ?.holderIdentity;
    await eventually('a leader', async () => /^one_/.test((await holder()) ?? ''));
    expect(two.k8ts('status').output).toMatch(/controllers +stands by: one_\S+ leads/);
    const replicaSets = '/apis/apps/v1/namespaces/default/replicasets';
    const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'x' }] } };
    const deploy = (plane: ControlPlaneProcess, name: string) =>
      plane.request('POST', '/apis/apps/v1/namespaces/default/deployments', {
        metadata: { name },
        spec: { selector: { matchLabels: { a: 'b' } }, template },
      });
    const made = async (): Promise<number> => (await two.request('GET', replicaSets)).json.items.length;
    expect((await deploy(two, 'first')).code).toBe(201);
    await eventually('its ReplicaSet', async () => (await made()) === 1);
    await one.end('SIGKILL');
    expect((await deploy(two, 'second')).code).toBe(201);
    await eventually('the other leads', async () => /^two_/.test((await holder()) ?? ''), 60_000);
    await eventually('the second ReplicaSet', async () => (await made()) === 2);
  });
});

/** Starts an etcd that ends with the test; its URL. */
async function etcdIn(path: string): Promise<string> {
  const client = `http://127.0.0.1:${await freePort()}`;
  const peer = `http://127.0.0.1:${await freePort()}`;
  const args = ['--data-dir', join(path, 'etcd'), '--listen-client-urls', client, '--advertise-client-urls', client];
  args.push('--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`);
  const etcd = spawn('/usr/bin/etcd', args, { stdio: 'ignore' });
  ended.push(async () => {
    const gone = new Promise((resolve) => etcd.once('exit', resolve));
    etcd.kill('SIGKILL');
    await gone;
  });
  await listening(client);
  return client;
}

async function listening(url: string): Promise<void> {
  for (;;) {
    const healthy = await fetch(`${url}/health`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (healthy) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function canMount(): boolean {
  return process.platform === 'linux' && process.getuid?.() === 0;
}
