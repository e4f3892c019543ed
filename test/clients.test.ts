import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import {
  AppsV1Api,
  Attach,
  CoordinationV1Api,
  CoreV1Api,
  Cp,
  CustomObjectsApi,
  Exec,
  KubeConfig,
  KubernetesObjectApi,
  Log,
  makeInformer,
  PatchStrategy,
  PortForward,
  setHeaderOptions,
  type V1Pod,
  type V1Status,
  Watch,
} from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, eventually } from './support/cluster.ts';
import { ControlPlaneProcess, freePort } from './support/control-plane.ts';
import { realClusterObstacle } from './support/machine.ts';

/** A client library that others wrote: JavaScript's official one. */

const BUSYBOX = 'k8ts.local/busybox:1.35';
const pod = (name: string, ...args: readonly string[]): V1Pod => ({
  metadata: { name, labels: { app: name } },
  spec: { containers: [{ name: 'main', image: BUSYBOX, args: [...args] }], terminationGracePeriodSeconds: 0 },
});
const as = (strategy: string) => setHeaderOptions('Content-Type', strategy);

/** What is written to it, as text. */
class Text extends Writable {
  text = '';
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

describe('the JavaScript client library with simulated nodes', () => {
  const directory = mkdtempSync(join(tmpdir(), 'k8ts-clients-'));
  const config = new KubeConfig();
  let plane: ControlPlaneProcess;
  let core: CoreV1Api;

  beforeAll(async () => {
    plane = await ControlPlaneProcess.create(directory, { disabled: ['scheduler'] });
    await plane.start();
    config.loadFromFile(join(directory, 'admin.conf'));
    core = config.makeApiClient(CoreV1Api);
  });
  afterAll(async () => {
    await plane.end('SIGTERM');
    rmSync(directory, { recursive: true, force: true });
  });

  it('pages through lists', async () => {
    for (let i = 0; i < 5; i++)
      await core.createNamespacedConfigMap({
        namespace: 'default',
        body: { metadata: { name: `page-${i}`, labels: { page: '' } } },
      });
    const names: string[] = [];
    for (let next: string | undefined = ''; next !== undefined; ) {
      const list = await core.listNamespacedConfigMap({
        namespace: 'default',
        labelSelector: 'page',
        limit: 2,
        ...(next === '' ? {} : { _continue: next }),
      });
      names.push(...list.items.map((item) => item.metadata?.name ?? ''));
      next = list.metadata?._continue || undefined;
    }
    expect(names).toEqual(['page-0', 'page-1', 'page-2', 'page-3', 'page-4']);
  });

  it('patches in each of the four ways, and reads what a refusal says', async () => {
    const at = { name: 'web', namespace: 'default' };
    const apps = config.makeApiClient(AppsV1Api);
    const labels = { app: 'web' };
    const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'nginx' }] } };
    await apps.createNamespacedDeployment({
      namespace: 'default',
      body: { metadata: { name: 'web' }, spec: { replicas: 0, selector: { matchLabels: labels }, template } },
    });
    const sidecar = { spec: { template: { spec: { containers: [{ name: 'sidecar', image: 'envoy' }] } } } };
    const merged = await apps.patchNamespacedDeployment({ ...at, body: sidecar }, as(PatchStrategy.StrategicMergePatch));
    expect(merged.spec?.template.spec?.containers.map((c) => c.name)).toEqual(['sidecar', 'main']);
    const replaced = await apps.patchNamespacedDeployment({ ...at, body: sidecar }, as(PatchStrategy.MergePatch));
    expect(replaced.spec?.template.spec?.containers.map((c) => c.name)).toEqual(['sidecar']);
    const operations = [{ op: 'replace', path: '/spec/replicas', value: 2 }];
    const scaled = await apps.patchNamespacedDeployment({ ...at, body: operations }, as(PatchStrategy.JsonPatch));
    expect(scaled.spec?.replicas).toBe(2);
    const wanted = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, spec: { replicas: 3 } };
    const apply = { ...at, body: wanted, fieldManager: 'clients' };
    await expect(apps.patchNamespacedDeployment(apply, as(PatchStrategy.ServerSideApply))).rejects.toMatchObject({ code: 409 });
    const forced = await apps.patchNamespacedDeployment({ ...apply, force: true }, as(PatchStrategy.ServerSideApply));
    expect(forced.spec?.replicas).toBe(3);
    expect(forced.metadata?.managedFields?.find((m) => m.manager === 'clients')?.operation).toBe('Apply');
    const refusal = await core.readNamespacedPod({ name: 'none', namespace: 'default' }).catch((err: { body: string }) => err);
    expect(JSON.parse((refusal as { body: string }).body)).toMatchObject({
      reason: 'NotFound',
      message: 'pods "none" not found',
    });
  });

  it('keeps an informer right through the end of its connection and of the server', async () => {
    const list = () => core.listNamespacedSecret({ namespace: 'default' });
    const informer = makeInformer(config, '/api/v1/namespaces/default/secrets', list);
    const told: string[] = [];
    for (const verb of ['add', 'update', 'delete'] as const)
      informer.on(verb, (secret) => told.push(`${verb} ${secret.metadata?.name}`));
    // The library gives up when a connection breaks; whoever uses it starts it again.
    informer.on('error', () => setTimeout(() => informer.start().catch(() => {}), 200));
    await informer.start();
    await core.createNamespacedSecret({ namespace: 'default', body: { metadata: { name: 'one' } } });
    await eventually('the addition', () => told.includes('add one'));
    await plane.end('SIGKILL');
    await plane.start();
    await core.patchNamespacedSecret(
      { name: 'one', namespace: 'default', body: { stringData: { a: 'b' } } },
      as(PatchStrategy.MergePatch),
    );
    await eventually('the change', () => told.includes('update one'));
    expect(informer.get('one', 'default')?.data).toEqual({ a: 'Yg==' });
    await core.deleteNamespacedSecret({ name: 'one', namespace: 'default' });
    await eventually('the deletion', () => told.includes('delete one'));
    expect(told).toEqual(['add one', 'update one', 'delete one']);
    await informer.stop();
  });

  it('stands in for the scheduler', async () => {
    const bound = new Set<string>();
    const watching = await new Watch(config).watch(
      '/api/v1/pods',
      { fieldSelector: 'spec.nodeName=', allowWatchBookmarks: true },
      (phase, seen: V1Pod) => {
        const name = seen.metadata?.name ?? '';
        if (phase !== 'ADDED' || bound.has(name)) return;
        bound.add(name);
        void core
          .listNode()
          .then(({ items }) =>
            core.createNamespacedPodBinding({
              name,
              namespace: seen.metadata?.namespace ?? '',
              body: { metadata: { name }, target: { apiVersion: 'v1', kind: 'Node', name: items[0]?.metadata?.name ?? '' } },
            }),
          )
          // The answer is a Status, which the library takes for a Binding.
          .catch(() => {});
      },
      () => {},
    );
    await core.createNamespacedPod({ namespace: 'default', body: pod('bound') });
    let phase: string | undefined;
    const poll = setInterval(
      () => void core.readNamespacedPod({ name: 'bound', namespace: 'default' }).then((p) => (phase = p.status?.phase)),
      50,
    );
    await eventually('the pod to run', () => phase === 'Running').finally(() => clearInterval(poll));
    watching.abort();
  });

  it('elects one leader of several', async () => {
    const leases = config.makeApiClient(CoordinationV1Api);
    const at = { name: 'leader', namespace: 'kube-system' };
    const free = await leases.createNamespacedLease({
      namespace: 'kube-system',
      body: { metadata: { name: 'leader' }, spec: {} },
    });
    const outcomes = await Promise.allSettled(
      ['a', 'b', 'c', 'd'].map((holderIdentity) =>
        leases.replaceNamespacedLease({ ...at, body: { ...free, spec: { holderIdentity, leaseDurationSeconds: 15 } } }),
      ),
    );
    expect(outcomes.filter((o) => o.status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 409 });
  });

  it('knows objects of types it was never told of', async () => {
    const objects = KubernetesObjectApi.makeApiClient(config);
    const versions = [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: 'object', x_kubernetes_preserve_unknown_fields: true } },
      },
    ];
    await objects.create({
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'gadgets.example.com' },
      spec: { group: 'example.com', scope: 'Namespaced', names: { plural: 'gadgets', kind: 'Gadget' }, versions },
    } as never);
    const custom = config.makeApiClient(CustomObjectsApi);
    const type = { group: 'example.com', version: 'v1', namespace: 'default', plural: 'gadgets' };
    let served = false;
    const ask = () =>
      custom.listNamespacedCustomObject(type).then(
        () => (served = true),
        () => {},
      );
    const poll = setInterval(() => void ask(), 20);
    await eventually('the type to be served', () => served).finally(() => clearInterval(poll));
    const gadget = {
      apiVersion: 'example.com/v1',
      kind: 'Gadget',
      metadata: { name: 'g', namespace: 'default' },
      spec: { size: 1 },
    };
    await objects.create(gadget as never);
    const patched = (await objects.patch(
      { ...gadget, spec: { color: 'red' } } as never,
      undefined,
      undefined,
      undefined,
      undefined,
      PatchStrategy.MergePatch,
    )) as { spec?: unknown };
    expect(patched.spec).toEqual({ size: 1, color: 'red' });
    await custom.patchNamespacedCustomObjectStatus(
      { ...type, name: 'g', body: [{ op: 'add', path: '/status', value: { ready: true } }] },
      as(PatchStrategy.JsonPatch),
    );
    expect(await custom.getNamespacedCustomObject({ ...type, name: 'g' })).toMatchObject({ status: { ready: true } });
    await objects.delete(gadget as never);
    expect(await custom.listNamespacedCustomObject(type)).toMatchObject({ kind: 'GadgetList', items: [] });
  });
});

const obstacle = realClusterObstacle();

describe.skipIf(obstacle !== '')('the JavaScript client library with a real node', () => {
  const subnet = '192.168.231';
  const at = ['default', 'shell', 'main'] as const;
  const config = new KubeConfig();
  const log = new Text();
  let cluster: Cluster;

  beforeAll(() => {
    cluster = new Cluster('clients', subnet);
    const up = cluster.k8ts('up', '--yes');
    expect(up.stderr + up.stdout).toContain('The cluster is up');
    config.loadFromString(readFileSync(cluster.kubeconfig, 'utf8').replace('127.0.0.1', `${subnet}.2`));
    const script = 'mkdir /www; echo hello > /www/index.html; httpd -p 8080 -h /www; while read line; do echo "got $line"; done';
    const body = pod('shell', 'sh', '-c', script);
    Object.assign(body.spec!.containers[0]!, { stdin: true });
    expect(cluster.pipe(JSON.stringify({ apiVersion: 'v1', kind: 'Pod', ...body }), 'apply', '-f', '-').code).toBe(0);
    cluster.kubectl('wait', '--for=condition=Ready', 'pod/shell', '--timeout=30s');
  });
  afterAll(() => cluster.remove());

  /** Runs a command in the pod; resolves with what it said and how it ended. */
  const run = async (command: string[], input?: Readable, tty = false) => {
    const out = new Text();
    const err = new Text();
    const status = await new Promise<V1Status>((resolve, reject) => {
      new Exec(config).exec(...at, command, out, err, input ?? null, tty, resolve).catch(reject);
    });
    return { out: out.text, err: err.text, status };
  };

  it('runs commands', async () => {
    expect(await run(['sh', '-c', 'echo out; echo err >&2'])).toMatchObject({
      out: 'out\n',
      err: 'err\n',
      status: { status: 'Success' },
    });
    const { status } = await run(['sh', '-c', 'exit 7']);
    expect(status).toMatchObject({ status: 'Failure', reason: 'NonZeroExitCode' });
    expect(status.details?.causes).toEqual([{ reason: 'ExitCode', message: '7' }]);
    expect((await run(['wc', '-c'], Readable.from([Buffer.alloc(300_000)]))).out).toBe('300000\n');
    expect((await run(['sh', '-c', 'test -t 1 && echo terminal'], new PassThrough(), true)).out).toBe('terminal\r\n');
  });

  it('attaches to what runs, and follows its log', async () => {
    await new Log(config).log(...at, log, { follow: true });
    const out = new Text();
    const input = new PassThrough();
    const socket = await new Attach(config).attach(...at, out, new Text(), input, false);
    input.write('ping\n');
    await eventually('the echo', () => out.text === 'got ping\n');
    await eventually('the log', () => log.text === 'got ping\n');
    socket.close();
  });

  it('copies files in and out', async () => {
    const directory = mkdtempSync(join(cluster.machine.directory, 'copy-'));
    const sent = Array.from({ length: 20_000 }, (_, i) => i).join('\n');
    writeFileSync(join(directory, 'sent.txt'), sent);
    const copy = new Cp(config);
    // The library's promises end when the copy begins.
    await copy.cpToPod(...at, directory, '/www');
    expect((await run(['sh', '-c', `until [ "$(wc -c < /www/sent.txt)" = ${sent.length} ]; do :; done`])).status.status).toBe(
      'Success',
    );
    await copy.cpFromPod(...at, 'www', join(directory, 'back'), '/');
    await eventually('the copy', () => readFileSync(join(directory, 'back/www/sent.txt'), 'utf8') === sent);
  });

  it('forwards ports', async () => {
    const forward = new PortForward(config);
    const port = await freePort();
    const server: Server = createServer((socket) => void forward.portForward('default', 'shell', [8080], socket, null, socket));
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const body = await new Promise<string>((resolve, reject) => {
      get({ host: '127.0.0.1', port, path: '/', agent: false }, (answer) => {
        let text = '';
        answer.on('data', (chunk) => (text += String(chunk)));
        answer.on('end', () => resolve(text));
      }).on('error', reject);
    });
    expect(body).toBe('hello\n');
    server.close();
  });

  it('sees the log end with the container', async () => {
    cluster.kubectl('delete', 'pod', 'shell');
    await eventually('the end', () => log.writableFinished);
    expect(log.text).toBe('got ping\n');
  });
});
