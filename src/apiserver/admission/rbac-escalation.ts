import { deepEqual } from '../../api/groups/define.ts';
import type { KubernetesObject } from '../../api/meta/object.ts';
import { notFound } from '../../api/meta/status.ts';
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding } from '../../api/types/rbac-v1.ts';
import { uncoveredRules } from '../authz/rbac.ts';
import type { AdmissionAttributes, AdmissionPlugin, ApiAccess, Authorizer } from '../contract.ts';
import { isAllowed } from './permission.ts';
import { refuse } from './refusal.ts';
import { isWriteOf } from './targets.ts';

const GROUP = 'rbac.authorization.k8s.io';
const MASTERS = 'system:masters';
const roles = ['roles', 'clusterroles'];
const bindings = ['rolebindings', 'clusterrolebindings'];
const everything: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

/**
 * Nobody grants what they do not hold: a role may be written, or bound, only by who has all of its permissions, or the verb `escalate` or
 * `bind` on it. Upstream has this in the storage of the four types, not among its plugins; here it runs last before validation, as there.
 */
export function rbacEscalation(authorizer: Authorizer): AdmissionPlugin {
  let access: ApiAccess | undefined;
  return {
    name: 'RBACEscalation',
    initialize: (given) => {
      access = given;
    },
    handles: (target) => [...roles, ...bindings].some((resource) => isWriteOf(target, GROUP, resource, 'CREATE', 'UPDATE')),
    mutate: (attributes) => {
      if (attributes.user.groups.includes(MASTERS) || changesOnlyForCollection(attributes)) return attributes.object;
      const check = roles.includes(attributes.resource.resource)
        ? checkRole(attributes, authorizer)
        : checkBinding(attributes, authorizer, access!);
      return check.then(() => attributes.object);
    },
  };
}

/** What the garbage collector needs to get rid of an object is free. */
function changesOnlyForCollection({ object, oldObject }: AdmissionAttributes): boolean {
  if (oldObject === undefined) return false;
  const essence = ({ metadata, ...rest }: KubernetesObject): object => {
    const { ownerReferences: _o, finalizers: _f, managedFields: _m, ...kept } = metadata ?? {};
    return { ...rest, metadata: kept };
  };
  return deepEqual(essence(object ?? {}), essence(oldObject));
}

async function checkRole(attributes: AdmissionAttributes, authorizer: Authorizer): Promise<void> {
  const { user, namespace, name, resource } = attributes;
  const permission = { verb: 'escalate', apiGroup: GROUP, resource: resource.resource, namespace, name };
  if (await isAllowed(authorizer, user, permission)) return;
  const role = attributes.object as ClusterRole;
  await confirm(attributes, authorizer, role.rules ?? []);
  if (aggregates(role) || aggregates(attributes.oldObject as ClusterRole | undefined)) {
    const lacking = uncoveredRules(await heldRules(attributes, authorizer), everything);
    if (lacking.length > 0) throw refuse(attributes, 'must have cluster-admin privileges to use the aggregationRule');
  }
}

/** An aggregation rule can gather anything. */
const aggregates = (role: ClusterRole | undefined): boolean => (role?.aggregationRule?.clusterRoleSelectors ?? []).length > 0;

async function checkBinding(attributes: AdmissionAttributes, authorizer: Authorizer, access: ApiAccess): Promise<void> {
  const { roleRef } = attributes.object as RoleBinding | ClusterRoleBinding;
  const { user, namespace } = attributes;
  const resource = roleRef.kind === 'Role' ? 'roles' : 'clusterroles';
  const permission = { verb: 'bind', apiGroup: roleRef.apiGroup ?? GROUP, resource, namespace, name: roleRef.name };
  if (await isAllowed(authorizer, user, permission)) return;
  const home = roleRef.kind === 'Role' ? namespace : '';
  const role = access.view<Role | ClusterRole>(GROUP, resource)?.get(home, roleRef.name);
  if (role === undefined) throw notFound({ group: GROUP, resource }, roleRef.name);
  await confirm(attributes, authorizer, role.rules ?? []);
}

async function heldRules({ user, namespace }: AdmissionAttributes, authorizer: Authorizer): Promise<readonly PolicyRule[]> {
  const held = await authorizer.rulesFor?.(user, namespace);
  return [...(held?.resourceRules ?? []), ...(held?.nonResourceRules ?? [])];
}

async function confirm(attributes: AdmissionAttributes, authorizer: Authorizer, rules: readonly PolicyRule[]): Promise<void> {
  const missing = uncoveredRules(await heldRules(attributes, authorizer), rules);
  if (missing.length === 0) return;
  const { name, groups } = attributes.user;
  const told = [...new Set(compact(missing).map(describeRule))].sort();
  throw refuse(
    attributes,
    `user ${JSON.stringify(name)} (groups=${quotedList(groups)}) is attempting to grant RBAC permissions not currently held:\n${told.join('\n')}`,
  );
}

/** Rules on the same thing as one rule with all their verbs. */
function compact(rules: readonly PolicyRule[]): readonly PolicyRule[] {
  const bySubject = new Map<string, PolicyRule>();
  for (const rule of rules) {
    // Paths stay apart, as upstream leaves them.
    const { verbs, ...subject } = rule;
    const key = JSON.stringify(rule.nonResourceURLs === undefined ? subject : rule);
    const known = bySubject.get(key);
    bySubject.set(key, known === undefined ? rule : { ...known, verbs: [...known.verbs, ...verbs] });
  }
  return [...bySubject.values()];
}

const parts = [
  ['APIGroups', 'apiGroups'],
  ['Resources', 'resources'],
  ['NonResourceURLs', 'nonResourceURLs'],
  ['ResourceNames', 'resourceNames'],
  ['Verbs', 'verbs'],
] as const;

/** `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`, as Go prints it. */
function describeRule(rule: PolicyRule): string {
  const told = parts.flatMap(([label, field]) => {
    const values = rule[field] ?? [];
    return values.length === 0 ? [] : [`${label}:${quotedList(values)}`];
  });
  return `{${told.join(', ')}}`;
}

const quotedList = (values: readonly string[]): string => `[${values.map((v) => JSON.stringify(v)).join(' ')}]`;
