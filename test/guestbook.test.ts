import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, eventually } from './support/cluster.ts';
import { kubectls, realClusterObstacle, root } from './support/machine.ts';

/** What a new user does with a new cluster, from the first `up` to the last `delete`, with real containers. The steps build on one another. */

const obstacle = realClusterObstacle();
if (obstacle !== '') console.log(`whole-cluster tests skip: ${obstacle}`);

interface ContainerStatus {
  readonly containerID: string;
  readonly restartCount: number;
}
interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string; readonly resourceVersion: string };
  readonly spec: { readonly nodeName: string };
  readonly status: { readonly phase: string; readonly podIP: string; readonly containerStatuses: readonly ContainerStatus[] };
}
interface List<T> {
  readonly items: readonly T[];
}

describe.skipIf(obstacle !== '')('the guestbook', () => {
  let cluster: Cluster;
  const example = join(root, 'examples', 'guestbook.yaml');
  const webPods = (): readonly Pod[] => cluster.json<List<Pod>>('get', 'pods', '-l', 'app=web').items;
  const rolledOut = (): string => cluster.kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');

  beforeAll(() => {
    cluster = new Cluster('guestbook', '192.168.231');
  });
  afterAll(() => cluster.remove());

  it('comes up, shows its steps, and ends with what to type next', () => {
    const up = cluster.k8ts('up', '--yes');
    expect(up.stderr + up.stdout).toMatch(/The cluster is up \(/);
    expect(up.code).toBe(0);
    expect(up.stdout).toMatch(/kubectl.* get nodes/);
    expect(up.stdout).toContain('context k8ts');
  });

  it('changes nothing when it is started again', () => {
    const pid = cluster.pid();
    const again = cluster.k8ts('up');
    expect(again).toMatchObject({ code: 0 });
    expect(again.stdout).toContain('nothing was changed');
    expect(cluster.pid()).toBe(pid);
  });

  it('has a ready node and healthy components', () => {
    expect(cluster.kubectl('get', 'nodes')).toMatch(/ Ready /);
    const status = cluster.k8ts('status');
    expect(status.stdout).not.toContain('✗');
    expect(status.code).toBe(0);
  });

  it('runs the example', () => {
    cluster.kubectl('apply', '-f', example);
    expect(rolledOut()).toContain('successfully rolled out');
    const pods = webPods();
    expect(pods).toHaveLength(3);
    expect(pods.every((p) => p.status.phase === 'Running')).toBe(true);
    expect(cluster.kubectl('get', 'pods', '-o', 'wide')).toMatch(/web-\S+\s+1\/1\s+Running\s+0\s+\S+\s+10\.244\.0\.\d+/);
  });

  it('answers on the node port, spread over the pods', async () => {
    await eventually('the node port', () => cluster.curl('http://127.0.0.1:30080/').code === 0);
    const seen = new Set<string>();
    for (let i = 0; i < 40; i++) {
      const page = cluster.curl(i % 2 === 0 ? 'http://127.0.0.1:30080/' : 'http://192.168.231.2:30080/').stdout;
      expect(page).toContain('Hello from k8ts');
      expect(page).toContain('signed: the k8ts guestbook');
      seen.add(/pod: +(\S+)/.exec(page)?.[1] ?? '');
    }
    expect([...seen].sort()).toEqual(
      webPods()
        .map((p) => p.metadata.name)
        .sort(),
    );
  });

  it('resolves and answers inside a pod', () => {
    const pod = webPods()[0]!.metadata.name;
    const inside = (command: string): string => cluster.kubectl('exec', pod, '--', 'sh', '-c', command);
    expect(inside('wget -q -O - http://web')).toContain('Hello from k8ts');
    expect(inside('wget -q -O - http://web.default.svc.cluster.local')).toContain('Hello from k8ts');
    expect(inside('nslookup web.default.svc.cluster.local')).toContain('10.96.0.10');
    expect(inside('cat /etc/resolv.conf')).toContain('search default.svc.cluster.local svc.cluster.local cluster.local');
    expect(inside('ls /var/run/secrets/kubernetes.io/serviceaccount').split(/\s+/)).toEqual(
      expect.arrayContaining(['ca.crt', 'namespace', 'token']),
    );
  });

  // containerd 1.6 at times gives a command none of its input on a busy machine, whoever asks.
  it('execs: exit codes, stdin to its end, and a terminal', { retry: 2 }, () => {
    const pod = webPods()[0]!.metadata.name;
    expect(cluster.try('exec', pod, '--', 'sh', '-c', 'exit 7').code).toBe(7);
    expect(cluster.try('exec', pod, '--', 'no-such-command').code).not.toBe(0);
    expect(cluster.pipe('one\ntwo\n', 'exec', '-i', pod, '--', 'wc', '-l').stdout.trim()).toBe('2');
    const [out, err] = [cluster.try('exec', pod, '--', 'sh', '-c', 'echo out; echo err >&2')].map((o) => [
      o.stdout,
      o.stderr,
    ])[0]!;
    expect([out, err?.includes('err')]).toEqual(['out\n', true]);
    const terminal = cluster.machine.run('script', [
      '-qec',
      `kubectl --kubeconfig ${cluster.kubeconfig} exec -it ${pod} -- sh -c 'test -t 0 && echo is-a-tty'`,
      '/dev/null',
    ]);
    expect(terminal.stdout).toContain('is-a-tty');
  });

  it('shows logs, and follows them', async () => {
    const pod = webPods()[0]!.metadata.name;
    cluster.kubectl('exec', pod, '--', 'sh', '-c', 'echo first > /proc/1/fd/1');
    expect(await eventually('the line', () => /first/.exec(cluster.kubectl('logs', pod))?.[0])).toBe('first');
    const follower = cluster.start('logs', '-f', '--tail=1', pod);
    let text = '';
    follower.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    await pause(500);
    cluster.kubectl('exec', pod, '--', 'sh', '-c', 'echo second > /proc/1/fd/1');
    await eventually('the second line', () => text.includes('second'));
    follower.kill();
  });

  it('copies files both ways', { retry: 2 }, () => {
    const pod = webPods()[0]!.metadata.name;
    const copy = join(cluster.machine.directory, 'copy');
    cluster.kubectl('cp', example, `${pod}:/tmp/guestbook.yaml`);
    cluster.kubectl('cp', `${pod}:/tmp/guestbook.yaml`, copy);
    expect(execFileSync('cmp', [example, copy]).toString()).toBe('');
  });

  it('forwards ports', async () => {
    const forward = cluster.start('port-forward', 'service/web', '18080:80');
    await eventually('the forwarded port', () => cluster.curl('http://127.0.0.1:18080/').stdout.includes('Hello from k8ts'));
    forward.kill();
  });

  it('describes, explains, and lists what there is', () => {
    const pod = webPods()[0]!.metadata.name;
    const described = cluster.kubectl('describe', 'pod', pod);
    for (const text of ['Readiness:', 'Successfully assigned default/', 'Container started', 'Type    Reason'])
      expect(described).toContain(text);
    expect(cluster.kubectl('describe', 'deployment', 'web')).toContain('Scaled up replica set');
    expect(cluster.kubectl('explain', 'deployment.spec.strategy')).toContain('rollingUpdate');
    expect(cluster.kubectl('api-resources')).toMatch(/deployments\s+deploy\s+apps\/v1\s+true\s+Deployment/);
    expect(cluster.kubectl('get', 'events')).toContain('Scheduled');
    expect(cluster.kubectl('get', 'all')).toContain('replicaset.apps/web-');
  });

  it('scales, waits, rolls out, undoes', async () => {
    cluster.kubectl('scale', 'deployment/web', '--replicas=5');
    cluster.kubectl('wait', '--for=jsonpath={.status.readyReplicas}=5', 'deployment/web', '--timeout=60s');
    cluster.kubectl('scale', 'deployment/web', '--replicas=3');
    cluster.kubectl('set', 'env', 'deployment/web', 'GREETING=Second');
    rolledOut();
    await eventually('the second revision', () => cluster.curl('http://127.0.0.1:30080/').stdout.includes('Second'));
    expect(cluster.kubectl('rollout', 'history', 'deployment/web')).toMatch(/^2\s/m);
    cluster.kubectl('rollout', 'undo', 'deployment/web');
    rolledOut();
    await eventually('the first revision again', () =>
      cluster.curl('http://127.0.0.1:30080/').stdout.includes('Hello from k8ts'),
    );
    cluster.kubectl('set', 'image', 'deployment/web', 'web=k8ts.local/nothing:1');
    await eventually('the pull to fail', () => /ErrImagePull|ImagePullBackOff/.test(cluster.kubectl('get', 'pods')));
    cluster.kubectl('rollout', 'undo', 'deployment/web');
    rolledOut();
  });

  it('diffs, edits, and applies on the server', () => {
    const changed = cluster.kubectl('get', '-f', example, '-o', 'yaml').length;
    expect(changed).toBeGreaterThan(100);
    expect(cluster.try('diff', '-f', example).code).toBe(0);
    const applied = cluster.kubectl('apply', '--server-side', '--force-conflicts', '-f', example);
    expect(applied).toContain('deployment.apps/web serverside-applied');
    const edited = cluster.machine.run('kubectl', ['--kubeconfig', cluster.kubeconfig, 'edit', 'configmap', 'web'], {
      env: { KUBE_EDITOR: 'sed -i s/Hello/Goodbye/' },
    });
    expect(edited.stdout).toContain('edited');
  });

  it('replaces a deleted pod', async () => {
    const before = webPods().map((p) => p.metadata.uid);
    cluster.kubectl('delete', 'pod', webPods()[0]!.metadata.name);
    await eventually('a third pod', () => {
      const now = webPods().filter((p) => p.status.phase === 'Running');
      return now.length === 3 && now.some((p) => !before.includes(p.metadata.uid));
    });
  });

  it('survives kill -9: same objects, containers adopted, not restarted', async () => {
    const kinds = 'pods,deployments,replicasets,services,endpointslices,configmaps,secrets,serviceaccounts,namespaces';
    const versions = (): string =>
      cluster.kubectl('get', kinds, '-A', '-o', 'custom-columns=:.kind,:.metadata.name,:.metadata.resourceVersion');
    await eventually('rest', async () => {
      const now = versions();
      await pause(2_000);
      return versions() === now;
    });
    const [before, written] = [webPods(), versions()];
    process.kill(cluster.pid(), 'SIGKILL');
    await eventually('the process to be gone', () => cluster.k8ts('status').code === 3);
    expect(cluster.curl('http://127.0.0.1:30080/').stdout).toContain('pod:');
    expect(cluster.k8ts('up').code).toBe(0);
    const after = webPods();
    const identity = (p: Pod): unknown => [
      p.metadata.name,
      p.metadata.uid,
      p.status.podIP,
      p.status.containerStatuses.map((c) => [c.containerID, c.restartCount]),
    ];
    expect(after.map(identity)).toEqual(before.map(identity));
    await pause(2_000);
    expect(versions()).toBe(written);
    expect(cluster.curl('http://127.0.0.1:30080/').stdout).toContain('pod:');
  });

  it("refuses bad input in upstream's words", () => {
    const refusal = (yaml: string): string => {
      const done = cluster.pipe(yaml, 'apply', '-f', '-');
      expect(done.code).not.toBe(0);
      return done.stderr;
    };
    const deployment = (spec: string, name = 'bad'): string =>
      `{apiVersion: apps/v1, kind: Deployment, metadata: {name: ${name}}, spec: ${spec}}`;
    const template = 'template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}';
    expect(refusal(deployment(`{bogus: 1, selector: {matchLabels: {a: b}}, ${template}}`))).toContain(
      'unknown field "spec.bogus"',
    );
    expect(refusal(deployment(`{replicas: many, selector: {matchLabels: {a: b}}, ${template}}`))).toMatch(/int32|integer/);
    expect(refusal(deployment(`{selector: {matchLabels: {a: b}}, ${template}}`, 'Not_A_Name'))).toContain(
      'a lowercase RFC 1123 subdomain',
    );
    expect(refusal(deployment(`{selector: {matchLabels: {a: c}}, ${template}}`))).toContain(
      '`selector` does not match template `labels`',
    );
    expect(refusal('{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: nowhere}}')).toContain(
      'namespaces "nowhere" not found',
    );
    expect(cluster.try('patch', 'service', 'web', '-p', '{"spec":{"clusterIP":"10.96.0.99"}}').stderr).toContain(
      'may not change once set',
    );
    const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'web', namespace: 'default', resourceVersion: '1' } };
    expect(cluster.pipe(JSON.stringify(map), 'replace', '-f', '-').stderr).toContain('the object has been modified');
    const raw = (body: string): string =>
      cluster.pipe(body, 'create', '--raw', '/api/v1/namespaces/default/configmaps', '-f', '-').stderr;
    expect(raw('{"kind": ')).toMatch(
      /the object provided is unrecognized|couldn't get version\/kind|invalid character|unexpected end/,
    );
    expect(raw(JSON.stringify({ ...map, data: { x: 'x'.repeat(4 * 1024 * 1024) } }))).toMatch(/limit is 3145728|too large/i);
  });

  it.each(kubectls().map((k) => [`1.${k.minor}`, k.path] as const))('works with kubectl %s', (_version, path) => {
    cluster.useKubectl(path);
    cluster.kubectl('get', 'pods,services,deployments', '-o', 'wide');
    cluster.kubectl('create', 'configmap', 'skew', '--from-literal=a=b');
    expect(cluster.kubectl('explain', 'pod.spec.containers')).toContain('image');
    const changed = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: skew\ndata:\n  a: c\n';
    expect(cluster.pipe(changed, 'apply', '-f', '-')).toMatchObject({ code: 0 });
    expect(cluster.kubectl('get', 'configmap', 'skew', '-o', 'jsonpath={.data.a}')).toBe('c');
    expect(cluster.kubectl('exec', webPods()[0]!.metadata.name, '--', 'echo', 'hi')).toBe('hi\n');
    cluster.kubectl('delete', 'configmap', 'skew');
    cluster.useKubectl(kubectls().at(-1)!.path);
  });

  it('collects everything when the example is deleted', async () => {
    cluster.kubectl('delete', '-f', example);
    await eventually(
      'everything to be collected',
      () => cluster.kubectl('get', 'pods,replicasets,endpoints,endpointslices', '-l', 'app=web', '-o', 'name').trim() === '',
    );
    expect(cluster.curl('http://127.0.0.1:30080/').code).not.toBe(0);
  });

  it('stops, starts again with the same objects, and resets', () => {
    cluster.kubectl('create', 'configmap', 'kept', '--from-literal=a=b');
    expect(cluster.k8ts('down').code).toBe(0);
    expect(cluster.k8ts('status').code).toBe(3);
    expect(cluster.k8ts('up').code).toBe(0);
    expect(cluster.kubectl('get', 'configmap', 'kept', '-o', 'jsonpath={.data.a}')).toBe('b');
    expect(cluster.k8ts('reset', '--yes').code).toBe(0);
    expect(cluster.k8ts('status').stdout).toContain('There is no cluster');
  });
});
