import { formatLabelSelector } from '../../api/meta/label-selector.ts';
import type { KubernetesObject, LabelSelector } from '../../api/meta/object.ts';
import { milliValue } from '../../api/meta/quantity.ts';
import { genericNotFound, isNotFound } from '../../api/meta/status.ts';
import { parseTime } from '../../api/meta/time.ts';
import type { Client, ResourceRef } from '../../client/contract.ts';
import { messageOf } from '../workload/pod-control.ts';

/** What one pod was measured at. */
export interface PodMetric {
  /** Thousandths of the metric's unit. */
  readonly milli: number;
  /** End of the measurement, milliseconds since the epoch. */
  readonly timestamp: number;
  readonly windowMs: number;
}

export type PodMetrics = ReadonlyMap<string, PodMetric>;

export interface MetricQuery {
  readonly namespace: string;
  /** The metric's own selector. */
  readonly selector: LabelSelector | undefined;
  readonly signal: AbortSignal;
}

/** Where the autoscaler gets its numbers. Each rejects when they cannot be had. */
export interface MetricsClient {
  /** Use of a resource by the pods of a selector (metrics.k8s.io); of one container where that is given. */
  resource(
    name: string,
    namespace: string,
    podSelector: string,
    container: string | undefined,
    signal: AbortSignal,
  ): Promise<PodMetrics>;
  /** A metric of pods (custom.metrics.k8s.io). */
  pods(metric: string, podSelector: string, query: MetricQuery): Promise<PodMetrics>;
  /** A metric of one object, in thousandths. */
  object(metric: string, plural: string, name: string, query: MetricQuery): Promise<number>;
  /** A metric from outside the cluster, the values that match (external.metrics.k8s.io), in thousandths. */
  external(metric: string, query: MetricQuery): Promise<readonly number[]>;
}

interface PodMetricsObject extends KubernetesObject {
  readonly timestamp?: string;
  readonly window?: string;
  readonly containers?: readonly { readonly name: string; readonly usage?: Readonly<Record<string, string>> }[];
}

const podMetrics: ResourceRef<PodMetricsObject> = Object.freeze({
  group: 'metrics.k8s.io',
  version: 'v1beta1',
  kind: 'PodMetrics',
  plural: 'pods',
  namespaced: true,
});

interface MetricValueList {
  readonly items: readonly {
    readonly describedObject?: { readonly name?: string };
    readonly timestamp?: string;
    readonly windowSeconds?: number;
    readonly value: string;
  }[];
}

const CUSTOM = '/apis/custom.metrics.k8s.io/v1beta2';
const EXTERNAL = '/apis/external.metrics.k8s.io/v1beta1';
/** Of metrics that do not say over what time they were taken. */
const DEFAULT_WINDOW_MS = 60_000;

type MetricsApi = 'resource' | 'custom' | 'external';

/** Whether nobody serves the group, as the API server says it of paths that it does not know. */
const isUnserved = (err: unknown): boolean => isNotFound(err) && err.message === genericNotFound().message;

/** What upstream's clients say then: that of custom metrics asks discovery first. */
function unserved(api: MetricsApi, asked: string): string {
  if (api === 'custom') return 'no custom metrics API (custom.metrics.k8s.io) registered';
  const group = api === 'resource' ? podMetrics.group : 'external.metrics.k8s.io';
  return `${genericNotFound().message} (get ${asked}.${group})`;
}

/** The metrics APIs of the cluster, through the API server. */
export function clusterMetrics(client: Client): MetricsClient {
  const fetching = async <T>(api: MetricsApi, asked: string, get: Promise<T>): Promise<T> => {
    try {
      return await get;
    } catch (err) {
      const cause = isUnserved(err) ? unserved(api, asked) : messageOf(err);
      throw new Error(`unable to fetch metrics from ${api} metrics API: ${cause}`, { cause: err });
    }
  };
  const values = async (api: MetricsApi, metric: string, path: string, signal: AbortSignal): Promise<MetricValueList['items']> =>
    ((await fetching(api, metric, client.raw(path, signal))) as MetricValueList).items;
  return {
    async resource(name, namespace, podSelector, container, signal) {
      const listing = client.resource(podMetrics).list(namespace, { labelSelector: podSelector, signal });
      const { items } = await fetching('resource', podMetrics.plural, listing);
      const metrics = new Map<string, PodMetric>();
      for (const { metadata, timestamp, window, containers = [] } of items) {
        const usages = containers
          .filter((candidate) => container === undefined || candidate.name === container)
          .map(({ usage }) => usage?.[name]);
        // A pod of which a part is unknown is unknown.
        if (usages.length === 0 || usages.some((usage) => usage === undefined)) continue;
        const milli = usages.reduce((sum: number, usage) => sum + milliValue(usage), 0);
        metrics.set(metadata!.name!, { milli, timestamp: parseTime(timestamp) ?? 0, windowMs: windowOf(window) });
      }
      if (metrics.size === 0) throw new Error('no metrics returned from resource metrics API');
      return metrics;
    },
    async pods(metric, podSelector, { namespace, selector, signal }) {
      const query = new URLSearchParams({ labelSelector: podSelector, ...metricSelector('metricLabelSelector', selector) });
      const items = await values(
        'custom',
        metric,
        `${CUSTOM}/namespaces/${namespace}/pods/*/${encodeURIComponent(metric)}?${query}`,
        signal,
      );
      if (items.length === 0) throw new Error('no metrics returned from custom metrics API');
      return new Map(
        items.map(({ describedObject, timestamp, windowSeconds, value }) => [
          describedObject?.name ?? '',
          {
            milli: milliValue(value),
            timestamp: parseTime(timestamp) ?? 0,
            windowMs: windowSeconds === undefined ? DEFAULT_WINDOW_MS : windowSeconds * 1000,
          },
        ]),
      );
    },
    async object(metric, plural, name, { namespace, selector, signal }) {
      const query = new URLSearchParams(metricSelector('metricLabelSelector', selector));
      const place = plural.startsWith('namespaces') ? '' : `/${plural}/${encodeURIComponent(name)}`;
      const items = await values(
        'custom',
        metric,
        `${CUSTOM}/namespaces/${namespace}${place}/${encodeURIComponent(metric)}?${query}`,
        signal,
      );
      const [first] = items;
      if (first === undefined) throw new Error('no metrics returned from custom metrics API');
      return milliValue(first.value);
    },
    async external(metric, { namespace, selector, signal }) {
      const query = new URLSearchParams(metricSelector('labelSelector', selector));
      const items = await values(
        'external',
        metric,
        `${EXTERNAL}/namespaces/${namespace}/${encodeURIComponent(metric)}?${query}`,
        signal,
      );
      if (items.length === 0) throw new Error('no metrics returned from external metrics API');
      return items.map(({ value }) => milliValue(value));
    },
  };
}

function metricSelector(name: string, selector: LabelSelector | undefined): Readonly<Record<string, string>> {
  const text = selector === undefined ? '' : formatLabelSelector(selector);
  return text === '' ? {} : { [name]: text };
}

/** A Go duration in seconds or minutes, as metrics servers write it (`15.012s`, `1m0s`). */
function windowOf(text: string | undefined): number {
  const match = /^(?:(\d+)m)?(?:([\d.]+)s)?$/.exec(text ?? '');
  if (match === null || text === '') return DEFAULT_WINDOW_MS;
  return (Number(match[1] ?? 0) * 60 + Number(match[2] ?? 0)) * 1000;
}
