import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type PodSandboxStats, RuntimeError, runtimeErrorCodes } from '../../runtime/contract.ts';
import { createFakeRuntime } from '../../runtime/fake.ts';
import { systemClock } from '../../util/clock.ts';
import type { Machine, MachineFacts } from '../node/machine.ts';
import { StatsSource } from './stats-source.ts';

it('goes on with what it knew of sandboxes while one of them ends', async () => {
  const rootDir = await mkdtemp(join(tmpdir(), 'k8ts-stats-'));
  const sandbox: PodSandboxStats = {
    id: 's',
    metadata: { name: 'p', uid: 'u', namespace: 'default', attempt: 0 },
    timestamp: 1n,
    interfaces: [],
  };
  const failing = (code: number) => () => Promise.reject(new RuntimeError(code, 'failed to decode sandbox container metrics'));
  const answers = [
    failing(runtimeErrorCodes.notFound),
    () => Promise.resolve([sandbox]),
    failing(runtimeErrorCodes.unknown),
    failing(runtimeErrorCodes.unavailable),
  ];
  const machine: Partial<Machine> = { use: () => Promise.resolve({} as never) };
  const source = new StatsSource({
    nodeName: 'n',
    rootDir,
    machine: machine as Machine,
    facts: {} as MachineFacts,
    runtime: { ...createFakeRuntime({ clock: systemClock }), listPodSandboxStats: () => answers.shift()!() },
    clock: systemClock,
    pods: () => [],
    observedPods: () => [],
  });
  expect((await source.snapshot()).sandboxes).toEqual([]);
  expect((await source.snapshot()).sandboxes).toEqual([sandbox]);
  expect((await source.snapshot()).sandboxes).toEqual([sandbox]);
  await expect(source.snapshot()).rejects.toThrow('failed to decode');
  await rm(rootDir, { recursive: true });
});
