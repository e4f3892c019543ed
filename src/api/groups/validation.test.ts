import { describe, expect, it } from 'vitest';
import { created, createFaults, type Draft, resourceOf, updateFaults } from './resource.fixture.ts';

type Change = (object: Draft) => void;
/** What is written, how it is then changed, and what is wrong with that. */
type Case = readonly [what: string, draft: Draft, change: Change | undefined, faults: readonly string[]];

const cases: Readonly<Record<string, readonly Case[]>> = {
  'networking.k8s.io/v1/ingresses': [
    [
      'wants its parts',
      { metadata: { name: 'a', namespace: 'default' }, spec: {} },
      undefined,
      ['spec: Invalid value: null: either `defaultBackend` or `rules` must be specified'],
    ],
    [
      'wants sense',
      {
        metadata: { name: 'a', namespace: 'default' },
        spec: {
          defaultBackend: {},
          rules: [
            { host: '1.2.3.4', http: { paths: [] } },
            {
              host: '*.A',
              http: {
                paths: [
                  { backend: { service: { name: 's', port: { number: 80 } } } },
                  { path: 'x', pathType: 'Prefix', backend: { service: { name: 's', port: { number: 80 } } } },
                  { path: '/a//b/..', pathType: 'Exact', backend: { service: { name: 'A', port: { name: 'x', number: 1 } } } },
                  { path: '/', pathType: 'Foo', backend: { resource: { kind: '', name: '' } } },
                  { path: '/', pathType: 'Prefix', backend: { service: { name: 's' } } },
                ],
              },
            },
          ],
          tls: [{ hosts: ['A'], secretName: 'B' }],
          ingressClassName: 'C',
        },
      },
      undefined,
      [
        'spec.defaultBackend: Invalid value: "": resource or service backend is required',
        'spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP address',
        'spec.rules[0].http.paths: Required value',
        "spec.rules[1].host: Invalid value: \"*.A\": a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        'spec.rules[1].http.paths[0].pathType: Required value: pathType must be specified',
        'spec.rules[1].http.paths[1].path: Invalid value: "x": must be an absolute path',
        'spec.rules[1].http.paths[2].path: Invalid value: "/a//b/..": must not contain \'//\'',
        'spec.rules[1].http.paths[2].path: Invalid value: "/a//b/..": cannot end with \'/..\'',
        "spec.rules[1].http.paths[2].backend.service.name: Invalid value: \"A\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
        'spec.rules[1].http.paths[2].backend: Invalid value: "": cannot set both port name & port number',
        'spec.rules[1].http.paths[3].pathType: Unsupported value: "Foo": supported values: "Exact", "ImplementationSpecific", "Prefix"',
        'spec.rules[1].http.paths[3].backend.resource.kind: Required value: kind is required',
        'spec.rules[1].http.paths[3].backend.resource.name: Required value: name is required',
        'spec.rules[1].http.paths[4].backend: Required value: port name or number is required',
        "spec.tls[0].hosts[0]: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        "spec.tls[0].secretName: Invalid value: \"B\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        "spec.ingressClassName: Invalid value: \"C\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      ],
    ],
    [
      'class',
      {
        metadata: { name: 'a', annotations: { 'kubernetes.io/ingress.class': 'd' } },
        spec: { defaultBackend: { service: { name: 's', port: { number: 80 } } }, ingressClassName: 'c' },
      },
      undefined,
      ['annotations.kubernetes.io/ingress.class: Invalid value: "d": must match `ingressClassName` when both are specified'],
    ],
  ],
  'networking.k8s.io/v1/ingressclasses': [
    [
      'wants sense',
      { spec: { controller: 'x', parameters: { kind: '', name: 'a/b', scope: 'X' } } },
      undefined,
      [
        'spec.controller: Invalid value: "x": must be a domain-prefixed path (such as "acme.io/foo")',
        'spec.parameters.kind: Required value: kind is required',
        'spec.parameters.name: Invalid value: "a/b": may not contain \'/\'',
        'spec.parameters.scope: Unsupported value: "X": supported values: "Cluster", "Namespace"',
      ],
    ],
    [
      'ns',
      { spec: { controller: 'a.io/b', parameters: { kind: 'K', name: 'n', scope: 'Namespace' } } },
      undefined,
      ["spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'"],
    ],
    [
      'keeps what cannot change',
      { spec: { controller: 'a.io/b' } },
      (c) => {
        c.spec.controller = 'a.io/c';
      },
      ['spec.controller: Invalid value: "a.io/c": field is immutable'],
    ],
  ],
  'networking.k8s.io/v1/networkpolicies': [
    ['is content', { spec: { podSelector: {} } }, undefined, []],
    [
      'wants sense',
      {
        spec: {
          podSelector: { matchLabels: { 'a b': 'c' } },
          policyTypes: ['X'],
          ingress: [
            {
              ports: [{ protocol: 'X', port: 0 }, { endPort: 5 }, { port: 10, endPort: 5 }, { port: 'http', endPort: 5 }],
              from: [
                {},
                { podSelector: {}, ipBlock: { cidr: '10.0.0.0/8' } },
                { ipBlock: { cidr: '' } },
                { ipBlock: { cidr: '10.0.0.0/8', except: ['10.0.0.0/8', 'x'] } },
              ],
            },
          ],
        },
      },
      undefined,
      [
        "spec.podSelector.matchLabels: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        'spec.ingress[0].ports[0].protocol: Unsupported value: "X": supported values: "TCP", "UDP", "SCTP"',
        'spec.ingress[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
        'spec.ingress[0].ports[1].endPort: Invalid value: 5: may not be specified when `port` is not specified',
        'spec.ingress[0].ports[2].endPort: Invalid value: 5: must be greater than or equal to `port`',
        'spec.ingress[0].ports[3].endPort: Invalid value: 5: may not be specified when `port` is non-numeric',
        'spec.ingress[0].from[0]: Required value: must specify a peer',
        'spec.ingress[0].from[1]: Forbidden: may not specify both ipBlock and another peer',
        'spec.ingress[0].from[2].ipBlock.cidr: Required value',
        'spec.ingress[0].from[3].ipBlock.except[0]: Invalid value: "10.0.0.0/8": must be a strict subset of `cidr`',
        'spec.ingress[0].from[3].ipBlock.except[1]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
        'spec.policyTypes[0]: Unsupported value: "X": supported values: "Ingress", "Egress"',
      ],
    ],
  ],
  'networking.k8s.io/v1/servicecidrs': [
    ['wants its parts', {}, undefined, ['spec.cidrs: Required value: at least one CIDR required']],
    [
      'wants sense',
      { spec: { cidrs: ['10.0.0.0/8', '11.0.0.0/8'] } },
      undefined,
      [
        'spec.cidrs: Invalid value: {"cidrs":["10.0.0.0/8","11.0.0.0/8"]}: may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/96',
      ],
    ],
    [
      'three',
      { spec: { cidrs: ['a', 'b', 'c'] } },
      undefined,
      ['spec.cidrs: Invalid value: {"cidrs":["a","b","c"]}: may only hold up to 2 values'],
    ],
    [
      'one',
      { spec: { cidrs: ['10.0.0.1/8'] } },
      undefined,
      ['spec.cidrs[0]: Invalid value: "10.0.0.1/8": must not have bits set beyond the prefix length'],
    ],
    [
      'keeps what cannot change',
      { spec: { cidrs: ['10.0.0.0/8'] } },
      (c) => {
        c.spec.cidrs = ['11.0.0.0/8'];
      },
      ['spec.cidrs[0]: Invalid value: "11.0.0.0/8": field is immutable'],
    ],
  ],
  'networking.k8s.io/v1/ipaddresses': [
    ['wants its parts', { metadata: { name: '10.0.0.1' } }, undefined, ['spec.parentRef: Required value']],
    [
      'wants sense',
      { metadata: { name: '10.0.0.1' }, spec: { parentRef: { group: 'A', resource: '', name: '' } } },
      undefined,
      [
        "spec.parentRef.group: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        'spec.parentRef.resource: Required value',
        'spec.parentRef.name: Required value',
      ],
    ],
  ],
  'autoscaling/v2/horizontalpodautoscalers': [
    [
      'is content',
      { spec: { scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' }, maxReplicas: 3 } },
      undefined,
      [],
    ],
    [
      'wants its parts',
      { spec: {} },
      undefined,
      [
        'spec.maxReplicas: Invalid value: 0: must be greater than 0',
        'spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`',
        'spec.scaleTargetRef.kind: Required value',
        'spec.scaleTargetRef.name: Required value',
      ],
    ],
    [
      'wants sense',
      {
        spec: {
          scaleTargetRef: { kind: '', name: 'a/b' },
          maxReplicas: 0,
          minReplicas: 0,
          metrics: [
            { type: 'X' },
            { type: 'Resource' },
            { type: 'Resource', resource: { name: '', target: { type: 'Utilization' } } },
            { type: 'Pods', pods: { metric: { name: '' }, target: { type: 'Value', value: '1' } } },
            {
              type: 'Object',
              object: { describedObject: { kind: 'A', name: 'b' }, metric: { name: 'm' }, target: { type: 'Value' } },
            },
            {
              type: 'External',
              external: { metric: { name: 'm' }, target: { type: 'AverageValue', averageValue: '1', value: '2' } },
            },
            { type: 'Resource', pods: {}, resource: { name: 'cpu', target: { type: 'AverageValue', averageValue: '-1' } } },
          ],
        },
      },
      undefined,
      [
        'spec.minReplicas: Invalid value: 0: must be greater than or equal to 1',
        'spec.maxReplicas: Invalid value: 0: must be greater than 0',
        'spec.scaleTargetRef.kind: Required value',
        'spec.scaleTargetRef.name: Invalid value: "a/b": may not contain \'/\'',
        'spec.metrics[0].type: Unsupported value: "X": supported values: "ContainerResource", "External", "Object", "Pods", "Resource"',
        'spec.metrics[0].type: Unsupported value: "X": supported values: "ContainerResource", "External", "Object", "Pods", "Resource"',
        'spec.metrics[1].resource: Required value: must populate information for the given metric source',
        'spec.metrics[2].resource.name: Required value: must specify a resource name',
        'spec.metrics[2].resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization',
        'spec.metrics[3].pods.metric.name: Required value: must specify a metric name',
        'spec.metrics[3].pods.target.averageValue: Required value: must specify a positive target averageValue',
        'spec.metrics[4].object.target.averageValue: Required value: must set either a target value or averageValue',
        'spec.metrics[5].external.target.value: Forbidden: may not set both a target value for metric and a per-pod target',
        'spec.metrics[6].pods.metric.name: Required value: must specify a metric name',
        'spec.metrics[6].pods.target.type: Required value: must specify a metric target type',
        'spec.metrics[6].pods.target.type: Invalid value: "": must be either Utilization, Value, or AverageValue',
        'spec.metrics[6].pods.target.averageValue: Required value: must specify a positive target averageValue',
        'spec.metrics[6].pods: Forbidden: must populate the given metric source only',
      ],
    ],
    [
      'order',
      { spec: { scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' }, maxReplicas: 3, minReplicas: 5 } },
      undefined,
      ['spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`'],
    ],
    [
      'behavior',
      {
        spec: {
          scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' },
          maxReplicas: 3,
          behavior: {
            scaleUp: {
              stabilizationWindowSeconds: 4000,
              selectPolicy: 'X',
              policies: [{ type: 'Y', value: 0, periodSeconds: 2000 }],
            },
            scaleDown: { policies: [], stabilizationWindowSeconds: -1, tolerance: '-1' },
          },
        },
      },
      undefined,
      [
        'spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 4000: must be less than or equal to 3600',
        'spec.behavior.scaleUp.selectPolicy: Unsupported value: "X": supported values: "Disabled", "Max", "Min"',
        'spec.behavior.scaleUp.policies[0].type: Unsupported value: "Y": supported values: "Percent", "Pods"',
        'spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero',
        'spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 2000: must be less than or equal to 1800',
        'spec.behavior.scaleDown.stabilizationWindowSeconds: Invalid value: -1: must be greater than or equal to zero',
        'spec.behavior.scaleDown.policies: Required value: must specify at least one Policy',
        'spec.behavior.scaleDown.tolerance: Invalid value: "-1": must be greater than or equal to 0',
      ],
    ],
  ],
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
      ['aggregationRule.clusterRoleSelectors[0].matchExpressions[0].operator: Invalid value: "X": not a valid selector operator'],
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
      { spec: { leaseDurationSeconds: 0, leaseTransitions: -1, strategy: 'a b' } },
      undefined,
      [
        'spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0',
        'spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0',
        "spec.strategy: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
      ],
    ],
    [
      'holder',
      { spec: { preferredHolder: 'x' } },
      undefined,
      ['spec.preferredHolder: Forbidden: may only be specified when `strategy` is defined'],
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
        'scheduling.tolerations.tolerations[0].operator: Invalid value: "X": operator must be Exists when `key` is empty, which means "match all values and all keys"',
        'scheduling.tolerations.tolerations[0].operator: Unsupported value: "X": supported values: "Equal", "Exists", "Lt", "Gt"',
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
  'storage.k8s.io/v1/storageclasses': [
    [
      'wants sense',
      {
        provisioner: '',
        reclaimPolicy: 'X',
        volumeBindingMode: 'Y',
        parameters: { '': 'x' },
        allowedTopologies: [
          {
            matchLabelExpressions: [
              { key: 'a', values: [] },
              { key: 'a', values: ['x', 'x'] },
            ],
          },
        ],
      },
      undefined,
      [
        'provisioner: Required value',
        'parameters: Invalid value: "": field can not be empty.',
        'reclaimPolicy: Unsupported value: "X": supported values: "Delete", "Retain"',
        'volumeBindingMode: Unsupported value: "Y": supported values: "Immediate", "WaitForFirstConsumer"',
        'allowedTopologies[0].matchLabelExpressions[0].values: Required value',
        'allowedTopologies[0].matchLabelExpressions[1].values[1]: Duplicate value: "x"',
        'allowedTopologies[0].matchLabelExpressions[1].key: Duplicate value: "a"',
      ],
    ],
    [
      'keeps what cannot change',
      { provisioner: 'a', parameters: { a: 'b' } },
      (c) => {
        c.provisioner = 'b';
        c.parameters = {};
        c.reclaimPolicy = 'Retain';
        c.volumeBindingMode = 'WaitForFirstConsumer';
      },
      [
        'parameters: Forbidden: updates to parameters are forbidden.',
        'provisioner: Forbidden: updates to provisioner are forbidden.',
        'reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden.',
        'volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable',
      ],
    ],
  ],
  'storage.k8s.io/v1/csidrivers': [
    [
      'wants sense',
      {
        spec: {
          volumeLifecycleModes: ['X'],
          fsGroupPolicy: 'Y',
          tokenRequests: [{ audience: 'a', expirationSeconds: 1 }, { audience: 'a' }],
        },
      },
      undefined,
      [
        'spec.fsGroupPolicy: Unsupported value: "Y": supported values: "File", "None", "ReadWriteOnceWithFSType"',
        'spec.tokenRequests[0].expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes',
        'spec.tokenRequests[1].audience: Duplicate value: "a"',
        'spec.volumeLifecycleModes: Unsupported value: "X": supported values: "Persistent", "Ephemeral"',
      ],
    ],
    [
      'keeps what cannot change',
      { spec: {} },
      (c) => {
        c.spec.attachRequired = false;
        c.spec.volumeLifecycleModes = ['Ephemeral'];
        c.spec.fsGroupPolicy = 'File';
        c.spec.storageCapacity = true;
        c.spec.podInfoOnMount = true;
      },
      [
        'spec.attachedRequired: Invalid value: false: field is immutable',
        'spec.volumeLifecycleModes: Invalid value: ["Ephemeral"]: field is immutable',
      ],
    ],
  ],
  'storage.k8s.io/v1/csinodes': [
    [
      'wants sense',
      {
        spec: {
          drivers: [
            { name: '', nodeID: '' },
            {
              name: 'a',
              nodeID:
                'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
              topologyKeys: ['', 'a b', 'k', 'k'],
              allocatable: { count: -1 },
            },
            { name: 'a', nodeID: 'y' },
          ],
        },
      },
      undefined,
      [
        'spec.drivers[0].name: Required value',
        'spec.drivers[0].nodeID: Required value',
        'spec.drivers[1].nodeID: Invalid value: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx": must be 256 characters or less',
        'spec.drivers[1].allocatable.count: Invalid value: -1: must be greater than or equal to 0',
        'spec.drivers[1]: Required value',
        'spec.drivers[1]: Invalid value: "": name part must be non-empty',
        "spec.drivers[1]: Invalid value: \"\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        "spec.drivers[1]: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        'spec.drivers[1]: Duplicate value: "k"',
        'spec.drivers[2].name: Duplicate value: "a"',
      ],
    ],
  ],
  'storage.k8s.io/v1/volumeattachments': [
    [
      'wants sense',
      { spec: { attacher: '', nodeName: '', source: {} } },
      undefined,
      [
        'spec.attacher: Required value',
        'spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName',
        "spec.nodeName: Invalid value: \"\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      ],
    ],
    [
      'keeps what cannot change',
      { spec: { attacher: 'a', nodeName: 'n', source: { persistentVolumeName: 'p' } } },
      (v) => {
        v.spec.nodeName = 'm';
      },
      ['spec: Invalid value: {"attacher":"a","nodeName":"m","source":{"persistentVolumeName":"p"}}: field is immutable'],
    ],
  ],
  'storage.k8s.io/v1/csistoragecapacities': [
    [
      'wants sense',
      { storageClassName: 'A', capacity: '-1' },
      undefined,
      [
        "storageClassName: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        'capacity: Invalid value: "-1": must be greater than or equal to 0',
      ],
    ],
    [
      'keeps what cannot change',
      { storageClassName: 'a' },
      (c) => {
        c.storageClassName = 'b';
        c.nodeTopology = { matchLabels: { a: 'b' } };
      },
      [
        'nodeTopology: Invalid value: {"matchLabels":{"a":"b"}}: field is immutable',
        'storageClassName: Invalid value: "b": field is immutable',
      ],
    ],
  ],
  'storage.k8s.io/v1/volumeattributesclasses': [
    [
      'wants sense',
      { driverName: '' },
      undefined,
      ['driverName: Required value', 'parameters: Required value: must contain at least one key/value pair'],
    ],
    [
      'keeps what cannot change',
      { driverName: 'a', parameters: { a: 'b' } },
      (c) => {
        c.driverName = 'b';
        c.parameters = { a: 'c' };
      },
      [
        'driverName: Forbidden: updates to driverName are forbidden.',
        'parameters: Forbidden: updates to parameters are forbidden.',
      ],
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
        'spec.usages: Required value: usages must be provided',
        'spec.signerName: Required value: signerName must be provided',
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
        'ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
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
        "endpoints[0].hints.forZones[0].name: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
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
  ],
  'flowcontrol.apiserver.k8s.io/v1/flowschemas': [
    [
      'wants sense',
      {
        spec: {
          priorityLevelConfiguration: { name: '' },
          matchingPrecedence: 20000,
          distinguisherMethod: { type: 'X' },
          rules: [
            {
              subjects: [{ kind: 'X' }, { kind: 'User', user: { name: '' } }],
              resourceRules: [{ verbs: ['foo'], apiGroups: [], resources: [] }],
              nonResourceRules: [{ verbs: ['x'], nonResourceURLs: ['y'] }],
            },
          ],
        },
      },
      undefined,
      [
        'spec.matchingPrecedence: Invalid value: 20000: must not be greater than 10000',
        'spec.distinguisherMethod.type: Unsupported value: "X": supported values: "ByNamespace", "ByUser"',
        'spec.priorityLevelConfiguration.name: Required value: must reference a priority level',
        'spec.rules[0].subjects[0].kind: Unsupported value: "X": supported values: "Group", "ServiceAccount", "User"',
        'spec.rules[0].subjects[1].user.name: Required value',
        'spec.rules[0].resourceRules[0].verbs: Unsupported value: ["foo"]: supported values: "*", "create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"',
        'spec.rules[0].resourceRules[0].apiGroups: Required value: resource rules must supply at least one api group',
        'spec.rules[0].resourceRules[0].resources: Required value: resource rules must supply at least one resource',
        'spec.rules[0].resourceRules[0].namespaces: Required value: resource rules that are not cluster scoped must supply at least one namespace',
        'spec.rules[0].nonResourceRules[0].verbs: Unsupported value: ["x"]: supported values: "*", "connect", "delete", "get", "head", "options", "patch", "post", "put", "trace"',
        'spec.rules[0].nonResourceRules[0].nonResourceURLs[0]: Invalid value: "y": must start with \'/\'',
      ],
    ],
  ],
  'flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations': [
    [
      'wants sense',
      { spec: { type: 'X' } },
      undefined,
      ['spec.type: Unsupported value: "X": supported values: "Exempt", "Limited"'],
    ],
    [
      'limited',
      {
        spec: {
          type: 'Limited',
          limited: {
            nominalConcurrencyShares: -1,
            limitResponse: { type: 'Queue', queuing: { queues: 0, handSize: 9, queueLengthLimit: 0 } },
          },
        },
      },
      undefined,
      ['spec.limited.nominalConcurrencyShares: Invalid value: -1: must be a non-negative integer'],
    ],
    [
      'exempt',
      { spec: { type: 'Exempt', limited: {} } },
      undefined,
      ['spec.limited: Forbidden: must be nil if the type is not Limited'],
    ],
  ],
  'admissionregistration.k8s.io/v1/validatingwebhookconfigurations': [
    [
      'wants sense',
      {
        webhooks: [
          {
            name: 'a',
            clientConfig: {},
            rules: [{ operations: [], apiGroups: [], apiVersions: [], resources: [] }],
            sideEffects: 'Some',
            admissionReviewVersions: [],
            failurePolicy: 'X',
            matchPolicy: 'Y',
            timeoutSeconds: 50,
          },
          {
            name: 'a.b.c',
            clientConfig: { url: 'http://x' },
            sideEffects: 'None',
            admissionReviewVersions: ['v1'],
            rules: [
              { operations: ['*', 'CREATE'], apiGroups: ['*', 'a'], apiVersions: ['v1'], resources: ['*', 'pods'], scope: 'X' },
            ],
          },
        ],
      },
      undefined,
      [
        'webhooks[0].name: Invalid value: "a": should be a domain with at least three segments separated by dots',
        'webhooks[0].rules[0].operations: Required value',
        'webhooks[0].rules[0].apiGroups: Required value',
        'webhooks[0].rules[0].apiVersions: Required value',
        'webhooks[0].rules[0].resources: Required value',
        'webhooks[0].failurePolicy: Unsupported value: "X": supported values: "Fail", "Ignore"',
        'webhooks[0].matchPolicy: Unsupported value: "Y": supported values: "Equivalent", "Exact"',
        'webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"',
        'webhooks[0].timeoutSeconds: Invalid value: 50: the timeout value must be between 1 and 30 seconds',
        'webhooks[0].clientConfig: Required value: exactly one of url or service is required',
        'webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1',
        'webhooks[1].rules[0].operations: Invalid value: ["*","CREATE"]: if \'*\' is present, must not specify other operations',
        'webhooks[1].rules[0].apiGroups: Invalid value: ["*","a"]: if \'*\' is present, must not specify other API groups',
        'webhooks[1].rules[0].resources: Invalid value: ["*","pods"]: if \'*\' is present, must not specify other resources without subresources',
        'webhooks[1].rules[0].scope: Unsupported value: "X": supported values: "*", "Cluster", "Namespaced"',
        'webhooks[1].clientConfig.url: Invalid value: "http": \'https\' is the only allowed URL scheme; desired format: https://host[/path]',
      ],
    ],
  ],
  'admissionregistration.k8s.io/v1/validatingadmissionpolicies': [
    [
      'wants sense',
      { spec: { failurePolicy: 'X', validations: [{ expression: '' }], variables: [{ name: '', expression: '' }] } },
      undefined,
      [
        'spec.failurePolicy: Unsupported value: "X": supported values: "Fail", "Ignore"',
        'spec.matchConstraints: Required value',
        'spec.variables[0].name: Required value: name is not specified',
        'spec.variables[0].expression: Required value: expression is not specified',
        'spec.validations[0].expression: Required value: expression is not specified',
      ],
    ],
  ],
  'admissionregistration.k8s.io/v1/validatingadmissionpolicybindings': [
    [
      'wants sense',
      { spec: { policyName: '', validationActions: ['X', 'Deny', 'Warn'], paramRef: {} } },
      undefined,
      [
        'spec.policyName: Required value',
        'spec.paramRef: Required value: one of name or selector must be specified',
        'spec.paramRef.parameterNotFoundAction: Required value',
        'spec.validationActions: Unsupported value: "X": supported values: "Audit", "Deny", "Warn"',
        'spec.validationActions: Invalid value: ["X","Deny","Warn"]: must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
      ],
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
    const found = change === undefined ? createFaults(resource, draft) : updateFaults(resource, created(resource, draft), change);
    expect(found).toEqual(faults);
  });
});
