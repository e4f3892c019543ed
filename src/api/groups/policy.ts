import { type FieldError, FieldPath, invalid, notSupported } from '../meta/field-error.ts';
import { type IntOrString, isPercent, parsePercent } from '../meta/int-or-string.ts';
import { validateLabelSelector } from '../meta/label-selector-validation.ts';
import { isValidPercent } from '../meta/names.ts';
import type { Resource } from '../resource.ts';
import type { PodDisruptionBudget } from '../types/policy-v1.ts';
import { age, column, groupVersion, standardColumns } from './define.ts';
import { nonNegative } from './field-checks.ts';

const define = groupVersion('policy', 'v1');
const spec = new FieldPath('spec');

function amountFaults(path: FieldPath, value: IntOrString | undefined): readonly FieldError[] {
  if (value === undefined) return [];
  if (typeof value === 'number') return nonNegative(path, value);
  const errors = isValidPercent(value).map((detail) => invalid(path, value, detail));
  if (isPercent(value) && parsePercent(value) > 100) errors.push(invalid(path, value, 'must not be greater than 100%'));
  return errors;
}

function validate(object: PodDisruptionBudget): readonly FieldError[] {
  const s = object.spec ?? {};
  const errors: FieldError[] = [];
  if (s.minAvailable !== undefined && s.maxUnavailable !== undefined) {
    errors.push(invalid(spec, s, 'minAvailable and maxUnavailable cannot be both set'));
  }
  errors.push(...amountFaults(spec.child('minAvailable'), s.minAvailable));
  errors.push(...amountFaults(spec.child('maxUnavailable'), s.maxUnavailable));
  if (s.selector !== undefined) errors.push(...validateLabelSelector(s.selector, spec.child('selector')));
  const policies = ['AlwaysAllow', 'IfHealthyBudget'];
  if (s.unhealthyPodEvictionPolicy !== undefined && !policies.includes(s.unhealthyPodEvictionPolicy)) {
    errors.push(notSupported(spec.child('unhealthyPodEvictionPolicy'), s.unhealthyPodEvictionPolicy, policies));
  }
  return errors;
}

const podDisruptionBudget = define<PodDisruptionBudget>({
  kind: 'PodDisruptionBudget',
  plural: 'poddisruptionbudgets',
  namespaced: true,
  shortNames: ['pdb'],
  status: true,
  emptyStatus: { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 },
  strategy: { allowUnconditionalUpdate: false },
  validate,
  validateStatusUpdate: (object) =>
    (['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'] as const).flatMap((field) =>
      nonNegative(new FieldPath('status').child(field), object.status?.[field]),
    ),
  // Upstream asks no more of it than that it can stand in a URL.
  validateName: () => [],
  columns: standardColumns(
    column('Min Available', 'string', 'The minimum number of pods that must be available.'),
    column('Max Unavailable', 'string', 'The maximum number of pods that may be unavailable.'),
    column('Allowed Disruptions', 'integer', 'Calculated number of pods that may be disrupted at this time.'),
  ),
  row: (object, now) => [
    object.metadata?.name ?? '',
    String(object.spec?.minAvailable ?? 'N/A'),
    String(object.spec?.maxUnavailable ?? 'N/A'),
    object.status?.disruptionsAllowed ?? 0,
    age(object.metadata?.creationTimestamp, now),
  ],
});

export const policyResources: readonly Resource[] = [podDisruptionBudget];
