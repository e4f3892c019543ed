import { type FieldError, FieldPath, forbidden, invalid, notSupported, required } from '../../meta/field-error.ts';
import { isDNS1123Label, isPathSegmentName } from '../../meta/names.ts';
import { Quantity } from '../../meta/quantity.ts';
import type {
  CrossVersionObjectReference,
  HorizontalPodAutoscaler,
  HPAScalingRules,
  MetricIdentifier,
  MetricSpec,
  MetricTarget,
} from '../../types/autoscaling-v2.ts';
import { containerResourceNameFaults } from '../core/resource-faults.ts';
import { checkRequired, nonNegative } from '../field-checks.ts';

const spec = new FieldPath('spec');
/** In seconds. */
const longest = { window: 3600, period: 1800 } as const;
const sources = ['object', 'external', 'pods', 'resource', 'containerResource'] as const;
const sourceTypes = ['ContainerResource', 'External', 'Object', 'Pods', 'Resource'];

/** What is asked of the apiVersion of a reference: nothing, to be one, or to have a group. */
type VersionRule = 'any' | 'readable' | 'grouped';

function versionFaults(version: string, rule: VersionRule, path: FieldPath): readonly FieldError[] {
  if (rule === 'any') return [];
  const parts = version === '' || version === '/' ? [''] : version.split('/');
  if (parts.length > 2) return [invalid(path, version, `unexpected GroupVersion string: ${version}`)];
  const hasGroup = parts.length === 2 && parts[0] !== '';
  return rule === 'grouped' && !hasGroup ? [invalid(path, version, 'apiVersion must specify API group')] : [];
}

function referenceFaults(
  ref: CrossVersionObjectReference | undefined,
  path: FieldPath,
  rule: VersionRule = 'readable',
): readonly FieldError[] {
  return [
    ...checkRequired(path.child('kind'), ref?.kind, isPathSegmentName),
    ...checkRequired(path.child('name'), ref?.name, isPathSegmentName),
    ...versionFaults(ref?.apiVersion ?? '', rule, path.child('apiVersion')),
  ];
}

function targetFaults(target: MetricTarget | undefined, path: FieldPath): readonly FieldError[] {
  const { type = '', value, averageValue, averageUtilization } = target ?? {};
  const errors: FieldError[] = [];
  if (type === '') errors.push(required(path.child('type'), 'must specify a metric target type'));
  if (type !== 'Utilization' && type !== 'Value' && type !== 'AverageValue') {
    errors.push(invalid(path.child('type'), type, 'must be either Utilization, Value, or AverageValue'));
  }
  for (const [name, text] of [['value', value] as const, ['averageValue', averageValue] as const]) {
    if (text !== undefined && Quantity.parse(String(text)).sign !== 1) {
      errors.push(invalid(path.child(name), String(text), 'must be positive'));
    }
  }
  if (averageUtilization !== undefined && averageUtilization < 1) {
    errors.push(invalid(path.child('averageUtilization'), averageUtilization, 'must be greater than 0'));
  }
  return errors;
}

const identifierFaults = (metric: MetricIdentifier | undefined, path: FieldPath): readonly FieldError[] =>
  checkRequired(path.child('name'), metric?.name, isPathSegmentName, 'must specify a metric name');

/** Use of a resource is targeted either as an amount or as a percentage. */
function useFaults(target: MetricTarget | undefined, path: FieldPath): readonly FieldError[] {
  const errors = [...targetFaults(target, path)];
  const utilization = target?.averageUtilization !== undefined;
  const raw = target?.averageValue !== undefined;
  if (!utilization && !raw) {
    errors.push(required(path.child('averageUtilization'), 'must set either a target raw value or a target utilization'));
  }
  if (utilization && raw) {
    errors.push(forbidden(path.child('averageValue'), 'may not set both a target raw value and a target utilization'));
  }
  return errors;
}

function sourceFaults(metric: MetricSpec, name: (typeof sources)[number], path: FieldPath): readonly FieldError[] {
  const target = path.child('target');
  const average = target.child('averageValue');
  switch (name) {
    case 'object': {
      const source = metric.object!;
      const missing = source.target?.value === undefined && source.target?.averageValue === undefined;
      return [
        ...referenceFaults(source.describedObject, path.child('describedObject')),
        ...identifierFaults(source.metric, path.child('metric')),
        ...targetFaults(source.target, target),
        ...(missing ? [required(average, 'must set either a target value or averageValue')] : []),
      ];
    }
    case 'external': {
      const source = metric.external!;
      const { value, averageValue } = source.target ?? {};
      const errors = [...identifierFaults(source.metric, path.child('metric')), ...targetFaults(source.target, target)];
      if (value === undefined && averageValue === undefined) {
        errors.push(required(average, 'must set either a target value for metric or a per-pod target'));
      }
      if (value !== undefined && averageValue !== undefined) {
        errors.push(forbidden(target.child('value'), 'may not set both a target value for metric and a per-pod target'));
      }
      return errors;
    }
    case 'pods': {
      const source = metric.pods!;
      const missing = source.target?.averageValue === undefined;
      return [
        ...identifierFaults(source.metric, path.child('metric')),
        ...targetFaults(source.target, target),
        ...(missing ? [required(average, 'must specify a positive target averageValue')] : []),
      ];
    }
    case 'resource': {
      const source = metric.resource!;
      const missing = source.name ? [] : [required(path.child('name'), 'must specify a resource name')];
      return [...missing, ...useFaults(source.target, target)];
    }
    case 'containerResource': {
      const source = metric.containerResource!;
      return [
        ...(source.name
          ? containerResourceNameFaults(path.child('name'), source.name)
          : [required(path.child('name'), 'must specify a resource name')]),
        ...checkRequired(path.child('container'), source.container, isDNS1123Label, 'must specify a container'),
        ...useFaults(source.target, target),
      ];
    }
  }
}

function metricFaults(metric: MetricSpec, path: FieldPath): readonly FieldError[] {
  const errors: FieldError[] = [];
  const type = metric.type ?? '';
  const known = sourceTypes.includes(type);
  if (type === '') errors.push(required(path.child('type'), 'must specify a metric source type'));
  if (!known) errors.push(notSupported(path.child('type'), type, sourceTypes));
  const present = sources.filter((name) => metric[name] !== undefined);
  if (present[0] !== undefined) errors.push(...sourceFaults(metric, present[0], path.child(present[0])));
  const expected = sources.find((name) => name.toLowerCase() === type.toLowerCase());
  if (expected === undefined) errors.push(notSupported(path.child('type'), type, sourceTypes));
  else if (metric[expected] === undefined) {
    errors.push(required(path.child(expected), 'must populate information for the given metric source'));
  }
  if (present.length !== 1) {
    for (const name of present) {
      if (name !== expected) errors.push(forbidden(path.child(name), 'must populate the given metric source only'));
    }
  }
  return errors;
}

function rulesFaults(rules: HPAScalingRules | undefined, path: FieldPath): readonly FieldError[] {
  if (rules === undefined) return [];
  const errors: FieldError[] = [];
  const window = rules.stabilizationWindowSeconds ?? 0;
  const at = path.child('stabilizationWindowSeconds');
  if (window < 0) errors.push(invalid(at, window, 'must be greater than or equal to zero'));
  if (window > longest.window) errors.push(invalid(at, window, `must be less than or equal to ${longest.window}`));
  const selects = ['Disabled', 'Max', 'Min'];
  if (rules.selectPolicy !== undefined && !selects.includes(rules.selectPolicy)) {
    errors.push(notSupported(path.child('selectPolicy'), rules.selectPolicy, selects));
  }
  const policies = rules.policies ?? [];
  if (policies.length === 0) errors.push(required(path.child('policies'), 'must specify at least one Policy'));
  policies.forEach(({ type = '', value = 0, periodSeconds = 0 }, i) => {
    const item = path.child('policies').index(i);
    if (type !== 'Pods' && type !== 'Percent') errors.push(notSupported(item.child('type'), type, ['Percent', 'Pods']));
    if (value <= 0) errors.push(invalid(item.child('value'), value, 'must be greater than zero'));
    const period = item.child('periodSeconds');
    if (periodSeconds <= 0) errors.push(invalid(period, periodSeconds, 'must be greater than zero'));
    if (periodSeconds > longest.period) {
      errors.push(invalid(period, periodSeconds, `must be less than or equal to ${longest.period}`));
    }
  });
  if (rules.tolerance !== undefined && Quantity.parse(String(rules.tolerance)).sign < 0) {
    errors.push(invalid(path.child('tolerance'), String(rules.tolerance), 'must be greater than or equal to 0'));
  }
  return errors;
}

/** A target that stays what it was is not looked at again; only ReplicationControllers have no group. */
function targetRule(ref: CrossVersionObjectReference | undefined, old: HorizontalPodAutoscaler | undefined): VersionRule {
  const before = old?.spec?.scaleTargetRef;
  const same = (before?.apiVersion ?? '') === (ref?.apiVersion ?? '') && (before?.kind ?? '') === (ref?.kind ?? '');
  if (old !== undefined && same) return 'any';
  return ref?.kind === 'ReplicationController' ? 'readable' : 'grouped';
}

function faults(object: HorizontalPodAutoscaler, least: number, old?: HorizontalPodAutoscaler): readonly FieldError[] {
  const { minReplicas, maxReplicas = 0, scaleTargetRef, metrics = [], behavior } = object.spec ?? {};
  const errors: FieldError[] = [];
  if (minReplicas !== undefined && minReplicas < least) {
    errors.push(invalid(spec.child('minReplicas'), minReplicas, `must be greater than or equal to ${least}`));
  }
  const max = spec.child('maxReplicas');
  if (maxReplicas === 0) errors.push(required(max, 'must be set and greater than 0'));
  else if (maxReplicas < 0) errors.push(invalid(max, maxReplicas, 'must be greater than or equal to 1'));
  if (minReplicas !== undefined && maxReplicas < minReplicas) {
    errors.push(invalid(max, maxReplicas, 'must be greater than or equal to `minReplicas`'));
  }
  errors.push(...referenceFaults(scaleTargetRef, spec.child('scaleTargetRef'), targetRule(scaleTargetRef, old)));
  metrics.forEach((metric, i) => void errors.push(...metricFaults(metric, spec.child('metrics').index(i))));
  if (minReplicas === 0 && !metrics.some((m) => m.type === 'Object' || m.type === 'External')) {
    const detail = 'must specify at least one Object or External metric to support scaling to zero replicas';
    errors.push(forbidden(spec.child('metrics'), detail));
  }
  errors.push(...rulesFaults(behavior?.scaleUp, spec.child('behavior', 'scaleUp')));
  errors.push(...rulesFaults(behavior?.scaleDown, spec.child('behavior', 'scaleDown')));
  return errors;
}

export const validateAutoscaler = (object: HorizontalPodAutoscaler): readonly FieldError[] => faults(object, 1);

/** Zero replicas (feature HPAScaleToZero) stay allowed where they already are. */
export const validateAutoscalerUpdate = (object: HorizontalPodAutoscaler, old: HorizontalPodAutoscaler): readonly FieldError[] =>
  faults(object, old.spec?.minReplicas === 0 ? 0 : 1, old);

export const validateAutoscalerStatus = (object: HorizontalPodAutoscaler): readonly FieldError[] => [
  ...nonNegative('status.currentReplicas', object.status?.currentReplicas),
  ...nonNegative('status.desiredReplicas', object.status?.desiredReplicas),
];
