import { isNotFound } from '../api/meta/status.ts';
import type { Client, EventRecorder } from '../client/contract.ts';
import { pods } from '../client/resource-refs.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import type { ClusterCache } from './cache.ts';
import { nominate } from './nomination.ts';
import type { PodInfo } from './pod-info.ts';
import { patchStatus } from './pod-status.ts';
import type { PreemptionCandidate } from './preemption.ts';
import type { SchedulingQueue } from './queue.ts';

export interface EvictionOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly recorder: EventRecorder;
  readonly cache: ClusterCache;
  readonly queue: SchedulingQueue;
  readonly schedulerName: string;
  readonly signal: AbortSignal;
}

/**
 * Makes the victims of a preemption go. The preemptor is not tried again before all have been asked to (KEP-4832); then it waits for the room they
 * leave. When one cannot be deleted, it is tried at once.
 */
export async function evictVictims(pod: PodInfo, candidate: PreemptionCandidate, options: EvictionOptions): Promise<void> {
  const { cache, queue, client, clock, logger, signal } = options;
  const node = candidate.node.name;
  const victims = candidate.victims.filter((victim) => !victim.terminating);
  if (victims.length === 0) return;
  queue.hold(pod.uid);
  let failed = false;
  // Pods of lower priority that were to come here may not fit any more; they had better look elsewhere.
  const displaced = [...(cache.nominatedTo(node)?.values() ?? [])].filter((p) => p.priority < pod.priority);
  const results = await Promise.allSettled([
    ...displaced.map(async (p) => {
      nominate(cache, queue, p, '');
      await patchStatus(client, p.pod, { nominatedNodeName: '' }, clock.now(), signal);
    }),
    ...victims.map((victim) => evict(pod, victim, node, options)),
  ]);
  for (const result of results) {
    if (result.status === 'fulfilled') continue;
    failed = true;
    if (!signal.aborted) logger.warn({ err: result.reason, pod: pod.key, node }, 'preemption failed');
  }
  queue.release(pod.uid, failed);
}

async function evict(pod: PodInfo, victim: PodInfo, node: string, options: EvictionOptions): Promise<void> {
  const { client, clock, recorder, schedulerName, signal } = options;
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'PreemptionByScheduler',
    message: `${pod.pod.spec?.schedulerName || schedulerName}: preempting to accommodate a higher priority pod`,
  } as const;
  await patchStatus(client, victim.pod, { condition }, clock.now(), signal);
  try {
    await client.resource(pods).delete(victim.name, victim.namespace, { preconditions: { uid: victim.uid }, signal });
  } catch (err) {
    if (isNotFound(err)) return;
    throw err;
  }
  recorder.event(victim.pod, 'Normal', 'Preempted', `Preempted by pod ${pod.uid} on node ${node}`);
}
