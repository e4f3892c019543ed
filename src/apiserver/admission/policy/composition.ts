import { policyVariables, type VariableOptions } from '../../../api/cel/admission-variables.ts';
import type { Bindings, Variables } from '../../../api/cel/compile.ts';
import type { Type } from '../../../api/cel/types.ts';
import type { Variable } from '../../../api/types/admissionregistration-v1.ts';
import { type Budget, ComposedVariables, Expression } from '../cel/expression.ts';

/** The expressions that a policy names, for its other expressions to use. */
export class Composition {
  readonly #expressions = new Map<string, Expression>();
  readonly #types = new Map<string, Type | undefined>();

  constructor(variables: readonly Variable[] | undefined, options: VariableOptions) {
    for (const { name, expression } of variables ?? []) {
      // A variable sees those before it.
      const compiled = new Expression(expression, this.declarations(options));
      this.#expressions.set(name, compiled);
      this.#types.set(name, compiled.type);
    }
  }

  /** What expressions of the policy are compiled against. */
  declarations(options: VariableOptions): Variables {
    return policyVariables(options, this.#types);
  }

  /** The bindings with `variables`, which spend from the budget when they are looked at. */
  bind(bindings: Bindings, budget: Budget): Bindings {
    return { ...bindings, variables: new ComposedVariables(this.#expressions, bindings, budget) };
  }
}
