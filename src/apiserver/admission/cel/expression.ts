import {
  type Bindings,
  type CompileOptions,
  costOf,
  PER_CALL_LIMIT,
  type Program,
  type Variables,
} from '../../../api/cel/compile.ts';
import { compileTyped } from '../../../api/cel/typed-expression.ts';
import type { Type } from '../../../api/cel/types.ts';
import { CelError, MapValue, type Value } from '../../../api/cel/values.ts';

/** What all expressions of a policy may cost together for one request, and the match conditions of a webhook or policy. */
export const POLICY_BUDGET = 10_000_000;
export const MATCH_CONDITIONS_BUDGET = POLICY_BUDGET / 4;

/** What is left of a budget while expressions are evaluated. */
export interface Budget {
  left: number;
}

/** The budget is spent: nothing more is evaluated. */
export class BudgetError extends Error {
  constructor() {
    super('validation failed due to running out of cost budget, no further validation rules will be run');
  }
}

/** The expression cannot be compiled, or its evaluation failed. */
export class ExpressionError extends Error {}

/** One expression. What is wrong with it is told when it is evaluated: policies may be older than the rules that they break. */
export class Expression {
  readonly source: string;
  readonly #program: Program | undefined;
  readonly #fault: string | undefined;

  /** `results`: the types that it may have; any when left out. */
  constructor(source: string, variables: Variables, results?: readonly Type[], options?: CompileOptions) {
    this.source = source;
    const { program, fault } = compileTyped(source, variables, results, options);
    this.#program = program;
    this.#fault = fault;
  }

  /** The type of what it gives; undefined when it does not compile. */
  get type(): Type | undefined {
    return this.#program?.type;
  }

  /** Throws an ExpressionError, or a BudgetError once the budget is spent. */
  evaluate(bindings: Bindings, budget: Budget): Value {
    if (this.#fault !== undefined) throw new ExpressionError(`compilation error: ${this.#fault}`);
    return this.#run(bindings, budget, (message) => `expression '${this.source}' resulted in error: ${message}`);
  }

  /** As `evaluate`, for a variable that others are made of. */
  evaluateVariable(name: string, bindings: Bindings, budget: Budget): Value {
    const quoted = JSON.stringify(name);
    if (this.#fault !== undefined) throw new CelError(`composited variable ${quoted} fails to compile: ${this.#fault}`);
    return this.#run(bindings, budget, (message) => `composited variable ${quoted} fails to evaluate: ${message}`, CelError);
  }

  #run(
    bindings: Bindings,
    budget: Budget,
    describe: (message: string) => string,
    Failure: new (message: string) => Error = ExpressionError,
  ): Value {
    let cost = 0;
    try {
      const result = this.#program!.evaluate(bindings, { costLimit: PER_CALL_LIMIT });
      cost = result.cost;
      return result.value;
    } catch (err) {
      if (err instanceof BudgetError) throw err;
      cost = costOf(err);
      throw new Failure(describe((err as Error).message));
    } finally {
      spend(budget, cost);
    }
  }
}

function spend(budget: Budget, cost: number): void {
  if (cost > budget.left) {
    budget.left = -1;
    throw new BudgetError();
  }
  budget.left -= cost;
}

/** The `variables` of a policy: each evaluated when it is first looked at, once. */
export class ComposedVariables extends MapValue {
  readonly #expressions: ReadonlyMap<string, Expression>;
  readonly #bindings: Bindings;
  readonly #budget: Budget;
  readonly #known = new Map<string, Value | CelError>();

  constructor(expressions: ReadonlyMap<string, Expression>, bindings: Bindings, budget: Budget) {
    super();
    this.#expressions = expressions;
    this.#bindings = { ...bindings, variables: this };
    this.#budget = budget;
  }

  get size(): number {
    return this.#expressions.size;
  }

  find(key: Value): Value | undefined {
    const expression = typeof key === 'string' ? this.#expressions.get(key) : undefined;
    if (expression === undefined) return undefined;
    const name = key as string;
    let value = this.#known.get(name);
    if (value === undefined) {
      try {
        value = expression.evaluateVariable(name, this.#bindings, this.#budget);
      } catch (err) {
        if (!(err instanceof CelError)) throw err;
        value = err;
      }
      this.#known.set(name, value);
    }
    if (value instanceof CelError) throw value;
    return value;
  }

  keys(): Iterable<Value> {
    return this.#expressions.keys();
  }
}
