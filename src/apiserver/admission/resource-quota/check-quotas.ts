import type { KubernetesObject } from '../../../api/meta/object.ts';
import {
  type Amounts,
  addAmounts,
  amountsOf,
  describeAmounts,
  exceeding,
  maskAmounts,
  matchesQuota,
  type QuotaEvaluator,
  quotaEvaluator,
  subtractToZero,
  withoutZeros,
} from '../../../api/quota/index.ts';
import type { ResourceQuota } from '../../../api/types/core-v1.ts';
import type { AdmissionAttributes } from '../../contract.ts';
import { refuse } from '../refusal.ts';

/** A quota while requests are charged to it: what it allows, and what is used by now. */
export interface RunningQuota {
  readonly quota: ResourceQuota;
  readonly hard: Amounts;
  readonly used: Amounts;
}

/** The quotas as they stand after a request, in the same order; the same list when it costs nothing. Throws Forbidden when it does not fit. */
export function chargeQuotas(
  quotas: readonly RunningQuota[],
  attributes: AdmissionAttributes,
  now: number,
): readonly RunningQuota[] {
  const { object, oldObject, operation, resource } = attributes;
  if (object === undefined) return quotas;
  const evaluator = quotaEvaluator(resource.group, resource.resource);
  const matching = quotas.filter((q) => matchesQuota(evaluator, q.quota, q.hard.keys(), object));
  for (const quota of matching) checkConstraint(attributes, evaluator, quota, object);
  if (matching.length === 0) return quotas;
  const usage = evaluator.usage(object, now);
  const negative = [...usage].filter(([, amount]) => amount.sign < 0).map(([name]) => name);
  if (negative.length > 0) {
    throw refuse(attributes, `quota usage is negative for resource(s): ${negative.sort().join(',')}`);
  }
  const before = operation === 'UPDATE' && oldObject !== undefined ? evaluator.usage(oldObject, now) : undefined;
  let charged = false;
  const after = quotas.map((q) => {
    if (!matching.includes(q)) return q;
    // What a quota did not count before counts in full.
    const counted = before !== undefined && matchesQuota(evaluator, q.quota, q.hard.keys(), oldObject!);
    const delta = withoutZeros(maskAmounts(counted ? subtractToZero(usage, before) : usage, q.hard.keys()));
    if (delta.size === 0) return q;
    charged = true;
    return charge(attributes, q, delta);
  });
  return charged ? after : quotas;
}

function checkConstraint(
  attributes: AdmissionAttributes,
  evaluator: QuotaEvaluator,
  { quota, hard }: RunningQuota,
  object: KubernetesObject,
): void {
  const names = [...hard.keys()].filter((name) => evaluator.counts(name));
  const fault = evaluator.constraint?.(names, object);
  if (fault !== undefined) throw refuse(attributes, `failed quota: ${quota.metadata?.name}: ${fault}`);
}

function charge(attributes: AdmissionAttributes, running: RunningQuota, delta: Amounts): RunningQuota {
  const { quota, hard } = running;
  const used = addAmounts(running.used, delta);
  const exceeded = exceeding(maskAmounts(used, delta.keys()), hard);
  if (exceeded.length > 0) {
    const told = (amounts: Amounts): string => describeAmounts(maskAmounts(amounts, exceeded));
    throw refuse(
      attributes,
      `exceeded quota: ${quota.metadata?.name}, requested: ${told(delta)}, used: ${told(running.used)}, limited: ${told(hard)}`,
    );
  }
  return { quota, hard, used };
}

/** The quota as its status tells; `measure` counts what the status does not tell of what is limited. */
export async function runningQuota(
  quota: ResourceQuota,
  measure: (names: readonly string[]) => Promise<Amounts>,
): Promise<RunningQuota> {
  const hard = amountsOf(quota.spec?.hard);
  const told = maskAmounts(amountsOf(quota.status?.used), hard.keys());
  const unknown = [...hard.keys()].filter((name) => !told.has(name));
  return { quota, hard, used: unknown.length === 0 ? told : addAmounts(told, await measure(unknown)) };
}
