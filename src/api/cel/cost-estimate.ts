import type { Expr } from './ast.ts';
import type { Checked } from './checker.ts';
import type { DeclType } from './decl-type.ts';
import {
  addRange,
  type CelFunction,
  type Estimate,
  type EstimatedArg,
  one,
  type Range,
  range,
  timesRange,
  unionRange,
  unknownSize,
} from './functions.ts';
import { ACCUMULATOR } from './macros.ts';
import { isOptional, type Type } from './types.ts';
import { textLength } from './values.ts';

/**
 * The way to a declared value: a variable, then fields, `@items`, `@values` and `@keys`. Parts of what has no way, as a call's result, have
 * one that begins with their own name, and upstream's estimator, which skips the first step of any, takes them for as large as `self`.
 */
type Path = readonly string[];

/** The size of a list's items, or of a map's keys and values, where the expression itself tells. */
interface EntrySize {
  readonly key: Range;
  readonly value: Range;
}

/**
 * What an expression may cost, from least to most, given how large its variables may be (cel-go's checker.Cost with Kubernetes' estimator).
 * `declared` tells the types of variables whose sizes are bounded by a schema.
 */
export function estimateCost(
  checked: Checked,
  functions: ReadonlyMap<string, CelFunction>,
  declared: ReadonlyMap<string, DeclType>,
): Range {
  return new Estimator(checked, functions, declared).cost(checked.expr);
}

const free = range(0);
const listBase = range(10);
const mapBase = range(30);
const structBase = range(40);

interface Local {
  readonly path: Path | undefined;
  readonly size: Range | undefined;
  readonly entries: EntrySize | undefined;
}

class Estimator {
  readonly #checked: Checked;
  readonly #functions: ReadonlyMap<string, CelFunction>;
  readonly #declared: ReadonlyMap<string, DeclType>;
  readonly #paths = new Map<Expr, Path>();
  readonly #sizes = new Map<Expr, Range>();
  readonly #entries = new Map<Expr, EntrySize>();
  readonly #locals = new Map<string, Local[]>();
  readonly #shared = new Map<Expr, Range>();

  constructor(checked: Checked, functions: ReadonlyMap<string, CelFunction>, declared: ReadonlyMap<string, DeclType>) {
    this.#checked = checked;
    this.#functions = functions;
    this.#declared = declared;
  }

  cost(expr: Expr): Range {
    if (expr.shared !== true) return this.#costOf(expr);
    const known = this.#shared.get(expr);
    if (known !== undefined) return known;
    const cost = this.#costOf(expr);
    this.#shared.set(expr, cost);
    return cost;
  }

  #costOf(expr: Expr): Range {
    switch (expr.kind) {
      case 'literal':
        return free;
      case 'ident':
        return this.#ident(expr);
      case 'select':
        return this.#select(expr);
      case 'call':
        return this.#call(expr);
      case 'list':
        return this.#list(expr);
      case 'map':
        return this.#map(expr);
      case 'struct':
        return expr.fields.reduce((sum, { value }) => addRange(sum, this.cost(value)), structBase);
      case 'comprehension':
        return expr.accumulator === ACCUMULATOR ? this.#comprehension(expr) : this.#binding(expr);
    }
  }

  #pathOf(expr: Expr): Path {
    return this.#paths.get(expr) ?? [];
  }

  #type(expr: Expr): Type {
    return this.#checked.types.get(expr)!;
  }

  #local(name: string): Local | undefined {
    return this.#locals.get(name)?.at(-1);
  }

  #push(name: string, local: Local): void {
    const stack = this.#locals.get(name);
    if (stack === undefined) this.#locals.set(name, [local]);
    else stack.push(local);
  }

  #pop(name: string): void {
    this.#locals.get(name)!.pop();
  }

  #ident(expr: Expr & { kind: 'ident' }): Range {
    const local = this.#local(expr.name);
    const path = local === undefined ? [expr.name] : local.path;
    if (path !== undefined) this.#paths.set(expr, path);
    return one;
  }

  #select(expr: Expr & { kind: 'select' }): Range {
    if (this.#checked.names.has(expr)) return one;
    const operand = this.cost(expr.operand);
    if (expr.test) return operand;
    const { kind } = this.#type(expr.operand);
    this.#paths.set(expr, [...this.#pathOf(expr.operand), expr.field]);
    return kind === 'map' || kind === 'object' || kind === 'param' ? addRange(operand, one) : operand;
  }

  #call(expr: Expr & { kind: 'call' }): Range {
    const name = this.#checked.names.get(expr) ?? expr.name.replace(/^\./, '');
    const isMember = expr.target !== undefined && !this.#checked.names.has(expr);
    const parts = isMember ? [expr.target!, ...expr.args] : expr.args;
    if (name === 'dyn') {
      const cost = addRange(this.cost(parts[0]!), one);
      this.#copySizes(expr, parts[0]!);
      return cost;
    }
    const costs = parts.map((part) => this.cost(part));
    const args = parts.map((part) => this.#argument(part));
    if (name === '_?._') return addRange(costs[0]!, one);
    const overloads = this.#checked.overloads.get(expr) ?? [];
    let total: Range | undefined;
    let size: Range | undefined;
    for (const overload of overloads) {
      const found = this.#overloadCost(expr, name, overload, args, costs, parts);
      total = total === undefined ? found.cost : unionRange(total, found.cost);
      if (found.size !== undefined) size = size === undefined ? found.size : unionRange(size, found.size);
      if (overload === 'index_list' || overload === 'index_map') {
        const entries = this.#entrySize(parts[0]!);
        if (entries !== undefined) size = entries.value;
        this.#paths.set(expr, [...this.#pathOf(parts[0]!), overload === 'index_list' ? '@items' : '@values']);
      }
      size ??= this.#sizeOf(expr);
    }
    if (size !== undefined) this.#sizes.set(expr, size);
    return total ?? free;
  }

  #overloadCost(
    expr: Expr,
    name: string,
    overload: string,
    args: readonly EstimatedArg[],
    costs: readonly Range[],
    parts: readonly Expr[],
  ): Estimate {
    switch (name) {
      case '_&&_':
      case '_||_':
        return { cost: { min: costs[0]!.min, max: addRange(costs[0]!, costs[1]!).max } };
      case '_?_:_': {
        const entries = unionEntries(this.#entrySize(parts[1]!), this.#entrySize(parts[2]!));
        if (entries !== undefined) this.#entries.set(expr, entries);
        return {
          cost: addRange(costs[0]!, unionRange(costs[1]!, costs[2]!)),
          size: unionRange(args[1]!.size, args[2]!.size),
        };
      }
      case '_+_': {
        const entries = unionEntries(this.#entrySize(parts[0]!), this.#entrySize(parts[1]!));
        if (entries !== undefined) this.#entries.set(expr, entries);
        break;
      }
    }
    const estimated = this.#functions.get(name)?.estimate?.(args, overload) ?? { cost: one };
    return { ...estimated, cost: costs.reduce(addRange, estimated.cost) };
  }

  #argument(expr: Expr): EstimatedArg {
    const type = this.#type(expr);
    const literal = expr.kind === 'literal' && typeof expr.value === 'bigint' ? expr.value : undefined;
    return { type, size: this.#sizeOf(expr) ?? unknownSize, items: this.#itemSize(expr), literal };
  }

  #itemSize(expr: Expr): Range | undefined {
    const path = this.#paths.get(expr);
    return path === undefined ? undefined : this.#declaredSize([...path, '@items']);
  }

  #list(expr: Expr & { kind: 'list' }): Range {
    let sum = listBase;
    let items: Range | undefined;
    for (const item of expr.items) {
      sum = addRange(sum, this.cost(item));
      const size = this.#sizeOf(item) ?? unknownSize;
      items = items === undefined ? size : unionRange(items, size);
    }
    this.#entries.set(expr, { key: one, value: items ?? free });
    return sum;
  }

  #map(expr: Expr & { kind: 'map' }): Range {
    let sum = mapBase;
    let keys: Range | undefined;
    let values: Range | undefined;
    for (const { key, value } of expr.entries) {
      sum = addRange(addRange(sum, this.cost(key)), this.cost(value));
      const k = this.#sizeOf(key) ?? unknownSize;
      const v = this.#sizeOf(value) ?? unknownSize;
      keys = keys === undefined ? k : unionRange(keys, k);
      values = values === undefined ? v : unionRange(values, v);
    }
    this.#entries.set(expr, { key: keys ?? free, value: values ?? free });
    return sum;
  }

  #comprehension(expr: Expr & { kind: 'comprehension' }): Range {
    let sum = addRange(this.cost(expr.range), this.cost(expr.init));
    this.#push(expr.accumulator, this.#localOf(expr.init));
    this.#pushIterated(expr);
    const each = addRange(this.cost(expr.condition), this.cost(expr.step));
    this.#pop(expr.variable);
    if (expr.variable2 !== undefined) this.#pop(expr.variable2);
    sum = addRange(sum, this.cost(expr.result));
    this.#pop(expr.accumulator);
    const count = this.#sizeOf(expr.range) ?? unknownSize;
    sum = addRange(sum, timesRange(count, each));
    if (expr.init.kind === 'literal') {
      const size = this.#sizeOf(expr.init);
      if (size !== undefined) this.#sizes.set(expr, size);
    } else if (expr.init.kind === 'list' || expr.init.kind === 'map') {
      this.#sizes.set(expr, count);
      const entries = this.#entrySize(expr.step);
      if (entries !== undefined) this.#entries.set(expr, entries);
    }
    return sum;
  }

  #pushIterated(expr: Expr & { kind: 'comprehension' }): void {
    const entries = this.#entrySize(expr.range);
    const path = this.#pathOf(expr.range);
    const isList = this.#type(expr.range).kind === 'list';
    const local = (step: string, size: Range | undefined): Local => ({
      path: [...path, step],
      size,
      entries: undefined,
    });
    const value = local(isList ? '@items' : '@values', entries?.value);
    if (expr.variable2 !== undefined) {
      this.#push(expr.variable, local(isList ? '@indices' : '@keys', entries?.key));
      this.#push(expr.variable2, value);
    } else this.#push(expr.variable, isList ? value : local('@keys', entries?.key));
  }

  #localOf(expr: Expr): Local {
    return { path: this.#paths.get(expr), size: this.#sizeOf(expr), entries: this.#entrySize(expr) };
  }

  #binding(expr: Expr & { kind: 'comprehension' }): Range {
    let sum = addRange(this.cost(expr.range), this.cost(expr.init));
    this.#push(expr.accumulator, this.#localOf(expr.init));
    sum = addRange(sum, this.cost(expr.result));
    this.#pop(expr.accumulator);
    this.#copySizes(expr, expr.result);
    return sum;
  }

  #copySizes(to: Expr, from: Expr): void {
    const size = this.#sizeOf(from);
    if (size !== undefined) this.#sizes.set(to, size);
    const entries = this.#entrySize(from);
    if (entries !== undefined) this.#entries.set(to, entries);
  }

  #entrySize(expr: Expr): EntrySize | undefined {
    return this.#entries.get(expr) ?? (expr.kind === 'ident' ? this.#local(expr.name)?.entries : undefined);
  }

  #sizeOf(expr: Expr): Range | undefined {
    const known = this.#sizes.get(expr) ?? literalSize(expr);
    if (known !== undefined) return known;
    const path = this.#paths.get(expr);
    const declared = path === undefined ? undefined : this.#declaredSize(path);
    if (declared !== undefined) {
      this.#sizes.set(expr, declared);
      return declared;
    }
    if (isScalar(this.#type(expr))) return one;
    return expr.kind === 'ident' ? this.#local(expr.name)?.size : undefined;
  }

  #declaredSize(path: Path): Range | undefined {
    let type = this.#declared.get(path[0]!) ?? this.#declared.get('self');
    for (const step of path.slice(1)) {
      if (type === undefined) return undefined;
      if (step === '@items' || step === '@values') type = type.elements;
      else if (step === '@keys') {
        if (type.keys === undefined) return type.kind === 'map' ? free : undefined;
        type = type.keys;
      } else type = type.fieldsAreElements === true ? type.elements : type.fields?.get(step)?.type;
    }
    return type === undefined ? undefined : { min: 0, max: type.maxElements };
  }
}

const unionEntries = (a: EntrySize | undefined, b: EntrySize | undefined): EntrySize | undefined =>
  a === undefined || b === undefined ? undefined : { key: unionRange(a.key, b.key), value: unionRange(a.value, b.value) };

const scalars: ReadonlySet<string> = new Set(['bool', 'double', 'duration', 'int', 'timestamp', 'uint']);

const isScalar = (type: Type): boolean => scalars.has(type.kind) || (isOptional(type) && isScalar(type.params[0]!));

function literalSize(expr: Expr): Range | undefined {
  switch (expr.kind) {
    case 'literal':
      if (typeof expr.value === 'string') return range(textLength(expr.value));
      return expr.value instanceof Uint8Array ? range(expr.value.length) : one;
    case 'list':
      return range(expr.items.length);
    case 'map':
      return range(expr.entries.length);
    default:
      return undefined;
  }
}
