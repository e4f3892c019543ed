import { objectKey } from '../../api/meta/object.ts';
import type { UserInfo } from '../../api/request.ts';
import type { PersistentVolumeClaim, Pod, Volume } from '../../api/types/core-v1.ts';
import type { PolicyRule } from '../../api/types/rbac-v1.ts';
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

/** What every node may do whatever runs on it. The NodeRestriction admission plugin keeps the writes to the node's own objects. */
export const nodeRules: readonly PolicyRule[] = [
  inGroup('authentication.k8s.io', ['create'], 'tokenreviews'),
  inGroup('authorization.k8s.io', ['create'], 'subjectaccessreviews', 'localsubjectaccessreviews'),
  core(read, 'services'),
  core(['create'], 'nodes'),
  core(['update', 'patch'], 'nodes', 'nodes/status'),
  core(['create', 'update', 'patch'], 'events'),
  inGroup('events.k8s.io', ['create', 'update', 'patch'], 'events'),
  core(['create', 'delete'], 'pods'),
  core(['update', 'patch'], 'pods/status'),
  core(['create'], 'pods/eviction'),
  core(['get'], 'endpoints'),
  inGroup('certificates.k8s.io', ['create', ...read], 'certificatesigningrequests'),
  inGroup('storage.k8s.io', ['get'], 'volumeattachments'),
  inGroup('storage.k8s.io', read, 'csidrivers'),
  inGroup('node.k8s.io', read, 'runtimeclasses'),
  inGroup('discovery.k8s.io', read, 'endpointslices'),
  inGroup('networking.k8s.io', read, 'servicecidrs', 'networkpolicies'),
  core(read, 'namespaces'),
];

export interface NodeAuthorizer extends Authorizer {
  initialize(access: ApiAccess): void;
}

/**
 * The node authorizer: a node reaches the secrets, config maps, claims, volumes and service accounts of the pods bound to it, its own Node
 * and Lease, and what `nodeRules` say. Users `system:node:<name>` in group `system:nodes`; no opinion on anyone else.
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

  /** Why not; undefined: it may. */
  #refusal(a: RequestAttributes, node: string): string | undefined {
    const resource = a.apiGroup === '' ? a.resource : `${a.resource}.${a.apiGroup}`;
    switch (a.subresource === '' ? resource : `${resource}/${a.subresource}`) {
      case 'secrets':
      case 'configmaps': {
        // Nodes watch single objects by name; a list of all would be one of other nodes' too.
        const name = a.name || selectedName(a.fieldSelector);
        if (!read.includes(a.verb) || name === '') return `node '${node}' may only read a single, named object of this type`;
        const uses = a.resource === 'secrets' ? usesSecret : usesConfigMap;
        return this.#some(node, a.namespace, (pod) => uses(pod, name)) ? undefined : noRelationship(node);
      }
      case 'persistentvolumeclaims':
      case 'persistentvolumeclaims/status':
        if (a.verb !== 'get' && a.subresource === '') return 'can only get individual resources of this type';
        return this.#some(node, a.namespace, (pod) => claimsOf(pod).includes(a.name)) ? undefined : noRelationship(node);
      case 'persistentvolumes':
        return a.verb === 'get' && this.#usesVolume(node, a.name) ? undefined : noRelationship(node);
      case 'serviceaccounts/token':
        if (a.verb !== 'create') return 'only create is allowed for this type';
        return this.#some(node, a.namespace, (pod) => (pod.spec?.serviceAccountName ?? 'default') === a.name)
          ? undefined
          : noRelationship(node);
      case 'serviceaccounts':
        return a.verb === 'get' && this.#some(node, a.namespace, (pod) => (pod.spec?.serviceAccountName ?? 'default') === a.name)
          ? undefined
          : noRelationship(node);
      case 'leases.coordination.k8s.io':
        if (!['get', 'create', 'update', 'patch', 'delete'].includes(a.verb))
          return `can only get, create, update, patch, or delete a node lease`;
        if (a.namespace !== 'kube-node-lease') return 'can only access leases in the "kube-node-lease" system namespace';
        return a.verb === 'create' || a.name === node
          ? undefined
          : 'can only access node lease with the same name as the requesting node';
      case 'csinodes.storage.k8s.io':
        if (!['get', 'create', 'update', 'patch', 'delete'].includes(a.verb))
          return 'can only get, create, update, patch, or delete a CSINode';
        return a.verb === 'create' || a.name === node
          ? undefined
          : 'can only access CSINode with the same name as the requesting node';
      case 'resourceslices.resource.k8s.io':
        return read.includes(a.verb) || ['create', 'update', 'patch', 'delete', 'deletecollection'].includes(a.verb)
          ? undefined
          : 'only the following verbs are allowed';
      case 'nodes':
        if (read.includes(a.verb)) {
          // The proxy and the pod network need every node's addresses; upstream gives those to their own identities, here one process is all.
          return undefined;
        }
        break;
      case 'pods':
        if (a.verb === 'get') return undefined;
        if (read.includes(a.verb)) return undefined;
        break;
      default:
        break;
    }
    return nodeRules.some((rule) => ruleAllows(rule, a)) ? undefined : '';
  }

  #some(node: string, namespace: string, test: (pod: Pod) => boolean): boolean {
    for (const pod of this.#podsOf.get(node)?.values() ?? []) if (pod.metadata?.namespace === namespace && test(pod)) return true;
    return false;
  }

  #usesVolume(node: string, volume: string): boolean {
    const claims = this.#access?.view<PersistentVolumeClaim>('', 'persistentvolumeclaims');
    for (const pod of this.#podsOf.get(node)?.values() ?? []) {
      const namespace = pod.metadata?.namespace ?? '';
      if (claimsOf(pod).some((name) => claims?.get(namespace, name)?.spec?.volumeName === volume)) return true;
    }
    return false;
  }
}

/** The node that a user is; undefined for other users. */
export function nodeOf(user: UserInfo): string | undefined {
  if (!user.name.startsWith(NODE_USER_PREFIX) || !user.groups.includes(NODES_GROUP)) return undefined;
  return user.name.slice(NODE_USER_PREFIX.length) || undefined;
}

const noRelationship = (node: string): string => `no relationship found between node '${node}' and this object`;
const selectedName = (selector: string | undefined): string => /(?:^|,)metadata\.name==?([^,]+)/.exec(selector ?? '')?.[1] ?? '';

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
