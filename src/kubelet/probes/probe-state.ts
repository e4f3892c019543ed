import type { Probe } from '../../api/types/core-v1.ts';

export type ProbeKind = 'startup' | 'liveness' | 'readiness';
export type ProbeResult = 'success' | 'failure' | 'unknown';

/** Where one probe of one container stands: prober/worker.go as a value. */
export interface ProbeState {
  /** What counts now. */
  readonly verdict: ProbeResult;
  /** The last outcome and how many times in a row it came. */
  readonly last: ProbeResult | undefined;
  readonly run: number;
  /** No more probing of this container: it has failed and is to be restarted, or its startup is over. */
  readonly onHold: boolean;
}

const initial: Readonly<Record<ProbeKind, ProbeResult>> = { startup: 'unknown', liveness: 'success', readiness: 'failure' };

/** The state before the first probe of a container. */
export function initialProbeState(kind: ProbeKind): ProbeState {
  return { verdict: initial[kind], last: undefined, run: 0, onHold: false };
}

/** The state after one more outcome. Results must repeat (failureThreshold, successThreshold) before they count. */
export function afterProbe(state: ProbeState, kind: ProbeKind, probe: Probe, outcome: 'success' | 'failure'): ProbeState {
  if (state.onHold) return state;
  const run = state.last === outcome ? state.run + 1 : 1;
  const threshold = outcome === 'success' ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3);
  const next: ProbeState = { ...state, last: outcome, run };
  if (run < threshold) return next;
  if (kind === 'startup' && outcome === 'success') return { ...next, verdict: 'success', onHold: true };
  if (kind !== 'readiness' && outcome === 'failure') return { ...next, verdict: 'failure', onHold: true, run: 0 };
  return { ...next, verdict: outcome };
}

/** Milliseconds from `now` to the next probe: the initial delay counts from the start of the container, then every period. */
export function nextProbeIn(probe: Probe, startedAt: number, lastProbeAt: number | undefined, now: number): number {
  const period = (probe.periodSeconds ?? 10) * 1000;
  const first = startedAt + (probe.initialDelaySeconds ?? 0) * 1000;
  const due = lastProbeAt === undefined ? first : Math.max(first, lastProbeAt + period);
  return Math.max(0, due - now);
}
