import { expect, it } from 'vitest';
import { created, type Draft, resourceOf } from './resource.fixture.ts';

const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };

const cases: readonly (readonly [type: string, draft: Draft, warnings: readonly string[]])[] = [
  [
    'v1/services',
    {
      metadata: { annotations: { 'service.kubernetes.io/topology-aware-hints': 'auto' } },
      spec: { clusterIP: 'None', externalIPs: ['1.1.1.1'], loadBalancerIP: '1.1.1.1', sessionAffinity: 'ClientIP' },
    },
    [
      'annotation service.kubernetes.io/topology-aware-hints is deprecated, please use service.kubernetes.io/topology-mode instead',
      'spec.loadBalancerIP is ignored when spec.clusterIP is "None"',
      'spec.externalIPs is ignored when spec.clusterIP is "None"',
      'spec.SessionAffinity is ignored when spec.clusterIP is "None"',
    ],
  ],
  ['v1/services', { spec: { clusterIP: 'None' } }, []],
  [
    'networking.k8s.io/v1/ingresses',
    { metadata: { annotations: { 'kubernetes.io/ingress.class': 'a' } }, spec: {} },
    ['annotation "kubernetes.io/ingress.class" is deprecated, please use \'spec.ingressClassName\' instead'],
  ],
  [
    'v1/persistentvolumes',
    {
      metadata: { annotations: { 'volume.beta.kubernetes.io/storage-class': 'x' } },
      spec: { persistentVolumeReclaimPolicy: 'Recycle', cephfs: {} },
    },
    [
      'metadata.annotations[volume.beta.kubernetes.io/storage-class]: deprecated since v1.8; use "storageClassName" attribute instead',
      'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.',
      'spec.cephfs: deprecated in v1.28, non-functional in v1.31+',
    ],
  ],
  [
    'v1/persistentvolumeclaims',
    { spec: { resources: { requests: { storage: '500m' } } } },
    ['spec.resources.requests[storage]: fractional byte value "500m" is invalid, must be an integer'],
  ],
  ['discovery.k8s.io/v1/endpointslices', { addressType: 'FQDN', endpoints: [] }, ['addressType: FQDN endpoints are deprecated']],
  [
    'v1/nodes',
    { spec: { configSource: {}, externalID: 'x' } },
    ['spec.configSource: the feature is removed', 'spec.externalID: this field is deprecated, and is unused by Kubernetes'],
  ],
  [
    'v1/serviceaccounts',
    { metadata: { annotations: { 'kubernetes.io/enforce-mountable-secrets': 'true' } } },
    [
      'metadata.annotations[kubernetes.io/enforce-mountable-secrets]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets',
    ],
  ],
  ...['apps/v1/deployments', 'apps/v1/replicasets', 'v1/replicationcontrollers'].map(
    (type) =>
      [
        type,
        { metadata: { name: 'a.b' }, spec: { template } },
        [
          'metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]',
        ],
      ] as const,
  ),
  ['apps/v1/daemonsets', { metadata: { name: 'a.b' }, spec: { template } }, []],
];

it.each(cases)('of a new one of %s', (type, draft, warnings) => {
  const resource = resourceOf(type);
  expect(resource.warnings?.(created(resource, draft), undefined)).toEqual(warnings);
});
