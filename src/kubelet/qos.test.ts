import { describe, expect, it } from 'vitest';
import type { Container, Pod } from '../api/types/core-v1.ts';
import { deepFreeze } from '../util/deep-freeze.ts';
import { podResource } from './pod-spec.ts';
import { milliCpuToQuota, milliCpuToShares, oomScoreAdj, podCgroupLimits, podQos } from './qos.ts';
import { quantityMilli } from './quantity.ts';

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
  it.each<[string, Pod, string]>([
    ['nothing asked', pod([container('a')]), 'BestEffort'],
    ['limits equal requests', pod([container('a', both, both)]), 'Guaranteed'],
    ['the same amount in other words', pod([container('a', { cpu: '1000m', memory: '1024Mi' }, both)]), 'Guaranteed'],
    ['only requests', pod([container('a', both)]), 'Burstable'],
    ['one container without limits', pod([container('a', both, both), container('b')]), 'Burstable'],
    ['an init container without limits', pod([container('a', both, both)], { initContainers: [container('i')] }), 'Burstable'],
    ['pod level', pod([container('a')], { resources: { requests: both, limits: both } }), 'Guaranteed'],
  ])('%s', (_name, p, expected) => {
    expect(podQos(p)).toBe(expected);
  });

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

  it('counts sidecars with the containers and init containers by their peak', () => {
    const side = { ...container('s', { cpu: '100m' }), restartPolicy: 'Always' };
    const p = pod([container('a', { cpu: '200m' })], { initContainers: [side, container('i', { cpu: '1' })] });
    expect(podResource(p, 'requests', 'cpu', quantityMilli)).toBe(1100);
  });
});
