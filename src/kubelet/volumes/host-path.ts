import { mkdir, open, stat } from 'node:fs/promises';
import type { HostPathVolumeSource } from '../../api/types/core-v1.ts';
import { VolumeError } from './payload.ts';

/** Checks that a host path is what its type says, and makes it where the type says so (host_path.checkType). Throws VolumeError. */
export async function prepareHostPath(source: HostPathVolumeSource): Promise<void> {
  const { path, type = '' } = source;
  if (type === '') return;
  const found = await stat(path).catch(() => undefined);
  const fail = (what: string): never => {
    throw new VolumeError(`hostPath type check failed: ${path} is not a ${what}`);
  };
  switch (type) {
    case 'DirectoryOrCreate':
      if (found === undefined) await mkdir(path, { recursive: true, mode: 0o755 });
      else if (!found.isDirectory()) fail('directory');
      return;
    case 'FileOrCreate':
      // Parents are not made: the author is to name an existing directory.
      if (found === undefined) {
        const handle = await open(path, 'a', 0o644).catch((err: Error) => {
          throw new VolumeError(err.message);
        });
        await handle.close();
      } else if (!found.isFile()) fail('file');
      return;
    case 'Directory':
      if (found?.isDirectory() !== true) fail('directory');
      return;
    case 'File':
      if (found?.isFile() !== true) fail('file');
      return;
    case 'Socket':
      if (found?.isSocket() !== true) fail('socket file');
      return;
    case 'CharDevice':
      if (found?.isCharacterDevice() !== true) fail('character device');
      return;
    case 'BlockDevice':
      if (found?.isBlockDevice() !== true) fail('block device');
      return;
  }
}
