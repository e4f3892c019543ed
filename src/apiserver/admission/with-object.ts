import type { KubernetesObject } from '../../api/meta/object.ts';
import type { AdmissionAttributes } from '../contract.ts';

/** The attributes of the same write with another object. */
export function withObject(attributes: AdmissionAttributes, object: KubernetesObject | undefined): AdmissionAttributes {
  const { operation, kind, resource, subresource, namespace, name, oldObject, options, user, dryRun, definition } = attributes;
  return {
    ...{ operation, kind, resource, subresource, namespace, name, object, oldObject, options, user, dryRun, definition },
    warn: (text) => attributes.warn(text),
    annotate: (key, value) => attributes.annotate(key, value),
  };
}
