import { isPercent, scaledValue } from '../../api/meta/int-or-string.ts';
import type { Condition } from '../../api/meta/object.ts';
import { formatTime, parseTime } from '../../api/meta/time.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from '../../api/types/policy-v1.ts';
import { findCondition } from '../conditions.ts';
import { isReady } from '../workload/pod-state.ts';

/** A pod whose eviction was granted is taken to go within this time. */
export const DELETION_TIMEOUT_MS = 120_000;
const CONDITION = 'DisruptionAllowed';

/** The controllers of a budget's pods: how many pods they want together. */
export interface ExpectedScale {
  readonly count: number;
  /** Names of pods without a controller. */
  readonly unmanaged: readonly string[];
}

/** How many pods there should be, and how many of them must be healthy. Pure. */
export function budgetNumbers(
  budget: PodDisruptionBudget,
  podCount: number,
  scale: ExpectedScale | undefined,
): { readonly expected: number; readonly desired: number } {
  const { minAvailable, maxUnavailable } = budget.spec ?? {};
  if (maxUnavailable !== undefined) {
    const expected = scale?.count ?? 0;
    return { expected, desired: Math.max(0, expected - scaledValue(maxUnavailable, expected, true)) };
  }
  if (minAvailable === undefined) return { expected: 0, desired: 0 };
  if (!isShare(minAvailable)) return { expected: podCount, desired: scaledValue(minAvailable, podCount, true) };
  const expected = scale?.count ?? 0;
  return { expected, desired: scaledValue(minAvailable, expected, true) };
}

const isShare = (value: number | string): boolean => typeof value === 'string' && isPercent(value);

/** Whether the numbers depend on how many pods the controllers want. */
export function needsScale({ spec }: PodDisruptionBudget): boolean {
  return spec?.maxUnavailable !== undefined || (spec?.minAvailable !== undefined && isShare(spec.minAvailable));
}

export interface BudgetPlan {
  readonly status: PodDisruptionBudgetStatus;
  /** Pods that were to be deleted by now, and are not. */
  readonly notDeleted: readonly Pod[];
  /** When the first pod that is to be deleted should be. */
  readonly requeueAfterMs: number | undefined;
}

/** The status that the budget's pods call for. Pure. */
export function planBudget(
  budget: PodDisruptionBudget,
  pods: readonly Pod[],
  scale: ExpectedScale | undefined,
  now: number,
): BudgetPlan {
  const { expected, desired } = budgetNumbers(budget, pods.length, scale);
  const pending = budget.status?.disruptedPods ?? {};
  const disrupted: Record<string, string> = {};
  const notDeleted: Pod[] = [];
  let recheck: number | undefined;
  for (const pod of pods) {
    const { name = '', deletionTimestamp } = pod.metadata ?? {};
    const since = pending[name];
    if (since === undefined || deletionTimestamp !== undefined) continue;
    const due = (parseTime(since) ?? 0) + DELETION_TIMEOUT_MS;
    if (due < now) {
      notDeleted.push(pod);
      continue;
    }
    disrupted[name] = since;
    recheck = Math.min(recheck ?? due, due);
  }
  const healthy = pods.filter(
    ({ metadata }) => metadata?.deletionTimestamp === undefined && disrupted[metadata!.name!] === undefined,
  );
  const currentHealthy = healthy.filter(isReady).length;
  const disruptionsAllowed = expected <= 0 ? 0 : Math.max(0, currentHealthy - desired);
  const observedGeneration = budget.metadata?.generation ?? 0;
  const condition = allowedCondition(budget, disruptionsAllowed, now);
  return {
    status: {
      ...(Object.keys(disrupted).length === 0 ? {} : { disruptedPods: disrupted }),
      currentHealthy,
      desiredHealthy: desired,
      disruptionsAllowed,
      expectedPods: expected,
      observedGeneration,
      conditions: withConditionOf(budget.status?.conditions, condition),
    },
    notDeleted,
    requeueAfterMs: recheck === undefined ? undefined : Math.max(0, recheck - now) + 1000,
  };
}

/** When the numbers cannot be told nothing may be disrupted. */
export function failSafeStatus(budget: PodDisruptionBudget, message: string, now: number): PodDisruptionBudgetStatus {
  const { generation = 0 } = budget.metadata ?? {};
  const failed = condition(budget, 'False', 'SyncFailed', message, generation, now);
  return {
    currentHealthy: 0,
    desiredHealthy: 0,
    expectedPods: 0,
    ...budget.status,
    disruptionsAllowed: 0,
    observedGeneration: generation,
    conditions: withConditionOf(budget.status?.conditions, failed),
  };
}

function allowedCondition(budget: PodDisruptionBudget, allowed: number, now: number): Condition {
  const generation = budget.metadata?.generation ?? 0;
  return allowed > 0
    ? condition(budget, 'True', 'SufficientPods', '', generation, now)
    : condition(budget, 'False', 'InsufficientPods', '', generation, now);
}

function condition(
  budget: PodDisruptionBudget,
  status: 'True' | 'False',
  reason: string,
  message: string,
  observedGeneration: number,
  now: number,
): Condition {
  const current = findCondition(budget.status?.conditions, CONDITION);
  const lastTransitionTime = current?.status === status ? current.lastTransitionTime : formatTime(now);
  return { type: CONDITION, status, reason, message, observedGeneration, lastTransitionTime };
}

function withConditionOf(conditions: readonly Condition[] = [], next: Condition): readonly Condition[] {
  const at = conditions.findIndex(({ type }) => type === next.type);
  return at < 0 ? [...conditions, next] : conditions.with(at, next);
}

/** Milliseconds until a pod that was to be disrupted, and is still there, no longer is taken to be; undefined when it is not to be. */
export function staleDisruptionIn(pod: Pod, now: number): number | undefined {
  if (pod.metadata?.deletionTimestamp !== undefined) return undefined;
  const target = findCondition(pod.status?.conditions, 'DisruptionTarget');
  if (target?.status !== 'True' || target.reason === 'TerminationByKubelet') return undefined;
  return Math.max(0, (parseTime(target.lastTransitionTime) ?? now) + DELETION_TIMEOUT_MS - now);
}
