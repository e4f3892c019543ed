import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { ContainerRuntime } from '../runtime/contract.ts';
import { type ImportTarget, importImageBytes, untilImageVisible } from '../runtime/image-archive.ts';
import { buildImage, hostArchitecture, type ImageFile } from '../runtime/image-build.ts';
import type { Clock } from '../util/clock.ts';

const run = promisify(execFile);

/** The image of the examples: this machine's busybox. A cluster without a registry has something to run at once. */
export const EXAMPLE_IMAGE = 'k8ts.local/busybox:1.35';

const places = ['/bin/busybox', '/usr/bin/busybox'];
/** What busybox's own list of commands may not replace. */
const MAX_LIST_BYTES = 1024 * 1024;

/** Makes the image and gives it to the runtime, when it has none. Resolves false where the machine has no busybox. */
export async function ensureExampleImage(
  runtime: ContainerRuntime,
  target: ImportTarget,
  clock: Clock,
  signal: AbortSignal,
): Promise<boolean> {
  if ((await runtime.imageStatus(EXAMPLE_IMAGE, signal)) !== undefined) return true;
  const busybox = places.find((p) => existsSync(p));
  if (busybox === undefined) return false;
  await importImageBytes(target, await exampleImage(busybox), signal);
  await untilImageVisible(runtime, EXAMPLE_IMAGE, clock, signal);
  return true;
}

async function exampleImage(busybox: string): Promise<Uint8Array> {
  const { stdout } = await run(busybox, ['--list'], { maxBuffer: MAX_LIST_BYTES });
  const commands = stdout.split('\n').filter((name) => name !== '' && name !== 'busybox');
  const text = (value: string): Uint8Array => Buffer.from(value);
  return buildImage({
    names: [EXAMPLE_IMAGE],
    architecture: hostArchitecture(),
    files: [
      { path: 'bin/busybox', mode: 0o755, content: await readFile(busybox) },
      ...(await libraries(busybox)),
      ...commands.map((name) => ({ path: `bin/${name}`, symlink: '/bin/busybox' })),
      { path: 'tmp', mode: 0o1777 },
      { path: 'root', mode: 0o700 },
      { path: 'var/www' },
      { path: 'etc/passwd', content: text('root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n') },
      { path: 'etc/group', content: text('root:x:0:\nnogroup:x:65534:\n') },
    ],
    config: { Cmd: ['sh'], Env: ['PATH=/bin'], WorkingDir: '/' },
  });
}

/** What a busybox that is not static needs beside itself; nothing for a static one. */
async function libraries(busybox: string): Promise<readonly ImageFile[]> {
  const listed = await run('ldd', [busybox]).catch(() => undefined);
  const paths = [...(listed?.stdout ?? '').matchAll(/(?:=>\s+|^\s+)(\/\S+)/gm)].map((m) => m[1]!);
  return Promise.all(
    paths.map(async (path) => ({ path: path.slice(1), mode: 0o755, content: await readFile(await realpath(path)) })),
  );
}
