import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import type { Pod, Probe } from '../../api/types/core-v1.ts';
import { type ContainerRuntime, RuntimeError } from '../../runtime/contract.ts';
import { VirtualClock } from '../../util/clock.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import type { ObservedContainer, ObservedPod } from '../observed/observed.ts';
import { afterProbe, initialProbeState, nextProbeIn, type ProbeKind } from './probe-state.ts';
import { PodProber } from './prober.ts';
import { type ProbeOutcome, runProbe } from './run-probe.ts';

describe('the state of a probe', () => {
  it.each<[ProbeKind, Probe, string, string]>([
    // Each letter is an outcome; the result spells the verdicts after each: s, f, u; capital when on hold.
    ['readiness', {}, 'sfffs', 'sssfs'],
    ['readiness', { successThreshold: 2, failureThreshold: 1 }, 'ssfs', 'fsff'],
    ['liveness', {}, 'ffsfff', 'sssssF'],
    ['liveness', { failureThreshold: 1 }, 'sfs', 'sFF'],
    ['startup', { failureThreshold: 2 }, 'fs', 'uS'],
    ['startup', { failureThreshold: 2 }, 'ffs', 'uFF'],
  ])('%s %j: %s gives %s', (kind, probe, outcomes, expected) => {
    let state = initialProbeState(kind);
    let seen = '';
    for (const o of outcomes) {
      state = afterProbe(state, kind, probe, o === 's' ? 'success' : 'failure');
      const letter = state.verdict[0]!;
      seen += state.onHold ? letter.toUpperCase() : letter;
    }
    expect(seen).toBe(expected);
  });
  it('waits for the initial delay, then a period at a time', () => {
    const probe = { initialDelaySeconds: 5, periodSeconds: 2 };
    expect(nextProbeIn(probe, 1000, undefined, 2000)).toBe(4000);
    expect(nextProbeIn(probe, 1000, 7000, 7500)).toBe(1500);
    expect(nextProbeIn({}, 1000, undefined, 9000)).toBe(0);
  });
});

const running = (id: string, startedAt: number): ObservedContainer => ({
  id,
  name: 'c',
  sandboxId: 's',
  state: 'running',
  image: '',
  imageRef: '',
  hash: '',
  restartCount: 0,
  createdAt: startedAt,
  startedAt,
  finishedAt: 0,
  exitCode: 0,
  reason: '',
  message: '',
  logPath: '',
  labels: {},
  annotations: {},
});

describe('the prober of a pod', () => {
  it('holds liveness and readiness back until startup has succeeded', async () => {
    const clock = new VirtualClock();
    const made: string[] = [];
    const events: string[] = [];
    let outcome: ProbeOutcome = { result: 'failure', output: 'no' };
    let changes = 0;
    const prober = new PodProber({
      clock,
      run: async (probe) => {
        made.push(probe.exec!.command![0]!);
        return outcome;
      },
      event: (name, reason, message) => events.push(`${name} ${reason} ${message}`),
      changed: () => changes++,
    });
    const exec = (name: string): Probe => ({ exec: { command: [name] }, periodSeconds: 1, failureThreshold: 3 });
    const pod: Pod = deepFreeze({
      metadata: { uid: 'u' },
      spec: {
        containers: [
          {
            name: 'c',
            image: 'i',
            startupProbe: exec('startup'),
            livenessProbe: exec('liveness'),
            readinessProbe: exec('readiness'),
          },
        ],
      },
    });
    const observed: ObservedPod = { uid: 'u', name: '', namespace: '', sandboxes: [], containers: [running('1', clock.now())] };
    prober.update(pod, observed, '10.0.0.1', false);
    await clock.advance(1000);
    expect(made).toEqual(['startup', 'startup']);
    expect(events).toEqual(['c Unhealthy Startup probe failed: no', 'c Unhealthy Startup probe failed: no']);
    outcome = { result: 'success', output: '' };
    await clock.advance(1000);
    expect(made.slice(2)).toEqual(['startup', 'liveness', 'readiness']);
    expect([prober.verdict('startup', '1'), prober.verdict('readiness', '1'), prober.verdict('liveness', '1')]).toEqual([
      'success',
      'success',
      'success',
    ]);
    expect(changes).toBe(2);
    prober.stop();
    await clock.advance(10_000);
    expect(made).toHaveLength(5);
  });

  it('believes an earlier kubelet until a probe says otherwise', async () => {
    const clock = new VirtualClock();
    const prober = new PodProber({
      clock,
      run: async () => ({ result: 'failure', output: 'no' }),
      event: () => {},
      changed: () => {},
    });
    const readinessProbe: Probe = { exec: { command: ['x'] }, periodSeconds: 1, failureThreshold: 2 };
    const told = (id: string) => ({ name: 'c', image: 'i', imageID: '', restartCount: 0, containerID: `containerd://${id}` });
    const pod: Pod = deepFreeze({
      metadata: { uid: 'u' },
      spec: { containers: [{ name: 'c', image: 'i', readinessProbe, startupProbe: readinessProbe }] },
      status: { containerStatuses: [{ ...told('1'), ready: true, started: true }] },
    });
    const with1 = (id: string): ObservedPod => ({
      uid: 'u',
      name: '',
      namespace: '',
      sandboxes: [],
      containers: [running(id, clock.now())],
    });
    prober.update(pod, with1('1'), '10.0.0.1', false);
    expect([prober.verdict('startup', '1'), prober.verdict('readiness', '1')]).toEqual(['success', 'success']);
    await clock.advance(500);
    expect(prober.verdict('readiness', '1')).toBe('success');
    await clock.advance(1500);
    expect(prober.verdict('readiness', '1')).toBe('failure');
    prober.update(pod, with1('2'), '10.0.0.1', false);
    expect([prober.verdict('startup', '2'), prober.verdict('readiness', '2')]).toEqual(['unknown', 'failure']);
    prober.stop();
  });
});

const signal = new AbortController().signal;
const target = (podIP = '127.0.0.1') => ({ container: { name: 'c', image: 'i', ports: [] }, containerId: 'id', podIP });
const noRuntime = {} as ContainerRuntime;

describe('making a probe', () => {
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });
  it('over HTTP', async () => {
    const server = createServer((req, res) => {
      if (req.url === '/away') res.writeHead(302, { location: 'http://example.invalid/' });
      else if (req.url === '/here') res.writeHead(302, { location: '/ok' });
      else res.writeHead(req.url === '/ok' ? 200 : 503);
      res.end(`${req.headers['user-agent']} ${req.headers['x-a']}`);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    const get = (path: string) =>
      runProbe(noRuntime, { httpGet: { path, port, httpHeaders: [{ name: 'X-A', value: '1' }] } }, target(), signal);
    expect(await get('/ok')).toEqual({ result: 'success', output: 'kube-probe/1.36 1' });
    expect(await get('/here')).toMatchObject({ result: 'success' });
    expect(await get('/away')).toMatchObject({ result: 'warning' });
    expect(await get('/bad')).toEqual({ result: 'failure', output: 'HTTP probe failed with statuscode: 503' });
    expect(await runProbe(noRuntime, { tcpSocket: { port } }, target(), signal)).toEqual({ result: 'success', output: '' });
    server.close();
    server.closeAllConnections();
    expect(await get('/ok')).toEqual({
      result: 'failure',
      output: `Get "http://127.0.0.1:${port}/ok": dial tcp 127.0.0.1:${port}: connect: connection refused`,
    });
    expect(await runProbe(noRuntime, { tcpSocket: { port } }, target(), signal)).toEqual({
      result: 'failure',
      output: `dial tcp 127.0.0.1:${port}: connect: connection refused`,
    });
  });
  it('over gRPC', async () => {
    const server = new Server();
    let answer = 1;
    const identity = (b: Buffer): Buffer => b;
    server.addService(
      {
        check: {
          path: '/grpc.health.v1.Health/Check',
          requestStream: false,
          responseStream: false,
          requestSerialize: identity,
          requestDeserialize: identity,
          responseSerialize: identity,
          responseDeserialize: identity,
        },
      },
      { check: (_call: unknown, done: (err: null, value: Buffer) => void) => done(null, Buffer.from([0x08, answer])) },
    );
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (err, p) => (err ? reject(err) : resolve(p))),
    );
    closers.push(() => server.forceShutdown());
    expect(await runProbe(noRuntime, { grpc: { port, service: 'x' } }, target(), signal)).toEqual({
      result: 'success',
      output: '',
    });
    answer = 2;
    expect(await runProbe(noRuntime, { grpc: { port } }, target(), signal)).toEqual({
      result: 'failure',
      output: 'service unhealthy (responded with "NOT_SERVING")',
    });
  });
  it.each([
    [0, 'success'],
    [1, 'failure'],
  ])('by a command that exits with %d', async (exitCode, result) => {
    const runtime = {
      execSync: async () => ({ stdout: Buffer.from('out '), stderr: Buffer.from('err'), exitCode }),
    } as unknown as ContainerRuntime;
    expect(await runProbe(runtime, { exec: { command: ['x'] } }, target(), signal)).toEqual({ result, output: 'out err' });
  });
  it('by a command that takes too long', async () => {
    const runtime = { execSync: () => Promise.reject(new RuntimeError(4, 'deadline')) } as unknown as ContainerRuntime;
    expect(await runProbe(runtime, { exec: { command: ['sleep', '9'] }, timeoutSeconds: 2 }, target(), signal)).toEqual({
      result: 'failure',
      output: 'command timed out: "sleep 9" timed out after 2s',
    });
  });
});
