import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Pod } from '../api/types/core-v1.ts';
import { nodes, pods } from '../client/resource-refs.ts';
import { whyNoContainers } from '../runtime/test-support.ts';
import { busybox, containerId, FOREVER, isReady, startTestKubeletNode, statusOf, type TestKubeletNode } from './test-support.ts';

const missing = whyNoContainers();
const hash = 'kubernetes.io/config.hash';
const isRunning = (pod: Pod): boolean => pod.status?.phase === 'Running' && isReady(pod);

describe.skipIf(missing !== undefined)(`static pods${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let node: TestKubeletNode;
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'k8ts-manifests-'));
    node = await startTestKubeletNode(36);
  }, 60_000);
  afterAll(async () => {
    await node?.cleanUp();
    await rm(dir, { recursive: true, force: true });
  }, 60_000);

  const manifest = (name: string, script = FOREVER, more: object = {}): string =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, labels: { by: 'file' } },
      spec: { terminationGracePeriodSeconds: 1, containers: [busybox('app', script)], ...more },
    });
  const put = async (file: string, text: string): Promise<void> => {
    await writeFile(join(dir, `.${file}`), text);
    await rename(join(dir, `.${file}`), join(dir, file));
  };

  it('run as their manifests say, with mirrors in the API that nobody can end them by', async () => {
    await put('first.json', manifest('first'));
    await node.start({ staticPodPath: dir });
    const first = `first-${node.name}`;
    const mirror = await node.running(first);
    const owner = await node.client.resource(nodes).get(node.name, '');
    const uid = mirror.metadata!.annotations![hash]!;
    expect(mirror.metadata).toMatchObject({
      labels: { by: 'file' },
      annotations: {
        'kubernetes.io/config.source': 'file',
        'kubernetes.io/config.mirror': uid,
        'kubernetes.io/config.seen': expect.stringMatching(/^20/),
      },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: node.name, uid: owner.metadata!.uid, controller: true }],
    });
    expect(mirror.metadata!.uid).not.toBe(uid);
    expect(mirror.spec!.tolerations).toContainEqual({ operator: 'Exists', effect: 'NoExecute' });
    expect(await node.exec(first, 'hostname')).toBe(first);
    // One that comes while the kubelet runs, as YAML.
    await put(
      'second.yaml',
      `apiVersion: v1\nkind: Pod\nmetadata:\n  name: second\nspec:\n  containers:\n  - ${JSON.stringify(busybox('app', FOREVER))}\n`,
    );
    await node.running(`second-${node.name}`);

    await node.delete(first);
    const anew = await node.until(first, (p) => p.metadata!.uid !== mirror.metadata!.uid && isRunning(p));
    await node.delete(first, 0);
    const again = await node.until(first, (p) => p.metadata!.uid !== anew.metadata!.uid && isRunning(p));
    expect([containerId(anew), containerId(again)]).toEqual([containerId(mirror), containerId(mirror)]);
    expect(again.metadata!.annotations![hash]).toBe(uid);
  });

  it('survive their kubelet', async () => {
    const first = `first-${node.name}`;
    const before = await node.running(first);
    await node.stop();
    await rm(join(dir, 'second.yaml'));
    await node.start({ staticPodPath: dir });
    // What is gone from the directory meanwhile is ended.
    await node.gone(`second-${node.name}`);
    await node.cleared(`second-${node.name}`);
    const after = await node.running(first);
    expect([after.metadata!.uid, containerId(after), statusOf(after)!.restartCount]).toEqual([
      before.metadata!.uid,
      containerId(before),
      0,
    ]);
  });

  it('are other pods when their manifest changes, and end with it', async () => {
    const first = `first-${node.name}`;
    const before = await node.running(first);
    await writeFile(join(dir, 'first.json'), '{"apiVersion": "v1", "kind": "Po');
    await put('first.json', manifest('first', `echo new >/tmp/new; ${FOREVER}`));
    const changed = await node.until(
      first,
      (p) => p.metadata!.annotations![hash] !== before.metadata!.annotations![hash] && isRunning(p),
    );
    expect(changed.metadata!.uid).not.toBe(before.metadata!.uid);
    expect(containerId(changed)).not.toBe(containerId(before));
    expect(await node.exec(first, 'cat /tmp/new')).toBe('new');
    await rm(join(dir, 'first.json'));
    await node.gone(first);
    await node.cleared(first);
  });

  it('that have done their work stay, and say so', async () => {
    await put('once.json', manifest('once', 'exit 3', { restartPolicy: 'Never' }));
    const once = `once-${node.name}`;
    expect((await node.ended(once)).status).toMatchObject({ phase: 'Failed', containerStatuses: [{ restartCount: 0 }] });
    await rm(join(dir, 'once.json'));
    await node.gone(once);
  });

  it('are made by files alone: a pod of the API cannot pass for one, nor a mirror of nothing stay', async () => {
    const forged = { [hash]: '../../../../forged', 'kubernetes.io/config.source': 'file' };
    const name = await node.create({ containers: [busybox('app', FOREVER)] }, { name: 'forged', annotations: forged });
    const pod = await node.running(name);
    const filter = { labelSelector: { 'io.kubernetes.pod.name': name } };
    expect((await node.runtime.listPodSandboxes(filter)).map((s) => s.metadata.uid)).toEqual([pod.metadata!.uid]);
    await node.client.resource(pods).create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'orphan', namespace: 'default', annotations: { 'kubernetes.io/config.mirror': 'x' } },
      spec: { nodeName: node.name, containers: [busybox('app', FOREVER)] },
    });
    await node.gone('orphan');
    await node.delete(name);
    await node.cleared(name);
  });
});
