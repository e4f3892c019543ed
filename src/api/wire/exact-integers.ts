/**
 * Integers that a double cannot hold, in objects whose types are not known beforehand: custom resources. They are bigints there, within
 * the range of an int64, and written with all their digits. Every integer that a double does hold stays a number.
 */

/** Fewer digits are always exact in a double. */
const manyDigits = /[0-9]{16}/;
const integerText = /^-?[0-9]+$/;
const INT64_BITS = 64;

/** The third argument of a reviver, which the language's type library does not know yet. */
type Reviver = (this: unknown, key: string, value: unknown, context: { readonly source?: string }) => unknown;

const keepDigits: Reviver = (_key, value, context) => {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || !Number.isInteger(value)) return value;
  const { source } = context;
  if (source === undefined || !integerText.test(source)) return value;
  const exact = BigInt(source);
  // What is beyond an int64 is a float64 to Go as well.
  return BigInt.asIntN(INT64_BITS, exact) === exact ? exact : value;
};

/** Whether a text could have an integer that a double cannot hold. */
export const mayHaveLargeIntegers = (text: string): boolean => manyDigits.test(text);

/** JSON.parse, with integers of an int64 that a double cannot hold as bigints. Throws a SyntaxError as JSON.parse does. */
export function parseExactly(text: string): unknown {
  return manyDigits.test(text)
    ? JSON.parse(text, keepDigits as (this: unknown, key: string, value: unknown) => unknown)
    : JSON.parse(text);
}

// JSON.stringify throws for a bigint that has no such method: this is the one way in for everyone who writes an object.
Object.defineProperty(BigInt.prototype, 'toJSON', {
  configurable: true,
  writable: true,
  value(this: bigint): unknown {
    return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(String(this));
  },
});
