import type { Rejection } from './framework.ts';
import type { NodeInfo } from './node-info.ts';

/** Why no node will do for a pod. */
export interface Diagnosis {
  /** Nodes there are. */
  readonly total: number;
  /** Verdict on the pod as a whole: then no node was looked at. */
  readonly pod: Rejection | undefined;
  /** Verdicts on the nodes that were looked at. */
  readonly nodes: ReadonlyMap<NodeInfo, Rejection>;
  /** Verdict on all others. */
  readonly absent: Rejection;
  /** Names of the plugins that rejected anything: their hints tell when to try again. */
  readonly plugins: ReadonlySet<string>;
}

/**
 * The message of an unschedulable pod (framework.FitError): `0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu.`, followed by
 * what became of the attempt to preempt.
 */
export function fitMessage(diagnosis: Diagnosis, postFilter: string): string {
  let message = `0/${diagnosis.total} nodes are available:`;
  if (diagnosis.pod !== undefined) message += ` ${diagnosis.pod.reasons.join(', ')}.`;
  else {
    const counts = new Map<string, number>();
    const count = (rejection: Rejection, times: number): void => {
      for (const reason of rejection.reasons) counts.set(reason, (counts.get(reason) ?? 0) + times);
    };
    for (const rejection of diagnosis.nodes.values()) count(rejection, 1);
    const absent = diagnosis.total - diagnosis.nodes.size;
    if (absent > 0) count(diagnosis.absent, absent);
    const lines = [...counts].map(([reason, times]) => `${times} ${reason}`).sort(byBytes);
    if (lines.length > 0) message += ` ${lines.join(', ')}.`;
  }
  return postFilter === '' ? message : `${message} ${postFilter}`;
}

/** Go sorts strings by their bytes. */
const byBytes = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
