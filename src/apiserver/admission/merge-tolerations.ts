import { deepEqual } from '../../api/groups/define.ts';
import type { Toleration } from '../../api/types/core-v1.ts';

/** Both lists without those tolerations that another one includes (upstream's tolerations.MergeTolerations). */
export function mergeTolerations(first: readonly Toleration[], second: readonly Toleration[]): readonly Toleration[] {
  const all = [...first, ...second];
  const merged: Toleration[] = [];
  all.forEach((toleration, i) => {
    if (merged.some((m) => includes(m, toleration))) return;
    // Of equals, the first stays.
    if (all.slice(i + 1).some((later) => !deepEqual(later, toleration) && includes(later, toleration))) return;
    merged.push(toleration);
  });
  return merged;
}

/** Whether everything that `b` tolerates, `a` does too. */
function includes(a: Toleration, b: Toleration): boolean {
  if (deepEqual(a, b)) return true;
  if ((a.key ?? '') !== (b.key ?? '') && (a.key || a.operator !== 'Exists')) return false;
  if (a.effect && a.effect !== b.effect) return false;
  if (a.effect === 'NoExecute' && a.tolerationSeconds !== undefined) {
    if (b.tolerationSeconds === undefined || b.tolerationSeconds > a.tolerationSeconds) return false;
  }
  if (a.operator === 'Exists') return true;
  return (!a.operator || a.operator === 'Equal') && b.operator === 'Equal' && (a.value ?? '') === (b.value ?? '');
}
