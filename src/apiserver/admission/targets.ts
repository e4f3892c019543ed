import type { AdmissionOperation, AdmissionTarget } from '../contract.ts';

/** Whether a write is one of `operations` on a resource itself, in any version, and on no subresource of it. */
export function isWriteOf(
  target: AdmissionTarget,
  group: string,
  resource: string,
  ...operations: AdmissionOperation[]
): boolean {
  return (
    target.resource === resource &&
    target.group === group &&
    target.subresource === '' &&
    (operations.length === 0 || operations.includes(target.operation))
  );
}
