import { describe, expect, it } from 'vitest';
import type { Image } from '../../runtime/contract.ts';
import { createFakeRuntime } from '../../runtime/fake.ts';
import { VirtualClock } from '../../util/clock.ts';
import { silentLogger } from '../../util/logger.ts';
import { emptyObserved, type ObservedContainer } from '../observed/observed.ts';
import { defaultImageGcPolicy, ImageGc } from './image-gc.ts';

const image = (id: string, size: number, pulled = true): Image => ({
  id,
  repoTags: [`r/${id}:1`],
  repoDigests: pulled ? [`r/${id}@sha256:${id}`] : [],
  size,
  pinned: id === 'pinned',
});

function collector(images: Image[], used: readonly string[], space: { capacity: number; available: number }) {
  const clock = new VirtualClock();
  const runtime = createFakeRuntime({ clock });
  const removed: string[] = [];
  const events: string[] = [];
  runtime.listImages = async () => images.filter((i) => !removed.includes(i.id));
  runtime.removeImage = async (id) => void removed.push(id);
  const using = [...used];
  const gc = new ImageGc({
    runtime,
    clock,
    logger: silentLogger,
    policy: defaultImageGcPolicy,
    space: async () => ({
      capacityBytes: space.capacity,
      availableBytes: space.available,
      usedBytes: 0,
      inodes: 0,
      inodesFree: 0,
    }),
    pods: () => [{ ...emptyObserved('u'), containers: using.map((imageRef) => ({ imageRef, image: '' }) as ObservedContainer) }],
    volumes: () => ['r/volume:1'],
    record: (reason, message) => events.push(`${reason}: ${message}`),
  });
  return { gc, clock, removed, events, using };
}

describe('image garbage collection', () => {
  it('removes nothing while there is room', async () => {
    const { gc, clock, removed } = collector([image('a', 10)], [], { capacity: 100, available: 16 });
    await gc.collect();
    await clock.advance(600_000);
    await gc.collect();
    expect(removed).toEqual([]);
  });

  it('removes what was used longest ago, until there is enough; not what is used, pinned, young, or from no registry', async () => {
    const images = [
      image('a', 4),
      image('b', 4),
      image('c', 4),
      image('used', 50),
      image('volume', 50),
      image('pinned', 50),
      image('loaded', 50, false),
    ];
    const { gc, clock, removed, using, events } = collector(images, ['r/used@sha256:used', 'a'], {
      capacity: 100,
      available: 13,
    });
    await gc.collect();
    expect(removed).toEqual([]);
    expect(events).toEqual([
      'FreeDiskSpaceFailed: Failed to garbage collect required amount of images. Attempted to free 7 bytes, but only found 0 bytes eligible to free.',
    ]);
    using.pop();
    await clock.advance(121_000);
    images.push(image('young', 50));
    await gc.collect();
    // Nobody has used b and c since they were found; that is longer ago than the last use of a.
    expect(removed).toEqual(['b', 'c']);
  });

  it('removes all that is unused when the node needs the disk', async () => {
    const { gc, removed } = collector([image('a', 4), image('used', 4)], ['used'], { capacity: 100, available: 50 });
    expect(await gc.removeUnused()).toBe(4);
    expect(removed).toEqual(['a']);
  });
});
