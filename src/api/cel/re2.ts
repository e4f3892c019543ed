import { setFlagsFromString } from 'node:v8';
import { BoundedRegExp, Re2Error } from './bounded-regexp.ts';

export { Re2Error } from './bounded-regexp.ts';

/**
 * Go's regular expressions (RE2 syntax) as JavaScript's. They are rewritten so that no flag is needed: V8 can then go over to its linear-time
 * engine when a match backtracks too much. What that engine does not take (classes of Unicode, large repetitions), and what is long, is searched
 * for with a time limit: a pattern in somebody's CRD cannot stop the server.
 */
setFlagsFromString('--enable-experimental-regexp-engine');
setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');
setFlagsFromString('--regexp-backtracks-before-fallback=20000');

/** RE2 refuses larger repetitions. */
const MAX_REPEAT = 1000;
/** Groups in groups; what V8 makes of more takes long. RE2 allows ten times as many. */
const MAX_NESTING = 100;
/** Compiled patterns kept; cleared when full, so that odd clients cannot grow it. */
const MAX_COMPILED = 2_000;

const compiled = new Map<string, RegExp | Re2Error>();

/** Compiles once and remembers. Throws a Re2Error, and what it gives may throw one when it searches. */
export function compileRe2(pattern: string): RegExp {
  let known = compiled.get(pattern);
  if (known === undefined) {
    known = compile(pattern);
    if (compiled.size >= MAX_COMPILED) compiled.clear();
    compiled.set(pattern, known);
  }
  if (known instanceof Re2Error) throw known;
  return known;
}

function compile(pattern: string): RegExp | Re2Error {
  try {
    const translator = new Translator(pattern);
    const source = translator.translate();
    try {
      return new BoundedRegExp(source, translator.unicode ? 'u' : '');
    } catch (err) {
      throw failure('invalid escape sequence', `${pattern}\`: ${(err as Error).message} \``);
    }
  } catch (err) {
    if (err instanceof Re2Error) return err;
    throw err;
  }
}

const failure = (what: string, where: string): Re2Error => new Re2Error(`error parsing regexp: ${what}: \`${where}\``);

interface Flags {
  readonly i: boolean;
  readonly m: boolean;
  readonly s: boolean;
  readonly U: boolean;
}

const posix: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7f',
  blank: '\\t ',
  cntrl: '\\x00-\\x1f\\x7f',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};

const perl: Readonly<Record<string, string>> = { d: '0-9', s: '\\t\\n\\f\\r ', w: '0-9A-Za-z_' };
const controls: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 };
const pair = '[\\ud800-\\udbff][\\udc00-\\udfff]';

/** Members of a class: what stands in the brackets, and characters beyond 16 bits as alternatives. */
interface ClassParts {
  body: string;
  readonly wide: string[];
}

class Translator {
  /** Unicode classes need the flag, and lose the guard. */
  readonly unicode: boolean;
  readonly #text: string;
  #at = 0;
  /** How often what has just been read may be repeated by the counts in it, at the most. */
  #repeats = 1;

  constructor(text: string) {
    this.#text = text;
    this.unicode = /\\[pP]/.test(text);
  }

  translate(): string {
    const out = this.#alternatives({ i: false, m: false, s: false, U: false }, 0);
    if (this.#at < this.#text.length) throw failure('unexpected )', this.#text);
    return out;
  }

  #alternatives(start: Flags, depth: number): string {
    if (depth > MAX_NESTING) throw failure('expression nests too deeply', this.#text);
    let flags = start;
    let out = '';
    let repeats = 1;
    while (this.#at < this.#text.length) {
      const c = this.#text[this.#at]!;
      if (c === ')') break;
      if (c === '|') {
        this.#at++;
        out += '|';
        continue;
      }
      const from = this.#at;
      let atom: string | undefined;
      this.#repeats = 1;
      if (c === '(') {
        const group = this.#group(flags, depth);
        if (typeof group === 'string') atom = group;
        else {
          flags = group;
          continue;
        }
      } else atom = this.#atom(c, flags);
      out += this.#repeated(atom, flags, from);
      repeats = Math.max(repeats, this.#repeats);
    }
    this.#repeats = repeats;
    return out;
  }

  /** A group's source, or the flags that hold from here to the end of the enclosing one. */
  #group(flags: Flags, depth: number): string | Flags {
    this.#at++;
    let head = '(';
    let inner = flags;
    if (this.#text[this.#at] === '?') {
      const rest = this.#text.slice(this.#at);
      const named = /^\?P?<([A-Za-z_]\w*)>/.exec(rest);
      const switches = /^\?([imsU]*)(?:-([imsU]+))?([:)])/.exec(rest);
      if (named !== null) {
        this.#at += named[0].length;
        head = `(?<${named[1]}>`;
      } else if (switches !== null) {
        this.#at += switches[0].length;
        const set = (name: keyof Flags): boolean =>
          switches[1]!.includes(name) || (flags[name] && !(switches[2] ?? '').includes(name));
        inner = { i: set('i'), m: set('m'), s: set('s'), U: set('U') };
        if (switches[3] === ')') return inner;
        head = '(?:';
      } else if (/^\?P?</.test(rest) && !/^\?<[=!]/.test(rest)) throw failure('invalid named capture', rest.slice(0, 20));
      else throw failure('invalid or unsupported Perl syntax', `(${rest.slice(0, 2)}`);
    }
    const body = this.#alternatives(inner, depth + 1);
    if (this.#text[this.#at] !== ')') throw failure('missing closing )', this.#text);
    this.#at++;
    return `${head}${body})`;
  }

  #repeated(atom: string, flags: Flags, from: number): string {
    let out = atom;
    for (let count = 0; ; count++) {
      const rest = this.#text.slice(this.#at);
      const op = /^(?:[*+?]|\{(\d+)(,(\d*))?\})(\?)?/.exec(rest);
      if (op === null) return out;
      if (count > 0)
        throw failure('invalid nested repetition operator', this.#text.slice(from, this.#at + op[0].length).slice(-4));
      const most = op[3] === undefined || op[3] === '' ? Number(op[1] ?? 0) : Number(op[3]);
      if (op[1] !== undefined && (Number(op[1]) > MAX_REPEAT || most > MAX_REPEAT || (op[3] && Number(op[1]) > most))) {
        throw failure('invalid repeat count', op[0]);
      }
      this.#repeats *= Math.max(most, Number(op[1] ?? 1), 1);
      if (this.#repeats > MAX_REPEAT) throw failure('invalid repeat count', this.#text.slice(from, this.#at + op[0].length));
      this.#at += op[0].length;
      const lazy = (op[4] !== undefined) !== flags.U;
      const simple = op[4] === undefined ? op[0] : op[0].slice(0, -1);
      const assertion = out === '^' || out === '$' || out === '\\b' || out === '\\B';
      out = `${assertion ? `(?:${out})` : out}${simple}${lazy ? '?' : ''}`;
    }
  }

  #atom(c: string, flags: Flags): string {
    switch (c) {
      case '*':
      case '+':
      case '?':
        throw failure('missing argument to repetition operator', c);
      case '.':
        this.#at++;
        if (this.unicode) return flags.s ? '[\\s\\S]' : '[^\\n]';
        return `(?:[^${flags.s ? '' : '\\n'}\\ud800-\\udfff]|${pair}|[\\ud800-\\udfff])`;
      case '^':
        this.#at++;
        return flags.m ? '(?:^|(?<=\\n))' : '^';
      case '$':
        this.#at++;
        return flags.m ? '(?=\\n|$)' : '$';
      case '[':
        return this.#class(flags);
      case '\\':
        return this.#escape(flags);
      default: {
        const point = String.fromCodePoint(this.#text.codePointAt(this.#at)!);
        this.#at += point.length;
        return literal(point, flags.i);
      }
    }
  }

  #escape(flags: Flags): string {
    const next = this.#text[this.#at + 1];
    if (next === undefined) throw failure('trailing backslash at end of expression', '');
    const two = (): void => {
      this.#at += 2;
    };
    switch (next) {
      case 'A':
        two();
        return '^';
      case 'z':
        two();
        return '$';
      case 'b':
      case 'B':
        two();
        return `\\${next}`;
      case 'Q': {
        two();
        const end = this.#text.indexOf('\\E', this.#at);
        const text = end < 0 ? this.#text.slice(this.#at) : this.#text.slice(this.#at, end);
        this.#at = end < 0 ? this.#text.length : end + 2;
        return `(?:${[...text].map((p) => literal(p, flags.i)).join('')})`;
      }
      default: {
        const parts: ClassParts = { body: '', wide: [] };
        const negated = this.#classEscape(parts);
        if (negated !== undefined) return negated;
        return parts.wide.length > 0 ? `(?:${parts.wide.join('|')})` : `[${flags.i ? bothCases(parts.body) : parts.body}]`;
      }
    }
  }

  /** One escape as class members. A negated class outside of brackets is given back as a whole. */
  #classEscape(parts: ClassParts, inClass = false): string | undefined {
    const text = this.#text;
    const c = text[this.#at + 1]!;
    const lower = c.toLowerCase();
    if (lower === 'd' || lower === 's' || lower === 'w') {
      this.#at += 2;
      if (c === lower) parts.body += perl[lower]!;
      else if (inClass) {
        parts.body += `\\${c}`;
        if (c === 'S') parts.body += '\\v\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff';
      } else if (this.unicode) return `[^${perl[lower]}]`;
      else return `(?:[^${perl[lower]}\\ud800-\\udfff]|${pair})`;
      return undefined;
    }
    if (lower === 'p') {
      const name = /^\\[pP](?:([A-Z])|\{(\^?)(\w+)\})/.exec(text.slice(this.#at));
      if (name === null) throw failure('invalid character class range', text.slice(this.#at, this.#at + 3));
      this.#at += name[0].length;
      const wanted = name[1] ?? name[3]!;
      const kind = wanted.length <= 2 ? wanted : `Script=${wanted}`;
      const negated = (c === 'P') !== (name[2] === '^');
      parts.body += `\\${negated ? 'P' : 'p'}{${kind}}`;
      return undefined;
    }
    addPoint(parts, this.#escapedPoint(), this.unicode);
    return undefined;
  }

  /** An escape that stands for one character. */
  #escapedPoint(): number {
    const text = this.#text;
    const c = text[this.#at + 1]!;
    const control = controls[c];
    if (control !== undefined) {
      this.#at += 2;
      return control;
    }
    const code = /^\\(?:x([0-9A-Fa-f]{2})|x\{([0-9A-Fa-f]+)\}|([0-7]{3}|0[0-7]{0,2}))/.exec(text.slice(this.#at));
    if (code !== null) {
      this.#at += code[0].length;
      return code[3] === undefined ? Number.parseInt(code[1] ?? code[2]!, 16) : Number.parseInt(code[3], 8);
    }
    if (/[0-9A-Za-z]/.test(c)) throw failure('invalid escape sequence', `\\${c}`);
    const point = text.codePointAt(this.#at + 1)!;
    this.#at += 1 + String.fromCodePoint(point).length;
    return point;
  }

  #class(flags: Flags): string {
    const start = this.#at++;
    const negated = this.#text[this.#at] === '^';
    if (negated) this.#at++;
    const parts: ClassParts = { body: '', wide: [] };
    for (let first = true; ; first = false) {
      const c = this.#text[this.#at];
      if (c === undefined) throw failure('missing closing ]', this.#text.slice(start));
      if (c === ']' && !first) break;
      this.#member(parts);
    }
    this.#at++;
    const body = flags.i ? bothCases(parts.body) : parts.body;
    if (this.unicode) return `[${negated ? '^' : ''}${body}]`;
    if (negated) {
      const narrow = `[^${body}\\ud800-\\udfff]`;
      return parts.wide.length > 0 ? `(?:${narrow}|(?!${parts.wide.join('|')})${pair})` : `(?:${narrow}|${pair})`;
    }
    return parts.wide.length === 0 ? `[${body}]` : `(?:${body === '' ? '' : `[${body}]|`}${parts.wide.join('|')})`;
  }

  #member(parts: ClassParts): void {
    const rest = this.#text.slice(this.#at);
    const named = /^\[:(\^?)(\w+):\]/.exec(rest);
    if (named !== null) {
      const set = posix[named[2]!];
      if (set === undefined) throw failure('invalid character class range', named[0]);
      this.#at += named[0].length;
      parts.body += named[1] === '' ? set : complement(set);
      return;
    }
    const low = this.#classPoint(parts);
    if (low === undefined) return;
    if (this.#text[this.#at] !== '-' || this.#text[this.#at + 1] === ']' || this.#text[this.#at + 1] === undefined) {
      addPoint(parts, low, this.unicode);
      return;
    }
    const from = this.#at;
    this.#at++;
    const high = this.#classPoint({ body: '', wide: [] });
    if (high === undefined || high < low) {
      throw failure('invalid character class range', `${String.fromCodePoint(low)}${this.#text.slice(from, this.#at)}`);
    }
    addRange(parts, low, high, this.unicode);
  }

  /** One character of a class; undefined when it was a set, which then has been added. */
  #classPoint(parts: ClassParts): number | undefined {
    if (this.#text[this.#at] !== '\\') {
      const point = this.#text.codePointAt(this.#at)!;
      this.#at += String.fromCodePoint(point).length;
      return point;
    }
    if (this.#at + 1 >= this.#text.length) throw failure('trailing backslash at end of expression', '');
    if (/[dswDSWpP]/.test(this.#text[this.#at + 1]!)) {
      this.#classEscape(parts, true);
      return undefined;
    }
    return this.#escapedPoint();
  }
}

const hex4 = (unit: number): string => `\\u${unit.toString(16).padStart(4, '0')}`;

function addPoint(parts: ClassParts, point: number, unicode: boolean): void {
  if (point <= 0xffff) parts.body += hex4(point);
  else if (unicode) parts.body += `\\u{${point.toString(16)}}`;
  else parts.wide.push([...String.fromCodePoint(point)].map(units).join(''));
}

const units = (text: string): string => Array.from({ length: text.length }, (_, i) => hex4(text.charCodeAt(i))).join('');

function addRange(parts: ClassParts, low: number, high: number, unicode: boolean): void {
  if (unicode) {
    parts.body += `\\u{${low.toString(16)}}-\\u{${high.toString(16)}}`;
    return;
  }
  if (low <= 0xffff) parts.body += `${hex4(low)}-${hex4(Math.min(high, 0xffff))}`;
  if (high <= 0xffff) return;
  const text = (point: number): readonly [number, number] => {
    const s = String.fromCodePoint(point);
    return [s.charCodeAt(0), s.charCodeAt(1)];
  };
  const [lead, trail] = text(Math.max(low, 0x10000));
  const [endLead, endTrail] = text(high);
  if (lead === endLead) parts.wide.push(`${hex4(lead)}[${hex4(trail)}-${hex4(endTrail)}]`);
  else {
    parts.wide.push(`${hex4(lead)}[${hex4(trail)}-\\udfff]`, `${hex4(endLead)}[\\udc00-${hex4(endTrail)}]`);
    if (endLead - lead > 1) parts.wide.push(`[${hex4(lead + 1)}-${hex4(endLead - 1)}][\\udc00-\\udfff]`);
  }
}

function literal(point: string, anyCase: boolean): string {
  const other = point.toLowerCase() === point ? point.toUpperCase() : point.toLowerCase();
  if (anyCase && other !== point && other.length === point.length) return `(?:${units(point)}|${units(other)})`;
  return /^[A-Za-z0-9_ -]$/.test(point) ? point : point.length > 1 ? `(?:${units(point)})` : units(point);
}

/** The class body with the other case of its ASCII letters added. */
function bothCases(body: string): string {
  const matcher = new RegExp(`[${body}]`, /\\[pP]\{|\\u\{/.test(body) ? 'u' : '');
  let more = '';
  for (let i = 0; i < 26; i++) {
    const upper = String.fromCharCode(65 + i);
    const lower = String.fromCharCode(97 + i);
    if (matcher.test(upper) !== matcher.test(lower)) more += matcher.test(upper) ? lower : upper;
  }
  return body + more;
}

/** The 16-bit characters that an ASCII set does not have. */
function complement(set: string): string {
  const matcher = new RegExp(`[${set}]`);
  let out = '';
  for (let i = 0; i < 128; i++) if (!matcher.test(String.fromCharCode(i))) out += hex4(i);
  return `${out}\\u0080-\\ud7ff\\ue000-\\uffff`;
}
