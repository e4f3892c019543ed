import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { ContainerRuntime } from '../../runtime/contract.ts';

/** A log is rotated when it is larger. Bytes (containerLogMaxSize). */
export const MAX_LOG_SIZE = 10 * 1024 * 1024;
/** Files kept of one container, the one being written among them (containerLogMaxFiles). */
export const MAX_LOG_FILES = 5;

const stamp = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-');

/** Rotates a running container's log when it has grown too large. Older parts are compressed, all but the newest of them. `now` in ms. */
export async function rotateLog(
  runtime: ContainerRuntime,
  containerId: string,
  path: string,
  now: number,
  limits: { readonly size: number; readonly files: number } = { size: MAX_LOG_SIZE, files: MAX_LOG_FILES },
): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || found.size < limits.size) return false;
  const dir = dirname(path);
  const name = basename(path);
  const parts = (await readdir(dir)).filter((f) => f.startsWith(`${name}.`)).sort();
  for (const leftover of parts.filter((f) => f.endsWith('.tmp'))) await rm(join(dir, leftover), { force: true });
  const rotated = parts.filter((f) => !f.endsWith('.tmp'));
  // Two more will stand beside these: the part made now and the log itself.
  const surplus = Math.max(0, rotated.length - (limits.files - 2));
  for (const old of rotated.slice(0, surplus)) await rm(join(dir, old), { force: true });
  for (const old of rotated.slice(surplus)) if (!old.endsWith('.gz')) await compress(join(dir, old));
  const part = `${path}.${stamp(now)}`;
  await rename(path, part);
  try {
    await runtime.reopenContainerLog(containerId);
  } catch (err) {
    // Nobody writes to the new name: give the old one back, or the log would grow where nobody looks.
    await rename(part, path);
    throw err;
  }
  return true;
}

async function compress(path: string): Promise<void> {
  const temporary = `${path}.tmp`;
  await pipeline(createReadStream(path), createGzip(), createWriteStream(temporary));
  await rename(temporary, `${path}.gz`);
  await rm(path, { force: true });
}
