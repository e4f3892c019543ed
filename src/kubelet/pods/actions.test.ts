import { describe, expect, it } from 'vitest';
import type { Container, Pod, PodSpec } from '../../api/types/core-v1.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { CRASH_BACKOFF_MAX, goDuration, nextTry } from '../containers/crash-backoff.ts';
import { containerHash } from '../containers/labels.ts';
import type { ObservedContainer, ObservedPod, ObservedSandbox } from '../observed/observed.ts';
import { nextActions, type ProbeVerdicts } from './actions.ts';

const c = (name: string, more: Partial<Container> = {}): Container => ({ name, image: 'img', ...more });
const sidecar = (name: string, more: Partial<Container> = {}): Container => c(name, { restartPolicy: 'Always', ...more });
const pod = (spec: Partial<PodSpec>): Pod =>
  deepFreeze({
    metadata: { name: 'p', namespace: 'ns', uid: 'u' },
    spec: { containers: [c('a'), c('b')], restartPolicy: 'Always', ...spec },
  });

const sandbox = (more: Partial<ObservedSandbox> = {}): ObservedSandbox => ({
  id: 's0',
  ready: true,
  attempt: 0,
  createdAt: 1,
  ips: ['10.1.0.5'],
  hostNetwork: false,
  labels: {},
  ...more,
});
const ran = (name: string, state: ObservedContainer['state'], more: Partial<ObservedContainer> = {}): ObservedContainer => ({
  id: `id-${name}`,
  name,
  sandboxId: 's0',
  state,
  image: 'img',
  imageRef: 'sha256:1',
  hash: containerHash(c(name)),
  restartCount: 0,
  createdAt: 1,
  startedAt: 1,
  finishedAt: state === 'exited' ? 2 : 0,
  exitCode: 0,
  reason: '',
  message: '',
  logPath: '',
  labels: {},
  annotations: {},
  ...more,
});
const observed = (
  containers: readonly ObservedContainer[],
  sandboxes: readonly ObservedSandbox[] = [sandbox()],
): ObservedPod => ({
  uid: 'u',
  name: 'p',
  namespace: 'ns',
  sandboxes,
  containers,
});
const verdicts = (table: Record<string, 'success' | 'failure'> = {}): ProbeVerdicts => ({
  verdict: (kind, id) => table[`${kind}/${id}`],
});
const up = [ran('a', 'running'), ran('b', 'running')];

interface Case {
  readonly name: string;
  readonly pod: Pod;
  readonly observed: ObservedPod;
  readonly probes?: ProbeVerdicts;
  readonly expected: Partial<ReturnType<typeof nextActions>>;
}

const none = { killPod: false, createSandbox: false, kill: [], start: [], startInit: [], startEphemeral: [] };
const cases: readonly Case[] = [
  {
    name: 'nothing there: a sandbox and all containers',
    pod: pod({}),
    observed: observed([], []),
    expected: { createSandbox: true, attempt: 0, start: [0, 1] },
  },
  {
    name: 'nothing there, with init containers: only the first of them',
    pod: pod({ initContainers: [c('i'), c('j')] }),
    observed: observed([], []),
    expected: { createSandbox: true, startInit: [0], start: [] },
  },
  { name: 'all run: nothing to do', pod: pod({}), observed: observed(up), expected: none },
  {
    name: 'a dead sandbox is replaced',
    pod: pod({}),
    observed: observed(up, [sandbox({ ready: false, attempt: 2 })]),
    expected: { killPod: true, createSandbox: true, attempt: 3, start: [0, 1] },
  },
  {
    name: 'a sandbox without an address is replaced',
    pod: pod({}),
    observed: observed([], [sandbox({ ips: [] })]),
    expected: { killPod: true, createSandbox: true, attempt: 1 },
  },
  {
    name: 'a host-network sandbox needs none',
    pod: pod({ hostNetwork: true }),
    observed: observed(up, [sandbox({ ips: [], hostNetwork: true })]),
    expected: none,
  },
  {
    name: 'two ready sandboxes are one too many',
    pod: pod({}),
    observed: observed(up, [sandbox({ id: 's1', attempt: 1 }), sandbox()]),
    expected: { killPod: true, createSandbox: true, attempt: 2 },
  },
  {
    name: 'a dead sandbox of a pod that may not run again stays dead',
    pod: pod({ restartPolicy: 'Never' }),
    observed: observed([ran('a', 'exited')], [sandbox({ ready: false })]),
    expected: { killPod: true, createSandbox: false },
  },
  {
    name: 'a dead sandbox, one container had succeeded',
    pod: pod({ restartPolicy: 'OnFailure' }),
    observed: observed([ran('a', 'exited'), ran('b', 'exited', { exitCode: 1 })], [sandbox({ ready: false })]),
    expected: { createSandbox: true, start: [1] },
  },
  {
    name: 'an ended container starts again',
    pod: pod({}),
    observed: observed([ran('a', 'exited'), ran('b', 'running')]),
    expected: { start: [0], killPod: false },
  },
  {
    name: 'OnFailure: success stays',
    pod: pod({ restartPolicy: 'OnFailure' }),
    observed: observed([ran('a', 'exited'), ran('b', 'running')]),
    expected: none,
  },
  {
    name: 'OnFailure: failure restarts',
    pod: pod({ restartPolicy: 'OnFailure' }),
    observed: observed([ran('a', 'exited', { exitCode: 3 }), ran('b', 'running')]),
    expected: { start: [0] },
  },
  {
    name: 'Never: failure stays',
    pod: pod({ restartPolicy: 'Never' }),
    observed: observed([ran('a', 'exited', { exitCode: 3 }), ran('b', 'running')]),
    expected: none,
  },
  {
    name: 'Never: all over, the pod is killed',
    pod: pod({ restartPolicy: 'Never' }),
    observed: observed([ran('a', 'exited'), ran('b', 'exited', { exitCode: 1 })]),
    expected: { killPod: true, createSandbox: false },
  },
  {
    name: "a container's own restart rule",
    pod: pod({
      restartPolicy: 'Never',
      containers: [
        c('a', {
          restartPolicy: 'Never',
          restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }],
        }),
      ],
    }),
    observed: observed([ran('a', 'exited', { exitCode: 42 })]),
    expected: { start: [0] },
  },
  {
    name: 'a changed image',
    pod: pod({ containers: [c('a', { image: 'new' }), c('b')] }),
    observed: observed(up),
    expected: {
      start: [0],
      kill: [{ id: 'id-a', name: 'a', cause: 'changed', message: 'Container a definition changed, will be restarted' }],
    },
  },
  {
    name: 'a failed liveness probe',
    pod: pod({}),
    observed: observed(up),
    probes: verdicts({ 'liveness/id-a': 'failure' }),
    expected: {
      start: [0],
      kill: [{ id: 'id-a', name: 'a', cause: 'liveness', message: 'Container a failed liveness probe, will be restarted' }],
    },
  },
  {
    name: 'a failed liveness probe of a pod that may not restart',
    pod: pod({ restartPolicy: 'Never' }),
    observed: observed(up),
    probes: verdicts({ 'liveness/id-a': 'failure' }),
    expected: { start: [], kill: [{ id: 'id-a', name: 'a', cause: 'liveness', message: 'Container a failed liveness probe' }] },
  },
  {
    name: 'a failed startup probe',
    pod: pod({}),
    observed: observed(up),
    probes: verdicts({ 'startup/id-b': 'failure' }),
    expected: {
      start: [1],
      kill: [{ id: 'id-b', name: 'b', cause: 'startup', message: 'Container b failed startup probe, will be restarted' }],
    },
  },
  {
    name: 'an unknown container is killed first',
    pod: pod({}),
    observed: observed([ran('a', 'unknown'), ran('b', 'running')]),
    expected: {
      start: [0],
      kill: [
        {
          id: 'id-a',
          name: 'a',
          cause: 'unknown',
          message: 'Container "a" is in "unknown" state, try killing it before restart',
        },
      ],
    },
  },
  {
    name: 'a container created but not started',
    pod: pod({}),
    observed: observed([ran('a', 'created'), ran('b', 'running')]),
    expected: { start: [0] },
  },
  {
    name: 'init: the first runs',
    pod: pod({ initContainers: [c('i'), c('j')] }),
    observed: observed([ran('i', 'running')]),
    expected: { ...none },
  },
  {
    name: 'init: the second follows',
    pod: pod({ initContainers: [c('i'), c('j')] }),
    observed: observed([ran('i', 'exited')]),
    expected: { startInit: [1], start: [] },
  },
  {
    name: 'init: all done',
    pod: pod({ initContainers: [c('i'), c('j')] }),
    observed: observed([ran('j', 'exited'), ran('i', 'exited')]),
    expected: { startInit: [], start: [0, 1] },
  },
  {
    name: 'init: an early record is gone',
    pod: pod({ initContainers: [c('i'), c('j')] }),
    observed: observed([ran('j', 'exited')]),
    expected: { startInit: [], start: [0, 1] },
  },
  {
    name: 'init: a failure is tried again',
    pod: pod({ initContainers: [c('i')] }),
    observed: observed([ran('i', 'exited', { exitCode: 1 })]),
    expected: { startInit: [0], start: [] },
  },
  {
    name: 'init: a failure of a Never pod ends it',
    pod: pod({ initContainers: [c('i')], restartPolicy: 'Never' }),
    observed: observed([ran('i', 'exited', { exitCode: 1 })]),
    expected: { killPod: true, createSandbox: false, start: [] },
  },
  {
    name: 'init: of an older sandbox does not count',
    pod: pod({ initContainers: [c('i')] }),
    observed: observed([ran('i', 'exited', { sandboxId: 'old' })]),
    expected: { startInit: [0], start: [] },
  },
  {
    name: 'sidecar: the next waits for its startup probe',
    pod: pod({ initContainers: [sidecar('s', { startupProbe: {} }), c('i')] }),
    observed: observed([ran('s', 'running')]),
    expected: none,
  },
  {
    name: 'sidecar: started, the next begins',
    pod: pod({ initContainers: [sidecar('s'), c('i')] }),
    observed: observed([ran('s', 'running')]),
    expected: { startInit: [1], start: [] },
  },
  {
    name: 'sidecar: restarts beside running containers',
    pod: pod({ initContainers: [sidecar('s')] }),
    observed: observed([...up, ran('s', 'exited')]),
    expected: { startInit: [0], start: [] },
  },
  {
    name: 'sidecar: runs on, the containers are done',
    pod: pod({ initContainers: [sidecar('s')], restartPolicy: 'Never' }),
    observed: observed([ran('a', 'exited'), ran('b', 'exited'), ran('s', 'running')]),
    expected: { killPod: true },
  },
  {
    name: 'ephemeral containers start once',
    pod: pod({ ephemeralContainers: [c('e'), c('f')] }),
    observed: observed([...up, ran('e', 'exited')]),
    expected: { startEphemeral: [1], start: [] },
  },
];

describe('the next step for a pod', () => {
  it.each(cases.map((k) => [k.name, k] as const))('%s', (_name, k) => {
    expect(nextActions(k.pod, deepFreeze(k.observed), k.probes ?? verdicts())).toMatchObject(k.expected);
  });
  it('starts nothing of a pod being deleted', () => {
    const going: Pod = deepFreeze({ ...pod({}), metadata: { name: 'p', uid: 'u', deletionTimestamp: '2026-01-01T00:00:00Z' } });
    expect(nextActions(going, observed([ran('a', 'exited'), ran('b', 'running')]), verdicts()).start).toEqual([]);
  });
});

describe('crash back-off', () => {
  it('is none at first, then 10 s, doubling to five minutes', () => {
    let now = 1_000_000;
    let entry = nextTry(undefined, now, now).entry;
    const waits: number[] = [];
    for (let i = 0; i < 7; i++) {
      const failedAt = now;
      const held = nextTry(entry, failedAt, now);
      waits.push(held.wait);
      now += held.wait;
      entry = nextTry(entry, failedAt, now).entry;
    }
    expect(waits).toEqual([10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
  });
  it('starts afresh after ten good minutes', () => {
    const entry = { delay: 160_000, updatedAt: 0 };
    const failedAt = 2 * CRASH_BACKOFF_MAX + 1;
    expect(nextTry(entry, failedAt, failedAt)).toEqual({ wait: 0, entry: { delay: 10_000, updatedAt: failedAt } });
  });
  it.each([
    [0, '0s'],
    [20, '20ms'],
    [1500, '1.5s'],
    [10_000, '10s'],
    [160_000, '2m40s'],
    [300_000, '5m0s'],
    [3_600_000, '1h0m0s'],
  ])('%d ms is %s', (ms, text) => {
    expect(goDuration(ms)).toBe(text);
  });
});
