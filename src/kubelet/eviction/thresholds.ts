import { qosClass } from '../../api/groups/core/pod-qos.ts';
import { isTolerated } from '../../api/groups/core/toleration.ts';
import type { Pod, Taint } from '../../api/types/core-v1.ts';
import type { MachineUse } from '../node/machine.ts';
import type { Rejection } from '../pods/admission.ts';
import { isCritical } from '../pods/pod-spec.ts';

/** From when on the node is under pressure (the defaults of evictionHard). */
export interface PressureLimits {
  /** Bytes that must stay available. */
  readonly memoryAvailable: number;
  /** Parts of the whole that must stay available. */
  readonly diskAvailable: number;
  readonly inodesFree: number;
  readonly pidsAvailable: number;
}

export const defaultPressureLimits: PressureLimits = {
  memoryAvailable: 100 * 2 ** 20,
  diskAvailable: 0.1,
  inodesFree: 0.05,
  pidsAvailable: 0,
};

/** What the node is short of. */
export interface Pressure {
  readonly memory: boolean;
  readonly disk: boolean;
  readonly pids: boolean;
}

export const noPressure: Pressure = { memory: false, disk: false, pids: false };

/** A threshold that is crossed. Amounts in bytes, inodes or processes. */
export interface ThresholdMet {
  readonly resource: 'memory' | 'ephemeral-storage' | 'inodes' | 'pids';
  readonly threshold: number;
  readonly available: number;
}

/** A condition stays this long after it was last seen, so that it does not flap (evictionPressureTransitionPeriod). Milliseconds. */
const TRANSITION_MS = 300_000;

/** The thresholds that are crossed, in the order in which they are dealt with. */
export function thresholdsMet(use: MachineUse, limits: PressureLimits): readonly ThresholdMet[] {
  const met: ThresholdMet[] = [];
  const check = (resource: ThresholdMet['resource'], available: number, threshold: number): void => {
    if (available < threshold) met.push({ resource, threshold: Math.trunc(threshold), available });
  };
  check('memory', use.memoryAvailable, limits.memoryAvailable);
  check('ephemeral-storage', use.diskAvailable, use.diskCapacity * limits.diskAvailable);
  // Some file systems do not count inodes.
  if (use.inodes > 0) check('inodes', use.inodesFree, use.inodes * limits.inodesFree);
  if (use.maxPids > 0) check('pids', use.maxPids - use.pids, use.maxPids * limits.pidsAvailable);
  return met;
}

const kindOf: Readonly<Record<ThresholdMet['resource'], keyof Pressure>> = {
  memory: 'memory',
  'ephemeral-storage': 'disk',
  inodes: 'disk',
  pids: 'pids',
};

/** Remembers when what was last short. */
export class PressureTracker {
  readonly #limits: PressureLimits;
  readonly #seenAt = new Map<keyof Pressure, number>();
  #current = noPressure;

  constructor(limits: PressureLimits) {
    this.#limits = limits;
  }

  /** As of the last observation. */
  get current(): Pressure {
    return this.#current;
  }

  /** Takes in how the machine is used at `now` (milliseconds). */
  observe(use: MachineUse, now: number): Pressure {
    for (const { resource } of thresholdsMet(use, this.#limits)) this.#seenAt.set(kindOf[resource], now);
    const recently = (kind: keyof Pressure): boolean => {
      const at = this.#seenAt.get(kind);
      return at !== undefined && now - at < TRANSITION_MS;
    };
    this.#current = { memory: recently('memory'), disk: recently('disk'), pids: recently('pids') };
    return this.#current;
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
