import { qosClass } from '../../api/groups/core/pod-qos.ts';
import { isTolerated } from '../../api/groups/core/toleration.ts';
import type { Pod, Taint } from '../../api/types/core-v1.ts';
import type { MachineUse } from '../node/machine.ts';
import type { Rejection } from '../pods/admission.ts';
import { isCritical } from '../pods/pod-spec.ts';

/** What is watched (eviction/api Signal), in the order in which shortages are dealt with. */
export const SIGNALS = [
  'memory.available',
  'nodefs.available',
  'nodefs.inodesFree',
  'imagefs.available',
  'imagefs.inodesFree',
  'pid.available',
] as const;
export type Signal = (typeof SIGNALS)[number];

/** Bytes, inodes or processes; or a part of all there are. */
export type Amount = { readonly quantity: number } | { readonly share: number };

/** How little of something may be left. */
export interface Threshold {
  readonly signal: Signal;
  readonly value: Amount;
  /** How long it must be crossed before pods are ended, milliseconds; 0: a hard threshold. */
  readonly grace: number;
  /** How much beyond the threshold must be free before enough has been reclaimed. */
  readonly minReclaim?: Amount;
}

export interface EvictionPolicy {
  readonly thresholds: readonly Threshold[];
  /** A condition stays this long after it was last seen, so that it does not flap. Milliseconds. */
  readonly pressureTransitionPeriod: number;
  /** Longest grace of a pod that goes for a soft threshold. Seconds. */
  readonly maxPodGracePeriod: number;
}

/** Upstream's evictionHard on Linux, and nothing soft. */
export const defaultEvictionPolicy: EvictionPolicy = {
  thresholds: [
    { signal: 'memory.available', value: { quantity: 100 * 2 ** 20 }, grace: 0 },
    { signal: 'nodefs.available', value: { share: 0.1 }, grace: 0 },
    { signal: 'nodefs.inodesFree', value: { share: 0.05 }, grace: 0 },
    { signal: 'imagefs.available', value: { share: 0.15 }, grace: 0 },
    { signal: 'imagefs.inodesFree', value: { share: 0.05 }, grace: 0 },
  ],
  pressureTransitionPeriod: 300_000,
  maxPodGracePeriod: 0,
};

/** What the node is short of. */
export interface Pressure {
  readonly memory: boolean;
  readonly disk: boolean;
  readonly pids: boolean;
}

export const noPressure: Pressure = { memory: false, disk: false, pids: false };

/** What runs short when a signal is crossed: as messages name it, and as conditions do. */
const shortages: Readonly<Record<Signal, { readonly resource: Resource; readonly kind: keyof Pressure }>> = {
  'memory.available': { resource: 'memory', kind: 'memory' },
  'nodefs.available': { resource: 'ephemeral-storage', kind: 'disk' },
  'nodefs.inodesFree': { resource: 'inodes', kind: 'disk' },
  'imagefs.available': { resource: 'ephemeral-storage', kind: 'disk' },
  'imagefs.inodesFree': { resource: 'inodes', kind: 'disk' },
  'pid.available': { resource: 'pids', kind: 'pids' },
};
export type Resource = 'memory' | 'ephemeral-storage' | 'inodes' | 'pids';

/** A threshold that is crossed. Amounts in bytes, inodes or processes. */
export interface ThresholdMet {
  readonly signal: Signal;
  readonly resource: Resource;
  readonly hard: boolean;
  readonly threshold: number;
  readonly available: number;
}

/** What is left of what a signal watches, and what there is in all; undefined where that is not counted. */
function observation(signal: Signal, use: MachineUse): { readonly available: number; readonly capacity: number } | undefined {
  const images = use.imageFs ?? use;
  switch (signal) {
    case 'memory.available':
      return { available: use.memoryAvailable, capacity: use.memoryCapacity };
    case 'nodefs.available':
      return { available: use.diskAvailable, capacity: use.diskCapacity };
    case 'nodefs.inodesFree':
      // Some file systems do not count inodes.
      return use.inodes > 0 ? { available: use.inodesFree, capacity: use.inodes } : undefined;
    case 'imagefs.available':
      return { available: images.diskAvailable, capacity: images.diskCapacity };
    case 'imagefs.inodesFree':
      return images.inodes > 0 ? { available: images.inodesFree, capacity: images.inodes } : undefined;
    case 'pid.available':
      return use.maxPids > 0 ? { available: use.maxPids - use.pids, capacity: use.maxPids } : undefined;
  }
}

/** An amount in units, of a whole of `capacity`. */
export const amountOf = (amount: Amount, capacity: number): number =>
  'quantity' in amount ? amount.quantity : Math.trunc(capacity * amount.share);

/** Whether a threshold is crossed; `reclaiming`: what must be won back beyond it counts too. */
function met(threshold: Threshold, use: MachineUse, reclaiming: boolean): ThresholdMet | undefined {
  const seen = observation(threshold.signal, use);
  if (seen === undefined) return undefined;
  const quantity = amountOf(threshold.value, seen.capacity);
  const wanted =
    quantity + (reclaiming && threshold.minReclaim !== undefined ? amountOf(threshold.minReclaim, seen.capacity) : 0);
  if (seen.available >= wanted) return undefined;
  const { signal, grace } = threshold;
  const { resource } = shortages[signal];
  return { signal, resource, hard: grace === 0, threshold: quantity, available: seen.available };
}

/** The thresholds that are crossed. */
export function thresholdsMet(
  use: MachineUse,
  thresholds: readonly Threshold[],
  reclaiming = false,
): ReadonlyMap<Threshold, ThresholdMet> {
  const all = new Map<Threshold, ThresholdMet>();
  for (const threshold of thresholds) {
    const one = met(threshold, use, reclaiming);
    if (one !== undefined) all.set(threshold, one);
  }
  return all;
}

/** Remembers since when what has been short, and when it last was (eviction managerImpl.synchronize). */
export class PressureTracker {
  readonly #policy: EvictionPolicy;
  readonly #conditionSeenAt = new Map<keyof Pressure, number>();
  #firstSeenAt: ReadonlyMap<Threshold, number> = new Map();
  /** Those that drove the last look's evictions. */
  #driving: readonly Threshold[] = [];
  #current = noPressure;

  constructor(policy: EvictionPolicy) {
    this.#policy = policy;
  }

  /** As of the last observation. */
  get current(): Pressure {
    return this.#current;
  }

  /**
   * Takes in how the machine is used at `now` (milliseconds). Gives the thresholds that call for an eviction: crossed for as long as their grace,
   * or crossed before and not won back as far as they shall be. The most pressing comes first.
   */
  observe(use: MachineUse, now: number): readonly ThresholdMet[] {
    const crossed = new Map([...thresholdsMet(use, this.#policy.thresholds), ...thresholdsMet(use, this.#driving, true)]);
    const before = this.#firstSeenAt;
    this.#firstSeenAt = new Map([...crossed.keys()].map((t) => [t, before.get(t) ?? now]));
    for (const { signal } of crossed.keys()) this.#conditionSeenAt.set(shortages[signal].kind, now);
    const recently = (kind: keyof Pressure): boolean => {
      const at = this.#conditionSeenAt.get(kind);
      return at !== undefined && now - at < this.#policy.pressureTransitionPeriod;
    };
    this.#current = { memory: recently('memory'), disk: recently('disk'), pids: recently('pids') };
    this.#driving = [...crossed.keys()].filter((t) => now - this.#firstSeenAt.get(t)! >= t.grace);
    const order = (t: Threshold): number => SIGNALS.indexOf(t.signal) * 2 + Number(t.grace > 0);
    return this.#driving.toSorted((a, b) => order(a) - order(b)).map((t) => crossed.get(t)!);
  }
}

const memoryTaint: Taint = { key: 'node.kubernetes.io/memory-pressure', effect: 'NoSchedule' };

/** Whether a node under pressure takes another pod (eviction managerImpl.Admit). Undefined: it does. */
export function pressureRejection(pod: Pod, pressure: Pressure): Rejection | undefined {
  const conditions = [
    ...(pressure.memory ? ['MemoryPressure'] : []),
    ...(pressure.disk ? ['DiskPressure'] : []),
    ...(pressure.pids ? ['PIDPressure'] : []),
  ];
  if (conditions.length === 0 || isCritical(pod)) return undefined;
  if (pressure.memory && conditions.length === 1) {
    if (qosClass(pod) !== 'BestEffort' || isTolerated(pod.spec?.tolerations ?? [], memoryTaint)) return undefined;
  }
  return { reason: 'Evicted', message: `The node had condition: [${conditions.join(' ')}]. ` };
}
