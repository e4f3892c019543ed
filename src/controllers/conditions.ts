import { formatTime } from '../api/meta/time.ts';

/** What all conditions of workloads have. */
export interface ConditionLike {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

export function findCondition<C extends { readonly type: string }>(
  conditions: readonly C[] | undefined,
  type: string,
): C | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/**
 * `conditions` with `next` in place of the one of its type: unchanged when status and reason are the same, and the transition time kept when the
 * status is. The order of the others stays.
 */
export function withCondition<C extends ConditionLike>(
  conditions: readonly C[] | undefined,
  next: Omit<C, 'lastTransitionTime'> & { readonly type: string; readonly status: string; readonly reason?: string },
  now: number,
): readonly C[] {
  const current = findCondition(conditions, next.type);
  if (current !== undefined && current.status === next.status && current.reason === next.reason) return conditions!;
  const lastTransitionTime =
    current !== undefined && current.status === next.status && current.lastTransitionTime !== undefined
      ? current.lastTransitionTime
      : formatTime(now);
  return [...withoutCondition(conditions, next.type), { ...next, lastTransitionTime } as unknown as C];
}

export function withoutCondition<C extends { readonly type: string }>(
  conditions: readonly C[] | undefined,
  type: string,
): readonly C[] {
  return (conditions ?? []).filter((condition) => condition.type !== type);
}
