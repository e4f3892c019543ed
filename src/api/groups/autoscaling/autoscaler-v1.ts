import { nameIsDNSSubdomain } from '../../meta/names.ts';
import type {
  MetricSpec as MetricSpecV1,
  MetricStatus as MetricStatusV1,
  HorizontalPodAutoscaler as V1,
} from '../../types/autoscaling-v1.ts';
import type {
  MetricSpec,
  MetricStatus,
  MetricTarget,
  MetricValueStatus,
  HorizontalPodAutoscaler as V2,
} from '../../types/autoscaling-v2.ts';
import { groupVersion } from '../define.ts';
import { autoscalerColumns, autoscalerRow, defaultCpuUtilization } from './autoscaler.ts';
import { validateAutoscaler, validateAutoscalerStatus, validateAutoscalerUpdate } from './autoscaler-validation.ts';

const define = groupVersion('autoscaling', 'v1');

/** Annotations that carry what v1 has no fields for. */
const kept = {
  metrics: 'autoscaling.alpha.kubernetes.io/metrics',
  currentMetrics: 'autoscaling.alpha.kubernetes.io/current-metrics',
  conditions: 'autoscaling.alpha.kubernetes.io/conditions',
  behavior: 'autoscaling.alpha.kubernetes.io/behavior',
} as const;

/** The object without its undefined fields. */
function defined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

const isCpu = (metric: MetricSpec): boolean => metric.type === 'Resource' && metric.resource?.name === 'cpu';

function metricToV1(metric: MetricSpec): unknown {
  const { object, pods, resource, containerResource, external } = metric;
  const use = (target: MetricTarget | undefined) => ({
    targetAverageUtilization: target?.averageUtilization,
    targetAverageValue: target?.averageValue,
  });
  return defined({
    type: metric.type,
    object:
      object &&
      defined({
        target: object.describedObject,
        metricName: object.metric?.name,
        targetValue: object.target?.value ?? '0',
        selector: object.metric?.selector,
        averageValue: object.target?.averageValue,
      }),
    pods:
      pods &&
      defined({
        metricName: pods.metric?.name,
        targetAverageValue: pods.target?.averageValue ?? '0',
        selector: pods.metric?.selector,
      }),
    resource: resource && defined({ name: resource.name, ...use(resource.target) }),
    containerResource:
      containerResource &&
      defined({
        name: containerResource.name,
        ...use(containerResource.target),
        container: containerResource.container,
      }),
    external:
      external &&
      defined({
        metricName: external.metric?.name,
        metricSelector: external.metric?.selector,
        targetValue: external.target?.value,
        targetAverageValue: external.target?.averageValue,
      }),
  });
}

function metricFromV1(metric: MetricSpecV1): MetricSpec {
  const { object, pods, resource, containerResource, external } = metric;
  const use = (source: { readonly targetAverageUtilization?: number; readonly targetAverageValue?: string }): MetricTarget =>
    defined({
      type: source.targetAverageUtilization === undefined ? 'AverageValue' : 'Utilization',
      averageValue: source.targetAverageValue,
      averageUtilization: source.targetAverageUtilization,
    });
  return defined({
    type: metric.type,
    object:
      object &&
      ({
        describedObject: object.target,
        metric: defined({ name: object.metricName, selector: object.selector }),
        target: defined({
          type: object.averageValue === undefined ? 'Value' : 'AverageValue',
          value: object.averageValue === undefined ? object.targetValue : undefined,
          averageValue: object.averageValue,
        }),
      } as NonNullable<MetricSpec['object']>),
    pods:
      pods &&
      ({
        metric: defined({ name: pods.metricName, selector: pods.selector }),
        target: { type: 'AverageValue', averageValue: pods.targetAverageValue },
      } as NonNullable<MetricSpec['pods']>),
    resource: resource && { name: resource.name, target: use(resource) },
    containerResource: containerResource && {
      name: containerResource.name,
      container: containerResource.container,
      target: use(containerResource),
    },
    external:
      external &&
      ({
        metric: defined({ name: external.metricName, selector: external.metricSelector }),
        target: defined({
          type: external.targetValue === undefined ? 'AverageValue' : 'Value',
          value: external.targetValue,
          averageValue: external.targetAverageValue,
        }),
      } as NonNullable<MetricSpec['external']>),
  }) as MetricSpec;
}

function currentToV1(metric: MetricStatus): unknown {
  const { object, pods, resource, containerResource, external } = metric;
  const use = (current: MetricValueStatus | undefined) => ({
    currentAverageUtilization: current?.averageUtilization,
    currentAverageValue: current?.averageValue ?? '0',
  });
  return defined({
    type: metric.type,
    object:
      object &&
      defined({
        target: object.describedObject,
        metricName: object.metric?.name,
        currentValue: object.current?.value ?? '0',
        selector: object.metric?.selector,
        averageValue: object.current?.averageValue,
      }),
    pods:
      pods &&
      defined({
        metricName: pods.metric?.name,
        currentAverageValue: pods.current?.averageValue ?? '0',
        selector: pods.metric?.selector,
      }),
    resource: resource && defined({ name: resource.name, ...use(resource.current) }),
    containerResource:
      containerResource &&
      defined({
        name: containerResource.name,
        ...use(containerResource.current),
        container: containerResource.container,
      }),
    external:
      external &&
      defined({
        metricName: external.metric?.name,
        metricSelector: external.metric?.selector,
        currentValue: external.current?.value ?? '0',
        currentAverageValue: external.current?.averageValue,
      }),
  });
}

function currentFromV1(metric: MetricStatusV1): MetricStatus {
  const { object, pods, resource, containerResource, external } = metric;
  const use = (s: { readonly currentAverageUtilization?: number; readonly currentAverageValue?: string }): MetricValueStatus =>
    defined({ averageValue: s.currentAverageValue, averageUtilization: s.currentAverageUtilization }) as MetricValueStatus;
  const identifier = (name: string, selector: unknown) => defined({ name, selector });
  return defined({
    type: metric.type,
    object: object && {
      describedObject: object.target,
      metric: identifier(object.metricName, object.selector),
      current: defined({ value: object.currentValue, averageValue: object.averageValue }),
    },
    pods: pods && {
      metric: identifier(pods.metricName, pods.selector),
      current: { averageValue: pods.currentAverageValue },
    },
    resource: resource && { name: resource.name, current: use(resource) },
    containerResource: containerResource && {
      name: containerResource.name,
      container: containerResource.container,
      current: use(containerResource),
    },
    external: external && {
      metric: identifier(external.metricName, external.metricSelector),
      current: defined({ value: external.currentValue, averageValue: external.currentAverageValue }),
    },
  }) as MetricStatus;
}

/** An annotation's JSON; undefined when there is none or it is broken, as upstream. */
function read<T>(text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}

function withAnnotations<T extends V1 | V2>(object: T, annotations: Readonly<Record<string, string>>): T {
  const { annotations: _old, ...metadata } = object.metadata ?? {};
  return { ...object, metadata: Object.keys(annotations).length === 0 ? metadata : { ...metadata, annotations } };
}

function otherAnnotations(object: V1 | V2): Record<string, string> {
  const own: readonly string[] = Object.values(kept);
  return Object.fromEntries(Object.entries(object.metadata?.annotations ?? {}).filter(([key]) => !own.includes(key)));
}

/** v1 as v2: the target for CPU becomes a metric; what the annotations hold comes back. */
export function autoscalerFromV1(v1: V1): V2 {
  const annotations = v1.metadata?.annotations ?? {};
  const bare = withAnnotations({ ...v1, apiVersion: 'autoscaling/v2' } as unknown as V2, otherAnnotations(v1));
  const { spec: _spec, status: _status, ...rest } = bare;
  const spec = v1.spec && specFromV1(v1.spec, annotations);
  const status = v1.status && statusFromV1(v1.status, annotations);
  return { ...rest, ...(spec === undefined ? {} : { spec }), ...(status === undefined ? {} : { status }) };
}

function specFromV1(v1: NonNullable<V1['spec']>, annotations: Readonly<Record<string, string>>): NonNullable<V2['spec']> {
  const { targetCPUUtilizationPercentage: cpu, ...spec } = v1;
  const others = read<readonly MetricSpecV1[]>(annotations[kept.metrics]) ?? [];
  const metrics = others.map(metricFromV1);
  const target: MetricTarget = defined({ type: 'Utilization', averageUtilization: cpu ?? defaultCpuUtilization });
  if (cpu !== undefined || metrics.length === 0) metrics.push({ type: 'Resource', resource: { name: 'cpu', target } });
  const behavior = read<NonNullable<V2['spec']>['behavior']>(annotations[kept.behavior]);
  return { ...spec, metrics, ...(behavior === undefined ? {} : { behavior }) };
}

function statusFromV1(v1: NonNullable<V1['status']>, annotations: Readonly<Record<string, string>>): NonNullable<V2['status']> {
  const { currentCPUUtilizationPercentage: cpu, ...status } = v1;
  const current = read<readonly MetricStatusV1[]>(annotations[kept.currentMetrics])?.map(currentFromV1);
  const use: MetricStatus = { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: cpu! } } };
  const currentMetrics = current ?? (cpu === undefined ? undefined : [use]);
  const conditions = read<NonNullable<V2['status']>['conditions']>(annotations[kept.conditions]);
  return {
    ...status,
    ...(currentMetrics === undefined ? {} : { currentMetrics }),
    ...(conditions === undefined ? {} : { conditions }),
  };
}

/** v2 as v1: what v1 has no fields for goes into annotations. */
export function autoscalerToV1(v2: V2): V1 {
  const annotations = otherAnnotations(v2);
  const { spec, status, ...rest } = v2;
  const out: { -readonly [K in keyof V1]: V1[K] } = { ...rest, apiVersion: 'autoscaling/v1' };
  if (spec !== undefined) {
    const { metrics = [], behavior, ...same } = spec;
    const cpu = metrics.find(isCpu)?.resource?.target?.averageUtilization;
    const others = metrics.filter((m) => !isCpu(m) || m.resource?.target?.averageUtilization === undefined);
    if (others.length > 0) annotations[kept.metrics] = JSON.stringify(others.map(metricToV1));
    if (behavior !== undefined) annotations[kept.behavior] = JSON.stringify(behavior);
    out.spec = { ...same, ...(cpu === undefined ? {} : { targetCPUUtilizationPercentage: cpu }) };
  }
  if (status !== undefined) {
    const { currentMetrics = [], conditions = [], currentReplicas = 0, desiredReplicas = 0, ...same } = status;
    const cpu = currentMetrics.find((m) => m.resource?.name === 'cpu')?.resource?.current?.averageUtilization;
    if (currentMetrics.length > 0) annotations[kept.currentMetrics] = JSON.stringify(currentMetrics.map(currentToV1));
    if (conditions.length > 0) annotations[kept.conditions] = JSON.stringify(conditions);
    const use = cpu === undefined ? {} : { currentCPUUtilizationPercentage: cpu };
    out.status = { ...same, currentReplicas, desiredReplicas, ...use };
  }
  return withAnnotations(out, annotations);
}

/** The older form, without metrics beside CPU; stored as v2. */
export const horizontalPodAutoscalerV1 = define<V1>({
  kind: 'HorizontalPodAutoscaler',
  plural: 'horizontalpodautoscalers',
  namespaced: true,
  shortNames: ['hpa'],
  categories: ['all'],
  status: true,
  generation: false,
  emptyStatus: { currentReplicas: 0, desiredReplicas: 0 },
  storageVersion: { group: 'autoscaling', version: 'v2' },
  conversion: { toStorage: autoscalerFromV1, fromStorage: (object) => autoscalerToV1(object as V2) },
  defaults: (object) =>
    object.spec?.minReplicas === undefined ? { ...object, spec: { ...object.spec!, minReplicas: 1 } } : object,
  validate: (object) => validateAutoscaler(autoscalerFromV1(object)),
  validateUpdate: (object, old) => validateAutoscalerUpdate(autoscalerFromV1(object), autoscalerFromV1(old)),
  validateStatusUpdate: (object) => validateAutoscalerStatus(autoscalerFromV1(object)),
  validateName: nameIsDNSSubdomain,
  columns: autoscalerColumns,
  row: (object, now) => autoscalerRow(autoscalerFromV1(object), now),
});
