import { deepEqual } from '../../api/groups/define.ts';
import { semanticEqual } from '../../api/groups/semantic-equal.ts';
import { notFound } from '../../api/meta/status.ts';
import type { TokenRequest } from '../../api/types/authentication-v1.ts';
import type { Node, PersistentVolume, PersistentVolumeClaim, Pod, PodSpec, Volume } from '../../api/types/core-v1.ts';
import type { ResourceSlice } from '../../api/types/resource-v1.ts';
import type { CSIDriver } from '../../api/types/storage-v1.ts';
import { nodeOf } from '../authz/node.ts';
import type { AdmissionAttributes, AdmissionPlugin, AdmissionTarget, ApiAccess, Authorizer, MaybePromise } from '../contract.ts';
import { forbiddenLabelChanges } from './node-labels.ts';
import { isAllowed } from './permission.ts';
import { referencesConfigMap, referencesSecret } from './pod-references.ts';
import { refuse } from './refusal.ts';

const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';
const NODES_GROUP = 'system:nodes';
const NODE_USER_PREFIX = 'system:node:';

/** `group/resource` of what nodes write. Of leases only the creation: who may touch which is the authorizer's to say, but it sees no name then. */
const restricted: ReadonlySet<string> = new Set([
  '/pods',
  '/nodes',
  '/persistentvolumeclaims',
  '/serviceaccounts',
  'storage.k8s.io/csinodes',
  'resource.k8s.io/resourceslices',
]);

/** Keeps what nodes write to their own objects: Node, pods bound to them, and what those refer to. */
export function nodeRestriction(authorizer: Authorizer): AdmissionPlugin {
  let access: ApiAccess | undefined;
  return {
    name: 'NodeRestriction',
    initialize: (given) => {
      access = given;
    },
    handles: ({ operation, group, resource, subresource }: AdmissionTarget) => {
      if (operation === 'CONNECT') return false;
      if (group === 'coordination.k8s.io' && resource === 'leases') return operation === 'CREATE';
      if (group === '' && resource === 'serviceaccounts') return subresource === 'token';
      return restricted.has(`${group}/${resource}`);
    },
    mutate: (attributes) => {
      const { user, object } = attributes;
      if (!user.groups.includes(NODES_GROUP) || !user.name.startsWith(NODE_USER_PREFIX)) return object;
      const node = nodeOf(user);
      if (node === undefined) {
        throw refuse(attributes, `could not determine node from user ${JSON.stringify(user.name)}`);
      }
      const waiting = restrict(attributes, node, access!, authorizer);
      return waiting instanceof Promise ? waiting.then(() => object) : object;
    },
  };
}

function restrict(a: AdmissionAttributes, node: string, access: ApiAccess, authorizer: Authorizer): MaybePromise<void> {
  switch (a.resource.resource) {
    case 'pods':
      return restrictPod(a, node, access);
    case 'nodes':
      return restrictNode(a, node);
    case 'persistentvolumeclaims':
      return restrictClaim(a, node);
    case 'serviceaccounts':
      return restrictToken(a, node, access, authorizer);
    case 'leases':
      return restrictLease(a, node);
    case 'csinodes':
      if (nameOf(a) !== node) throw refuse(a, 'can only access CSINode with the same name as the requesting node');
      return undefined;
    default:
      return restrictSlice(a, node);
  }
}

const nameOf = (a: AdmissionAttributes): string => a.name || (a.object?.metadata?.name ?? '');

function restrictPod(a: AdmissionAttributes, node: string, access: ApiAccess): void {
  const self = JSON.stringify(node);
  switch (a.subresource) {
    case '':
      if (a.operation === 'CREATE') restrictMirrorPod(a, node, access);
      else if (a.operation !== 'DELETE') {
        throw refuse(
          a,
          `unexpected operation ${JSON.stringify(a.operation)}, node ${self} can only create and delete mirror pods`,
        );
      } else if ((a.oldObject as Pod).spec?.nodeName !== node) {
        throw refuse(a, `node ${self} can only delete pods with spec.nodeName set to itself`);
      }
      return;
    case 'status':
      restrictPodStatus(a, node);
      return;
    case 'eviction': {
      const pod = access.view<Pod>('', 'pods')?.get(a.namespace, nameOf(a));
      if (pod === undefined) throw notFound({ group: '', resource: 'pods' }, nameOf(a));
      if (pod.spec?.nodeName !== node) throw refuse(a, `node ${node} can only evict pods with spec.nodeName set to itself`);
      return;
    }
    default:
      throw refuse(a, `unexpected pod subresource ${JSON.stringify(a.subresource)}, only 'status' and 'eviction' are allowed`);
  }
}

function restrictPodStatus(a: AdmissionAttributes, node: string): void {
  const self = JSON.stringify(node);
  const pod = a.object as Pod;
  const old = a.oldObject as Pod;
  if (old.spec?.nodeName !== node) {
    throw refuse(a, `node ${self} can only update pod status for pods with spec.nodeName set to itself`);
  }
  if (pod.metadata?.labels !== old.metadata?.labels && !deepEqual(pod.metadata?.labels ?? {}, old.metadata?.labels ?? {})) {
    throw refuse(a, `node ${self} cannot update labels through pod status`);
  }
  if (!deepEqual(pod.status?.resourceClaimStatuses ?? [], old.status?.resourceClaimStatuses ?? [])) {
    throw refuse(a, `node ${self} cannot update resource claim statues`);
  }
}

function restrictMirrorPod(a: AdmissionAttributes, node: string, access: ApiAccess): void {
  const self = JSON.stringify(node);
  const pod = a.object as Pod;
  if (pod.metadata?.annotations?.[MIRROR_ANNOTATION] === undefined) {
    throw refuse(
      a,
      `pod does not have ${JSON.stringify(MIRROR_ANNOTATION)} annotation, node ${self} can only create mirror pods`,
    );
  }
  if (pod.spec?.nodeName !== node) throw refuse(a, `node ${self} can only create pods with spec.nodeName set to itself`);
  const owners = pod.metadata.ownerReferences ?? [];
  if (owners.length > 1) throw refuse(a, `node ${self} can only create pods with a single owner reference set to itself`);
  const owner = owners[0];
  if (owner === undefined || owner.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== node) {
    throw refuse(a, `node ${self} can only create pods with an owner reference set to itself`);
  }
  if (owner.controller !== true) {
    throw refuse(a, `node ${self} can only create pods with a controller owner reference set to itself`);
  }
  if (owner.blockOwnerDeletion === true) throw refuse(a, `node ${self} must not set blockOwnerDeletion on an owner reference`);
  const found = access.view<Node>('', 'nodes')?.get('', node);
  if (found === undefined) throw notFound({ group: '', resource: 'nodes' }, node);
  const uid = found.metadata?.uid ?? '';
  if (owner.uid !== uid) throw refuse(a, `node ${node} UID mismatch: expected ${uid} got ${owner.uid}`);
  const referenced = referenceOf(pod.spec);
  if (referenced !== undefined) throw refuse(a, `node ${self} can not create pods that reference ${referenced}`);
}

/** What of the API a pod refers to, of the kinds that a node may not reach by making pods. */
function referenceOf(spec: PodSpec): string | undefined {
  if (spec.serviceAccountName) return 'a service account';
  if (referencesSecret(spec)) return 'secrets';
  if (referencesConfigMap(spec)) return 'configmaps';
  const volumes = spec.volumes ?? [];
  if (volumes.some((v) => v.projected?.sources?.some((s) => s.clusterTrustBundle !== undefined))) return 'clustertrustbundles';
  if (volumes.some((v) => v.persistentVolumeClaim !== undefined)) return 'persistentvolumeclaims';
  return (spec.resourceClaims ?? []).length > 0 ? 'resourceclaims' : undefined;
}

function restrictNode(a: AdmissionAttributes, node: string): void {
  const self = JSON.stringify(node);
  if (nameOf(a) !== node) throw refuse(a, `node ${self} is not allowed to modify node ${JSON.stringify(nameOf(a))}`);
  if (a.operation === 'DELETE') return;
  const wanted = a.object as Node;
  if (a.operation === 'CREATE') {
    if (wanted.spec?.configSource !== undefined) {
      throw refuse(a, `node ${self} is not allowed to create pods with a non-nil configSource`);
    }
    const labels = forbiddenLabelChanges(wanted.metadata?.labels);
    if (labels.length > 0) throw refuse(a, `node ${self} is not allowed to set the following labels: ${labels.join(', ')}`);
    return;
  }
  const old = a.oldObject as Node;
  if (wanted.spec?.configSource !== undefined && !deepEqual(wanted.spec.configSource, old.spec?.configSource)) {
    throw refuse(a, `node ${self} is not allowed to update configSource to a new non-nil configSource`);
  }
  if (!deepEqual(wanted.spec?.taints ?? [], old.spec?.taints ?? [])) {
    throw refuse(a, `node ${self} is not allowed to modify taints`);
  }
  const labels = forbiddenLabelChanges(wanted.metadata?.labels, old.metadata?.labels);
  if (labels.length > 0) throw refuse(a, `is not allowed to modify labels: ${labels.join(', ')}`);
}

function restrictClaim(a: AdmissionAttributes, node: string): void {
  if (a.subresource !== 'status') throw refuse(a, 'may only update PVC status');
  const comparable = (object: unknown): PersistentVolumeClaim => {
    const { metadata, status, ...rest } = object as PersistentVolumeClaim;
    const { resourceVersion: _v, managedFields: _m, ...keptMeta } = metadata ?? {};
    const { capacity: _c, conditions: _d, allocatedResources: _r, allocatedResourceStatuses: _s, ...kept } = status ?? {};
    return { ...rest, metadata: keptMeta, status: kept };
  };
  if (!semanticEqual('io.k8s.api.core.v1.PersistentVolumeClaim', comparable(a.oldObject), comparable(a.object))) {
    throw refuse(
      a,
      `node ${JSON.stringify(node)} is not allowed to update fields other than status.capacity and status.conditions`,
    );
  }
}

/** A token for a pod of this node, bound to it, for an audience that the pod asks for (KEP-4412). */
function restrictToken(a: AdmissionAttributes, node: string, access: ApiAccess, authorizer: Authorizer): MaybePromise<void> {
  const { spec } = a.object as TokenRequest;
  const ref = spec?.boundObjectRef;
  if (ref === undefined || ref.apiVersion !== 'v1' || ref.kind !== 'Pod' || !ref.name) {
    throw refuse(a, 'node requested token not bound to a pod');
  }
  if (!ref.uid) throw refuse(a, 'node requested token with a pod binding without a uid');
  const pod = access.view<Pod>('', 'pods')?.get(a.namespace, ref.name);
  if (pod === undefined) throw notFound({ group: '', resource: 'pods' }, ref.name);
  if (ref.uid !== pod.metadata?.uid) {
    throw refuse(
      a,
      `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  }
  if (pod.spec?.nodeName !== node) throw refuse(a, 'node requested token bound to a pod scheduled on a different node');
  const audiences = spec?.audiences ?? [];
  if (audiences.length > 1) throw refuse(a, 'node may only request 0 or 1 audiences');
  const audience = audiences[0] ?? '';
  if (asksForAudience(pod.spec, a.namespace, audience, access)) return undefined;
  const permission = {
    verb: 'request-serviceaccounts-token-audience',
    apiGroup: '',
    apiVersion: 'v1',
    resource: audience,
    namespace: a.namespace,
    name: a.name,
  };
  const decide = (allowed: boolean): void => {
    if (allowed) return;
    throw refuse(
      a,
      `audience ${JSON.stringify(audience)} not found in pod spec volume, ${a.user.name} is not authorized to request tokens for this audience`,
    );
  };
  const allowed = isAllowed(authorizer, a.user, permission);
  return allowed instanceof Promise ? allowed.then(decide) : decide(allowed);
}

/** Whether a pod's projected tokens, or the drivers of its volumes, are for an audience. */
function asksForAudience(spec: PodSpec, namespace: string, audience: string, access: ApiAccess): boolean {
  for (const volume of spec.volumes ?? []) {
    const sources = volume.projected?.sources ?? [];
    if (sources.some((s) => s.serviceAccountToken !== undefined && (s.serviceAccountToken.audience ?? '') === audience)) {
      return true;
    }
    const driver = driverOf(volume, namespace, access);
    const found = driver === undefined ? undefined : access.view<CSIDriver>('storage.k8s.io', 'csidrivers')?.get('', driver);
    if (found?.spec.tokenRequests?.some((t) => t.audience === audience)) return true;
  }
  return false;
}

function driverOf(volume: Volume, namespace: string, access: ApiAccess): string | undefined {
  if (volume.csi !== undefined) return volume.csi.driver;
  const name = volume.persistentVolumeClaim?.claimName;
  if (name === undefined) return undefined;
  const claim = access.view<PersistentVolumeClaim>('', 'persistentvolumeclaims')?.get(namespace, name);
  const bound = claim?.spec?.volumeName ?? '';
  return access.view<PersistentVolume>('', 'persistentvolumes')?.get('', bound)?.spec?.csi?.driver;
}

function restrictLease(a: AdmissionAttributes, node: string): void {
  if (a.namespace !== 'kube-node-lease') throw refuse(a, 'can only access leases in the "kube-node-lease" system namespace');
  if (nameOf(a) !== node) throw refuse(a, 'can only access node lease with the same name as the requesting node');
}

function restrictSlice(a: AdmissionAttributes, node: string): void {
  const of = (object: unknown): string => (object as ResourceSlice | undefined)?.spec?.nodeName ?? '';
  if (a.operation === 'CREATE' && of(a.object) !== node) {
    throw refuse(a, 'can only create ResourceSlice with the same NodeName as the requesting node');
  }
  if (a.operation === 'DELETE' && of(a.oldObject) !== node) {
    throw refuse(a, 'can only delete ResourceSlice with the same NodeName as the requesting node');
  }
}
