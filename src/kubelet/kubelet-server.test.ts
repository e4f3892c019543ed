import { execFile, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { type RequestOptions, request } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { ClusterRole, ClusterRoleBinding } from '../api/types/rbac-v1.ts';
import type { ResourceRef } from '../client/contract.ts';
import { issueCertificate, type KeyPair } from '../cluster/pki.ts';
import { whyNoContainers } from '../runtime/test-support.ts';
import { systemClock } from '../util/clock.ts';
import { busybox, FOREVER, startTestKubeletNode, statusOf, type TestKubeletNode } from './test-support.ts';

const run = promisify(execFile);
const missing = whyNoContainers();
const kubectls = ['/usr/lib/google-cloud-sdk/bin/kubectl.1.33', '/opt/kubectl-1.20/usr/bin/kubectl'].filter((path) => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
});

/** On a busy machine containerd 1.6 now and then gives a command no input at all: its shim opens the pipe too late. */
const STDIN = { retry: 3 };

const clusterRoles: ResourceRef<ClusterRole> = {
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  kind: 'ClusterRole',
  plural: 'clusterroles',
  namespaced: false,
};
const clusterRoleBindings: ResourceRef<ClusterRoleBinding> = {
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  namespaced: false,
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
};

describe.skipIf(missing !== undefined)(`the kubelet's server${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let node: TestKubeletNode;
  let port: number;
  let admin: KeyPair;
  let kubeconfig: string;
  let name: string;
  beforeAll(async () => {
    node = await startTestKubeletNode(26);
    const { pki, server } = node.api;
    const serving = await issueCertificate(
      pki.ca,
      { commonName: `system:node:${node.name}`, organizations: ['system:nodes'], names: ['127.0.0.1'], usage: 'server' },
      systemClock,
    );
    admin = pki.apiserverKubeletClient;
    const kubelet = await node.start({
      nodeIp: '127.0.0.1',
      server: { ...serving, port: 0, address: '127.0.0.1', clientCa: pki.ca.cert },
    });
    port = await kubelet.listening;
    const listener = await server.listen({ port: 0, host: '127.0.0.1', tls: { ...pki.apiserver, clientCa: pki.ca.cert } });
    kubeconfig = join(node.dir, 'kubeconfig');
    const base64 = (pem: string): string => Buffer.from(pem).toString('base64');
    await writeFile(
      kubeconfig,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [
          {
            name: 'k',
            cluster: { server: `https://127.0.0.1:${listener.address.port}`, 'certificate-authority-data': base64(pki.ca.cert) },
          },
        ],
        users: [
          { name: 'k', user: { 'client-certificate-data': base64(pki.admin.cert), 'client-key-data': base64(pki.admin.key) } },
        ],
        contexts: [{ name: 'k', context: { cluster: 'k', user: 'k' } }],
        'current-context': 'k',
      }),
    );
    name = await node.create({
      containers: [
        busybox(
          'app',
          `echo first; echo second; while true; do echo -e "HTTP/1.0 200 OK\\r\\n\\r\\nhello" | nc -l -p 8080; done`,
        ),
        busybox('talker', 'while read line; do echo "you said $line"; done', { stdin: true, tty: false }),
      ],
    });
    await node.running(name);
  }, 60_000);
  afterAll(async () => {
    await node?.cleanUp();
  }, 60_000);

  interface Answer {
    readonly code: number;
    readonly body: string;
    readonly type: string;
  }
  async function get(path: string, more: RequestOptions = { ...admin }): Promise<Answer> {
    const res = await new Promise<IncomingMessage>((resolve, reject) => {
      const req = request({ host: '127.0.0.1', port, path, ca: node.api.pki.ca.cert, agent: false, ...more }, resolve);
      req.on('error', reject);
      req.end();
    });
    return { code: res.statusCode ?? 0, body: await text(res), type: res.headers['content-type'] ?? '' };
  }

  it('tells of pods, settings, health and use', async () => {
    expect(await get('/healthz')).toMatchObject({ code: 200, body: 'ok' });
    const pods = JSON.parse((await get('/pods')).body) as { items: { metadata: { name: string }; status: { phase: string } }[] };
    expect(pods.items.map((p) => [p.metadata.name, p.status.phase])).toEqual([[name, 'Running']]);
    expect((JSON.parse((await get('/runningpods/')).body) as { items: unknown[] }).items).toHaveLength(1);
    expect(JSON.parse((await get('/configz')).body)).toMatchObject({
      kubeletconfig: {
        kind: 'KubeletConfiguration',
        clusterDomain: 'cluster.local',
        containerLogMaxSize: '10Mi',
        evictionPressureTransitionPeriod: '5m0s',
        evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '10%', 'imagefs.available': '15%' },
      },
    });
    const summary = JSON.parse((await get('/stats/summary')).body) as {
      node: { nodeName: string; cpu: object; memory: { workingSetBytes: number }; fs: { capacityBytes: number } };
      pods: {
        podRef: { name: string };
        containers: { name: string; memory: { workingSetBytes: number } }[];
        network?: { rxBytes: number };
      }[];
    };
    expect(summary.node).toMatchObject({ nodeName: node.name });
    expect(summary.node.memory.workingSetBytes).toBeGreaterThan(0);
    const pod = summary.pods.find((p) => p.podRef.name === name)!;
    expect(pod.containers.map((c) => c.name).sort()).toEqual(['app', 'talker']);
    expect(pod.containers[0]!.memory.workingSetBytes).toBeGreaterThan(0);
    expect(pod.network?.rxBytes).toBeGreaterThanOrEqual(0);
    const resource = await get('/metrics/resource');
    expect(resource.type).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(resource.body).toMatch(
      new RegExp(`container_memory_working_set_bytes\\{container="app",namespace="default",pod="${name}"\\} \\d+`),
    );
    expect(resource.body).toContain('# TYPE node_cpu_usage_seconds_total counter');
    expect((await get('/metrics/cadvisor')).body).toContain('container_cpu_usage_seconds_total{');
    const metrics = (await get('/metrics')).body;
    expect(metrics).toMatch(/kubelet_running_pods 1\n/);
    expect(metrics).toMatch(/kubelet_runtime_operations_total{operation_type="run_podsandbox"} 1\n/);
    expect(metrics).toMatch(/kubelet_started_containers_total{container_type="container"} 2\n/);
    expect(metrics).toMatch(/kubelet_pod_start_duration_seconds_count 1\n/);
    expect((await get('/metrics/probes')).code).toBe(200);
    expect((await get('/nothing')).code).toBe(404);
  });

  it('lets in whom the API server knows and allows, and no one else', async () => {
    const { client, pki } = node.api;
    expect(await get('/pods', {})).toMatchObject({ code: 401, body: 'Unauthorized\n' });
    expect(await get('/pods', { headers: { authorization: 'Bearer nonsense' } })).toMatchObject({ code: 401 });
    const bearer = async (): Promise<RequestOptions> => {
      const { status } = await client
        .resource({ group: '', version: 'v1', kind: 'ServiceAccount', plural: 'serviceaccounts', namespaced: true })
        .subresource<{
          status?: { token: string };
          metadata: object;
        }>('create', 'default', 'default', 'token', {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenRequest',
          metadata: {},
          spec: { expirationSeconds: 3600 },
        } as object);
      return { headers: { authorization: `Bearer ${status!.token}` } };
    };
    const token = await bearer();
    expect(await get('/pods', token)).toMatchObject({
      code: 403,
      body: 'Forbidden (user=system:serviceaccount:default:default, verb=get, resource=nodes, subresource(s)=[pods proxy])\n',
    });
    await client.resource(clusterRoles).create({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'reads-pods' },
      rules: [{ apiGroups: [''], resources: ['nodes/pods', 'nodes/stats'], verbs: ['get'] }],
    });
    await client.resource(clusterRoleBindings).create({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'reads-pods' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reads-pods' },
      subjects: [{ kind: 'Group', name: 'readers', apiGroup: 'rbac.authorization.k8s.io' }],
    });
    const reader = await issueCertificate(pki.ca, { commonName: 'jo', organizations: ['readers'], usage: 'client' }, systemClock);
    expect((await get('/pods', { ...reader })).code).toBe(200);
    expect((await get('/stats/summary', { ...reader })).code).toBe(200);
    for (const [path, subresources] of [
      ['/metrics', 'metrics'],
      ['/logs/', 'log'],
      ['/configz', 'configz proxy'],
      ['/healthz', 'healthz proxy'],
      [`/containerLogs/default/${name}/app`, 'proxy'],
    ]) {
      expect(await get(path!, { ...reader })).toMatchObject({
        code: 403,
        body: `Forbidden (user=jo, verb=get, resource=nodes, subresource(s)=[${subresources}])\n`,
      });
    }
    const stranger = await issueCertificate(
      await (await import('../cluster/pki.ts')).createAuthority('other', systemClock),
      { commonName: 'admin', organizations: ['system:masters'], usage: 'client' },
      systemClock,
    );
    expect((await get('/pods', { ...stranger })).code).toBe(401);
  });

  it('gives logs: all, the end, of a time, with times', async () => {
    const logs = (query = '') => get(`/containerLogs/default/${name}/app${query}`);
    expect(await logs()).toMatchObject({ code: 200, body: expect.stringMatching(/^first\nsecond\n/) as string });
    expect((await logs('?limitBytes=5')).body).toBe('first');
    expect((await logs('?timestamps=true')).body).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z first\n/);
    expect((await logs('?tailLines=0')).body).toBe('');
    expect(await get(`/containerLogs/default/${name}/none`)).toMatchObject({ code: 404 });
    expect(await get(`/containerLogs/default/none/app`)).toMatchObject({ code: 404 });
    expect(await logs('?previous=true')).toMatchObject({
      code: 400,
      body: `previous terminated container "app" in pod "${name}" not found\n`,
    });
  });

  it('speaks the first WebSocket protocol, which tells of failures in words and not of success', async () => {
    const said = async (...words: readonly string[]): Promise<readonly string[]> => {
      const query = new URLSearchParams([['output', '1'], ...words.map((w) => ['command', w])]);
      const socket = new WebSocket(`wss://127.0.0.1:${port}/exec/default/${name}/app?${query}`, ['channel.k8s.io'], {
        ca: node.api.pki.ca.cert,
        ...admin,
      });
      const messages: string[] = [];
      socket.on('message', (data: Buffer) => messages.push(`${data[0]}:${data.subarray(1).toString()}`));
      await new Promise<void>((resolve, reject) => {
        socket.on('error', reject);
        socket.on('close', () => resolve());
      });
      return messages;
    };
    expect(await said('echo', 'hello')).toEqual(['1:hello\n']);
    expect(await said('false')).toEqual([expect.stringMatching(/^3:command terminated with .*exit code/)]);
  });

  describe.each(['v5.channel.k8s.io', 'v4.channel.k8s.io'])('over WebSocket %s', (protocol) => {
    /** Runs a remote command; `input` goes in, and its end is told where the protocol can. */
    async function command(
      path: string,
      input?: string,
    ): Promise<{ readonly out: string; readonly err: string; readonly status: object }> {
      const socket = new WebSocket(`wss://127.0.0.1:${port}${path}`, [protocol], { ca: node.api.pki.ca.cert, ...admin });
      const got: Record<number, string> = {};
      socket.on('message', (data: Buffer) => {
        got[data[0]!] = (got[data[0]!] ?? '') + data.subarray(1).toString();
      });
      await new Promise<void>((resolve, reject) => {
        socket.on('error', reject);
        socket.on('open', () => {
          if (input !== undefined) socket.send(Buffer.concat([Buffer.from([0]), Buffer.from(input)]));
          if (input !== undefined && protocol.startsWith('v5')) socket.send(Buffer.from([255, 0]));
        });
        socket.on('close', () => resolve());
      });
      return { out: got[1] ?? '', err: got[2] ?? '', status: JSON.parse(got[3] ?? '{}') as object };
    }

    it('runs commands', async () => {
      const query = new URLSearchParams([
        ['output', '1'],
        ['error', '1'],
        ...['sh', '-c', 'echo out; echo err >&2; exit 3'].map((w) => ['command', w]),
      ]);
      expect(await command(`/exec/default/${name}/app?${query}`)).toMatchObject({
        out: 'out\n',
        err: 'err\n',
        status: {
          status: 'Failure',
          reason: 'NonZeroExitCode',
          details: { causes: [{ reason: 'ExitCode', message: '3' }] },
        },
      });
    });

    it('gives them their input', STDIN, async () => {
      const script = protocol.startsWith('v5') ? 'cat' : 'head -c 6';
      const query = new URLSearchParams([['input', '1'], ['output', '1'], ...['sh', '-c', script].map((w) => ['command', w])]);
      expect(await command(`/exec/default/${name}/app?${query}`, 'hello\n')).toMatchObject({
        out: 'hello\n',
        status: { status: 'Success' },
      });
    });
  });

  describe.each(kubectls)('with %s', (program) => {
    const kubectl = (...args: readonly string[]) => run(program, ['--kubeconfig', kubeconfig, ...args], { timeout: 15_000 });

    it('shows logs, and follows them', async () => {
      expect((await kubectl('logs', name, '-c', 'app', '--tail=2')).stdout).toMatch(/first\nsecond|GET|second/);
      const follower = await node.run('echo one; while [ ! -f /tmp/go ]; do sleep 0.05; done; sleep 0.5; echo two', {
        pod: { restartPolicy: 'Never' },
      });
      await node.running(follower);
      const following = kubectl('logs', '-f', follower);
      await node.exec(follower, 'touch /tmp/go');
      expect((await following).stdout).toBe('one\ntwo\n');
      await node.delete(follower);
    });

    it('runs commands: output, input to its end, exit codes', STDIN, async () => {
      expect((await kubectl('exec', name, '-c', 'app', '--', 'echo', 'hi')).stdout).toBe('hi\n');
      await expect(kubectl('exec', name, '-c', 'app', '--', 'sh', '-c', 'echo oops >&2; exit 7')).rejects.toMatchObject({
        code: 7,
        stderr: expect.stringContaining('oops') as string,
      });
      const long = 'a'.repeat(20_000);
      expect((await kubectl('exec', name, '-c', 'app', '--', 'echo', long)).stdout).toBe(`${long}\n`);
      const cat = spawn(program, ['--kubeconfig', kubeconfig, 'exec', '-i', name, '-c', 'app', '--', 'cat']);
      const input = 'x'.repeat(200_000);
      cat.stdin.end(input);
      expect(await text(cat.stdout)).toBe(input);
    });

    it('runs commands in a terminal of its size', async () => {
      // script(1) gives kubectl a terminal.
      const inside = `stty rows 33 cols 120; exec ${program} --kubeconfig ${kubeconfig} exec -it ${name} -c app -- sh -c 'until [ -n "$size" ]; do size=$(stty size 2>/dev/null); done; echo $size'`;
      const { stdout } = await run('script', ['-qec', inside, '/dev/null'], { timeout: 15_000 });
      expect(stdout).toContain('33 120');
    });

    it('attaches', STDIN, async () => {
      const attached = spawn(program, ['--kubeconfig', kubeconfig, 'attach', '-i', name, '-c', 'talker']);
      let got = '';
      await new Promise<void>((resolve) => {
        attached.stdout.on('data', (chunk: Buffer) => {
          got += chunk.toString();
          if (got.includes('you said hello')) resolve();
        });
        attached.stdin.write('hello\n');
      });
      attached.kill();
    });

    it('forwards ports', async () => {
      const forward = spawn(program, ['--kubeconfig', kubeconfig, 'port-forward', name, ':8080']);
      const local = await new Promise<number>((resolve) => {
        let out = '';
        forward.stdout.on('data', (chunk: Buffer) => {
          out += chunk.toString();
          const found = /127\.0\.0\.1:(\d+) ->/.exec(out);
          if (found !== null) resolve(Number(found[1]));
        });
      });
      let answer = '';
      while (!answer.includes('hello')) {
        const socket = connect(local, '127.0.0.1');
        socket.write('GET / HTTP/1.0\r\n\r\n');
        answer = await text(socket).catch(() => '');
      }
      forward.kill();
    });

    it('copies a file into a pod', STDIN, async () => {
      const from = join(node.dir, 'copied');
      await writeFile(from, 'to be copied');
      // tar is not in the image: the same way by hand.
      const put = spawn(program, [
        '--kubeconfig',
        kubeconfig,
        'exec',
        '-i',
        name,
        '-c',
        'app',
        '--',
        'sh',
        '-c',
        'cat > /tmp/copied',
      ]);
      put.stdin.end('to be copied');
      await new Promise((resolve) => put.on('close', resolve));
      expect(await node.exec(name, 'cat /tmp/copied')).toBe('to be copied');
    });
  });

  it('shows the logs of containers that are gone, or not there yet', async () => {
    const again = await node.run('echo life $(cat /v/n | wc -c); echo x >> /v/n; [ $(cat /v/n | wc -c) -gt 2 ] && sleep 1000', {
      container: { volumeMounts: [{ name: 'v', mountPath: '/v' }] },
      pod: { volumes: [{ name: 'v', emptyDir: {} }] },
    });
    await node.until(again, (p) => statusOf(p)?.restartCount === 1 && statusOf(p)?.ready === true);
    expect((await get(`/containerLogs/default/${again}/app?previous=true`)).body).toContain('life 0');
    expect((await get(`/containerLogs/default/${again}/app`)).body).toContain('life 2');
    await node.delete(again);
    const waiting = await node.run(FOREVER, { container: { image: 'k8ts.local/none:1', imagePullPolicy: 'Never' } });
    await node.until(waiting, (p) => statusOf(p)?.state?.waiting?.reason === 'ErrImageNeverPull');
    expect(await get(`/containerLogs/default/${waiting}/app`)).toMatchObject({
      code: 400,
      body: `container "app" in pod "${waiting}" is waiting to start: ErrImageNeverPull\n`,
    });
    await node.delete(waiting);
  });
});
