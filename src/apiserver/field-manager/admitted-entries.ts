import type { KubernetesObject } from '../../api/meta/object.ts';
import { ManagedFieldsError, readManaged } from './entries.ts';

const WARNING =
  '.metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating admission controller; please fix your requests: ';

/**
 * The object as mutating admission left it; with the entries it had before when what came of them cannot be read, and a warning then.
 * Upstream's NewManagedFieldsValidatingAdmissionController.
 */
export function withReadableEntries<T extends KubernetesObject>(admitted: T, before: KubernetesObject, warnings: string[]): T {
  const entries = admitted.metadata?.managedFields;
  const kept = before.metadata?.managedFields;
  if (entries === kept) return admitted;
  try {
    readManaged(entries);
    return admitted;
  } catch (err) {
    if (!(err instanceof ManagedFieldsError)) throw err;
    warnings.push(WARNING + err.message);
    const { managedFields: _unreadable, ...metadata } = admitted.metadata ?? {};
    return { ...admitted, metadata: kept === undefined ? metadata : { ...metadata, managedFields: kept } };
  }
}
