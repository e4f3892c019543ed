import { expect, it } from 'vitest';
import { cells, type Draft, resourceOf } from './resource.fixture.ts';

const threeHoursAgo = '2025-12-31T21:00:00Z';
const metadata = { name: 'a', namespace: 'n', creationTimestamp: threeHoursAgo };
const template = {
  spec: {
    containers: [
      { name: 'c', image: 'i:1' },
      { name: 'd', image: 'j' },
    ],
  },
};
const selector = { matchLabels: { b: '2', a: '1' } };

const rows: readonly (readonly [type: string, object: Draft, row: Readonly<Record<string, unknown>>])[] = [
  [
    'v1/nodes',
    {
      metadata: {
        ...metadata,
        labels: { 'node-role.kubernetes.io/worker': '', 'node-role.kubernetes.io/control-plane': '', 'kubernetes.io/role': 'x' },
      },
      spec: { unschedulable: true },
      status: {
        conditions: [
          { type: 'Ready', status: 'True' },
          { type: 'MemoryPressure', status: 'False' },
        ],
        addresses: [
          { type: 'InternalIP', address: '10.0.0.1' },
          { type: 'ExternalIP', address: '1.2.3.4' },
        ],
        nodeInfo: {
          kubeletVersion: 'v1.36.0',
          osImage: 'Debian',
          kernelVersion: '6.1',
          architecture: 'amd64',
          containerRuntimeVersion: 'containerd://2.0',
        },
      },
    },
    {
      Name: 'a',
      Status: 'Ready,SchedulingDisabled',
      Roles: 'control-plane,worker,x',
      Age: '3h',
      Version: 'v1.36.0',
      'Internal-IP': '10.0.0.1',
      'External-IP': '1.2.3.4',
      'OS-Image': 'Debian',
      'Kernel-Version': '6.1 (amd64)',
      'Container-Runtime': 'containerd://2.0',
    },
  ],
  [
    'v1/services',
    {
      metadata,
      spec: {
        type: 'LoadBalancer',
        clusterIP: '10.96.0.1',
        ports: [
          { port: 80, protocol: 'TCP', nodePort: 30080 },
          { port: 53, protocol: 'UDP' },
        ],
        selector: { b: '2', a: '1' },
        externalIPs: ['9.9.9.9'],
      },
      status: { loadBalancer: { ingress: [{ ip: '1.1.1.1' }] } },
    },
    {
      Name: 'a',
      Type: 'LoadBalancer',
      'Cluster-IP': '10.96.0.1',
      'External-IP': '1.1.1.1,9.9.9.9',
      'Port(s)': '80:30080/TCP,53/UDP',
      Age: '3h',
      Selector: 'a=1,b=2',
    },
  ],
  [
    'v1/endpoints',
    { metadata, subsets: [{ addresses: [{ ip: '1.1.1.1' }, { ip: '1.1.1.2' }], ports: [{ port: 80 }, { port: 443 }] }] },
    { Name: 'a', Endpoints: '1.1.1.1:80,1.1.1.2:80,1.1.1.1:443 + 1 more...', Age: '3h' },
  ],
  ['v1/namespaces', { metadata, status: { phase: 'Active' } }, { Name: 'a', Status: 'Active', Age: '3h' }],
  ['v1/secrets', { metadata, type: 'Opaque', data: { a: 'YQ==', b: '' } }, { Name: 'a', Type: 'Opaque', Data: 2, Age: '3h' }],
  ['v1/configmaps', { metadata, data: { a: '1' }, binaryData: { b: '' } }, { Name: 'a', Data: 2, Age: '3h' }],
  ['v1/serviceaccounts', { metadata, secrets: [{ name: 'x' }] }, { Name: 'a', Age: '3h' }],
  [
    'v1/persistentvolumes',
    {
      metadata,
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce', 'ReadOnlyMany'],
        persistentVolumeReclaimPolicy: 'Retain',
        claimRef: { namespace: 'n', name: 'c' },
        storageClassName: 's',
        volumeMode: 'Filesystem',
      },
      status: { phase: 'Bound', reason: 'r' },
    },
    {
      Name: 'a',
      Capacity: '1Gi',
      'Access Modes': 'RWO,ROX',
      'Reclaim Policy': 'Retain',
      Status: 'Bound',
      Claim: 'n/c',
      StorageClass: 's',
      VolumeAttributesClass: '<unset>',
      Reason: 'r',
      Age: '3h',
      VolumeMode: 'Filesystem',
    },
  ],
  [
    'v1/persistentvolumeclaims',
    {
      metadata,
      spec: { volumeName: 'v', storageClassName: 's', volumeMode: 'Block', accessModes: ['ReadWriteOnce'] },
      status: { phase: 'Bound', capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOncePod'] },
    },
    {
      Name: 'a',
      Status: 'Bound',
      Volume: 'v',
      Capacity: '1Gi',
      'Access Modes': 'RWOP',
      StorageClass: 's',
      VolumeAttributesClass: '<unset>',
      Age: '3h',
      VolumeMode: 'Block',
    },
  ],
  [
    'v1/replicationcontrollers',
    { metadata, spec: { replicas: 3, selector: { a: '1' }, template }, status: { replicas: 2, readyReplicas: 1 } },
    { Name: 'a', Desired: 3, Current: 2, Ready: 1, Age: '3h', Containers: 'c,d', Images: 'i:1,j', Selector: 'a=1' },
  ],
  [
    'v1/podtemplates',
    { metadata, template: { ...template, metadata: { labels: { a: '1' } } } },
    { Name: 'a', Containers: 'c,d', Images: 'i:1,j', 'Pod Labels': 'a=1' },
  ],
  [
    'v1/resourcequotas',
    {
      metadata,
      spec: { hard: { pods: '4', 'requests.cpu': '2', 'limits.cpu': '3' } },
      status: { hard: { pods: '4', 'requests.cpu': '2', 'limits.cpu': '3' }, used: { pods: '1', 'requests.cpu': '500m' } },
    },
    { Name: 'a', Request: 'pods: 1/4, requests.cpu: 500m/2', Limit: 'limits.cpu: 0/3', Age: '3h' },
  ],
  ['v1/limitranges', { metadata }, { Name: 'a', 'Created At': '2025-12-31T21:00:00Z' }],
  [
    'v1/events',
    {
      metadata,
      type: 'Warning',
      reason: 'Failed',
      message: ' it\n',
      involvedObject: { kind: 'Pod', name: 'p', fieldPath: 'spec.x' },
      source: { component: 'kubelet', host: 'h' },
      firstTimestamp: threeHoursAgo,
      lastTimestamp: threeHoursAgo,
      count: 3,
    },
    {
      'Last Seen': '3h',
      Type: 'Warning',
      Reason: 'Failed',
      Object: 'pod/p',
      Subobject: 'spec.x',
      Source: 'kubelet, h',
      Message: 'it',
      'First Seen': '3h',
      Count: 3,
      Name: 'a',
    },
  ],
  [
    'apps/v1/deployments',
    {
      metadata,
      spec: { replicas: 3, selector, template },
      status: { replicas: 3, updatedReplicas: 2, readyReplicas: 1, availableReplicas: 1 },
    },
    {
      Name: 'a',
      Ready: '1/3',
      'Up-to-date': 2,
      Available: 1,
      Age: '3h',
      Containers: 'c,d',
      Images: 'i:1,j',
      Selector: 'a=1,b=2',
    },
  ],
  [
    'apps/v1/replicasets',
    { metadata, spec: { replicas: 3, selector, template }, status: { replicas: 3, readyReplicas: 1 } },
    { Name: 'a', Desired: 3, Current: 3, Ready: 1, Age: '3h', Containers: 'c,d', Images: 'i:1,j', Selector: 'a=1,b=2' },
  ],
  [
    'apps/v1/daemonsets',
    {
      metadata,
      spec: { selector, template: { ...template, spec: { ...template.spec, nodeSelector: { k: 'v' } } } },
      status: {
        desiredNumberScheduled: 3,
        currentNumberScheduled: 2,
        numberReady: 1,
        updatedNumberScheduled: 1,
        numberAvailable: 1,
      },
    },
    {
      Name: 'a',
      Desired: 3,
      Current: 2,
      Ready: 1,
      'Up-to-date': 1,
      Available: 1,
      'Node Selector': 'k=v',
      Age: '3h',
      Containers: 'c,d',
      Images: 'i:1,j',
      Selector: 'a=1,b=2',
    },
  ],
  [
    'apps/v1/statefulsets',
    { metadata, spec: { replicas: 3, selector, template }, status: { replicas: 3, readyReplicas: 1 } },
    { Name: 'a', Ready: '1/3', Age: '3h', Containers: 'c,d', Images: 'i:1,j' },
  ],
  [
    'apps/v1/controllerrevisions',
    {
      metadata: {
        ...metadata,
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'ds', uid: 'u', controller: true }],
      },
      revision: 3,
    },
    { Name: 'a', Controller: 'daemonset.apps/ds', Revision: 3, Age: '3h' },
  ],
  [
    'autoscaling/v2/horizontalpodautoscalers',
    {
      metadata,
      spec: {
        scaleTargetRef: { kind: 'Deployment', name: 'd' },
        minReplicas: 2,
        maxReplicas: 5,
        metrics: [
          { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } },
          { type: 'Resource', resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '1Gi' } } },
          { type: 'Pods', pods: { metric: { name: 'x' }, target: { type: 'AverageValue', averageValue: '5' } } },
        ],
      },
      status: {
        currentReplicas: 3,
        desiredReplicas: 3,
        currentMetrics: [
          { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 40, averageValue: '100m' } } },
        ],
      },
    },
    {
      Name: 'a',
      Reference: 'Deployment/d',
      Targets: 'cpu: 40%/80%, memory: <unknown>/1Gi + 1 more...',
      MinPods: '2',
      MaxPods: 5,
      Replicas: 3,
      Age: '3h',
    },
  ],
  [
    'policy/v1/poddisruptionbudgets',
    { metadata, spec: { minAvailable: '50%' }, status: { disruptionsAllowed: 1 } },
    { Name: 'a', 'Min Available': '50%', 'Max Unavailable': 'N/A', 'Allowed Disruptions': 1, Age: '3h' },
  ],
  [
    'networking.k8s.io/v1/ingresses',
    {
      metadata,
      spec: { ingressClassName: 'c', rules: [{ host: 'a.b' }, { host: 'c.d' }, {}], tls: [{}] },
      status: { loadBalancer: { ingress: [{ ip: '1.1.1.1' }, { hostname: 'h' }] } },
    },
    { Name: 'a', Class: 'c', Hosts: 'a.b,c.d', Address: '1.1.1.1,h', Ports: '80, 443', Age: '3h' },
  ],
  [
    'networking.k8s.io/v1/ingressclasses',
    { metadata, spec: { controller: 'a/b', parameters: { apiGroup: 'g', kind: 'k', name: 'x' } } },
    { Name: 'a', Controller: 'a/b', Parameters: 'k.g/x', Age: '3h' },
  ],
  [
    'networking.k8s.io/v1/networkpolicies',
    { metadata, spec: { podSelector: selector } },
    { Name: 'a', 'Pod-Selector': 'a=1,b=2', Age: '3h' },
  ],
  [
    'networking.k8s.io/v1/servicecidrs',
    { metadata, spec: { cidrs: ['10.0.0.0/24', 'fd00::/64'] } },
    { Name: 'a', CIDRs: '10.0.0.0/24,fd00::/64', Age: '3h' },
  ],
  [
    'networking.k8s.io/v1/ipaddresses',
    { metadata, spec: { parentRef: { group: '', resource: 'services', namespace: 'n', name: 's' } } },
    { Name: 'a', ParentRef: 'services/n/s' },
  ],
  [
    'discovery.k8s.io/v1/endpointslices',
    {
      metadata,
      addressType: 'IPv4',
      ports: [{ port: 80, name: 'p', protocol: 'TCP' }, { port: 443 }],
      endpoints: [{ addresses: ['1.1.1.1'] }, { addresses: ['1.1.1.2'] }, { addresses: ['1.1.1.3'] }, { addresses: ['1.1.1.4'] }],
    },
    { Name: 'a', AddressType: 'IPv4', Ports: '80,443', Endpoints: '1.1.1.1,1.1.1.2,1.1.1.3 + 1 more...', Age: '3h' },
  ],
  ['coordination.k8s.io/v1/leases', { metadata, spec: { holderIdentity: 'h' } }, { Name: 'a', Holder: 'h', Age: '3h' }],
  ['rbac.authorization.k8s.io/v1/roles', { metadata }, { Name: 'a', 'Created At': '2025-12-31T21:00:00Z' }],
  [
    'rbac.authorization.k8s.io/v1/rolebindings',
    {
      metadata,
      roleRef: { kind: 'ClusterRole', name: 'r' },
      subjects: [
        { kind: 'User', name: 'u' },
        { kind: 'User', name: 'v' },
        { kind: 'Group', name: 'g' },
        { kind: 'ServiceAccount', namespace: 'n', name: 's' },
      ],
    },
    { Name: 'a', Role: 'ClusterRole/r', Age: '3h', Users: 'u, v', Groups: 'g', ServiceAccounts: 'n/s' },
  ],
  [
    'storage.k8s.io/v1/storageclasses',
    {
      metadata: { ...metadata, annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
      provisioner: 'p',
      reclaimPolicy: 'Delete',
      volumeBindingMode: 'WaitForFirstConsumer',
      allowVolumeExpansion: true,
    },
    {
      Name: 'a (default)',
      Provisioner: 'p',
      ReclaimPolicy: 'Delete',
      VolumeBindingMode: 'WaitForFirstConsumer',
      AllowVolumeExpansion: true,
      Age: '3h',
    },
  ],
  [
    'storage.k8s.io/v1/csidrivers',
    {
      metadata,
      spec: {
        attachRequired: true,
        podInfoOnMount: false,
        volumeLifecycleModes: ['Persistent', 'Ephemeral'],
        storageCapacity: true,
        requiresRepublish: false,
        tokenRequests: [{ audience: 'a' }],
      },
    },
    {
      Name: 'a',
      AttachRequired: true,
      PodInfoOnMount: false,
      StorageCapacity: true,
      TokenRequests: 'a',
      RequiresRepublish: false,
      Modes: 'Persistent,Ephemeral',
      Age: '3h',
    },
  ],
  ['storage.k8s.io/v1/csinodes', { metadata, spec: { drivers: [{}, {}] } }, { Name: 'a', Drivers: 2, Age: '3h' }],
  [
    'storage.k8s.io/v1/volumeattachments',
    { metadata, spec: { attacher: 'x', source: { persistentVolumeName: 'v' }, nodeName: 'n1' }, status: { attached: true } },
    { Name: 'a', Attacher: 'x', PV: 'v', Node: 'n1', Attached: true, Age: '3h' },
  ],
  [
    'storage.k8s.io/v1/csistoragecapacities',
    { metadata, storageClassName: 's', capacity: '1Gi' },
    { Name: 'a', StorageClassName: 's', Capacity: '1Gi' },
  ],
  ['storage.k8s.io/v1/volumeattributesclasses', { metadata, driverName: 'x' }, { Name: 'a', DriverName: 'x', Age: '3h' }],
  [
    'scheduling.k8s.io/v1/priorityclasses',
    { metadata, value: 10, globalDefault: true, preemptionPolicy: 'Never' },
    { Name: 'a', Value: 10, 'Global-Default': true, Age: '3h', PreemptionPolicy: 'Never' },
  ],
  ['node.k8s.io/v1/runtimeclasses', { metadata, handler: 'h' }, { Name: 'a', Handler: 'h', Age: '3h' }],
  [
    'certificates.k8s.io/v1/certificatesigningrequests',
    {
      metadata,
      spec: { signerName: 'a/b', username: 'u', expirationSeconds: 3600 },
      status: { certificate: 'eA==', conditions: [{ type: 'Approved' }] },
    },
    { Name: 'a', Age: '3h', SignerName: 'a/b', Requestor: 'u', RequestedDuration: '60m', Condition: 'Approved,Issued' },
  ],
  [
    'flowcontrol.apiserver.k8s.io/v1/flowschemas',
    {
      metadata,
      spec: { priorityLevelConfiguration: { name: 'p' }, matchingPrecedence: 1, distinguisherMethod: { type: 'ByUser' } },
      status: { conditions: [{ type: 'Dangling', status: 'False' }] },
    },
    { Name: 'a', PriorityLevel: 'p', MatchingPrecedence: 1, DistinguisherMethod: 'ByUser', Age: '3h', MissingPL: 'False' },
  ],
  [
    'flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations',
    {
      metadata,
      spec: {
        type: 'Limited',
        limited: {
          nominalConcurrencyShares: 30,
          limitResponse: { type: 'Queue', queuing: { queues: 64, handSize: 8, queueLengthLimit: 50 } },
        },
      },
    },
    { Name: 'a', Type: 'Limited', NominalConcurrencyShares: 30, Queues: 64, HandSize: 8, QueueLengthLimit: 50, Age: '3h' },
  ],
  [
    'admissionregistration.k8s.io/v1/validatingwebhookconfigurations',
    { metadata, webhooks: [{}, {}] },
    { Name: 'a', Webhooks: 2, Age: '3h' },
  ],
  [
    'admissionregistration.k8s.io/v1/validatingadmissionpolicies',
    { metadata, spec: { paramKind: { apiVersion: 'v1', kind: 'ConfigMap' }, validations: [{}, {}] } },
    { Name: 'a', Validations: 2, ParamKind: 'v1/ConfigMap', Age: '3h' },
  ],
  [
    'admissionregistration.k8s.io/v1/validatingadmissionpolicybindings',
    { metadata, spec: { policyName: 'p', paramRef: { namespace: 'x', name: 'y' } } },
    { Name: 'a', PolicyName: 'p', ParamRef: 'x/y', Age: '3h' },
  ],
  [
    'admissionregistration.k8s.io/v1/mutatingadmissionpolicies',
    { metadata, spec: { paramKind: { apiVersion: 'v1', kind: 'ConfigMap' }, mutations: [{}], reinvocationPolicy: 'Never' } },
    { Name: 'a', Mutations: 1, ParamKind: 'v1/ConfigMap', Age: '3h' },
  ],
  [
    'admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings',
    { metadata, spec: { policyName: 'p', paramRef: { selector: {} } } },
    { Name: 'a', PolicyName: 'p', ParamRef: '*/*', Age: '3h' },
  ],
  ['apiextensions.k8s.io/v1/customresourcedefinitions', { metadata }, { Name: 'a', 'Created At': '2025-12-31T21:00:00Z' }],
  [
    'apiregistration.k8s.io/v1/apiservices',
    {
      metadata,
      spec: { service: { name: 's', namespace: 'n' } },
      status: { conditions: [{ type: 'Available', status: 'False', reason: 'MissingEndpoints' }] },
    },
    { Name: 'a', Service: 'n/s', Available: 'False (MissingEndpoints)', Age: '3h' },
  ],
];

it.each(rows)('a row of %s', (type, object, row) => {
  expect(cells(resourceOf(type), object)).toEqual(row);
});

it.each(rows)('the columns of %s are in the order of their cells', (type, _object, row) => {
  expect(resourceOf(type).columns.map((column) => column.name)).toEqual(Object.keys(row));
});
