import { selectorFromObject } from '../../api/meta/label-selector.ts';
import type { KubernetesObject } from '../../api/meta/object.ts';
import { badRequest, customError, forbiddenError, isStatusError, tooManyRequests } from '../../api/meta/status.ts';
import type { ApiRequest } from '../../api/request.ts';
import type { Pod, PodCondition } from '../../api/types/core-v1.ts';
import type { Eviction, PodDisruptionBudget } from '../../api/types/policy-v1.ts';
import type { Collection, Entry } from '../../store/collection.ts';
import { PreconditionError } from '../../store/contract.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import type { HandlerScope, SubresourceHandler } from '../contract.ts';
import type { Registry } from './registry.ts';
import { parseResourceVersion } from './resource-version.ts';
import { timestamp } from './scope.ts';

/** Pods a budget may have on their way out before it refuses more (upstream's MaxDisruptedPodSize). */
const MAX_DISRUPTED_PODS = 2_000;
const MAX_CONFLICT_RETRIES = 5;

const success: KubernetesObject = deepFreeze({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Success',
  code: 201,
} as KubernetesObject);

/** `pods/eviction`: a DELETE that asks the pod's disruption budget first. */
export function podEviction(registry: Registry): SubresourceHandler {
  return {
    group: '',
    resource: 'pods',
    subresource: 'eviction',
    handle: async (scope) => {
      const eviction = scope.request.body as Eviction;
      const name = eviction.metadata?.name ?? '';
      if (name !== '' && name !== scope.request.name) throw badRequest('name in URL does not match name in Eviction object');
      const pod = scope.parent as Pod;
      // It is asked for in the query or in the options inside, as kubectl drain does.
      const dryRun = scope.dryRun || (eviction.deleteOptions?.dryRun ?? []).length > 0;
      if (!leavesAnyway(pod)) await spendBudget(registry, scope, pod, dryRun);
      await removePod(registry, scope, pod, eviction, dryRun);
      return { code: 201, object: success, warnings: [] };
    },
  };
}

/** Pods that a budget does not count: finished, not yet started, or going. */
function leavesAnyway(pod: Pod): boolean {
  const phase = pod.status?.phase;
  return phase === 'Succeeded' || phase === 'Failed' || phase === 'Pending' || pod.metadata?.deletionTimestamp !== undefined;
}

async function spendBudget(registry: Registry, scope: HandlerScope, pod: Pod, dryRun: boolean): Promise<void> {
  const endpoint = registry.find('policy', 'v1', 'poddisruptionbudgets');
  if (endpoint === undefined) return;
  const { namespace } = scope.request;
  for (let attempt = 0; ; attempt++) {
    const matching: Entry<KubernetesObject>[] = [];
    for (const entry of endpoint.collection.snapshot().entries(endpoint.keyPrefix(namespace))) {
      const { spec } = entry.object as PodDisruptionBudget;
      if (spec?.selector !== undefined && selectorFromObject(spec.selector).matches(pod.metadata?.labels)) matching.push(entry);
    }
    if (matching.length === 0) return;
    if (matching.length > 1) {
      throw customError(
        500,
        'InternalError',
        'Internal error occurred: This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
      );
    }
    try {
      await spendOne(endpoint.collection, matching[0]!, scope, pod, dryRun);
      return;
    } catch (err) {
      if (!(err instanceof PreconditionError)) throw err;
      if (attempt >= MAX_CONFLICT_RETRIES) throw tooManyRequests('Too many requests, please try again later.', 10);
    }
  }
}

async function spendOne(
  collection: Collection<KubernetesObject>,
  entry: Entry<KubernetesObject>,
  scope: HandlerScope,
  pod: Pod,
  dryRun: boolean,
): Promise<void> {
  const budget = entry.object as PodDisruptionBudget;
  const { spec, status } = budget;
  const name = budget.metadata?.name ?? '';
  if (!isReady(pod)) {
    // KEP-3017: what is not healthy may go when the budget's pods are healthy enough, or always.
    const healthyEnough = (status?.currentHealthy ?? 0) >= (status?.desiredHealthy ?? 0) && (status?.desiredHealthy ?? 0) > 0;
    if (spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow' || healthyEnough) return;
  }
  if ((status?.observedGeneration ?? 0) < (budget.metadata?.generation ?? 0)) {
    throw refused(10, `The disruption budget ${name} is still being processed by the server.`);
  }
  const allowed = status?.disruptionsAllowed ?? 0;
  const disrupted = status?.disruptedPods ?? {};
  const subject = { group: 'policy', resource: 'poddisruptionbudgets' };
  if (allowed < 0) throw forbiddenError(subject, name, 'pdb disruptions allowed is negative');
  if (Object.keys(disrupted).length > MAX_DISRUPTED_PODS) {
    throw forbiddenError(subject, name, 'DisruptedPods map too big - too many evictions not confirmed by PDB controller');
  }
  if (allowed === 0) {
    throw refused(
      0,
      `The disruption budget ${name} needs ${status?.desiredHealthy ?? 0} healthy pods and has ${status?.currentHealthy ?? 0} currently`,
    );
  }
  if (dryRun) return;
  const next = {
    ...budget,
    status: {
      ...status,
      disruptionsAllowed: allowed - 1,
      disruptedPods: { ...disrupted, [pod.metadata?.name ?? '']: timestamp(scope.now) },
    },
  } as KubernetesObject;
  await collection.write({ type: 'put', key: entry.key, object: deepFreeze(next), expectedRevision: entry.revision });
}

const isReady = (pod: Pod): boolean =>
  (pod.status?.conditions ?? []).some((c: PodCondition) => c.type === 'Ready' && c.status === 'True');

const refused = (retryAfterSeconds: number, message: string): Error =>
  tooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", retryAfterSeconds, [
    { reason: 'DisruptionBudget', message },
  ]);

/** Marks the pod as a target of disruption and deletes it, through the whole pipeline, as the one who asked. */
async function removePod(registry: Registry, scope: HandlerScope, pod: Pod, eviction: Eviction, dryRun: boolean): Promise<void> {
  const { namespace, name } = scope.request;
  if (!dryRun) await markTarget(registry, scope, pod);
  const options = eviction.deleteOptions ?? {};
  const request: ApiRequest = {
    verb: 'delete',
    group: '',
    version: 'v1',
    resource: 'pods',
    namespace,
    name,
    options: {
      ...(options.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: options.gracePeriodSeconds }),
      ...(options.propagationPolicy === undefined ? {} : { propagationPolicy: options.propagationPolicy }),
      ...(options.preconditions === undefined ? {} : { preconditions: options.preconditions }),
      ...(dryRun ? { dryRun: ['All'] } : {}),
    },
  };
  try {
    await scope.access.handler.handle(request, { name: 'system:apiserver', groups: ['system:masters'] });
  } catch (err) {
    if (!isStatusError(err, 'NotFound')) throw err;
  }
}

async function markTarget(registry: Registry, scope: HandlerScope, pod: Pod): Promise<void> {
  const endpoint = registry.find('', 'v1', 'pods');
  if (endpoint === undefined) return;
  const key = endpoint.key(scope.request.namespace, scope.request.name);
  const condition: PodCondition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
    lastTransitionTime: timestamp(scope.now),
  };
  const others = (pod.status?.conditions ?? []).filter((c) => c.type !== 'DisruptionTarget');
  const object = deepFreeze({ ...pod, status: { ...pod.status, conditions: [...others, condition] } }) as KubernetesObject;
  const expectedRevision = parseResourceVersion(pod.metadata?.resourceVersion);
  try {
    await endpoint.collection.write({ type: 'put', key, object, expectedRevision });
  } catch (err) {
    // The pod moved on; the mark is for its observers only and must not stand in the way.
    if (!(err instanceof PreconditionError)) throw err;
  }
}
