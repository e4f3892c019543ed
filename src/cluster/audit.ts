import { readFile } from 'node:fs/promises';
import { AuditLog } from '../apiserver/audit/audit-log.ts';
import { parseAuditPolicy } from '../apiserver/audit/policy.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import type { ClusterConfig } from './config.ts';
import { UserError } from './layout.ts';

/** The log of requests that the configuration asks for; undefined for none. Throws `UserError` for a policy that is none. */
export async function auditLogOf(config: ClusterConfig, clock: Clock, logger: Logger): Promise<AuditLog | undefined> {
  const { auditPolicyFile, auditLogPath } = config;
  // As upstream has it: a policy without a log records nothing, and neither does a log without a policy.
  if (!auditPolicyFile || !auditLogPath) return undefined;
  try {
    const policy = parseAuditPolicy(await readFile(auditPolicyFile, 'utf8'));
    return new AuditLog({ policy, path: auditLogPath, clock, logger });
  } catch (err) {
    throw new UserError(`The audit policy ${auditPolicyFile} cannot be used: ${(err as Error).message}`);
  }
}
