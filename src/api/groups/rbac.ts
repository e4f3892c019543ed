import { type FieldError, FieldPath, invalid, notSupported, required } from '../meta/field-error.ts';
import { validateLabelSelector } from '../meta/label-selector-validation.ts';
import { isDNS1123Subdomain, isPathSegmentName } from '../meta/names.ts';
import type { Resource, TableColumn } from '../resource.ts';
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject } from '../types/rbac-v1.ts';
import { age, column, groupVersion, plainColumns, plainRow, standardColumns } from './define.ts';
import { check } from './field-checks.ts';
import { selects } from './workload.ts';

const group = 'rbac.authorization.k8s.io';

const define = groupVersion(group, 'v1');

type Binding = RoleBinding | ClusterRoleBinding;

function ruleFaults(rule: PolicyRule, namespaced: boolean, path: FieldPath): readonly FieldError[] {
  const { verbs = [], nonResourceURLs = [], apiGroups = [], resources = [], resourceNames = [] } = rule;
  const errors: FieldError[] = [];
  if (verbs.length === 0) errors.push(required(path.child('verbs'), 'verbs must contain at least one value'));
  if (nonResourceURLs.length > 0) {
    const at = path.child('nonResourceURLs');
    if (namespaced) errors.push(invalid(at, nonResourceURLs, 'namespaced rules cannot apply to non-resource URLs'));
    if (apiGroups.length + resources.length + resourceNames.length > 0) {
      errors.push(invalid(at, nonResourceURLs, 'rules cannot apply to both regular resources and non-resource URLs'));
    }
    return errors;
  }
  if (apiGroups.length === 0) errors.push(required(path.child('apiGroups'), 'resource rules must supply at least one api group'));
  if (resources.length === 0) errors.push(required(path.child('resources'), 'resource rules must supply at least one resource'));
  return errors;
}

const rulesFaults = (rules: readonly PolicyRule[] | undefined, namespaced: boolean): readonly FieldError[] =>
  (rules ?? []).flatMap((rule, i) => ruleFaults(rule, namespaced, new FieldPath('rules').index(i)));

function validateClusterRole(object: ClusterRole): readonly FieldError[] {
  const errors = [...rulesFaults(object.rules, false)];
  if (object.aggregationRule === undefined) return errors;
  const path = new FieldPath('aggregationRule.clusterRoleSelectors');
  const selectors = object.aggregationRule.clusterRoleSelectors ?? [];
  if (selectors.length === 0) {
    errors.push(required(path, 'at least one clusterRoleSelector required if aggregationRule is non-nil'));
  }
  selectors.forEach((selector, i) => {
    errors.push(...validateLabelSelector(selector, path.index(i)));
    // Upstream shows what it could not make of it.
    if (selects(selector, {}) === 'unusable') errors.push(invalid(path.index(i), null, 'invalid label selector.'));
  });
  return errors;
}

function subjectFaults(subject: Subject, namespaced: boolean, path: FieldPath): readonly FieldError[] {
  const { kind = '', name = '', namespace = '', apiGroup = '' } = subject;
  const errors: FieldError[] = name === '' ? [required(path.child('name'))] : [];
  switch (kind) {
    case 'ServiceAccount':
      if (name !== '') errors.push(...check(path.child('name'), name, isDNS1123Subdomain));
      if (apiGroup !== '') errors.push(notSupported(path.child('apiGroup'), apiGroup, ['']));
      if (!namespaced && namespace === '') errors.push(required(path.child('namespace')));
      break;
    case 'User':
    case 'Group':
      if (apiGroup !== group) errors.push(notSupported(path.child('apiGroup'), apiGroup, [group]));
      break;
    default:
      errors.push(notSupported(path.child('kind'), kind, ['ServiceAccount', 'User', 'Group']));
  }
  return errors;
}

function bindingFaults(object: Binding, kinds: readonly string[]): readonly FieldError[] {
  const { apiGroup = '', kind = '', name = '' } = object.roleRef ?? {};
  const ref = new FieldPath('roleRef');
  const errors: FieldError[] = [];
  if (apiGroup !== group) errors.push(notSupported(ref.child('apiGroup'), apiGroup, [group]));
  if (!kinds.includes(kind)) errors.push(notSupported(ref.child('kind'), kind, kinds));
  if (name === '') errors.push(required(ref.child('name')));
  else errors.push(...check(ref.child('name'), name, isPathSegmentName));
  const namespaced = kinds.includes('Role');
  (object.subjects ?? []).forEach((subject, i) => {
    errors.push(...subjectFaults(subject, namespaced, new FieldPath('subjects').index(i)));
  });
  return errors;
}

const showRef = (ref: RoleRef | undefined): unknown => ({
  APIGroup: ref?.apiGroup ?? '',
  Kind: ref?.kind ?? '',
  Name: ref?.name ?? '',
});

/** A binding's role is fixed: what someone may bind was checked when it was made. */
function bindingUpdateFaults(object: Binding, old: Binding, kinds: readonly string[]): readonly FieldError[] {
  const errors = bindingFaults(object, kinds);
  const same = (['apiGroup', 'kind', 'name'] as const).every((f) => (object.roleRef?.[f] ?? '') === (old.roleRef?.[f] ?? ''));
  return same ? errors : [...errors, invalid('roleRef', showRef(object.roleRef), 'cannot change roleRef')];
}

function defaultBinding<T extends Binding>(object: T): T {
  const wants = (s: Subject): boolean => !s.apiGroup && (s.kind === 'User' || s.kind === 'Group');
  const ref = object.roleRef?.apiGroup ? object.roleRef : { ...object.roleRef, apiGroup: group };
  const subjects = object.subjects?.some(wants)
    ? object.subjects.map((s) => (wants(s) ? { ...s, apiGroup: group } : s))
    : object.subjects;
  if (ref === object.roleRef && subjects === object.subjects) return object;
  return { ...object, roleRef: ref, ...(subjects === undefined ? {} : { subjects }) };
}

const bindingColumns = (binding: string, role: string): readonly TableColumn[] => [
  ...standardColumns(column('Role', 'string', role)),
  column('Users', 'string', `Users in the ${binding}`, 1),
  column('Groups', 'string', `Groups in the ${binding}`, 1),
  column('ServiceAccounts', 'string', `ServiceAccounts in the ${binding}`, 1),
];

function bindingRow(object: Binding, now: number): readonly unknown[] {
  const names = (kind: string): string =>
    (object.subjects ?? [])
      .filter((s) => s.kind === kind)
      .map((s) => (kind === 'ServiceAccount' ? `${s.namespace ?? ''}/${s.name}` : s.name))
      .join(', ');
  return [
    object.metadata?.name ?? '',
    `${object.roleRef?.kind ?? ''}/${object.roleRef?.name ?? ''}`,
    age(object.metadata?.creationTimestamp, now),
    names('User'),
    names('Group'),
    names('ServiceAccount'),
  ];
}

// What begins a name is held to what a whole one is, upstream too.
const common = { validateName: (name: string) => isPathSegmentName(name), strategy: { allowCreateOnUpdate: true } } as const;

const role = define<Role>({
  ...common,
  kind: 'Role',
  plural: 'roles',
  namespaced: true,
  validate: (object) => rulesFaults(object.rules, true),
  columns: plainColumns,
  row: plainRow,
});

const clusterRole = define<ClusterRole>({
  ...common,
  kind: 'ClusterRole',
  plural: 'clusterroles',
  namespaced: false,
  validate: validateClusterRole,
  columns: plainColumns,
  row: plainRow,
});

const roleBinding = define<RoleBinding>({
  ...common,
  kind: 'RoleBinding',
  plural: 'rolebindings',
  namespaced: true,
  defaults: defaultBinding,
  validate: (object) => bindingFaults(object, ['Role', 'ClusterRole']),
  validateUpdate: (object, old) => bindingUpdateFaults(object, old, ['Role', 'ClusterRole']),
  columns: bindingColumns(
    'roleBinding',
    'RoleRef can reference a Role in the current namespace or a ClusterRole in the global namespace. If the RoleRef cannot be resolved, the Authorizer must return an error.',
  ),
  row: bindingRow,
});

const clusterRoleBinding = define<ClusterRoleBinding>({
  ...common,
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  namespaced: false,
  defaults: defaultBinding,
  validate: (object) => bindingFaults(object, ['ClusterRole']),
  validateUpdate: (object, old) => bindingUpdateFaults(object, old, ['ClusterRole']),
  columns: bindingColumns(
    'clusterRoleBinding',
    'RoleRef can only reference a ClusterRole in the global namespace. If the RoleRef cannot be resolved, the Authorizer must return an error.',
  ),
  row: bindingRow,
});

export const rbacResources: readonly Resource[] = [clusterRoleBinding, clusterRole, roleBinding, role];
