import type { Namespace } from '../../../api/types/core-v1.ts';
import type { AdmissionAttributes, ApiAccess } from '../../contract.ts';

/** The namespace that a write is in; undefined for what is in none, a namespace included. */
export function namespaceOf({ namespace, kind }: AdmissionAttributes, access: ApiAccess): Namespace | undefined {
  if (namespace === '' || (kind.group === '' && kind.kind === 'Namespace')) return undefined;
  return access.view<Namespace>('', 'namespaces')?.get('', namespace);
}
