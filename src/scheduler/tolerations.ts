import type { Taint, Toleration } from '../api/types/core-v1.ts';

/** Whether a toleration covers a taint (core/v1 Toleration.ToleratesTaint; `Gt` and `Lt` by KEP-5471). */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  switch (toleration.operator || 'Equal') {
    case 'Exists':
      return true;
    case 'Equal':
      return Boolean(toleration.key) && (toleration.value ?? '') === (taint.value ?? '');
    case 'Gt':
    case 'Lt': {
      const [limit, actual] = [integer(toleration.value), integer(taint.value)];
      if (limit === undefined || actual === undefined) return false;
      return toleration.operator === 'Gt' ? actual > limit : actual < limit;
    }
    default:
      return false;
  }
}

const integer = (text: string | undefined): bigint | undefined =>
  /^-?[0-9]{1,19}$/.test(text ?? '') ? BigInt(text!) : undefined;

/** Whether every one of the taints is covered. */
export function toleratesAll(tolerations: readonly Toleration[], taints: readonly Taint[]): boolean {
  for (let i = 0; i < taints.length; i++) {
    let covered = false;
    for (let j = 0; j < tolerations.length && !covered; j++) covered = tolerates(tolerations[j]!, taints[i]!);
    if (!covered) return false;
  }
  return true;
}
