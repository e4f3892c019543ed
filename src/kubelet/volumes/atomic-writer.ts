import { chmod, chown, lstat, mkdir, readdir, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';

/** One file of a volume. Mode in the low nine bits; `uid` of the owner when it is not the kubelet's own. */
export interface ProjectedFile {
  readonly data: Uint8Array;
  readonly mode: number;
  readonly uid?: number;
}

/** Files by their path inside the volume: relative, without `..`. */
export type Payload = ReadonlyMap<string, ProjectedFile>;

const DATA_LINK = '..data';
const NEW_DATA_LINK = '..data_tmp';
/** What fsGroup adds to a file, and makes of a directory: these volumes are read only (volume.SetVolumeOwnership). */
const GROUP_READS = 0o440;
const GROUP_DIRECTORY = 0o2755;

/**
 * Makes `dir` hold exactly the payload, all of it changing at once (upstream's AtomicWriter): the files stand in a directory of their own,
 * `..data` points to it, and what users see are links through `..data`. Swapping that one link swaps everything.
 * Returns whether anything changed. `stamp` names the new directory, without dots: unique in this volume.
 */
export async function writeAtomically(dir: string, payload: Payload, stamp: string, group: number | undefined): Promise<boolean> {
  for (const path of payload.keys()) checkPath(path);
  await mkdir(dir, { recursive: true });
  const old = await readlink(join(dir, DATA_LINK)).catch(() => undefined);
  if (old !== undefined && (await holdsExactly(join(dir, old), payload))) {
    await linkTops(dir, payload);
    return false;
  }
  const name = `..${stamp}`;
  const fresh = join(dir, name);
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { mode: 0o755 });
  await chmod(fresh, group === undefined ? 0o755 : GROUP_DIRECTORY);
  if (group !== undefined) await chown(fresh, -1, group);
  for (const [path, file] of payload) {
    const target = join(fresh, path);
    await makeParents(fresh, dirname(target), group);
    await writeFile(target, file.data, { mode: 0o600 });
    if (file.uid !== undefined || group !== undefined) await chown(target, file.uid ?? -1, group ?? -1);
    // After chown, which clears bits; and past the umask.
    await chmod(target, group === undefined ? file.mode : file.mode | GROUP_READS);
  }
  await rm(join(dir, NEW_DATA_LINK), { force: true });
  await symlink(name, join(dir, NEW_DATA_LINK));
  await rename(join(dir, NEW_DATA_LINK), join(dir, DATA_LINK));
  await linkTops(dir, payload);
  await dropStaleTops(dir, payload);
  if (old !== undefined && old !== name) await rm(join(dir, old), { recursive: true, force: true });
  return true;
}

function checkPath(path: string): void {
  if (path === '' || path.startsWith('/') || path.split('/').includes('..') || path.startsWith('..')) {
    throw new Error(`invalid path: ${path}`);
  }
}

async function makeParents(root: string, parent: string, group: number | undefined): Promise<void> {
  if (parent === root) return;
  await mkdir(parent, { recursive: true, mode: 0o755 });
  if (group === undefined) return;
  for (let at = parent; at.length > root.length; at = dirname(at)) {
    await chown(at, -1, group);
    await chmod(at, GROUP_DIRECTORY);
  }
}

async function holdsExactly(dir: string, payload: Payload): Promise<boolean> {
  const found = await filesBelow(dir);
  if (found.length !== payload.size) return false;
  for (const path of found) {
    const wanted = payload.get(path);
    if (wanted === undefined) return false;
    const data = await readFile(join(dir, path)).catch(() => undefined);
    if (data === undefined || !data.equals(wanted.data)) return false;
    const { mode } = await lstat(join(dir, path));
    if ((mode & 0o777 & wanted.mode) !== wanted.mode) return false;
  }
  return true;
}

async function filesBelow(dir: string): Promise<readonly string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((e) => e.isFile()).map((e) => join(e.parentPath, e.name).slice(dir.length + 1));
}

const topOf = (path: string): string => path.split(sep, 1)[0]!;

async function linkTops(dir: string, payload: Payload): Promise<void> {
  for (const top of new Set([...payload.keys()].map(topOf))) {
    const link = join(dir, top);
    const target = join(DATA_LINK, top);
    if ((await readlink(link).catch(() => undefined)) === target) continue;
    await rm(link, { recursive: true, force: true });
    await symlink(target, link);
  }
}

async function dropStaleTops(dir: string, payload: Payload): Promise<void> {
  const tops = new Set([...payload.keys()].map(topOf));
  for (const entry of await readdir(dir)) {
    if (!entry.startsWith('..') && !tops.has(entry)) await rm(join(dir, entry), { recursive: true, force: true });
  }
}
