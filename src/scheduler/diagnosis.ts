import type { Rejection } from './framework.ts';
import type { NodeInfo } from './node-info.ts';

/** Verdicts on nodes, in the order they were given. A list: for a pod that fits nowhere in a large cluster there are thousands. */
export class NodeVerdicts {
  readonly nodes: NodeInfo[] = [];
  readonly rejections: Rejection[] = [];

  get size(): number {
    return this.nodes.length;
  }

  add(node: NodeInfo, rejection: Rejection): void {
    this.nodes.push(node);
    this.rejections.push(rejection);
  }

  get(node: NodeInfo): Rejection | undefined {
    const index = this.nodes.indexOf(node);
    return index < 0 ? undefined : this.rejections[index];
  }
}

/** Why no node will do for a pod. */
export interface Diagnosis {
  /** Nodes there are. */
  readonly total: number;
  /** Verdict on the pod as a whole: then no node was looked at. */
  readonly pod: Rejection | undefined;
  /** Verdicts on the nodes that were looked at. */
  readonly nodes: NodeVerdicts;
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
    // Plugins hand out the same rejection again and again, so that most of the counting is by identity.
    const verdicts = new Map<Rejection, number>();
    for (const rejection of diagnosis.nodes.rejections) verdicts.set(rejection, (verdicts.get(rejection) ?? 0) + 1);
    const absent = diagnosis.total - diagnosis.nodes.size;
    if (absent > 0) verdicts.set(diagnosis.absent, (verdicts.get(diagnosis.absent) ?? 0) + absent);
    const counts = new Map<string, number>();
    for (const [rejection, times] of verdicts) {
      for (const reason of rejection.reasons) counts.set(reason, (counts.get(reason) ?? 0) + times);
    }
    const lines = [...counts].map(([reason, times]) => `${times} ${reason}`).sort(byBytes);
    if (lines.length > 0) message += ` ${lines.join(', ')}.`;
  }
  return postFilter === '' ? message : `${message} ${postFilter}`;
}

/** Go sorts strings by their bytes. */
const byBytes = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
