import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What blkid answers when there is nothing on a device that it knows. */
const BLKID_NOTHING = 2;
/** What fsck answers when there are errors that it could not correct. */
const FSCK_UNCORRECTED = 4;
/** What the format of a device with partitions is called: it is never formatted. */
const PARTITIONS = 'unknown data, probably partitions';

interface CommandFailure {
  readonly code?: number | string;
  readonly stdout?: string;
  readonly stderr?: string;
}

/** Mounts a block device's file system at `dir`, after making one of `fsType` where there is none (mount.SafeFormatAndMount). */
export async function formatAndMount(device: string, dir: string, fsType: string, options: readonly string[]): Promise<void> {
  const readOnly = options.includes('ro');
  const found = await formatOf(device);
  if (found === '') {
    if (readOnly) throw new Error(`cannot mount unformatted disk ${device} as we are manipulating it in read-only mode`);
    const args = fsType === 'ext4' || fsType === 'ext3' ? ['-F', '-m0', device] : [device];
    await run(`mkfs.${fsType}`, args).catch((err: Error & CommandFailure) => {
      throw new Error(
        `format of disk ${JSON.stringify(device)} failed: type:(${JSON.stringify(fsType)}) target:(${JSON.stringify(dir)}) ` +
          `errcode:(${err.code}) output:(${err.stdout ?? ''}${err.stderr ?? ''})`,
      );
    });
  } else if (!readOnly) {
    await repair(device);
  }
  await run('mount', ['-t', fsType, '-o', [...options, 'defaults'].join(','), device, dir]);
}

/** The file system on a device: '' for none. */
async function formatOf(device: string): Promise<string> {
  let text: string;
  try {
    text = (await run('blkid', ['-p', '-s', 'TYPE', '-s', 'PTTYPE', '-o', 'export', device])).stdout;
  } catch (err) {
    if ((err as CommandFailure).code === BLKID_NOTHING) return '';
    throw err;
  }
  const fields = new Map(text.split('\n').map((line) => line.split('=', 2) as [string, string | undefined]));
  return fields.get('PTTYPE') !== undefined ? PARTITIONS : (fields.get('TYPE') ?? '');
}

/** Corrects what can be corrected. Rejects when the file system stays broken; that there is no fsck, or that it fails otherwise, does not matter. */
async function repair(device: string): Promise<void> {
  await run('fsck', ['-a', device]).catch((err: CommandFailure) => {
    if (err.code === FSCK_UNCORRECTED)
      throw new Error(`'fsck' found errors on device ${device} but could not correct them: ${err.stdout ?? ''}`);
  });
}
