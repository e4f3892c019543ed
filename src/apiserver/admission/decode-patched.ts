import type { GroupVersionKind, KubernetesObject } from '../../api/meta/object.ts';
import type { Resource } from '../../api/resource.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { decodeValue } from '../rest/decode-body.ts';

/** What a patch made, decoded and with defaults as if it had been sent so. `type` is undefined for what is not stored. Frozen. */
export function decodePatched(value: KubernetesObject, type: Resource | undefined, kind: GroupVersionKind): KubernetesObject {
  // Subresources may speak a kind of their own.
  if (type === undefined || type.kind !== kind.kind || type.group !== kind.group) return deepFreeze(value);
  return deepFreeze(type.defaults(decodeValue<KubernetesObject>(type, value).object));
}
