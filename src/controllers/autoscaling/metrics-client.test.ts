import { expect, test } from 'vitest';
import { genericNotFound, internalStatus } from '../../api/meta/status.ts';
import type { Client } from '../../client/contract.ts';
import { clusterMetrics, type MetricsClient } from './metrics-client.ts';

const failing = (err: Error): MetricsClient =>
  clusterMetrics({
    raw: () => Promise.reject(err),
    resource: () => ({ list: () => Promise.reject(err) }),
  } as unknown as Client);
const query = { namespace: 'x', selector: undefined, signal: new AbortController().signal };

test('metrics that nobody serves are told of in the words of the client that asked', async () => {
  const metrics = failing(genericNotFound());
  await expect(metrics.resource('cpu', 'x', 'a=b', undefined, query.signal)).rejects.toThrow(
    'unable to fetch metrics from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)',
  );
  await expect(metrics.pods('hits', 'a=b', query)).rejects.toThrow(
    'unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered',
  );
  await expect(metrics.external('depth', query)).rejects.toThrow(
    'unable to fetch metrics from external metrics API: the server could not find the requested resource (get depth.external.metrics.k8s.io)',
  );
});

test('other faults are told as they are', async () => {
  await expect(failing(internalStatus('boom')).external('depth', query)).rejects.toThrow(
    'external metrics API: Internal error occurred: boom',
  );
});
