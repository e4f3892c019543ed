import { chmod, chown, lchown, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Hands a tree to a group: owned by it, readable and writable for it, and new files inherit it (volume.SetVolumeOwnership). */
export async function giveToGroup(dir: string, group: number, policy: string = 'Always'): Promise<void> {
  const top = await lstat(dir);
  if (policy === 'OnRootMismatch' && top.gid === group && (top.mode & 0o2770) === 0o2770) return;
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    await take(join(entry.parentPath, entry.name), group);
  }
  // The top last: it is what OnRootMismatch goes by.
  await take(dir, group);
}

async function take(path: string, group: number): Promise<void> {
  const { mode, uid } = await lstat(path);
  if ((mode & 0o170000) === 0o120000) {
    await lchown(path, uid, group);
    return;
  }
  await chown(path, uid, group);
  const directory = (mode & 0o170000) === 0o040000;
  await chmod(path, (mode & 0o7777) | 0o660 | (directory ? 0o2110 : 0));
}
