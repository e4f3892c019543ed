/** A text is no JSONPath of client-go's kind. */
export class JsonPathError extends Error {}

/** Finds values in an object. Missing members are no fault: they find nothing. */
export type JsonPath = (root: unknown) => readonly unknown[];

type Step = (values: readonly unknown[], root: unknown) => readonly unknown[];

/**
 * Compiles a path as printer columns and selectable fields have it (client-go's util/jsonpath, without its templates): fields, quoted
 * fields, indices, slices, unions, wildcards, filters and recursive descent. Throws a JsonPathError.
 */
export function compileJsonPath(text: string): JsonPath {
  const parser = new Parser(text);
  const steps = parser.steps();
  return (root) => run(steps, [root], root);
}

function run(steps: readonly Step[], start: readonly unknown[], root: unknown): readonly unknown[] {
  let values = start;
  for (const step of steps) {
    if (values.length === 0) break;
    values = step(values, root);
  }
  return values;
}

type JsonObject = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

const childrenOf = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];

const field =
  (name: string): Step =>
  (values) =>
    values.flatMap((value) => (isObject(value) && Object.hasOwn(value, name) ? [value[name]] : []));

const wildcard: Step = (values) => values.flatMap(childrenOf);

const descend: Step = (values) => {
  const out: unknown[] = [];
  const visit = (value: unknown): void => {
    out.push(value);
    for (const child of childrenOf(value)) visit(child);
  };
  for (const value of values) visit(value);
  return out;
};

function slice(from: number | undefined, to: number | undefined, by: number | undefined): Step {
  return (values) =>
    values.flatMap((value) => {
      if (!Array.isArray(value)) return [];
      const list = value as readonly unknown[];
      const at = (n: number): number => (n < 0 ? n + list.length : n);
      const first = at(from ?? 0);
      const end = to === undefined ? list.length : at(to);
      const out: unknown[] = [];
      for (let i = first; i < Math.min(end, list.length); i += Math.max(by ?? 1, 1)) if (i >= 0) out.push(list[i]);
      return out;
    });
}

const index =
  (n: number): Step =>
  (values) =>
    values.flatMap((value) => {
      if (!Array.isArray(value)) return [];
      const i = n < 0 ? n + value.length : n;
      return i >= 0 && i < value.length ? [value[i] as unknown] : [];
    });

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  steps(end = ''): readonly Step[] {
    const steps: Step[] = [];
    while (this.#at < this.#text.length) {
      const c = this.#text[this.#at]!;
      if (end !== '' && (end.includes(c) || /\s/.test(c))) break;
      if (c === '$' || c === '@') this.#at++;
      else if (c === '.') steps.push(...this.#dot());
      else if (c === '[') steps.push(this.#bracket());
      else if (steps.length === 0 && /[\w-]/.test(c)) steps.push(this.#field());
      else throw new JsonPathError(`unexpected character ${JSON.stringify(c)} in ${JSON.stringify(this.#text)}`);
    }
    return steps;
  }

  #dot(): readonly Step[] {
    this.#at++;
    const c = this.#text[this.#at];
    if (c === '.') {
      this.#at++;
      const next = this.#text[this.#at];
      if (next === '[') return [descend];
      return [descend, next === '*' ? this.#star() : this.#field()];
    }
    if (c === '[') return [];
    if (c === '*') return [this.#star()];
    return [this.#field()];
  }

  #star(): Step {
    this.#at++;
    return wildcard;
  }

  #field(): Step {
    let name = '';
    for (; this.#at < this.#text.length; this.#at++) {
      const c = this.#text[this.#at]!;
      if (c === '\\') {
        this.#at++;
        name += this.#text[this.#at] ?? '';
      } else if (/[.[\]\s|{}()=!<>,]/.test(c)) break;
      else name += c;
    }
    // A lone dot is the object itself.
    if (name === '') {
      if (this.#at === this.#text.length || /[\s)\]]/.test(this.#text[this.#at]!)) return (values) => values;
      throw new JsonPathError(`missing field name in ${JSON.stringify(this.#text)}`);
    }
    return field(name);
  }

  #bracket(): Step {
    this.#at++;
    if (this.#text.startsWith('?(', this.#at)) return this.#filter();
    const close = this.#closing();
    const parts = splitUnion(this.#text.slice(this.#at, close)).map((part) => bracketPart(part.trim(), this.#text));
    this.#at = close + 1;
    return parts.length === 1 ? parts[0]! : (values, root) => parts.flatMap((part) => part(values, root));
  }

  #closing(): number {
    let quote = '';
    for (let i = this.#at; i < this.#text.length; i++) {
      const c = this.#text[i]!;
      if (c === '\\') i++;
      else if (quote !== '') quote = c === quote ? '' : quote;
      else if (c === "'" || c === '"') quote = c;
      else if (c === ']') return i;
    }
    throw new JsonPathError(`unterminated array in ${JSON.stringify(this.#text)}`);
  }

  #filter(): Step {
    this.#at += 2;
    const left = this.#operand();
    const operator = /^\s*(==|!=|<=|>=|<|>)/.exec(this.#text.slice(this.#at));
    let right: Operand | undefined;
    if (operator !== null) {
      this.#at += operator[0].length;
      right = this.#operand();
    }
    const end = /^\s*\)\s*\]/.exec(this.#text.slice(this.#at));
    if (end === null) throw new JsonPathError(`unterminated filter in ${JSON.stringify(this.#text)}`);
    this.#at += end[0].length;
    return (values, root) =>
      values.flatMap((value) => childrenOf(value).filter((item) => passes(left, operator?.[1], right, item, root)));
  }

  #operand(): Operand {
    this.#at += /^\s*/.exec(this.#text.slice(this.#at))![0].length;
    const rest = this.#text.slice(this.#at);
    const literal = /^(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|(-?\d+(?:\.\d+)?)|(true|false)(?!\w))/.exec(rest);
    if (literal !== null) {
      this.#at += literal[0].length;
      const text = literal[1] ?? literal[2];
      const value =
        text !== undefined ? text.replace(/\\(.)/g, '$1') : literal[3] !== undefined ? Number(literal[3]) : literal[4] === 'true';
      return () => [value];
    }
    const absolute = rest.startsWith('$');
    const steps = this.steps(')=!<>');
    return (item, root) => run(steps, [absolute ? root : item], root);
  }
}

type Operand = (item: unknown, root: unknown) => readonly unknown[];

function passes(left: Operand, operator: string | undefined, right: Operand | undefined, item: unknown, root: unknown): boolean {
  const found = left(item, root);
  if (operator === undefined || right === undefined) return found.length > 0;
  const wanted = right(item, root);
  if (found.length === 0 || wanted.length === 0) return false;
  const [a, b] = [found[0], wanted[0]];
  if (operator === '==') return a === b;
  if (operator === '!=') return a !== b;
  const comparable = (isNumber(a) && isNumber(b)) || (typeof a === 'string' && typeof b === 'string');
  if (!comparable) return false;
  switch (operator) {
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '>':
      return a > b;
    default:
      return a >= b;
  }
}

const isNumber = (value: unknown): value is number | bigint => typeof value === 'number' || typeof value === 'bigint';

/** The parts of a union, not split inside of quotes. */
const splitUnion = (text: string): readonly string[] => text.match(/(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^,])+/g) ?? [''];

function bracketPart(part: string, whole: string): Step {
  if (part === '*') return wildcard;
  const quoted = /^'((?:[^'\\]|\\.)*)'$|^"((?:[^"\\]|\\.)*)"$/.exec(part);
  if (quoted !== null) return field((quoted[1] ?? quoted[2]!).replace(/\\(.)/g, '$1'));
  if (/^-?\d+$/.test(part)) return index(Number(part));
  const range = /^(-?\d*):(-?\d*)(?::(-?\d*))?$/.exec(part);
  if (range === null) throw new JsonPathError(`invalid array index ${part} in ${JSON.stringify(whole)}`);
  const number = (text: string | undefined): number | undefined => (text === undefined || text === '' ? undefined : Number(text));
  return slice(number(range[1]), number(range[2]), number(range[3]));
}
