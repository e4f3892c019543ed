import { X509Certificate } from 'node:crypto';
import { parseTime } from '../../api/meta/time.ts';
import type { CertificateSigningRequest } from '../../api/types/certificates-v1.ts';

const DECIDED_MS = 3_600_000;
const PENDING_MS = 24 * 3_600_000;

/**
 * When a request is to be deleted, milliseconds since the epoch: an hour after it was denied, failed, or was approved and issued; a day after it
 * was made when it waits for a decision or its certificate; and at once when the certificate has ended. Pure.
 */
export function expiryOf({ metadata, status }: CertificateSigningRequest): number {
  const times: number[] = [];
  const issued = (status?.certificate ?? '') !== '';
  let waits = true;
  for (const { type, lastUpdateTime } of status?.conditions ?? []) {
    const at = parseTime(lastUpdateTime);
    if (at === undefined) continue;
    if (type === 'Denied' || type === 'Failed' || (type === 'Approved' && issued)) {
      times.push(at + DECIDED_MS);
      waits = false;
    }
  }
  if (waits) times.push((parseTime(metadata?.creationTimestamp) ?? 0) + PENDING_MS);
  const end = issued ? certificateEnd(status!.certificate!) : undefined;
  if (end !== undefined) times.push(end);
  return Math.min(...times);
}

/** The end of an issued certificate; undefined when it cannot be read. */
function certificateEnd(base64: string): number | undefined {
  try {
    return Date.parse(new X509Certificate(Buffer.from(base64, 'base64')).validTo);
  } catch {
    // Whoever made it knows better; it goes with the decision.
    return undefined;
  }
}
