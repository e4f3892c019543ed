import { expect, it } from 'vitest';
import { created, type Draft, resourceOf } from './resource.fixture.ts';

const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };

const cases: readonly (readonly [type: string, draft: Draft, warnings: readonly string[]])[] = [
  [
    'v1/pods',
    {
      spec: {
        containers: [
          { name: 'c', ports: [{ name: 'p', containerPort: 1 }] },
          { name: 'd', ports: [{ name: 'p', containerPort: 2 }] },
        ],
        dnsConfig: { nameservers: ['01.1.1.1'] },
        hostAliases: [{ ip: 'FD00::1' }],
        terminationGracePeriodSeconds: -1,
        volumes: [
          { name: 'a', storageos: {} },
          { name: 'b', secret: { secretName: 's', items: [{ path: 'x/y' }, { path: 'x/' }, { path: 'xy' }] } },
          {
            name: 'c',
            projected: {
              sources: [{}, { serviceAccountToken: { path: 't' } }, { configMap: { name: 'm', items: [{ path: 't' }] } }],
            },
          },
        ],
      },
    },
    [
      'spec.volumes[0].storageOS: deprecated in v1.22, non-functional in v1.25+',
      'volume "b" (Secret "s"): overlapping paths: "x" with "x/y"',
      'volume "c" (Projected) has no sources provided',
      'volume "c" (Projected): overlapping paths: "t" (ConfigMap "m") with "t" (ServiceAccountToken)',
      'spec.containers[1].ports[0]: duplicate port name "p" with spec.containers[0].ports[0], services and probes that select ports by name will use spec.containers[0].ports[0]',
      'spec.dnsConfig.nameservers[0]: non-standard IP address "01.1.1.1" is invalid: use "1.1.1.1"',
      'spec.hostAliases[0].ip: IPv6 address "FD00::1" should be in RFC 5952 canonical format ("fd00::1")',
    ],
  ],
  [
    'v1/services',
    {
      metadata: { annotations: { 'service.kubernetes.io/topology-aware-hints': 'auto' } },
      spec: { clusterIP: 'None', externalIPs: ['1.1.1.1'], loadBalancerIP: '1.1.1.1', sessionAffinity: 'ClientIP' },
    },
    [
      'annotation service.kubernetes.io/topology-aware-hints is deprecated, please use service.kubernetes.io/topology-mode instead',
      'spec.loadBalancerIP is ignored for headless services',
      'spec.externalIPs is ignored for headless services',
      'spec.SessionAffinity is ignored for headless services',
    ],
  ],
  [
    'v1/services',
    {
      spec: {
        clusterIP: 'fd00:0::1',
        clusterIPs: ['fd00:0::1'],
        externalIPs: ['001.1.1.1'],
        externalName: 'x',
        loadBalancerIP: '::ffff:1.1.1.1',
        loadBalancerSourceRanges: ['10.0.0.1/8', '010.0.0.0/8', 'FD00::/8'],
        trafficDistribution: 'PreferClose',
      },
    },
    [
      'spec.clusterIPs[0]: IPv6 address "fd00:0::1" should be in RFC 5952 canonical format ("fd00::1")',
      'spec.externalIPs[0]: non-standard IP address "001.1.1.1" is invalid: use "1.1.1.1"',
      'spec.externalIPs is deprecated and may no longer be implemented in some clusters',
      'spec.loadBalancerIP: non-standard IP address "::ffff:1.1.1.1" is invalid: use "1.1.1.1"',
      'spec.loadBalancerSourceRanges[0]: CIDR value "10.0.0.1/8" is ambiguous in this context (should be "10.0.0.0/8" or "10.0.0.1/32"?)',
      'spec.loadBalancerSourceRanges[1]: non-standard CIDR value "010.0.0.0/8" is invalid: use "10.0.0.0/8"',
      'spec.loadBalancerSourceRanges[2]: IPv6 CIDR value "FD00::/8" should be in RFC 5952 canonical format ("fd00::/8")',
      'spec.externalName is ignored when spec.type is not "ExternalName"',
      'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"',
    ],
  ],
  [
    'v1/services',
    { spec: { type: 'ExternalName', externalName: 'x', externalIPs: ['1.1.1.1'] } },
    ['spec.externalIPs is ignored when spec.type is "ExternalName"'],
  ],
  [
    'networking.k8s.io/v1/networkpolicies',
    {
      spec: {
        podSelector: {},
        ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.1/16'] } }] }],
        egress: [{ to: [{ podSelector: {} }, { ipBlock: { cidr: 'FD00::/8' } }] }],
      },
    },
    [
      'spec.ingress[0].from[0].ipBlock.except[0]: CIDR value "10.1.0.1/16" is ambiguous in this context (should be "10.1.0.0/16" or "10.1.0.1/32"?)',
      'spec.egress[0].to[1].ipBlock.cidr: IPv6 CIDR value "FD00::/8" should be in RFC 5952 canonical format ("fd00::/8")',
    ],
  ],
  [
    'node.k8s.io/v1/runtimeclasses',
    { handler: 'x', scheduling: { nodeSelector: { 'beta.kubernetes.io/os': 'linux' } } },
    ['scheduling.nodeSelector: deprecated since v1.14; use "kubernetes.io/os" instead'],
  ],
  [
    'storage.k8s.io/v1/storageclasses',
    {
      provisioner: 'x',
      allowedTopologies: [{ matchLabelExpressions: [{ key: 'failure-domain.beta.kubernetes.io/zone', values: ['a'] }] }],
    },
    ['allowedTopologies[0].matchLabelExpressions[0].key: deprecated since v1.17; use "topology.kubernetes.io/zone" instead'],
  ],
  [
    'storage.k8s.io/v1/csistoragecapacities',
    { storageClassName: 'x', nodeTopology: { matchLabels: { 'beta.kubernetes.io/arch': 'a' } } },
    ['nodeTopology.matchLabels.beta.kubernetes.io/arch: deprecated since v1.14; use "kubernetes.io/arch" instead'],
  ],
  [
    'v1/pods',
    {
      spec: {
        containers: [{ name: 'c', image: 'i' }],
        volumes: [
          {
            name: 'v',
            ephemeral: {
              volumeClaimTemplate: { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1m' } } } },
            },
          },
        ],
        affinity: {
          nodeAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              {
                weight: 1,
                preference: { matchExpressions: [{ key: 'node-role.kubernetes.io/master', operator: 'In', values: ['a b'] }] },
              },
            ],
          },
        },
      },
    },
    [
      'spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].key: node-role.kubernetes.io/master is use "node-role.kubernetes.io/control-plane" instead',
      "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].values[0]: a b is invalid, a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
      'spec.volumes[0].ephemeral.volumeClaimTemplate.spec.resources.requests[storage]: fractional byte value "1m" is invalid, must be an integer',
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
      spec: {
        persistentVolumeReclaimPolicy: 'Recycle',
        cephfs: {},
        nodeAffinity: {
          required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'beta.kubernetes.io/os', operator: 'Exists' }] }] },
        },
      },
    },
    [
      'metadata.annotations[volume.beta.kubernetes.io/storage-class]: deprecated since v1.8; use "storageClassName" attribute instead',
      'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.',
      'spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].key: beta.kubernetes.io/os is deprecated since v1.14; use "kubernetes.io/os" instead',
      'spec.cephfs: deprecated in v1.28, non-functional in v1.31+',
    ],
  ],
  [
    'v1/persistentvolumeclaims',
    { spec: { resources: { requests: { storage: '500m' } } } },
    ['spec.resources.requests[storage]: fractional byte value "500m" is invalid, must be an integer'],
  ],
  [
    'discovery.k8s.io/v1/endpointslices',
    { addressType: 'FQDN', endpoints: [] },
    ['spec.addressType: FQDN endpoints are deprecated'],
  ],
  [
    'v1/nodes',
    { spec: { configSource: {}, externalID: 'x' } },
    ['spec.externalID: this field is deprecated, and is unused by Kubernetes'],
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
