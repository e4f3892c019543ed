import { describe, expect, it } from 'vitest';
import type { ConfigMap, Container, Pod, Secret, Service } from '../../api/types/core-v1.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { containerEnvironment, type EnvironmentSources, referencedObjects } from './env.ts';
import { expand, expandStrict } from './expansion.ts';

describe('expansion of $(NAME)', () => {
  const names: Record<string, string> = { A: 'a', EMPTY: '', B_1: 'b' };
  it.each([
    ['$(A)', 'a'],
    ['x-$(A)-$(B_1)', 'x-a-b'],
    ['$(EMPTY)', ''],
    ['$(NONE)', '$(NONE)'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$a'],
    ['$$$$(A)', '$$(A)'],
    ['$A', '$A'],
    ['$(A', '$(A'],
    ['end$', 'end$'],
    ['$()', '$()'],
    ['$(A$(B_1))', '$(A$(B_1))'],
    ['plain', 'plain'],
  ])('%s becomes %s', (input, expected) => {
    expect(expand(input, (n) => names[n])).toBe(expected);
  });
  it('tells what is missing', () => {
    expect(expandStrict('$(A)/$(X)', (n) => names[n]).missing).toEqual(['X']);
  });
});

const service = (name: string, namespace: string, clusterIP: string, ports: readonly object[]): Service =>
  ({ metadata: { name, namespace }, spec: { clusterIP, ports } }) as Service;

function sources(more: Partial<EnvironmentSources> = {}): EnvironmentSources {
  const configMaps: Record<string, ConfigMap> = { cfg: { data: { KEY: 'value', 'odd key\n': 'x' } } };
  const secrets: Record<string, Secret> = { sec: { data: { PASS: Buffer.from('hunter2').toString('base64') } } };
  return {
    downward: {
      nodeName: 'node-1',
      hostIPs: ['10.0.0.1'],
      podIPs: ['10.1.0.5', 'fd00::5'],
      allocatable: { cpu: '4', memory: '8Gi' },
    },
    services: [
      service('kubernetes', 'default', '10.96.0.1', [{ name: 'https', port: 443, protocol: 'TCP' }]),
      service('my-db', 'apps', '10.96.0.9', [{ port: 5432, protocol: 'TCP' }]),
      service('headless', 'apps', 'None', [{ port: 80 }]),
      service('other', 'elsewhere', '10.96.0.10', [{ port: 80 }]),
    ],
    configMap: (name) => configMaps[name],
    secret: (name) => secrets[name],
    ...more,
  };
}
const podWith = (container: Partial<Container>, spec: object = {}): [Pod, Container] => {
  const c: Container = { name: 'c', image: 'i', ...container };
  return [
    deepFreeze({
      metadata: { name: 'p', namespace: 'apps', uid: 'u1', labels: { app: 'web', tier: 'a"b' } },
      spec: { containers: [c], serviceAccountName: 'sa', ...spec },
    }),
    c,
  ];
};
const env = (
  container: Partial<Container>,
  spec: object = {},
  more: Partial<EnvironmentSources> = {},
): Record<string, string> => {
  const [pod, c] = podWith(container, spec);
  return Object.fromEntries(containerEnvironment(pod, c, sources(more)).env);
};

describe('the environment of a container', () => {
  it('has services of its namespace and the API server', () => {
    const e = env({});
    expect(e).toMatchObject({
      KUBERNETES_SERVICE_HOST: '10.96.0.1',
      KUBERNETES_SERVICE_PORT: '443',
      KUBERNETES_SERVICE_PORT_HTTPS: '443',
      KUBERNETES_PORT: 'tcp://10.96.0.1:443',
      KUBERNETES_PORT_443_TCP: 'tcp://10.96.0.1:443',
      KUBERNETES_PORT_443_TCP_PROTO: 'tcp',
      KUBERNETES_PORT_443_TCP_PORT: '443',
      KUBERNETES_PORT_443_TCP_ADDR: '10.96.0.1',
      MY_DB_SERVICE_HOST: '10.96.0.9',
      MY_DB_PORT_5432_TCP_ADDR: '10.96.0.9',
    });
    expect(e['HEADLESS_SERVICE_HOST']).toBeUndefined();
    expect(e['OTHER_SERVICE_HOST']).toBeUndefined();
  });
  it('has only the API server without service links', () => {
    expect(Object.keys(env({}, { enableServiceLinks: false })).some((k) => k.startsWith('MY_DB'))).toBe(false);
  });
  it('expands earlier variables and services, not later ones nor envFrom', () => {
    const e = env({
      envFrom: [{ configMapRef: { name: 'cfg' }, prefix: 'P_' }],
      env: [
        { name: 'A', value: '1' },
        { name: 'B', value: '$(A)-$(C)-$(KUBERNETES_SERVICE_HOST)-$(P_KEY)' },
        { name: 'C', value: '2' },
      ],
    });
    expect(e['B']).toBe('1-$(C)-10.96.0.1-$(P_KEY)');
    expect(e['P_KEY']).toBe('value');
  });
  it('reads fields, resources, config maps and secrets', () => {
    const ref = (fieldPath: string): object => ({ fieldRef: { fieldPath } });
    const e = env({
      resources: { requests: { cpu: '250m' } },
      env: [
        { name: 'NAME', valueFrom: ref('metadata.name') },
        { name: 'LABEL', valueFrom: ref("metadata.labels['app']") },
        { name: 'IP', valueFrom: ref('status.podIP') },
        { name: 'IPS', valueFrom: ref('status.podIPs') },
        { name: 'NODE', valueFrom: ref('spec.nodeName') },
        { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'requests.cpu', divisor: '1m' } } },
        { name: 'CPUS', valueFrom: { resourceFieldRef: { resource: 'requests.cpu' } } },
        { name: 'MEM', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
        { name: 'CM', valueFrom: { configMapKeyRef: { name: 'cfg', key: 'KEY' } } },
        { name: 'SEC', valueFrom: { secretKeyRef: { name: 'sec', key: 'PASS' } } },
        { name: 'GONE', valueFrom: { secretKeyRef: { name: 'nope', key: 'x', optional: true } } },
      ],
    });
    expect(e).toMatchObject({
      NAME: 'p',
      LABEL: 'web',
      IP: '10.1.0.5',
      IPS: '10.1.0.5,fd00::5',
      NODE: 'node-1',
      CPU: '250',
      CPUS: '1',
      MEM: '8192',
      CM: 'value',
      SEC: 'hunter2',
    });
    expect('GONE' in e).toBe(false);
  });
  it.each([
    [{ envFrom: [{ configMapRef: { name: 'nope' } }] }, 'configmap "nope" not found'],
    [{ envFrom: [{ secretRef: { name: 'nope' } }] }, 'secret "nope" not found'],
    [
      { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'cfg', key: 'k' } } }] },
      "couldn't find key k in ConfigMap apps/cfg",
    ],
    [{ env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'sec', key: 'k' } } }] }, "couldn't find key k in Secret apps/sec"],
  ])('says what is missing: %j', (container, message) => {
    expect(() => env(container)).toThrow(message);
  });
  it('leaves out keys that are no names', () => {
    const [pod, c] = podWith({ envFrom: [{ configMapRef: { name: 'cfg' } }] });
    expect(containerEnvironment(pod, c, sources()).skipped).toEqual(['odd key\n']);
  });
  it('knows what a pod refers to', () => {
    const [pod] = podWith(
      { envFrom: [{ configMapRef: { name: 'a' } }], env: [{ name: 'x', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }] },
      { volumes: [{ name: 'v', projected: { sources: [{ configMap: { name: 'b' } }] } }], imagePullSecrets: [{ name: 'pull' }] },
    );
    const refs = referencedObjects(pod);
    expect([...refs.configMaps]).toEqual(['a', 'b']);
    expect([...refs.secrets]).toEqual(['s', 'pull']);
  });
});
