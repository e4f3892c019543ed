import type { Taint, Toleration } from '../../types/core-v1.ts';

/** Whether a toleration covers a taint (core/v1 Toleration.ToleratesTaint; `Gt` and `Lt` by KEP-5471). */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  const { effect = '', key = '', value = '' } = toleration;
  if (effect !== '' && effect !== taint.effect) return false;
  if (key !== '' && key !== taint.key) return false;
  const own = taint.value ?? '';
  switch (toleration.operator || 'Equal') {
    case 'Exists':
      return true;
    case 'Equal':
      return value === own;
    case 'Lt':
    case 'Gt': {
      if (!isInteger(own) || !isInteger(value)) return false;
      return toleration.operator === 'Lt' ? BigInt(own) < BigInt(value) : BigInt(own) > BigInt(value);
    }
    default:
      return false;
  }
}

const isInteger = (text: string): boolean => /^(0|-?[1-9][0-9]*)$/.test(text);

/** Whether one of the tolerations covers the taint. A loop, for schedulers ask it of every node. */
export function isTolerated(tolerations: readonly Toleration[], taint: Taint): boolean {
  for (let i = 0; i < tolerations.length; i++) if (tolerates(tolerations[i]!, taint)) return true;
  return false;
}

/** Whether every one of the taints is covered. */
export function toleratesAll(tolerations: readonly Toleration[], taints: readonly Taint[]): boolean {
  for (let i = 0; i < taints.length; i++) if (!isTolerated(tolerations, taints[i]!)) return false;
  return true;
}
