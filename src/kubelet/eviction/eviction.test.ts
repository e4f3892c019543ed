import { describe, expect, it } from 'vitest';
import type { Pod } from '../../api/types/core-v1.ts';
import { VirtualClock } from '../../util/clock.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { silentLogger } from '../../util/logger.ts';
import type { MachineUse } from '../node/machine.ts';
import type { StatsSnapshot } from '../stats/summary.ts';
import { Eviction } from './eviction.ts';
import { binaryText, evictionMessage, localStorageExcess, type PodUse, ranked } from './ranking.ts';
import {
  defaultEvictionPolicy,
  type EvictionPolicy,
  PressureTracker,
  pressureRejection,
  type Threshold,
  type ThresholdMet,
  thresholdsMet,
} from './thresholds.ts';

const MiB = 2 ** 20;
const GiB = 2 ** 30;
const fine: MachineUse = {
  memoryCapacity: 8 * GiB,
  memoryAvailable: 4 * GiB,
  diskCapacity: 100 * GiB,
  diskAvailable: 50 * GiB,
  inodes: 1000,
  inodesFree: 900,
  pids: 100,
  maxPids: 32_768,
};

function pod(name: string, more: { priority?: number; requests?: object; limits?: object; spec?: object } = {}): Pod {
  return deepFreeze({
    metadata: { name, namespace: 'default', uid: `uid-${name}` },
    spec: {
      ...(more.priority === undefined ? {} : { priority: more.priority }),
      containers: [{ name: 'app', image: 'i', resources: { requests: more.requests ?? {}, limits: more.limits ?? {} } }],
      ...more.spec,
    },
  }) as Pod;
}

const use = (memory: number, disk = 0, volumes: readonly (readonly [string, number])[] = []): PodUse => ({
  memory,
  disk,
  inodes: 1,
  processes: 1,
  containers: new Map([['app', { memory, disk }]]),
  volumes: new Map(volumes),
});

const hard = defaultEvictionPolicy.thresholds;
const told = (met: Iterable<ThresholdMet>) => [...met].map((m) => [m.signal, m.threshold, m.available]);

describe('thresholds', () => {
  it('are crossed by what is left', () => {
    expect(thresholdsMet(fine, hard).size).toBe(0);
    const short = { ...fine, memoryAvailable: 50 * MiB, diskAvailable: 5 * GiB, inodesFree: 10 };
    expect(told(thresholdsMet(short, hard).values())).toEqual([
      ['memory.available', 100 * MiB, 50 * MiB],
      ['nodefs.available', 10 * GiB, 5 * GiB],
      ['nodefs.inodesFree', 50, 10],
      ['imagefs.available', 15 * GiB, 5 * GiB],
      ['imagefs.inodesFree', 50, 10],
    ]);
    expect(thresholdsMet({ ...fine, inodes: 0, inodesFree: 0 }, hard).size).toBe(0);
    const imageFs = { diskCapacity: 10 * GiB, diskAvailable: GiB, inodes: 0, inodesFree: 0 };
    expect(told(thresholdsMet({ ...fine, imageFs }, hard).values())).toEqual([['imagefs.available', 1.5 * GiB, GiB]]);
  });

  it('leave their condition standing for five minutes', () => {
    const tracker = new PressureTracker(defaultEvictionPolicy);
    const memory = (use: MachineUse, now: number): boolean => {
      tracker.observe(use, now);
      return tracker.current.memory;
    };
    expect(memory({ ...fine, memoryAvailable: 0 }, 1000)).toBe(true);
    expect(tracker.current).toEqual({ memory: true, disk: false, pids: false });
    expect(memory(fine, 300_999)).toBe(true);
    expect(memory(fine, 301_000)).toBe(false);
  });

  it('that are soft call for an eviction when they were crossed for long enough, and have their condition at once', () => {
    const soft: Threshold = { signal: 'memory.available', value: { share: 0.25 }, grace: 90_000 };
    const tracker = new PressureTracker({ ...defaultEvictionPolicy, thresholds: [soft, ...hard] });
    const low = { ...fine, memoryAvailable: GiB };
    expect(tracker.observe(low, 0)).toEqual([]);
    expect(tracker.current.memory).toBe(true);
    expect(tracker.observe(fine, 50_000)).toEqual([]);
    // Interrupted: the grace begins anew.
    expect(tracker.observe(low, 60_000)).toEqual([]);
    expect(tracker.observe(low, 149_999)).toEqual([]);
    expect(tracker.observe(low, 150_000)).toEqual([
      { signal: 'memory.available', resource: 'memory', hard: false, threshold: 2 * GiB, available: GiB },
    ]);
    // What is hard comes first.
    expect(tracker.observe({ ...fine, memoryAvailable: 0 }, 160_000).map((m) => m.hard)).toEqual([true, false]);
  });

  it('go on calling until as much is won back as was asked for', () => {
    const threshold: Threshold = {
      signal: 'nodefs.available',
      value: { quantity: 10 * GiB },
      grace: 0,
      minReclaim: { quantity: 5 * GiB },
    };
    const tracker = new PressureTracker({ ...defaultEvictionPolicy, thresholds: [threshold] });
    const calls = (diskAvailable: number, now: number): number => tracker.observe({ ...fine, diskAvailable }, now).length;
    expect([14, 9, 12, 14, 15, 14].map((available, i) => calls(available * GiB, i))).toEqual([0, 1, 1, 1, 0, 0]);
  });

  it('keep new pods away: under memory pressure only those of best effort, else all but critical ones', () => {
    const memory = { memory: true, disk: false, pids: false };
    const disk = { memory: false, disk: true, pids: false };
    const message = 'The node had condition: [MemoryPressure]. ';
    expect(pressureRejection(pod('a'), memory)).toEqual({ reason: 'Evicted', message });
    expect(pressureRejection(pod('a', { requests: { memory: '1Mi' } }), memory)).toBeUndefined();
    const tolerations = [{ key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' }];
    expect(pressureRejection(pod('a', { spec: { tolerations } }), memory)).toBeUndefined();
    expect(pressureRejection(pod('a', { requests: { memory: '1Mi' } }), disk)?.message).toBe(
      'The node had condition: [DiskPressure]. ',
    );
    expect(pressureRejection(pod('a', { priority: 2_000_001_000 }), disk)).toBeUndefined();
  });
});

describe('the order of eviction', () => {
  it('is: unknown, exceeding its request, of low priority, exceeding most', () => {
    const pods = [
      pod('modest', { requests: { memory: '100Mi' } }),
      pod('important', { priority: 10 }),
      pod('small', { requests: { memory: '10Mi' } }),
      pod('large', { requests: { memory: '10Mi' } }),
      pod('unknown'),
    ];
    const uses = new Map([
      ['uid-modest', use(50 * MiB)],
      ['uid-important', use(900 * MiB)],
      ['uid-small', use(20 * MiB)],
      ['uid-large', use(300 * MiB)],
    ]);
    expect(ranked(pods, uses, 'memory').map((p) => p.metadata!.name)).toEqual([
      'unknown',
      'large',
      'small',
      'important',
      'modest',
    ]);
  });

  it('is explained', () => {
    const met = {
      signal: 'memory.available',
      resource: 'memory',
      hard: true,
      threshold: 100 * MiB,
      available: 34 * MiB,
    } as const;
    expect(evictionMessage(pod('a', { requests: { memory: '100Mi' } }), use(900 * MiB), met)).toBe(
      'The node was low on resource: memory. Threshold quantity: 100Mi, available: 34Mi. Container app was using 900Mi, request is 100Mi, has larger consumption of memory. ',
    );
    expect(evictionMessage(pod('a', { requests: { memory: '1Gi' } }), use(900 * MiB), met)).toBe(
      'The node was low on resource: memory. Threshold quantity: 100Mi, available: 34Mi. ',
    );
    expect([0, 1000, 1024, 1536, 3 * GiB].map(binaryText)).toEqual(['0', '1000', '1Ki', '1536', '3Gi']);
  });
});

describe('limits of local storage', () => {
  const volumes = [{ name: 'v', emptyDir: { sizeLimit: '10Mi' } }];
  it.each([
    [pod('a', { spec: { volumes } }), use(0, 0, [['v', 11 * MiB]]), 'Usage of EmptyDir volume "v" exceeds the limit "10Mi". '],
    [pod('a', { spec: { volumes } }), use(0, 0, [['v', 10 * MiB]]), undefined],
    [
      pod('a', { limits: { 'ephemeral-storage': '5Mi' } }),
      use(0, 6 * MiB),
      'Pod ephemeral local storage usage exceeds the total limit of containers 5Mi. ',
    ],
    [
      pod('a', {
        spec: {
          containers: [{ name: 'app', resources: { limits: { 'ephemeral-storage': '5Mi' } } }, { name: 'other' }],
        },
      }),
      use(0, 6 * MiB),
      'Container app exceeded its local ephemeral storage limit "5Mi". ',
    ],
    [pod('a'), use(0, 6 * GiB), undefined],
  ])('%#', (p, u, message) => {
    expect(localStorageExcess(p, u)).toBe(message);
  });
});

describe('the eviction loop', () => {
  function loop(pods: readonly Pod[], uses: MachineUse[], policy: EvictionPolicy = defaultEvictionPolicy) {
    const told: string[] = [];
    const clock = new VirtualClock();
    let asked = 0;
    const eviction = new Eviction({
      policy,
      tracker: new PressureTracker(policy),
      use: async () => (uses.length > 1 ? uses.shift()! : uses[0]!),
      clock,
      logger: silentLogger,
      stats: async () => {
        asked++;
        return { pods: [], containers: [], sandboxes: [], volumes: new Map(), logs: new Map() } as unknown as StatsSnapshot;
      },
      activePods: () => pods,
      evict: (p, reason, _message, grace, signal) =>
        told.push(`evict ${p.metadata!.name} ${reason} within ${grace} for ${signal}`),
      reclaimDisk: async () => void told.push('reclaim'),
      record: (p, reason, message) => told.push(`${p?.metadata?.name ?? 'node'} ${reason} ${message}`),
      changed: (p) => told.push(`changed ${JSON.stringify(p)}`),
    });
    return { eviction, told, clock, asked: () => asked };
  }

  it('asks nobody what pods use while there is enough', async () => {
    const { eviction, told, asked } = loop([pod('a')], [fine]);
    await eviction.look();
    expect([told, asked()]).toEqual([[], 0]);
  });

  it('ends one pod at a time, and never a critical one', async () => {
    const { eviction, told } = loop(
      [pod('critical', { priority: 2_000_000_000 }), pod('b'), pod('c')],
      [{ ...fine, memoryAvailable: 0 }],
    );
    await eviction.look();
    expect(told).toEqual([
      'changed {"memory":true,"disk":false,"pids":false}',
      'node EvictionThresholdMet Attempting to reclaim memory',
      'b Evicted The node was low on resource: memory. Threshold quantity: 100Mi, available: 0. ',
      'evict b Evicted within 1 for memory.available',
    ]);
  });

  it('first removes images for want of disk, and ends no pod when that was enough', async () => {
    const { eviction, told } = loop([pod('a')], [{ ...fine, diskAvailable: 0 }, { ...fine, diskAvailable: 0 }, fine]);
    await eviction.look();
    expect(told).toEqual([
      'changed {"memory":false,"disk":true,"pids":false}',
      'node EvictionThresholdMet Attempting to reclaim ephemeral-storage',
      'reclaim',
    ]);
  });

  it.each([
    [undefined, 20],
    [5, 5],
  ])('gives pods no more grace for a soft threshold than the node allows, nor than they ask for (%s)', async (own, given) => {
    const policy: EvictionPolicy = {
      thresholds: [{ signal: 'memory.available', value: { quantity: GiB }, grace: 10_000 }],
      pressureTransitionPeriod: 0,
      maxPodGracePeriod: 20,
    };
    const spec = own === undefined ? {} : { terminationGracePeriodSeconds: own };
    const { eviction, told, clock } = loop([pod('a', { spec })], [{ ...fine, memoryAvailable: 0 }], policy);
    const evictions = () => told.filter((t) => t.startsWith('evict'));
    await eviction.look();
    expect(evictions()).toEqual([]);
    await clock.advance(10_000);
    await eviction.look();
    expect(evictions()).toEqual([`evict a Evicted within ${given} for memory.available`]);
  });
});
