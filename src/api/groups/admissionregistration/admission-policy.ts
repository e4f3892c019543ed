import { duplicate, type FieldError, FieldPath, forbidden, invalid, notSupported, required } from '../../meta/field-error.ts';
import { validateLabelSelector } from '../../meta/label-selector-validation.ts';
import { isCIdentifier, isDNS1123Label, isDNS1123Subdomain, isQualifiedName, nameIsDNSSubdomain } from '../../meta/names.ts';
import type {
  MatchResources,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  ParamKind,
  ParamRef,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  Variable,
} from '../../types/admissionregistration-v1.ts';
import { age, column, groupVersion, standardColumns } from '../define.ts';
import { check, checkRequired, oneOf } from '../field-checks.ts';
import { defaultRule, matchConditionFaults, ruleFaults } from './rules.ts';

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
    (match[name] ?? []).forEach((rule, i) => void errors.push(...ruleFaults(rule, path.child(name).index(i))));
  }
  return errors;
}

function paramKindFaults(kind: ParamKind | undefined): readonly FieldError[] {
  if (kind === undefined) return [];
  const path = spec.child('paramKind');
  const errors: FieldError[] = [];
  if (!kind.apiVersion) errors.push(required(path.child('apiVersion')));
  if (!kind.kind) errors.push(required(path.child('kind')));
  return errors;
}

function variableFaults(variables: readonly Variable[]): readonly FieldError[] {
  return variables.flatMap(({ name = '', expression = '' }, i) => {
    const path = spec.child('variables').index(i);
    const errors: FieldError[] = [];
    if (name.trim() === '') errors.push(required(path.child('name'), 'name is not specified'));
    else if (isCIdentifier(name).length > 0) errors.push(invalid(path.child('name'), name, 'name is not a valid CEL identifier'));
    if (variables.findIndex((v) => v.name === name) < i) errors.push(duplicate(path.child('name'), name));
    if (expression.trim() === '') errors.push(required(path.child('expression'), 'expression is not specified'));
    return errors;
  });
}

/** What both kinds of policies have; the expressions themselves are compiled where they are run. */
function policyFaults(object: Policy): readonly FieldError[] {
  const { failurePolicy, matchConstraints, matchConditions = [], paramKind, variables = [] } = object.spec ?? {};
  const errors: FieldError[] = [...oneOf(spec.child('failurePolicy'), failurePolicy, ['Fail', 'Ignore'])];
  errors.push(...paramKindFaults(paramKind));
  const path = spec.child('matchConstraints');
  if (matchConstraints === undefined) errors.push(required(path));
  else {
    errors.push(...matchFaults(matchConstraints, path));
    if ((matchConstraints.resourceRules?.length ?? 0) === 0) errors.push(required(path.child('resourceRules')));
  }
  errors.push(...matchConditionFaults(matchConditions, spec.child('matchConditions')));
  return [...errors, ...variableFaults(variables)];
}

const reasons = ['Forbidden', 'Invalid', 'RequestEntityTooLarge', 'Unauthorized'];

function validateValidating(object: ValidatingAdmissionPolicy): readonly FieldError[] {
  const { validations = [], auditAnnotations = [] } = object.spec ?? {};
  const errors = [...policyFaults(object)];
  if (validations.length === 0 && auditAnnotations.length === 0) {
    const detail = 'validations or auditAnnotations must contain at least one item';
    errors.push(required(spec.child('validations'), detail), required(spec.child('auditAnnotations'), detail));
  }
  validations.forEach(({ expression = '', message = '', messageExpression = '', reason }, i) => {
    const path = spec.child('validations').index(i);
    if (expression.trim() === '') errors.push(required(path.child('expression'), 'expression is not specified'));
    if (messageExpression !== '' && messageExpression.trim() === '') {
      errors.push(invalid(path.child('messageExpression'), messageExpression, 'must be non-empty if specified'));
    }
    if (message !== '' && message.trim() === '') {
      errors.push(invalid(path.child('message'), message, 'message must be non-empty if specified'));
    } else if (message.trim().includes('\n')) {
      errors.push(invalid(path.child('message'), message, 'message must not contain line breaks'));
    } else if (expression.trim().includes('\n') && message === '') {
      errors.push(required(path.child('message'), 'message must be specified if expression contains line breaks'));
    }
    if (reason !== undefined && !reasons.includes(reason)) errors.push(notSupported(path.child('reason'), reason, reasons));
  });
  auditAnnotations.forEach(({ key = '', valueExpression = '' }, i) => {
    const path = spec.child('auditAnnotations').index(i);
    errors.push(...checkRequired(path.child('key'), key, (text) => isQualifiedName(`${object.metadata?.name ?? ''}/${text}`)));
    if (valueExpression.trim() === '') errors.push(required(path.child('valueExpression'), 'valueExpression is not specified'));
    if (auditAnnotations.findIndex((a) => a.key === key) < i) errors.push(duplicate(path.child('key'), key));
  });
  return errors;
}

function validateMutating(object: MutatingAdmissionPolicy): readonly FieldError[] {
  const { mutations = [], reinvocationPolicy } = object.spec ?? {};
  const errors = [...policyFaults(object)];
  const path = spec.child('mutations');
  if (mutations.length === 0) errors.push(required(path, 'mutations must contain at least one item'));
  mutations.forEach(({ patchType, applyConfiguration, jsonPatch }, i) => {
    const at = path.index(i);
    errors.push(...oneOf(at.child('patchType'), patchType, ['ApplyConfiguration', 'JSONPatch']));
    const parts = {
      ApplyConfiguration: ['applyConfiguration', applyConfiguration],
      JSONPatch: ['jsonPatch', jsonPatch],
    } as const;
    for (const [type, [field, part]] of Object.entries(parts)) {
      if (patchType === type) {
        if (part === undefined) errors.push(required(at.child(field), `must be specified when patchType is ${type}`));
        else if (!part.expression?.trim()) errors.push(required(at.child(field, 'expression'), 'expression is not specified'));
      } else if (part !== undefined) {
        errors.push(invalid(at.child(field), '{}', `must not specify ${field} when patchType is ${patchType}`));
      }
    }
  });
  return [...errors, ...oneOf(spec.child('reinvocationPolicy'), reinvocationPolicy, ['IfNeeded', 'Never'])];
}

function paramRefFaults(ref: ParamRef | undefined): readonly FieldError[] {
  if (ref === undefined) return [];
  const path = spec.child('paramRef');
  const errors: FieldError[] = [];
  if (ref.name) {
    errors.push(...check(path.child('name'), ref.name, isDNS1123Subdomain));
    if (ref.selector !== undefined) {
      errors.push(forbidden(path.child('name'), 'name and selector are mutually exclusive'));
    }
  } else if (ref.selector !== undefined) errors.push(...validateLabelSelector(ref.selector, path.child('selector')));
  else errors.push(required(path, 'one of name or selector must be specified'));
  if (ref.namespace) errors.push(...check(path.child('namespace'), ref.namespace, isDNS1123Label));
  return [...errors, ...oneOf(path.child('parameterNotFoundAction'), ref.parameterNotFoundAction, ['Allow', 'Deny'])];
}

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
  if (actions.length === 0) errors.push(required(path));
  actions.forEach((action, i) => {
    if (!['Audit', 'Deny', 'Warn'].includes(action)) errors.push(notSupported(path, action, ['Audit', 'Deny', 'Warn']));
    if (actions.indexOf(action) < i) errors.push(duplicate(path, action));
  });
  if (actions.includes('Deny') && actions.includes('Warn')) {
    const detail =
      'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)';
    errors.push(invalid(path, actions, detail));
  }
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
  column('ParamRef', 'string', 'ParamRef indicates the param resource which sets the configration param'),
);

const bindingRow = (object: Binding, now: number): readonly unknown[] => [
  object.metadata?.name ?? '',
  object.spec?.policyName ?? '',
  formatRef(object),
  age(object.metadata?.creationTimestamp, now),
];

const common = { namespaced: false, categories: ['api-extensions'], validateName: nameIsDNSSubdomain, generation: true } as const;

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
  emptyStatus: {},
  defaults: defaultPolicy,
  validate: validateValidating,
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
  kind: 'MutatingAdmissionPolicy',
  plural: 'mutatingadmissionpolicies',
  defaults: defaultPolicy,
  validate: validateMutating,
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
  kind: 'MutatingAdmissionPolicyBinding',
  plural: 'mutatingadmissionpolicybindings',
  defaults: defaultBinding,
  validate: bindingFaults,
  columns: bindingColumns,
  row: bindingRow,
});
