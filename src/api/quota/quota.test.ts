import { describe, expect, it } from 'vitest';
import { deepFreeze } from '../../util/deep-freeze.ts';
import type { KubernetesObject } from '../meta/object.ts';
import type { ResourceQuota, ScopedResourceSelectorRequirement } from '../types/core-v1.ts';
import { amountsOf, exceeding, measureUsage, quotaEvaluator, subtractToZero, toResourceList, typesCounted } from './index.ts';

const pods = quotaEvaluator('', 'pods');
const usage = (resource: string, object: object, now = 0): object =>
  toResourceList(quotaEvaluator('', resource).usage(deepFreeze(object), now));
const pod = (spec: object, more: object = {}): KubernetesObject =>
  ({ spec: { containers: [], ...spec }, ...more }) as KubernetesObject;
const container = (requests: object, limits: object = {}, name = 'c'): object => ({ name, resources: { requests, limits } });

describe('the usage of pods', () => {
  it('is what their containers request, and their overhead', () => {
    const spec = {
      containers: [container({ cpu: '100m', memory: '1Gi', 'example.com/gpu': '1' }, { cpu: '1' }), container({ cpu: '1' })],
      initContainers: [container({ cpu: '500m', 'hugepages-2Mi': '4Mi' })],
      overhead: { cpu: '10m' },
    };
    expect(usage('pods', pod(spec))).toEqual({
      'count/pods': '1',
      pods: '1',
      cpu: '1110m',
      'requests.cpu': '1110m',
      memory: '1Gi',
      'requests.memory': '1Gi',
      'limits.cpu': '1010m',
      'hugepages-2Mi': '4Mi',
      'requests.hugepages-2Mi': '4Mi',
      'requests.example.com/gpu': '1',
    });
  });
  it('is only their number once they have ended, or should be gone', () => {
    const spec = { containers: [container({ cpu: '1' })] };
    expect(usage('pods', pod(spec, { status: { phase: 'Succeeded' } }))).toEqual({ 'count/pods': '1' });
    const deletion = { deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 30 };
    const at = Date.UTC(2026, 0, 1);
    expect(usage('pods', pod(spec, { metadata: deletion }), at + 30_000)).toHaveProperty('cpu');
    expect(usage('pods', pod(spec, { metadata: deletion }), at + 30_001)).toEqual({ 'count/pods': '1' });
  });
});

describe('the usage of device claims', () => {
  it('is the devices that they may be given of each class', () => {
    const claims = quotaEvaluator('resource.k8s.io', 'resourceclaims');
    const requests = [
      { name: 'a', exactly: { deviceClassName: 'gpu', allocationMode: 'ExactCount', count: 2 } },
      { name: 'b', exactly: { deviceClassName: 'nic', allocationMode: 'All' } },
      {
        name: 'c',
        firstAvailable: [
          { name: 'x', deviceClassName: 'gpu', allocationMode: 'ExactCount', count: 1 },
          { name: 'y', deviceClassName: 'gpu', allocationMode: 'ExactCount', count: 3 },
          { name: 'z', deviceClassName: 'fpga', allocationMode: 'ExactCount', count: 1 },
        ],
      },
    ];
    const claim = deepFreeze({ spec: { devices: { requests } } }) as KubernetesObject;
    expect(toResourceList(claims.usage(claim, 0))).toEqual({
      'count/resourceclaims.resource.k8s.io': '1',
      'gpu.deviceclass.resource.k8s.io/devices': '5',
      'nic.deviceclass.resource.k8s.io/devices': '32',
      'fpga.deviceclass.resource.k8s.io/devices': '1',
    });
    expect(typesCounted(['gpu.deviceclass.resource.k8s.io/devices'])).toEqual([
      { group: 'resource.k8s.io', resource: 'resourceclaims' },
    ]);
  });
});

describe('the scopes of pods', () => {
  const term = { topologyKey: 'a', namespaces: ['b'] };
  const requirement = (scopeName: string, operator = 'Exists', values?: string[]): ScopedResourceSelectorRequirement =>
    ({ scopeName, operator, ...(values === undefined ? {} : { values }) }) as ScopedResourceSelectorRequirement;
  it.each([
    [requirement('Terminating'), { activeDeadlineSeconds: 0 }, true],
    [requirement('Terminating'), {}, false],
    [requirement('NotTerminating'), {}, true],
    [requirement('BestEffort'), {}, true],
    [requirement('NotBestEffort'), { containers: [container({ cpu: '1' })] }, true],
    [requirement('PriorityClass'), {}, false],
    [requirement('PriorityClass'), { priorityClassName: 'a' }, true],
    [requirement('PriorityClass', 'In', ['a']), { priorityClassName: 'a' }, true],
    [requirement('PriorityClass', 'In', ['b']), { priorityClassName: 'a' }, false],
    [requirement('PriorityClass', 'NotIn', ['b']), {}, true],
    [requirement('PriorityClass', 'DoesNotExist'), {}, true],
    [requirement('CrossNamespacePodAffinity'), {}, false],
    [
      requirement('CrossNamespacePodAffinity'),
      { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } },
      true,
    ],
  ])('%j of %j: %s', (scope, spec, expected) => expect(pods.matchesScope(scope, pod(spec))).toBe(expected));
});

describe('what containers must say under a quota', () => {
  it('is what the quota limits of cpu and memory', () => {
    const spec = { containers: [container({ cpu: '1' }, {}, 'b'), container({}, {}, 'a')] };
    expect(pods.constraint?.(['requests.cpu', 'limits.memory', 'pods'], pod(spec))).toBe(
      'must specify limits.memory for: a,b; requests.cpu for: a',
    );
    expect(pods.constraint?.(['ephemeral-storage', 'pods'], pod(spec))).toBeUndefined();
    expect(pods.constraint?.(['cpu'], pod({ ...spec, resources: { requests: { cpu: '1' } } }))).toBeUndefined();
  });
});

it('Services count with their node ports and load balancers', () => {
  const ports = [{ nodePort: 30_000 }, {}];
  const of = (spec: object): object => usage('services', { spec: { ports, ...spec } });
  expect(of({ type: 'ClusterIP' })).toMatchObject({ services: '1', 'services.nodeports': '0', 'services.loadbalancers': '0' });
  expect(of({ type: 'NodePort' })).toMatchObject({ 'services.nodeports': '2' });
  expect(of({ type: 'LoadBalancer' })).toMatchObject({ 'services.nodeports': '2', 'services.loadbalancers': '1' });
  expect(of({ type: 'LoadBalancer', allocateLoadBalancerNodePorts: false })).toMatchObject({ 'services.nodeports': '1' });
});

it('claims count with their storage, in whole bytes, and by class', () => {
  const spec = { storageClassName: 'gold', resources: { requests: { storage: '1500m' } } };
  expect(usage('persistentvolumeclaims', { spec })).toEqual({
    persistentvolumeclaims: '1',
    'count/persistentvolumeclaims': '1',
    'gold.storageclass.storage.k8s.io/persistentvolumeclaims': '1',
    'requests.storage': '2',
    'gold.storageclass.storage.k8s.io/requests.storage': '2',
  });
});

it('everything else counts by number', () => {
  expect(toResourceList(quotaEvaluator('apps', 'deployments').usage({}, 0))).toEqual({ 'count/deployments.apps': '1' });
  expect(toResourceList(quotaEvaluator('', 'secrets').usage({}, 0))).toEqual({ 'count/secrets': '1', secrets: '1' });
  expect(
    typesCounted(['count/deployments.apps', 'requests.cpu', 'secrets', 'a.storageclass.storage.k8s.io/requests.storage']),
  ).toEqual([
    { group: 'apps', resource: 'deployments' },
    { group: '', resource: 'pods' },
    { group: '', resource: 'secrets' },
    { group: '', resource: 'persistentvolumeclaims' },
  ]);
});

it('measures what a namespace uses', async () => {
  const quota: ResourceQuota = { spec: { scopes: ['NotTerminating'] } };
  const objects: Record<string, readonly KubernetesObject[]> = {
    '/pods': [pod({ containers: [container({ cpu: '1' })] }), pod({ activeDeadlineSeconds: 1 }), pod({})],
  };
  const used = await measureUsage(
    quota,
    ['pods', 'cpu', 'memory'],
    (group, resource) => objects[`${group}/${resource}`] ?? [],
    0,
  );
  expect(toResourceList(used)).toEqual({ pods: '2', cpu: '1', memory: '0' });
});

it('reckons with amounts', () => {
  expect(toResourceList(subtractToZero(amountsOf({ a: '3', b: '1' }), amountsOf({ a: '1', b: '2', c: '1' })))).toEqual({
    a: '2',
    b: '0',
    c: '0',
  });
  expect(exceeding(amountsOf({ a: '3', b: '1', c: '1' }), amountsOf({ a: '2', b: '1' }))).toEqual(['a']);
});
