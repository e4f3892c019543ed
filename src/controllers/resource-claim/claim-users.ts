import type { Pod } from '../../api/types/core-v1.ts';
import type { Informer } from '../../client/contract.ts';
import { claimsUsedBy } from './plan.ts';

const BY_CLAIM = 'resource-claim';

/** Files pods by the keys of the resource claims they use; asking twice costs nothing. */
export function indexByResourceClaim(pods: Informer<Pod>): void {
  pods.addIndex(BY_CLAIM, (pod) => {
    const names = claimsUsedBy(pod);
    return names.length === 0 ? names : names.map((name) => `${pod.metadata?.namespace}/${name}`);
  });
}

/** The pods that use the resource claim of this key. */
export const podsOfResourceClaim = (pods: Informer<Pod>, key: string): readonly Pod[] => pods.byIndex(BY_CLAIM, key);
