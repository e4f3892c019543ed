import { expect, test } from 'vitest';
import { tolerates } from '../../api/groups/core/toleration.ts';
import type { Pod, Taint, Toleration } from '../../api/types/core-v1.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { planEviction, toleratedFor } from './plan.ts';

const taint: Taint = { key: 'k', value: '5', effect: 'NoExecute' };

test.each<[Toleration, boolean]>([
  [{ key: 'k', operator: 'Exists' }, true],
  [{ operator: 'Exists' }, true],
  [{ key: 'k', operator: 'Exists', effect: 'NoSchedule' }, false],
  [{ key: 'k', value: '5' }, true],
  [{ key: 'k', operator: 'Equal', value: '6', effect: 'NoExecute' }, false],
  [{ key: 'other', operator: 'Exists' }, false],
  [{ key: 'k', operator: 'Gt', value: '4' }, true],
  [{ key: 'k', operator: 'Lt', value: '4' }, false],
  [{ key: 'k', operator: 'Lt', value: 'x' }, false],
])('%j', (toleration, expected) => {
  expect(tolerates(toleration, taint)).toBe(expected);
});

const pod = (...tolerations: Toleration[]): Pod => deepFreeze({ spec: { containers: [], tolerations } });
const other: Taint = { key: 'o', effect: 'NoExecute' };

test.each<[string, Pod, Taint[], number | undefined]>([
  ['no toleration', pod(), [taint], 0],
  ['for ever', pod({ operator: 'Exists' }), [taint, other], undefined],
  ['for a time', pod({ key: 'k', operator: 'Exists', tolerationSeconds: 300 }), [taint], 300_000],
  ['one of two', pod({ key: 'k', operator: 'Exists' }), [taint, other], 0],
  [
    'the shorter of two',
    pod({ key: 'k', operator: 'Exists', tolerationSeconds: 300 }, { key: 'o', operator: 'Exists', tolerationSeconds: 60 }),
    [taint, other],
    60_000,
  ],
  ['no time at all', pod({ key: 'k', operator: 'Exists', tolerationSeconds: -1 }), [taint], 0],
])('tolerated: %s', (_, subject, taints, ms) => {
  expect(toleratedFor(subject, taints)).toBe(ms);
});

test('an eviction under way keeps its time, and ends with its cause', () => {
  const subject = pod({ key: 'k', operator: 'Exists', tolerationSeconds: 300 });
  const first = planEviction(subject, [taint], undefined, 1_000);
  expect(first).toEqual({ since: 1_000, at: 301_000 });
  expect(planEviction(subject, [taint], first, 100_000)).toBe(first);
  expect(planEviction(subject, [], first, 100_000)).toBeUndefined();
  expect(planEviction(subject, [taint, other], first, 100_000)).toEqual({ since: 100_000, at: 100_000 });
});
