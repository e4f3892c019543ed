import { describe, expect, it } from 'vitest';
import type { Pod } from '../../api/types/core-v1.ts';
import { VirtualClock } from '../../util/clock.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { silentLogger } from '../../util/logger.ts';
import { hostMachine, type MachineUse } from '../node/machine.ts';
import type { StatsSnapshot } from '../stats/summary.ts';
import { Eviction } from './eviction.ts';
import { binaryText, evictionMessage, localStorageExcess, type PodUse, ranked } from './ranking.ts';
import { defaultPressureLimits, PressureTracker, pressureRejection, thresholdsMet } from './thresholds.ts';

const MiB = 2 ** 20;
const GiB = 2 ** 30;
const fine: MachineUse = {
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

describe('thresholds', () => {
  it('are crossed by what is left', () => {
    expect(thresholdsMet(fine, defaultPressureLimits)).toEqual([]);
    const short = { ...fine, memoryAvailable: 50 * MiB, diskAvailable: 5 * GiB, inodesFree: 10 };
    expect(thresholdsMet(short, defaultPressureLimits)).toEqual([
      { resource: 'memory', threshold: 100 * MiB, available: 50 * MiB },
      { resource: 'ephemeral-storage', threshold: 10 * GiB, available: 5 * GiB },
      { resource: 'inodes', threshold: 50, available: 10 },
    ]);
    expect(thresholdsMet({ ...fine, inodes: 0, inodesFree: 0 }, defaultPressureLimits)).toEqual([]);
  });

  it('leave their condition standing for five minutes', () => {
    const tracker = new PressureTracker(defaultPressureLimits);
    expect(tracker.observe({ ...fine, memoryAvailable: 0 }, 1000)).toEqual({ memory: true, disk: false, pids: false });
    expect(tracker.observe(fine, 300_999).memory).toBe(true);
    expect(tracker.observe(fine, 301_000).memory).toBe(false);
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
    const met = { resource: 'memory', threshold: 100 * MiB, available: 34 * MiB } as const;
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
  function loop(pods: readonly Pod[], uses: MachineUse[]) {
    const told: string[] = [];
    const clock = new VirtualClock();
    const tracker = new PressureTracker(defaultPressureLimits);
    let asked = 0;
    const eviction = new Eviction({
      rootDir: '/',
      limits: defaultPressureLimits,
      tracker,
      machine: { ...hostMachine, use: async () => (uses.length > 1 ? uses.shift()! : uses[0]!) },
      clock,
      logger: silentLogger,
      stats: async () => {
        asked++;
        return { pods: [], containers: [], sandboxes: [], volumes: new Map(), logs: new Map() } as unknown as StatsSnapshot;
      },
      activePods: () => pods,
      evict: (p, reason) => told.push(`evict ${p.metadata!.name} ${reason}`),
      reclaimDisk: async () => void told.push('reclaim'),
      record: (p, reason, message) => told.push(`${p?.metadata?.name ?? 'node'} ${reason} ${message}`),
      changed: (p) => told.push(`changed ${JSON.stringify(p)}`),
    });
    return { eviction, told, asked: () => asked };
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
      'evict b Evicted',
    ]);
  });

  it('first removes images for want of disk, and ends no pod when that was enough', async () => {
    const { eviction, told } = loop([pod('a')], [{ ...fine, diskAvailable: 0 }, fine]);
    await eviction.look();
    expect(told).toEqual([
      'changed {"memory":false,"disk":true,"pids":false}',
      'node EvictionThresholdMet Attempting to reclaim ephemeral-storage',
      'reclaim',
    ]);
  });
});
