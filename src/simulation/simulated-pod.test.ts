import { describe, expect, it } from 'vitest';
import type { Pod } from '../api/types/core-v1.ts';
import { deepFreeze } from '../util/deep-freeze.ts';
import { EXIT_CODE, nextStep, RUN_FOR } from './simulated-pod.ts';

const now = Date.parse('2026-01-01T00:00:00Z');
const addresses = { podIp: '10.128.0.1', hostIp: '10.64.0.1' };
const pod = (change: Partial<Pod['spec']> = {}, annotations: Record<string, string> = {}, status?: Pod['status']): Pod =>
  deepFreeze({
    metadata: { name: 'p', namespace: 'x', uid: 'u1', generation: 1, annotations },
    spec: { restartPolicy: 'Always', containers: [{ name: 'c', image: 'i' }], ...change },
    ...(status === undefined ? {} : { status }),
  });
const written = (p: Pod, at = now) => {
  const step = nextStep(p, addresses, at);
  if (step.do !== 'write-status') throw new Error(`expected a status, got ${step.do}`);
  return step;
};

describe('a simulated pod', () => {
  it('runs and is ready at once, and is then left alone', () => {
    const { status } = written(pod());
    expect(status).toMatchObject({ phase: 'Running', podIP: '10.128.0.1', hostIP: '10.64.0.1', observedGeneration: 1 });
    expect(status.conditions?.map((c) => [c.type, c.status])).toEqual([
      ['PodReadyToStartContainers', 'True'],
      ['Initialized', 'True'],
      ['Ready', 'True'],
      ['ContainersReady', 'True'],
    ]);
    expect(status.containerStatuses).toMatchObject([{ name: 'c', ready: true, state: { running: {} } }]);
    expect(nextStep(pod({}, {}, status), addresses, now + 5000)).toEqual({ do: 'nothing' });
  });

  it('keeps conditions that others have set', () => {
    const scheduled = { type: 'PodScheduled', status: 'True' };
    const { status } = written(pod({}, {}, { phase: 'Pending', conditions: [scheduled] }));
    expect(status.conditions).toContainEqual(scheduled);
  });

  it('is not ready before its readiness gates are', () => {
    const gated = { readinessGates: [{ conditionType: 'example.com/ok' }] };
    const { status } = written(pod(gated));
    expect(status.conditions?.find((c) => c.type === 'Ready')).toMatchObject({
      status: 'False',
      reason: 'ReadinessGatesNotReady',
    });
    const opened = { ...status, conditions: [...(status.conditions ?? []), { type: 'example.com/ok', status: 'True' }] };
    const next = written(pod(gated, {}, opened), now + 9000).status.conditions?.find((c) => c.type === 'Ready');
    expect(next).toMatchObject({ status: 'True', lastTransitionTime: '2026-01-01T00:00:09Z' });
  });

  it('ends as its annotations say', () => {
    const job = pod({ restartPolicy: 'Never' }, { [RUN_FOR]: '5s', [EXIT_CODE]: '3' });
    const started = written(job);
    expect(started.lookAgainAt).toBe(now + 5000);
    const { status } = written({ ...job, status: started.status }, now + 5000);
    expect(status.phase).toBe('Failed');
    expect(status.containerStatuses?.[0]?.state?.terminated).toMatchObject({
      exitCode: 3,
      reason: 'Error',
      finishedAt: '2026-01-01T00:00:05Z',
    });
    expect(nextStep({ ...job, status }, addresses, now + 9000)).toEqual({ do: 'nothing' });
  });

  it('does not end when its containers would be started again', () => {
    expect(written(pod({}, { [RUN_FOR]: '5s' })).lookAgainAt).toBeUndefined();
    expect(written(pod({ restartPolicy: 'OnFailure' }, { [RUN_FOR]: '5s' })).lookAgainAt).toBe(now + 5000);
    expect(written(pod({ restartPolicy: 'Never' }, { [RUN_FOR]: 'soon' })).lookAgainAt).toBeUndefined();
  });

  it('fails at its deadline', () => {
    const late = pod({ activeDeadlineSeconds: 2 });
    const { status, lookAgainAt } = written(late);
    expect(lookAgainAt).toBe(now + 2000);
    expect(written({ ...late, status }, now + 2000).status).toMatchObject({ phase: 'Failed', reason: 'DeadlineExceeded' });
  });

  it('is removed when it is deleted, also after its end', () => {
    const deleted = (p: Pod): Pod => ({ ...p, metadata: { ...p.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } });
    expect(nextStep(deleted(pod()), addresses, now)).toEqual({ do: 'remove' });
    expect(nextStep(deleted(pod({}, {}, { phase: 'Succeeded' })), addresses, now)).toEqual({ do: 'remove' });
  });
});
