import { objectKey } from '../../api/meta/object.ts';
import type { UserInfo } from '../../api/request.ts';
import type { PersistentVolume, PersistentVolumeClaim, Pod, Volume } from '../../api/types/core-v1.ts';
import type { PolicyRule } from '../../api/types/rbac-v1.ts';
import type { ResourceSlice } from '../../api/types/resource-v1.ts';
import type { VolumeAttachment } from '../../api/types/storage-v1.ts';
import type { ApiAccess, AuthorizationResult, Authorizer, RequestAttributes } from '../contract.ts';
import { ruleAllows } from './rbac.ts';

const NODES_GROUP = 'system:nodes';
const NODE_USER_PREFIX = 'system:node:';
const allow: AuthorizationResult = { decision: 'allow', reason: '' };

const core = (verbs: readonly string[], ...resources: readonly string[]): PolicyRule => ({ verbs, apiGroups: [''], resources });
const inGroup = (group: string, verbs: readonly string[], ...resources: readonly string[]): PolicyRule => ({
  verbs,
  apiGroups: [group],
  resources,
});
const read = ['get', 'list', 'watch'];

/**
 * What every node may do with types of which it may see all. The NodeRestriction admission plugin keeps the writes to the node's own objects.
 */
export const nodeRules: readonly PolicyRule[] = [
  inGroup('authentication.k8s.io', ['create'], 'tokenreviews'),
  inGroup('authorization.k8s.io', ['create'], 'subjectaccessreviews', 'localsubjectaccessreviews'),
  core(read, 'services'),
  core(['create', 'update', 'patch'], 'events'),
  inGroup('events.k8s.io', ['create', 'update', 'patch'], 'events'),
  core(['get'], 'endpoints'),
  inGroup('certificates.k8s.io', ['create', ...read], 'certificatesigningrequests'),
  inGroup('storage.k8s.io', read, 'csidrivers'),
  inGroup('node.k8s.io', read, 'runtimeclasses'),
];

export interface NodeAuthorizer extends Authorizer {
  initialize(access: ApiAccess): void;
}

/**
 * The node authorizer: a node reaches the pods bound to it, the secrets, config maps, claims, volumes and service accounts of those, its own
 * Node, Lease and CSINode, and what `nodeRules` say. Mirror pods give it nothing: it makes them itself. Users `system:node:<name>` in group `system:nodes`; no opinion on anyone else.
 */
export function nodeAuthorizer(): NodeAuthorizer {
  return new PodBoundNodes();
}

class PodBoundNodes implements NodeAuthorizer {
  #access: ApiAccess | undefined;
  /** Node name to the pods bound to it, kept in step by the view's changes. */
  readonly #podsOf = new Map<string, Map<string, Pod>>();

  initialize(access: ApiAccess): void {
    this.#access = access;
    const view = access.view<Pod>('', 'pods');
    if (view === undefined) return;
    for (const pod of view.list()) this.#file(pod);
    view.watch(({ type, object, previous }) => {
      if (previous !== undefined) this.#podsOf.get(previous.spec?.nodeName ?? '')?.delete(objectKey(previous));
      if (type !== 'deleted') this.#file(object);
    }, new AbortController().signal);
  }

  authorize(a: RequestAttributes): AuthorizationResult {
    const node = nodeOf(a.user);
    if (node === undefined || !a.isResourceRequest) return { decision: 'no-opinion' };
    const refusal = this.#refusal(a, node);
    if (refusal === undefined) return allow;
    return { decision: 'no-opinion', reason: refusal };
  }

  #file(pod: Pod): void {
    const node = pod.spec?.nodeName ?? '';
    if (node === '') return;
    const pods = this.#podsOf.get(node) ?? new Map<string, Pod>();
    this.#podsOf.set(node, pods);
    pods.set(objectKey(pod), pod);
  }

  /** Why not, in upstream's words; undefined: it may. */
  #refusal(a: RequestAttributes, node: string): string | undefined {
    switch (a.apiGroup === '' ? a.resource : `${a.resource}.${a.apiGroup}`) {
      case 'secrets':
        return this.#readRefusal(a, node, (name) => this.#usesSecret(node, a.namespace, name));
      case 'configmaps':
        return this.#readRefusal(a, node, (name) => this.#some(node, a.namespace, (pod) => usesConfigMap(pod, name)));
      case 'persistentvolumeclaims': {
        const claimed = (): boolean => this.#some(node, a.namespace, (pod) => claimsOf(pod).includes(a.name));
        if (a.subresource !== 'status') return getRefusal(a, node, claimed);
        if (a.verb !== 'update' && a.verb !== 'patch') return 'can only get/update/patch this type';
        return related(a, node, claimed);
      }
      case 'persistentvolumes':
        return getRefusal(a, node, () => this.#volumesOf(node).some(({ metadata }) => metadata?.name === a.name));
      case 'resourceclaims.resource.k8s.io':
        return getRefusal(a, node, () => this.#some(node, a.namespace, (pod) => resourceClaimsOf(pod).includes(a.name)));
      case 'volumeattachments.storage.k8s.io':
        return getRefusal(a, node, () => this.#nodeOf<VolumeAttachment>(a) === node);
      case 'serviceaccounts': {
        const runs = (): boolean =>
          this.#some(node, a.namespace, (pod) => (pod.spec?.serviceAccountName ?? 'default') === a.name);
        // Credential providers for images look at the annotations of the pod's account (KEP-4412).
        if (a.verb === 'get' && a.subresource === '') return related(a, node, runs);
        if (a.verb !== 'create' || a.name === '') return 'can only create tokens for individual service accounts';
        if (a.subresource !== 'token') return 'can only create token subresource of serviceaccount';
        return related(a, node, runs);
      }
      case 'leases.coordination.k8s.io':
        if (!ownVerbs.includes(a.verb)) return 'can only get, create, update, patch, or delete a node lease';
        if (a.namespace !== 'kube-node-lease') return 'can only access leases in the "kube-node-lease" system namespace';
        // The name is not known yet; admission looks at it.
        return a.verb === 'create' || a.name === node
          ? undefined
          : 'can only access node lease with the same name as the requesting node';
      case 'csinodes.storage.k8s.io':
        if (!ownVerbs.includes(a.verb)) return 'can only get, create, update, patch, or delete a CSINode';
        if (a.subresource !== '') return 'cannot authorize CSINode subresources';
        return a.verb === 'create' || a.name === node
          ? undefined
          : 'can only access CSINode with the same name as the requesting node';
      case 'resourceslices.resource.k8s.io':
        return this.#sliceRefusal(a, node);
      case 'nodes':
        return nodeRefusal(a, node);
      case 'pods':
        return this.#podRefusal(a, node);
      default:
        return nodeRules.some((rule) => ruleAllows(rule, a)) ? undefined : '';
    }
  }

  /** Nodes get and watch single objects by name; a list of all would be one of other nodes' too. */
  #readRefusal(a: RequestAttributes, node: string, uses: (name: string) => boolean): string | undefined {
    if (!read.includes(a.verb)) return 'can only read resources of this type';
    if (a.subresource !== '') return 'cannot read subresource';
    if (a.namespace === '') return 'can only read namespaced object of this type';
    return related(a, node, () => uses(nameOf(a)));
  }

  #podRefusal(a: RequestAttributes, node: string): string | undefined {
    const own = (): boolean => this.#podsOf.get(node)?.has(`${a.namespace}/${nameOf(a)}`) === true;
    if (a.subresource === 'status') return a.verb === 'update' || a.verb === 'patch' ? undefined : '';
    if (a.subresource === 'eviction') return a.verb === 'create' ? undefined : '';
    if (a.subresource !== '') return '';
    switch (a.verb) {
      case 'get':
        return getRefusal(a, node, own);
      case 'list':
      case 'watch':
        if (selected(a.fieldSelector, 'spec.nodeName') === node) return undefined;
        return nameOf(a) === '' ? 'can only list/watch pods with spec.nodeName field selector' : related(a, node, own);
      case 'create':
      case 'delete':
        return undefined;
      default:
        return '';
    }
  }

  #sliceRefusal(a: RequestAttributes, node: string): string | undefined {
    if (a.subresource !== '') return 'cannot authorize ResourceSlice subresources';
    switch (a.verb) {
      case 'create':
        return undefined;
      case 'get':
      case 'update':
      case 'patch':
      case 'delete':
        return related(a, node, () => this.#nodeOf<ResourceSlice>(a) === node);
      case 'list':
      case 'watch':
      case 'deletecollection':
        return selected(a.fieldSelector, 'spec.nodeName') === node
          ? undefined
          : 'can only list/watch/deletecollection resourceslices with nodeName field selector';
      default:
        return 'only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection';
    }
  }

  /** The node that an object of the cluster names in its spec. */
  #nodeOf<T extends VolumeAttachment | ResourceSlice>(a: RequestAttributes): string | undefined {
    return this.#access?.view<T>(a.apiGroup, a.resource)?.get('', a.name)?.spec?.nodeName;
  }

  #some(node: string, namespace: string, test: (pod: Pod) => boolean): boolean {
    for (const pod of this.#podsOf.get(node)?.values() ?? [])
      if (pod.metadata?.namespace === namespace && !isMirror(pod) && test(pod)) return true;
    return false;
  }

  /** By a pod itself, or by a volume that one has claimed. */
  #usesSecret(node: string, namespace: string, name: string): boolean {
    return (
      this.#some(node, namespace, (pod) => usesSecret(pod, name)) ||
      this.#volumesOf(node).some((volume) => secretsOfVolume(volume).includes(`${namespace}/${name}`))
    );
  }

  /** The volumes that the node's pods have claimed. */
  #volumesOf(node: string): readonly PersistentVolume[] {
    const claims = this.#access?.view<PersistentVolumeClaim>('', 'persistentvolumeclaims');
    const volumes = this.#access?.view<PersistentVolume>('', 'persistentvolumes');
    return [...(this.#podsOf.get(node)?.values() ?? [])].flatMap((pod) =>
      isMirror(pod)
        ? []
        : claimsOf(pod).flatMap((name) => {
            const volume = claims?.get(pod.metadata?.namespace ?? '', name)?.spec?.volumeName ?? '';
            return volumes?.get('', volume) ?? [];
          }),
    );
  }
}

/** The node that a user is; undefined for other users. */
export function nodeOf(user: UserInfo): string | undefined {
  if (!user.name.startsWith(NODE_USER_PREFIX) || !user.groups.includes(NODES_GROUP)) return undefined;
  return user.name.slice(NODE_USER_PREFIX.length) || undefined;
}

const ownVerbs: readonly string[] = ['get', 'create', 'update', 'patch', 'delete'];

/** Of a list or watch of one object: its name. */
const nameOf = (a: RequestAttributes): string => a.name || selected(a.fieldSelector, 'metadata.name');

/** What a field selector demands of a field; '' when it demands nothing. */
function selected(selector: string | undefined, field: string): string {
  for (const part of (selector ?? '').split(',')) {
    const match = /^([^=!]+)==?([^=]*)$/.exec(part);
    if (match?.[1] === field) return match[2] ?? '';
  }
  return '';
}

function related(a: RequestAttributes, node: string, test: () => boolean): string | undefined {
  if (nameOf(a) === '') return 'No Object name found';
  return test() ? undefined : `no relationship found between node '${node}' and this object`;
}

function getRefusal(a: RequestAttributes, node: string, test: () => boolean): string | undefined {
  if (a.verb !== 'get') return 'can only get individual resources of this type';
  if (a.subresource !== '') return 'cannot get subresource';
  return related(a, node, test);
}

function nodeRefusal(a: RequestAttributes, node: string): string | undefined {
  if (a.subresource === 'status') return a.verb === 'update' || a.verb === 'patch' ? undefined : '';
  if (a.subresource !== '') return '';
  if (a.verb === 'create' || a.verb === 'update' || a.verb === 'patch') return undefined;
  if (!read.includes(a.verb)) return '';
  const name = nameOf(a);
  if (name === node) return undefined;
  return name === ''
    ? `node '${node}' cannot read all nodes, only its own Node object`
    : `node '${node}' cannot read '${name}', only its own Node object`;
}

/** Made by the node itself, of a file it has. */
const isMirror = (pod: Pod): boolean => pod.metadata?.annotations?.['kubernetes.io/config.mirror'] !== undefined;

const volumesOf = (pod: Pod): readonly Volume[] => pod.spec?.volumes ?? [];
const containersOf = (pod: Pod): NonNullable<Pod['spec']>['containers'] => [
  ...(pod.spec?.initContainers ?? []),
  ...(pod.spec?.containers ?? []),
  ...((pod.spec?.ephemeralContainers ?? []) as NonNullable<Pod['spec']>['containers']),
];

function usesSecret(pod: Pod, name: string): boolean {
  return (
    (pod.spec?.imagePullSecrets ?? []).some((r) => r.name === name) ||
    volumesOf(pod).some(
      (v) =>
        v.secret?.secretName === name || v.projected?.sources?.some((s) => s.secret?.name === name) || secretOfDriver(v) === name,
    ) ||
    containersOf(pod).some(
      (c) => c.envFrom?.some((e) => e.secretRef?.name === name) || c.env?.some((e) => e.valueFrom?.secretKeyRef?.name === name),
    )
  );
}

function usesConfigMap(pod: Pod, name: string): boolean {
  return (
    volumesOf(pod).some((v) => v.configMap?.name === name || v.projected?.sources?.some((s) => s.configMap?.name === name)) ||
    containersOf(pod).some(
      (c) =>
        c.envFrom?.some((e) => e.configMapRef?.name === name) || c.env?.some((e) => e.valueFrom?.configMapKeyRef?.name === name),
    )
  );
}

/** The secret that a volume's driver needs, of those that reference one by name. */
function secretOfDriver(volume: Volume): string | undefined {
  return (
    volume.csi?.nodePublishSecretRef?.name ??
    volume.flexVolume?.secretRef?.name ??
    volume.cephfs?.secretRef?.name ??
    volume.rbd?.secretRef?.name ??
    volume.iscsi?.secretRef?.name ??
    volume.azureFile?.secretName ??
    volume.scaleIO?.secretRef?.name ??
    volume.storageos?.secretRef?.name
  );
}

const claimsOf = (pod: Pod): readonly string[] =>
  volumesOf(pod).flatMap((v) => {
    if (v.persistentVolumeClaim !== undefined) return [v.persistentVolumeClaim.claimName];
    return v.ephemeral === undefined ? [] : [`${pod.metadata?.name}-${v.name}`];
  });

/** The claims on devices that stand behind a pod's: named by it, or made for it. */
const resourceClaimsOf = (pod: Pod): readonly string[] =>
  (pod.spec?.resourceClaims ?? []).flatMap(
    (claim) =>
      claim.resourceClaimName ??
      pod.status?.resourceClaimStatuses?.find(({ name }) => name === claim.name)?.resourceClaimName ??
      [],
  );

/** `namespace/name` of the secrets that a node needs to use a volume. */
function secretsOfVolume({ spec }: PersistentVolume): readonly string[] {
  const namespace = spec?.claimRef?.namespace ?? '';
  const azure = spec?.azureFile;
  const references = [
    spec?.csi?.nodePublishSecretRef,
    spec?.csi?.nodeStageSecretRef,
    spec?.csi?.nodeExpandSecretRef,
    spec?.flexVolume?.secretRef,
    spec?.cephfs?.secretRef,
    spec?.rbd?.secretRef,
    spec?.iscsi?.secretRef,
    spec?.scaleIO?.secretRef,
    spec?.storageos?.secretRef,
    azure === undefined ? undefined : { name: azure.secretName, namespace: azure.secretNamespace },
  ];
  return references.flatMap((r) => (r?.name === undefined ? [] : [`${r.namespace || namespace}/${r.name}`]));
}
