import { describe, expect, it } from 'vitest';
import type { Node, Pod } from '../../api/types/core-v1.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { allocationFromStatus, desired, needsRestart, resizeMessage, resizeObstacle, withAllocation } from './resize.ts';

const pod = (cpu: string, more: Partial<Pod> = {}): Pod =>
  deepFreeze({
    metadata: { name: 'p', namespace: 'default', uid: 'u', generation: 3 },
    spec: { containers: [{ name: 'app', image: 'i', resources: { requests: { cpu }, limits: { cpu: '4' } } }] },
    ...more,
  }) as Pod;
const node: Node = deepFreeze({
  metadata: { name: 'n' },
  status: { allocatable: { cpu: '2', memory: '1Gi', pods: '10' } },
}) as Node;

describe('in-place resize', () => {
  it('keeps what was granted until more is', () => {
    const granted = desired(pod('1'));
    const wanted = pod('2');
    expect(withAllocation(wanted, granted).spec!.containers[0]!.resources!.requests).toEqual({ cpu: '1' });
    expect(withAllocation(wanted, desired(wanted))).toBe(wanted);
  });

  it('learns after a restart what was granted from the status', () => {
    const running = { name: 'app', state: { running: {} }, ready: true, restartCount: 0, image: 'i', imageID: '' };
    const resources = { requests: { cpu: '500m' }, limits: { cpu: '4' } };
    const status = { containerStatuses: [{ ...running, allocatedResources: { cpu: '1' }, resources }] };
    expect(allocationFromStatus(pod('2'), status as never).get('app')).toEqual({ requests: { cpu: '1' }, limits: { cpu: '4' } });
    expect(allocationFromStatus(pod('2'), undefined).get('app')!.requests).toEqual({ cpu: '2' });
  });

  it('is granted, deferred, or infeasible', () => {
    expect(resizeObstacle(pod('1500m'), node, [])).toBeUndefined();
    expect(resizeObstacle(pod('1500m'), node, [pod('1')])).toEqual({
      reason: 'Deferred',
      message: "Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000",
    });
    expect(resizeObstacle(pod('3'), node, [])).toEqual({
      reason: 'Infeasible',
      message: "Node didn't have enough capacity: cpu, requested: 3000, capacity: 2000",
    });
  });

  it('restarts by the policy of what changes', () => {
    const container = {
      name: 'app',
      resizePolicy: [
        { resourceName: 'memory', restartPolicy: 'RestartContainer' },
        { resourceName: 'cpu', restartPolicy: 'NotRequired' },
      ],
    };
    const from = { requests: { cpu: '1', memory: '1Gi' } };
    expect(needsRestart(container, from, { requests: { cpu: '2', memory: '1Gi' } })).toBe(false);
    expect(needsRestart(container, from, { requests: { cpu: '1', memory: '2Gi' } })).toBe(true);
  });

  it('is told of as JSON', () => {
    expect(resizeMessage('Pod resize started', pod('2'))).toBe(
      'Pod resize started: {"containers":[{"name":"app","resources":{"requests":{"cpu":"2"},"limits":{"cpu":"4"}}}],"generation":3}',
    );
  });
});
