import type { CallExpr, Expr, ListExpr, LiteralExpr } from './ast.ts';
import { SyntaxIssue } from './lexer.ts';

/** The name of the accumulator of every macro that is not a `cel.bind`. */
export const ACCUMULATOR = '__result__';

/** Expands a call that is a macro; undefined when it is none. `target` is the receiver. Throws a SyntaxIssue for a wrong use. */
export function expandMacro(name: string, target: Expr | undefined, args: readonly Expr[], at: number): Expr | undefined {
  const macro = macros[`${name}:${args.length}:${target === undefined ? 'global' : 'member'}`];
  return macro === undefined ? undefined : macro(target!, args, at);
}

type Macro = (target: Expr, args: readonly Expr[], at: number) => Expr | undefined;

const literal = (type: LiteralExpr['type'], value: LiteralExpr['value'], at: number): LiteralExpr => ({
  kind: 'literal',
  type,
  value,
  at,
});
const ident = (name: string, at: number): Expr => ({ kind: 'ident', name, at });
const call = (name: string, at: number, ...args: readonly Expr[]): CallExpr => ({
  kind: 'call',
  name,
  target: undefined,
  args,
  at,
});
const list = (at: number, ...items: readonly Expr[]): ListExpr => ({ kind: 'list', items, optional: new Set(), at });
const accumulator = (at: number): Expr => ident(ACCUMULATOR, at);
const bool = (value: boolean, at: number): Expr => literal('bool', value, at);

function variableOf(expr: Expr): string {
  if (expr.kind !== 'ident') throw new SyntaxIssue(expr.at, 'argument must be a simple name');
  if (expr.name === ACCUMULATOR) throw new SyntaxIssue(expr.at, 'iteration variable overwrites accumulator variable');
  return expr.name;
}

/** One or two iteration variables. */
function variablesOf(args: readonly Expr[], two: boolean): { readonly variable: string; readonly variable2: string | undefined } {
  const variable = variableOf(args[0]!);
  if (!two) return { variable, variable2: undefined };
  const variable2 = variableOf(args[1]!);
  if (variable === variable2) throw new SyntaxIssue(args[1]!.at, `duplicate variable name: ${variable}`);
  return { variable, variable2 };
}

interface Fold {
  readonly init: Expr;
  readonly condition: Expr;
  readonly step: Expr;
  readonly result: Expr;
}

function fold(range: Expr, args: readonly Expr[], two: boolean, at: number, parts: Fold): Expr {
  return { kind: 'comprehension', range, ...variablesOf(args, two), accumulator: ACCUMULATOR, ...parts, at };
}

const all =
  (two: boolean): Macro =>
  (range, args, at) =>
    fold(range, args, two, at, {
      init: bool(true, at),
      condition: call('@not_strictly_false', at, accumulator(at)),
      step: call('_&&_', at, accumulator(at), args[two ? 2 : 1]!),
      result: accumulator(at),
    });

const exists =
  (two: boolean): Macro =>
  (range, args, at) =>
    fold(range, args, two, at, {
      init: bool(false, at),
      condition: call('@not_strictly_false', at, call('!_', at, accumulator(at))),
      step: call('_||_', at, accumulator(at), args[two ? 2 : 1]!),
      result: accumulator(at),
    });

const existsOne =
  (two: boolean): Macro =>
  (range, args, at) =>
    fold(range, args, two, at, {
      init: literal('int', 0n, at),
      condition: bool(true, at),
      step: call('_?_:_', at, args[two ? 2 : 1]!, call('_+_', at, accumulator(at), literal('int', 1n, at)), accumulator(at)),
      result: call('_==_', at, accumulator(at), literal('int', 1n, at)),
    });

/** `map`, `filter` and `transformList`: the accumulator grows by `item` where `filter` says so. */
function grow(range: Expr, args: readonly Expr[], two: boolean, at: number, filter: Expr | undefined, item: Expr): Expr {
  const step = call('_+_', at, accumulator(at), list(at, item));
  return fold(range, args, two, at, {
    init: list(at),
    condition: bool(true, at),
    step: filter === undefined ? step : call('_?_:_', at, filter, step, accumulator(at)),
    result: accumulator(at),
  });
}

function growMap(range: Expr, args: readonly Expr[], at: number, filter: Expr | undefined, insert: CallExpr): Expr {
  return fold(range, args, true, at, {
    init: { kind: 'map', entries: [], at },
    condition: bool(true, at),
    step: filter === undefined ? insert : call('_?_:_', at, filter, insert, accumulator(at)),
    result: accumulator(at),
  });
}

const has: Macro = (_target, args, at) => {
  const arg = args[0]!;
  if (arg.kind !== 'select' || arg.test) throw new SyntaxIssue(at, 'invalid argument to has() macro');
  return { ...arg, test: true };
};

/** A fold over nothing, whose accumulator is the variable (cel-go's way to bind one). */
export const bind = (variable: string, value: Expr, result: Expr, at: number): Expr => ({
  kind: 'comprehension',
  range: list(at),
  variable: '#unused',
  variable2: undefined,
  accumulator: variable,
  init: value,
  condition: bool(false, at),
  step: ident(variable, at),
  result,
  at,
});

const isNamespace = (target: Expr, name: string): boolean => target.kind === 'ident' && target.name === name;

const member = (target: Expr, name: string, at: number, ...args: readonly Expr[]): Expr => ({
  kind: 'call',
  name,
  target,
  args,
  at,
});

const optMap =
  (flat: boolean): Macro =>
  (operand, args, at) => {
    const target = { ...operand, shared: true };
    const variable = variableOf(args[0]!);
    const value = bind(variable, member(target, 'value', at), args[1]!, at);
    return call(
      '_?_:_',
      at,
      member(target, 'hasValue', at),
      flat ? value : call('optional.of', at, value),
      call('optional.none', at),
    );
  };

const macros: Readonly<Record<string, Macro>> = {
  'has:1:global': has,
  'all:2:member': all(false),
  'all:3:member': all(true),
  'exists:2:member': exists(false),
  'exists:3:member': exists(true),
  'exists_one:2:member': existsOne(false),
  'exists_one:3:member': existsOne(true),
  'existsOne:2:member': existsOne(false),
  'existsOne:3:member': existsOne(true),
  'map:2:member': (range, args, at) => grow(range, args, false, at, undefined, args[1]!),
  'map:3:member': (range, args, at) => grow(range, args, false, at, args[1]!, args[2]!),
  'filter:2:member': (range, args, at) => grow(range, args, false, at, args[1]!, args[0]!),
  'transformList:3:member': (range, args, at) => grow(range, args, true, at, undefined, args[2]!),
  'transformList:4:member': (range, args, at) => grow(range, args, true, at, args[2]!, args[3]!),
  'transformMap:3:member': (range, args, at) =>
    growMap(range, args, at, undefined, call('cel.@mapInsert', at, accumulator(at), args[0]!, args[2]!)),
  'transformMap:4:member': (range, args, at) =>
    growMap(range, args, at, args[2]!, call('cel.@mapInsert', at, accumulator(at), args[0]!, args[3]!)),
  'transformMapEntry:3:member': (range, args, at) =>
    growMap(range, args, at, undefined, call('cel.@mapInsert', at, accumulator(at), args[2]!)),
  'transformMapEntry:4:member': (range, args, at) =>
    growMap(range, args, at, args[2]!, call('cel.@mapInsert', at, accumulator(at), args[3]!)),
  'bind:3:member': (target, args, at) =>
    isNamespace(target, 'cel') ? bind(variableOf(args[0]!), args[1]!, args[2]!, at) : undefined,
  'optMap:2:member': optMap(false),
  'optFlatMap:2:member': optMap(true),
  'sortBy:2:member': (target, args, at) => {
    const input = '@__sortBy_input__';
    const keys = grow(ident(input, at), args, false, at, undefined, args[1]!);
    return bind(input, target, member(ident(input, at), '@sortByAssociatedKeys', at, keys), at);
  },
};
