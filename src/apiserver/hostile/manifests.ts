/** A manifest as a client writes it. */
export interface Manifest {
  /** Where it is created. */
  readonly path: string;
  readonly object: Readonly<Record<string, unknown>>;
  /** It is answered and forgotten: there is nothing to read, change or delete. */
  readonly review?: true;
}

/** The namespace that the manifests of namespaced types are in. */
export const NAMESPACE = 'victim';

const labels = { app: 'a' };
const podTemplate = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } };
const selector = { matchLabels: labels };
const rules = [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['CREATE'], resources: ['widgets'] }];
const matchConstraints = { resourceRules: rules };
const clientConfig = { url: 'https://127.0.0.1:1/never' };
const webhooks = [
  { name: 'a.b.example', clientConfig, rules, sideEffects: 'None', admissionReviewVersions: ['v1'], failurePolicy: 'Ignore' },
];
const subject = { kind: 'User', name: 'u', apiGroup: 'rbac.authorization.k8s.io' };
const roleRef = (kind: string): object => ({ apiGroup: 'rbac.authorization.k8s.io', kind, name: 'a' });
const attributes = { namespace: NAMESPACE, verb: 'get', resource: 'pods' };
const hundred = { storage: '1Gi' };

/** By `group/version`, then by kind: what the least valid object of every served type says beyond its name. */
const byVersion: Readonly<Record<string, Readonly<Record<string, object>>>> = {
  v1: {
    'configmaps ConfigMap': { data: { a: 'b' }, binaryData: { c: 'AAEC' } },
    'endpoints Endpoints': { subsets: [{ addresses: [{ ip: '10.0.0.1' }], ports: [{ port: 80 }] }] },
    'events Event': {
      involvedObject: { namespace: NAMESPACE, kind: 'Pod', name: 'a' },
      reason: 'R',
      message: 'm',
      type: 'Normal',
    },
    'limitranges LimitRange': { spec: { limits: [{ type: 'PersistentVolumeClaim', max: hundred }] } },
    '!namespaces Namespace': {},
    '!nodes Node': { spec: { podCIDR: '10.1.0.0/24', taints: [{ key: 'a', effect: 'NoSchedule' }] } },
    'persistentvolumeclaims PersistentVolumeClaim': {
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: hundred } },
    },
    '!persistentvolumes PersistentVolume': {
      spec: { capacity: hundred, accessModes: ['ReadWriteOnce'], hostPath: { path: '/tmp/x' } },
    },
    'pods Pod': {
      spec: {
        containers: [
          {
            name: 'c',
            image: 'i',
            env: [{ name: 'A', value: 'b' }],
            ports: [{ containerPort: 80 }],
            resources: { requests: { cpu: '1' } },
            livenessProbe: { httpGet: { port: 80 } },
            volumeMounts: [{ name: 'v', mountPath: '/v' }],
          },
        ],
        volumes: [{ name: 'v', emptyDir: {} }],
        tolerations: [{ key: 'a', operator: 'Exists' }],
        nodeSelector: { a: 'b' },
      },
    },
    'podtemplates PodTemplate': { template: podTemplate },
    'replicationcontrollers ReplicationController': { spec: { selector: labels, template: podTemplate } },
    'resourcequotas ResourceQuota': { spec: { hard: { pods: '1000k' } } },
    'secrets Secret': { data: { a: 'YQ==' }, stringData: { b: 'c' } },
    'serviceaccounts ServiceAccount': { secrets: [{ name: 's' }] },
    'services Service': { spec: { selector: labels, ports: [{ name: 'p', port: 80, targetPort: 'http' }] } },
  },
  'admissionregistration.k8s.io/v1': {
    '!mutatingadmissionpolicies MutatingAdmissionPolicy': {
      spec: {
        matchConstraints,
        reinvocationPolicy: 'Never',
        mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression: 'Object{}' } }],
      },
    },
    '!mutatingadmissionpolicybindings MutatingAdmissionPolicyBinding': { spec: { policyName: 'a' } },
    '!mutatingwebhookconfigurations MutatingWebhookConfiguration': { webhooks },
    '!validatingadmissionpolicies ValidatingAdmissionPolicy': {
      spec: { matchConstraints, validations: [{ expression: 'true' }], variables: [{ name: 'v', expression: '1' }] },
    },
    '!validatingadmissionpolicybindings ValidatingAdmissionPolicyBinding': {
      spec: { policyName: 'a', validationActions: ['Deny'] },
    },
    '!validatingwebhookconfigurations ValidatingWebhookConfiguration': { webhooks },
  },
  'apiregistration.k8s.io/v1': {
    '!apiservices APIService': {
      metadata: { name: 'v1.h.example' },
      spec: { group: 'h.example', version: 'v1', groupPriorityMinimum: 1, versionPriority: 1 },
    },
  },
  'apps/v1': {
    'controllerrevisions ControllerRevision': { revision: 1, data: { a: { b: 1 } } },
    'daemonsets DaemonSet': { spec: { selector, template: podTemplate } },
    'deployments Deployment': { spec: { selector, template: podTemplate, strategy: { rollingUpdate: { maxSurge: '25%' } } } },
    'replicasets ReplicaSet': { spec: { selector, template: podTemplate } },
    'statefulsets StatefulSet': { spec: { selector, template: podTemplate, serviceName: 's' } },
  },
  'authentication.k8s.io/v1': {
    '?selfsubjectreviews SelfSubjectReview': {},
    '?tokenreviews TokenReview': { spec: { token: 'abc', audiences: ['a'] } },
  },
  'authorization.k8s.io/v1': {
    'localsubjectaccessreviews LocalSubjectAccessReview': {
      metadata: { namespace: NAMESPACE },
      spec: { resourceAttributes: attributes, user: 'u' },
    },
    '?selfsubjectaccessreviews SelfSubjectAccessReview': { spec: { resourceAttributes: attributes } },
    '?selfsubjectrulesreviews SelfSubjectRulesReview': { spec: { namespace: NAMESPACE } },
    '?subjectaccessreviews SubjectAccessReview': {
      spec: { nonResourceAttributes: { path: '/x', verb: 'get' }, user: 'u', groups: ['g'], extra: { a: ['b'] } },
    },
  },
  'autoscaling/v2': {
    'horizontalpodautoscalers HorizontalPodAutoscaler': {
      spec: {
        maxReplicas: 3,
        scaleTargetRef: { kind: 'Deployment', name: 'a', apiVersion: 'apps/v1' },
        metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } }],
      },
    },
  },
  'autoscaling/v1': {
    'horizontalpodautoscalers HorizontalPodAutoscaler': {
      metadata: { name: 'b' },
      spec: { maxReplicas: 3, scaleTargetRef: { kind: 'Deployment', name: 'a', apiVersion: 'apps/v1' } },
    },
  },
  'batch/v1': {
    'cronjobs CronJob': {
      spec: {
        schedule: '*/5 * * * *',
        timeZone: 'Etc/UTC',
        jobTemplate: { spec: { template: { spec: { ...podTemplate.spec, restartPolicy: 'Never' } } } },
      },
    },
    'jobs Job': { spec: { completions: 1, template: { spec: { ...podTemplate.spec, restartPolicy: 'Never' } } } },
  },
  'coordination.k8s.io/v1': { 'leases Lease': { spec: { holderIdentity: 'h', leaseDurationSeconds: 1 } } },
  'discovery.k8s.io/v1': {
    'endpointslices EndpointSlice': {
      addressType: 'IPv4',
      endpoints: [{ addresses: ['10.0.0.1'] }],
      ports: [{ name: 'p', port: 1 }],
    },
  },
  'resource.k8s.io/v1': {
    '!deviceclasses DeviceClass': { spec: { selectors: [{ cel: { expression: 'device.driver == "a.example"' } }] } },
    'resourceclaims ResourceClaim': {
      spec: { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'a', allocationMode: 'ExactCount', count: 1 } }] } },
    },
    'resourceclaimtemplates ResourceClaimTemplate': {
      spec: { spec: { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'a' } }] } } },
    },
    '!resourceslices ResourceSlice': {
      spec: {
        driver: 'a.example',
        nodeName: 'n',
        pool: { name: 'p', resourceSliceCount: 1, generation: 1 },
        devices: [{ name: 'd', attributes: { a: { string: 'x' } }, capacity: { m: { value: '1Gi' } } }],
      },
    },
  },
  'events.k8s.io/v1': {
    'events Event': {
      metadata: { name: 'b' },
      eventTime: '2026-01-01T00:00:00.000000Z',
      regarding: { namespace: NAMESPACE, kind: 'Pod', name: 'a' },
      reason: 'R',
      action: 'A',
      type: 'Normal',
      reportingController: 'a.example/c',
      reportingInstance: 'i',
    },
  },
  'flowcontrol.apiserver.k8s.io/v1': {
    '!flowschemas FlowSchema': {
      spec: {
        priorityLevelConfiguration: { name: 'a' },
        matchingPrecedence: 500,
        distinguisherMethod: { type: 'ByUser' },
        rules: [
          {
            subjects: [{ kind: 'User', user: { name: 'u' } }],
            resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'] }],
          },
        ],
      },
    },
    '!prioritylevelconfigurations PriorityLevelConfiguration': {
      spec: { type: 'Limited', limited: { nominalConcurrencyShares: 1, limitResponse: { type: 'Reject' } } },
    },
  },
  'networking.k8s.io/v1': {
    '!ingressclasses IngressClass': { spec: { controller: 'a.example/c' } },
    'ingresses Ingress': {
      spec: {
        rules: [
          {
            host: 'a.example',
            http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 's', port: { number: 80 } } } }] },
          },
        ],
        tls: [{ hosts: ['a.example'], secretName: 's' }],
      },
    },
    '!ipaddresses IPAddress': {
      metadata: { name: '10.3.0.1' },
      spec: { parentRef: { resource: 'services', namespace: NAMESPACE, name: 'a' } },
    },
    'networkpolicies NetworkPolicy': {
      spec: {
        podSelector: selector,
        ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }], ports: [{ port: 80, endPort: 90 }] }],
      },
    },
    '!servicecidrs ServiceCIDR': { spec: { cidrs: ['10.4.0.0/24'] } },
  },
  'node.k8s.io/v1': { '!runtimeclasses RuntimeClass': { handler: 'h', overhead: { podFixed: { cpu: '1m' } } } },
  'policy/v1': { 'poddisruptionbudgets PodDisruptionBudget': { spec: { minAvailable: '50%', selector } } },
  'rbac.authorization.k8s.io/v1': {
    '!clusterrolebindings ClusterRoleBinding': { roleRef: roleRef('ClusterRole'), subjects: [subject] },
    '!clusterroles ClusterRole': { rules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }] },
    'rolebindings RoleBinding': { roleRef: roleRef('Role'), subjects: [subject] },
    'roles Role': { rules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'], resourceNames: ['a'] }] },
  },
  'scheduling.k8s.io/v1': { '!priorityclasses PriorityClass': { value: 5, preemptionPolicy: 'Never' } },
  'storage.k8s.io/v1': {
    '!csidrivers CSIDriver': { spec: { attachRequired: false, tokenRequests: [{ audience: 'a' }] } },
    '!csinodes CSINode': { spec: { drivers: [{ name: 'a.example', nodeID: 'n', allocatable: { count: 1 } }] } },
    'csistoragecapacities CSIStorageCapacity': { storageClassName: 's', nodeTopology: selector, capacity: '1Gi' },
    '!storageclasses StorageClass': { provisioner: 'a.example/p', parameters: { a: 'b' } },
    '!volumeattachments VolumeAttachment': {
      spec: { attacher: 'a.example', nodeName: 'n', source: { persistentVolumeName: 'a' } },
    },
    '!volumeattributesclasses VolumeAttributesClass': { driverName: 'a.example', parameters: { a: 'b' } },
  },
  'apiextensions.k8s.io/v1': {
    '!customresourcedefinitions CustomResourceDefinition': {
      metadata: { name: 'gadgets.g.example' },
      spec: {
        group: 'g.example',
        scope: 'Namespaced',
        names: { plural: 'gadgets', kind: 'Gadget' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            subresources: { status: {}, scale: { specReplicasPath: '.spec.n', statusReplicasPath: '.status.n' } },
            additionalPrinterColumns: [{ name: 'N', type: 'integer', jsonPath: '.spec.n' }],
            schema: {
              openAPIV3Schema: {
                type: 'object',
                properties: {
                  spec: {
                    type: 'object',
                    properties: {
                      n: { type: 'integer', minimum: 0, default: 1 },
                      s: { type: 'string', pattern: '^a+$', maxLength: 10 },
                      l: {
                        type: 'array',
                        maxItems: 5,
                        items: { type: 'object', properties: { k: { type: 'string' } }, required: ['k'] },
                        'x-kubernetes-list-type': 'map',
                        'x-kubernetes-list-map-keys': ['k'],
                      },
                      m: { type: 'object', additionalProperties: { type: 'string' } },
                      i: { 'x-kubernetes-int-or-string': true },
                      any: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
                      e: { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
                    },
                    'x-kubernetes-validations': [{ rule: 'self.n < 100', message: 'too many' }],
                  },
                  status: { type: 'object', properties: { n: { type: 'integer' } } },
                },
              },
            },
          },
        ],
      },
    },
  },
  'g.example/v1': {
    'gadgets Gadget': {
      spec: { n: 2, s: 'aa', l: [{ k: 'a' }, { k: 'b' }], m: { a: 'b' }, i: '5', any: { x: [1, { y: null }] } },
    },
  },
};

/** The least valid object of every type that is served; the definition of `gadgets` stands before its instance. */
export const manifests: readonly Manifest[] = Object.entries(byVersion).flatMap(([apiVersion, types]) =>
  Object.entries(types).map(([key, said]): Manifest => {
    const [plural = '', kind = ''] = key.replace(/^[!?]/, '').split(' ');
    const base = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
    const review = plural.endsWith('reviews');
    const namespaced = !/^[!?]/.test(key);
    return {
      path: namespaced ? `${base}/namespaces/${NAMESPACE}/${plural}` : `${base}/${plural}`,
      object: { apiVersion, kind, ...(review ? {} : { metadata: { name: 'a' } }), ...said },
      ...(review ? { review } : {}),
    };
  }),
);

export const nameOf = ({ object }: Manifest): string => (object['metadata'] as { readonly name: string }).name;
/** Where the object of a manifest is. */
export const placeOf = (manifest: Manifest): string => `${manifest.path}/${nameOf(manifest)}`;
