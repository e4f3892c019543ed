import { deepEqual } from '../../api/groups/define.ts';
import type { KubernetesObject } from '../../api/meta/object.ts';
import { isAlreadyExists } from '../../api/meta/status.ts';
import type { RequestHandler } from '../../api/request.ts';
import type { PolicyRule, Subject } from '../../api/types/rbac-v1.ts';
import { type ApiAccess, loopbackUser } from '../contract.ts';
import {
  bootstrapClusterRoleBindings,
  bootstrapClusterRoles,
  bootstrapRoleBindings,
  bootstrapRoles,
} from './bootstrap-policy.ts';
import { rulesCover } from './rbac.ts';

const GROUP = 'rbac.authorization.k8s.io';
const AUTOUPDATE = 'rbac.authorization.kubernetes.io/autoupdate';
/** Namespaces that every cluster has. */
const systemNamespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

type Policy = KubernetesObject & {
  readonly rules?: readonly PolicyRule[];
  readonly subjects?: readonly Subject[];
  readonly aggregationRule?: unknown;
};

/**
 * Makes the system namespaces, roles and bindings that are missing, and gives those that are there what later versions added to them (unless
 * their autoupdate annotation says false). Reads are of memory: a start with nothing to do writes nothing.
 */
export async function ensureBootstrapPolicy(access: ApiAccess): Promise<void> {
  await Promise.all(
    systemNamespaces.map((name) => ensure(access, '', 'namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
  );
  await Promise.all([
    ...bootstrapClusterRoles().map((o) => ensure(access, GROUP, 'clusterroles', o)),
    ...bootstrapClusterRoleBindings().map((o) => ensure(access, GROUP, 'clusterrolebindings', o)),
    ...bootstrapRoles().map((o) => ensure(access, GROUP, 'roles', o)),
    ...bootstrapRoleBindings().map((o) => ensure(access, GROUP, 'rolebindings', o)),
  ]);
}

async function ensure(access: ApiAccess, group: string, resource: string, wanted: Policy): Promise<void> {
  const { name = '', namespace = '' } = wanted.metadata ?? {};
  const found = access.view<Policy>(group, resource)?.get(namespace, name);
  if (found === undefined) {
    try {
      await request(access.handler, 'create', group, resource, namespace, '', wanted);
    } catch (err) {
      // Another API server on the same store was faster.
      if (!isAlreadyExists(err)) throw err;
    }
    return;
  }
  if (found.metadata?.annotations?.[AUTOUPDATE] !== 'true') return;
  const updated = reconciled(found, wanted);
  if (updated !== found) await request(access.handler, 'update', group, resource, namespace, name, updated);
}

/** `found` with the rules and subjects of `wanted` that it lacks; the same object when it lacks none. */
export function reconciled(found: Policy, wanted: Policy): Policy {
  const missingRules = (wanted.rules ?? []).filter((rule) => !rulesCover(found.rules ?? [], [rule]));
  const missingSubjects = (wanted.subjects ?? []).filter((s) => !(found.subjects ?? []).some((have) => deepEqual(have, s)));
  // The rules of an aggregated role are the aggregation controller's.
  const rules =
    wanted.aggregationRule === undefined && missingRules.length > 0 ? [...(found.rules ?? []), ...missingRules] : undefined;
  if (rules === undefined && missingSubjects.length === 0) return found;
  return {
    ...found,
    ...(rules === undefined ? {} : { rules }),
    ...(missingSubjects.length === 0 ? {} : { subjects: [...(found.subjects ?? []), ...missingSubjects] }),
  };
}

async function request(
  handler: RequestHandler,
  verb: 'create' | 'update',
  group: string,
  resource: string,
  namespace: string,
  name: string,
  body: KubernetesObject,
): Promise<void> {
  await handler.handle(
    { verb, group, version: 'v1', resource, namespace, name, options: { fieldManager: 'kube-apiserver' }, body },
    loopbackUser,
  );
}
