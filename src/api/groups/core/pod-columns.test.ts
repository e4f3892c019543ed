import { describe, expect, it } from 'vitest';
import { deepFreeze } from '../../../util/deep-freeze.ts';
import type { ContainerStatus, Pod, PodSpec, PodStatus } from '../../types/core-v1.ts';
import { podColumns, podRow } from './pod-columns.ts';

const now = Date.parse('2026-01-01T12:00:00Z');
const status = (name: string, state: ContainerStatus['state'], more: Partial<ContainerStatus> = {}): ContainerStatus => ({
  name,
  image: 'i',
  imageID: '',
  ready: false,
  restartCount: 0,
  ...(state === undefined ? {} : { state }),
  ...more,
});
const running = (name: string, more: Partial<ContainerStatus> = {}): ContainerStatus =>
  status(name, { running: {} }, { ready: true, ...more });
const pod = (spec: Partial<PodSpec>, podStatus: PodStatus, meta: Pod['metadata'] = {}): Pod =>
  deepFreeze({
    metadata: { name: 'p', creationTimestamp: '2026-01-01T11:00:00Z', ...meta },
    spec: { containers: [{ name: 'a' }], ...spec },
    status: podStatus,
  });

describe('the pod table', () => {
  it('has the columns of upstream, wide ones last', () => {
    expect(podColumns.map((c) => [c.name, c.type, c.priority])).toEqual([
      ['Name', 'string', 0],
      ['Ready', 'string', 0],
      ['Status', 'string', 0],
      ['Restarts', 'string', 0],
      ['Age', 'string', 0],
      ['IP', 'string', 1],
      ['Node', 'string', 1],
      ['Nominated Node', 'string', 1],
      ['Readiness Gates', 'string', 1],
    ]);
  });

  const terminated = { lastState: { terminated: { exitCode: 1, finishedAt: '2026-01-01T11:55:00Z' } } };
  const cases: readonly (readonly [name: string, pod: Pod, ready: string, status: string, restarts: string])[] = [
    ['pending', pod({}, { phase: 'Pending' }), '0/1', 'Pending', '0'],
    ['running', pod({}, { phase: 'Running', containerStatuses: [running('a')] }), '1/1', 'Running', '0'],
    [
      'crash loop',
      pod(
        {},
        {
          phase: 'Running',
          containerStatuses: [status('a', { waiting: { reason: 'CrashLoopBackOff' } }, { restartCount: 3, ...terminated })],
        },
      ),
      '0/1',
      'CrashLoopBackOff',
      '3 (5m ago)',
    ],
    [
      'restarted without a time',
      pod({}, { phase: 'Running', containerStatuses: [running('a', { restartCount: 2 })] }),
      '1/1',
      'Running',
      '2',
    ],
    ['evicted', pod({}, { phase: 'Failed', reason: 'Evicted' }), '0/1', 'Evicted', '0'],
    [
      'completed',
      pod({}, { phase: 'Succeeded', containerStatuses: [status('a', { terminated: { exitCode: 0, reason: 'Completed' } })] }),
      '0/1',
      'Completed',
      '0',
    ],
    [
      'exit code without a reason',
      pod({}, { phase: 'Failed', containerStatuses: [status('a', { terminated: { exitCode: 7 } })] }),
      '0/1',
      'ExitCode:7',
      '0',
    ],
    [
      'signal without a reason',
      pod({}, { phase: 'Failed', containerStatuses: [status('a', { terminated: { exitCode: 137, signal: 9 } })] }),
      '0/1',
      'Signal:9',
      '0',
    ],
    [
      'one completed, one running, not ready',
      pod(
        { containers: [{ name: 'a' }, { name: 'b' }] },
        {
          phase: 'Running',
          containerStatuses: [status('a', { terminated: { exitCode: 0, reason: 'Completed' } }), running('b')],
          conditions: [{ type: 'Ready', status: 'False' }],
        },
      ),
      '1/2',
      'NotReady',
      '0',
    ],
    [
      'one completed, one running, ready',
      pod(
        { containers: [{ name: 'a' }, { name: 'b' }] },
        {
          phase: 'Running',
          containerStatuses: [status('a', { terminated: { exitCode: 0, reason: 'Completed' } }), running('b')],
          conditions: [{ type: 'Ready', status: 'True' }],
        },
      ),
      '1/2',
      'Running',
      '0',
    ],
    [
      'waits for its first init container',
      pod(
        { initContainers: [{ name: 'i' }] },
        {
          phase: 'Pending',
          initContainerStatuses: [status('i', { waiting: { reason: 'PodInitializing' } })],
          containerStatuses: [status('a', { waiting: { reason: 'PodInitializing' } })],
        },
      ),
      '0/1',
      'Init:0/1',
      '0',
    ],
    [
      'second of two init containers runs',
      pod(
        { initContainers: [{ name: 'i' }, { name: 'j' }] },
        {
          phase: 'Pending',
          initContainerStatuses: [
            status('i', { terminated: { exitCode: 0, reason: 'Completed' } }),
            running('j', { ready: false }),
          ],
        },
      ),
      '0/1',
      'Init:1/2',
      '0',
    ],
    [
      'init container crash loops',
      pod(
        { initContainers: [{ name: 'i' }] },
        {
          phase: 'Pending',
          initContainerStatuses: [status('i', { waiting: { reason: 'CrashLoopBackOff' } }, { restartCount: 4, ...terminated })],
        },
      ),
      '0/1',
      'Init:CrashLoopBackOff',
      '4 (5m ago)',
    ],
    [
      'init container failed with a reason',
      pod(
        { initContainers: [{ name: 'i' }] },
        { phase: 'Failed', initContainerStatuses: [status('i', { terminated: { exitCode: 1, reason: 'Error' } })] },
      ),
      '0/1',
      'Init:Error',
      '0',
    ],
    [
      'init container failed without a reason',
      pod(
        { initContainers: [{ name: 'i' }] },
        { phase: 'Failed', initContainerStatuses: [status('i', { terminated: { exitCode: 3 } })] },
      ),
      '0/1',
      'Init:ExitCode:3',
      '0',
    ],
    [
      'a started sidecar counts as a container',
      pod(
        { initContainers: [{ name: 's', restartPolicy: 'Always' }] },
        {
          phase: 'Running',
          initContainerStatuses: [running('s', { started: true, restartCount: 1, ...terminated })],
          containerStatuses: [running('a')],
        },
      ),
      '2/2',
      'Running',
      '1 (5m ago)',
    ],
    [
      'a sidecar that has not started holds the pod back',
      pod(
        { initContainers: [{ name: 's', restartPolicy: 'Always' }] },
        { phase: 'Pending', initContainerStatuses: [running('s', { ready: false, started: false })] },
      ),
      '0/2',
      'Init:0/1',
      '0',
    ],
    [
      'restarts of finished init containers are forgotten',
      pod(
        { initContainers: [{ name: 'i' }] },
        {
          phase: 'Running',
          initContainerStatuses: [status('i', { terminated: { exitCode: 0 } }, { restartCount: 5, ...terminated })],
          containerStatuses: [running('a')],
        },
      ),
      '1/1',
      'Running',
      '0',
    ],
    [
      'a sidecar crashes after initialization',
      pod(
        { initContainers: [{ name: 's', restartPolicy: 'Always' }] },
        {
          phase: 'Running',
          initContainerStatuses: [status('s', { waiting: { reason: 'CrashLoopBackOff' } }, { started: false })],
          containerStatuses: [running('a')],
          conditions: [{ type: 'Initialized', status: 'True' }],
        },
      ),
      '1/2',
      'Init:CrashLoopBackOff',
      '0',
    ],
    [
      'gated',
      pod(
        { schedulingGates: [{ name: 'g' }] },
        { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] },
      ),
      '0/1',
      'SchedulingGated',
      '0',
    ],
    [
      'terminating',
      pod({}, { phase: 'Running', containerStatuses: [running('a')] }, { deletionTimestamp: '2026-01-01T12:00:00Z' }),
      '1/1',
      'Terminating',
      '0',
    ],
    [
      'finished while terminating',
      pod(
        {},
        { phase: 'Succeeded', containerStatuses: [status('a', { terminated: { exitCode: 0, reason: 'Completed' } })] },
        { deletionTimestamp: '2026-01-01T12:00:00Z' },
      ),
      '0/1',
      'Completed',
      '0',
    ],
    [
      'on a lost node',
      pod(
        {},
        { phase: 'Running', reason: 'NodeLost', containerStatuses: [running('a')] },
        { deletionTimestamp: '2026-01-01T12:00:00Z' },
      ),
      '1/1',
      'Unknown',
      '0',
    ],
  ];
  it.each(cases)('%s', (_name, object, ready, text, restarts) => {
    expect(podRow(object, now).slice(0, 5)).toEqual(['p', ready, text, restarts, '60m']);
  });

  it('fills the wide cells', () => {
    expect(podRow(pod({}, { phase: 'Pending' }), now).slice(5)).toEqual(['<none>', '<none>', '<none>', '<none>']);
    const full = pod(
      { nodeName: 'n1', readinessGates: [{ conditionType: 'x/y' }, { conditionType: 'x/z' }] },
      {
        phase: 'Running',
        podIPs: [{ ip: '10.0.0.7' }, { ip: 'fd00::7' }],
        nominatedNodeName: 'n2',
        conditions: [{ type: 'x/y', status: 'True' }],
      },
    );
    expect(podRow(full, now).slice(5)).toEqual(['10.0.0.7', 'n1', 'n2', '1/2']);
  });
});
