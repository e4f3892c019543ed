import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Pod } from '../../api/types/core-v1.ts';
import { logind, shutdownBegins } from './logind.ts';
import { shutdownGroups } from './shutdown-groups.ts';

const pod = (name: string, priority?: number): Pod => ({
  metadata: { name },
  spec: { containers: [], ...(priority === undefined ? {} : { priority }) },
});

describe('a shutdown', () => {
  it('ends pods by their priority, those below all periods with the least', () => {
    const periods = [
      { priority: 10, seconds: 30 },
      { priority: 1000, seconds: 20 },
      { priority: 2_000_000_000, seconds: 10 },
    ];
    const pods = [pod('none'), pod('low', 10), pod('between', 999), pod('high', 1000), pod('critical', 2_000_001_000)];
    expect(shutdownGroups(pods, periods).map((g) => [g.seconds, g.pods.map((p) => p.metadata!.name)])).toEqual([
      [30, ['none', 'low', 'between']],
      [20, ['high']],
      [10, ['critical']],
    ]);
    expect(shutdownGroups(pods, [])).toEqual([]);
  });

  it('is told of by a line', () => {
    const line = (data: unknown) =>
      JSON.stringify({ type: 'signal', member: 'PrepareForShutdown', payload: { type: 'b', data: [data] } });
    expect(
      [line(true), line(false), '{"member":"Other","payload":{"data":[true]}}', 'noise', 'null'].map(shutdownBegins),
    ).toEqual([true, false, undefined, undefined, undefined]);
  });
});

describe('logind, asked by programs', () => {
  let dir: string;
  const path = process.env['PATH'];
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'k8ts-logind-'));
    const program = async (name: string, script: string): Promise<void> => {
      await writeFile(join(dir, name), `#!/bin/sh\n${script}\n`);
      await chmod(join(dir, name), 0o755);
    };
    await writeFile(join(dir, 'delay'), '5000000');
    await program(
      'busctl',
      `case "$*" in
*monitor*) echo '{"member":"PrepareForShutdown","payload":{"type":"b","data":[true]}}'; exec sleep 60;;
*) echo "t $(cat ${dir}/delay)";;
esac`,
    );
    await program(
      'systemctl',
      `sed -n 's/InhibitDelayMaxSec=\\(.*\\)/\\1000000/p' ${dir}/logind.conf.d/99-kubelet.conf >${dir}/delay`,
    );
    await program('systemd-inhibit', `echo held >${dir}/lock; cat >/dev/null; echo released >${dir}/lock`);
    process.env['PATH'] = `${dir}:${path}`;
  });
  afterAll(async () => {
    process.env['PATH'] = path;
    await rm(dir, { recursive: true });
  });
  const lock = async (text: string): Promise<void> => {
    while ((await readFile(join(dir, 'lock'), 'utf8').catch(() => '')).trim() !== text) await new Promise(setImmediate);
  };

  it('waits as long as it is asked to, and tells of a shutdown', async () => {
    const source = logind(join(dir, 'logind.conf.d'));
    const held = await source.delay(90);
    expect(await readFile(join(dir, 'logind.conf.d', '99-kubelet.conf'), 'utf8')).toContain('InhibitDelayMaxSec=90\n');
    await lock('held');
    const stop = new AbortController();
    for await (const begins of source.changes(stop.signal)) {
      expect(begins).toBe(true);
      break;
    }
    stop.abort();
    held.release();
    await lock('released');
  });

  it('is not there on many machines', async () => {
    process.env['PATH'] = '/nowhere';
    await expect(logind(dir).delay(1)).rejects.toThrow('ENOENT');
    process.env['PATH'] = `${dir}:${path}`;
  });
});
