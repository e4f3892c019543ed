import { needsQuotes } from './yaml-scalar.ts';

/** go-yaml folds a scalar at the first space past this column. */
const BEST_WIDTH = 80;
const INDENT = 2;
/** Deeper values are refused. */
const MAX_DEPTH = 1000;

/**
 * A JSON value as sigs.k8s.io/yaml writes it: keys sorted, lists not indented under their key, long text folded at 80 columns.
 * Throws a RangeError for what is nested too deeply.
 */
export function toYaml(value: unknown): string {
  const writer = new YamlWriter();
  writer.document(value);
  return writer.text();
}

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const membersOf = (map: Readonly<Record<string, unknown>>): readonly string[] =>
  Object.keys(map)
    .filter((key) => map[key] !== undefined)
    .sort(naturalOrder);

class YamlWriter {
  #out = '';
  #depth = 0;

  text(): string {
    return this.#out;
  }

  document(value: unknown): void {
    if (isMap(value) && membersOf(value).length > 0) this.#map(value, 0);
    else if (Array.isArray(value) && value.length > 0) this.#list(value, 0);
    else {
      this.#scalar(value, 0, 0, true);
      this.#out += '\n';
    }
  }

  #enter(): void {
    if (++this.#depth > MAX_DEPTH) throw new RangeError('exceeded max depth');
  }

  /** Writes the members; the first one where the line stands already. */
  #map(map: Readonly<Record<string, unknown>>, indent: number): void {
    this.#enter();
    membersOf(map).forEach((key, i) => {
      if (i > 0) this.#out += ' '.repeat(indent);
      const name = scalarText(key, indent, indent, false);
      this.#out += `${name}:`;
      this.#member(map[key], indent, indent + name.length + 1);
    });
    this.#depth--;
  }

  #member(value: unknown, indent: number, column: number): void {
    if (isMap(value) && membersOf(value).length > 0) {
      this.#out += `\n${' '.repeat(indent + INDENT)}`;
      this.#map(value, indent + INDENT);
    } else if (Array.isArray(value) && value.length > 0) {
      this.#out += `\n${' '.repeat(indent)}`;
      this.#list(value, indent);
    } else {
      this.#out += ' ';
      this.#scalar(value, indent, column + 1, true);
      this.#out += '\n';
    }
  }

  #list(list: readonly unknown[], indent: number): void {
    this.#enter();
    list.forEach((item, i) => {
      this.#out += `${i > 0 ? ' '.repeat(indent) : ''}- `;
      if (isMap(item) && membersOf(item).length > 0) this.#map(item, indent + INDENT);
      else if (Array.isArray(item) && item.length > 0) this.#list(item, indent + INDENT);
      else {
        this.#scalar(item, indent, indent + 2, true);
        this.#out += '\n';
      }
    });
    this.#depth--;
  }

  #scalar(value: unknown, indent: number, column: number, breaks: boolean): void {
    if (typeof value === 'string') this.#out += scalarText(value, indent, column, breaks);
    else if (Array.isArray(value)) this.#out += '[]';
    else if (isMap(value)) this.#out += '{}';
    else this.#out += value === undefined ? 'null' : String(value);
  }
}

/** Text as a scalar that begins at `column`; `breaks` is false for keys, which stay on their line. */
function scalarText(text: string, indent: number, column: number, breaks: boolean): string {
  const lines = text.includes('\n');
  const special = unprintable.test(text) || / \n/.test(text);
  if (special || (lines && (!breaks || text.endsWith(' ')))) return doubleQuoted(text, indent, column, breaks);
  if (lines) return literal(text, indent);
  if (needsQuotes(text)) return doubleQuoted(text, indent, column, breaks);
  if (plainAllowed(text)) return folded(text, indent, column, breaks);
  return `'${folded(text.replaceAll("'", "''"), indent, column + 1, breaks, true)}'`;
}

/** What go-yaml does not write as it stands; tabs are among it. */
const unprintable = /[^\n\x20-\x7e\u{85}\u{a0}-\u{d7ff}\u{e000}-\u{fefe}\u{ff00}-\u{fffd}\u{10000}-\u{10ffff}]/u;

function plainAllowed(text: string): boolean {
  if (text.startsWith(' ') || text.endsWith(' ')) return false;
  if (/^[#,[\]{}&*!|>'"%@`]/.test(text) || /^[?:-](\s|$)/.test(text) || /^(---|\.\.\.)/.test(text)) return false;
  return !/:(\s|$)/.test(text) && !/\s#/.test(text);
}

/** Breaks lines at single spaces past the width. */
function folded(text: string, indent: number, column: number, breaks: boolean, quoted = false): string {
  if (!breaks || column + text.length <= BEST_WIDTH) return text;
  const pad = ' '.repeat(indent + INDENT);
  let out = '';
  let at = column;
  const characters = [...text];
  for (let i = 0; i < characters.length; i++) {
    const c = characters[i]!;
    const single = c === ' ' && characters[i - 1] !== ' ' && characters[i + 1] !== ' ';
    if (single && at > BEST_WIDTH && (!quoted || (i > 0 && i < characters.length - 1))) {
      out += `\n${pad}`;
      at = pad.length;
    } else {
      out += c;
      at++;
    }
  }
  return out;
}

function literal(text: string, indent: number): string {
  const hint = /^[ \n]/.test(text) ? String(INDENT) : '';
  const chomping = !text.endsWith('\n') ? '-' : text === '\n' || text.endsWith('\n\n') ? '+' : '';
  const pad = ' '.repeat(indent + INDENT);
  const body = (text.endsWith('\n') ? text.slice(0, -1) : text)
    .split('\n')
    .map((line) => (line === '' ? '' : pad + line))
    .join('\n');
  return `|${hint}${chomping}\n${body}`;
}

const escapes: Readonly<Record<string, string>> = {
  '\0': '\\0',
  '\x07': '\\a',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\v': '\\v',
  '\f': '\\f',
  '\r': '\\r',
  '\x1b': '\\e',
  '"': '\\"',
  '\\': '\\\\',
  '\u0085': '\\N',
  '\u2028': '\\L',
  '\u2029': '\\P',
};

function escaped(c: string): string {
  const known = escapes[c];
  if (known !== undefined) return known;
  if (!unprintable.test(c)) return c;
  const code = c.codePointAt(0)!;
  if (code <= 0xff) return `\\x${code.toString(16).toUpperCase().padStart(2, '0')}`;
  return code <= 0xffff
    ? `\\u${code.toString(16).toUpperCase().padStart(4, '0')}`
    : `\\U${code.toString(16).toUpperCase().padStart(8, '0')}`;
}

function doubleQuoted(text: string, indent: number, column: number, breaks: boolean): string {
  const pad = ' '.repeat(indent + INDENT);
  const characters = [...text];
  let out = '"';
  let at = column + 1;
  let afterSpace = false;
  for (let i = 0; i < characters.length; i++) {
    const c = characters[i]!;
    if (c === ' ' && breaks && !afterSpace && at > BEST_WIDTH && i > 0 && i < characters.length - 1) {
      // A space that follows the break must be kept by hand.
      const keep = characters[i + 1] === ' ' ? '\\' : '';
      out += `\n${pad}${keep}`;
      at = pad.length + keep.length;
      afterSpace = true;
      continue;
    }
    const written = escaped(c);
    out += written;
    at += written.length;
    afterSpace = c === ' ';
  }
  return `${out}"`;
}

/** go-yaml's order of keys: runs of digits by their number, letters after everything else. */
function naturalOrder(a: string, b: string): number {
  const left = [...a];
  const right = [...b];
  for (let i = 0; i < left.length && i < right.length; i++) {
    const [l, r] = [left[i]!, right[i]!];
    if (l === r) continue;
    const [letterL, letterR] = [isLetter(l), isLetter(r)];
    if (letterL && letterR) return l < r ? -1 : 1;
    if (letterL !== letterR) {
      // Between two runs of digits that have begun, the number goes on; else what is no letter comes first.
      return isDigit(left[i - 1]) ? (letterL ? -1 : 1) : letterL ? 1 : -1;
    }
    const [numberL, numberR] = [digitsFrom(left, i), digitsFrom(right, i)];
    if (numberL !== '' && numberR !== '') {
      const [x, y] = [BigInt(numberL), BigInt(numberR)];
      if (x !== y) return x < y ? -1 : 1;
      if (numberL.length !== numberR.length) return numberL.length - numberR.length;
    }
    return l < r ? -1 : 1;
  }
  return left.length - right.length;
}

const isLetter = (c: string): boolean => /\p{L}/u.test(c);
const isDigit = (c: string | undefined): boolean => c !== undefined && c >= '0' && c <= '9';

function digitsFrom(characters: readonly string[], start: number): string {
  let end = start;
  while (end < characters.length && isDigit(characters[end])) end++;
  return characters.slice(start, end).join('');
}
