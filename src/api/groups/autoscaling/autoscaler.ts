import { nameIsDNSSubdomain } from '../../meta/names.ts';
import { canonicalQuantity } from '../../meta/quantity.ts';
import type {
  HorizontalPodAutoscaler,
  HPAScalingRules,
  MetricSpec,
  MetricStatus,
  MetricTarget,
  MetricValueStatus,
} from '../../types/autoscaling-v2.ts';
import { age, column, groupVersion, standardColumns } from '../define.ts';
import { validateAutoscaler, validateAutoscalerStatus, validateAutoscalerUpdate } from './autoscaler-validation.ts';

const define = groupVersion('autoscaling', 'v2');

/** Percent of the requested CPU that pods should use, when an autoscaler names no metric. */
export const defaultCpuUtilization = 80;

const scaleUp: HPAScalingRules = {
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ],
};
// How long to wait before scaling down is the controller's flag, so it has no default here.
const scaleDown: HPAScalingRules = {
  selectPolicy: 'Max',
  policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
};

function defaults(object: HorizontalPodAutoscaler): HorizontalPodAutoscaler {
  const s = object.spec;
  const metrics = s?.metrics ?? [];
  const target: MetricTarget = { type: 'Utilization', averageUtilization: defaultCpuUtilization };
  return {
    ...object,
    spec: {
      ...s!,
      minReplicas: s?.minReplicas ?? 1,
      metrics: metrics.length > 0 ? metrics : [{ type: 'Resource', resource: { name: 'cpu', target } }],
      ...(s?.behavior === undefined
        ? {}
        : {
            behavior: {
              scaleUp: { ...scaleUp, ...s.behavior.scaleUp },
              scaleDown: { ...scaleDown, ...s.behavior.scaleDown },
            },
          }),
    },
  };
}

const amount = (text: string | undefined): string => (text === undefined ? '<unknown>' : canonicalQuantity(String(text)));
const percent = (value: number | undefined, otherwise: string): string => (value === undefined ? otherwise : `${value}%`);

/** Of a metric of an object or from outside: a total, or an average over the pods. */
function formatValue(target: MetricTarget | undefined, current: MetricValueStatus | undefined): string {
  if (target?.averageValue !== undefined) return `${amount(current?.averageValue)}/${amount(target.averageValue)} (avg)`;
  return `${amount(current?.value)}/${amount(target?.value)}`;
}

function formatUse(name: string | undefined, target: MetricTarget | undefined, current: MetricValueStatus | undefined): string {
  if (target?.averageValue !== undefined) return `${name}: ${amount(current?.averageValue)}/${amount(target.averageValue)}`;
  return `${name}: ${percent(current?.averageUtilization, '<unknown>')}/${percent(target?.averageUtilization, '<auto>')}`;
}

function formatMetric(spec: MetricSpec, status: MetricStatus | undefined): string {
  switch (spec.type) {
    case 'External':
      return formatValue(spec.external?.target, status?.external?.current);
    case 'Object':
      return formatValue(spec.object?.target, status?.object?.current);
    case 'Pods':
      return `${amount(status?.pods?.current?.averageValue)}/${amount(spec.pods?.target?.averageValue)}`;
    case 'Resource':
      return formatUse(spec.resource?.name, spec.resource?.target, status?.resource?.current);
    case 'ContainerResource':
      return formatUse(spec.containerResource?.name, spec.containerResource?.target, status?.containerResource?.current);
    default:
      return '<unknown type>';
  }
}

/** `current/target` of the first two metrics. */
function formatMetrics(object: HorizontalPodAutoscaler): string {
  const specs = object.spec?.metrics ?? [];
  if (specs.length === 0) return '<none>';
  const texts = specs.slice(0, 2).map((spec, i) => formatMetric(spec, object.status?.currentMetrics?.[i]));
  const more = specs.length > 2 ? ` + ${specs.length - 2} more...` : '';
  return texts.join(', ') + more;
}

export const autoscalerColumns = standardColumns(
  column(
    'Reference',
    'string',
    'scaleTargetRef points to the target resource to scale, and is used to the pods for which metrics should be collected, as well as to actually change the replica count.',
  ),
  column(
    'Targets',
    'string',
    'metrics contains the specifications for which to use to calculate the desired replica count (the maximum replica count across all metrics will be used).  The desired replica count is calculated multiplying the ratio between the target value and the current value by the current number of pods.  Ergo, metrics used must decrease as the pod count is increased, and vice-versa.  See the individual metric source types for more information about how each type of metric must respond. If not set, the default metric will be set to 80% average CPU utilization.',
  ),
  column(
    'MinPods',
    'string',
    'minReplicas is the lower limit for the number of replicas to which the autoscaler can scale down.  It defaults to 1 pod.  minReplicas is allowed to be 0 if the alpha feature gate HPAScaleToZero is enabled and at least one Object or External metric is configured.  Scaling is active as long as at least one metric value is available.',
  ),
  column(
    'MaxPods',
    'string',
    'maxReplicas is the upper limit for the number of replicas to which the autoscaler can scale up. It cannot be less that minReplicas.',
  ),
  column(
    'Replicas',
    'string',
    'currentReplicas is current number of replicas of pods managed by this autoscaler, as last seen by the autoscaler.',
  ),
);

export function autoscalerRow(object: HorizontalPodAutoscaler, now: number): readonly unknown[] {
  const ref = object.spec?.scaleTargetRef;
  return [
    object.metadata?.name ?? '',
    `${ref?.kind ?? ''}/${ref?.name ?? ''}`,
    formatMetrics(object),
    String(object.spec?.minReplicas ?? '<unset>'),
    object.spec?.maxReplicas ?? 0,
    object.status?.currentReplicas ?? 0,
    age(object.metadata?.creationTimestamp, now),
  ];
}

export const horizontalPodAutoscaler = define<HorizontalPodAutoscaler>({
  kind: 'HorizontalPodAutoscaler',
  plural: 'horizontalpodautoscalers',
  namespaced: true,
  shortNames: ['hpa'],
  categories: ['all'],
  status: true,
  generation: false,
  emptyStatus: { desiredReplicas: 0 },
  defaults,
  validate: validateAutoscaler,
  validateUpdate: validateAutoscalerUpdate,
  validateStatusUpdate: validateAutoscalerStatus,
  validateName: nameIsDNSSubdomain,
  columns: autoscalerColumns,
  row: autoscalerRow,
});
