import { durationMs } from '../../api/meta/duration.ts';
import { Quantity } from '../../api/meta/quantity.ts';
import {
  type Amount,
  defaultEvictionPolicy,
  type EvictionPolicy,
  SIGNALS,
  type Signal,
  type Threshold,
} from '../eviction/thresholds.ts';

/** The settings of evictions as KubeletConfiguration has them. */
export interface EvictionSettings {
  readonly evictionHard?: Readonly<Record<string, string>>;
  readonly evictionSoft?: Readonly<Record<string, string>>;
  readonly evictionSoftGracePeriod?: Readonly<Record<string, string>>;
  readonly evictionMinimumReclaim?: Readonly<Record<string, string>>;
  readonly evictionPressureTransitionPeriod?: string;
  readonly evictionMaxPodGracePeriod?: number;
  readonly mergeDefaultEvictionSettings?: boolean;
}

/** What the settings mean (eviction.ParseThresholdConfig). Hard thresholds that are given take the place of all of the default ones. Throws Error. */
export function evictionPolicy(settings: EvictionSettings): EvictionPolicy {
  const given = settings.evictionHard === undefined ? undefined : statements(settings.evictionHard);
  const defaults = new Map(defaultEvictionPolicy.thresholds.map((t) => [t.signal, t.value]));
  const hard =
    given === undefined ? defaults : settings.mergeDefaultEvictionSettings === true ? new Map([...defaults, ...given]) : given;
  const soft = statements(settings.evictionSoft ?? {});
  const reclaims = new Map(
    Object.entries(settings.evictionMinimumReclaim ?? {}).map(([signal, text]) => [known(signal), amount(signal, text)]),
  );
  const graces = new Map(
    Object.entries(settings.evictionSoftGracePeriod ?? {}).map(([signal, text]) => {
      const grace = durationMs(text);
      if (grace < 0) throw new Error(`invalid eviction grace period specified: ${text}, must be a positive value`);
      return [known(signal), grace];
    }),
  );
  const threshold = (signal: Signal, value: Amount, grace: number): Threshold => {
    const minReclaim = reclaims.get(signal);
    return { signal, value, grace, ...(minReclaim === undefined ? {} : { minReclaim }) };
  };
  const { evictionPressureTransitionPeriod: period, evictionMaxPodGracePeriod: maxPodGracePeriod } = settings;
  return {
    thresholds: [
      ...[...hard].map(([signal, value]) => threshold(signal, value, 0)),
      ...[...soft].map(([signal, value]) => {
        const grace = graces.get(signal);
        if (grace === undefined) throw new Error(`grace period must be specified for the soft eviction threshold ${signal}`);
        return threshold(signal, value, grace);
      }),
    ],
    pressureTransitionPeriod: period === undefined ? defaultEvictionPolicy.pressureTransitionPeriod : durationMs(period),
    maxPodGracePeriod: maxPodGracePeriod ?? defaultEvictionPolicy.maxPodGracePeriod,
  };
}

function statements(texts: Readonly<Record<string, string>>): ReadonlyMap<Signal, Amount> {
  const all = new Map<Signal, Amount>();
  for (const [name, text] of Object.entries(texts)) {
    const signal = known(name);
    // Nothing and everything are no thresholds.
    if (text === '0%' || text === '100%') continue;
    const value = amount(name, text);
    if ('quantity' in value && value.quantity === 0) throw new Error(`eviction threshold ${name} must be positive: ${text}`);
    all.set(signal, value);
  }
  return all;
}

function known(signal: string): Signal {
  const found = SIGNALS.find((s) => s === signal);
  if (found === undefined) throw new Error(`unrecognized eviction signal ${signal}`);
  return found;
}

function amount(signal: string, text: string): Amount {
  if (text.endsWith('%')) {
    const percentage = Number(text.slice(0, -1));
    if (!Number.isFinite(percentage)) throw new Error(`eviction percentage threshold ${signal} is no percentage: ${text}`);
    if (percentage < 0) throw new Error(`eviction percentage threshold ${signal} must be >= 0%: ${text}`);
    if (percentage > 100) throw new Error(`eviction percentage threshold ${signal} must be <= 100%: ${text}`);
    return { share: percentage / 100 };
  }
  const quantity = Quantity.parse(text);
  if (quantity.sign < 0) throw new Error(`eviction threshold ${signal} must be positive: ${text}`);
  return { quantity: quantity.value() };
}
