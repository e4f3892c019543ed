/**
 * The pod network: a bridge on each node with addresses from the node's own range (CNI, configured here, carried out by the runtime), and
 * routes between the nodes. Which routes there shall be is pure (`routes.ts`); the machine is touched in `host.ts` alone.
 */
export { type Host, linuxHost } from './host.ts';
export { CNI_CONFIG_FILE, createPodNetwork, type PodNetworkController } from './pod-network.ts';
