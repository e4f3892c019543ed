import type { Variables } from '../../cel/compile.ts';
import { APPLY_CONFIGURATION, JSON_PATCHES, patchTypes } from '../../cel/patch-types.ts';
import { BOOL, NULL, STRING } from '../../cel/types.ts';
import { duplicate, type FieldError, FieldPath, forbidden, invalid, notSupported, required } from '../../meta/field-error.ts';
import { validateLabelSelector } from '../../meta/label-selector-validation.ts';
import { isDNS1035Label, isDNS1123Subdomain, isPathSegmentName, isQualifiedName, nameIsDNSSubdomain } from '../../meta/names.ts';
import type {
  AuditAnnotation,
  MatchResources,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  ParamKind,
  ParamRef,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from '../../types/admissionregistration-v1.ts';
import { age, column, deepEqual, groupVersion, keptByStatus, standardColumns } from '../define.ts';
import { check, checkRequired, oneOf } from '../field-checks.ts';
import { expressionFaults, matchConditionFaults, NamedVariables } from './expressions.ts';
import { defaultRule, ruleFaults } from './rules.ts';

const define = groupVersion('admissionregistration.k8s.io', 'v1');
const spec = new FieldPath('spec');

type Policy = ValidatingAdmissionPolicy | MutatingAdmissionPolicy;
type Binding = ValidatingAdmissionPolicyBinding | MutatingAdmissionPolicyBinding;

function defaultMatch(match: MatchResources): MatchResources {
  return {
    matchPolicy: 'Equivalent',
    namespaceSelector: {},
    objectSelector: {},
    ...match,
    ...(match.resourceRules === undefined ? {} : { resourceRules: match.resourceRules.map(defaultRule) }),
    ...(match.excludeResourceRules === undefined ? {} : { excludeResourceRules: match.excludeResourceRules.map(defaultRule) }),
  };
}

function matchFaults(match: MatchResources, path: FieldPath): readonly FieldError[] {
  const errors: FieldError[] = [...oneOf(path.child('matchPolicy'), match.matchPolicy, ['Equivalent', 'Exact'])];
  for (const name of ['namespaceSelector', 'objectSelector'] as const) {
    const selector = match[name];
    if (selector === undefined) errors.push(required(path.child(name)));
    else errors.push(...validateLabelSelector(selector, path.child(name)));
  }
  for (const name of ['resourceRules', 'excludeResourceRules'] as const) {
    (match[name] ?? []).forEach((rule, i) => {
      const at = path.child(name).index(i);
      errors.push(...resourceNameFaults(rule.resourceNames ?? [], at.child('resourceNames')), ...ruleFaults(rule, at));
    });
  }
  return errors;
}

function resourceNameFaults(names: readonly string[], path: FieldPath): readonly FieldError[] {
  return names.flatMap((name, i) => [
    ...check(path.index(i), name, isPathSegmentName),
    ...(names.indexOf(name) < i ? [duplicate(path.index(i), name)] : []),
  ]);
}

function paramKindFaults(paramKind: ParamKind | undefined): readonly FieldError[] {
  if (paramKind === undefined) return [];
  const { apiVersion = '', kind = '' } = paramKind;
  const path = spec.child('paramKind');
  const errors: FieldError[] = [];
  const at = path.child('apiVersion');
  const parts = apiVersion.split('/');
  const version = parts.at(-1)!;
  if (apiVersion === '') errors.push(required(at));
  else if (parts.length > 2) errors.push(invalid(at, apiVersion, `unexpected GroupVersion string: ${apiVersion}`));
  else {
    const group = parts.length === 2 ? parts[0]! : '';
    const badGroup = group === '' ? [] : isDNS1123Subdomain(group);
    if (badGroup.length > 0) errors.push(invalid(at, group, badGroup.join(',')));
    const badVersion = version === '' ? ['version must be specified'] : isDNS1035Label(version);
    if (badVersion.length > 0) errors.push(invalid(at, version === '' ? apiVersion : version, badVersion.join(',')));
  }
  const badKind = isDNS1035Label(kind.toLowerCase());
  if (kind === '') errors.push(required(path.child('kind')));
  else if (badKind.length > 0) {
    const detail = `may have mixed case, but should otherwise match: ${badKind.join(',')}`;
    errors.push(invalid(path.child('kind'), kind, detail));
  }
  return errors;
}

/** What both kinds of policies have. `old`: what an update is made to. */
function policyFaults(object: Policy, old: Policy | undefined, named: NamedVariables): readonly FieldError[] {
  const { failurePolicy, matchConstraints, matchConditions = [], paramKind } = object.spec ?? {};
  const errors: FieldError[] = [...oneOf(spec.child('failurePolicy'), failurePolicy, ['Fail', 'Ignore'])];
  errors.push(...paramKindFaults(paramKind));
  const path = spec.child('matchConstraints');
  if (matchConstraints === undefined) errors.push(required(path));
  else {
    errors.push(...matchFaults(matchConstraints, path));
    if ((matchConstraints.resourceRules?.length ?? 0) === 0) errors.push(required(path.child('resourceRules')));
  }
  // Match conditions that stay as they are need not compile any more.
  const { paramKind: oldKind, matchConditions: oldConditions = [] } = old?.spec ?? {};
  if (old === undefined || !deepEqual(paramKind, oldKind) || !deepEqual(matchConditions, oldConditions)) {
    errors.push(...matchConditionFaults(matchConditions, spec.child('matchConditions'), paramKind !== undefined));
  }
  return [...errors, ...named.faults];
}

const namedBy = ({ spec: { variables = [], paramKind } = {} }: Policy): NamedVariables =>
  new NamedVariables(variables, spec.child('variables'), paramKind !== undefined);

/** Audit annotations of one policy, and bytes of the expression of one. */
const mostAuditAnnotations = 20;
const longestValueExpression = 5 * 1024;
const reasons = ['Forbidden', 'Invalid', 'RequestEntityTooLarge'];

function validateValidating(object: ValidatingAdmissionPolicy, old?: ValidatingAdmissionPolicy): readonly FieldError[] {
  const { validations = [], auditAnnotations = [], paramKind } = object.spec ?? {};
  const named = namedBy(object);
  const errors = [...policyFaults(object, old, named)];
  if (validations.length === 0 && auditAnnotations.length === 0) {
    const detail = 'validations or auditAnnotations must contain at least one item';
    errors.push(required(spec.child('validations'), detail), required(spec.child('auditAnnotations'), detail));
  }
  const params = paramKind !== undefined;
  const variables = named.declarations({ params, authorizer: true });
  const forMessages = named.declarations({ params, authorizer: false });
  validations.forEach(({ expression = '', message = '', messageExpression = '', reason }, i) => {
    const path = spec.child('validations').index(i);
    if (expression.trim() === '') errors.push(required(path.child('expression'), 'expression is not specified'));
    else errors.push(...expressionFaults(path.child('expression'), expression, variables, [BOOL]));
    const at = path.child('messageExpression');
    if (messageExpression !== '' && messageExpression.trim() === '') {
      errors.push(invalid(at, messageExpression, 'must be non-empty if specified'));
    } else if (messageExpression !== '') errors.push(...expressionFaults(at, messageExpression, forMessages, [STRING]));
    if (message !== '' && message.trim() === '') {
      errors.push(invalid(path.child('message'), message, 'message must be non-empty if specified'));
    } else if (/[\n\r]/.test(message.trim())) {
      errors.push(invalid(path.child('message'), message, 'message must not contain line breaks'));
    }
    if (reason !== undefined && !reasons.includes(reason)) errors.push(notSupported(path.child('reason'), reason, reasons));
  });
  return [...errors, ...auditFaults(object.metadata?.name ?? '', auditAnnotations, variables)];
}

function auditFaults(name: string, annotations: readonly AuditAnnotation[], variables: Variables): readonly FieldError[] {
  const errors: FieldError[] = [];
  const list = spec.child('auditAnnotations');
  if (annotations.length > mostAuditAnnotations) {
    errors.push(invalid(list, annotations, `must not have more than ${mostAuditAnnotations} auditAnnotations`));
  }
  annotations.forEach(({ key = '', valueExpression = '' }, i) => {
    const path = list.index(i);
    const full = `${name}/${key}`;
    if (name === '') errors.push(invalid(path.child('key'), key, 'requires metadata.name be non-empty'));
    else errors.push(...check(path.child('key'), full, isQualifiedName));
    const at = path.child('valueExpression');
    const trimmed = valueExpression.trim();
    if (trimmed === '') errors.push(required(at, 'valueExpression is not specified'));
    else if (Buffer.byteLength(trimmed) > longestValueExpression) {
      errors.push(required(at, `must not exceed ${longestValueExpression} bytes in length`));
    } else errors.push(...expressionFaults(at, trimmed, variables, [STRING, NULL], { shown: valueExpression }));
    if (annotations.findIndex((a) => a.key === key) < i) errors.push(duplicate(path.child('key'), key));
  });
  return errors;
}

function validateMutating(object: MutatingAdmissionPolicy, old?: MutatingAdmissionPolicy): readonly FieldError[] {
  const { mutations = [], reinvocationPolicy, paramKind } = object.spec ?? {};
  const named = namedBy(object);
  const errors = [...policyFaults(object, old, named)];
  const variables = named.declarations({ params: paramKind !== undefined, authorizer: true });
  const path = spec.child('mutations');
  if (mutations.length === 0) errors.push(required(path, 'mutations must contain at least one item'));
  mutations.forEach(({ patchType, applyConfiguration, jsonPatch }, i) => {
    const at = path.index(i);
    errors.push(...oneOf(at.child('patchType'), patchType, ['ApplyConfiguration', 'JSONPatch']));
    const parts = {
      ApplyConfiguration: ['applyConfiguration', applyConfiguration, APPLY_CONFIGURATION],
      JSONPatch: ['jsonPatch', jsonPatch, JSON_PATCHES],
    } as const;
    for (const [type, [field, part, result]] of Object.entries(parts)) {
      if (patchType === type) {
        const expression = (part?.expression ?? '').trim();
        if (part === undefined) errors.push(required(at.child(field), `must be specified when patchType is ${type}`));
        else if (expression === '') errors.push(required(at.child(field, 'expression')));
        else {
          const options = { structs: patchTypes };
          errors.push(...expressionFaults(at.child(field, 'expression'), expression, variables, [result], options));
        }
      } else if (part !== undefined && patchType !== undefined && patchType in parts) {
        errors.push(invalid(at.child(field), `{${field}}`, `must not be specified when patchType is ${patchType}`));
      }
    }
  });
  return [...errors, ...oneOf(spec.child('reinvocationPolicy'), reinvocationPolicy, ['IfNeeded', 'Never'])];
}

function paramRefFaults(ref: ParamRef | undefined): readonly FieldError[] {
  if (ref === undefined) return [];
  const path = spec.child('paramRef');
  const errors: FieldError[] = [];
  const both = ref.name && ref.selector !== undefined ? ['name and selector are mutually exclusive'] : [];
  if (ref.name) {
    errors.push(...check(path.child('name'), ref.name, isPathSegmentName));
    errors.push(...both.map((detail) => forbidden(path.child('name'), detail)));
  }
  if (ref.selector !== undefined) {
    errors.push(...validateLabelSelector(ref.selector, path.child('selector')));
    errors.push(...both.map((detail) => forbidden(path.child('selector'), detail)));
  }
  if (!ref.name && ref.selector === undefined) errors.push(required(path, 'one of name or selector must be specified'));
  return [...errors, ...oneOf(path.child('parameterNotFoundAction'), ref.parameterNotFoundAction, ['Deny', 'Allow'])];
}

/** What both kinds of bindings have. */
function bindingFaults(object: Binding): readonly FieldError[] {
  const { policyName, paramRef, matchResources } = object.spec ?? {};
  return [
    ...checkRequired(spec.child('policyName'), policyName, isDNS1123Subdomain),
    ...paramRefFaults(paramRef),
    ...(matchResources === undefined ? [] : matchFaults(matchResources, spec.child('matchResources'))),
  ];
}

function validateValidatingBinding(object: ValidatingAdmissionPolicyBinding): readonly FieldError[] {
  const path = spec.child('validationActions');
  const actions = object.spec?.validationActions ?? [];
  const errors = [...bindingFaults(object)];
  actions.forEach((action, i) => {
    if (!['Audit', 'Deny', 'Warn'].includes(action)) errors.push(notSupported(path.index(i), action, ['Audit', 'Deny', 'Warn']));
    if (actions.indexOf(action) < i) errors.push(duplicate(path.index(i), action));
  });
  if (actions.includes('Deny') && actions.includes('Warn')) {
    const detail =
      'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)';
    errors.push(invalid(path, actions, detail));
  }
  if (actions.length === 0) errors.push(required(path, 'at least one validation action is required'));
  return errors;
}

const formatKind = (object: Policy): string => {
  const kind = object.spec?.paramKind;
  return kind === undefined ? '<unset>' : `${kind.apiVersion ?? ''}/${kind.kind ?? ''}`;
};

const formatRef = (object: Binding): string => {
  const ref = object.spec?.paramRef;
  return ref === undefined ? '<unset>' : `${ref.namespace || '*'}/${ref.name || '*'}`;
};

const bindingColumns = standardColumns(
  column('PolicyName', 'string', 'PolicyName indicates the policy definition which the policy binding binded to'),
  column('ParamRef', 'string', 'ParamRef indicates the param resource which sets the configuration param'),
);

const bindingRow = (object: Binding, now: number): readonly unknown[] => [
  object.metadata?.name ?? '',
  object.spec?.policyName ?? '',
  formatRef(object),
  age(object.metadata?.creationTimestamp, now),
];

const common = { namespaced: false, categories: ['api-extensions'], validateName: nameIsDNSSubdomain, generation: true } as const;

/** Releases that know v1beta1 alone can still read what v1.36 has written. */
const storedAsBeta = { storageVersion: { group: 'admissionregistration.k8s.io', version: 'v1beta1' } } as const;

/** Defaults of the part that says which requests are meant, and, for policies, of what a failure means. */
function defaultPolicy<T extends Policy>(object: T): T {
  const s = object.spec ?? {};
  const match = s.matchConstraints;
  const constraints = match === undefined ? {} : { matchConstraints: defaultMatch(match) };
  return { ...object, spec: { failurePolicy: 'Fail', ...s, ...constraints } };
}

function defaultBinding<T extends Binding>(object: T): T {
  const match = object.spec?.matchResources;
  return match === undefined ? object : { ...object, spec: { ...object.spec, matchResources: defaultMatch(match) } };
}

export const validatingAdmissionPolicy = define<ValidatingAdmissionPolicy>({
  ...common,
  kind: 'ValidatingAdmissionPolicy',
  plural: 'validatingadmissionpolicies',
  status: true,
  statusKeeps: keptByStatus,
  emptyStatus: {},
  defaults: defaultPolicy,
  validate: (object) => validateValidating(object),
  validateUpdate: validateValidating,
  columns: standardColumns(
    column('Validations', 'integer', 'Validations indicates the number of validation rules defined in this configuration'),
    column('ParamKind', 'string', 'ParamKind specifies the kind of resources used to parameterize this policy'),
  ),
  row: (object, now) => [
    object.metadata?.name ?? '',
    object.spec?.validations?.length ?? 0,
    formatKind(object),
    age(object.metadata?.creationTimestamp, now),
  ],
});

export const validatingAdmissionPolicyBinding = define<ValidatingAdmissionPolicyBinding>({
  ...common,
  kind: 'ValidatingAdmissionPolicyBinding',
  plural: 'validatingadmissionpolicybindings',
  defaults: defaultBinding,
  validate: validateValidatingBinding,
  columns: bindingColumns,
  row: bindingRow,
});

export const mutatingAdmissionPolicy = define<MutatingAdmissionPolicy>({
  ...common,
  ...storedAsBeta,
  kind: 'MutatingAdmissionPolicy',
  plural: 'mutatingadmissionpolicies',
  defaults: defaultPolicy,
  validate: (object) => validateMutating(object),
  validateUpdate: validateMutating,
  columns: standardColumns(
    column('Mutations', 'integer', 'Mutation indicates the number of mutations rules defined in this configuration'),
    column('ParamKind', 'string', 'ParamKind specifies the kind of resources used to parameterize this policy'),
  ),
  row: (object, now) => [
    object.metadata?.name ?? '',
    object.spec?.mutations?.length ?? 0,
    formatKind(object),
    age(object.metadata?.creationTimestamp, now),
  ],
});

export const mutatingAdmissionPolicyBinding = define<MutatingAdmissionPolicyBinding>({
  ...common,
  ...storedAsBeta,
  kind: 'MutatingAdmissionPolicyBinding',
  plural: 'mutatingadmissionpolicybindings',
  defaults: defaultBinding,
  validate: bindingFaults,
  columns: bindingColumns,
  row: bindingRow,
});
