import { CompileError, ProgramError } from './ast.ts';
import { type Checked, check } from './checker.ts';
import { estimateCost } from './cost-estimate.ts';
import type { DeclType } from './decl-type.ts';
import { type Compiled, CostLimitError, compileChecked, type Frame } from './evaluator.ts';
import type { Range } from './functions.ts';
import { kubernetesFunctions } from './libraries.ts';
import { parse } from './parser.ts';
import type { Type } from './types.ts';
import { CelError, type Value } from './values.ts';

/** What one evaluation may cost (apiserver/pkg/apis/cel PerCallLimit): about a tenth of a second of Go's. */
export const PER_CALL_LIMIT = 1_000_000;

/** The variables of an expression: a type, or a part of a schema, whose bounds estimates then use. */
export type Variables = Readonly<Record<string, Type | DeclType>>;

export interface CompileOptions {
  /** Types that the expression may construct. */
  readonly structs?: ReadonlyMap<string, Type>;
}

/** A value, or a function that makes it when it is first wanted. Undefined: not there. */
export type Bindings = Readonly<Record<string, Value | (() => Value) | undefined>>;

/** A compiled expression. It may be evaluated any number of times. */
export interface Program {
  readonly source: string;
  /** The type of what it gives. */
  readonly type: Type;
  /** Which variables it uses. */
  readonly references: ReadonlySet<string>;
  /** What it may cost at least and at most. */
  estimate(): Range;
  /**
   * The value, and what it cost. Throws a CelError when evaluation fails, and a CostLimitError beyond the limit; both carry the cost as
   * `costOf` tells it.
   */
  evaluate(bindings: Bindings, options?: { readonly costLimit?: number }): { readonly value: Value; readonly cost: number };
}

const costs = new WeakMap<object, number>();

/** What an evaluation cost until this error ended it. */
export const costOf = (error: unknown): number => (typeof error === 'object' && error !== null ? (costs.get(error) ?? 0) : 0);

/**
 * Compiles an expression against its variables, with Kubernetes' libraries. This is the door for admission: match conditions, policies.
 * Throws a CompileError.
 */
export function compileExpression(source: string, variables: Variables, options: CompileOptions = {}): Program {
  const types = new Map<string, Type>();
  const declared = new Map<string, DeclType>();
  for (const [name, variable] of Object.entries(variables)) {
    if ('maxElements' in variable) declared.set(name, variable);
    types.set(name, 'maxElements' in variable ? variable.type : variable);
  }
  const expr = parse(source);
  const declarations = { variables: types, functions: kubernetesFunctions, ...options };
  return new CompiledProgram(check(source, expr, declarations), declared);
}

class CompiledProgram implements Program {
  readonly #checked: Checked;
  readonly #declared: ReadonlyMap<string, DeclType>;
  #compiled: Compiled | undefined;

  constructor(checked: Checked, declared: ReadonlyMap<string, DeclType>) {
    this.#checked = checked;
    this.#declared = declared;
  }

  get source(): string {
    return this.#checked.source;
  }

  get type(): Type {
    return this.#checked.type;
  }

  get references(): ReadonlySet<string> {
    return this.#checked.references;
  }

  estimate(): Range {
    return estimateCost(this.#checked, kubernetesFunctions, this.#declared);
  }

  evaluate(
    bindings: Bindings,
    { costLimit = PER_CALL_LIMIT }: { readonly costLimit?: number } = {},
  ): { readonly value: Value; readonly cost: number } {
    this.#compiled ??= compileChecked(this.#checked, kubernetesFunctions);
    const { evaluate, variables, slots } = this.#compiled;
    const frame: Frame = { slots: new Array<undefined>(slots), cost: 0, limit: costLimit };
    for (let i = 0; i < variables.length; i++) frame.slots[i] = bindings[variables[i]!];
    try {
      return { value: evaluate(frame), cost: frame.cost };
    } catch (err) {
      const error = err instanceof RangeError ? new CelError('evaluation nests too deeply') : err;
      costs.set(error as object, frame.cost);
      throw error;
    }
  }
}

export { CelError, CompileError, CostLimitError, ProgramError };
