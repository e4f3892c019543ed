import { duplicate, forbidden, invalid, notSupported, required } from '../../../meta/field-error.ts';
import { isQualifiedName, isValidLabelValue, nameIsDNSLabel, nameIsDNSSubdomain } from '../../../meta/names.ts';
import type {
  Affinity,
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinityTerm,
  PodReadinessGate,
  PodSchedulingGate,
  Toleration,
  TopologySpreadConstraint,
} from '../../../types/core-v1.ts';
import type { LabelSelector } from '../../../types/meta-v1.ts';
import { validateLabelName, validateSelector } from './labels.ts';
import { type Errors, type PodValidationOptions, report } from './options.ts';

/** Where a pod may run: affinity, tolerations, topology spread, gates. */

export function validateAffinity(affinity: Affinity, at: string, options: PodValidationOptions, errors: Errors): void {
  const node = affinity.nodeAffinity;
  if (node !== undefined) {
    const requiredTerms = node.requiredDuringSchedulingIgnoredDuringExecution;
    if (requiredTerms !== undefined) {
      validateNodeSelector(
        requiredTerms,
        `${at}.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution`,
        options.allowInvalidLabelValueInRequiredNodeAffinity === true,
        errors,
      );
    }
    const preferred = node.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    for (let i = 0; i < preferred.length; i++) {
      const { weight, preference } = preferred[i]!;
      const here = `${at}.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[${i}]`;
      validateWeight(weight, here, errors);
      // A preference for what cannot be does no harm.
      validateNodeSelectorTerm(preference ?? {}, `${here}.preference`, true, errors);
    }
  }
  for (const kind of ['podAffinity', 'podAntiAffinity'] as const) {
    const terms = affinity[kind];
    if (terms === undefined) continue;
    const lenient = options.allowInvalidLabelValueInSelector === true;
    const hard = terms.requiredDuringSchedulingIgnoredDuringExecution ?? [];
    for (let i = 0; i < hard.length; i++) {
      const here = `${at}.${kind}.requiredDuringSchedulingIgnoredDuringExecution[${i}]`;
      validatePodAffinityTerm(hard[i]!, here, lenient, errors);
    }
    const soft = terms.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    for (let i = 0; i < soft.length; i++) {
      const here = `${at}.${kind}.preferredDuringSchedulingIgnoredDuringExecution[${i}]`;
      validateWeight(soft[i]!.weight, here, errors);
      validatePodAffinityTerm(soft[i]!.podAffinityTerm, `${here}.podAffinityTerm`, lenient, errors);
    }
  }
}

function validateWeight(weight: number, at: string, errors: Errors): void {
  if (!(weight > 0 && weight <= 100)) errors.push(invalid(`${at}.weight`, weight ?? 0, 'must be in the range 1-100'));
}

/** Terms are ORed; there must be one. `allowInvalidValues`: values that no label can have pass. */
export function validateNodeSelector(selector: NodeSelector, at: string, allowInvalidValues: boolean, errors: Errors): void {
  const terms = selector.nodeSelectorTerms ?? [];
  if (terms.length === 0) {
    errors.push(required(`${at}.nodeSelectorTerms`, 'must have at least one node selector term'));
  }
  for (let i = 0; i < terms.length; i++) {
    validateNodeSelectorTerm(terms[i]!, `${at}.nodeSelectorTerms[${i}]`, allowInvalidValues, errors);
  }
}

function validateNodeSelectorTerm(term: NodeSelectorTerm, at: string, allowInvalidValues: boolean, errors: Errors): void {
  const expressions = term.matchExpressions ?? [];
  for (let i = 0; i < expressions.length; i++) {
    validateNodeRequirement(expressions[i]!, `${at}.matchExpressions[${i}]`, allowInvalidValues, errors);
  }
  const fields = term.matchFields ?? [];
  for (let i = 0; i < fields.length; i++) validateNodeFieldRequirement(fields[i]!, `${at}.matchFields[${i}]`, errors);
}

function validateNodeRequirement(
  { key, operator, values = [] }: NodeSelectorRequirement,
  at: string,
  allowInvalidValues: boolean,
  errors: Errors,
): void {
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (values.length === 0) {
        errors.push(required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
      }
      break;
    case 'Exists':
    case 'DoesNotExist':
      if (values.length > 0) {
        errors.push(forbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
      }
      break;
    case 'Gt':
    case 'Lt':
      if (values.length !== 1) {
        errors.push(required(`${at}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
      }
      break;
    default:
      errors.push(invalid(`${at}.operator`, operator ?? '', 'not a valid selector operator'));
  }
  validateLabelName(key, `${at}.key`, errors);
  if (allowInvalidValues) return;
  for (let i = 0; i < values.length; i++) {
    report(errors, `${at}.values[${i}]`, values[i], isValidLabelValue(values[i] as string));
  }
}

function validateNodeFieldRequirement({ key, operator, values = [] }: NodeSelectorRequirement, at: string, errors: Errors): void {
  if (operator !== 'In' && operator !== 'NotIn') {
    errors.push(invalid(`${at}.operator`, operator ?? '', 'not a valid selector operator'));
  } else if (values.length !== 1) {
    errors.push(required(`${at}.values`, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"));
  }
  if (key !== 'metadata.name') {
    errors.push(invalid(`${at}.key`, key ?? '', 'not a valid field selector key'));
    return;
  }
  for (let i = 0; i < values.length; i++) {
    report(errors, `${at}.values[${i}]`, values[i], nameIsDNSSubdomain(values[i] as string, false));
  }
}

function validatePodAffinityTerm(term: PodAffinityTerm, at: string, lenient: boolean, errors: Errors): void {
  validateSelector(term.labelSelector, `${at}.labelSelector`, lenient, errors);
  validateSelector(term.namespaceSelector, `${at}.namespaceSelector`, lenient, errors);
  for (const name of term.namespaces ?? []) report(errors, `${at}.namespace`, name, nameIsDNSLabel(name, false));
  validateLabelKeys(term, at, errors);
  if (!term.topologyKey) errors.push(required(`${at}.topologyKey`, 'can not be empty'));
  validateLabelName(term.topologyKey, `${at}.topologyKey`, errors);
}

/** Keys whose values are taken from the pod itself (KEP-3633): no key twice, and none without a selector to add them to. */
function validateLabelKeys(term: PodAffinityTerm, at: string, errors: Errors): void {
  for (const field of ['matchLabelKeys', 'mismatchLabelKeys'] as const) {
    const keys = term[field] ?? [];
    if (keys.length === 0) continue;
    if (term.labelSelector === undefined) {
      errors.push(forbidden(`${at}.${field}`, 'must not be specified when labelSelector is not set'));
      continue;
    }
    for (let i = 0; i < keys.length; i++) validateLabelName(keys[i], `${at}.${field}[${i}]`, errors);
  }
  const matchKeys = term.matchLabelKeys ?? [];
  if (matchKeys.length === 0) return;
  reportRepeatedKeys(matchKeys, term.labelSelector, (i) => `${at}[${i}]`, errors);
  const mismatched = new Set(term.mismatchLabelKeys);
  for (let i = 0; i < matchKeys.length; i++) {
    if (mismatched.has(matchKeys[i]!)) {
      errors.push(invalid(`${at}.matchLabelKeys[${i}]`, matchKeys[i], 'exists in both matchLabelKeys and mismatchLabelKeys'));
    }
  }
}

/** A creation has merged the keys into the selector already: a key that is there twice was there before. */
function reportRepeatedKeys(
  keys: readonly string[],
  selector: LabelSelector | undefined,
  at: (index: number) => string,
  errors: Errors,
): void {
  if (selector === undefined) return;
  const seen = new Set(Object.keys(selector.matchLabels ?? {}));
  for (const { key } of selector.matchExpressions ?? []) {
    const index = keys.lastIndexOf(key);
    if (index >= 0 && seen.has(key)) {
      errors.push(invalid(at(index), key, 'exists in both matchLabelKeys and labelSelector'));
    }
    seen.add(key);
  }
}

const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];
const integer = /^(?:0|-?[1-9][0-9]*)$/;

export function validateTolerations(
  tolerations: readonly Toleration[],
  at: string,
  errors: Errors,
  options: PodValidationOptions = {},
): void {
  for (let i = 0; i < tolerations.length; i++) {
    const { key, operator = '', value = '', effect = '', tolerationSeconds } = tolerations[i] as Toleration;
    const here = `${at}[${i}]`;
    if (key) validateLabelName(key, `${here}.key`, errors);
    else if (operator !== 'Exists') {
      errors.push(
        invalid(
          `${here}.operator`,
          operator,
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      );
    }
    if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
      errors.push(invalid(`${here}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"));
    }
    switch (operator) {
      case '':
      case 'Equal': {
        const messages = isValidLabelValue(value);
        if (messages.length > 0) errors.push(invalid(`${here}.operator`, value, messages.join(';')));
        break;
      }
      case 'Exists':
        if (value !== '') {
          errors.push(invalid(`${here}.operator`, value, "value must be empty when `operator` is 'Exists'"));
        }
        break;
      case 'Gt':
      case 'Lt':
        // Numbers are compared: it must be one (KEP-5471, alpha and off).
        if (options.allowTolerationComparison !== true) {
          errors.push(notSupported(`${here}.operator`, operator, ['Equal', 'Exists', 'Lt', 'Gt']));
        } else if (!integer.test(value)) {
          errors.push(invalid(`${here}.value`, value, 'must be a valid decimal integer in canonical form'));
        }
        break;
      default:
        errors.push(notSupported(`${here}.operator`, operator, ['Equal', 'Exists']));
    }
    if (effect !== '' && !taintEffects.includes(effect)) {
      errors.push(notSupported(`${here}.effect`, effect, taintEffects));
    }
  }
}

const scheduleActions = ['DoNotSchedule', 'ScheduleAnyway'];
const inclusionPolicies = ['Honor', 'Ignore'];

export function validateTopologySpread(
  constraints: readonly TopologySpreadConstraint[],
  at: string,
  options: PodValidationOptions,
  errors: Errors,
): void {
  for (let i = 0; i < constraints.length; i++) {
    const constraint = constraints[i] as TopologySpreadConstraint;
    const { maxSkew = 0, minDomains, topologyKey, whenUnsatisfiable } = constraint;
    const here = `${at}[${i}]`;
    if (maxSkew <= 0) errors.push(invalid(`${here}.maxSkew`, maxSkew, 'must be greater than zero'));
    if (!topologyKey) errors.push(required(`${here}.topologyKey`, 'can not be empty'));
    if (!scheduleActions.includes(whenUnsatisfiable)) {
      errors.push(notSupported(`${here}.whenUnsatisfiable`, whenUnsatisfiable ?? '', scheduleActions));
    }
    const repeated = constraints
      .slice(i + 1)
      .some((c) => c.topologyKey === topologyKey && c.whenUnsatisfiable === whenUnsatisfiable);
    if (repeated) {
      errors.push(duplicate(`${here}.{topologyKey, whenUnsatisfiable}`, `{${topologyKey}, ${whenUnsatisfiable}}`));
    }
    if (minDomains !== undefined && minDomains <= 0) {
      errors.push(invalid(`${here}.minDomains`, minDomains, 'must be greater than zero'));
    }
    if (minDomains !== undefined && whenUnsatisfiable !== 'DoNotSchedule') {
      errors.push(
        invalid(
          `${here}.minDomains`,
          minDomains,
          `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`,
        ),
      );
    }
    for (const field of ['nodeAffinityPolicy', 'nodeTaintsPolicy'] as const) {
      const policy = constraint[field];
      if (policy !== undefined && !inclusionPolicies.includes(policy)) {
        errors.push(notSupported(`${here}.${field}`, policy, inclusionPolicies));
      }
    }
    const keys = constraint.matchLabelKeys ?? [];
    if (keys.length > 0 && constraint.labelSelector === undefined) {
      errors.push(forbidden(`${here}.matchLabelKeys`, 'must not be specified when labelSelector is not set'));
    }
    for (let j = 0; j < keys.length; j++) validateLabelName(keys[j], `${here}.matchLabelKeys[${j}]`, errors);
    reportRepeatedKeys(keys, constraint.labelSelector, (j) => `${here}[${j}]`, errors);
    if (options.allowInvalidTopologySpreadConstraintLabelSelector !== true) {
      validateSelector(constraint.labelSelector, `${here}.labelSelector`, false, errors);
    }
  }
}

export function validateSchedulingGates(gates: readonly PodSchedulingGate[], at: string, errors: Errors): void {
  const seen = new Set<string>();
  for (let i = 0; i < gates.length; i++) {
    const name = gates[i]?.name ?? '';
    report(errors, `${at}[${i}]`, name, isQualifiedName(name));
    if (seen.has(name)) errors.push(duplicate(`${at}[${i}]`, name));
    seen.add(name);
  }
}

export function validateReadinessGates(gates: readonly PodReadinessGate[], at: string, errors: Errors): void {
  for (let i = 0; i < gates.length; i++) {
    const type = gates[i]?.conditionType ?? '';
    report(errors, `${at}[${i}].conditionType`, type, isQualifiedName(type));
  }
}
