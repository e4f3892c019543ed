import { type ChildProcess, spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import type { Clock } from '../util/clock.ts';
import type { ContainerRuntime } from './contract.ts';
import { buildPauseImage, hostArchitecture, PAUSE_IMAGE } from './image-build.ts';

/** What an image archive holds. */
export interface ImageArchive {
  readonly format: 'oci' | 'docker';
  readonly gzip: boolean;
  /** References the archive names; empty when it names none. */
  readonly names: readonly string[];
}

/** Where to import to. */
export interface ImportTarget {
  /** containerd's socket. */
  readonly socketPath: string;
  /** The `ctr` program; found on the PATH unless said. */
  readonly ctr?: string;
}

/** The containerd namespace the CRI looks in. */
const CRI_NAMESPACE = 'k8s.io';
/** An index or manifest list larger than this is no index, bytes. */
const MAX_INDEX_BYTES = 4 * 1024 * 1024;
/** Most kept of what a failing import wrote, characters. */
const MAX_ERROR_TEXT = 4_000;
/** How long an image just imported may stay unseen by the CRI, milliseconds: it learns of it through an event. */
const VISIBLE_TIMEOUT_MS = 5_000;
const VISIBLE_POLL_MS = 5;

/** Reads what is in the archive at `path`: an OCI layout or what `docker save` writes, as tar or tar.gz. Throws when it is neither. */
export async function readImageArchive(path: string): Promise<ImageArchive> {
  const gzip = await isGzip(path);
  const entries = extract();
  let oci: string | undefined;
  let docker: string | undefined;
  let isLayout = false;
  entries.on('entry', (header, stream, next) => {
    const name = header.name.replace(/^\.\//, '');
    if (name === 'oci-layout') isLayout = true;
    if ((name !== 'index.json' && name !== 'manifest.json') || (header.size ?? 0) > MAX_INDEX_BYTES) {
      stream.on('end', next);
      stream.resume();
      return;
    }
    const chunks: Buffer[] = [];
    stream.on('data', (chunk) => chunks.push(chunk as Buffer));
    stream.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      if (name === 'index.json') oci = text;
      else docker = text;
      next();
    });
  });
  const file = createReadStream(path);
  await (gzip ? pipeline(file, createGunzip(), entries) : pipeline(file, entries));
  // Newer `docker save` writes both; containerd takes the layout then.
  if (isLayout && oci !== undefined) return { format: 'oci', gzip, names: ociNames(oci) };
  if (docker !== undefined) return { format: 'docker', gzip, names: dockerNames(docker) };
  throw new Error(`${path} is no image archive: it has neither an OCI layout nor a manifest.json`);
}

async function isGzip(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await file.close();
  }
}

function ociNames(text: string): readonly string[] {
  const index = JSON.parse(text) as {
    readonly manifests?: readonly { readonly annotations?: Readonly<Record<string, string>> }[];
  };
  const names = (index.manifests ?? []).map((m) => {
    const full = m.annotations?.['io.containerd.image.name'];
    const short = m.annotations?.['org.opencontainers.image.ref.name'];
    // A reference name alone is often only the tag ("latest"): that names no image.
    return full ?? (short?.includes('/') ? short : undefined);
  });
  return [...new Set(names.filter((name) => name !== undefined))];
}

function dockerNames(text: string): readonly string[] {
  const manifests = JSON.parse(text) as readonly { readonly RepoTags?: readonly string[] | null }[];
  return [...new Set(manifests.flatMap((m) => m.RepoTags ?? []).map(normalizeImageName))];
}

/** The full reference of a short one: `busybox` is `docker.io/library/busybox:latest`. */
export function normalizeImageName(name: string): string {
  const [first = '', ...rest] = name.split('/');
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  const full = isHost ? name : rest.length === 0 ? `docker.io/library/${name}` : `docker.io/${name}`;
  const last = full.slice(full.lastIndexOf('/') + 1);
  return last.includes(':') || last.includes('@') ? full : `${full}:latest`;
}

/**
 * Imports the archive at `path` for the kubelet to use and gives the references it has there. `name` is for an archive that names nothing
 * itself; without it such an archive is refused. Rejects with what the import printed when it fails.
 */
export async function importImageArchive(
  target: ImportTarget,
  path: string,
  options: { readonly name?: string; readonly signal?: AbortSignal } = {},
): Promise<readonly string[]> {
  const archive = await readImageArchive(path);
  const name = options.name === undefined ? undefined : normalizeImageName(options.name);
  if (archive.names.length === 0 && (name === undefined || archive.format === 'docker'))
    throw new Error(`${path} does not say the name of its image: give one`);
  const input = (): Readable => {
    const file = createReadStream(path);
    return archive.gzip ? file.pipe(createGunzip()).on('close', () => file.destroy()) : file;
  };
  if (archive.names.length === 0) {
    await runCtr(target, ['images', 'import', '--index-name', name!, '-'], input(), options.signal);
    return [name!];
  }
  await runCtr(target, ['images', 'import', '-'], input(), options.signal);
  if (name === undefined || archive.names.includes(name)) return archive.names;
  await runCtr(target, ['images', 'tag', '--force', archive.names[0]!, name], undefined, options.signal);
  return [...archive.names, name];
}

/** Imports an OCI layout tar held in memory, as `buildImage` makes it. */
export async function importImageBytes(target: ImportTarget, tar: Uint8Array, signal?: AbortSignal): Promise<void> {
  await runCtr(target, ['images', 'import', '-'], tar, signal);
}

/** Sees to it that the sandbox image is there: makes and imports it when the runtime has none. Resolves when the runtime sees it. */
export async function ensurePauseImage(
  runtime: Pick<ContainerRuntime, 'imageStatus'>,
  target: ImportTarget,
  clock: Clock,
  signal?: AbortSignal,
): Promise<void> {
  if ((await runtime.imageStatus(PAUSE_IMAGE, signal)) !== undefined) return;
  await importImageBytes(target, buildPauseImage(hostArchitecture()), signal);
  await untilImageVisible(runtime, PAUSE_IMAGE, clock, signal);
}

/** Waits until the runtime knows `image`: it learns of an import a moment later. Rejects after 5 s. */
export async function untilImageVisible(
  runtime: Pick<ContainerRuntime, 'imageStatus'>,
  image: string,
  clock: Clock,
  signal?: AbortSignal,
): Promise<void> {
  const end = clock.monotonic() + VISIBLE_TIMEOUT_MS;
  while ((await runtime.imageStatus(image, signal)) === undefined) {
    if (clock.monotonic() > end) throw new Error(`the runtime does not see the image ${image}, which was imported`);
    await clock.sleep(VISIBLE_POLL_MS, signal);
  }
}

/** Runs `ctr` on the containers' namespace of a containerd. Rejects with what it says. */
export function runCtr(
  target: ImportTarget,
  args: readonly string[],
  input: Readable | Uint8Array | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child: ChildProcess = spawn(target.ctr ?? 'ctr', ['--address', target.socketPath, '-n', CRI_NAMESPACE, ...args], {
      stdio: [input === undefined ? 'ignore' : 'pipe', 'ignore', 'pipe'],
      ...(signal === undefined ? {} : { signal }),
    });
    let text = '';
    let inputError: Error | undefined;
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      text = (text + chunk).slice(-MAX_ERROR_TEXT);
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0 && inputError === undefined) resolve();
      else reject(new Error(`ctr ${args.join(' ')} failed: ${text.trim() || `exit code ${code}`}`, { cause: inputError }));
    });
    if (input instanceof Uint8Array) child.stdin?.on('error', () => {}).end(input);
    else if (input !== undefined) {
      pipeline(input, child.stdin!).catch((err: NodeJS.ErrnoException) => {
        // The program stops reading when it has failed, and says why itself; a fault of the archive is ours to tell.
        if (err.code !== 'EPIPE' && err.code !== 'ERR_STREAM_PREMATURE_CLOSE') inputError = err;
      });
    }
  });
}
