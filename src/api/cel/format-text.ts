import { doubleText } from './standard-library.ts';
import { durationText, timestampText } from './time.ts';
import { CelError, Duration, ListValue, MapValue, Timestamp, TypeValue, typeNameOf, Unsigned, type Value } from './values.ts';

const MAX_PRECISION = 1000;

/** `'%s has %d'.format([…])`, cel-go's way. Throws a CelError. */
export function formatText(pattern: string, args: readonly Value[]): string {
  let out = '';
  let used = 0;
  for (let i = 0; i < pattern.length; i++) {
    if (pattern[i] !== '%') {
      out += pattern[i];
      continue;
    }
    if (pattern[i + 1] === '%') {
      out += '%';
      i++;
      continue;
    }
    const clause = /^%(?:\.(\d+))?(.)?/su.exec(pattern.slice(i))!;
    const verb = clause[2];
    if (verb === undefined) throw new CelError('unexpected end of string');
    if (used >= args.length) throw new CelError(`index ${used} out of range`);
    const precision = clause[1] === undefined ? undefined : Number(clause[1]);
    if (precision !== undefined && precision > MAX_PRECISION) throw new CelError(`precision ${precision} is too large`);
    out += format(verb, args[used++]!, precision);
    i += clause[0].length - 1;
  }
  return out;
}

function format(verb: string, value: Value, precision: number | undefined): string {
  switch (verb) {
    case 's':
      return plain(value);
    case 'd':
      return decimal(value);
    case 'f':
      return typeof special(value) === 'string' ? special(value)! : number(value, 'f').toFixed(precision ?? 6);
    case 'e':
      return typeof special(value) === 'string' ? special(value)! : scientific(number(value, 'e').toExponential(precision ?? 6));
    case 'b':
      if (typeof value === 'boolean') return value ? '1' : '0';
      return whole(value, 'b').toString(2);
    case 'o':
      return whole(value, 'o').toString(8);
    case 'x':
      return hex(value);
    case 'X':
      return hex(value).toUpperCase();
    default:
      throw new CelError(`could not parse formatting clause: unrecognized formatting clause "${verb}"`);
  }
}

const wrong = (value: Value, verb: string, wanted: string): CelError =>
  new CelError(`error during formatting: ${wanted} can only be used on ${verb}, was given ${typeNameOf(value)}`);

function plain(value: Value): string {
  if (typeof value === 'string') return value;
  if (value === null) return 'null';
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return special(value) ?? doubleText(value);
  if (value instanceof Unsigned) return String(value.value);
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  if (value instanceof Duration) return durationText(value);
  if (value instanceof Timestamp) return timestampText(value);
  if (value instanceof TypeValue) return value.name;
  if (value instanceof ListValue) return `[${[...value].map(plain).join(', ')}]`;
  if (value instanceof MapValue) {
    const entries = [...value.keys()].map((key) => [plain(key), plain(value.find(key)!)] as const);
    return `{${entries
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, v]) => `${k}: ${v}`)
      .join(', ')}}`;
  }
  throw wrong(value, 'strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps', 'string clause');
}

function special(value: Value): string | undefined {
  const n =
    typeof value === 'number' ? value : value === 'NaN' || value === 'Infinity' || value === '-Infinity' ? Number(value) : 0;
  if (Number.isNaN(n)) return 'NaN';
  return Number.isFinite(n) ? undefined : n > 0 ? 'Infinity' : '-Infinity';
}

function decimal(value: Value): string {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Unsigned) return String(value.value);
  if (typeof value === 'number') return special(value) ?? doubleText(value);
  throw wrong(value, 'integers', 'decimal clause');
}

function number(value: Value, verb: string): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Unsigned) return Number(value.value);
  throw wrong(value, 'doubles', verb === 'f' ? 'fixed-point clause' : 'scientific clause');
}

const superscripts = '⁰¹²³⁴⁵⁶⁷⁸⁹';

/** `3.14e+0` as `3.14×10⁰⁰`. */
function scientific(text: string): string {
  const [mantissa, exponent] = text.split('e') as [string, string];
  const digits = exponent.replace(/^[+-]/, '').padStart(2, '0');
  const sign = exponent.startsWith('-') ? '⁻' : '';
  return `${mantissa}×10${sign}${[...digits].map((d) => superscripts[Number(d)]).join('')}`;
}

function whole(value: Value, verb: string): bigint {
  if (typeof value === 'bigint') return value;
  if (value instanceof Unsigned) return value.value;
  throw wrong(value, verb === 'b' ? 'integers and bools' : 'integers', verb === 'b' ? 'binary clause' : 'octal clause');
}

function hex(value: Value): string {
  if (typeof value === 'bigint') return value.toString(16);
  if (value instanceof Unsigned) return value.value.toString(16);
  if (typeof value === 'string') return Buffer.from(value).toString('hex');
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  throw wrong(value, 'integers, byte buffers, and strings', 'hex clause');
}
