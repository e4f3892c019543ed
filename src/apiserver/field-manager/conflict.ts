import { type Conflict, showPath } from '../../api/apply/index.ts';
import { applyConflict, type StatusError } from '../../api/meta/status.ts';
import type { Managed, Writer } from './entries.ts';

/** The 409 of an apply that others' fields are in the way of: a cause for each field. The conflicts are in the order of their owners. */
export function conflictStatus(conflicts: readonly Conflict[], managed: Managed): StatusError {
  const causes = conflicts.map(({ owner, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${ownerText(managed.get(owner)!)}`,
    field: showPath(path),
  }));
  return applyConflict(message(conflicts, managed), causes);
}

function message(conflicts: readonly Conflict[], managed: Managed): string {
  const [first] = conflicts;
  if (first !== undefined && conflicts.length === 1) {
    return `Apply failed with 1 conflict: conflict with ${ownerText(managed.get(first.owner)!)}: ${showPath(first.path)}`;
  }
  const lines: string[] = [];
  let owner: string | undefined;
  for (const conflict of conflicts) {
    if (conflict.owner !== owner) lines.push(`conflicts with ${ownerText(managed.get(conflict.owner)!)}:`);
    owner = conflict.owner;
    lines.push(`- ${showPath(conflict.path)}`);
  }
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`;
}

/** `"kubectl" with subresource "scale" using apps/v1`; the version only of those who update. */
function ownerText({ manager, operation, apiVersion, subresource }: Writer): string {
  const through = subresource === '' ? '' : ` with subresource ${JSON.stringify(subresource)}`;
  const version = operation === 'Update' ? ` using ${apiVersion}` : '';
  return `${JSON.stringify(manager)}${through}${version}`;
}
