import type { Pod } from '../../api/types/core-v1.ts';
import type { Informer } from '../../client/contract.ts';

const BY_CLAIM = 'claim';

/** The claims a pod uses, ephemeral ones by the name they get. */
export function claimsOfPod(pod: Pod): readonly string[] {
  const names: string[] = [];
  for (const { name, persistentVolumeClaim, ephemeral } of pod.spec?.volumes ?? []) {
    if (persistentVolumeClaim !== undefined) names.push(persistentVolumeClaim.claimName);
    else if (ephemeral !== undefined) names.push(`${pod.metadata?.name}-${name}`);
  }
  return names;
}

/** Files pods by the keys of the claims they use; asking twice costs nothing. */
export function indexByClaim(pods: Informer<Pod>): void {
  pods.addIndex(BY_CLAIM, (pod) => claimsOfPod(pod).map((name) => `${pod.metadata?.namespace}/${name}`));
}

export const podsOfClaim = (pods: Informer<Pod>, key: string): readonly Pod[] => pods.byIndex(BY_CLAIM, key);
