import { milliValue } from '../../api/meta/quantity.ts';
import type { HorizontalPodAutoscaler, MetricSpec, MetricStatus } from '../../api/types/autoscaling-v2.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { messageOf } from '../workload/pod-control.ts';
import type { MetricsClient } from './metrics-client.ts';
import { byAverage, byShare, byUtilization, byValue, type Proposal, type Tolerance } from './replica-math.ts';

export interface Measurement {
  readonly replicas: number;
  /** What the number was found by, for messages. */
  readonly name: string;
  readonly status: MetricStatus;
}

/** A metric could not be had, or not be made use of. `reason` is that of the condition and the event, `summary` what the whole look failed of. */
export class MetricError extends Error {
  readonly reason: string;
  readonly summary: string;
  constructor(reason: string, message: string, subject = '') {
    super(message);
    this.reason = reason;
    this.summary = subject === '' ? message : `failed to get ${subject} metric value: ${message}`;
  }
}

export interface MeasureContext {
  readonly autoscaler: HorizontalPodAutoscaler;
  readonly metrics: MetricsClient;
  /** The target's selector, as its scale tells it. */
  readonly selector: string;
  readonly pods: readonly Pod[];
  readonly currentReplicas: number;
  readonly statusReplicas: number;
  readonly tolerance: Tolerance;
  /** The plural of a kind, `ingresses.networking.k8s.io`, for metrics of objects. */
  readonly pluralOf: (apiVersion: string, kind: string) => Promise<string>;
  readonly now: number;
  readonly signal: AbortSignal;
}

const failures: Readonly<Record<string, string>> = {
  Resource: 'FailedGetResourceMetric',
  ContainerResource: 'FailedGetContainerResourceMetric',
  Pods: 'FailedGetPodsMetric',
  Object: 'FailedGetObjectMetric',
  External: 'FailedGetExternalMetric',
};

function subjectOf(spec: MetricSpec): string {
  switch (spec.type) {
    case 'Resource':
      return `${spec.resource?.name} resource`;
    case 'ContainerResource':
      return `${spec.containerResource?.name} container`;
    case 'External':
      return `${spec.external?.metric.name} external`;
    default:
      return spec.type.toLowerCase();
  }
}

/** The replicas that one metric asks for. Throws a MetricError. */
export async function measure(spec: MetricSpec, context: MeasureContext): Promise<Measurement> {
  const reason = failures[spec.type];
  if (reason === undefined) {
    throw new MetricError('InvalidMetricSourceType', `unknown metric source type ${JSON.stringify(spec.type)}`);
  }
  try {
    switch (spec.type) {
      case 'Resource':
      case 'ContainerResource':
        return await measureResource(spec, context);
      case 'Pods':
        return await measurePods(spec, context);
      case 'Object':
        return await measureObject(spec, context);
      default:
        return await measureExternal(spec, context);
    }
  } catch (err) {
    throw new MetricError(reason, messageOf(err), subjectOf(spec));
  }
}

async function measureResource(spec: MetricSpec, context: MeasureContext): Promise<Measurement> {
  const source = spec.resource ?? spec.containerResource!;
  const { name: resource, target } = source;
  const container = spec.containerResource?.container;
  const { namespace = '' } = context.autoscaler.metadata!;
  const { currentReplicas, pods, tolerance, now } = context;
  let metrics: Awaited<ReturnType<MetricsClient['resource']>>;
  try {
    metrics = await context.metrics.resource(resource, namespace, context.selector, container, context.signal);
  } catch (err) {
    throw new Error(`failed to get ${resource} utilization: unable to get metrics for resource ${resource}: ${messageOf(err)}`);
  }
  let proposal: Proposal;
  let name: string;
  if (target.averageValue !== undefined) {
    proposal = byAverage(currentReplicas, milliValue(target.averageValue), resource, pods, metrics, tolerance, now);
    name = `${resource} resource`;
  } else {
    const percent = target.averageUtilization ?? 0;
    try {
      proposal = byUtilization(currentReplicas, percent, resource, container, pods, metrics, tolerance, now);
    } catch (err) {
      throw new Error(`failed to get ${resource} utilization: ${messageOf(err)}`);
    }
    name = `${resource} ${container === undefined ? '' : 'container '}resource utilization (percentage of request)`;
  }
  const current = {
    ...(proposal.utilization === undefined ? {} : { averageUtilization: proposal.utilization }),
    averageValue: quantityOfMilli(proposal.averageMilli),
  };
  const status: MetricStatus =
    container === undefined
      ? { type: 'Resource', resource: { name: resource, current } }
      : { type: 'ContainerResource', containerResource: { name: resource, container, current } };
  return { replicas: proposal.replicas, name, status };
}

async function measurePods(spec: MetricSpec, context: MeasureContext): Promise<Measurement> {
  const { metric, target } = spec.pods!;
  const metrics = await context.metrics.pods(metric.name, context.selector, queryOf(context, metric.selector));
  const { currentReplicas, pods, tolerance, now } = context;
  const proposal = byAverage(currentReplicas, milliValue(target.averageValue), '', pods, metrics, tolerance, now);
  const current = { averageValue: quantityOfMilli(proposal.averageMilli) };
  return { replicas: proposal.replicas, name: `pods metric ${metric.name}`, status: { type: 'Pods', pods: { metric, current } } };
}

async function measureObject(spec: MetricSpec, context: MeasureContext): Promise<Measurement> {
  const { metric, target, describedObject } = spec.object!;
  const { apiVersion = 'v1', kind, name: objectName } = describedObject;
  const plural = await context.pluralOf(apiVersion, kind);
  const value = await context.metrics.object(metric.name, plural, objectName, queryOf(context, metric.selector));
  const { replicas, current } = byTarget(value, target, context);
  return {
    replicas,
    name: `${kind} metric ${metric.name}`,
    status: { type: 'Object', object: { metric, describedObject, current } },
  };
}

async function measureExternal(spec: MetricSpec, context: MeasureContext): Promise<Measurement> {
  const { metric, target } = spec.external!;
  const values = await context.metrics.external(metric.name, queryOf(context, metric.selector));
  const sum = values.reduce((a, b) => a + b, 0);
  const { replicas, current } = byTarget(sum, target, context);
  const selector = metric.selector === undefined ? 'nil' : `&${JSON.stringify(metric.selector)}`;
  return {
    replicas,
    name: `external metric ${metric.name}(${selector})`,
    status: { type: 'External', external: { metric, current } },
  };
}

function byTarget(
  value: number,
  target: NonNullable<MetricSpec['external']>['target'],
  { currentReplicas, statusReplicas, pods, tolerance }: MeasureContext,
): { readonly replicas: number; readonly current: { readonly value?: string; readonly averageValue?: string } } {
  if (target.averageValue !== undefined) {
    const replicas = byShare(statusReplicas, value, milliValue(target.averageValue), tolerance);
    return { replicas, current: { averageValue: quantityOfMilli(Math.ceil(value / Math.max(1, statusReplicas))) } };
  }
  const replicas = byValue(currentReplicas, value, milliValue(target.value), pods, tolerance);
  return { replicas, current: { value: quantityOfMilli(value) } };
}

const queryOf = (context: MeasureContext, selector: Parameters<MetricsClient['external']>[1]['selector']) => ({
  namespace: context.autoscaler.metadata!.namespace!,
  selector,
  signal: context.signal,
});

/** Thousandths as a quantity: whole ones without a suffix. */
export const quantityOfMilli = (milli: number): string => (milli % 1000 === 0 ? String(milli / 1000) : `${milli}m`);
