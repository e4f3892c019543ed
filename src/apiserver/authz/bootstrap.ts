import { deepEqual } from '../../api/groups/define.ts';
import type { KubernetesObject } from '../../api/meta/object.ts';
import type { RequestHandler } from '../../api/request.ts';
import type { PolicyRule, Subject } from '../../api/types/rbac-v1.ts';
import { Slice } from '../../util/slice.ts';
import { type ApiAccess, loopbackUser } from '../contract.ts';
import {
  bootstrapClusterRoleBindings,
  bootstrapClusterRoles,
  bootstrapRoleBindings,
  bootstrapRoles,
} from './bootstrap-policy.ts';
import { rulesCover } from './rbac.ts';

const GROUP = 'rbac.authorization.k8s.io';
const FIELD_MANAGER = 'kube-apiserver';
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
  const namespaces = systemNamespaces.map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }));
  const slice = new Slice();
  await Promise.all([
    ensure(access, '', 'namespaces', namespaces, slice),
    ensure(access, GROUP, 'clusterroles', bootstrapClusterRoles(), slice),
    ensure(access, GROUP, 'clusterrolebindings', bootstrapClusterRoleBindings(), slice),
    ensure(access, GROUP, 'roles', bootstrapRoles(), slice),
    ensure(access, GROUP, 'rolebindings', bootstrapRoleBindings(), slice),
  ]);
}

async function ensure(
  access: ApiAccess,
  group: string,
  resource: string,
  wanted: readonly Policy[],
  slice: Slice,
): Promise<void> {
  const view = access.view<Policy>(group, resource);
  const missing: Policy[] = [];
  const writes: Promise<unknown>[] = [];
  for (const policy of wanted) {
    const { name = '', namespace = '' } = policy.metadata ?? {};
    const found = view?.get(namespace, name);
    if (found === undefined) missing.push(policy);
    else if (found.metadata?.annotations?.[AUTOUPDATE] === 'true') {
      const body = reconciled(found, policy);
      if (body !== found) writes.push(update(access.handler, resource, body));
      if (slice.over) await slice.next();
    }
  }
  await Promise.all([access.seed({ group, version: 'v1', resource }, missing, FIELD_MANAGER), ...writes]);
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

function update(handler: RequestHandler, resource: string, body: KubernetesObject): Promise<unknown> {
  const { name = '', namespace = '' } = body.metadata ?? {};
  const target = { group: GROUP, version: 'v1', resource, namespace, name };
  return handler.handle({ verb: 'update', ...target, options: { fieldManager: FIELD_MANAGER }, body }, loopbackUser);
}
