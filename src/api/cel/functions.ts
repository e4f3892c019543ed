import type { Type } from './types.ts';
import type { Value } from './values.ts';

/** How the size of a value is known before it is: a range. `Infinity` when nothing bounds it. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** An argument as estimates see it. */
export interface EstimatedArg {
  readonly type: Type;
  /** The size that the expression or the schema tells; unknown otherwise. */
  readonly size: Range;
  /** Of a list: the sizes of its items. */
  readonly items: Range | undefined;
  /** The value of an int literal. */
  readonly literal: bigint | undefined;
}

export interface Estimate {
  readonly cost: Range;
  /** The size of the result, where it has one. */
  readonly size?: Range;
}

export interface Overload {
  readonly id: string;
  /** Called on its first argument: `a.f(b)`. */
  readonly member: boolean;
  readonly params: readonly Type[];
  readonly result: Type;
}

/** A function with all that it can be called with. One implementation serves every overload: it looks at the values, as dyn makes it do anyway. */
export interface CelFunction {
  readonly name: string;
  readonly overloads: readonly Overload[];
  /** Throws a CelError. The target comes first. Throws `noOverload()` for arguments of other types. */
  call(...args: Value[]): Value;
  /** The implementation of one overload, where the values alone do not tell which it is. */
  callAs?(overload: string): CelFunction['call'];
  /** What a call costs; 1 when left out. `overload` is undefined when it was chosen at run time. */
  cost?(args: readonly Value[], result: Value, overload: string | undefined): number;
  /** What a call may cost; 1 when left out. `args` begin with the target. `overload` is its id. */
  estimate?(args: readonly EstimatedArg[], overload: string): Estimate;
}

export const STRING_COST = 0.1;
export const REGEX_COST = 0.25;

export const range = (min: number, max = min): Range => ({ min, max });
export const unknownSize: Range = { min: 0, max: Number.POSITIVE_INFINITY };
/** Beyond this, costs are counted as this: uint64 has no more. */
const MOST = 2 ** 64;
const cap = (n: number): number => (Number.isNaN(n) ? 0 : Math.min(n, MOST));

export const addRange = (a: Range, b: Range): Range => ({ min: cap(a.min + b.min), max: cap(a.max + b.max) });
export const timesRange = (a: Range, b: Range): Range => ({ min: cap(a.min * b.min), max: cap(a.max * b.max) });
export const unionRange = (a: Range, b: Range): Range => ({ min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) });
/** Scaled, and rounded up to whole units. */
export const scaleRange = (a: Range, factor: number): Range => ({
  min: cap(Math.ceil(a.min * factor)),
  max: cap(Math.ceil(a.max * factor)),
});

export const traversal = (size: Range): Range => scaleRange(size, STRING_COST);
export const one: Range = { min: 1, max: 1 };

/** The cost of matching a pattern of some length against a text. */
export const matchEstimate = (text: Range, pattern: Range): Range =>
  timesRange(traversal(addRange(text, one)), scaleRange(pattern, REGEX_COST));

export const matchCost = (text: number, pattern: number): number =>
  Math.ceil((1 + text) * STRING_COST) * Math.ceil(pattern * REGEX_COST);

const overload =
  (member: boolean) =>
  (id: string, params: readonly Type[], result: Type): Overload => ({ id, member, params, result });

export const global = overload(false);
export const member = overload(true);
