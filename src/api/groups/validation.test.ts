import { describe, expect, it } from 'vitest';
import { type FaultCase, faultsOf, resourceOf } from './resource.fixture.ts';

const cases: Readonly<Record<string, readonly FaultCase[]>> = {
  'policy/v1/poddisruptionbudgets': [
    ['is content', { spec: {} }, undefined, []],
    [
      'both',
      { spec: { minAvailable: 1, maxUnavailable: '50%' } },
      undefined,
      ['spec: Invalid value: {"minAvailable":1,"maxUnavailable":"50%"}: minAvailable and maxUnavailable cannot be both set'],
    ],
    [
      'wants sense',
      {
        spec: {
          minAvailable: -1,
          selector: { matchExpressions: [{ key: 'a', operator: 'X' }] },
          unhealthyPodEvictionPolicy: 'Z',
        },
      },
      undefined,
      [
        'spec.minAvailable: Invalid value: -1: must be greater than or equal to 0',
        'spec.selector.matchExpressions[0].operator: Invalid value: "X": not a valid selector operator',
        'spec.unhealthyPodEvictionPolicy: Unsupported value: "Z": supported values: "AlwaysAllow", "IfHealthyBudget"',
      ],
    ],
    [
      'pct',
      { spec: { maxUnavailable: '101%' } },
      undefined,
      ['spec.maxUnavailable: Invalid value: "101%": must not be greater than 100%'],
    ],
    [
      'str',
      { spec: { maxUnavailable: 'x' } },
      undefined,
      [
        "spec.maxUnavailable: Invalid value: \"x\": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
      ],
    ],
  ],
  'rbac.authorization.k8s.io/v1/roles': [
    [
      'wants sense',
      { rules: [{}, { verbs: ['get'] }, { verbs: ['get'], apiGroups: [''] }, { verbs: ['get'], nonResourceURLs: ['/x'] }] },
      undefined,
      [
        'rules[0].verbs: Required value: verbs must contain at least one value',
        'rules[0].apiGroups: Required value: resource rules must supply at least one api group',
        'rules[0].resources: Required value: resource rules must supply at least one resource',
        'rules[1].apiGroups: Required value: resource rules must supply at least one api group',
        'rules[1].resources: Required value: resource rules must supply at least one resource',
        'rules[2].resources: Required value: resource rules must supply at least one resource',
        'rules[3].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs',
      ],
    ],
  ],
  'rbac.authorization.k8s.io/v1/clusterroles': [
    [
      'wants sense',
      { rules: [{ verbs: ['get'], nonResourceURLs: ['/x'], resources: ['a'] }], aggregationRule: {} },
      undefined,
      [
        'rules[0].nonResourceURLs: Invalid value: ["/x"]: rules cannot apply to both regular resources and non-resource URLs',
        'aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil',
      ],
    ],
    [
      'sel',
      { aggregationRule: { clusterRoleSelectors: [{ matchExpressions: [{ key: 'a', operator: 'X' }] }] } },
      undefined,
      [
        'aggregationRule.clusterRoleSelectors[0].matchExpressions[0].operator: Invalid value: "X": not a valid selector operator',
        'aggregationRule.clusterRoleSelectors[0]: Invalid value: null: invalid label selector.',
      ],
    ],
  ],
  'rbac.authorization.k8s.io/v1/rolebindings': [
    [
      'wants sense',
      {
        roleRef: { kind: 'X', name: '', apiGroup: 'y' },
        subjects: [
          { kind: 'User', name: '' },
          { kind: 'ServiceAccount', name: 'A' },
          { kind: 'Z', name: 'a' },
          { kind: 'Group', name: 'g', apiGroup: 'q' },
        ],
      },
      undefined,
      [
        'roleRef.apiGroup: Unsupported value: "y": supported values: "rbac.authorization.k8s.io"',
        'roleRef.kind: Unsupported value: "X": supported values: "Role", "ClusterRole"',
        'roleRef.name: Required value',
        'subjects[0].name: Required value',
        "subjects[1].name: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        'subjects[2].kind: Unsupported value: "Z": supported values: "ServiceAccount", "User", "Group"',
        'subjects[3].apiGroup: Unsupported value: "q": supported values: "rbac.authorization.k8s.io"',
      ],
    ],
    [
      'keeps what cannot change',
      { roleRef: { kind: 'Role', name: 'a', apiGroup: 'rbac.authorization.k8s.io' } },
      (b) => {
        b.roleRef.name = 'b';
      },
      ['roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"Role","Name":"b"}: cannot change roleRef'],
    ],
  ],
  'rbac.authorization.k8s.io/v1/clusterrolebindings': [
    [
      'wants sense',
      { roleRef: { kind: 'Role', name: 'a' }, subjects: [{ kind: 'ServiceAccount', name: 'a' }] },
      undefined,
      ['roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"', 'subjects[0].namespace: Required value'],
    ],
  ],
  'scheduling.k8s.io/v1/priorityclasses': [
    [
      'system',
      { metadata: { name: 'system-foo' }, value: 1 },
      undefined,
      [
        "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-foo is not a known system priority class",
      ],
    ],
    [
      'high',
      { metadata: { name: 'a' }, value: 1000000001, preemptionPolicy: 'X' },
      undefined,
      [
        'value: Forbidden: maximum allowed value of a user defined priority is 1000000000',
        'preemptionPolicy: Unsupported value: "X": supported values: "PreemptLowerPriority", "Never"',
      ],
    ],
    [
      'keeps what cannot change',
      { metadata: { name: 'a' }, value: 5 },
      (c) => {
        c.value = 6;
        c.preemptionPolicy = 'Never';
      },
      ['Value: Forbidden: may not be changed in an update.', 'preemptionPolicy: Invalid value: "Never": field is immutable'],
    ],
  ],
  'coordination.k8s.io/v1/leases': [
    [
      'wants sense',
      { spec: { leaseDurationSeconds: 0, leaseTransitions: -1 } },
      undefined,
      [
        'spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0',
        'spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0',
      ],
    ],
  ],
  'node.k8s.io/v1/runtimeclasses': [
    [
      'wants sense',
      {
        handler: 'A b',
        overhead: { podFixed: { cpu: '-1' } },
        scheduling: {
          nodeSelector: { 'a b': 'c' },
          tolerations: [{ operator: 'X' }, { key: 'a', operator: 'Exists' }, { key: 'a', operator: 'Exists' }],
        },
      },
      undefined,
      [
        "handler: Invalid value: \"A b\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
        'overhead.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0',
        "scheduling.nodeSelector: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        'scheduling.tolerations[0].operator: Invalid value: "X": operator must be Exists when `key` is empty, which means "match all values and all keys"',
        'scheduling.tolerations[0].operator: Unsupported value: "X": supported values: "Equal", "Exists"',
        'scheduling.tolerations[2]: Duplicate value: {"Key":"a","Operator":"Exists","Value":"","Effect":"","TolerationSeconds":null}',
      ],
    ],
    [
      'keeps what cannot change',
      { handler: 'a' },
      (c) => {
        c.handler = 'b';
      },
      ['handler: Invalid value: "b": field is immutable'],
    ],
  ],
  'certificates.k8s.io/v1/certificatesigningrequests': [
    [
      'wants sense',
      { spec: { request: 'eA==', signerName: 'x', usages: ['foo', 'signing', 'signing'], expirationSeconds: 5 } },
      undefined,
      [
        'spec.request: Invalid value: "eA==": PEM block type must be CERTIFICATE REQUEST',
        'spec.usages[0]: Unsupported value: "foo": supported values: "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment", "decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime", "server auth", "signing", "timestamping"',
        'spec.usages[2]: Duplicate value: "signing"',
        'spec.signerName: Invalid value: "x": must be a fully qualified domain and path of the form \'example.com/signer-name\'',
        'spec.expirationSeconds: Invalid value: 5: may not specify a duration less than 600 seconds (10 minutes)',
      ],
    ],
    [
      'wants its parts',
      { spec: {} },
      undefined,
      [
        'spec.request: Invalid value: "": PEM block type must be CERTIFICATE REQUEST',
        'spec.usages: Required value',
        'spec.signerName: Required value',
      ],
    ],
  ],
  'discovery.k8s.io/v1/endpointslices': [
    [
      'wants sense',
      {
        addressType: 'X',
        ports: [{ port: 0, protocol: 'Y', name: 'A' }, { name: '' }, { name: '' }],
        endpoints: [{ addresses: [] }],
      },
      undefined,
      [
        'addressType: Unsupported value: "X": supported values: "FQDN", "IPv4", "IPv6"',
        'endpoints[0].addresses: Required value: must contain at least 1 address',
        "ports[0].name: Invalid value: \"A\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
        'ports[0].protocol: Unsupported value: "Y": supported values: "SCTP", "TCP", "UDP"',
        'ports[2].name: Duplicate value: ""',
      ],
    ],
    [
      'addr',
      {
        addressType: 'IPv4',
        endpoints: [{ addresses: ['fd00::1', 'x'], hostname: 'A', nodeName: 'B', hints: { forZones: [{ name: 'a b' }] } }],
      },
      undefined,
      [
        'endpoints[0].addresses[0]: Invalid value: "fd00::1": must be an IPv4 address',
        'endpoints[0].addresses[1]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        "endpoints[0].nodeName: Invalid value: \"B\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        "endpoints[0].hostname: Invalid value: \"A\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
        "endpoints[0].hints.forZones[0].name: Invalid value: \"a b\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
      ],
    ],
    [
      'keeps what cannot change',
      { addressType: 'IPv4', endpoints: [] },
      (s) => {
        s.addressType = 'IPv6';
      },
      ['addressType: Invalid value: "IPv6": field is immutable'],
    ],
  ],
  'events.k8s.io/v1/events': [
    [
      'wants sense',
      { metadata: { name: 'a', namespace: 'default' }, regarding: { kind: 'Pod', apiVersion: 'v1', namespace: 'default' } },
      undefined,
      ['eventTime: Required value', 'type: Invalid value: "": has invalid value: '],
    ],
    [
      'goes on in its series, and says nothing else later',
      {
        metadata: { name: 'a', namespace: 'default' },
        regarding: { kind: 'Node', name: 'n' },
        eventTime: '2026-01-01T00:00:00.000000Z',
        type: 'Normal',
        reason: 'Because',
        action: 'Do',
        reportingController: 'a.b/c',
        reportingInstance: 'd',
        note: 'at first',
      },
      (event) => {
        event.note = 'on second thought';
        event.series = { count: 2, lastObservedTime: '2026-01-01T00:00:01.000000Z' };
      },
      ['message: Invalid value: "on second thought": field is immutable'],
    ],
    [
      'has room for so many bytes',
      {
        metadata: { name: 'a', namespace: 'default' },
        regarding: { kind: 'Node', name: 'n' },
        eventTime: '2026-01-01T00:00:00.000000Z',
        type: 'Normal',
        reason: 'é'.repeat(65),
        action: 'é'.repeat(64),
        reportingController: 'a.b/c',
        reportingInstance: 'd',
      },
      undefined,
      ['reason: Invalid value: "": can have at most 128 characters'],
    ],
  ],
  'apiregistration.k8s.io/v1/apiservices': [
    [
      'wants sense',
      {
        metadata: { name: 'v1.x' },
        spec: { group: 'y', version: 'v1', groupPriorityMinimum: 0, versionPriority: 2000, service: { name: '', namespace: '' } },
      },
      undefined,
      [
        'metadata.name: Invalid value: "v1.x": must be `spec.version+"."+spec.group`: "v1.y"',
        'spec.groupPriorityMinimum: Invalid value: 0: must be positive and less than 20000',
        'spec.versionPriority: Invalid value: 2000: must be positive and less than 1000',
        'spec.service.namespace: Required value',
        'spec.service.name: Required value',
      ],
    ],
  ],
  'authorization.k8s.io/v1/subjectaccessreviews': [
    [
      'wants sense',
      { spec: {} },
      undefined,
      [
        'spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified',
        'spec.user: Invalid value: "": at least one of user or group must be specified',
        'metadata: Invalid value: {"name":"a","namespace":"default","uid":"u"}: must be empty',
      ],
    ],
    [
      'both',
      { spec: { user: 'a', resourceAttributes: {}, nonResourceAttributes: {} } },
      undefined,
      [
        'spec.nonResourceAttributes: Invalid value: {}: cannot be specified in combination with resourceAttributes',
        'metadata: Invalid value: {"name":"a","namespace":"default","uid":"u"}: must be empty',
      ],
    ],
  ],
};

describe.each(Object.entries(cases))('%s', (name, list) => {
  const resource = resourceOf(name);
  it.each(list)('%s', (_what, draft, change, faults) => {
    expect(faultsOf(resource, draft, change)).toEqual(faults);
  });
});
