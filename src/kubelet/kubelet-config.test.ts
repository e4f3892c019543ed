import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { patchTypes } from '../api/request.ts';
import type { Container, PodSpec } from '../api/types/core-v1.ts';
import { configMaps, pods, secrets, services } from '../client/resource-refs.ts';
import { openCgroupTree } from '../runtime/cgroup.ts';
import { whyNoContainers } from '../runtime/test-support.ts';
import { systemClock } from '../util/clock.ts';
import {
  busybox,
  configMap,
  containerId,
  FOREVER,
  secret,
  startTestKubeletNode,
  statusOf,
  type TestKubeletNode,
} from './test-support.ts';

const missing = whyNoContainers();
const MiB = 1024 * 1024;

describe.skipIf(missing !== undefined)(
  `what containers are given${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let node: TestKubeletNode;
    let host: string;
    beforeAll(async () => {
      host = await mkdtemp(join(tmpdir(), 'k8ts-host-'));
      node = await startTestKubeletNode(23);
      // Before the kubelet starts: one that comes later it may not know yet when the pod does.
      await node.client.resource(services).create({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'my-db', namespace: 'default' },
        spec: { ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }] },
      });
      await node.start();
    }, 60_000);
    afterAll(async () => {
      await node?.cleanUp();
      await rm(host, { recursive: true, force: true });
    }, 60_000);

    /** Runs a pod until it is ready, and gives its name. */
    async function ready(container: Partial<Container>, pod: Partial<PodSpec> = {}): Promise<string> {
      const name = await node.run(FOREVER, { container, pod });
      await node.running(name);
      return name;
    }
    const env = async (name: string): Promise<Readonly<Record<string, string>>> =>
      Object.fromEntries(
        (await node.exec(name, 'cat /proc/1/environ | tr "\\0" "\\n"')).split('\n').map((line) => line.split(/=(.*)/s)),
      );

    it('their environment, from everywhere it may come', async () => {
      await node.client.resource(configMaps).create(configMap('settings', { COLOUR: 'blue', 'with.dot': 'ok' }));
      await node.client.resource(secrets).create(secret('keys', { password: 'hunter2' }));
      const name = await ready({
        envFrom: [{ configMapRef: { name: 'settings' }, prefix: 'S_' }, { secretRef: { name: 'none', optional: true } }],
        env: [
          { name: 'A', value: 'a' },
          { name: 'B', value: '$(A)b$$(A)$(MISSING)' },
          { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
          { name: 'HOST', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
          { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
          { name: 'LIMIT', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
          { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'requests.cpu', divisor: '1m' } } },
          { name: 'COLOUR', valueFrom: { configMapKeyRef: { name: 'settings', key: 'COLOUR' } } },
          { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'keys', key: 'password' } } },
        ],
        resources: { limits: { memory: '64Mi', cpu: '250m' } },
      });
      const pod = node.pod(name)!;
      expect(await env(name)).toMatchObject({
        S_COLOUR: 'blue',
        'S_with.dot': 'ok',
        A: 'a',
        B: 'ab$(A)$(MISSING)',
        POD: name,
        IP: pod.status!.podIP,
        HOST: '192.0.2.7',
        NODE: node.name,
        LIMIT: '64',
        CPU: '250',
        COLOUR: 'blue',
        PASSWORD: 'hunter2',
        MY_DB_SERVICE_PORT: '5432',
        MY_DB_SERVICE_PORT_SQL: '5432',
        HOSTNAME: name,
      });
      await node.delete(name);
    });

    it('wait for what they need, and start when it is there', async () => {
      const name = await node.run(FOREVER, {
        container: { env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'late', key: 'x' } } }] },
      });
      const waiting = await node.until(name, (p) => statusOf(p)?.state?.waiting?.reason === 'CreateContainerConfigError');
      expect(statusOf(waiting)!.state!.waiting!.message).toBe('configmap "late" not found');
      await node.event(name, 'Failed', 'Error: configmap "late" not found');
      await node.client.resource(configMaps).create(configMap('late', { x: '1' }));
      await node.running(name);
      await node.delete(name);
    });

    it('volumes of every kind that needs no driver', async () => {
      await writeFile(join(host, 'file'), 'from the host');
      await node.client.resource(configMaps).create(configMap('files', { a: 'A', b: 'B' }));
      await node.client.resource(secrets).create(secret('hidden', { c: 'C' }));
      const name = await node.create(
        {
          serviceAccountName: 'default',
          volumes: [
            { name: 'empty', emptyDir: {} },
            { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '8Mi' } },
            { name: 'map', configMap: { name: 'files', items: [{ key: 'a', path: 'sub/a', mode: 0o400 }] } },
            { name: 'secret', secret: { secretName: 'hidden', defaultMode: 0o440 } },
            { name: 'down', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
            { name: 'host', hostPath: { path: host, type: 'Directory' } },
            {
              name: 'all',
              projected: {
                sources: [
                  { serviceAccountToken: { path: 'token', audience: 'vault', expirationSeconds: 3600 } },
                  { configMap: { name: 'files' } },
                  { secret: { name: 'hidden' } },
                  { downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
                ],
              },
            },
          ],
          containers: [
            busybox('app', FOREVER, {
              env: [{ name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
              volumeMounts: [
                { name: 'empty', mountPath: '/empty' },
                { name: 'memory', mountPath: '/memory' },
                { name: 'map', mountPath: '/map' },
                { name: 'secret', mountPath: '/secret' },
                { name: 'down', mountPath: '/down' },
                { name: 'host', mountPath: '/host', readOnly: true },
                { name: 'all', mountPath: '/all' },
                { name: 'empty', mountPath: '/expr', subPathExpr: 'logs/$(POD)' },
                { name: 'map', mountPath: '/one', subPath: 'sub/a' },
              ],
            }),
          ],
        },
        { labels: { app: 'volumes' } },
      );
      await node.running(name);
      expect(
        await node.exec(name, 'echo hi > /empty/x; cat /empty/x; df -m /memory | tail -1; stat -c %a /empty /memory'),
      ).toMatch(/^hi\ntmpfs +8 .*\n777\n1777$/s);
      expect(await node.exec(name, 'cat /map/sub/a; stat -Lc %a /map/sub/a; ls /map')).toBe('A400\nsub');
      expect(await node.exec(name, 'cat /secret/c; stat -Lc %a /secret/c; stat -f -c %T /secret')).toBe('C440\ntmpfs');
      expect(await node.exec(name, 'cat /down/labels')).toBe('app="volumes"');
      expect(await node.exec(name, 'cat /host/file; touch /host/new 2>&1; true')).toMatch(
        /^from the host.*Read-only file system/s,
      );
      const token = await node.exec(name, 'cat /all/token');
      const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Record<string, unknown>;
      expect(claims).toMatchObject({ aud: ['vault'], sub: 'system:serviceaccount:default:default' });
      expect(claims['kubernetes.io']).toMatchObject({ pod: { name } });
      expect(await node.exec(name, 'cat /all/a /all/b /all/c /all/name')).toBe(`ABC${name}`);
      await node.exec(name, 'echo x > /expr/log');
      expect(await node.exec(name, `cat /empty/logs/${name}/log; cat /one`)).toBe('x\nA');
      expect(await node.exec(name, 'touch /map/x 2>&1; true')).toContain('Read-only file system');

      // What a volume shows follows what it is made from, all at once; a subPath stays as it was.
      await node.client.resource(configMaps).patch('files', 'default', patchTypes.merge, { data: { a: 'A2' } });
      await node.client.resource(pods).patch(name, 'default', patchTypes.merge, { metadata: { labels: { app: 'changed' } } });
      while ((await node.exec(name, 'cat /map/sub/a; cat /down/labels')) !== 'A2app="changed"') await systemClock.sleep(20);
      expect(await node.exec(name, 'cat /one; cat /all/a')).toBe('AA2');
      const uid = node.pod(name)!.metadata!.uid!;
      await node.delete(name);
      await node.cleared(name);
      // Nothing stays mounted or written.
      const left = async (): Promise<boolean> => (await readFile('/proc/self/mountinfo', 'utf8')).includes(uid);
      while (await left()) await systemClock.sleep(20);
      expect(await readFile(join(host, 'file'), 'utf8')).toBe('from the host');
    });

    it('volumes that cannot be set up yet keep the pod waiting', async () => {
      const name = await node.run(FOREVER, {
        container: { volumeMounts: [{ name: 'v', mountPath: '/v' }] },
        pod: { volumes: [{ name: 'v', secret: { secretName: 'later' } }] },
      });
      await node.event(name, 'FailedMount', 'MountVolume.SetUp failed for volume "v" : secret "later" not found');
      expect(statusOf(node.pod(name))?.state?.waiting?.reason).toBe('ContainerCreating');
      await node.client.resource(secrets).create(secret('later', { x: 'y' }));
      await node.running(name);
      await node.delete(name);
      const wrong = await node.run(FOREVER, {
        container: { volumeMounts: [{ name: 'v', mountPath: '/v' }] },
        pod: { volumes: [{ name: 'v', hostPath: { path: join(host, 'file'), type: 'Directory' } }] },
      });
      await node.event(
        wrong,
        'FailedMount',
        `MountVolume.SetUp failed for volume "v" : hostPath type check failed: ${join(host, 'file')} is not a directory`,
      );
      await node.delete(wrong);
    });

    it('names: hosts, host name and DNS', async () => {
      const name = await ready(
        {},
        {
          hostname: 'web',
          subdomain: 'sub',
          hostAliases: [{ ip: '192.0.2.1', hostnames: ['foo.local', 'bar'] }],
          dnsConfig: { nameservers: ['192.0.2.53'], searches: ['example.com'], options: [{ name: 'ndots', value: '2' }] },
        },
      );
      const ip = node.pod(name)!.status!.podIP!;
      const hosts = await node.exec(name, 'cat /etc/hosts');
      expect(hosts).toContain('# Kubernetes-managed hosts file.');
      expect(hosts).toContain(`${ip}\tweb.sub.default.svc.cluster.local\tweb\n`);
      expect(hosts).toContain('192.0.2.1\tfoo.local\tbar');
      expect(await node.exec(name, 'hostname')).toBe('web');
      expect(await node.exec(name, 'cat /etc/resolv.conf')).toBe(
        'search default.svc.cluster.local svc.cluster.local cluster.local example.com\nnameserver 10.96.0.10\nnameserver 192.0.2.53\noptions ndots:2',
      );
      const none = await ready({}, { dnsPolicy: 'None', dnsConfig: { nameservers: ['192.0.2.53'] } });
      expect(await node.exec(none, 'cat /etc/resolv.conf')).toBe('nameserver 192.0.2.53');
      await Promise.all([node.delete(name), node.delete(none)]);
    });

    it('limits, in the cgroups of the container and of the pod', async () => {
      const tree = await openCgroupTree();
      const name = await ready({
        resources: { limits: { cpu: '500m', memory: '64Mi' }, requests: { cpu: '250m', memory: '32Mi' } },
      });
      const guaranteed = await ready({ resources: { limits: { cpu: '100m', memory: '32Mi' } } });
      const pod = node.pod(name)!;
      expect(pod.status?.qosClass).toBe('Burstable');
      expect(node.pod(guaranteed)!.status?.qosClass).toBe('Guaranteed');
      const path = `${node.node.cgroupRoot}/burstable/pod${pod.metadata!.uid}`;
      const read = async (at: string, controller: string, file: string): Promise<string> => {
        const directory = tree.directories(at).find((d) => tree.version === 2 || d.includes(`/${controller}/`))!;
        return (await readFile(join(directory, file), 'utf8')).trim();
      };
      if (tree.version === 1) {
        for (const at of [path, `${path}/${containerId(pod)}`]) {
          expect(await read(at, 'memory', 'memory.limit_in_bytes')).toBe(String(64 * MiB));
          expect(await read(at, 'cpu', 'cpu.cfs_quota_us')).toBe('50000');
          expect(await read(at, 'cpu', 'cpu.shares')).toBe('256');
        }
      } else {
        expect(await read(path, 'memory', 'memory.max')).toBe(String(64 * MiB));
        expect(await read(path, 'cpu', 'cpu.max')).toBe('50000 100000');
      }
      const pids = await tree.processes(path);
      const adjusted = await Promise.all(pids.map(async (p) => Number(await readFile(`/proc/${p}/oom_score_adj`, 'utf8'))));
      expect(Math.max(...adjusted)).toBeGreaterThan(900);
      expect(statusOf(pod)).toMatchObject({
        allocatedResources: { cpu: '250m', memory: '32Mi' },
        resources: { limits: { cpu: '500m', memory: '64Mi' }, requests: { cpu: '250m', memory: '32Mi' } },
      });
      await node.delete(name);
      await node.cleared(name);
      while ((await tree.usage(path)) !== undefined) await systemClock.sleep(20);
      await node.delete(guaranteed);
    });

    it('other limits while they run', async () => {
      const tree = await openCgroupTree();
      const memory = async (): Promise<number> => {
        const at = `${node.node.cgroupRoot}/burstable/pod${node.pod(name)!.metadata!.uid}`;
        const file = tree.version === 1 ? 'memory.limit_in_bytes' : 'memory.max';
        const directory = tree
          .directories(`${at}/${containerId(node.pod(name))}`)
          .find((d) => tree.version === 2 || d.includes('/memory/'))!;
        return Number(await readFile(join(directory, file), 'utf8'));
      };
      const resize = (resources: object): Promise<unknown> =>
        node.client
          .resource(pods)
          .patch(
            name,
            'default',
            patchTypes.strategic,
            { spec: { containers: [{ name: 'app', resources }] } },
            { subresource: 'resize' },
          );
      const name = await ready({
        resources: { limits: { cpu: '500m', memory: '64Mi' }, requests: { cpu: '100m', memory: '32Mi' } },
        resizePolicy: [
          { resourceName: 'cpu', restartPolicy: 'RestartContainer' },
          { resourceName: 'memory', restartPolicy: 'NotRequired' },
        ],
      });
      const before = containerId(node.pod(name));
      expect(await memory()).toBe(64 * MiB);
      await resize({ limits: { memory: '128Mi' }, requests: { memory: '48Mi' } });
      // Whoever waits for a resize looks at these two.
      const larger = await node.until(
        name,
        (p) => p.status?.observedGeneration === 2 && !p.status.conditions?.some((c) => c.type.startsWith('PodResize')),
      );
      expect(statusOf(larger)!.resources!.limits!['memory']).toBe('128Mi');
      expect(statusOf(larger)).toMatchObject({ restartCount: 0, allocatedResources: { cpu: '100m', memory: '48Mi' } });
      expect(containerId(larger)).toBe(before);
      expect(await memory()).toBe(128 * MiB);
      await node.event(
        name,
        'ResizeStarted',
        /^Pod resize started: {"containers":\[{"name":"app","resources":{.*"generation":2}$/,
      );
      await node.event(name, 'ResizeCompleted');
      await resize({ limits: { memory: '40Mi' }, requests: { memory: '40Mi' } });
      await node.until(name, (p) => statusOf(p)?.resources?.limits?.['memory'] === '40Mi');
      expect(await memory()).toBe(40 * MiB);

      await resize({ requests: { cpu: '400m' } });
      const restarted = await node.until(name, (p) => statusOf(p)?.restartCount === 1 && statusOf(p)?.ready === true);
      expect(statusOf(restarted)!.resources!.requests!['cpu']).toBe('400m');
      await node.event(name, 'Killing', 'Container app resize requires restart');

      await resize({ limits: { memory: '8000Gi' }, requests: { memory: '8000Gi' } });
      const refused = await node.until(name, (p) => p.status?.conditions?.some((c) => c.type === 'PodResizePending') === true);
      expect(refused.status?.conditions?.find((c) => c.type === 'PodResizePending')).toMatchObject({
        status: 'True',
        reason: 'Infeasible',
      });
      expect(refused.status?.conditions?.find((c) => c.type === 'PodResizePending')?.message).toMatch(
        /^Node didn't have enough capacity: memory, requested: \d+, capacity: \d+$/,
      );
      await node.event(name, 'ResizeInfeasible');
      await resize({ limits: { memory: '64Mi' }, requests: { memory: '40Mi' } });
      const again = await node.until(name, (p) => statusOf(p)?.resources?.limits?.['memory'] === '64Mi');
      expect(again.status?.conditions?.some((c) => c.type === 'PodResizePending')).toBe(false);
      await node.delete(name);
    });

    it('an end by the out-of-memory killer, told as such', async () => {
      const name = await node.run('x=a; while true; do x=$x$x; done', {
        container: { resources: { limits: { memory: '16Mi' } } },
        pod: { restartPolicy: 'Never' },
      });
      const pod = await node.ended(name);
      expect(statusOf(pod)!.state!.terminated).toMatchObject({ reason: 'OOMKilled', exitCode: 137 });
    });

    it('namespaces of the node and of the pod', async () => {
      const onHost = await ready({}, { hostNetwork: true, hostPID: true });
      const pod = node.pod(onHost)!;
      expect(pod.status?.podIP).toBe('192.0.2.7');
      expect(await node.exec(onHost, 'ls -l /proc/self/ns/net | sed "s/.*-> //"')).toBe(await link('/proc/self/ns/net'));
      expect(await node.exec(onHost, 'ls -l /proc/self/ns/pid | sed "s/.*-> //"')).toBe(await link('/proc/self/ns/pid'));
      expect(await node.exec(onHost, 'cat /etc/hosts')).toContain('# Kubernetes-managed hosts file (host network).');
      const shared = await node.create({
        shareProcessNamespace: true,
        containers: [busybox('app', FOREVER), busybox('other', FOREVER)],
      });
      await node.running(shared);
      expect((await node.exec(shared, 'ps -o args')).match(/sleep 1000/g)!.length).toBeGreaterThanOrEqual(2);
      expect(await node.exec(shared, 'cat /proc/1/cmdline')).toContain('pause');
      await Promise.all([node.delete(onHost), node.delete(shared)]);
    });
    async function link(path: string): Promise<string> {
      const { readlink } = await import('node:fs/promises');
      return readlink(path);
    }

    it('users, groups and rights', async () => {
      const name = await ready(
        {
          securityContext: {
            runAsUser: 1000,
            runAsGroup: 2000,
            readOnlyRootFilesystem: true,
            allowPrivilegeEscalation: false,
            capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] },
            seccompProfile: { type: 'RuntimeDefault' },
          },
          volumeMounts: [{ name: 'v', mountPath: '/v' }],
        },
        { securityContext: { fsGroup: 3000, supplementalGroups: [4000] }, volumes: [{ name: 'v', emptyDir: {} }] },
      );
      expect(await node.exec(name, 'id -u; id -g; id -G')).toBe('1000\n2000\n2000 3000 4000');
      expect(await node.exec(name, 'touch /x 2>&1; touch /v/x; stat -c "%u %g" /v/x; stat -c %a /v')).toMatch(
        /Read-only file system\n1000 3000\n2777$/,
      );
      const status = await node.exec(name, 'cat /proc/1/status');
      expect(status).toMatch(/NoNewPrivs:\s+1/);
      expect(status).toMatch(/Seccomp:\s+2/);
      // CAP_NET_BIND_SERVICE is number 10.
      expect(status).toMatch(/CapBnd:\s+0000000000000400/);
      const privileged = await ready({ securityContext: { privileged: true } });
      expect(await node.exec(privileged, 'grep CapEff /proc/1/status')).toMatch(/CapEff:\s+0000000?1ff|CapEff:\s+000001ff/);
      expect(await node.exec(privileged, 'grep Seccomp: /proc/1/status')).toMatch(/0$/);
      await Promise.all([node.delete(name), node.delete(privileged)]);
    });

    it('no start as root where that is refused', async () => {
      const name = await node.run(FOREVER, { container: { securityContext: { runAsNonRoot: true } } });
      const pod = await node.until(name, (p) => statusOf(p)?.state?.waiting?.reason === 'CreateContainerConfigError');
      const message = `container has runAsNonRoot and image will run as root (pod: "${name}_default(${pod.metadata!.uid})", container: app)`;
      expect(statusOf(pod)!.state!.waiting!.message).toBe(message);
      await node.event(name, 'Failed', `Error: ${message}`);
      const explicit = await node.run(FOREVER, { container: { securityContext: { runAsNonRoot: true, runAsUser: 0 } } });
      const refused = await node.until(
        explicit,
        (p) => statusOf(p)?.state?.waiting !== undefined && statusOf(p)?.state?.waiting?.reason !== 'ContainerCreating',
      );
      expect(statusOf(refused)!.state!.waiting!.message).toContain("container's runAsUser breaks non-root policy");
      const fine = await ready({ securityContext: { runAsNonRoot: true, runAsUser: 7 } });
      await Promise.all([name, explicit, fine].map((n) => node.delete(n)));
    });
  },
);
