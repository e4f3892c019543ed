import { forbiddenError, type StatusError } from '../../api/meta/status.ts';
import type { AdmissionAttributes } from '../contract.ts';

/** The 403 of an admission plugin (admission.NewForbidden): names the object, or the base of the name that it will get. */
export function refuse(attributes: AdmissionAttributes, cause: string): StatusError {
  const { resource, object } = attributes;
  const name = attributes.name || object?.metadata?.name || object?.metadata?.generateName || 'Unknown';
  return forbiddenError(resource, name, cause);
}
