import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { type Architecture, pauseBinary } from './pause-binary.ts';

/** A file in an image. Paths are relative to the root, without a leading slash; parents need not be listed. */
export interface ImageFile {
  readonly path: string;
  /** Permission bits; 0755 for directories and 0644 for files unless said. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** What it is: exactly one of the three, and a directory when none is given. */
  readonly content?: Uint8Array;
  readonly symlink?: string;
  /** A hard link to a path in the same image. */
  readonly hardlink?: string;
}

/** The `config` of an OCI image: what a container of it runs. */
export interface ImageRunConfig {
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Env?: readonly string[];
  readonly WorkingDir?: string;
  readonly User?: string;
  readonly StopSignal?: string;
  readonly Labels?: Readonly<Record<string, string>>;
}

export interface ImageBuildOptions {
  /** Full references, such as `example.com/app:1`. */
  readonly names: readonly string[];
  readonly architecture: Architecture;
  readonly files: readonly ImageFile[];
  readonly config: ImageRunConfig;
}

/** The image of the sandbox container. No registry has it: it is made here and imported. */
export const PAUSE_IMAGE = 'k8ts.local/pause:1';

/** The OCI name of this machine's architecture. Throws where k8ts has no pause binary for it. */
export function hostArchitecture(arch: string = process.arch): Architecture {
  if (arch === 'x64') return 'amd64';
  if (arch === 'arm64') return 'arm64';
  throw new Error(`no pause image for the architecture ${arch}: k8ts runs containers on x64 and arm64`);
}

/** The pause image as an OCI layout tar. */
export function buildPauseImage(architecture: Architecture): Uint8Array {
  return buildImage({
    names: [PAUSE_IMAGE],
    architecture,
    files: [{ path: 'pause', mode: 0o755, content: pauseBinary(architecture) }],
    config: { Entrypoint: ['/pause'], User: '65535:65535' },
  });
}

/**
 * An image of one layer as an OCI layout tar, which `ctr images import` takes. The same input gives the same bytes: no times are written.
 * Works in memory: for small images.
 */
export function buildImage(options: ImageBuildOptions): Uint8Array {
  const layer = writeTar(withParents(options.files));
  const compressed = gzipSync(layer, { level: 1 });
  const config = json({
    architecture: options.architecture,
    os: 'linux',
    config: options.config,
    rootfs: { type: 'layers', diff_ids: [digest(layer)] },
    history: [{ created_by: 'k8ts' }],
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digest(config), size: config.length },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: digest(compressed), size: compressed.length }],
  });
  const index = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: options.names.map((name) => ({
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: digest(manifest),
      size: manifest.length,
      annotations: { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name.split(':').at(-1) },
      platform: { architecture: options.architecture, os: 'linux' },
    })),
  });
  const blob = (content: Uint8Array): ImageFile => ({ path: `blobs/sha256/${digest(content).slice('sha256:'.length)}`, content });
  return writeTar([
    { path: 'oci-layout', content: json({ imageLayoutVersion: '1.0.0' }) },
    { path: 'index.json', content: index },
    { path: 'blobs' },
    { path: 'blobs/sha256' },
    blob(manifest),
    blob(config),
    blob(compressed),
  ]);
}

function json(value: object): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

function digest(content: Uint8Array): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

/** The files in order of path, every one after the directories it is in. */
function withParents(files: readonly ImageFile[]): readonly ImageFile[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  for (const file of files) {
    for (let at = file.path.lastIndexOf('/'); at > 0; at = file.path.lastIndexOf('/', at - 1)) {
      const path = file.path.slice(0, at);
      if (!byPath.has(path)) byPath.set(path, { path });
    }
  }
  const isLink = (file: ImageFile): number => (file.hardlink === undefined ? 0 : 1);
  // Hard links stand last: what they name must be there already.
  return [...byPath.values()].sort((a, b) => isLink(a) - isLink(b) || (a.path < b.path ? -1 : 1));
}

const BLOCK = 512;
const MAX_NAME = 100;
const MAX_PREFIX = 155;

/** A ustar archive of `files` in the order given, with all times 0. Throws when a path does not fit ustar (100 + 155 bytes). */
export function writeTar(files: readonly ImageFile[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const file of files) {
    parts.push(tarHeader(file));
    if (file.content === undefined) continue;
    parts.push(file.content);
    const rest = file.content.length % BLOCK;
    if (rest > 0) parts.push(new Uint8Array(BLOCK - rest));
  }
  parts.push(new Uint8Array(2 * BLOCK));
  return Buffer.concat(parts);
}

function tarHeader(file: ImageFile): Uint8Array {
  const isDirectory = file.content === undefined && file.symlink === undefined && file.hardlink === undefined;
  const { name, prefix } = splitName(isDirectory ? `${file.path}/` : file.path);
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, length: number): void => {
    header.write(value.toString(8).padStart(length - 1, '0'), at, length - 1, 'latin1');
  };
  header.write(name, 0);
  octal(file.mode ?? (isDirectory ? 0o755 : file.symlink !== undefined ? 0o777 : 0o644), 100, 8);
  octal(file.uid ?? 0, 108, 8);
  octal(file.gid ?? 0, 116, 8);
  octal(file.content?.length ?? 0, 124, 12);
  octal(0, 136, 12);
  header.write(isDirectory ? '5' : file.symlink !== undefined ? '2' : file.hardlink !== undefined ? '1' : '0', 156);
  const target = file.symlink ?? file.hardlink;
  if (target !== undefined) {
    if (Buffer.byteLength(target) > MAX_NAME) throw new Error(`link target too long for a tar header: ${target}`);
    header.write(target, 157);
  }
  header.write('ustar\x0000', 257, 'latin1');
  header.write(prefix, 345);
  // The checksum is taken with its own field blank.
  header.fill(0x20, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

function splitName(path: string): { readonly name: string; readonly prefix: string } {
  if (Buffer.byteLength(path) <= MAX_NAME) return { name: path, prefix: '' };
  for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) {
    const prefix = path.slice(0, at);
    const name = path.slice(at + 1);
    if (name !== '' && Buffer.byteLength(name) <= MAX_NAME && Buffer.byteLength(prefix) <= MAX_PREFIX) return { name, prefix };
  }
  throw new Error(`path too long for a tar header: ${path}`);
}
