import { expect, it } from 'vitest';
import type { Node, Pod } from '../../api/types/core-v1.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { preemptionVictims } from './preemption.ts';

const CRITICAL = 2_000_000_000;
const pod = (name: string, cpu: string | undefined, priority = 0, limited = false): Pod => {
  const requests = cpu === undefined ? {} : { cpu, memory: '1Mi' };
  return deepFreeze({
    metadata: { name, uid: name },
    spec: {
      priority,
      containers: [{ name: 'app', image: 'i', resources: { requests, ...(limited ? { limits: requests } : {}) } }],
    },
  }) as Pod;
};
const node = (cpu: string, pods = '10'): Node =>
  deepFreeze({ metadata: { name: 'n' }, status: { allocatable: { cpu, memory: '1Gi', pods } } }) as Node;
const names = (pods: readonly Pod[] | undefined) => pods?.map((p) => p.metadata!.name);

it('a critical pod has others go, no more of them than it needs', () => {
  const critical = pod('critical', '1', CRITICAL);
  const others = [
    pod('guaranteed', '1', 0, true),
    pod('small', '500m'),
    pod('large', '1'),
    pod('important', '1', 100),
    pod('none', undefined),
  ];
  const all = (cpu: string, pods?: string) => names(preemptionVictims(critical, node(cpu, pods), others));
  expect(all('5')).toEqual([]);
  expect(all('4500m')).toEqual([]);
  expect(all('4')).toEqual(['small']);
  expect(all('3500m')).toEqual(['large']);
  expect(all('1')).toEqual(['small', 'large', 'important', 'guaranteed']);
  expect(all('900m')).toBeUndefined();
  // Room for another pod is made by the least.
  expect(all('5', '5')).toEqual(['none']);
});

it('what is critical itself stays, but for what is more important still', () => {
  const others = [pod('critical', '1', CRITICAL)];
  expect(names(preemptionVictims(pod('same', '1', CRITICAL), node('1'), others))).toBeUndefined();
  expect(names(preemptionVictims(pod('higher', '1', CRITICAL + 1000), node('1'), others))).toEqual(['critical']);
  expect(names(preemptionVictims(pod('plain', '1', 5), node('1'), [pod('low', '1', 1)]))).toEqual(['low']);
});
