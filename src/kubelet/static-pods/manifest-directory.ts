import { type FSWatcher, watch } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Pod } from '../../api/types/core-v1.ts';
import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import { fullName } from '../pods/pod-source.ts';
import { staticPod } from './manifest.ts';

/** How often everything is read anew, whatever the kernel told (fileCheckFrequency). Milliseconds. */
const CHECK_MS = 20_000;
/** Longest manifest, bytes (maxConfigLength). */
const MAX_MANIFEST = 10 * 1024 * 1024;

export interface ManifestDirectoryOptions {
  /** A directory of manifests, or one manifest. */
  readonly path: string;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The pods that shall run, by namespace and name. */
  changed(pods: ReadonlyMap<string, Pod>): void;
}

interface Manifest {
  readonly text: string;
  /** Undefined: it is no pod. */
  readonly pod: Pod | undefined;
}

/** Reads the node's own pods from a directory, again when a file there changes (config.sourceFile). Hidden files and directories are passed over. */
export class ManifestDirectory {
  readonly #options: ManifestDirectoryOptions;
  #manifests: ReadonlyMap<string, Manifest> = new Map();
  #watcher: FSWatcher | undefined;
  #reading: Promise<void> | undefined;
  #dirty = false;
  #told: ReadonlyMap<string, Pod> | undefined;
  #failure = '';

  constructor(options: ManifestDirectoryOptions) {
    this.#options = options;
  }

  /** Reads once; from then on until the signal whenever something changes. */
  async start(signal: AbortSignal): Promise<void> {
    await this.#read(false);
    this.#watch(signal);
    void this.#check(signal);
    signal.addEventListener('abort', () => this.#watcher?.close(), { once: true });
  }

  async #check(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(CHECK_MS, signal).catch(() => undefined);
      if (signal.aborted) return;
      if (this.#watcher === undefined) this.#watch(signal);
      await this.#read(false);
    }
  }

  /** Has the kernel tell of changes. A path that is not there yet is looked for at the next check. */
  #watch(signal: AbortSignal): void {
    if (signal.aborted) return;
    const { path } = this.#options;
    try {
      const watcher = watch(path, { persistent: false }, () => this.#touched());
      const ended = (): void => {
        watcher.close();
        if (this.#watcher === watcher) this.#watcher = undefined;
      };
      watcher.on('error', ended);
      this.#watcher = watcher;
    } catch {
      this.#watcher = undefined;
    }
  }

  /** One reading at a time; what changes meanwhile is one more. */
  #touched(): void {
    this.#dirty = true;
    this.#reading ??= this.#catchUp();
  }

  async #catchUp(): Promise<void> {
    while (this.#dirty) {
      this.#dirty = false;
      await this.#read(true);
    }
    this.#reading = undefined;
  }

  /** `changing`: a file may be half written, and what it last said still holds. */
  async #read(changing: boolean): Promise<void> {
    const { logger, path } = this.#options;
    try {
      const files = await this.#files();
      const next = new Map<string, Manifest>();
      for (const file of files) {
        const manifest = await this.#manifest(file, changing);
        if (manifest !== undefined) next.set(file, manifest);
      }
      this.#manifests = next;
      this.#failure = '';
    } catch (err) {
      const message = (err as Error).message;
      if (message !== this.#failure) logger.error({ err, path }, 'unable to read config path');
      this.#failure = message;
      // A path that is gone has no pods; one that cannot be read keeps them.
      if ((err as NodeJS.ErrnoException).code !== 'ENOENT') return;
      this.#manifests = new Map();
    }
    this.#tell();
  }

  async #files(): Promise<readonly string[]> {
    const { path, logger } = this.#options;
    if ((await stat(path)).isFile()) return [join(dirname(path), basename(path))];
    const entries = await readdir(path, { withFileTypes: true });
    const shown = entries.filter((e) => !e.name.startsWith('.')).sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const dir of shown.filter((e) => e.isDirectory())) logger.debug({ path: dir.name }, 'not recursing into manifest path');
    return shown.filter((e) => !e.isDirectory()).map((e) => join(path, e.name));
  }

  async #manifest(file: string, changing: boolean): Promise<Manifest | undefined> {
    const { nodeName, clock, logger } = this.#options;
    const before = this.#manifests.get(file);
    let text: string;
    try {
      text = await head(file);
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      logger.error({ err, file }, "can't read manifest file");
      return before;
    }
    if (before?.text === text && (before.pod !== undefined || changing)) return before;
    try {
      return { text, pod: staticPod(text, file, nodeName, clock.now()) };
    } catch (err) {
      if (before?.text !== text) logger.error({ err: (err as Error).message, file }, "can't process manifest file");
      return { text, pod: changing ? before?.pod : undefined };
    }
  }

  #tell(): void {
    const pods = new Map<string, Pod>();
    for (const { pod } of this.#manifests.values()) if (pod !== undefined) pods.set(fullName(pod), pod);
    const told = this.#told;
    if (told !== undefined && told.size === pods.size && [...pods].every(([name, pod]) => told.get(name) === pod)) return;
    this.#told = pods;
    this.#options.changed(pods);
  }
}

/** A file's text, up to the longest a manifest may be. */
async function head(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size > MAX_MANIFEST) throw new Error(`${path} is longer than ${MAX_MANIFEST} bytes`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}
