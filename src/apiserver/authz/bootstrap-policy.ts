import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject } from '../../api/types/rbac-v1.ts';

/**
 * The roles and bindings that every cluster has (upstream's rbac bootstrappolicy, v1.36). Rules are written one a line:
 * `group,group: resource,resource [name,name] = verb,verb`, with '' for the core group written `core`, and `url: /path,/path = get` for paths.
 */

const shorthands: Readonly<Record<string, string>> = {
  READ: 'get,list,watch',
  WRITE: 'create,delete,deletecollection,patch,update',
  READWRITE: 'create,delete,deletecollection,get,list,patch,update,watch',
};

/** Parses rules; throws on a line that is none (the tables below are checked by a test). */
export function parseRules(text: string): readonly PolicyRule[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => {
      const match = /^(\S+): (\S+)(?: \[(\S+)\])? = (\S+)$/.exec(line);
      if (match === null) throw new Error(`not a rule: ${line}`);
      const [, groups = '', targets = '', names, verbText = ''] = match;
      const verbs = (shorthands[verbText] ?? verbText).split(',');
      if (groups === 'url') return { verbs, nonResourceURLs: targets.split(',') };
      return {
        verbs,
        apiGroups: groups.split(',').map((g) => (g === 'core' ? '' : g)),
        resources: targets.split(','),
        ...(names === undefined ? {} : { resourceNames: names.split(',') }),
      };
    });
}

const EVENTS = 'core,events.k8s.io: events = create,patch,update';
const DELEGATION = `
  authentication.k8s.io: tokenreviews = create
  authorization.k8s.io: subjectaccessreviews = create`;

const AGGREGATE = 'rbac.authorization.k8s.io/aggregate-to-';

/** Cluster roles by name. */
const clusterRoleRules: Readonly<Record<string, string>> = {
  'cluster-admin': `
    *: * = *
    url: * = *`,
  'system:discovery': 'url: /api,/api/*,/apis,/apis/*,/healthz,/livez,/openapi,/openapi/*,/readyz,/version,/version/ = get',
  'system:monitoring': `
    url: /flagz,/healthz,/healthz/*,/livez,/livez/*,/metrics,/metrics/slis,/readyz,/readyz/*,/statusz = get
    core: nodes/metrics = get`,
  'system:basic-user': `
    authorization.k8s.io: selfsubjectaccessreviews,selfsubjectrulesreviews = create
    authentication.k8s.io: selfsubjectreviews = create`,
  'system:public-info-viewer': 'url: /healthz,/livez,/readyz,/version,/version/ = get',
  'system:aggregate-to-admin': `
    authorization.k8s.io: localsubjectaccessreviews = create
    rbac.authorization.k8s.io: rolebindings,roles = READWRITE`,
  'system:aggregate-to-edit': `
    core: pods/attach,pods/exec,pods/portforward,pods/proxy,secrets,services/proxy = READ
    core: serviceaccounts = impersonate
    core: pods,pods/attach,pods/exec,pods/portforward,pods/proxy = WRITE
    core: pods/eviction = create
    core: configmaps,persistentvolumeclaims,replicationcontrollers,replicationcontrollers/scale,secrets,serviceaccounts,services,services/proxy = WRITE
    core: serviceaccounts/token = create
    core,events.k8s.io: events = WRITE
    apps: daemonsets,deployments,deployments/rollback,deployments/scale,replicasets,replicasets/scale,statefulsets,statefulsets/scale = WRITE
    autoscaling: horizontalpodautoscalers = WRITE
    batch: cronjobs,jobs = WRITE
    extensions: daemonsets,deployments,deployments/rollback,deployments/scale,ingresses,networkpolicies,replicasets,replicasets/scale,replicationcontrollers/scale = WRITE
    policy: poddisruptionbudgets = WRITE
    networking.k8s.io: ingresses,networkpolicies = WRITE
    coordination.k8s.io: leases = READWRITE
    resource.k8s.io: resourceclaims,resourceclaimtemplates = WRITE`,
  'system:aggregate-to-view': `
    core: configmaps,endpoints,persistentvolumeclaims,persistentvolumeclaims/status,pods,replicationcontrollers,replicationcontrollers/scale,serviceaccounts,services,services/status = READ
    core: bindings,limitranges,namespaces/status,pods/log,pods/status,replicationcontrollers/status,resourcequotas,resourcequotas/status = READ
    core: namespaces = READ
    core,events.k8s.io: events = READ
    discovery.k8s.io: endpointslices = READ
    apps: controllerrevisions,daemonsets,daemonsets/status,deployments,deployments/scale,deployments/status,replicasets,replicasets/scale,replicasets/status,statefulsets,statefulsets/scale,statefulsets/status = READ
    autoscaling: horizontalpodautoscalers,horizontalpodautoscalers/status = READ
    batch: cronjobs,cronjobs/status,jobs,jobs/status = READ
    extensions: daemonsets,daemonsets/status,deployments,deployments/scale,deployments/status,ingresses,ingresses/status,networkpolicies,replicasets,replicasets/scale,replicasets/status,replicationcontrollers/scale = READ
    policy: poddisruptionbudgets,poddisruptionbudgets/status = READ
    networking.k8s.io: ingresses,ingresses/status,networkpolicies = READ
    resource.k8s.io: resourceclaims,resourceclaims/status,resourceclaimtemplates = READ`,
  'system:heapster': `
    core: events,namespaces,nodes,pods = READ
    extensions: deployments = READ`,
  'system:node': `
    authentication.k8s.io: tokenreviews = create
    authorization.k8s.io: localsubjectaccessreviews,subjectaccessreviews = create
    core: services = READ
    core: nodes = create,get,list,watch
    core: nodes/status = patch,update
    core: nodes = patch,update
    ${EVENTS}
    core: pods = READ
    core: pods = create,delete
    core: pods/status = patch,update
    core: pods/eviction = create
    core: configmaps,secrets = READ
    core: persistentvolumeclaims,persistentvolumes = get
    core: endpoints = get
    certificates.k8s.io: certificatesigningrequests = create,get,list,watch
    coordination.k8s.io: leases = create,delete,get,patch,update
    storage.k8s.io: volumeattachments = get
    core: serviceaccounts/token = create
    core: persistentvolumeclaims/status = get,patch,update
    storage.k8s.io: csidrivers = READ
    storage.k8s.io: csinodes = create,delete,get,patch,update
    node.k8s.io: runtimeclasses = READ
    resource.k8s.io: resourceclaims = get
    resource.k8s.io: resourceslices = deletecollection
    core: serviceaccounts = get`,
  'system:node-problem-detector': `
    core: nodes = get
    core: nodes/status = patch
    ${EVENTS}`,
  'system:node-bootstrapper': 'certificates.k8s.io: certificatesigningrequests = create,get,list,watch',
  'system:auth-delegator': DELEGATION,
  'system:kube-aggregator': 'core: endpoints,services = READ',
  'system:kube-controller-manager': `
    ${EVENTS}
    coordination.k8s.io: leases = create
    coordination.k8s.io: leases [kube-controller-manager] = get,update
    core: secrets,serviceaccounts = create
    core: secrets = delete
    core: configmaps,namespaces,secrets,serviceaccounts = get
    core: secrets,serviceaccounts = update
    authentication.k8s.io: tokenreviews = create
    authorization.k8s.io: subjectaccessreviews = create
    *: * = list,watch
    core: serviceaccounts/token = create`,
  'system:kube-dns': 'core: endpoints,services = list,watch',
  'system:persistent-volume-provisioner': `
    core: persistentvolumes = create,delete,get,list,watch
    core: persistentvolumeclaims = get,list,update,watch
    storage.k8s.io: storageclasses = READ
    core: events = watch
    ${EVENTS}`,
  'system:certificates.k8s.io:certificatesigningrequests:nodeclient':
    'certificates.k8s.io: certificatesigningrequests/nodeclient = create',
  'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient':
    'certificates.k8s.io: certificatesigningrequests/selfnodeclient = create',
  'system:volume-scheduler': `
    core: persistentvolumes = get,list,patch,update,watch
    storage.k8s.io: storageclasses = READ
    core: persistentvolumeclaims = get,list,patch,update,watch`,
  'system:certificates.k8s.io:legacy-unknown-approver': 'certificates.k8s.io: signers [kubernetes.io/legacy-unknown] = approve',
  'system:certificates.k8s.io:kubelet-serving-approver': 'certificates.k8s.io: signers [kubernetes.io/kubelet-serving] = approve',
  'system:certificates.k8s.io:kube-apiserver-client-approver':
    'certificates.k8s.io: signers [kubernetes.io/kube-apiserver-client] = approve',
  'system:certificates.k8s.io:kube-apiserver-client-kubelet-approver':
    'certificates.k8s.io: signers [kubernetes.io/kube-apiserver-client-kubelet] = approve',
  'system:service-account-issuer-discovery':
    'url: /.well-known/openid-configuration,/.well-known/openid-configuration/,/openid/v1/jwks,/openid/v1/jwks/ = get',
  'system:kubelet-api-admin': `
    core: nodes = READ
    core: nodes = proxy
    core: nodes/log,nodes/metrics,nodes/proxy,nodes/stats = *
    core: nodes/configz,nodes/healthz,nodes/pods = *`,
  'system:node-proxier': `
    core: endpoints,services = list,watch
    core: nodes = READ
    ${EVENTS}
    networking.k8s.io: servicecidrs = list,watch
    discovery.k8s.io: endpointslices = list,watch`,
  'system:kube-scheduler': `
    ${EVENTS}
    coordination.k8s.io: leases = create
    coordination.k8s.io: leases [kube-scheduler] = get,list,update,watch
    coordination.k8s.io: leasecandidates = READWRITE
    core: nodes = READ
    core: pods = delete,get,list,watch
    core: bindings,pods/binding = create
    core: pods/status = patch,update
    core: replicationcontrollers,services = READ
    apps,extensions: replicasets = READ
    apps: statefulsets = READ
    policy: poddisruptionbudgets = READ
    core: persistentvolumeclaims,persistentvolumes = READ
    authentication.k8s.io: tokenreviews = create
    authorization.k8s.io: subjectaccessreviews = create
    storage.k8s.io: csinodes = READ
    storage.k8s.io: volumeattachments = READ
    core: namespaces = READ
    storage.k8s.io: csidrivers = READ
    storage.k8s.io: csistoragecapacities = READ
    resource.k8s.io: deviceclasses = READ
    resource.k8s.io: resourceclaims = get,list,patch,update,watch
    resource.k8s.io: resourceclaims/status = get,list,patch,update,watch
    core: pods/finalizers = update
    resource.k8s.io: resourceslices = READ
    resource.k8s.io: resourceclaims = create,delete
    resource.k8s.io: resourceclaims/binding = patch,update`,
};

/** The user-facing roles are the sum of the roles that carry a label; the roles' own labels by name. */
const aggregated: Readonly<Record<string, string>> = { admin: 'admin', edit: 'edit', view: 'view' };
const aggregationLabels: Readonly<Record<string, string>> = {
  'system:aggregate-to-admin': 'admin',
  'system:aggregate-to-edit': 'edit',
  'system:aggregate-to-view': 'view',
  edit: 'admin',
  view: 'edit',
};

/** What each controller may do, as the service account of its name in kube-system. */
const controllerRules: Readonly<Record<string, string>> = {
  'attachdetach-controller': `
    core: persistentvolumeclaims,persistentvolumes = list,watch
    core: nodes = READ
    core: nodes/status = patch,update
    core: pods = list,watch
    ${EVENTS}
    storage.k8s.io: volumeattachments = create,delete,get,list,watch
    storage.k8s.io: csidrivers = READ
    storage.k8s.io: csinodes = READ`,
  'clusterrole-aggregation-controller': 'rbac.authorization.k8s.io: clusterroles = escalate,get,list,patch,update,watch',
  'cronjob-controller': `
    batch: cronjobs = get,list,update,watch
    batch: jobs = create,delete,get,list,patch,update,watch
    batch: cronjobs/status = update
    batch: cronjobs/finalizers = update
    core: pods = delete,list,watch
    ${EVENTS}`,
  'daemon-set-controller': `
    apps,extensions: daemonsets = READ
    apps,extensions: daemonsets/status = update
    apps,extensions: daemonsets/finalizers = update
    core: nodes = list,watch
    core: pods = create,delete,list,patch,watch
    core: pods/binding = create
    apps: controllerrevisions = create,delete,get,list,patch,update,watch
    ${EVENTS}`,
  'deployment-controller': `
    apps,extensions: deployments = get,list,update,watch
    apps,extensions: deployments/status = update
    apps,extensions: deployments/finalizers = update
    apps,extensions: replicasets = create,delete,get,list,patch,update,watch
    core: pods = get,list,update,watch
    ${EVENTS}`,
  'disruption-controller': `
    apps,extensions: deployments = READ
    apps,extensions: replicasets = READ
    core: replicationcontrollers = READ
    policy: poddisruptionbudgets = READ
    apps: statefulsets = READ
    policy: poddisruptionbudgets/status = update
    core: pods/status = patch,update
    *: */scale = get
    ${EVENTS}`,
  'endpoint-controller': `
    core: pods,services = READ
    core: endpoints = create,delete,get,list,update,watch
    core: endpoints/restricted = create
    ${EVENTS}`,
  'endpointslice-controller': `
    core: nodes,pods,services = READ
    core: services/finalizers = update
    discovery.k8s.io: endpointslices = create,delete,get,list,update,watch
    discovery.k8s.io: endpointslices/restricted = create
    ${EVENTS}`,
  'endpointslicemirroring-controller': `
    core: endpoints,services = READ
    core: services/finalizers = update
    core: endpoints/finalizers = update
    discovery.k8s.io: endpointslices = create,delete,get,list,update,watch
    discovery.k8s.io: endpointslices/restricted = create
    ${EVENTS}`,
  'expand-controller': `
    core: persistentvolumes = get,list,patch,update,watch
    core: persistentvolumeclaims/status = patch,update
    core: persistentvolumeclaims = READ
    ${EVENTS}`,
  'ephemeral-volume-controller': `
    core: pods = READ
    core: pods/finalizers = update
    core: persistentvolumeclaims = create,get,list,watch
    ${EVENTS}`,
  'resource-claim-controller': `
    core: pods = READ
    core: pods/finalizers = update
    resource.k8s.io: resourceclaims = create,delete,get,list,watch
    resource.k8s.io: resourceclaims,resourceclaims/status = patch,update
    core: pods/status = patch,update
    ${EVENTS}
    resource.k8s.io: resourceclaims/binding = patch,update`,
  'device-taint-eviction-controller': `
    core: pods = delete,get,list,watch
    core: pods/status = patch,update
    resource.k8s.io: resourceclaims = READ
    resource.k8s.io: resourceslices = READ
    resource.k8s.io: deviceclasses = READ
    ${EVENTS}`,
  'generic-garbage-collector': `
    *: * = delete,get,list,patch,update,watch
    ${EVENTS}`,
  'horizontal-pod-autoscaler': `
    autoscaling: horizontalpodautoscalers = READ
    autoscaling: horizontalpodautoscalers/status = update
    *: */scale = get,update
    core: pods = list,watch
    metrics.k8s.io: pods = list,watch
    custom.metrics.k8s.io: * = READ
    external.metrics.k8s.io: * = READ
    ${EVENTS}`,
  'job-controller': `
    batch: jobs = get,list,patch,update,watch
    batch: jobs/status = update
    batch: jobs/finalizers = update
    core: pods = create,delete,list,patch,watch
    ${EVENTS}`,
  'namespace-controller': `
    core: namespaces = delete,get,list,watch
    core: namespaces/finalize,namespaces/status = update
    *: * = delete,deletecollection,get,list,watch`,
  'node-controller': `
    core: nodes = delete,get,list,patch,update,watch
    core: nodes/status = patch,update
    core: pods/status = patch,update
    core: pods = delete,get,list,watch
    ${EVENTS}`,
  'persistent-volume-binder': `
    core: persistentvolumes = create,delete,get,list,update,watch
    core: persistentvolumes/status = update
    core: persistentvolumeclaims = get,list,update,watch
    core: persistentvolumeclaims/status = update
    core: pods = create,delete,get,list,watch
    storage.k8s.io: storageclasses = READ
    core: nodes = list,watch
    ${EVENTS}
    core: events = watch`,
  'pod-garbage-collector': `
    core: pods = delete,list,watch
    core: nodes = READ
    core: pods/status = patch`,
  'replicaset-controller': `
    apps,extensions: replicasets = get,list,update,watch
    apps,extensions: replicasets/status = update
    apps,extensions: replicasets/finalizers = update
    core: pods = create,delete,list,patch,watch
    ${EVENTS}`,
  'replication-controller': `
    core: replicationcontrollers = get,list,update,watch
    core: replicationcontrollers/status = update
    core: replicationcontrollers/finalizers = update
    core: pods = create,delete,list,patch,watch
    ${EVENTS}`,
  'resourcequota-controller': `
    *: * = list,watch
    core: resourcequotas/status = update
    ${EVENTS}`,
  'route-controller': `
    core: nodes = list,watch
    core: nodes/status = patch
    ${EVENTS}`,
  'service-account-controller': `
    core: serviceaccounts = create
    ${EVENTS}`,
  'service-controller': `
    core: services = READ
    core: services/status = patch,update
    core: nodes = list,watch
    ${EVENTS}`,
  'service-cidrs-controller': `
    networking.k8s.io: servicecidrs = get,list,patch,update,watch
    networking.k8s.io: servicecidrs/finalizers = patch,update
    networking.k8s.io: servicecidrs/status = patch,update
    networking.k8s.io: ipaddresses = READ
    ${EVENTS}`,
  'statefulset-controller': `
    core: pods = list,watch
    apps: statefulsets = READ
    apps: statefulsets/status = update
    apps: statefulsets/finalizers = update
    core: pods = create,delete,get,patch,update
    apps: controllerrevisions = create,delete,get,list,patch,update,watch
    core: persistentvolumeclaims = create,get,list,watch
    core: persistentvolumeclaims = delete,update
    core: pods/finalizers = update
    ${EVENTS}`,
  'ttl-controller': `
    core: nodes = list,patch,update,watch
    ${EVENTS}`,
  'certificate-controller': `
    certificates.k8s.io: certificatesigningrequests = delete,get,list,watch
    certificates.k8s.io: certificatesigningrequests/approval,certificatesigningrequests/status = update
    certificates.k8s.io: signers [kubernetes.io/kube-apiserver-client-kubelet] = approve
    certificates.k8s.io: signers [kubernetes.io/kube-apiserver-client,kubernetes.io/kube-apiserver-client-kubelet,kubernetes.io/kubelet-serving,kubernetes.io/legacy-unknown] = sign
    authorization.k8s.io: subjectaccessreviews = create
    ${EVENTS}`,
  'pvc-protection-controller': `
    core: persistentvolumeclaims = get,list,update,watch
    core: persistentvolumeclaims/status = update
    core: pods = READ
    ${EVENTS}`,
  'pv-protection-controller': `
    core: persistentvolumes = get,list,update,watch
    ${EVENTS}`,
  'volumeattributesclass-protection-controller': `
    core: persistentvolumeclaims = READ
    core: persistentvolumes = READ
    storage.k8s.io: volumeattributesclasses = get,list,update,watch
    ${EVENTS}`,
  'ttl-after-finished-controller': `
    batch: jobs = delete,get,list,watch
    ${EVENTS}`,
  'root-ca-cert-publisher': `
    core: configmaps = create,update
    ${EVENTS}`,
  'validatingadmissionpolicy-status-controller': `
    admissionregistration.k8s.io: validatingadmissionpolicies = READ
    admissionregistration.k8s.io: validatingadmissionpolicies/status = get,patch,update
    ${EVENTS}`,
  'legacy-service-account-token-cleaner': `
    core: configmaps [kube-apiserver-legacy-service-account-token-tracking] = get
    core: secrets = delete,patch`,
  'selinux-warning-controller': `
    ${EVENTS}
    core: persistentvolumes = READ
    core: persistentvolumeclaims = READ
    core: pods = READ
    storage.k8s.io: csidrivers = READ`,
};

const user = (name: string): Subject => ({ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name });
const group = (name: string): Subject => ({ kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name });
const account = (name: string): Subject => ({ kind: 'ServiceAccount', name, namespace: 'kube-system' });

/** Who is bound to which cluster role from the start. */
const bindings: Readonly<Record<string, readonly Subject[]>> = {
  'cluster-admin': [group('system:masters')],
  'system:monitoring': [group('system:monitoring')],
  'system:discovery': [group('system:authenticated')],
  'system:basic-user': [group('system:authenticated')],
  'system:public-info-viewer': [group('system:authenticated'), group('system:unauthenticated')],
  'system:node-proxier': [user('system:kube-proxy')],
  'system:kube-controller-manager': [user('system:kube-controller-manager')],
  'system:kube-dns': [account('kube-dns')],
  'system:kube-scheduler': [user('system:kube-scheduler')],
  'system:volume-scheduler': [user('system:kube-scheduler')],
  'system:service-account-issuer-discovery': [group('system:serviceaccounts')],
  // The node authorizer gives nodes their rights; the binding is there, empty, for those who look for it.
  'system:node': [],
};

interface NamespaceRole {
  readonly namespace: string;
  readonly name: string;
  readonly rules: string;
}

const LEADER_LOCKING = `
  coordination.k8s.io: leases = create,get,list,update,watch
  coordination.k8s.io: leasecandidates = create,get,list,update,watch`;

const namespaceRoles: readonly NamespaceRole[] = [
  {
    namespace: 'kube-system',
    name: 'extension-apiserver-authentication-reader',
    rules: 'core: configmaps [extension-apiserver-authentication] = READ',
  },
  { namespace: 'kube-system', name: 'system:controller:bootstrap-signer', rules: 'core: secrets = READ' },
  { namespace: 'kube-system', name: 'system:controller:cloud-provider', rules: 'core: configmaps = create,get,list,watch' },
  {
    namespace: 'kube-system',
    name: 'system:controller:token-cleaner',
    rules: `core: secrets = delete,get,list,watch\n${EVENTS}`,
  },
  {
    namespace: 'kube-system',
    name: 'system::leader-locking-kube-controller-manager',
    rules: LEADER_LOCKING,
  },
  {
    namespace: 'kube-system',
    name: 'system::leader-locking-kube-scheduler',
    rules: LEADER_LOCKING,
  },
  {
    namespace: 'kube-public',
    name: 'system:controller:bootstrap-signer',
    rules: `core: configmaps = READ\ncore: configmaps [cluster-info] = update\n${EVENTS}`,
  },
];

interface NamespaceBinding {
  readonly namespace: string;
  readonly name: string;
  readonly role: string;
  readonly subjects: readonly Subject[];
}

const controlPlane = [user('system:kube-controller-manager'), user('system:kube-scheduler')];
const namespaceBindings: readonly NamespaceBinding[] = [
  {
    namespace: 'kube-system',
    name: 'system::extension-apiserver-authentication-reader',
    role: 'extension-apiserver-authentication-reader',
    subjects: controlPlane,
  },
  {
    namespace: 'kube-system',
    name: 'system:controller:bootstrap-signer',
    role: 'system:controller:bootstrap-signer',
    subjects: [account('bootstrap-signer')],
  },
  {
    namespace: 'kube-system',
    name: 'system:controller:cloud-provider',
    role: 'system:controller:cloud-provider',
    subjects: [account('cloud-provider')],
  },
  {
    namespace: 'kube-system',
    name: 'system:controller:token-cleaner',
    role: 'system:controller:token-cleaner',
    subjects: [account('token-cleaner')],
  },
  {
    namespace: 'kube-system',
    name: 'system::leader-locking-kube-controller-manager',
    role: 'system::leader-locking-kube-controller-manager',
    subjects: [user('system:kube-controller-manager'), account('kube-controller-manager'), account('leader-election-controller')],
  },
  {
    namespace: 'kube-system',
    name: 'system::leader-locking-kube-scheduler',
    role: 'system::leader-locking-kube-scheduler',
    subjects: [user('system:kube-scheduler'), account('kube-scheduler')],
  },
  {
    namespace: 'kube-public',
    name: 'system:controller:bootstrap-signer',
    role: 'system:controller:bootstrap-signer',
    subjects: [account('bootstrap-signer')],
  },
];

const RBAC_GROUP = 'rbac.authorization.k8s.io';
const apiVersion = `${RBAC_GROUP}/v1`;
const metadata = (
  name: string,
  namespace?: string,
  labels: Readonly<Record<string, string>> = {},
): ClusterRole['metadata'] & object => ({
  name,
  ...(namespace === undefined ? {} : { namespace }),
  labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults', ...labels },
  // Taken away or set to false, an operator's change is left as it is at the next start.
  annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
});

const controllerRole = (name: string): string => `system:controller:${name}`;

export function bootstrapClusterRoles(): readonly ClusterRole[] {
  const role = (name: string, rules: string): ClusterRole => {
    const label = aggregationLabels[name];
    return {
      apiVersion,
      kind: 'ClusterRole',
      metadata: metadata(name, undefined, label === undefined ? {} : { [AGGREGATE + label]: 'true' }),
      rules: parseRules(rules),
    };
  };
  const sums = Object.entries(aggregated).map(
    ([name, label]): ClusterRole => ({
      ...role(name, ''),
      rules: [],
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [AGGREGATE + label]: 'true' } }] },
    }),
  );
  return [
    ...Object.entries(clusterRoleRules).map(([name, rules]) => role(name, rules)),
    ...sums,
    ...Object.entries(controllerRules).map(([name, rules]) => role(controllerRole(name), rules)),
  ];
}

export function bootstrapClusterRoleBindings(): readonly ClusterRoleBinding[] {
  const binding = (name: string, subjects: readonly Subject[]): ClusterRoleBinding => ({
    apiVersion,
    kind: 'ClusterRoleBinding',
    metadata: metadata(name),
    roleRef: { apiGroup: RBAC_GROUP, kind: 'ClusterRole', name },
    ...(subjects.length === 0 ? {} : { subjects }),
  });
  return [
    ...Object.entries(bindings).map(([name, subjects]) => binding(name, subjects)),
    ...Object.keys(controllerRules).map((name) => binding(controllerRole(name), [account(name)])),
  ];
}

export function bootstrapRoles(): readonly Role[] {
  return namespaceRoles.map((r) => ({
    apiVersion,
    kind: 'Role',
    metadata: metadata(r.name, r.namespace),
    rules: parseRules(r.rules),
  }));
}

export function bootstrapRoleBindings(): readonly RoleBinding[] {
  return namespaceBindings.map((b) => ({
    apiVersion,
    kind: 'RoleBinding',
    metadata: metadata(b.name, b.namespace),
    roleRef: { apiGroup: RBAC_GROUP, kind: 'Role', name: b.role },
    subjects: b.subjects,
  }));
}
