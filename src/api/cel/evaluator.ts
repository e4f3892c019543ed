import type { Expr } from './ast.ts';
import type { Checked } from './checker.ts';
import type { CelFunction } from './functions.ts';
import { ACCUMULATOR } from './macros.ts';
import { findIndex, index, keyText, noOverload } from './standard-library.ts';
import { ArrayList, CelError, HashMap, ListValue, MapValue, Optional, TypeValue, typeNameOf, type Value } from './values.ts';

/** The evaluation cost more than it may. Nothing swallows this. */
export class CostLimitError extends Error {
  constructor() {
    super('operation cancelled: actual cost limit exceeded');
  }
}

/** One evaluation under way. */
export interface Frame {
  /** Variables: from outside first, then those of macros. Functions are called for their value when it is first wanted. */
  readonly slots: (Value | Failure | (() => Value) | undefined)[];
  cost: number;
  readonly limit: number;
}

/** An error that an accumulator holds until somebody wants its value. */
class Failure {
  readonly error: CelError;
  constructor(error: CelError) {
    this.error = error;
  }
}

export type Evaluate = (frame: Frame) => Value;

/** A compiled expression: its variables from outside take the slots in this order. */
export interface Compiled {
  readonly evaluate: Evaluate;
  readonly variables: readonly string[];
  readonly slots: number;
}

/** Compiles a checked expression to closures. */
export function compileChecked(checked: Checked, functions: ReadonlyMap<string, CelFunction>): Compiled {
  const variables = [...checked.references];
  const compiler = new Compiler(checked, functions, variables);
  const evaluate = compiler.compile(checked.expr);
  return { evaluate, variables, slots: compiler.slots };
}

const LIST_COST = 10;
const MAP_COST = 30;
const STRUCT_COST = 40;

function charge(frame: Frame, cost: number): void {
  frame.cost += cost;
  if (frame.cost > frame.limit) throw new CostLimitError();
}

/** An object that an expression made: `Object{…}`. Its fields are kept by name. */
export class StructValue extends HashMap {
  readonly #name: string;
  constructor(name: string, entries: Iterable<readonly [Value, Value]>) {
    super(entries);
    this.#name = name;
  }
  override get typeName(): string {
    return this.#name;
  }
}

class Compiler {
  readonly #checked: Checked;
  readonly #functions: ReadonlyMap<string, CelFunction>;
  readonly #scopes: Map<string, number>[];
  readonly #shared = new Map<Expr, Evaluate>();
  #used: number;
  slots: number;

  constructor(checked: Checked, functions: ReadonlyMap<string, CelFunction>, variables: readonly string[]) {
    this.#checked = checked;
    this.#functions = functions;
    this.#scopes = [new Map(variables.map((name, i) => [name, i]))];
    this.#used = variables.length;
    this.slots = variables.length;
  }

  compile(expr: Expr): Evaluate {
    if (expr.shared !== true) return this.#compiled(expr);
    const known = this.#shared.get(expr);
    if (known !== undefined) return known;
    const evaluate = this.#compiled(expr);
    this.#shared.set(expr, evaluate);
    return evaluate;
  }

  #compiled(expr: Expr): Evaluate {
    switch (expr.kind) {
      case 'literal': {
        const value: Value = expr.type === 'uint' ? this.#uint(expr.value as bigint) : (expr.value as Value);
        return () => value;
      }
      case 'ident':
        return this.#ident(expr, expr.name);
      case 'select':
        return this.#select(expr);
      case 'call':
        return this.#call(expr);
      case 'list':
        return this.#list(expr);
      case 'map':
        return this.#map(expr);
      case 'struct':
        return this.#struct(expr);
      case 'comprehension':
        return this.#comprehension(expr);
    }
  }

  #uint(value: bigint): Value {
    return this.#functions.get('uint')!.call(value);
  }

  #ident(expr: Expr, given: string): Evaluate {
    const type = this.#checked.typeNames.get(expr);
    if (type !== undefined) {
      const value = new TypeValue(type);
      return () => value;
    }
    const name = given.startsWith('.') ? given.slice(1) : given;
    const slot = this.#slotOf(name);
    return (frame) => {
      charge(frame, 1);
      return read(frame, slot, name);
    };
  }

  #slotOf(name: string): number {
    for (let i = this.#scopes.length - 1; i >= 0; i--) {
      const slot = this.#scopes[i]!.get(name);
      if (slot !== undefined) return slot;
    }
    throw new Error(`no variable ${name}`);
  }

  /** The operand of a selection or index. What is no variable counts as one more. */
  #base(expr: Expr): Evaluate {
    const evaluate = this.compile(expr);
    const chained = expr.kind === 'ident' || expr.kind === 'select' || (expr.kind === 'call' && expr.name === '_[_]');
    if (chained) return evaluate;
    return (frame) => {
      const value = evaluate(frame);
      charge(frame, 1);
      return value;
    };
  }

  #select(expr: Expr & { kind: 'select' }): Evaluate {
    const qualified = this.#checked.names.get(expr);
    if (qualified !== undefined) return this.#ident(expr, qualified);
    const operand = this.#base(expr.operand);
    const { field } = expr;
    if (expr.test) return (frame) => has(operand(frame), field);
    return (frame) => {
      const value = operand(frame);
      charge(frame, 1);
      if (value instanceof Optional) {
        const found = value.value === undefined ? undefined : findField(value.value, field);
        return found === undefined ? Optional.none : new Optional(found);
      }
      const found = findField(value, field);
      if (found === undefined) throw new CelError(`no such key: ${field}`);
      return found;
    };
  }

  #call(expr: Expr & { kind: 'call' }): Evaluate {
    const name = this.#checked.names.get(expr) ?? expr.name.replace(/^\./, '');
    const isMember = expr.target !== undefined && !this.#checked.names.has(expr);
    const parts = isMember ? [expr.target!, ...expr.args] : expr.args;
    switch (name) {
      case '_&&_':
        return this.#logic(parts, false);
      case '_||_':
        return this.#logic(parts, true);
      case '_?_:_':
        return this.#conditional(parts);
      case '@not_strictly_false':
        return this.#notStrictlyFalse(parts[0]!);
      case '_?._':
        return this.#optionalSelect(parts);
      case '_[_]':
        return this.#index(parts);
      case 'or':
      case 'orValue':
        if (isMember && this.#functions.get(name)?.overloads[0]?.id.startsWith('optional_')) return this.#optionalOr(parts, name);
        break;
      case '@in': {
        const list = parts[1]!;
        if (list.kind === 'list' && list.items.length > 0 && list.items.every((item) => item.kind === 'literal')) {
          return this.#constantIn(parts[0]!, list);
        }
        break;
      }
    }
    return this.#plainCall(expr, name, parts);
  }

  #plainCall(expr: Expr, name: string, parts: readonly Expr[]): Evaluate {
    const fn = this.#functions.get(name)!;
    const overloads = this.#checked.overloads.get(expr) ?? [];
    const overload = overloads.length === 1 ? overloads[0] : undefined;
    const args = parts.map((part) => this.compile(part));
    const { cost } = fn;
    const call = overload === undefined || fn.callAs === undefined ? fn.call : fn.callAs(overload);
    // Conversions of literals are folded, and cost nothing.
    const folded = conversions.has(name) && parts.length === 1 && isConstant(parts[0]!);
    const price = (frame: Frame, values: readonly Value[], result: Value): void => {
      if (!folded) charge(frame, cost === undefined ? 1 : cost(values, result, overload));
    };
    if (args.length === 1) {
      const [first] = args as [Evaluate];
      return (frame) => {
        const a = first(frame);
        const result = call(a);
        price(frame, [a], result);
        return result;
      };
    }
    if (args.length === 2) {
      const [first, second] = args as [Evaluate, Evaluate];
      return (frame) => {
        const a = first(frame);
        const b = second(frame);
        const result = call(a, b);
        price(frame, [a, b], result);
        return result;
      };
    }
    return (frame) => {
      const values = args.map((arg) => arg(frame));
      const result = call(...values);
      price(frame, values, result);
      return result;
    };
  }

  /** `&&` and `||`: one side may decide although the other one fails. */
  #logic(parts: readonly Expr[], decisive: boolean): Evaluate {
    const [left, right] = parts.map((part) => this.compile(part)) as [Evaluate, Evaluate];
    return (frame) => {
      let failed: CelError;
      try {
        const value = left(frame);
        if (value === decisive) return decisive;
        if (value === !decisive) {
          const other = right(frame);
          if (typeof other !== 'boolean') throw noOverload();
          return other;
        }
        failed = noOverload();
      } catch (err) {
        if (!(err instanceof CelError)) throw err;
        failed = err;
      }
      try {
        if (right(frame) === decisive) return decisive;
      } catch (err) {
        if (!(err instanceof CelError)) throw err;
      }
      // Of two failures the first is told.
      throw failed;
    };
  }

  #conditional(parts: readonly Expr[]): Evaluate {
    const condition = this.compile(parts[0]!);
    const [yes, no] = [parts[1]!, parts[2]!].map((part) => this.#branch(part)) as [Evaluate, Evaluate];
    return (frame) => {
      const value = condition(frame);
      if (value === true) return yes(frame);
      if (value === false) return no(frame);
      throw noOverload();
    };
  }

  /** A branch of a conditional. What a variable leads to costs nothing there, as cel-go has it. */
  #branch(part: Expr): Evaluate {
    const evaluate = this.compile(part);
    const leads =
      part.kind === 'ident' || (part.kind === 'select' && !part.test) || (part.kind === 'call' && part.name === '_[_]');
    if (!leads) return evaluate;
    return (frame) => {
      const before = frame.cost;
      const value = evaluate(frame);
      frame.cost = before;
      return value;
    };
  }

  #notStrictlyFalse(part: Expr): Evaluate {
    const operand = this.compile(part);
    return (frame) => {
      let value: Value = true;
      try {
        value = operand(frame);
      } catch (err) {
        if (!(err instanceof CelError)) throw err;
      }
      charge(frame, 1);
      return value !== false;
    };
  }

  #optionalSelect(parts: readonly Expr[]): Evaluate {
    const operand = this.#base(parts[0]!);
    const field = parts[1]!.kind === 'literal' ? String(parts[1]!.value) : '';
    return (frame) => {
      const value = operand(frame);
      charge(frame, 1);
      const inner = value instanceof Optional ? value.value : value;
      const found = inner === undefined ? undefined : findField(inner, field);
      return found === undefined ? Optional.none : new Optional(found);
    };
  }

  #index(parts: readonly Expr[]): Evaluate {
    const operand = this.#base(parts[0]!);
    const key = this.compile(parts[1]!);
    return (frame) => {
      const container = operand(frame);
      const at = key(frame);
      charge(frame, 1);
      if (!(container instanceof Optional)) return index(container, at);
      const found = container.value === undefined ? undefined : findIndex(container.value, at);
      return found === undefined ? Optional.none : new Optional(found);
    };
  }

  #optionalOr(parts: readonly Expr[], name: string): Evaluate {
    const [left, right] = parts.map((part) => this.compile(part)) as [Evaluate, Evaluate];
    return (frame) => {
      const value = left(frame);
      if (!(value instanceof Optional)) throw noOverload();
      charge(frame, 1);
      if (value.value === undefined) return right(frame);
      return name === 'or' ? value : value.value;
    };
  }

  /** Membership in a list of literals. */
  #constantIn(part: Expr, list: Expr & { kind: 'list' }): Evaluate {
    const value = this.compile(part);
    const items = new ArrayList(list.items.map((item) => this.compile(item)({ slots: [], cost: 0, limit: 0 })));
    const fn = this.#functions.get('@in')!;
    return (frame) => fn.call(value(frame), items);
  }

  #list(expr: Expr & { kind: 'list' }): Evaluate {
    const items = expr.items.map((item) => this.compile(item));
    const cost = isConstant(expr) ? 0 : LIST_COST;
    return (frame) => {
      const out: Value[] = [];
      for (const [i, item] of items.entries()) {
        const value = item(frame);
        if (!expr.optional.has(i)) out.push(value);
        else if (!(value instanceof Optional))
          throw new CelError(`cannot initialize optional list element from non-optional value ${typeNameOf(value)}`);
        else if (value.value !== undefined) out.push(value.value);
      }
      charge(frame, cost);
      return new ArrayList(out);
    };
  }

  #map(expr: Expr & { kind: 'map' }): Evaluate {
    const entries = expr.entries.map(({ key, value, optional }) => ({
      key: this.compile(key),
      value: this.compile(value),
      optional,
    }));
    const constant = isConstant(expr);
    return (frame) => {
      const out: (readonly [Value, Value])[] = [];
      for (const { key, value, optional } of entries) {
        const k = key(frame);
        const v = value(frame);
        if (!optional) out.push([k, v]);
        else if (!(v instanceof Optional))
          throw new CelError(`cannot initialize optional entry '${keyText(k)}' from non-optional value ${typeNameOf(v)}`);
        else if (v.value !== undefined) out.push([k, v.value]);
      }
      charge(frame, constant ? 0 : MAP_COST);
      return new HashMap(out);
    };
  }

  #struct(expr: Expr & { kind: 'struct' }): Evaluate {
    const fields = expr.fields.map(({ name, value, optional }) => ({ name, value: this.compile(value), optional }));
    return (frame) => {
      const out: (readonly [Value, Value])[] = [];
      for (const { name, value, optional } of fields) {
        const v = value(frame);
        if (!optional) out.push([name, v]);
        else if (v instanceof Optional && v.value !== undefined) out.push([name, v.value]);
      }
      charge(frame, STRUCT_COST);
      return new StructValue(expr.name.replace(/^\./, ''), out);
    };
  }

  #scoped<T>(names: readonly string[], within: (slots: readonly number[]) => T): T {
    const first = this.#used;
    const slots = names.map((_, i) => first + i);
    this.#used += names.length;
    this.slots = Math.max(this.slots, this.#used);
    this.#scopes.push(new Map(names.map((name, i) => [name, slots[i]!])));
    const out = within(slots);
    this.#scopes.pop();
    this.#used = first;
    return out;
  }

  #comprehension(expr: Expr & { kind: 'comprehension' }): Evaluate {
    const { accumulator } = expr;
    if (accumulator !== ACCUMULATOR) return this.#binding(expr);
    const range = this.compile(expr.range);
    const init = this.compile(expr.init);
    return this.#scoped([accumulator], ([accu]) => {
      const result = this.compile(expr.result);
      const names = expr.variable2 === undefined ? [expr.variable] : [expr.variable, expr.variable2];
      return this.#scoped(names, ([first, second]) => {
        const condition = this.compile(expr.condition);
        const step = this.compile(expr.step);
        const loops = { range, init, condition, step, result };
        return second === undefined ? foldOne(loops, accu!, first!) : foldTwo(loops, accu!, first!, second);
      });
    });
  }

  /** `cel.bind`: the value is worked out when it is first wanted. */
  #binding(expr: Expr & { kind: 'comprehension' }): Evaluate {
    const init = this.compile(expr.init);
    return this.#scoped([expr.accumulator], ([slot]) => {
      const result = this.compile(expr.result);
      return (frame) => {
        frame.slots[slot!] = () => init(frame);
        return result(frame);
      };
    });
  }
}

/** Known before evaluation: literals, conversions of them, and lists and maps of such. They are folded, and cost nothing. */
function isConstant(expr: Expr): boolean {
  switch (expr.kind) {
    case 'literal':
      return true;
    case 'list':
      return expr.optional.size === 0 && expr.items.every(isConstant);
    case 'map':
      return expr.entries.every(({ key, value, optional }) => !optional && isConstant(key) && isConstant(value));
    case 'call':
      return conversions.has(expr.name) && expr.args.length === 1 && isConstant(expr.args[0]!);
    default:
      return false;
  }
}

const conversions: ReadonlySet<string> = new Set('bool bytes double duration dyn int string timestamp type uint'.split(' '));

function read(frame: Frame, slot: number, name: string): Value {
  const held = frame.slots[slot];
  if (held instanceof Failure) throw held.error;
  if (typeof held === 'function') {
    const value = held();
    frame.slots[slot] = value;
    return value;
  }
  if (held === undefined) throw new CelError(`no such attribute(s): ${name}`);
  return held;
}

function findField(value: Value, field: string): Value | undefined {
  return findIndex(value, field);
}

function has(value: Value, field: string): boolean {
  if (value instanceof Optional) return value.value !== undefined && has(value.value, field);
  return findIndex(value, field) !== undefined;
}

interface Loop {
  readonly range: Evaluate;
  readonly init: Evaluate;
  readonly condition: Evaluate;
  readonly step: Evaluate;
  readonly result: Evaluate;
}

/** One step of a fold; a failing one leaves its error in the accumulator, as a later one may still decide. */
function advance(loop: Loop, frame: Frame, accu: number): boolean {
  if (loop.condition(frame) !== true) return false;
  try {
    frame.slots[accu] = loop.step(frame);
  } catch (err) {
    if (!(err instanceof CelError)) throw err;
    frame.slots[accu] = new Failure(err);
  }
  return true;
}

function foldOne(loop: Loop, accu: number, variable: number): Evaluate {
  return (frame) => {
    const range = loop.range(frame);
    const items = range instanceof ListValue ? range : range instanceof MapValue ? range.keys() : undefined;
    if (items === undefined) throw noOverload();
    frame.slots[accu] = loop.init(frame);
    for (const item of items) {
      frame.slots[variable] = item;
      if (!advance(loop, frame, accu)) break;
    }
    return loop.result(frame);
  };
}

function foldTwo(loop: Loop, accu: number, first: number, second: number): Evaluate {
  return (frame) => {
    const range = loop.range(frame);
    frame.slots[accu] = loop.init(frame);
    if (range instanceof ListValue) {
      for (let i = 0; i < range.size; i++) {
        frame.slots[first] = BigInt(i);
        frame.slots[second] = range.get(i);
        if (!advance(loop, frame, accu)) break;
      }
    } else if (range instanceof MapValue) {
      for (const key of range.keys()) {
        frame.slots[first] = key;
        frame.slots[second] = range.find(key);
        if (!advance(loop, frame, accu)) break;
      }
    } else throw noOverload();
    return loop.result(frame);
  };
}
