import { describe, expect, it } from 'vitest';
import type { Container, Pod } from '../../api/types/core-v1.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { milliCpuToQuota, milliCpuToShares, oomScoreAdj, podCgroupLimits } from './qos.ts';

const container = (name: string, requests?: object, limits?: object): Container => ({
  name,
  image: 'i',
  resources: {
    ...(requests === undefined ? {} : { requests: requests as Record<string, string> }),
    ...(limits === undefined ? {} : { limits: limits as Record<string, string> }),
  },
});
const pod = (containers: readonly Container[], more: object = {}): Pod =>
  deepFreeze({ metadata: { name: 'p', uid: 'u' }, spec: { containers, ...more } });

describe('quality of service', () => {
  const both = { cpu: '1', memory: '1Gi' };
  it('scores burstable containers by their share of the memory', () => {
    const p = pod([container('a', { memory: '1Gi' })]);
    expect(oomScoreAdj(p, p.spec!.containers[0]!, 4 * 2 ** 30)).toBe(750);
    expect(oomScoreAdj(pod([container('a')]), container('a'), 2 ** 30)).toBe(1000);
    expect(oomScoreAdj(pod([container('a', both, both)]), container('a', both, both), 2 ** 32)).toBe(-997);
    const tiny = pod([container('a', { cpu: '1' })]);
    expect(oomScoreAdj(tiny, tiny.spec!.containers[0]!, 2 ** 32)).toBe(999);
  });

  it('turns millicores into shares and quota', () => {
    expect([milliCpuToShares(0), milliCpuToShares(100), milliCpuToShares(1000)]).toEqual([2, 102, 1024]);
    expect([milliCpuToQuota(0), milliCpuToQuota(5), milliCpuToQuota(500)]).toEqual([0, 1000, 50_000]);
  });

  it('limits a pod only where every container is limited', () => {
    expect(podCgroupLimits(pod([container('a', both, both), container('b', { cpu: '1' }, { memory: '1Gi' })]))).toEqual({
      cpuShares: 2048,
      memoryLimitInBytes: 2 * 2 ** 30,
    });
  });

  it('scores with what the pod asks for beyond its containers, sidecars no worse than the regular', () => {
    const sidecar = { ...container('s'), restartPolicy: 'Always' };
    const p = pod([container('a', { memory: '1Gi' }), container('b')], {
      initContainers: [sidecar],
      resources: { requests: { memory: '4Gi' } },
    });
    // 3 Gi are nobody's: 1 Gi for each of the three.
    expect(p.spec!.containers.map((c) => oomScoreAdj(p, c, 2 ** 33))).toEqual([750, 875]);
    expect(oomScoreAdj(p, sidecar, 2 ** 33)).toBe(875);
    const sized = { initContainers: [sidecar] };
    const q = pod([container('a', { memory: '1Gi' }), container('b', { memory: '2Gi' })], sized);
    expect(oomScoreAdj(q, sidecar, 2 ** 32)).toBe(750);
  });

  it('spares what the node cannot do without, and nothing else for its priority alone', () => {
    const node = pod([container('a')], { priority: 2_000_001_000, priorityClassName: 'system-node-critical' });
    const cluster = pod([container('a')], { priority: 2_000_000_000, priorityClassName: 'system-cluster-critical' });
    expect([node, cluster].map((p) => oomScoreAdj(p, container('a'), 2 ** 30))).toEqual([-997, 1000]);
  });

  it('limits a pod by its own limits', () => {
    const p = pod([container('a'), container('b', { cpu: '100m' })], {
      resources: { requests: { cpu: '2', memory: '1Gi' }, limits: { cpu: '3', memory: '2Gi' } },
    });
    expect(podCgroupLimits(p)).toEqual({
      cpuShares: 2048,
      cpuQuota: 300_000,
      cpuPeriod: 100_000,
      memoryLimitInBytes: 2 ** 31,
    });
  });
});
