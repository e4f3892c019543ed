import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, eventually } from './support/cluster.ts';
import { realClusterObstacle } from './support/machine.ts';

/** What upstream's conformance suite looks at most: whole lives of API objects of every type, and of pods of many kinds, in a real cluster. */

const obstacle = realClusterObstacle();
const IMAGE = 'k8ts.local/busybox:1.35';

interface Thing {
  readonly metadata: {
    readonly name: string;
    readonly labels?: Record<string, string>;
    readonly annotations?: Record<string, string>;
  };
}
interface ContainerStatus {
  readonly restartCount: number;
  readonly ready: boolean;
  readonly state: {
    readonly waiting?: { readonly reason: string };
    readonly terminated?: { readonly message?: string; readonly reason: string };
  };
}
interface Pod extends Thing {
  readonly status: {
    readonly phase?: string;
    readonly reason?: string;
    readonly podIP?: string;
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
  };
}
interface ResourceType {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

const shell = (script: string, more: object = {}): object => ({
  name: 'c',
  image: IMAGE,
  command: ['sh', '-c', script],
  ...more,
});
const pod = (name: string, containers: readonly object[], spec: object = {}, metadata: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, ...metadata },
  spec: { restartPolicy: 'Never', terminationGracePeriodSeconds: 1, containers, ...spec },
});
const template = {
  metadata: { labels: { app: 'x' } },
  spec: { containers: [{ name: 'c', image: IMAGE }], nodeSelector: { no: 'where' } },
};
const selector = { matchLabels: { app: 'x' } };
const subjects = [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'u' }];
const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' };
const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }];
const webhooks = [
  {
    name: 'a.example.com',
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    clientConfig: { url: 'https://127.0.0.1:1/x' },
    rules: [{ apiGroups: ['none.example.com'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['nothing'] }],
  },
];

/** What an object of a type says besides its name. */
const bodies: Readonly<Record<string, object>> = {
  'v1/configmaps': { data: { a: 'b' } },
  'v1/secrets': { stringData: { a: 'b' } },
  'v1/serviceaccounts': {},
  'v1/limitranges': { spec: { limits: [{ type: 'Container', max: { cpu: '2' } }] } },
  'v1/persistentvolumeclaims': {
    spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'none', resources: { requests: { storage: '1Gi' } } },
  },
  'v1/persistentvolumes': {
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'none',
      hostPath: { path: '/tmp/x' },
    },
  },
  'v1/pods': { spec: template.spec },
  'v1/podtemplates': { template },
  'v1/replicationcontrollers': { spec: { selector: { app: 'x' }, template } },
  'v1/resourcequotas': { spec: { hard: { 'count/foos': '1' } } },
  'v1/services': { spec: { ports: [{ port: 80 }] } },
  'admissionregistration.k8s.io/v1/mutatingwebhookconfigurations': { webhooks },
  'admissionregistration.k8s.io/v1/validatingwebhookconfigurations': { webhooks },
  'apps/v1/controllerrevisions': { revision: 1, data: { a: 1 } },
  'apps/v1/daemonsets': { spec: { selector, template } },
  'apps/v1/deployments': { spec: { selector, template } },
  'apps/v1/replicasets': { spec: { selector, template } },
  'apps/v1/statefulsets': { spec: { serviceName: 'x', selector, template } },
  'batch/v1/cronjobs': {
    spec: { schedule: '0 0 1 1 *', jobTemplate: { spec: { template: { spec: { ...template.spec, restartPolicy: 'Never' } } } } },
  },
  'batch/v1/jobs': { spec: { template: { spec: { ...template.spec, restartPolicy: 'Never' } } } },
  'coordination.k8s.io/v1/leases': { spec: { holderIdentity: 'h', renewTime: '2024-01-01T00:00:00.123456Z' } },
  'discovery.k8s.io/v1/endpointslices': { addressType: 'IPv4', endpoints: [{ addresses: ['192.0.2.1'] }] },
  'flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations': {
    spec: { type: 'Limited', limited: { nominalConcurrencyShares: 2, limitResponse: { type: 'Reject' } } },
  },
  'networking.k8s.io/v1/ingressclasses': { spec: { controller: 'example.com/c' } },
  'networking.k8s.io/v1/ingresses': { spec: { defaultBackend: { service: { name: 's', port: { number: 80 } } } } },
  'networking.k8s.io/v1/networkpolicies': { spec: { podSelector: {} } },
  'node.k8s.io/v1/runtimeclasses': { handler: 'h' },
  'policy/v1/poddisruptionbudgets': { spec: { minAvailable: 1, selector } },
  'rbac.authorization.k8s.io/v1/clusterrolebindings': { roleRef, subjects },
  'rbac.authorization.k8s.io/v1/clusterroles': { rules },
  'rbac.authorization.k8s.io/v1/rolebindings': { roleRef, subjects },
  'rbac.authorization.k8s.io/v1/roles': { rules },
  'scheduling.k8s.io/v1/priorityclasses': { value: 100 },
  'storage.k8s.io/v1/csidrivers': { spec: { attachRequired: false } },
  'storage.k8s.io/v1/csinodes': { spec: { drivers: [] } },
  'storage.k8s.io/v1/csistoragecapacities': { storageClassName: 'x', capacity: '1Gi' },
  'storage.k8s.io/v1/storageclasses': { provisioner: 'example.com/p' },
  'storage.k8s.io/v1/volumeattachments': {
    spec: { attacher: 'a.example.com', nodeName: 'none', source: { persistentVolumeName: 'pv' } },
  },
};

describe.skipIf(obstacle !== '')('conformance', () => {
  let cluster: Cluster;
  const raw = <T>(path: string): T => JSON.parse(cluster.kubectl('get', '--raw', path)) as T;
  const apply = (...objects: readonly object[]): void => {
    const done = cluster.pipe(objects.map((o) => JSON.stringify(o)).join('\n---\n'), 'create', '-f', '-');
    expect(done).toMatchObject({ code: 0 });
  };
  const podNow = (name: string): Pod => cluster.json<Pod>('get', 'pod', name);
  const ended = (name: string, phase = 'Succeeded'): Promise<Pod> =>
    eventually(`${name} to be ${phase}`, () => {
      const now = podNow(name);
      return now.status.phase === phase ? now : undefined;
    });

  beforeAll(async () => {
    cluster = new Cluster('conform', '192.168.246');
    expect(cluster.k8ts('up', '--yes')).toMatchObject({ code: 0 });
    await eventually('the account of pods', () => cluster.try('get', 'serviceaccount', 'default').code === 0);
  });
  afterAll(() => cluster.remove());

  it('lets objects of the types live: made, listed, patched, deleted by label', async () => {
    const wanted = new Map(Object.entries(bodies).map(([type, body]) => [type, body]));
    const types: (ResourceType & { readonly group: string })[] = [];
    for (const group of new Set([...wanted.keys()].map((type) => type.slice(0, type.lastIndexOf('/'))))) {
      const { resources } = raw<{ resources: ResourceType[] }>(group === 'v1' ? '/api/v1' : `/apis/${group}`);
      for (const type of resources) if (wanted.delete(`${group}/${type.name}`)) types.push({ ...type, group });
    }
    expect([...wanted.keys()], 'types that are not served').toEqual([]);
    apply(
      ...types.flatMap((type) =>
        ['life-a', 'life-b'].map((name) => ({
          apiVersion: type.group,
          kind: type.kind,
          metadata: { name, labels: { life: 'yes' } },
          ...bodies[`${type.group}/${type.name}`],
        })),
      ),
    );
    const all = types.map((t) => (t.group === 'v1' ? t.name : `${t.name}.v1.${t.group.replace('/v1', '')}`)).join(',');
    const living = (): readonly Thing[] => cluster.json<{ items: Thing[] }>('get', all, '-l', 'life=yes').items;
    expect(living()).toHaveLength(2 * types.length);
    cluster.kubectl('annotate', all, '-l', 'life=yes', 'seen=yes');
    expect(living().filter((o) => o.metadata.annotations?.['seen'] === 'yes')).toHaveLength(2 * types.length);
    for (const [kind, patch] of [
      ['merge', '{"metadata":{"labels":{"merged":"yes"}}}'],
      ['json', '[{"op":"add","path":"/metadata/labels/patched","value":"yes"}]'],
    ] as const) {
      for (const type of types) cluster.kubectl('patch', type.name, 'life-a', '--type', kind, '-p', patch);
    }
    expect(
      living().filter((o) => o.metadata.labels?.['merged'] === 'yes' && o.metadata.labels['patched'] === 'yes'),
    ).toHaveLength(types.length);
    cluster.kubectl('delete', all, '-l', 'life=yes', '--wait=false');
    await eventually('all to be gone', () => living().length === 0);
  });

  it('keeps answering while init containers crash', async () => {
    apply(pod('crashing', [shell('true')], { restartPolicy: 'Always', initContainers: [{ ...shell('exit 1'), name: 'i' }] }));
    await eventually(
      'the back-off',
      () => podNow('crashing').status.initContainerStatuses?.[0]?.state.waiting?.reason === 'CrashLoopBackOff',
    );
    // The node's loop must not spin through the back-off: then nothing would answer for ten seconds.
    expect(cluster.try('get', '--raw', '/readyz', '--request-timeout=5s')).toMatchObject({ code: 0, stdout: 'ok' });
    cluster.kubectl('delete', 'pod', 'crashing', '--wait=false');
  });

  it('tells containers what they ask about their pod, and shows them their volumes', async () => {
    cluster.kubectl('create', 'configmap', 'settings', '--from-literal=colour=blue');
    cluster.kubectl('create', 'secret', 'generic', 'password', '--from-literal=word=sesame');
    const env = [
      { name: 'GREETING', value: 'hello' },
      { name: 'EXPANDED', value: '$(GREETING) $$(GREETING)' },
      { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
      { name: 'COLOUR', valueFrom: { configMapKeyRef: { name: 'settings', key: 'colour' } } },
    ];
    const volumeMounts = ['config', 'secret', 'down', 'all', 'memory'].map((name) => ({ name, mountPath: `/${name}` }));
    apply(
      pod(
        'asking',
        [
          {
            ...shell(
              'env; cat /config/path/to/c /secret/word /down/labels /all/word /all/colour; echo; stat -L -c "%a" /config/path/to/c; ' +
                'grep " /memory " /proc/mounts; stat -c "%a" /memory; cat /etc/hosts; hostname -f',
              { env, volumeMounts, resources: { limits: { cpu: '1250m', memory: '32Mi' } } },
            ),
          },
        ],
        {
          hostname: 'me',
          subdomain: 'here',
          hostAliases: [{ ip: '192.0.2.9', hostnames: ['elsewhere.example'] }],
          volumes: [
            { name: 'config', configMap: { name: 'settings', items: [{ key: 'colour', path: 'path/to/c', mode: 0o400 }] } },
            { name: 'secret', secret: { secretName: 'password' } },
            { name: 'down', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
            { name: 'all', projected: { sources: [{ secret: { name: 'password' } }, { configMap: { name: 'settings' } }] } },
            { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
          ],
        },
        { labels: { mood: 'curious' } },
      ),
    );
    const { status } = await ended('asking');
    const said = cluster.kubectl('logs', 'asking');
    for (const line of ['EXPANDED=hello $(GREETING)', `IP=${status.podIP}`, 'CPU=2', 'COLOUR=blue', '400', '1777']) {
      expect(said.split('\n')).toContain(line);
    }
    expect(said).toContain('bluesesamemood="curious"sesameblue');
    expect(said).toMatch(/tmpfs \/memory tmpfs .*size=1024k/);
    expect(said).toMatch(/192\.0\.2\.9\s+elsewhere\.example/);
    expect(said).toContain('me.here.default.svc.cluster.local');
  });

  it('ends pods as their containers and limits say', async () => {
    apply(
      pod('words', [shell('echo -n last words; exit 1', { terminationMessagePolicy: 'FallbackToLogsOnError' })]),
      pod('late', [shell('sleep 1000')], { activeDeadlineSeconds: 2 }),
      pod('unsafe', [shell('true')], { securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '8192' }] } }),
      pod('broken', [shell('true')], { initContainers: [{ ...shell('false'), name: 'i' }] }),
      pod('again', [shell('echo x >> /e/c; test $(wc -l < /e/c) -ge 2', { volumeMounts: [{ name: 'e', mountPath: '/e' }] })], {
        restartPolicy: 'OnFailure',
        volumes: [{ name: 'e', emptyDir: {} }],
      }),
      pod('sidecar', [shell('sleep 1')], { initContainers: [{ ...shell('sleep 1000'), name: 's', restartPolicy: 'Always' }] }),
    );
    expect((await ended('words', 'Failed')).status.containerStatuses?.[0]?.state.terminated).toMatchObject({
      message: 'last words',
      reason: 'Error',
    });
    expect((await ended('late', 'Failed')).status.reason).toBe('DeadlineExceeded');
    expect((await ended('unsafe', 'Failed')).status.reason).toBe('SysctlForbidden');
    expect((await ended('broken', 'Failed')).status.containerStatuses?.[0]?.state.waiting?.reason).toBe('PodInitializing');
    expect((await ended('again')).status.containerStatuses?.[0]?.restartCount).toBe(1);
    await ended('sidecar');
  });

  it('finds Services by name: their own addresses, those of pods, and those behind another name', async () => {
    apply(
      pod('server', [shell('sleep 1000')], { hostname: 'host', subdomain: 'headless' }, { labels: { app: 'server' } }),
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'headless' },
        spec: { clusterIP: 'None', selector: { app: 'server' }, ports: [{ port: 80 }] },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'outside' },
        spec: { type: 'ExternalName', externalName: 'kubernetes.default.svc.cluster.local' },
      },
    );
    const { status } = await ended('server', 'Running');
    const look = (name: string): string => cluster.try('exec', 'server', '--', 'nslookup', '-type=a', name).stdout;
    await eventually('the pod by its name', () =>
      look('host.headless.default.svc.cluster.local').includes(`Address: ${status.podIP}`),
    );
    expect(look('kubernetes.default.svc.cluster.local')).toContain('Address: 10.96.0.1');
    expect(look('outside.default.svc.cluster.local')).toContain('Address: 10.96.0.1');
    cluster.kubectl(
      'patch',
      'service',
      'outside',
      '-p',
      '{"spec":{"type":"ClusterIP","externalName":null,"ports":[{"port":80}]}}',
    );
    await eventually('its own address', () => /Address: 10\.(9[6-9]|1[01]\d)\./.test(look('outside.default.svc.cluster.local')));
  });

  it('deletes what belongs to what was deleted, or leaves it, as asked', async () => {
    const deployment = (name: string): object => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name },
      spec: { selector: { matchLabels: { of: name } }, template: { ...template, metadata: { labels: { of: name } } } },
    });
    const owned = (name: string): number =>
      cluster.json<{ items: Thing[] }>('get', 'replicasets', '-l', `of=${name}`).items.length;
    apply(deployment('foreground'), deployment('background'), deployment('orphan'));
    for (const name of ['foreground', 'background', 'orphan']) await eventually(`${name}'s replica set`, () => owned(name) === 1);
    for (const name of ['foreground', 'background', 'orphan']) cluster.kubectl('delete', 'deployment', name, `--cascade=${name}`);
    expect(owned('foreground')).toBe(0);
    await eventually('background deletion', () => owned('background') === 0);
    expect(owned('orphan')).toBe(1);
  });
});
