import type { ContainerRuntime, Image } from '../../runtime/contract.ts';
import type { FilesystemSpace } from '../../runtime/stats.ts';
import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import type { ObservedPod } from '../observed/observed.ts';
import { errorText } from '../observed/runtime-errors.ts';
import { withDefaultTag } from './images.ts';

/** How often images are looked at. Milliseconds. */
const PERIOD_MS = 300_000;

/** When images are removed. Parts of the image file system, and milliseconds. */
export interface ImageGcPolicy {
  /** So full it may get (imageGCHighThresholdPercent). */
  readonly high: number;
  /** To this it is emptied then (imageGCLowThresholdPercent). */
  readonly low: number;
  /** Younger images stay (imageMinimumGCAge). */
  readonly minAge: number;
}

export const defaultImageGcPolicy: ImageGcPolicy = { high: 0.85, low: 0.8, minAge: 120_000 };

export interface ImageGcOptions {
  readonly runtime: ContainerRuntime;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly policy: ImageGcPolicy;
  /** Space of the file system that holds the images. */
  space(mountpoint: string): Promise<FilesystemSpace>;
  pods(): readonly ObservedPod[];
  /** Images that volumes of pods show, as their pods name them. */
  volumes(): readonly string[];
  /** A Warning event on the node. */
  record(reason: string, message: string): void;
}

/** What a runtime may call the image that a pod calls so. */
function fullNames(reference: string): readonly string[] {
  const tagged = withDefaultTag(reference) ?? reference;
  return [tagged, `docker.io/${tagged}`, `docker.io/library/${tagged}`];
}

interface Known {
  readonly firstDetected: number;
  lastUsed: number;
}

/**
 * Removes images that no container uses when their disk gets full, those first that were used longest ago (images.imageGCManager). An image
 * that came from no registry stays, as nobody could pull it again: pause, and what was loaded by hand.
 */
export class ImageGc {
  readonly #options: ImageGcOptions;
  readonly #known = new Map<string, Known>();

  constructor(options: ImageGcOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    while (!signal.aborted) {
      try {
        await this.collect();
      } catch (err) {
        if (signal.aborted) return;
        logger.warn({ err: errorText(err) }, 'image garbage collection failed');
      }
      await clock.sleep(PERIOD_MS, signal).catch(() => undefined);
    }
  }

  /** Looks once. */
  async collect(): Promise<void> {
    const { runtime, policy, record, logger } = this.#options;
    const images = await this.#detect();
    const [fs] = await runtime.imageFsInfo();
    if (fs === undefined) return;
    const { capacityBytes: capacity, availableBytes } = await this.#options.space(fs.mountpoint);
    if (capacity === 0) {
      record('InvalidDiskCapacity', 'invalid capacity 0 on image filesystem');
      return;
    }
    const available = Math.min(availableBytes, capacity);
    if (1 - available / capacity < policy.high) return;
    const wanted = Math.round(capacity * (1 - policy.low) - available);
    logger.info({ wanted }, 'disk usage on image filesystem is over the high threshold, trying to free bytes');
    const freed = await this.#free(images, wanted);
    if (freed >= wanted) return;
    const message = `Failed to garbage collect required amount of images. Attempted to free ${wanted} bytes, but only found ${freed} bytes eligible to free.`;
    record('FreeDiskSpaceFailed', message);
  }

  /** Removes all that nobody uses, whatever its age, and says how many bytes that was. */
  async removeUnused(): Promise<number> {
    return this.#free(await this.#detect(), Number.POSITIVE_INFINITY);
  }

  /** Notes what is there and what is used; gives the images that are not, longest unused first. */
  async #detect(): Promise<readonly Image[]> {
    const { runtime, clock } = this.#options;
    const now = clock.now();
    const images = await runtime.listImages();
    const used = new Set([
      ...this.#options.pods().flatMap((p) => p.containers.flatMap((c) => [c.imageRef, c.image])),
      ...this.#options.volumes().flatMap(fullNames),
    ]);
    const unused: Image[] = [];
    for (const image of images) {
      const known = this.#known.get(image.id) ?? { firstDetected: now, lastUsed: 0 };
      this.#known.set(image.id, known);
      if ([image.id, ...image.repoDigests, ...image.repoTags].some((name) => used.has(name))) known.lastUsed = now;
      else if (!image.pinned && image.repoDigests.length > 0) unused.push(image);
    }
    const present = new Set(images.map((i) => i.id));
    for (const id of this.#known.keys()) if (!present.has(id)) this.#known.delete(id);
    const of = (image: Image): Known => this.#known.get(image.id)!;
    return unused.sort((a, b) => of(a).lastUsed - of(b).lastUsed || of(a).firstDetected - of(b).firstDetected);
  }

  async #free(images: readonly Image[], bytes: number): Promise<number> {
    const { runtime, clock, policy, logger } = this.#options;
    const all = bytes === Number.POSITIVE_INFINITY;
    let freed = 0;
    for (const image of images) {
      if (freed >= bytes) break;
      // One just pulled is about to be used.
      if (!all && clock.now() - this.#known.get(image.id)!.firstDetected < policy.minAge) continue;
      try {
        await runtime.removeImage(image.id);
        this.#known.delete(image.id);
        freed += image.size;
        logger.info({ image: image.id, size: image.size }, 'removed an image to free bytes');
      } catch (err) {
        logger.warn({ err: errorText(err), image: image.id }, 'an image could not be removed');
      }
    }
    return freed;
  }
}
