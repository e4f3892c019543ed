import { appendFile, mkdtemp, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ContainerRuntime } from '../../runtime/contract.ts';
import { systemClock } from '../../util/clock.ts';
import { type LogOptions, parseLogLine } from './cri-log.ts';
import { logTail, readLog, tailOffset } from './read-log.ts';
import { rotateLog } from './rotate-log.ts';

let dir = '';
let path = '';
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'k8ts-logs-'));
  path = join(dir, '0.log');
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const T = '2026-01-01T00:00:0';
const text = `${T}1.5Z stdout F one\n${T}2Z stderr F two\n${T}3Z stdout P thr\n${T}3Z stdout F ee\n${T}4Z stdout F \n`;
const all: LogOptions = { follow: false, timestamps: false };
async function read(options: Partial<LogOptions>, running = (): boolean => false): Promise<string> {
  let out = '';
  for await (const piece of readLog({
    path,
    options: { ...all, ...options },
    clock: systemClock,
    running,
    signal: new AbortController().signal,
  })) {
    out += piece.data.toString();
  }
  return out;
}

describe('lines of a container log', () => {
  it.each([
    [`${T}1Z stdout F hello world`, 'stdout', false, 'hello world'],
    [`${T}1Z stderr P:x part`, 'stderr', true, 'part'],
    [`${T}1Z stdout F`, 'stdout', false, ''],
  ])('%s', (line, stream, partial, content) => {
    const parsed = parseLogLine(Buffer.from(line))!;
    expect([parsed.stream, parsed.partial, parsed.content.toString()]).toEqual([stream, partial, content]);
  });
  it.each(['', 'nonsense', `${T}1Z stdin F x`])('%j is none', (line) => {
    expect(parseLogLine(Buffer.from(line))).toBeUndefined();
  });
});

describe('reading a log', () => {
  beforeEach(() => writeFile(path, text));
  it.each<[Partial<LogOptions>, string]>([
    [{}, 'one\ntwo\nthree\n\n'],
    [{ timestamps: true }, `${T}1.5Z one\n${T}2Z two\n${T}3Z three\n${T}4Z \n`],
    [{ tailLines: 1 }, '\n'],
    [{ tailLines: 4 }, 'two\nthree\n\n'],
    [{ tailLines: 0 }, ''],
    [{ tailLines: 99 }, 'one\ntwo\nthree\n\n'],
    [{ since: Date.parse(`${T}2Z`) }, 'two\nthree\n\n'],
    [{ limitBytes: 5 }, 'one\nt'],
    [{ stream: 'stderr' }, 'two\n'],
  ])('%j', async (options, expected) => {
    expect(await read(options)).toBe(expected);
  });
  it('finds the tail of a long file', async () => {
    await writeFile(path, Array.from({ length: 9000 }, (_, i) => `${T}1Z stdout F line ${i}\n`).join(''));
    expect(await read({ tailLines: 2 })).toBe('line 8998\nline 8999\n');
    const file = await open(path);
    expect(await tailOffset(file, (await file.stat()).size, 9000)).toBe(0);
    await file.close();
  });
  it('rejects when there is none', async () => {
    await rm(path);
    await expect(read({})).rejects.toThrow('ENOENT');
  });
  it('follows through rotation to the end of the container', async () => {
    let running = true;
    const stop = new AbortController();
    const seen: string[] = [];
    const step: Record<string, () => Promise<void>> = {
      'one\n': async () => appendFile(path, `${T}5Z stdout F more\n`),
      'more\n': async () => {
        await rename(path, `${path}.old`);
        await writeFile(path, `${T}6Z stdout F rotated\n`);
      },
      'rotated\n': async () => {
        await appendFile(path, `${T}7Z stdout F last\n`);
        running = false;
      },
    };
    await writeFile(path, `${T}1Z stdout F one\n`);
    for await (const piece of readLog({
      path,
      options: { ...all, follow: true },
      clock: systemClock,
      running: () => running,
      signal: stop.signal,
    })) {
      const line = piece.data.toString();
      seen.push(line);
      await step[line]?.();
    }
    expect(seen).toEqual(['one\n', 'more\n', 'rotated\n', 'last\n']);
  });
  it('gives the end for a termination message', async () => {
    expect(await logTail(path, 80, 2048)).toBe('one\ntwo\nthree\n\n');
    expect(await logTail(path, 3, 5)).toBe('ree\n\n');
    expect(await logTail(join(dir, 'none'), 1, 1)).toBe('');
  });
});

it('rotates a log that has grown too large', async () => {
  const reopened: string[] = [];
  const runtime = { reopenContainerLog: async (id: string) => void reopened.push(id) } as unknown as ContainerRuntime;
  const limits = { size: 10, files: 3 };
  await writeFile(path, 'tiny');
  expect(await rotateLog(runtime, 'c', path, 0, limits)).toBe(false);
  for (let i = 1; i <= 4; i++) {
    await writeFile(path, `${i}`.repeat(20));
    expect(await rotateLog(runtime, 'c', path, i * 1000, limits)).toBe(true);
  }
  expect(reopened).toHaveLength(4);
  expect((await readdir(dir)).sort()).toEqual(['0.log.19700101-000003.gz', '0.log.19700101-000004']);
  const failing = { reopenContainerLog: () => Promise.reject(new Error('no')) } as unknown as ContainerRuntime;
  await writeFile(path, 'x'.repeat(20));
  await expect(rotateLog(failing, 'c', path, 9000, limits)).rejects.toThrow('no');
  expect(await readFile(path, 'utf8')).toBe('x'.repeat(20));
});
