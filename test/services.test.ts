import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, eventually } from './support/cluster.ts';
import { realClusterObstacle } from './support/machine.ts';

/** Services and names with real traffic, between real pods. */

const obstacle = realClusterObstacle();
const IMAGE = 'k8ts.local/busybox:1.35';

describe.skipIf(obstacle !== '')('Services', () => {
  let cluster: Cluster;
  const inside = (command: string): string => cluster.kubectl('exec', 'client', '--', 'sh', '-c', command);
  const tryInside = (command: string) => cluster.try('exec', 'client', '--', 'sh', '-c', command);
  const apply = (object: object): void => {
    const done = cluster.pipe(JSON.stringify(object), 'apply', '-f', '-');
    expect(done.stderr).toBe('');
  };
  const service = (name: string, spec: object): void => apply({ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec });
  const http = [{ port: 80, targetPort: 8080 }];
  const podIps = (): readonly string[] =>
    cluster.kubectl('get', 'pods', '-l', 'app=echo', '-o', 'jsonpath={.items[*].status.podIP}').split(' ').sort();

  beforeAll(() => {
    cluster = new Cluster('services', '192.168.233');
    const up = cluster.k8ts('up', '--yes');
    expect(up.stderr + up.stdout).toContain('The cluster is up');
    const say = 'mkdir -p /www; hostname > /www/index.html; exec httpd -f -p 8080 -h /www';
    apply({
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'echo' },
      spec: {
        serviceName: 'headless',
        replicas: 3,
        podManagementPolicy: 'Parallel',
        selector: { matchLabels: { app: 'echo' } },
        template: {
          metadata: { labels: { app: 'echo' } },
          spec: {
            terminationGracePeriodSeconds: 1,
            containers: [
              {
                name: 'echo',
                image: IMAGE,
                command: ['sh', '-c', say],
                readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
              },
            ],
          },
        },
      },
    });
    service('echo', { selector: { app: 'echo' }, ports: http });
    service('headless', { clusterIP: 'None', selector: { app: 'echo' }, ports: [{ name: 'web', port: 8080 }] });
    service('sticky', { selector: { app: 'echo' }, ports: http, sessionAffinity: 'ClientIP' });
    service('nobody', { selector: { app: 'nobody' }, ports: http });
    service('alias', { type: 'ExternalName', externalName: 'echo.default.svc.cluster.local' });
    cluster.kubectl('run', 'client', `--image=${IMAGE}`, '--', 'sleep', '100000');
    cluster.kubectl('rollout', 'status', 'statefulset/echo', '--timeout=60s');
    cluster.kubectl('wait', '--for=condition=Ready', 'pod/client', '--timeout=30s');
  });
  afterAll(() => cluster.remove());

  it('spread over their pods', () => {
    const seen = new Set(inside('for i in $(seq 40); do wget -q -O - http://echo; done').trim().split('\n'));
    expect([...seen].sort()).toEqual(['echo-0', 'echo-1', 'echo-2']);
  });

  it('send a client to the same pod when they are asked to', () => {
    const seen = new Set(inside('for i in $(seq 20); do wget -q -O - http://sticky; done').trim().split('\n'));
    expect(seen.size).toBe(1);
  });

  it('lead a pod back to itself', () => {
    const own = cluster.kubectl('exec', 'echo-0', '--', 'sh', '-c', 'for i in $(seq 20); do wget -q -O - http://echo; done');
    expect(own).toContain('echo-0');
  });

  it('refuse at once when there is nobody behind them', () => {
    const refused = tryInside('wget -O - http://nobody');
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('Connection refused');
    expect(tryInside('wget -O - http://echo:81').stderr).toContain('Connection refused');
  });

  it('have names: of the Service, of each pod, of ports, and backwards', () => {
    const addresses = (name: string): readonly string[] =>
      [...inside(`nslookup ${name}`).matchAll(/^Address:\s+(10\.\S+)$/gm)]
        .map((m) => m[1]!)
        .filter((ip) => !ip.startsWith('10.96.0.10'))
        .sort();
    expect(addresses('headless.default.svc.cluster.local')).toEqual(podIps());
    expect(addresses('echo-1.headless.default.svc.cluster.local')).toHaveLength(1);
    expect(inside('wget -q -O - http://echo-1.headless:8080')).toBe('echo-1\n');
    expect(inside('wget -q -O - http://alias')).toMatch(/^echo-\d\n$/);
    const script = `const r = new (require('node:dns').promises.Resolver)(); r.setServers(['10.96.0.10']);
      r.resolveSrv('_web._tcp.headless.default.svc.cluster.local').then((a) => console.log(JSON.stringify(a)))`;
    const records = JSON.parse(cluster.machine.run(process.execPath, ['-e', script]).stdout) as { name: string; port: number }[];
    expect(records.map((r) => `${r.name}:${r.port}`).sort()).toEqual(
      [0, 1, 2].map((i) => `echo-${i}.headless.default.svc.cluster.local:8080`),
    );
    const ip = cluster.kubectl('get', 'service', 'echo', '-o', 'jsonpath={.spec.clusterIP}');
    expect(inside(`nslookup ${ip}`)).toContain('echo.default.svc.cluster.local');
    expect(tryInside('nslookup nothing.default.svc.cluster.local').code).not.toBe(0);
    expect(inside('nc kubernetes.default 443 </dev/null && echo reached')).toBe('reached\n');
  });

  it('follow their pods: gone from one moment to the next, and back', async () => {
    cluster.kubectl('scale', 'statefulset/echo', '--replicas=1');
    await eventually('the others to be gone', () => podIps().length === 1);
    const seen = new Set(inside('for i in $(seq 20); do wget -q -O - http://echo; done').trim().split('\n'));
    expect([...seen]).toEqual(['echo-0']);
    cluster.kubectl('scale', 'statefulset/echo', '--replicas=2');
    cluster.kubectl('rollout', 'status', 'statefulset/echo', '--timeout=60s');
    await eventually('the second one', () => inside('for i in $(seq 20); do wget -q -O - http://echo; done').includes('echo-1'));
  });

  it('are reached at node ports from the machine, with policy Local too, and not at closed ones', async () => {
    service('open', { type: 'NodePort', selector: { app: 'echo' }, ports: [{ ...http[0], nodePort: 30_111 }] });
    service('local', {
      type: 'NodePort',
      externalTrafficPolicy: 'Local',
      selector: { app: 'echo' },
      ports: [{ ...http[0], nodePort: 30_112 }],
    });
    for (const port of [30_111, 30_112]) {
      await eventually(`port ${port}`, () => /^echo-/.test(cluster.curl(`http://192.168.233.2:${port}/`).stdout));
      expect(cluster.curl(`http://127.0.0.1:${port}/`).stdout).toMatch(/^echo-/);
    }
    cluster.kubectl('delete', 'service', 'open');
    await eventually('the port to close', () => cluster.curl('http://192.168.233.2:30111/').code !== 0);
  });

  it('give pods ports of the host when they ask', async () => {
    apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'hosted' },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [
          {
            name: 'c',
            image: IMAGE,
            command: ['sh', '-c', 'echo hosted > /tmp/index.html; exec httpd -f -p 8080 -h /tmp'],
            ports: [{ containerPort: 8080, hostPort: 8099 }],
          },
        ],
      },
    });
    await eventually('the host port', () => cluster.curl('http://192.168.233.2:8099/').stdout === 'hosted\n');
    cluster.kubectl('delete', 'pod', 'hosted');
    await eventually('the host port to close', () => cluster.curl('http://192.168.233.2:8099/').code !== 0);
  });
});
