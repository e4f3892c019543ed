import type { HorizontalPodAutoscaler, HPAScalingRules } from '../../api/types/autoscaling-v2.ts';

/** Without a behavior: so long the highest recommendation counts. */
const DEFAULT_DOWN_WINDOW_MS = 5 * 60_000;
/** Without a behavior: up to twice as many at a time, or this many. */
const UP_LIMIT_FACTOR = 2;
const UP_LIMIT_MINIMUM = 4;
/** What is remembered of one autoscaler. */
const MAX_REMEMBERED = 1000;

interface Timed {
  readonly at: number;
  readonly value: number;
}

/** What has been recommended to and done about one autoscaler, newest last. Times monotonic, milliseconds. */
export class ScaleHistory {
  #recommendations: Timed[] = [];
  #ups: Timed[] = [];
  #downs: Timed[] = [];

  recommend(replicas: number, at: number): void {
    this.#recommendations = [...this.#recommendations.slice(1 - MAX_REMEMBERED), { at, value: replicas }];
  }

  get isEmpty(): boolean {
    return this.#recommendations.length === 0;
  }

  /** A change that was made, by so many replicas. */
  scaled(from: number, to: number, at: number): void {
    const event = { at, value: Math.abs(to - from) };
    if (to > from) this.#ups = [...this.#ups.slice(1 - MAX_REMEMBERED), event];
    else if (to < from) this.#downs = [...this.#downs.slice(1 - MAX_REMEMBERED), event];
  }

  highest(since: number, least: number): number {
    return this.#recommendations.reduce((max, { at, value }) => (at > since ? Math.max(max, value) : max), least);
  }

  lowest(since: number, most: number): number {
    return this.#recommendations.reduce((min, { at, value }) => (at > since ? Math.min(min, value) : min), most);
  }

  added(since: number): number {
    return this.#ups.reduce((sum, { at, value }) => (at > since ? sum + value : sum), 0);
  }

  removed(since: number): number {
    return this.#downs.reduce((sum, { at, value }) => (at > since ? sum + value : sum), 0);
  }
}

export interface Verdict {
  readonly replicas: number;
  /** For the condition AbleToScale. */
  readonly able: { readonly reason: string; readonly message: string };
  /** For the condition ScalingLimited: whether something held the number back, and what. */
  readonly limited: { readonly is: boolean; readonly reason: string; readonly message: string };
}

const readyForNewScale = { reason: 'ReadyForNewScale', message: 'recommended size matches current size' };
const stabilizedDown = {
  reason: 'ScaleDownStabilized',
  message: 'recent recommendations were higher than current one, applying the highest recent recommendation',
};
const stabilizedUp = {
  reason: 'ScaleUpStabilized',
  message: 'recent recommendations were lower than current one, applying the lowest recent recommendation',
};
const inRange = { is: false, reason: 'DesiredWithinRange', message: 'the desired count is within the acceptable range' };
const limit = (reason: string, message: string) => ({ is: true, reason, message });
const tooMany = limit('TooManyReplicas', 'the desired replica count is more than the maximum replica count');
const tooFew = limit('TooFewReplicas', 'the desired replica count is less than the minimum replica count');
const upTooFast = limit('ScaleUpLimit', 'the desired replica count is increasing faster than the maximum scale rate');
const downTooFast = limit('ScaleDownLimit', 'the desired replica count is decreasing faster than the maximum scale rate');

/** What becomes of a recommendation under the autoscaler's bounds and behavior. The recommendation is remembered. */
export function restrain(
  autoscaler: HorizontalPodAutoscaler,
  history: ScaleHistory,
  current: number,
  desired: number,
  now: number,
): Verdict {
  const { minReplicas = 1, maxReplicas = 1, behavior } = autoscaler.spec ?? {};
  if (behavior === undefined) {
    const stable = history.highest(now - DEFAULT_DOWN_WINDOW_MS, desired);
    history.recommend(desired, now);
    return {
      able: stable === desired ? readyForNewScale : stabilizedDown,
      ...clampSimply(current, stable, minReplicas, maxReplicas),
    };
  }
  const { scaleUp = {}, scaleDown = {} } = behavior;
  const window = (rules: HPAScalingRules, otherwise: number): number => (rules.stabilizationWindowSeconds ?? otherwise) * 1000;
  const lowest = history.lowest(now - window(scaleUp, 0), desired);
  const highest = history.highest(now - window(scaleDown, DEFAULT_DOWN_WINDOW_MS / 1000), desired);
  history.recommend(desired, now);
  let stable = current;
  if (stable < lowest) stable = lowest;
  if (stable > highest) stable = highest;
  const able = stable === desired ? readyForNewScale : desired > stable ? stabilizedUp : stabilizedDown;
  return { able, ...clampByRules(current, stable, minReplicas, maxReplicas, { scaleUp, scaleDown, history, now }) };
}

type Clamped = Pick<Verdict, 'replicas' | 'limited'>;

function clampSimply(current: number, desired: number, min: number, max: number): Clamped {
  const fastest = Math.max(UP_LIMIT_FACTOR * current, UP_LIMIT_MINIMUM);
  if (desired < min) return { replicas: min, limited: tooFew };
  if (desired > Math.min(max, fastest)) {
    return max > fastest ? { replicas: fastest, limited: upTooFast } : { replicas: max, limited: tooMany };
  }
  return { replicas: desired, limited: inRange };
}

interface Rules {
  readonly scaleUp: HPAScalingRules;
  readonly scaleDown: HPAScalingRules;
  readonly history: ScaleHistory;
  readonly now: number;
}

function clampByRules(current: number, desired: number, min: number, max: number, rules: Rules): Clamped {
  if (desired > current) {
    const fastest = Math.max(current, upLimit(current, rules));
    if (desired > Math.min(max, fastest)) {
      return max > fastest ? { replicas: fastest, limited: upTooFast } : { replicas: max, limited: tooMany };
    }
  } else if (desired < current) {
    const fastest = Math.min(current, downLimit(current, rules));
    if (desired < Math.max(min, fastest)) {
      return min < fastest ? { replicas: fastest, limited: downTooFast } : { replicas: min, limited: tooFew };
    }
  }
  return { replicas: desired, limited: inRange };
}

function upLimit(current: number, { scaleUp, history, now }: Rules): number {
  const { selectPolicy = 'Max', policies = [] } = scaleUp;
  if (selectPolicy === 'Disabled') return current;
  const proposals = policies.map(({ type, value, periodSeconds }) => {
    const since = now - periodSeconds * 1000;
    const start = current - history.added(since) + history.removed(since);
    return type === 'Pods' ? start + value : Math.ceil(start * (1 + value / 100));
  });
  return selectPolicy === 'Min' ? Math.min(...proposals) : Math.max(current, ...proposals);
}

function downLimit(current: number, { scaleDown, history, now }: Rules): number {
  const { selectPolicy = 'Max', policies = [] } = scaleDown;
  if (selectPolicy === 'Disabled') return current;
  const proposals = policies.map(({ type, value, periodSeconds }) => {
    const since = now - periodSeconds * 1000;
    const start = current + history.removed(since) - history.added(since);
    return type === 'Pods' ? start - value : Math.trunc(start * (1 - value / 100));
  });
  // The most change is the fewest replicas.
  return selectPolicy === 'Min' ? Math.max(...proposals) : Math.min(current, ...proposals);
}
