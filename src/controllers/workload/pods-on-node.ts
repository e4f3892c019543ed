import type { Pod } from '../../api/types/core-v1.ts';
import type { Informer } from '../../client/contract.ts';

const BY_NODE = 'node';
const NONE: readonly string[] = [];

/** Files pods by the node they are bound to; asking twice costs nothing. */
export function indexByNode(pods: Informer<Pod>): void {
  pods.addIndex(BY_NODE, (pod) => (pod.spec?.nodeName ? [pod.spec.nodeName] : NONE));
}

/** The pods bound to a node. */
export function podsOnNode(pods: Informer<Pod>, node: string): readonly Pod[] {
  return pods.byIndex(BY_NODE, node);
}
