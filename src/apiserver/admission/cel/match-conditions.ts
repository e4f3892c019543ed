import type { Bindings, Variables } from '../../../api/cel/compile.ts';
import { BOOL } from '../../../api/cel/types.ts';
import type { MatchCondition } from '../../../api/types/admissionregistration-v1.ts';
import { type Budget, Expression } from './expression.ts';

/** Compiles match conditions, for `holdAll`. */
export const compileConditions = (
  conditions: readonly MatchCondition[] | undefined,
  variables: Variables,
): readonly Expression[] => (conditions ?? []).map(({ expression }) => new Expression(expression, variables, [BOOL]));

/**
 * Whether all conditions hold. One that does not is enough, whatever fails. A failure is a no where failures are let pass, and else thrown as
 * an Error that tells all of them.
 */
export function holdAll(conditions: readonly Expression[], bindings: Bindings, budget: Budget, failsOpen: boolean): boolean {
  const failures: string[] = [];
  for (const condition of conditions) {
    try {
      if (condition.evaluate(bindings, budget) === false) return false;
    } catch (err) {
      failures.push((err as Error).message);
      if (budget.left < 0) break;
    }
  }
  if (failures.length === 0) return true;
  if (failsOpen) return false;
  const all = [...new Set(failures)];
  throw new Error(all.length === 1 ? all[0] : `[${all.join(', ')}]`);
}
