import { apiVersionOf, type KubernetesObject } from '../../../api/meta/object.ts';
import type { Resource } from '../../../api/resource.ts';
import { deepFreeze } from '../../../util/deep-freeze.ts';

/** Two versions of one stored type. */
export interface AsVersion {
  readonly from: Resource;
  readonly to: Resource;
}

/** The object in another version of its type; as it is when none is asked for. */
export function convertObject(object: KubernetesObject | undefined, as: AsVersion | undefined): KubernetesObject | undefined {
  if (object === undefined || as === undefined) return object;
  const { from, to } = as;
  const stored = from.conversion === undefined ? object : from.conversion.toStorage(object);
  const converted = to.conversion === undefined ? stored : to.conversion.fromStorage(stored);
  return deepFreeze({ ...converted, kind: to.kind, apiVersion: apiVersionOf(to) });
}

/** The way back. */
export const reversed = (as: AsVersion | undefined): AsVersion | undefined =>
  as === undefined ? undefined : { from: as.to, to: as.from };
