import { describe, expect, it } from 'vitest';
import { type FaultCase, faultsOf, resourceOf } from '../resource.fixture.ts';

const cases: Readonly<Record<string, readonly FaultCase[]>> = {
  'v1/services': [
    ['is content', { metadata: { name: 'a', namespace: 'default' }, spec: { ports: [{ port: 80 }] } }, undefined, []],
    ['wants ports', { spec: {} }, undefined, ['spec.ports: Required value']],
    [
      'wants none without an address',
      { metadata: { name: 'a', namespace: 'default' }, spec: { ports: [], clusterIP: 'None' } },
      undefined,
      [],
    ],
    [
      'wants sense',
      {
        metadata: { name: 'a', namespace: 'default' },
        spec: {
          ports: [
            { port: 0, protocol: 'Z', name: 'A' },
            { port: 80, name: 'a', targetPort: 'x_' },
            { port: 80, name: 'a' },
            { port: 81 },
          ],
          type: 'X',
          sessionAffinity: 'Y',
        },
      },
      undefined,
      [
        "spec.ports[0].name: Invalid value: \"A\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
        'spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
        'spec.ports[0].protocol: Unsupported value: "Z": supported values: "SCTP", "TCP", "UDP"',
        'spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive',
        'spec.ports[1].targetPort: Invalid value: "x_": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
        'spec.ports[2].name: Duplicate value: "a"',
        'spec.ports[3].name: Required value',
        'spec.sessionAffinity: Unsupported value: "Y": supported values: "ClientIP", "None"',
        'spec.type: Unsupported value: "X": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
        'spec.ports[2]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}',
      ],
    ],
    [
      'nodeport',
      { metadata: { name: 'a', namespace: 'default' }, spec: { ports: [{ port: 80, nodePort: 30000 }] } },
      undefined,
      ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    ],
    [
      'external',
      {
        metadata: { name: 'a', namespace: 'default' },
        spec: { ports: [{ port: 80 }], type: 'ExternalName', externalName: 'A_' },
      },
      undefined,
      [
        "spec.externalName: Invalid value: \"A_\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      ],
    ],
    [
      'lb',
      {
        metadata: { name: 'a', namespace: 'default' },
        spec: {
          ports: [{ port: 10250 }],
          type: 'LoadBalancer',
          loadBalancerSourceRanges: ['x'],
          externalTrafficPolicy: 'Foo',
          internalTrafficPolicy: 'Bar',
          trafficDistribution: 'Baz',
        },
      },
      undefined,
      [
        'spec.ports[0]: Invalid value: 10250: may not expose port 10250 externally since it is used by kubelet',
        'spec.LoadBalancerSourceRanges[0]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
        'spec.externalTrafficPolicy: Unsupported value: "Foo": supported values: "Cluster", "Local"',
        'spec.internalTrafficPolicy: Unsupported value: "Bar": supported values: "Cluster", "Local"',
        'spec.trafficDistribution: Unsupported value: "Baz": supported values: "PreferClose", "PreferSameNode", "PreferSameZone"',
      ],
    ],
    [
      'clusterip',
      {
        metadata: { name: 'a', namespace: 'default' },
        spec: {
          ports: [{ port: 80 }],
          loadBalancerSourceRanges: ['10.0.0.0/8'],
          externalTrafficPolicy: 'Local',
          healthCheckNodePort: 4,
          allocateLoadBalancerNodePorts: true,
          loadBalancerClass: 'x',
        },
      },
      undefined,
      [
        "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
        "spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'",
        "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
        'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
        "spec.healthCheckNodePort: Invalid value: 4: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ],
    ],
    [
      'ips',
      {
        metadata: { name: 'a', namespace: 'default' },
        spec: {
          ports: [{ port: 80 }],
          clusterIP: '10.0.0.1',
          clusterIPs: ['10.0.0.2', 'x', 'fd00::1'],
          ipFamilies: ['IPv4', 'IPv4', 'X'],
          ipFamilyPolicy: 'P',
          externalIPs: ['127.0.0.1', 'y'],
        },
      },
      undefined,
      [
        'spec.clusterIPs: Invalid value: ["10.0.0.2","x","fd00::1"]: first value must match `clusterIP`',
        'spec.ipFamilies[1]: Duplicate value: "IPv4"',
        'spec.ipFamilies[2]: Unsupported value: "X": supported values: "IPv4", "IPv6"',
        'spec.ipFamilyPolicy: Unsupported value: "P": supported values: "PreferDualStack", "RequireDualStack", "SingleStack"',
        'spec.clusterIPs[1]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        'spec.clusterIPs: Invalid value: ["10.0.0.2","x","fd00::1"]: may only hold up to 2 values',
        'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
        'spec.externalIPs[1]: Invalid value: "y": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
      ],
    ],
    [
      'affinity',
      {
        metadata: { name: 'a', namespace: 'default' },
        spec: {
          ports: [{ port: 80 }],
          sessionAffinity: 'ClientIP',
          sessionAffinityConfig: { clientIP: { timeoutSeconds: 90000 } },
        },
      },
      undefined,
      ['spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 90000: must be greater than 0 and less than 86400'],
    ],
    [
      'keeps what cannot change',
      {
        metadata: { name: 'a', namespace: 'default' },
        spec: { ports: [{ port: 80 }], clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1'], ipFamilies: ['IPv4'] },
      },
      (s) => {
        s.spec.clusterIP = '10.0.0.2';
        s.spec.clusterIPs = ['10.0.0.2'];
      },
      ['spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set'],
    ],
    [
      'topo',
      {
        metadata: {
          name: 'a',
          annotations: { 'service.kubernetes.io/topology-mode': 'Auto', 'service.kubernetes.io/topology-aware-hints': 'x' },
        },
        spec: { ports: [{ port: 80 }] },
      },
      undefined,
      [
        'metadata.annotations[service.kubernetes.io/topology-mode]: Invalid value: "Auto": must match annotations[service.kubernetes.io/topology-aware-hints] when both are specified',
      ],
    ],
  ],
  'v1/persistentvolumeclaims': [
    [
      'is content',
      {
        metadata: { name: 'a', namespace: 'default' },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
      },
      undefined,
      [],
    ],
    [
      'wants its parts',
      { spec: {} },
      undefined,
      ['spec.accessModes: Required value: at least 1 access mode is required', 'spec.resources[storage]: Required value'],
    ],
    [
      'wants sense',
      {
        metadata: { name: 'a', namespace: 'default' },
        spec: {
          accessModes: ['X', 'ReadWriteOncePod', 'ReadWriteOnce'],
          resources: { requests: { storage: '0' } },
          storageClassName: 'A_',
          volumeMode: 'Q',
          selector: { matchExpressions: [{ key: 'a', operator: 'In' }] },
          dataSource: { kind: '', name: '' },
          dataSourceRef: { kind: '', name: '' },
        },
      },
      undefined,
      [
        "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
        'spec.accessModes: Unsupported value: "X": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"',
        'spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes',
        'spec.resources[storage]: Invalid value: "0": must be greater than zero',
        "spec.storageClassName: Invalid value: \"A_\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        'spec.volumeMode: Unsupported value: "Q": supported values: "Block", "Filesystem"',
        'spec.dataSource.name: Required value',
        'spec.dataSource.kind: Required value',
        'spec.dataSource: Invalid value: "": must be \'PersistentVolumeClaim\' when referencing the default apiGroup',
        'spec.dataSourceRef.name: Required value',
        'spec.dataSourceRef.kind: Required value',
        'spec.dataSourceRef: Invalid value: "": must be \'PersistentVolumeClaim\' when referencing the default apiGroup',
      ],
    ],
    [
      'keeps what cannot change',
      {
        metadata: { name: 'a', namespace: 'default' },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
      },
      (c) => {
        c.spec.accessModes = ['ReadOnlyMany'];
      },
      [
        'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n@@ -1,6 +1,6 @@\n {\n  "AccessModes": [\n-  "ReadWriteOnce"\n+  "ReadOnlyMany"\n  ],\n  "Selector": null,\n  "Resources": {\n',
      ],
    ],
    [
      'shrink',
      {
        metadata: { name: 'a', namespace: 'default' },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
      },
      (c) => {
        c.spec.resources.requests.storage = '500Mi';
      },
      [
        'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n@@ -6,7 +6,7 @@\n  "Resources": {\n   "Limits": null,\n   "Requests": {\n-   "storage": "1Gi"\n+   "storage": "500Mi"\n   }\n  },\n  "VolumeName": "",\n',
      ],
    ],
  ],
  'v1/persistentvolumes': [
    [
      'is content',
      {
        metadata: { name: 'a' },
        spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, hostPath: { path: '/x' } },
      },
      undefined,
      [],
    ],
    [
      'wants its parts',
      { spec: {} },
      undefined,
      [
        'spec.accessModes: Required value',
        'spec.capacity: Required value',
        'spec.capacity: Unsupported value: null: supported values: "storage"',
        'spec: Required value: must specify a volume type',
      ],
    ],
    [
      'wants sense',
      {
        metadata: { name: 'a' },
        spec: {
          accessModes: ['X'],
          capacity: { storage: '-1', cpu: '1' },
          hostPath: { path: '../x', type: 'Q' },
          persistentVolumeReclaimPolicy: 'Z',
          nfs: { server: '', path: 'x' },
          volumeMode: 'W',
          storageClassName: 'A_',
          nodeAffinity: {},
          mountOptions: ['a'],
        },
      },
      undefined,
      [
        'spec.accessModes: Unsupported value: "X": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"',
        'spec.capacity: Unsupported value: {"cpu":"1","storage":"-1"}: supported values: "storage"',
        'spec.capacity[storage]: Invalid value: -1: must be a valid resource quantity',
        'spec.capacity[storage]: Invalid value: "-1": must be greater than zero',
        'spec.persistentVolumeReclaimPolicy: Unsupported value: "Z": supported values: "Delete", "Recycle", "Retain"',
        'spec.nodeAffinity.required: Required value: must specify required node constraints',
        'spec.hostPath.path: Invalid value: "../x": must not contain \'..\'',
        'spec.hostPath.type: Unsupported value: "Q": supported values: "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"',
        'spec.nfs: Forbidden: may not specify more than 1 volume type',
        "spec.storageClassName: Invalid value: \"A_\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        'spec.volumeMode: Unsupported value: "W": supported values: "Block", "Filesystem"',
      ],
    ],
    [
      'local',
      {
        metadata: { name: 'a' },
        spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, hostPath: undefined, local: { path: '/x' } },
      },
      undefined,
      ['spec.nodeAffinity: Required value: Local volume requires node affinity'],
    ],
    [
      'csi',
      {
        metadata: { name: 'a' },
        spec: {
          accessModes: ['ReadWriteOnce'],
          capacity: { storage: '1Gi' },
          hostPath: undefined,
          csi: { driver: '', volumeHandle: '' },
        },
      },
      undefined,
      ['spec.csi.driver: Required value', 'spec.csi.volumeHandle: Required value'],
    ],
    [
      'keeps what cannot change',
      {
        metadata: { name: 'a' },
        spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, hostPath: { path: '/x' } },
      },
      (v) => {
        v.spec.hostPath.path = '/y';
        v.spec.volumeMode = 'Block';
      },
      [
        'spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation\n@@ -2,7 +2,7 @@\n  "GCEPersistentDisk": null,\n  "AWSElasticBlockStore": null,\n  "HostPath": {\n-  "Path": "/x",\n+  "Path": "/y",\n   "Type": ""\n  },\n  "Glusterfs": null,\n',
        'volumeMode: Invalid value: "Block": field is immutable',
      ],
    ],
  ],
  'v1/configmaps': [
    [
      'wants sense',
      { data: { 'a b': 'x', k: 'y' }, binaryData: { k: 'eA==' } },
      undefined,
      [
        "data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
        'data[k]: Invalid value: "k": duplicate of key present in binaryData',
      ],
    ],
    [
      'immutable',
      { data: { a: 'b' }, immutable: true },
      (c) => {
        c.data.a = 'c';
        c.immutable = false;
      },
      [
        'immutable: Forbidden: field is immutable when `immutable` is set',
        'data: Forbidden: field is immutable when `immutable` is set',
      ],
    ],
  ],
  'v1/secrets': [
    [
      'wants sense',
      { data: { 'a b': 'eA==' } },
      undefined,
      [
        "data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
      ],
    ],
    [
      'tls',
      { type: 'kubernetes.io/tls', data: {} },
      undefined,
      ['data[tls.crt]: Required value', 'data[tls.key]: Required value'],
    ],
    [
      'docker',
      { type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': 'eA==' } },
      undefined,
      [
        'data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": invalid character \'x\' looking for beginning of value',
      ],
    ],
    [
      'basic',
      { type: 'kubernetes.io/basic-auth' },
      undefined,
      ['data[username]: Required value', 'data[password]: Required value'],
    ],
    ['ssh', { type: 'kubernetes.io/ssh-auth' }, undefined, ['data[ssh-privatekey]: Required value']],
    [
      'sa',
      { type: 'kubernetes.io/service-account-token' },
      undefined,
      ['metadata.annotations[kubernetes.io/service-account.name]: Required value'],
    ],
    [
      'type',
      { data: {} },
      (s) => {
        s.type = 'x/y';
      },
      ['type: Invalid value: "x/y": field is immutable'],
    ],
    [
      'imm',
      { data: { a: 'eA==' }, immutable: true },
      (s) => {
        s.data = {};
      },
      ['data: Forbidden: field is immutable when `immutable` is set'],
    ],
  ],
  'v1/nodes': [
    [
      'wants sense',
      {
        spec: {
          taints: [
            { key: 'a b', effect: 'X' },
            { key: 'k', effect: 'NoSchedule' },
            { key: 'k', effect: 'NoSchedule', value: 'c d' },
          ],
          podCIDRs: ['10.0.0.0/24', '10.0.1.0/24'],
        },
      },
      undefined,
      [
        "metadata.taints[0].key: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        'metadata.taints[0].effect: Unsupported value: "X": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
        "metadata.taints[2].value: Invalid value: \"c d\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
        'metadata.taints[2]: Duplicate value: {"Key":"k","Value":"c d","Effect":"NoSchedule","TimeAdded":null}: taints must be unique by key and effect pair',
        'spec.podCIDRs: Invalid value: ["10.0.0.0/24","10.0.1.0/24"]: may specify no more than one CIDR for each IP family',
      ],
    ],
    [
      'keeps what cannot change',
      { spec: { podCIDR: '10.0.0.0/24', podCIDRs: ['10.0.0.0/24'], providerID: 'a' } },
      (n) => {
        n.spec.podCIDRs = ['10.0.1.0/24'];
        n.spec.podCIDR = '10.0.1.0/24';
        n.spec.providerID = 'b';
      },
      [
        'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid',
        'spec.providerID: Forbidden: node updates may not change providerID except from "" to valid',
      ],
    ],
  ],
  'v1/namespaces': [
    [
      'fin',
      { spec: { finalizers: ['foo'] } },
      undefined,
      ['spec.finalizers: Invalid value: "foo": name is neither a standard finalizer name nor is it fully qualified'],
    ],
  ],
  'v1/resourcequotas': [
    [
      'wants sense',
      { spec: { hard: { foo: '1', pods: '1.5', cpu: '-1' }, scopes: ['X', 'BestEffort', 'NotBestEffort'] } },
      undefined,
      [
        'spec.hard[foo]: Invalid value: "foo": must be a standard resource type or fully qualified',
        'spec.hard[foo]: Invalid value: "foo": must be a standard resource for quota',
        'spec.hard[pods]: Invalid value: "1500m": must be an integer',
        'spec.hard[cpu]: Invalid value: "-1": must be greater than or equal to 0',
        'spec.scopes: Invalid value: ["X","BestEffort","NotBestEffort"]: unsupported scope',
        'spec.scopes: Invalid value: ["X","BestEffort","NotBestEffort"]: unsupported scope applied to resource',
        'spec.scopes: Invalid value: ["X","BestEffort","NotBestEffort"]: conflicting scopes',
      ],
    ],
    [
      'scope',
      { spec: { hard: { cpu: '1' }, scopes: ['BestEffort'] } },
      undefined,
      ['spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource'],
    ],
    [
      'sel',
      {
        spec: {
          hard: { pods: '1' },
          scopeSelector: {
            matchExpressions: [
              { scopeName: 'PriorityClass', operator: 'In' },
              { scopeName: 'BestEffort', operator: 'In', values: ['x'] },
            ],
          },
        },
      },
      undefined,
      [
        "spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
        'spec.scopeSelector.matchExpressions.operator: Invalid value: "In": must be \'Exists\' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity',
      ],
    ],
    [
      'keeps what cannot change',
      { spec: { hard: { pods: '1' }, scopes: ['BestEffort'] } },
      (q) => {
        q.spec.scopes = [];
      },
      ['spec.scopes: Invalid value: []: field is immutable'],
    ],
  ],
  'v1/limitranges': [
    [
      'wants sense',
      {
        spec: {
          limits: [
            {
              type: 'Container',
              max: { cpu: '1' },
              min: { cpu: '2' },
              default: { cpu: '3' },
              defaultRequest: { cpu: '4' },
              maxLimitRequestRatio: { cpu: '0.5' },
            },
            { type: 'Pod', default: { cpu: '1' } },
            { type: 'PersistentVolumeClaim' },
            { type: 'Container' },
          ],
        },
      },
      undefined,
      [
        'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
        'spec.limits[0].defaultRequest[cpu]: Invalid value: "4": default request value 4 is greater than max value 1',
        'spec.limits[0].defaultRequest[cpu]: Invalid value: "4": default request value 4 is greater than default limit value 3',
        'spec.limits[0].default[cpu]: Invalid value: "1": default value 3 is greater than max value 1',
        'spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1',
        "spec.limits[1].default: Forbidden: may not be specified when `type` is 'Pod'",
        'spec.limits[2].limits: Required value: either minimum or maximum storage value is required, but neither was provided',
        'spec.limits[3].type: Duplicate value: "Container"',
      ],
    ],
  ],
  'v1/endpoints': [
    [
      'wants sense',
      {
        subsets: [
          {},
          {
            addresses: [{ ip: 'x' }, { ip: '127.0.0.1', nodeName: 'A' }],
            ports: [
              { port: 0, protocol: 'X' },
              { port: 80, protocol: 'TCP' },
            ],
          },
        ],
      },
      undefined,
      [
        'subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`',
        'subsets[1].addresses[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        'subsets[1].addresses[0].ip: Invalid value: "x": must be a valid IP address',
        "subsets[1].addresses[1].nodeName: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        'subsets[1].addresses[1].ip: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
        'subsets[1].ports[0].name: Required value',
        'subsets[1].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
        'subsets[1].ports[0].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"',
        'subsets[1].ports[1].name: Required value',
      ],
    ],
  ],
  'v1/serviceaccounts': [['ok', {}, undefined, []]],
  'v1/events': [
    [
      'wants sense',
      { metadata: { name: 'a', namespace: 'default' }, involvedObject: { namespace: 'other', kind: 'Pod', apiVersion: 'v1' } },
      undefined,
      ['involvedObject.namespace: Invalid value: "other": does not match event.namespace'],
    ],
  ],
  'v1/podtemplates': [
    ['wants sense', { template: { spec: { containers: [] } } }, undefined, ['template.spec.containers: Required value']],
  ],
};

describe.each(Object.entries(cases))('%s', (name, list) => {
  const resource = resourceOf(name);
  it.each(list)('%s', (_what, draft, change, faults) => {
    expect(faultsOf(resource, draft, change)).toEqual(faults);
  });
});

it('a service may have a name that begins with a digit', () => {
  expect(resourceOf('v1/services').validateName('1a', false)).toEqual([]);
});
