import { type ClusterView, MAX_NODE_SCORE, type Plugin, type PodPlan } from '../framework.ts';
import type { PodInfo } from '../pod-info.ts';

const MIN_IMAGE_BYTES = 23 * 1024 * 1024;
const MAX_IMAGE_BYTES = 1000 * 1024 * 1024;

/** ImageLocality: nodes that have the pod's images already score, larger images more, rare ones less. */
export const imageLocality: Plugin = {
  name: 'ImageLocality',
  weight: 1,
  local: true,
  hints: [],
  /** How common each image is. */
  signature(pod, view) {
    const counts = imagesOf(pod).map((image) => view.cache.nodesWithImage(image));
    return counts.every((count) => count === 0) ? '' : `${counts.join()} of ${view.cache.nodes.length}`;
  },
  plan(pod, view): PodPlan | undefined {
    const images = imagesOf(pod);
    const spread = images.map((image) => view.cache.nodesWithImage(image));
    if (spread.every((count) => count === 0)) return undefined;
    const max = MAX_IMAGE_BYTES * images.length;
    const total = totalNodes(view);
    return {
      score: (node) => {
        let bytes = 0;
        for (let i = 0; i < images.length; i++) {
          const size = node.images.get(images[i]!);
          if (size !== undefined) bytes += Math.trunc(size * (spread[i]! / total));
        }
        const clamped = Math.max(MIN_IMAGE_BYTES, Math.min(bytes, max));
        return Math.trunc((MAX_NODE_SCORE * (clamped - MIN_IMAGE_BYTES)) / (max - MIN_IMAGE_BYTES));
      },
    };
  },
};

const totalNodes = (view: ClusterView): number => Math.max(1, view.cache.nodes.length);

function imagesOf({ pod: { spec } }: PodInfo): readonly string[] {
  const images: string[] = [];
  for (const c of spec?.initContainers ?? []) images.push(normalizedImage(c.image ?? ''));
  for (const c of spec?.containers ?? []) images.push(normalizedImage(c.image ?? ''));
  return images;
}

/** Nodes list images with their tags. */
function normalizedImage(name: string): string {
  return name.lastIndexOf(':') <= name.lastIndexOf('/') ? `${name}:latest` : name;
}
