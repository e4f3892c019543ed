import { CompileError, type Expr, type Issue, ProgramError } from './ast.ts';
import type { CelFunction, Overload } from './functions.ts';
import { compileRe2, Re2Error } from './re2.ts';
import {
  BOOL,
  BYTES,
  DOUBLE,
  DURATION,
  DYN,
  ERROR,
  formatType,
  INT,
  isDyn,
  isOptional,
  listOf,
  mapOf,
  NULL,
  opaque,
  optionalOf,
  STRING,
  Substitution,
  TIMESTAMP,
  type Type,
  typeOf,
  UINT,
} from './types.ts';
import { CelError, Unsigned, type Value } from './values.ts';

/** What names mean while an expression is checked. */
export interface Declarations {
  readonly variables: ReadonlyMap<string, Type>;
  readonly functions: ReadonlyMap<string, CelFunction>;
  /** Types that can be constructed: `Object.spec{…}`. */
  readonly structs?: ReadonlyMap<string, Type>;
}

/** What checking found out, by expression. */
export interface Checked {
  readonly source: string;
  readonly expr: Expr;
  readonly type: Type;
  readonly types: ReadonlyMap<Expr, Type>;
  /** The overloads that a call may come to. */
  readonly overloads: ReadonlyMap<Expr, readonly string[]>;
  /** Variables from outside that are used. */
  readonly references: ReadonlySet<string>;
  /** Selections that are a qualified name (`a.b` declared as such), or a function's namespace. */
  readonly names: ReadonlyMap<Expr, string>;
  /** Identifiers that name a type. */
  readonly typeNames: ReadonlyMap<Expr, Type>;
}

const typeNames: ReadonlyMap<string, Type> = new Map<string, Type>([
  ['bool', BOOL],
  ['int', INT],
  ['uint', UINT],
  ['double', DOUBLE],
  ['string', STRING],
  ['bytes', BYTES],
  ['list', listOf(DYN)],
  ['map', mapOf(DYN, DYN)],
  ['null_type', NULL],
  ['type', typeOf(DYN)],
  ['dyn', DYN],
  ['google.protobuf.Timestamp', TIMESTAMP],
  ['google.protobuf.Duration', DURATION],
  ['optional_type', optionalOf(DYN)],
  ...['net.IP', 'net.CIDR', 'kubernetes.URL', 'kubernetes.Quantity', 'kubernetes.Semver', 'kubernetes.NamedFormat'].map(
    (name) => [name, opaque(name)] as const,
  ),
]);

/** Gives every part of an expression its type. Throws a CompileError with all that is wrong. */
export function check(source: string, expr: Expr, declarations: Declarations): Checked {
  const checker = new Checker(declarations);
  const type = checker.check(expr);
  if (checker.issues.length > 0) throw new CompileError(source, checker.issues);
  if (checker.unbuildable !== undefined) throw new ProgramError(checker.unbuildable);
  return { source, expr, type, ...checker.result() };
}

/** With so many issues nothing is told twice any more; cel-go shows a hundred. */
const MAX_REPEATED_ISSUES = 100;

class Checker {
  readonly issues: Issue[] = [];
  /** What is found when the program is made, beyond what is told of the source. */
  unbuildable: string | undefined;
  readonly #declarations: Declarations;
  readonly #types = new Map<Expr, Type>();
  readonly #overloads = new Map<Expr, readonly string[]>();
  readonly #references = new Set<string>();
  readonly #names = new Map<Expr, string>();
  readonly #typeNames = new Map<Expr, Type>();
  readonly #sharedIssues = new Map<Expr, readonly Issue[]>();
  readonly #substitution = new Substitution();
  /** Above zero within the arguments of `format`. */
  #mixed = 0;
  /** Variables of macros, innermost last. */
  readonly #scopes: Map<string, Type>[] = [];

  constructor(declarations: Declarations) {
    this.#declarations = declarations;
  }

  result() {
    const types = new Map<Expr, Type>();
    for (const [expr, type] of this.#types) types.set(expr, this.#substitution.resolve(type, true));
    return {
      types,
      overloads: this.#overloads,
      references: this.#references,
      names: this.#names,
      typeNames: this.#typeNames,
    };
  }

  check(expr: Expr): Type {
    this.#visit(expr);
    return this.#substitution.resolve(this.#types.get(expr)!, true);
  }

  #visit(expr: Expr): Type {
    if (expr.shared === true) return this.#visitShared(expr);
    const type = this.#typeOf(expr);
    this.#types.set(expr, type);
    return type;
  }

  /** What is wrong with a part that stands in two places is told of both. */
  #visitShared(expr: Expr): Type {
    const known = this.#types.get(expr);
    if (known !== undefined) {
      if (this.issues.length < MAX_REPEATED_ISSUES) this.issues.push(...(this.#sharedIssues.get(expr) ?? []));
      return known;
    }
    const before = this.issues.length;
    const type = this.#typeOf(expr);
    this.#types.set(expr, type);
    if (this.issues.length > before) this.#sharedIssues.set(expr, this.issues.slice(before));
    return type;
  }

  #issue(expr: Expr, message: string): Type {
    this.issues.push({ at: expr.at, message });
    return ERROR;
  }

  #shown(type: Type): string {
    return formatType(this.#substitution.resolve(type, true));
  }

  #typeOf(expr: Expr): Type {
    switch (expr.kind) {
      case 'literal':
        return literalTypes[expr.type];
      case 'ident':
        return this.#ident(expr, expr.name) ?? this.#issue(expr, undeclared(expr.name));
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

  #ident(expr: Expr, given: string): Type | undefined {
    const name = given.startsWith('.') ? given.slice(1) : given;
    for (let i = this.#scopes.length - 1; i >= 0; i--) {
      const type = this.#scopes[i]!.get(name);
      if (type !== undefined) return type;
    }
    const variable = this.#declarations.variables.get(name);
    if (variable !== undefined) {
      this.#references.add(name);
      return variable;
    }
    const type = typeNames.get(name) ?? this.#declarations.structs?.get(name);
    if (type === undefined) return undefined;
    this.#typeNames.set(expr, type);
    return typeOf(type);
  }

  #select(expr: Expr & { kind: 'select' }): Type {
    const qualified = qualifiedName(expr);
    if (qualified !== undefined && !expr.test && this.#scopes.every((s) => !s.has(qualified.split('.')[0]!))) {
      const type = this.#ident(expr, qualified);
      if (type !== undefined) {
        this.#names.set(expr, qualified);
        return type;
      }
    }
    const operand = this.#substitution.resolve(this.#visit(expr.operand));
    const selected = isOptional(operand)
      ? this.#field(expr, operand.params[0]!, expr.field)
      : this.#field(expr, operand, expr.field);
    if (expr.test) return BOOL;
    return isOptional(operand) ? optionalOf(selected) : selected;
  }

  #field(expr: Expr, operand: Type, field: string): Type {
    switch (operand.kind) {
      case 'map':
        return operand.params[1]!;
      case 'object': {
        const type = operand.fields?.get(field);
        return type ?? this.#issue(expr, `undefined field '${field}'`);
      }
      case 'param':
        this.#substitution.assignable([operand], [DYN]);
        return DYN;
      case 'dyn':
      case 'error':
        return operand.kind === 'error' ? ERROR : DYN;
      default:
        return this.#issue(expr, `type '${this.#shown(operand)}' does not support field selection`);
    }
  }

  #call(expr: Expr & { kind: 'call' }): Type {
    const { functions } = this.#declarations;
    if (expr.name === '_?._') return this.#optionalSelect(expr);
    if (expr.target === undefined) {
      const name = expr.name.startsWith('.') ? expr.name.slice(1) : expr.name;
      const args = expr.args.map((arg) => this.#visit(arg));
      const found = functions.get(name);
      if (found === undefined) return this.#issue(expr, undeclared(name));
      return this.#resolve(expr, found, args, false);
    }
    const namespace = qualifiedName(expr.target);
    const qualified = namespace === undefined ? undefined : functions.get(`${namespace.replace(/^\./, '')}.${expr.name}`);
    if (qualified !== undefined) {
      this.#names.set(expr, qualified.name);
      const args = expr.args.map((arg) => this.#visit(arg));
      return this.#resolve(expr, qualified, args, false);
    }
    const target = this.#visit(expr.target);
    // What is formatted may be of any types.
    const mixes = expr.name === 'format';
    if (mixes) this.#mixed++;
    const args = expr.args.map((arg) => this.#visit(arg));
    if (mixes) this.#mixed--;
    const found = functions.get(expr.name);
    if (found === undefined) return this.#issue(expr, undeclared(expr.name));
    return this.#resolve(expr, found, [target, ...args], true);
  }

  #optionalSelect(expr: Expr & { kind: 'call' }): Type {
    const operand = this.#substitution.resolve(this.#visit(expr.args[0]!));
    const name = expr.args[1]!;
    this.#visit(name);
    const inner = isOptional(operand) ? operand.params[0]! : operand;
    this.#overloads.set(expr, ['select_optional_field']);
    return optionalOf(this.#field(expr, inner, name.kind === 'literal' ? String(name.value) : ''));
  }

  /** The result of calling `fn`: of its only matching overload, or dyn when several match and give different types. */
  #resolve(expr: Expr, fn: CelFunction, args: readonly Type[], member: boolean): Type {
    let result: Type | undefined;
    const matching: Overload[] = [];
    for (const overload of fn.overloads) {
      if (overload.member !== member || overload.params.length !== args.length) continue;
      const names = new Map<string, Type>();
      const params = overload.params.map((p) => this.#substitution.instantiate(p, names));
      if (!this.#substitution.assignable(args, params)) continue;
      matching.push(overload);
      const type = this.#substitution.resolve(this.#substitution.instantiate(overload.result, names));
      if (result === undefined) result = type;
      else if (!sameType(result, type)) result = DYN;
    }
    if (result === undefined) {
      if (args.some((arg) => this.#substitution.resolve(arg).kind === 'error')) return ERROR;
      const shown = args.map((arg) => this.#shown(arg));
      const applied = member ? `${shown[0]}.(${shown.slice(1).join(', ')})` : `(${shown.join(', ')})`;
      return this.#issue(expr, `found no matching overload for '${fn.name}' applied to '${applied}'`);
    }
    this.#overloads.set(
      expr,
      matching.map((m) => m.id),
    );
    this.#checkLiterals(expr, fn);
    return result;
  }

  /** Durations, timestamps and patterns that are written out are looked at now. */
  #checkLiterals(expr: Expr, fn: CelFunction): void {
    if (expr.kind !== 'call') return;
    if (conversions.has(fn.name)) this.#checkConversion(expr, fn);
    if (!literalArguments.has(fn.name)) return;
    const literal = patterned.has(fn.name) && expr.target !== undefined ? expr.args[0] : expr.args.at(-1);
    if (literal?.kind !== 'literal' || (typeof literal.value !== 'string' && typeof literal.value !== 'bigint')) return;
    try {
      if (fn.name === 'duration' || fn.name === 'timestamp') fn.call(literal.value);
      else if (typeof literal.value === 'string') compileRe2(literal.value);
    } catch (err) {
      if (!(err instanceof CelError || err instanceof Re2Error)) throw err;
      if (fn.name === 'find' || fn.name === 'findAll') this.unbuildable ??= err.message;
      else this.#issue(literal, `invalid ${fn.name} argument`);
    }
  }

  /** Conversions of what is written out are done when the program is made. */
  #checkConversion(expr: Expr & { kind: 'call' }, fn: CelFunction): void {
    const [literal] = expr.args;
    if (literal?.kind !== 'literal') return;
    const value = literal.type === 'uint' ? new Unsigned(literal.value as bigint) : (literal.value as Value);
    try {
      fn.call(value);
    } catch (err) {
      if (!(err instanceof CelError)) throw err;
      this.unbuildable ??= err.message;
    }
  }

  /** Elements of literals must be of one type (HomogeneousAggregateLiterals). */
  #join(expr: Expr, before: Type | undefined, type: Type): Type {
    if (before === undefined) return type;
    if (this.#substitution.assignable([before], [type])) return isDyn(before) ? before : type;
    if (this.#substitution.assignable([type], [before])) return before;
    if (this.#mixed > 0) return DYN;
    return this.#issue(expr, `expected type '${this.#shown(before)}' but found '${this.#shown(type)}'`);
  }

  #list(expr: Expr & { kind: 'list' }): Type {
    let items: Type | undefined;
    for (const [i, item] of expr.items.entries()) {
      items = this.#join(item, items, this.#unwrapped(item, this.#visit(item), expr.optional.has(i)));
    }
    return listOf(items ?? this.#substitution.freshParam());
  }

  #unwrapped(expr: Expr, type: Type, optional: boolean): Type {
    if (!optional) return type;
    const resolved = this.#substitution.resolve(type);
    if (isOptional(resolved)) return resolved.params[0]!;
    if (isDyn(resolved)) return resolved;
    return this.#issue(expr, `expected type 'optional_type(${this.#shown(type)})' but found '${this.#shown(type)}'`);
  }

  #map(expr: Expr & { kind: 'map' }): Type {
    let keys: Type | undefined;
    let values: Type | undefined;
    for (const { key, value, optional } of expr.entries) {
      keys = this.#join(key, keys, this.#visit(key));
      values = this.#join(value, values, this.#unwrapped(value, this.#visit(value), optional));
    }
    return mapOf(keys ?? this.#substitution.freshParam(), values ?? this.#substitution.freshParam());
  }

  #struct(expr: Expr & { kind: 'struct' }): Type {
    const name = expr.name.replace(/^\./, '');
    const type = this.#declarations.structs?.get(name);
    if (type === undefined) {
      for (const { value } of expr.fields) this.#visit(value);
      return this.#issue(expr, undeclared(name));
    }
    for (const field of expr.fields) {
      const given = this.#unwrapped(field.value, this.#visit(field.value), field.optional);
      const declared = type.fields?.get(field.name);
      if (declared === undefined) this.#issue(field.value, `undefined field '${field.name}'`);
      else if (!this.#substitution.assignable([given], [declared])) {
        const message = `expected type of field '${field.name}' is '${this.#shown(declared)}' but provided type is '${this.#shown(given)}'`;
        this.#issue(field.value, message);
      }
    }
    return type;
  }

  #comprehension(expr: Expr & { kind: 'comprehension' }): Type {
    const range = this.#substitution.resolve(this.#visit(expr.range));
    const accumulator = this.#visit(expr.init);
    const [first, second] = this.#iterated(expr, range);
    const bound = expr.variable2 === undefined ? [first] : [second ?? INT, first];
    const outer = new Map([[expr.accumulator, accumulator]]);
    const inner = new Map<string, Type>([[expr.variable, bound[0]!]]);
    if (expr.variable2 !== undefined) inner.set(expr.variable2, bound[1]!);
    this.#scopes.push(outer, inner);
    this.#expect(expr.condition, this.#visit(expr.condition), BOOL);
    this.#expect(expr.step, this.#visit(expr.step), accumulator);
    this.#scopes.pop();
    const result = this.#visit(expr.result);
    this.#scopes.pop();
    return this.#substitution.resolve(result);
  }

  /** What a range gives: items of a list (with their index), or keys of a map; in the two-variable form the values of a map (with their keys). */
  #iterated(expr: Expr & { kind: 'comprehension' }, range: Type): readonly [Type, Type?] {
    switch (range.kind) {
      case 'list':
        return [range.params[0]!, INT];
      case 'map':
        return expr.variable2 === undefined ? [range.params[0]!] : [range.params[1]!, range.params[0]!];
      case 'dyn':
      case 'error':
      case 'param':
        return [DYN, DYN];
      default: {
        const message = `expression of type '${this.#shown(range)}' cannot be range of a comprehension (must be list, map, or dynamic)`;
        this.#issue(expr.range, message);
        return [ERROR, ERROR];
      }
    }
  }

  #expect(expr: Expr, found: Type, wanted: Type): void {
    if (this.#substitution.assignable([found], [wanted])) return;
    this.#issue(expr, `expected type '${this.#shown(wanted)}' but found '${this.#shown(found)}'`);
  }
}

const patterned: ReadonlySet<string> = new Set(['matches', 'find', 'findAll']);
const conversions: ReadonlySet<string> = new Set(['bool', 'bytes', 'double', 'int', 'string', 'uint']);
const literalArguments: ReadonlySet<string> = new Set(['duration', 'timestamp', ...patterned]);

const literalTypes = { null: NULL, bool: BOOL, int: INT, uint: UINT, double: DOUBLE, string: STRING, bytes: BYTES } as const;

const undeclared = (name: string): string => `undeclared reference to '${name.replace(/^\./, '')}' (in container '')`;

function qualifiedName(expr: Expr): string | undefined {
  if (expr.kind === 'ident') return expr.name;
  if (expr.kind !== 'select' || expr.test) return undefined;
  const operand = qualifiedName(expr.operand);
  return operand === undefined ? undefined : `${operand}.${expr.field}`;
}

const sameType = (a: Type, b: Type): boolean =>
  a.kind === b.kind &&
  a.name === b.name &&
  a.params.length === b.params.length &&
  a.params.every((p, i) => sameType(p, b.params[i]!));
