import { DurationError, formatDuration, parseDuration } from '../meta/duration.ts';
import { canonicalQuantity, QuantityError } from '../meta/quantity.ts';
import { canonicalMicroTime, canonicalTime, TimeError } from '../meta/time.ts';
import { DecodeError, type DecodeState, type GoKind } from './decode-state.ts';
import { goTypeName } from './go-type.ts';
import type { ScalarSchema } from './schema.ts';

/**
 * Decodes one value that is not null. `depth` is the number of path levels that lead to it.
 * Undefined means Go's zero time, which the API writes as null.
 */
export type Decoder = (value: unknown, state: DecodeState, depth: number) => unknown;

const INT32_MAX = 0x7fffffff;
const UINT32_MAX = 0xffffffff;
const TWO_63 = 2 ** 63;
const TWO_64 = 2 ** 64;
/** The largest doubles whose shortest text still is an int64: beyond 2^53 a number is the nearest double, and must stay readable. */
const INT64_CLAMP = TWO_63 - 1024;
const UINT64_CLAMP = TWO_64 - 2048;

/** The decoder of a scalar: checks the type and gives the value in canonical form. */
export function scalarDecoder(schema: ScalarSchema): Decoder {
  const goType = goTypeName(schema);
  switch (schema.type) {
    case 'string':
      return (value, state, depth) => (typeof value === 'string' ? value : state.fail(depth, value, goType, 'string'));
    case 'boolean':
      return (value, state, depth) => (typeof value === 'boolean' ? value : state.fail(depth, value, goType, 'bool'));
    case 'int32':
      return integer(goType, 'int32', -INT32_MAX - 1, INT32_MAX);
    case 'uint32':
      return integer(goType, 'uint32', 0, UINT32_MAX);
    case 'int64':
      return integer(goType, 'int64', -TWO_63, TWO_63, -INT64_CLAMP, INT64_CLAMP);
    case 'uint64':
      return integer(goType, 'uint64', 0, TWO_64, 0, UINT64_CLAMP);
    case 'float64':
      return (value, state, depth) => (typeof value === 'number' ? value : state.fail(depth, value, goType, 'float64'));
    case 'bytes':
      return (value, state, depth) =>
        typeof value === 'string' ? bytes(value, state) : state.fail(depth, value, goType, 'slice');
    case 'quantity':
      return decodeQuantity;
    case 'time':
      return (value, state, depth) =>
        typeof value === 'string' ? time(value, canonicalTime) : state.fail(depth, value, 'string', 'own');
    case 'micro-time':
      return (value, state, depth) =>
        typeof value === 'string' ? time(value, canonicalMicroTime) : state.fail(depth, value, 'string', 'own');
    case 'duration':
      return (value, state, depth) => (typeof value === 'string' ? duration(value) : state.fail(depth, value, 'string', 'own'));
    case 'int-or-string': {
      const int32 = integer('int32', 'own', -INT32_MAX - 1, INT32_MAX);
      return (value, state, depth) => (typeof value === 'string' ? value : int32(value, state, depth));
    }
  }
}

function integer(goType: string, kind: GoKind, min: number, max: number, clampMin = min, clampMax = max): Decoder {
  return (given, state, depth) => {
    // Metadata of custom resources may have been read with all its digits.
    const value = typeof given === 'bigint' ? Number(given) : given;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
      return state.fail(depth, value, goType, kind);
    }
    return value > clampMax ? clampMax : Math.max(value, clampMin);
  };
}

function decodeQuantity(value: unknown): string {
  try {
    return canonicalQuantity(typeof value === 'string' ? value.trim() : typeof value === 'number' ? String(value) : 'true');
  } catch (err) {
    throw err instanceof QuantityError ? new DecodeError(err.message) : err;
  }
}

function time(text: string, canonical: (text: string) => string): string | undefined {
  try {
    const result = canonical(text);
    return result === '' ? undefined : result;
  } catch (err) {
    throw err instanceof TimeError ? new DecodeError(err.message) : err;
  }
}

function duration(text: string): string {
  try {
    return formatDuration(parseDuration(text));
  } catch (err) {
    throw err instanceof DurationError ? new DecodeError(err.message) : err;
  }
}

function bytes(text: string, state: DecodeState): string {
  try {
    return canonicalBase64(text);
  } catch (err) {
    throw state.merged && err instanceof DecodeError ? new DecodeError(`error decoding from json: ${err.message}`) : err;
  }
}

const base64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Standard base64 as Go would write it again: line breaks left out, unused bits zero. Throws a DecodeError. */
export function canonicalBase64(text: string): string {
  const length = text.length;
  if ((length & 3) !== 0 || !base64.test(text)) {
    const plain = text.replace(/[\r\n]+/g, '');
    if (plain.length !== length) return canonicalBase64(plain);
    throw new DecodeError(`illegal base64 data at input byte ${firstIllegal(text)}`);
  }
  if (length === 0 || text.charCodeAt(length - 1) !== 61) return text;
  const tail = text.slice(-4);
  const canonicalTail = Buffer.from(tail, 'base64').toString('base64');
  if (canonicalTail.length !== 4) throw new DecodeError(`illegal base64 data at input byte ${firstIllegal(text)}`);
  return canonicalTail === tail ? text : text.slice(0, -4) + canonicalTail;
}

/** Where Go's decoder stops: the first character outside the alphabet, or what follows a good end, or the start of a short last group. */
function firstIllegal(text: string): number {
  const bad = /[^A-Za-z0-9+/]/.exec(text);
  if (bad === null) return text.length - (text.length % 4);
  if (bad[0] !== '=') return bad.index;
  const inGroup = bad.index % 4;
  if (inGroup < 2) return bad.index;
  if (inGroup === 2) {
    if (bad.index + 1 >= text.length) return text.length;
    if (text[bad.index + 1] !== '=') return bad.index + 1;
    return bad.index + 2;
  }
  return bad.index + 1;
}
