import { expect, test } from 'vitest';
import type { PodFailurePolicyRule, SuccessPolicyRule } from '../../api/types/batch-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { backoffLeft, nextBackoff } from './backoff.ts';
import { IndexSet } from './indexes.ts';
import { judgeFailure, metSuccessRule } from './policies.ts';

const failed = (exitCode: number, condition?: string): Pod => ({
  metadata: { name: 'p', namespace: 'x' },
  status: {
    phase: 'Failed',
    ...(condition === undefined ? {} : { conditions: [{ type: condition, status: 'True' as const }] }),
    containerStatuses: [
      { name: 'main', image: '', imageID: '', ready: false, restartCount: 0, state: { terminated: { exitCode } } },
    ],
  },
});

const rules: readonly PodFailurePolicyRule[] = [
  { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget' }] },
  { action: 'FailJob', onExitCodes: { containerName: 'main', operator: 'In', values: [42] } },
  { action: 'FailIndex', onExitCodes: { operator: 'In', values: [7] } },
  { action: 'Count', onExitCodes: { containerName: 'other', operator: 'NotIn', values: [1] } },
];

test.each([
  ['ignored', failed(42, 'DisruptionTarget'), { counts: false, action: 'Ignore' }],
  [
    'fails the job',
    failed(42),
    {
      counts: true,
      action: 'FailJob',
      jobFailure: 'Container main for pod x/p failed with exit code 42 matching FailJob rule at index 1',
    },
  ],
  ['fails the index', failed(7), { counts: true, action: 'FailIndex' }],
  ['no rule', failed(3), { counts: true }],
])('failure: %s', (_, pod, verdict) => {
  expect(judgeFailure(deepFreeze({ rules }), pod)).toEqual(verdict);
});

test.each<[SuccessPolicyRule[], string, string | undefined]>([
  [[{ succeededIndexes: '0,2' }], '0-2', 'Matched rules at index 0'],
  [[{ succeededIndexes: '0,5' }], '0-2', undefined],
  [[{ succeededIndexes: '5-7', succeededCount: 2 }, { succeededCount: 3 }], '0,1,5', 'Matched rules at index 1'],
  [[{ succeededIndexes: '5-7', succeededCount: 2 }], '5,6', 'Matched rules at index 0'],
  [[{ succeededCount: 3 }], '0,1', undefined],
])('success: %j with %s', (successRules, succeeded, message) => {
  expect(metSuccessRule({ rules: successRules }, 10, IndexSet.parse(succeeded, 10))).toBe(message);
});

const finished = (second: number): Pod => ({
  status: {
    containerStatuses: [
      {
        name: 'c',
        image: '',
        imageID: '',
        ready: false,
        restartCount: 0,
        state: { terminated: { exitCode: 1, finishedAt: new Date(second * 1000).toISOString() } },
      },
    ],
  },
});

test('backoff doubles with each failure and starts anew after a success', () => {
  let record = nextBackoff({ failures: 0, lastFailure: 0 }, [], [finished(100)]);
  expect([record, backoffLeft(record, 105_000)]).toEqual([{ failures: 1, lastFailure: 100_000 }, 5_000]);
  record = nextBackoff(record, [], [finished(120), finished(121)]);
  expect(backoffLeft(record, 121_000)).toBe(40_000);
  record = nextBackoff(record, [finished(130)], [finished(125), finished(131)]);
  expect(record).toEqual({ failures: 1, lastFailure: 131_000 });
  expect(nextBackoff(record, [], [])).toBe(record);
});
