import type { KubernetesObject } from '../api/meta/object.ts';
import { isNotFound } from '../api/meta/status.ts';
import { patchTypes } from '../api/request.ts';
import type { Node, Pod } from '../api/types/core-v1.ts';
import type { Informer } from '../client/contract.ts';
import type { Controller, ControllerContext } from '../client/controller.ts';
import { nodes, pods } from '../client/resource-refs.ts';
import { OUT_OF_SERVICE, readyCondition } from './node-lifecycle/taints.ts';
import { disruptionTarget } from './workload/pod-disruption.ts';
import { isFinished } from './workload/pod-state.ts';

const PERIOD_MS = 20_000;
/** A node must have been missing for this long: its object may only not have been seen yet. */
const QUARANTINE_MS = 40_000;
/** Deletions under way at a time. */
const CONCURRENCY = 32;

export interface PodGcOptions {
  /** Finished pods kept in the cluster (upstream's --terminated-pod-gc-threshold); 0 keeps all. */
  readonly terminatedPodThreshold?: number;
}

const DEFAULT_THRESHOLD = 12_500;

/** Why a pod is to be removed. */
export interface Removal {
  readonly pod: Pod;
  readonly why: 'terminated' | 'out-of-service' | 'unscheduled' | 'orphaned';
}

/**
 * The pods to remove: finished ones beyond the threshold, evicted and older ones first; those terminating on a node out of service, or without a
 * node; and those whose node has been missing long enough (`missing`). Each once. Pure.
 */
export function planPodGc(
  list: readonly Pod[],
  node: (name: string) => Node | undefined,
  missing: ReadonlySet<string>,
  threshold: number,
): readonly Removal[] {
  const removals = new Map<Pod, Removal['why']>();
  const add = (pod: Pod, why: Removal['why']): void => {
    if (!removals.has(pod)) removals.set(pod, why);
  };
  if (threshold > 0) {
    const finished = list.filter(isFinished);
    const excess = finished.length - threshold;
    if (excess > 0) for (const pod of [...finished].sort(byEvictionAndAge).slice(0, excess)) add(pod, 'terminated');
  }
  for (const pod of list) {
    const nodeName = pod.spec?.nodeName ?? '';
    if (nodeName !== '' && missing.has(nodeName)) add(pod, 'orphaned');
    if (pod.metadata?.deletionTimestamp === undefined) continue;
    if (nodeName === '') add(pod, 'unscheduled');
    else if (isOutOfService(node(nodeName))) add(pod, 'out-of-service');
  }
  return [...removals].map(([pod, why]) => ({ pod, why }));
}

function isOutOfService(node: Node | undefined): boolean {
  if (node === undefined || readyCondition(node)?.status === 'True') return false;
  return (node.spec?.taints ?? []).some((taint) => taint.key === OUT_OF_SERVICE);
}

function byEvictionAndAge(a: Pod, b: Pod): number {
  const evicted = Number(isEvicted(b)) - Number(isEvicted(a));
  if (evicted !== 0) return evicted;
  const key = (pod: Pod): string => `${pod.metadata?.creationTimestamp ?? ''} ${pod.metadata?.name ?? ''}`;
  return key(a) < key(b) ? -1 : 1;
}

const isEvicted = (pod: Pod): boolean => pod.status?.phase === 'Failed' && pod.status.reason === 'Evicted';

/** Removes pods that nobody else will. */
export function podGcController(options: PodGcOptions = {}): Controller {
  const threshold = options.terminatedPodThreshold ?? DEFAULT_THRESHOLD;
  return {
    name: 'pod-garbage-collector-controller',
    start(context, signal) {
      const allPods = context.informers.informer(pods);
      const allNodes = context.informers.informer(nodes);
      const quarantine = new Map<string, number>();
      const run = async (): Promise<void> => {
        await Promise.all([allPods.synced(signal), allNodes.synced(signal)]);
        while (!signal.aborted) {
          const list = allPods.list();
          const missing = await missingNodes(context, list, allNodes, quarantine, signal);
          const removals = planPodGc(list, (name) => allNodes.get(name), missing, threshold);
          await removeAll(context, removals, signal);
          await context.clock.sleep(PERIOD_MS, signal);
        }
      };
      run().catch((err: unknown) => {
        if (!signal.aborted) context.logger.error({ err }, 'pods are no longer collected');
      });
    },
  };
}

/** Nodes that pods name, that have been missing through the quarantine, and that the server does not know either. */
async function missingNodes(
  context: ControllerContext,
  list: readonly Pod[],
  known: Informer<Node>,
  quarantine: Map<string, number>,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const now = context.clock.monotonic();
  const absent = new Set<string>();
  for (const { spec } of list) if (spec?.nodeName && known.get(spec.nodeName) === undefined) absent.add(spec.nodeName);
  for (const name of quarantine.keys()) if (!absent.has(name)) quarantine.delete(name);
  const missing = new Set<string>();
  for (const name of absent) {
    const since = quarantine.get(name);
    if (since === undefined) quarantine.set(name, now);
    else if (now - since >= QUARANTINE_MS) {
      try {
        await context.client.resource(nodes).get(name, '', { signal });
      } catch (err) {
        if (isNotFound(err)) missing.add(name);
        else if (signal.aborted) throw err;
        else context.logger.warn({ err, node: name }, 'a node could not be asked for');
      }
    }
  }
  return missing;
}

async function removeAll(context: ControllerContext, removals: readonly Removal[], signal: AbortSignal): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < removals.length) {
      const removal = removals[next++]!;
      try {
        await remove(context, removal, signal);
      } catch (err) {
        if (signal.aborted) throw err;
        const { namespace, name } = removal.pod.metadata ?? ({} as NonNullable<KubernetesObject['metadata']>);
        if (!isNotFound(err)) context.logger.warn({ err, key: `${namespace}/${name}` }, 'pod was not removed; trying again');
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, removals.length) }, worker));
}

/** A pod that never finished is marked failed first: nobody else would, and whoever counts it must learn of it. */
async function remove(context: ControllerContext, { pod, why }: Removal, signal: AbortSignal): Promise<void> {
  const client = context.client.resource(pods);
  const { name = '', namespace = '', uid = '' } = pod.metadata ?? {};
  if (!isFinished(pod)) {
    const conditions =
      why === 'orphaned'
        ? [disruptionTarget(pod, 'DeletionByPodGC', 'PodGC: node no longer exists', context.clock.now())]
        : undefined;
    const status = { phase: 'Failed', ...(conditions === undefined ? {} : { conditions }) };
    await client.patch(name, namespace, patchTypes.strategic, { metadata: { uid }, status }, { subresource: 'status', signal });
  }
  await client.delete(name, namespace, { gracePeriodSeconds: 0, preconditions: { uid }, signal });
}
