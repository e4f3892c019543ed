import type { KubernetesObject } from '../api/meta/object.ts';
import type {
  MutatingWebhookConfiguration,
  ValidatingAdmissionPolicy,
  ValidatingWebhookConfiguration,
} from '../api/types/admissionregistration-v1.ts';
import type { CustomResourceDefinition } from '../api/types/apiextensions-v1.ts';
import type { APIService } from '../api/types/apiregistration-v1.ts';
import type { ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet } from '../api/types/apps-v1.ts';
import type { HorizontalPodAutoscaler } from '../api/types/autoscaling-v2.ts';
import type { CronJob, Job } from '../api/types/batch-v1.ts';
import type { CertificateSigningRequest } from '../api/types/certificates-v1.ts';
import type { Lease } from '../api/types/coordination-v1.ts';
import type {
  ConfigMap,
  Event as CoreEvent,
  Endpoints,
  LimitRange,
  Namespace,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodTemplate,
  ReplicationController,
  ResourceQuota,
  Secret,
  Service,
  ServiceAccount,
} from '../api/types/core-v1.ts';
import type { EndpointSlice } from '../api/types/discovery-v1.ts';
import type { FlowSchema, PriorityLevelConfiguration } from '../api/types/flowcontrol-v1.ts';
import type { Ingress, IngressClass, IPAddress, NetworkPolicy, ServiceCIDR } from '../api/types/networking-v1.ts';
import type { RuntimeClass } from '../api/types/node-v1.ts';
import type { PodDisruptionBudget } from '../api/types/policy-v1.ts';
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '../api/types/rbac-v1.ts';
import type { DeviceClass, ResourceClaim, ResourceClaimTemplate, ResourceSlice } from '../api/types/resource-v1.ts';
import type { PriorityClass } from '../api/types/scheduling-v1.ts';
import type {
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  StorageClass,
  VolumeAttachment,
  VolumeAttributesClass,
} from '../api/types/storage-v1.ts';
import type { ResourceRef } from './contract.ts';

/**
 * The built-in types as clients name them, each carrying its TypeScript type: `client.resource(pods).get(...)` gives a Pod.
 * Informers are shared by these: two that ask for `pods` get one cache.
 */
function ref<T extends KubernetesObject>(
  group: string,
  version: string,
  kind: string,
  namespaced: boolean,
  plural: string,
): ResourceRef<T> {
  return Object.freeze({ group, version, kind, plural, namespaced });
}

export const pods = ref<Pod>('', 'v1', 'Pod', true, 'pods');
export const nodes = ref<Node>('', 'v1', 'Node', false, 'nodes');
export const namespaces = ref<Namespace>('', 'v1', 'Namespace', false, 'namespaces');
export const services = ref<Service>('', 'v1', 'Service', true, 'services');
export const endpoints = ref<Endpoints>('', 'v1', 'Endpoints', true, 'endpoints');
export const configMaps = ref<ConfigMap>('', 'v1', 'ConfigMap', true, 'configmaps');
export const secrets = ref<Secret>('', 'v1', 'Secret', true, 'secrets');
export const serviceAccounts = ref<ServiceAccount>('', 'v1', 'ServiceAccount', true, 'serviceaccounts');
export const events = ref<CoreEvent>('', 'v1', 'Event', true, 'events');
export const replicationControllers = ref<ReplicationController>(
  '',
  'v1',
  'ReplicationController',
  true,
  'replicationcontrollers',
);
export const persistentVolumes = ref<PersistentVolume>('', 'v1', 'PersistentVolume', false, 'persistentvolumes');
export const persistentVolumeClaims = ref<PersistentVolumeClaim>(
  '',
  'v1',
  'PersistentVolumeClaim',
  true,
  'persistentvolumeclaims',
);
export const resourceQuotas = ref<ResourceQuota>('', 'v1', 'ResourceQuota', true, 'resourcequotas');
export const limitRanges = ref<LimitRange>('', 'v1', 'LimitRange', true, 'limitranges');
export const podTemplates = ref<PodTemplate>('', 'v1', 'PodTemplate', true, 'podtemplates');

export const deployments = ref<Deployment>('apps', 'v1', 'Deployment', true, 'deployments');
export const replicaSets = ref<ReplicaSet>('apps', 'v1', 'ReplicaSet', true, 'replicasets');
export const statefulSets = ref<StatefulSet>('apps', 'v1', 'StatefulSet', true, 'statefulsets');
export const daemonSets = ref<DaemonSet>('apps', 'v1', 'DaemonSet', true, 'daemonsets');
export const controllerRevisions = ref<ControllerRevision>('apps', 'v1', 'ControllerRevision', true, 'controllerrevisions');

export const jobs = ref<Job>('batch', 'v1', 'Job', true, 'jobs');
export const cronJobs = ref<CronJob>('batch', 'v1', 'CronJob', true, 'cronjobs');

export const horizontalPodAutoscalers = ref<HorizontalPodAutoscaler>(
  'autoscaling',
  'v2',
  'HorizontalPodAutoscaler',
  true,
  'horizontalpodautoscalers',
);

export const leases = ref<Lease>('coordination.k8s.io', 'v1', 'Lease', true, 'leases');

export const endpointSlices = ref<EndpointSlice>('discovery.k8s.io', 'v1', 'EndpointSlice', true, 'endpointslices');

export const networkPolicies = ref<NetworkPolicy>('networking.k8s.io', 'v1', 'NetworkPolicy', true, 'networkpolicies');
export const ingresses = ref<Ingress>('networking.k8s.io', 'v1', 'Ingress', true, 'ingresses');
export const serviceCidrs = ref<ServiceCIDR>('networking.k8s.io', 'v1', 'ServiceCIDR', false, 'servicecidrs');
export const ipAddresses = ref<IPAddress>('networking.k8s.io', 'v1', 'IPAddress', false, 'ipaddresses');
export const ingressClasses = ref<IngressClass>('networking.k8s.io', 'v1', 'IngressClass', false, 'ingressclasses');

export const podDisruptionBudgets = ref<PodDisruptionBudget>('policy', 'v1', 'PodDisruptionBudget', true, 'poddisruptionbudgets');

export const roles = ref<Role>('rbac.authorization.k8s.io', 'v1', 'Role', true, 'roles');
export const clusterRoles = ref<ClusterRole>('rbac.authorization.k8s.io', 'v1', 'ClusterRole', false, 'clusterroles');
export const roleBindings = ref<RoleBinding>('rbac.authorization.k8s.io', 'v1', 'RoleBinding', true, 'rolebindings');
export const clusterRoleBindings = ref<ClusterRoleBinding>(
  'rbac.authorization.k8s.io',
  'v1',
  'ClusterRoleBinding',
  false,
  'clusterrolebindings',
);

export const volumeAttributesClasses = ref<VolumeAttributesClass>(
  'storage.k8s.io',
  'v1',
  'VolumeAttributesClass',
  false,
  'volumeattributesclasses',
);
export const storageClasses = ref<StorageClass>('storage.k8s.io', 'v1', 'StorageClass', false, 'storageclasses');
export const volumeAttachments = ref<VolumeAttachment>('storage.k8s.io', 'v1', 'VolumeAttachment', false, 'volumeattachments');
export const csiDrivers = ref<CSIDriver>('storage.k8s.io', 'v1', 'CSIDriver', false, 'csidrivers');
export const csiNodes = ref<CSINode>('storage.k8s.io', 'v1', 'CSINode', false, 'csinodes');
export const csiStorageCapacities = ref<CSIStorageCapacity>(
  'storage.k8s.io',
  'v1',
  'CSIStorageCapacity',
  true,
  'csistoragecapacities',
);

export const priorityClasses = ref<PriorityClass>('scheduling.k8s.io', 'v1', 'PriorityClass', false, 'priorityclasses');

export const runtimeClasses = ref<RuntimeClass>('node.k8s.io', 'v1', 'RuntimeClass', false, 'runtimeclasses');

export const certificateSigningRequests = ref<CertificateSigningRequest>(
  'certificates.k8s.io',
  'v1',
  'CertificateSigningRequest',
  false,
  'certificatesigningrequests',
);

export const mutatingWebhookConfigurations = ref<MutatingWebhookConfiguration>(
  'admissionregistration.k8s.io',
  'v1',
  'MutatingWebhookConfiguration',
  false,
  'mutatingwebhookconfigurations',
);
export const validatingWebhookConfigurations = ref<ValidatingWebhookConfiguration>(
  'admissionregistration.k8s.io',
  'v1',
  'ValidatingWebhookConfiguration',
  false,
  'validatingwebhookconfigurations',
);

export const validatingAdmissionPolicies = ref<ValidatingAdmissionPolicy>(
  'admissionregistration.k8s.io',
  'v1',
  'ValidatingAdmissionPolicy',
  false,
  'validatingadmissionpolicies',
);

export const customResourceDefinitions = ref<CustomResourceDefinition>(
  'apiextensions.k8s.io',
  'v1',
  'CustomResourceDefinition',
  false,
  'customresourcedefinitions',
);

export const apiServices = ref<APIService>('apiregistration.k8s.io', 'v1', 'APIService', false, 'apiservices');

export const resourceClaims = ref<ResourceClaim>('resource.k8s.io', 'v1', 'ResourceClaim', true, 'resourceclaims');
export const resourceClaimTemplates = ref<ResourceClaimTemplate>(
  'resource.k8s.io',
  'v1',
  'ResourceClaimTemplate',
  true,
  'resourceclaimtemplates',
);
export const resourceSlices = ref<ResourceSlice>('resource.k8s.io', 'v1', 'ResourceSlice', false, 'resourceslices');
export const deviceClasses = ref<DeviceClass>('resource.k8s.io', 'v1', 'DeviceClass', false, 'deviceclasses');

export const flowSchemas = ref<FlowSchema>('flowcontrol.apiserver.k8s.io', 'v1', 'FlowSchema', false, 'flowschemas');
export const priorityLevelConfigurations = ref<PriorityLevelConfiguration>(
  'flowcontrol.apiserver.k8s.io',
  'v1',
  'PriorityLevelConfiguration',
  false,
  'prioritylevelconfigurations',
);
