import { qosClass } from '../../api/groups/core/pod-qos.ts';
import { podRequests } from '../../api/groups/core/pod-resources.ts';
import { quantityValue } from '../../api/meta/quantity.ts';
import type { Node, Pod } from '../../api/types/core-v1.ts';
import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import { misfit, type Rejection } from './admission.ts';
import { isCritical, podFormat, podUid } from './pod-spec.ts';
import type { PodWorker } from './pod-worker.ts';

/** How often it is looked whether pods that make room have ended. Milliseconds. */
const LOOK_MS = 200;

/** What is told of a pod that goes for a critical one. */
const PREEMPTED = { reason: 'Preempting', message: 'Preempted in order to admit critical pod' };

const ranks = { BestEffort: 0, Burstable: 1, Guaranteed: 2 } as const;
const priorityOf = (pod: Pod): number => pod.spec?.priority ?? 0;

/**
 * The pods that have to go so that a critical pod, for which the node lacks resources beside `others`, can run there (preemption.
 * CriticalPodAdmissionHandler): as few as will do, best effort before burstable before guaranteed, the less important first. Empty: none need to.
 * Undefined: not even all of those that may go would do.
 */
export function preemptionVictims(pod: Pod, node: Node, others: readonly Pod[]): readonly Pod[] | undefined {
  const mayGo = (other: Pod): boolean => (isCritical(pod) && !isCritical(other)) || priorityOf(pod) > priorityOf(other);
  const fits = (without: ReadonlySet<Pod>): boolean =>
    misfit(
      pod,
      node,
      others.filter((other) => !without.has(other)),
    ) === undefined;
  const memory = (other: Pod): number => quantityValue(podRequests(other)['memory']);
  const candidates = others
    .filter(mayGo)
    .sort((a, b) => ranks[qosClass(a)] - ranks[qosClass(b)] || priorityOf(a) - priorityOf(b) || memory(b) - memory(a));
  const victims = new Set<Pod>();
  for (const candidate of candidates) {
    if (fits(victims)) break;
    victims.add(candidate);
  }
  if (!fits(victims)) return undefined;
  // Those taken first may have become needless by what came after: the most important of them are spared first.
  for (const victim of [...victims].reverse()) {
    victims.delete(victim);
    if (!fits(victims)) victims.add(victim);
  }
  return candidates.filter((candidate) => victims.has(candidate));
}

export interface PreemptionOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Why the node turns a pod down beside others; undefined when it does not. */
  rejection(pod: Pod, node: Node, others: readonly Pod[]): Rejection | undefined;
  worker(uid: string): PodWorker | undefined;
  /** A Warning event on a pod. */
  record(pod: Pod, reason: string, message: string): void;
  /** There is room now for a pod that was promised some: it is to be tried again. */
  again(pod: Pod): void;
}

/** Has pods make room for critical ones. */
export class Preemption {
  readonly #options: PreemptionOptions;
  /** Pods that wait for room. */
  readonly #waiting = new Set<string>();

  constructor(options: PreemptionOptions) {
    this.#options = options;
  }

  /** Makes room for a pod that was turned down, if it is critical and that can be done. Says whether the pod is to wait. */
  makeRoom(pod: Pod, why: Rejection, node: Node | undefined, others: readonly Pod[]): boolean {
    const uid = podUid(pod);
    if (this.#waiting.has(uid)) return true;
    if (!isCritical(pod) || node === undefined || !why.reason.startsWith('OutOf')) return false;
    const victims = preemptionVictims(pod, node, others);
    if (victims === undefined) return false;
    const left = others.filter((other) => !victims.includes(other));
    if (this.#options.rejection(pod, node, left) !== undefined) return false;
    const { logger, worker, record } = this.#options;
    const workers = victims.flatMap((victim) => worker(podUid(victim)) ?? []);
    for (const victim of workers) {
      logger.info({ pod: podFormat(victim.pod), for: podFormat(pod) }, 'preempting a pod to free up resources');
      record(victim.pod, PREEMPTED.reason, PREEMPTED.message);
      victim.end({ ...PREEMPTED, disrupts: true });
    }
    this.#waiting.add(uid);
    void this.#wait(pod, workers);
    return true;
  }

  async #wait(pod: Pod, workers: readonly PodWorker[]): Promise<void> {
    const { clock, again } = this.#options;
    while (workers.some((w) => w.stage === 'running' || w.stage === 'terminating')) await clock.sleep(LOOK_MS);
    this.#waiting.delete(podUid(pod));
    again(pod);
  }
}
