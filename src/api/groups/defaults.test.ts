import { describe, expect, it } from 'vitest';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { created, type Draft, resourceOf, updated, updateFaults } from './resource.fixture.ts';

/** What is written, and what there is of it after defaults and preparation, the metadata aside. */
type Case = readonly [what: string, draft: Draft, made: Draft];

const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
const filledTemplate = {
  metadata: { labels: { a: 'b' } },
  spec: {
    containers: [
      {
        name: 'c',
        image: 'i',
        resources: {},
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
        imagePullPolicy: 'Always',
      },
    ],
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    securityContext: {},
    schedulerName: 'default-scheduler',
  },
};
const everything = { namespaceSelector: {}, objectSelector: {} };
const averageCpu = {
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
};
const webhook = {
  name: 'a.b.c',
  failurePolicy: 'Fail',
  matchPolicy: 'Equivalent',
  ...everything,
  timeoutSeconds: 10,
  rules: [{ scope: '*' }],
};

const cases: Readonly<Record<string, readonly Case[]>> = {
  'v1/pods': [
    [
      'probes, ports and hooks',
      {
        spec: {
          containers: [
            {
              name: 'c',
              image: 'i:1',
              ports: [{ containerPort: 80 }],
              livenessProbe: { httpGet: { port: 80 } },
              readinessProbe: { grpc: { port: 1 }, periodSeconds: 5 },
              lifecycle: { preStop: { httpGet: { port: 1 } } },
              env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
              resources: { limits: { cpu: '1' } },
            },
          ],
        },
      },
      {
        spec: {
          containers: [
            {
              name: 'c',
              image: 'i:1',
              ports: [{ containerPort: 80, protocol: 'TCP' }],
              livenessProbe: {
                httpGet: { port: 80, path: '/', scheme: 'HTTP' },
                timeoutSeconds: 1,
                periodSeconds: 10,
                successThreshold: 1,
                failureThreshold: 3,
              },
              readinessProbe: {
                grpc: { port: 1, service: '' },
                timeoutSeconds: 1,
                periodSeconds: 5,
                successThreshold: 1,
                failureThreshold: 3,
              },
              lifecycle: { preStop: { httpGet: { port: 1, path: '/', scheme: 'HTTP' } } },
              env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name', apiVersion: 'v1' } } }],
              resources: { limits: { cpu: '1' }, requests: { cpu: '1' } },
              terminationMessagePath: '/dev/termination-log',
              terminationMessagePolicy: 'File',
              imagePullPolicy: 'IfNotPresent',
            },
          ],
          enableServiceLinks: true,
          restartPolicy: 'Always',
          terminationGracePeriodSeconds: 30,
          dnsPolicy: 'ClusterFirst',
          securityContext: {},
          schedulerName: 'default-scheduler',
        },
        status: { phase: 'Pending', qosClass: 'Burstable' },
      },
    ],
    [
      'volumes',
      {
        spec: {
          containers: [],
          volumes: [
            { name: 'a' },
            { name: 'b', secret: { secretName: 's' } },
            { name: 'c', configMap: { name: 's' } },
            { name: 'd', hostPath: { path: '/a' } },
            { name: 'e', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } },
            { name: 'f', downwardAPI: {} },
            { name: 'g', iscsi: {} },
            { name: 'h', rbd: {} },
            { name: 'i', azureDisk: {} },
            { name: 'j', scaleIO: {} },
            { name: 'k', ephemeral: { volumeClaimTemplate: { spec: {} } } },
            { name: 'l', image: { reference: 'i:latest' } },
          ],
        },
      },
      {
        spec: {
          containers: [],
          volumes: [
            { name: 'a', emptyDir: {} },
            { name: 'b', secret: { secretName: 's', defaultMode: 0o644 } },
            { name: 'c', configMap: { name: 's', defaultMode: 0o644 } },
            { name: 'd', hostPath: { path: '/a', type: '' } },
            {
              name: 'e',
              projected: { sources: [{ serviceAccountToken: { path: 't', expirationSeconds: 3600 } }], defaultMode: 0o644 },
            },
            { name: 'f', downwardAPI: { defaultMode: 0o644 } },
            { name: 'g', iscsi: { iscsiInterface: 'default' } },
            { name: 'h', rbd: { pool: 'rbd', user: 'admin', keyring: '/etc/ceph/keyring' } },
            { name: 'i', azureDisk: { cachingMode: 'ReadWrite', kind: 'Shared', fsType: 'ext4', readOnly: false } },
            { name: 'j', scaleIO: { storageMode: 'ThinProvisioned', fsType: 'xfs' } },
            { name: 'k', ephemeral: { volumeClaimTemplate: { spec: { volumeMode: 'Filesystem' } } } },
            { name: 'l', image: { reference: 'i:latest', pullPolicy: 'Always' } },
          ],
          enableServiceLinks: true,
          restartPolicy: 'Always',
          terminationGracePeriodSeconds: 30,
          dnsPolicy: 'ClusterFirst',
          securityContext: {},
          schedulerName: 'default-scheduler',
        },
        status: { phase: 'Pending', qosClass: 'BestEffort' },
      },
    ],
  ],
  'v1/podtemplates': [['a template', { template }, { template: filledTemplate }]],
  'v1/replicationcontrollers': [
    [
      'a selector',
      { spec: { template } },
      { spec: { template: filledTemplate, replicas: 1, selector: { a: 'b' } }, status: { replicas: 0 } },
    ],
  ],
  'v1/services': [
    [
      'a port',
      { spec: { ports: [{ port: 80 }] } },
      {
        spec: {
          ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
          type: 'ClusterIP',
          sessionAffinity: 'None',
          internalTrafficPolicy: 'Cluster',
        },
        status: { loadBalancer: {} },
      },
    ],
    [
      'a load balancer',
      { spec: { type: 'LoadBalancer', sessionAffinity: 'ClientIP', ports: [{ port: 80, targetPort: 'a' }] } },
      {
        spec: {
          type: 'LoadBalancer',
          sessionAffinity: 'ClientIP',
          ports: [{ port: 80, targetPort: 'a', protocol: 'TCP' }],
          sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } },
          externalTrafficPolicy: 'Cluster',
          internalTrafficPolicy: 'Cluster',
          allocateLoadBalancerNodePorts: true,
        },
        status: { loadBalancer: {} },
      },
    ],
    [
      'a name elsewhere',
      { spec: { type: 'ExternalName', externalName: 'a.b' } },
      { spec: { type: 'ExternalName', externalName: 'a.b', sessionAffinity: 'None' }, status: { loadBalancer: {} } },
    ],
  ],
  'v1/endpoints': [
    ['a port', { subsets: [{ ports: [{ port: 80 }] }] }, { subsets: [{ ports: [{ port: 80, protocol: 'TCP' }] }] }],
  ],
  'v1/secrets': [['a type', {}, { type: 'Opaque' }]],
  'v1/persistentvolumes': [
    [
      'how it is used',
      { spec: { hostPath: { path: '/a' }, capacity: { storage: '1Gi' } }, status: { phase: 'Bound' } },
      {
        spec: {
          hostPath: { path: '/a', type: '' },
          capacity: { storage: '1Gi' },
          persistentVolumeReclaimPolicy: 'Retain',
          volumeMode: 'Filesystem',
        },
        status: { phase: 'Pending', lastPhaseTransitionTime: '2026-01-01T00:00:00Z' },
      },
    ],
  ],
  'v1/persistentvolumeclaims': [
    [
      'a source in the place of both',
      { spec: { dataSource: { kind: 'PersistentVolumeClaim', name: 'a' } } },
      {
        spec: {
          dataSource: { kind: 'PersistentVolumeClaim', name: 'a' },
          dataSourceRef: { kind: 'PersistentVolumeClaim', name: 'a' },
          volumeMode: 'Filesystem',
        },
        status: { phase: 'Pending' },
      },
    ],
    [
      'no source of a kind that never was one',
      { spec: { dataSource: { apiGroup: 'g.io', kind: 'Backup', name: 'a' } } },
      { spec: { volumeMode: 'Filesystem' }, status: { phase: 'Pending' } },
    ],
    [
      'a source of any kind by reference',
      { spec: { dataSourceRef: { apiGroup: 'g.io', kind: 'Backup', name: 'a' } } },
      {
        spec: {
          dataSource: { apiGroup: 'g.io', kind: 'Backup', name: 'a' },
          dataSourceRef: { apiGroup: 'g.io', kind: 'Backup', name: 'a' },
          volumeMode: 'Filesystem',
        },
        status: { phase: 'Pending' },
      },
    ],
    [
      'no source of another namespace',
      { spec: { dataSourceRef: { apiGroup: 'g.io', kind: 'Backup', name: 'a', namespace: 'n' } } },
      { spec: { volumeMode: 'Filesystem' }, status: { phase: 'Pending' } },
    ],
  ],
  'v1/namespaces': [['its finalizer', {}, { spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } }]],
  'v1/nodes': [
    [
      'what pods may have of it',
      { spec: { podCIDR: '10.0.0.0/24' }, status: { capacity: { cpu: '2' } } },
      {
        spec: { podCIDR: '10.0.0.0/24', podCIDRs: ['10.0.0.0/24'] },
        status: { capacity: { cpu: '2' }, allocatable: { cpu: '2' } },
      },
    ],
  ],
  'v1/limitranges': [
    [
      'what a container gets',
      { spec: { limits: [{ type: 'Container', max: { cpu: '2' }, min: { memory: '1' } }] } },
      {
        spec: {
          limits: [
            {
              type: 'Container',
              max: { cpu: '2' },
              min: { memory: '1' },
              default: { cpu: '2' },
              defaultRequest: { cpu: '2', memory: '1' },
            },
          ],
        },
      },
    ],
  ],
  'apps/v1/deployments': [
    [
      'how it rolls',
      { spec: { template } },
      {
        spec: {
          template: filledTemplate,
          replicas: 1,
          strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
          revisionHistoryLimit: 10,
          progressDeadlineSeconds: 600,
        },
        status: {},
      },
    ],
    [
      'nothing of rolling where all is made anew',
      { spec: { template, replicas: 0, strategy: { type: 'Recreate' } } },
      {
        spec: {
          template: filledTemplate,
          replicas: 0,
          strategy: { type: 'Recreate' },
          revisionHistoryLimit: 10,
          progressDeadlineSeconds: 600,
        },
        status: {},
      },
    ],
  ],
  'apps/v1/replicasets': [
    ['one pod', { spec: { template } }, { spec: { template: filledTemplate, replicas: 1 }, status: { replicas: 0 } }],
  ],
  'apps/v1/daemonsets': [
    [
      'how it rolls',
      { spec: { template } },
      {
        spec: {
          template: filledTemplate,
          updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
          revisionHistoryLimit: 10,
        },
        status: { currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 },
      },
    ],
  ],
  'apps/v1/statefulsets': [
    [
      'how it rolls, and whole claims',
      { spec: { template, volumeClaimTemplates: [{ metadata: { name: 'v' }, spec: {} }] } },
      {
        spec: {
          template: filledTemplate,
          volumeClaimTemplates: [
            {
              kind: 'PersistentVolumeClaim',
              apiVersion: 'v1',
              metadata: { name: 'v' },
              spec: { volumeMode: 'Filesystem' },
              status: { phase: 'Pending' },
            },
          ],
          podManagementPolicy: 'OrderedReady',
          updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
          replicas: 1,
          revisionHistoryLimit: 10,
          persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
        },
        status: { replicas: 0, availableReplicas: 0 },
      },
    ],
  ],
  'autoscaling/v2/horizontalpodautoscalers': [
    [
      'what it watches',
      { spec: { maxReplicas: 3 } },
      { spec: { maxReplicas: 3, minReplicas: 1, metrics: [averageCpu] }, status: { desiredReplicas: 0 } },
    ],
    [
      'how fast it goes',
      { spec: { maxReplicas: 3, behavior: { scaleUp: {} } } },
      {
        spec: {
          maxReplicas: 3,
          minReplicas: 1,
          metrics: [averageCpu],
          behavior: {
            scaleUp: {
              stabilizationWindowSeconds: 0,
              selectPolicy: 'Max',
              policies: [
                { type: 'Pods', value: 4, periodSeconds: 15 },
                { type: 'Percent', value: 100, periodSeconds: 15 },
              ],
            },
            scaleDown: { selectPolicy: 'Max', policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] },
          },
        },
        status: { desiredReplicas: 0 },
      },
    ],
  ],
  'policy/v1/poddisruptionbudgets': [
    [
      'a status that allows nothing',
      { spec: {} },
      { spec: {}, status: { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 } },
    ],
  ],
  'networking.k8s.io/v1/ingressclasses': [
    [
      'a scope',
      { spec: { controller: 'a/b', parameters: { kind: 'a', name: 'b' } } },
      { spec: { controller: 'a/b', parameters: { kind: 'a', name: 'b', scope: 'Cluster' } } },
    ],
  ],
  'networking.k8s.io/v1/networkpolicies': [
    [
      'what it is about',
      { spec: { podSelector: {}, ingress: [{ ports: [{ port: 1 }] }] } },
      { spec: { podSelector: {}, ingress: [{ ports: [{ port: 1, protocol: 'TCP' }] }], policyTypes: ['Ingress'] } },
    ],
    [
      'both ways',
      { spec: { podSelector: {}, egress: [{}] } },
      { spec: { podSelector: {}, egress: [{}], policyTypes: ['Ingress', 'Egress'] } },
    ],
  ],
  'discovery.k8s.io/v1/endpointslices': [
    [
      'a port',
      { addressType: 'IPv4', endpoints: [], ports: [{ port: 1 }] },
      { addressType: 'IPv4', endpoints: [], ports: [{ port: 1, name: '', protocol: 'TCP' }] },
    ],
  ],
  'rbac.authorization.k8s.io/v1/rolebindings': [
    [
      'the groups of its subjects',
      {
        subjects: [
          { kind: 'User', name: 'u' },
          { kind: 'ServiceAccount', name: 's' },
        ],
        roleRef: { kind: 'Role', name: 'r' },
      },
      {
        subjects: [
          { kind: 'User', name: 'u', apiGroup: 'rbac.authorization.k8s.io' },
          { kind: 'ServiceAccount', name: 's' },
        ],
        roleRef: { kind: 'Role', name: 'r', apiGroup: 'rbac.authorization.k8s.io' },
      },
    ],
  ],
  'storage.k8s.io/v1/storageclasses': [
    ['when it binds', { provisioner: 'p' }, { provisioner: 'p', reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' }],
  ],
  'storage.k8s.io/v1/csidrivers': [
    [
      'what it cannot do',
      { spec: {} },
      {
        spec: {
          attachRequired: true,
          fsGroupPolicy: 'ReadWriteOnceWithFSType',
          podInfoOnMount: false,
          requiresRepublish: false,
          seLinuxMount: false,
          storageCapacity: false,
          volumeLifecycleModes: ['Persistent'],
        },
      },
    ],
  ],
  'storage.k8s.io/v1/volumeattachments': [
    ['nothing attached', { spec: {}, status: { attached: true } }, { spec: {}, status: { attached: false } }],
  ],
  'scheduling.k8s.io/v1/priorityclasses': [
    ['what gives way', { value: 1 }, { value: 1, preemptionPolicy: 'PreemptLowerPriority' }],
  ],
  'flowcontrol.apiserver.k8s.io/v1/flowschemas': [
    [
      'a precedence',
      { spec: { priorityLevelConfiguration: { name: 'a' } } },
      { spec: { priorityLevelConfiguration: { name: 'a' }, matchingPrecedence: 1000 }, status: {} },
    ],
  ],
  'flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations': [
    [
      'queues',
      { spec: { type: 'Limited', limited: { limitResponse: { type: 'Queue', queuing: {} } } } },
      {
        spec: {
          type: 'Limited',
          limited: {
            nominalConcurrencyShares: 30,
            lendablePercent: 0,
            limitResponse: { type: 'Queue', queuing: { queues: 64, handSize: 8, queueLengthLimit: 50 } },
          },
        },
        status: {},
      },
    ],
    [
      'no share',
      { spec: { type: 'Exempt' } },
      { spec: { type: 'Exempt', exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } }, status: {} },
    ],
  ],
  'admissionregistration.k8s.io/v1/validatingwebhookconfigurations': [
    [
      'what it is asked about',
      { webhooks: [{ name: 'a.b.c', clientConfig: { service: { name: 's', namespace: 'n' } }, rules: [{}] }] },
      { webhooks: [{ ...webhook, clientConfig: { service: { name: 's', namespace: 'n', port: 443 } } }] },
    ],
  ],
  'admissionregistration.k8s.io/v1/mutatingwebhookconfigurations': [
    [
      'what it is asked about',
      { webhooks: [{ name: 'a.b.c', clientConfig: { url: 'https://x' }, rules: [{}] }] },
      { webhooks: [{ ...webhook, clientConfig: { url: 'https://x' }, reinvocationPolicy: 'Never' }] },
    ],
  ],
  'admissionregistration.k8s.io/v1/validatingadmissionpolicies': [
    [
      'what it is about',
      { spec: { matchConstraints: { resourceRules: [{}] } } },
      {
        spec: {
          failurePolicy: 'Fail',
          matchConstraints: { matchPolicy: 'Equivalent', ...everything, resourceRules: [{ scope: '*' }] },
        },
        status: {},
      },
    ],
  ],
  'admissionregistration.k8s.io/v1/mutatingadmissionpolicies': [
    [
      'what it is about',
      { spec: { matchConstraints: {} } },
      { spec: { failurePolicy: 'Fail', matchConstraints: { matchPolicy: 'Equivalent', ...everything } } },
    ],
  ],
  'admissionregistration.k8s.io/v1/validatingadmissionpolicybindings': [
    [
      'what it is about',
      { spec: { policyName: 'p', matchResources: {} } },
      { spec: { policyName: 'p', matchResources: { matchPolicy: 'Equivalent', ...everything } } },
    ],
  ],
  'apiextensions.k8s.io/v1/customresourcedefinitions': [
    [
      'names and a conversion',
      {
        spec: {
          names: { kind: 'Foo', plural: 'foos' },
          versions: [{ name: 'v1', storage: true, served: true }],
          conversion: { strategy: 'Webhook', webhook: { clientConfig: { service: { name: 's', namespace: 'n' } } } },
        },
      },
      {
        spec: {
          names: { kind: 'Foo', plural: 'foos', singular: 'foo', listKind: 'FooList' },
          versions: [{ name: 'v1', storage: true, served: true }],
          conversion: {
            strategy: 'Webhook',
            webhook: { clientConfig: { service: { name: 's', namespace: 'n', port: 443 } } },
          },
        },
        status: { conditions: [], acceptedNames: { plural: '', kind: '' }, storedVersions: ['v1'] },
      },
    ],
  ],
  'apiregistration.k8s.io/v1/apiservices': [
    [
      'a port',
      { spec: { group: 'g', version: 'v1', service: { name: 's', namespace: 'n' } } },
      { spec: { group: 'g', version: 'v1', service: { name: 's', namespace: 'n', port: 443 } }, status: {} },
    ],
  ],
  'resource.k8s.io/v1/resourceclaims': [
    [
      'one device',
      { spec: { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'c', tolerations: [{ key: 'a' }] } }] } } },
      {
        spec: {
          devices: {
            requests: [
              {
                name: 'r',
                exactly: {
                  deviceClassName: 'c',
                  tolerations: [{ key: 'a', operator: 'Equal' }],
                  allocationMode: 'ExactCount',
                  count: 1,
                },
              },
            ],
          },
        },
        status: {},
      },
    ],
  ],
};

describe.each(Object.entries(cases))('a new one of %s gets', (name, list) => {
  const resource = resourceOf(name);
  it.each(list)('%s', (_what, draft, made) => {
    const { metadata: _metadata, ...rest } = created(resource, draft);
    expect(rest).toEqual(made);
  });
});

describe('the metadata of a new', () => {
  it('namespace has its name for a label', () => {
    expect(created(resourceOf('v1/namespaces'), { metadata: { name: 'n' } }).metadata.labels).toEqual({
      'kubernetes.io/metadata.name': 'n',
    });
  });

  it('replication controller has the labels of its pods', () => {
    const { metadata } = created(resourceOf('v1/replicationcontrollers'), { spec: { template } });
    expect(metadata).toMatchObject({ labels: { a: 'b' }, generation: 1 });
  });

  it('daemon set counts its templates', () => {
    const { metadata } = created(resourceOf('apps/v1/daemonsets'), { spec: { template } });
    expect(metadata.annotations).toEqual({ 'deprecated.daemonset.template.generation': '1' });
  });
});

describe('what this release has switched off', () => {
  const pods = resourceOf('v1/pods');
  const container = { name: 'c', image: 'i' };
  const asked = {
    spec: {
      schedulingGroup: { podGroupName: 'g' },
      containers: [
        { ...container, lifecycle: { stopSignal: 'SIGQUIT' } },
        { ...container, lifecycle: { stopSignal: 'SIGQUIT', preStop: { sleep: { seconds: 1 } } } },
      ],
      volumes: [
        {
          name: 'v',
          projected: {
            sources: [{ podCertificate: { signerName: 'a/b', keyType: 'ED25519' } }, { clusterTrustBundle: { path: 'p' } }],
          },
        },
      ],
    },
  };

  it('is not there', () => {
    const { spec } = created(pods, asked);
    expect(spec.schedulingGroup).toBeUndefined();
    expect(spec.containers[0].lifecycle).toBeUndefined();
    expect(spec.containers[1].lifecycle).toEqual({ preStop: { sleep: { seconds: 1 } } });
    expect(spec.volumes[0].projected.sources).toEqual([{}, {}]);
  });

  it('is not there in a lease, nor in a driver', () => {
    const lease = created(resourceOf('coordination.k8s.io/v1/leases'), {
      spec: { strategy: 'OldestEmulationVersion', preferredHolder: 'h' },
    });
    expect(lease.spec).toEqual({});
    const driver = created(resourceOf('storage.k8s.io/v1/csidrivers'), { spec: { preventPodSchedulingIfMissing: true } });
    expect(driver.spec.preventPodSchedulingIfMissing).toBeUndefined();
  });

  it('stays where it is in use, and is looked at', () => {
    const leases = resourceOf('coordination.k8s.io/v1/leases');
    const lease = deepFreeze({ ...created(leases, {}), spec: { strategy: 'OldestEmulationVersion', preferredHolder: 'h' } });
    expect(updateFaults(leases, lease, (l) => void delete l.spec.strategy)).toEqual([
      'spec.preferredHolder: Forbidden: may only be specified when `strategy` is defined',
    ]);
    expect(updateFaults(leases, lease, (l) => void (l.spec.strategy = 'a b'))[0]).toMatch(
      /^spec\.strategy: Invalid value: "a b": name part/,
    );
  });

  it('stays in a pod where it is in use', () => {
    const old = deepFreeze({ ...created(pods, asked), spec: asked.spec });
    const { spec } = updated(pods, old, () => {});
    expect(spec.schedulingGroup).toEqual({ podGroupName: 'g' });
    expect(spec.containers[0].lifecycle).toEqual({ stopSignal: 'SIGQUIT' });
    expect(spec.volumes[0].projected.sources).toEqual(asked.spec.volumes[0]!.projected.sources);
  });
});

it('an autoscaler without a metric watches the processor, in the old version, too', () => {
  const resource = resourceOf('autoscaling/v1/horizontalpodautoscalers');
  const stored = resource.conversion!.toStorage(created(resource, { spec: { maxReplicas: 3 } }));
  expect(stored).toMatchObject({ spec: { minReplicas: 1, maxReplicas: 3, metrics: [averageCpu] } });
  expect(resource.conversion!.fromStorage(stored)).toMatchObject({ spec: { targetCPUUtilizationPercentage: 80 } });
});
