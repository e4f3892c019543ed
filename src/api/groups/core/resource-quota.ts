import { type FieldError, FieldPath, invalid, required } from '../../meta/field-error.ts';
import { nameIsDNSSubdomain } from '../../meta/names.ts';
import { canonicalQuantity } from '../../meta/quantity.ts';
import type { ResourceQuota, ResourceQuotaSpec } from '../../types/core-v1.ts';
import { age, column, groupVersion, standardColumns } from '../define.ts';
import { isStandardQuotaResource, quantityFaults, quotaResourceNameFaults } from './resource-faults.ts';

const define = groupVersion('', 'v1');
const specPath = new FieldPath('spec');

type Amounts = Readonly<Record<string, string>> | undefined;

const podCompute = new Set(['pods', 'cpu', 'memory', 'limits.cpu', 'limits.memory', 'requests.cpu', 'requests.memory']);
const podCount = new Set(['pods']);
const claims = new Set(['persistentvolumeclaims', 'requests.storage']);

/** What each scope can be applied to. */
const scopes: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['Terminating', podCompute],
  ['NotTerminating', podCompute],
  ['NotBestEffort', podCompute],
  ['PriorityClass', podCompute],
  ['CrossNamespacePodAffinity', podCompute],
  ['BestEffort', podCount],
  ['VolumeAttributesClass', claims],
]);
const existsOnly = new Set(['BestEffort', 'NotBestEffort', 'Terminating', 'NotTerminating', 'CrossNamespacePodAffinity']);
const conflicts = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
] as const;

function amountFaults(path: FieldPath, amounts: Amounts): readonly FieldError[] {
  return Object.entries(amounts ?? {}).flatMap(([name, amount]) => [
    ...quotaResourceNameFaults(path.key(name), name),
    ...quantityFaults(path.key(name), name, amount),
  ]);
}

function misapplied(scope: string, spec: ResourceQuotaSpec): number {
  const applies = scopes.get(scope);
  return Object.keys(spec.hard ?? {}).filter((name) => isStandardQuotaResource(name) && !(applies?.has(name) ?? true)).length;
}

function conflicting(path: FieldPath, given: readonly string[], spec: ResourceQuotaSpec): readonly FieldError[] {
  return conflicts
    .filter(([a, b]) => given.includes(a) && given.includes(b))
    .map(() => invalid(path, spec.scopes ?? [], 'conflicting scopes'));
}

function scopeFaults(spec: ResourceQuotaSpec): readonly FieldError[] {
  const given = spec.scopes ?? [];
  const path = specPath.child('scopes');
  const errors: FieldError[] = [];
  for (const scope of given) {
    if (!scopes.has(scope)) errors.push(invalid(path, given, 'unsupported scope'));
    for (let i = misapplied(scope, spec); i > 0; i--) errors.push(invalid(path, given, 'unsupported scope applied to resource'));
  }
  return [...errors, ...conflicting(path, given, spec)];
}

function selectorFaults(spec: ResourceQuotaSpec): readonly FieldError[] {
  const requirements = spec.scopeSelector?.matchExpressions ?? [];
  const path = specPath.child('scopeSelector', 'matchExpressions');
  const errors: FieldError[] = [];
  for (const { scopeName, operator, values = [] } of requirements) {
    if (!scopes.has(scopeName)) errors.push(invalid(path.child('scopeName'), scopeName, 'unsupported scope'));
    for (let i = misapplied(scopeName, spec); i > 0; i--) {
      errors.push(invalid(path, spec.scopeSelector, 'unsupported scope applied to resource'));
    }
    if (existsOnly.has(scopeName) && operator !== 'Exists') {
      const detail =
        "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
      errors.push(invalid(path.child('operator'), operator, detail));
    }
    if (operator === 'In' || operator === 'NotIn') {
      if (values.length === 0) {
        const detail = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
        errors.push(required(path.child('values'), detail));
      }
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (values.length > 0) {
        const detail = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
        errors.push(invalid(path.child('values'), values, detail));
      }
    } else {
      errors.push(invalid(path.child('operator'), operator ?? '', 'not a valid selector operator'));
    }
  }
  const names = requirements.map((r) => r.scopeName);
  return [...errors, ...conflicting(path, names, spec)];
}

function validateSpec(spec: ResourceQuotaSpec): readonly FieldError[] {
  return [...amountFaults(specPath.child('hard'), spec.hard as Amounts), ...scopeFaults(spec), ...selectorFaults(spec)];
}

function validateStatus(object: ResourceQuota): readonly FieldError[] {
  const path = new FieldPath('status');
  return [
    ...amountFaults(path.child('hard'), object.status?.hard as Amounts),
    ...amountFaults(path.child('used'), object.status?.used as Amounts),
  ];
}

/** `used/hard` of the requests (or of the limits), by name. */
function formatUse(object: ResourceQuota, limits: boolean): string {
  const { hard = {}, used = {} } = object.status ?? {};
  const show = (text: string | undefined): string => (text === undefined ? '0' : canonicalQuantity(String(text)));
  return Object.keys(hard)
    .sort()
    .filter((name) => name.startsWith('limits.') === limits)
    .map((name) => `${name}: ${show(used[name])}/${show(hard[name])}`)
    .join(', ');
}

export const resourceQuota = define<ResourceQuota>({
  kind: 'ResourceQuota',
  plural: 'resourcequotas',
  namespaced: true,
  shortNames: ['quota'],
  status: true,
  generation: false,
  emptyStatus: {},
  validate: (object) => [...validateSpec(object.spec ?? {}), ...validateStatus(object)],
  validateUpdate: (object, old) => {
    const now = object.spec?.scopes ?? [];
    const then = new Set<string>(old.spec?.scopes ?? []);
    const same = new Set(now).size === then.size && now.every((scope) => then.has(scope));
    const errors = validateSpec(object.spec ?? {});
    return same ? errors : [...errors, invalid('spec.scopes', object.spec?.scopes, 'field is immutable')];
  },
  validateStatusUpdate: validateStatus,
  validateName: nameIsDNSSubdomain,
  columns: standardColumns(
    column('Request', 'string', 'Request represents a minimum amount of cpu/memory that a container may consume.'),
    column(
      'Limit',
      'string',
      'Limits control the maximum amount of cpu/memory that a container may use independent of contention on the node.',
    ),
  ),
  row: (object, now) => [
    object.metadata?.name ?? '',
    formatUse(object, false),
    formatUse(object, true),
    age(object.metadata?.creationTimestamp, now),
  ],
});
