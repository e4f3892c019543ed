import type { Plugin } from './framework.ts';
import { imageLocality } from './plugins/image-locality.ts';
import { interPodAffinity } from './plugins/inter-pod-affinity.ts';
import { nodeAffinity } from './plugins/node-affinity.ts';
import { nodePorts } from './plugins/node-ports.ts';
import { nodeName, nodeUnschedulable, taintToleration } from './plugins/node-selection.ts';
import { podTopologySpread } from './plugins/pod-topology-spread.ts';
import { balancedAllocation, nodeResourcesFit } from './plugins/resources.ts';

/** The default profile: upstream's plugins in upstream's order, which is the order in which their filters are asked. */
export const defaultPlugins: readonly Plugin[] = [
  nodeUnschedulable,
  nodeName,
  taintToleration,
  nodeAffinity,
  nodePorts,
  nodeResourcesFit,
  podTopologySpread,
  interPodAffinity,
  balancedAllocation,
  imageLocality,
];
