import { badRequest } from '../../api/meta/status.ts';

type Labels = Readonly<Record<string, string>> | undefined;
export type LabelMatcher = (labels: Labels) => boolean;

export interface FieldRequirement {
  readonly field: string;
  readonly value: string;
  readonly negated: boolean;
}

/** Longest selector that is looked at, in characters. */
const MAX_SELECTOR_LENGTH = 64 * 1024;

/** Parses `a=b,c!=d`; commas, equals signs and backslashes in values are escaped by a backslash. */
export function parseFieldSelector(text: string): readonly FieldRequirement[] {
  checkLength(text);
  const out: FieldRequirement[] = [];
  for (const term of splitUnescaped(text)) {
    if (term === '') continue;
    const operator = /^((?:[^\\=!]|\\.)*?)(!=|==|=)(.*)$/s.exec(term);
    if (operator === null) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
    out.push({
      field: operator[1]!,
      negated: operator[2] === '!=',
      value: operator[3]!.replace(/\\([\\,=])/g, '$1'),
    });
  }
  return out;
}

function splitUnescaped(text: string): string[] {
  const terms: string[] = [];
  let term = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === '\\') term += c + (text[++i] ?? '');
    else if (c === ',') {
      terms.push(term);
      term = '';
    } else term += c;
  }
  terms.push(term);
  return terms;
}

/**
 * Parses a label selector in its string form: `a=b, c!=d, e in (f,g), h notin (i), j, !k, n>1, n<2`.
 * Undefined when it is empty. Throws upstream's 400 `unable to parse requirement` otherwise.
 */
export function parseLabelSelector(text: string): LabelMatcher | undefined {
  checkLength(text);
  const parser = new LabelParser(text);
  const tests = parser.parse();
  if (tests.length === 0) return undefined;
  if (tests.length === 1) return tests[0];
  return (labels) => {
    for (const test of tests) if (!test(labels)) return false;
    return true;
  };
}

function checkLength(text: string): void {
  if (text.length > MAX_SELECTOR_LENGTH) throw badRequest('selector is too long');
}

class LabelParser {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = text.match(/!=|==|[=!<>(),]|[^\s=!<>(),]+/g) ?? [];
  }

  parse(): LabelMatcher[] {
    const tests: LabelMatcher[] = [];
    while (this.#at < this.#tokens.length) {
      tests.push(this.#requirement());
      const next = this.#tokens[this.#at];
      if (next === undefined) break;
      if (next !== ',') throw unexpected(next, "',' or 'end of string'");
      this.#at++;
      if (this.#at === this.#tokens.length) throw unexpected('', "identifier after ','");
    }
    return tests;
  }

  #requirement(): LabelMatcher {
    if (this.#tokens[this.#at] === '!') {
      this.#at++;
      const key = this.#key();
      return (labels) => labels?.[key] === undefined;
    }
    const key = this.#key();
    const operator = this.#tokens[this.#at];
    switch (operator) {
      case undefined:
      case ',':
        return (labels) => labels?.[key] !== undefined;
      case '=':
      case '==': {
        this.#at++;
        const value = this.#value();
        return (labels) => labels?.[key] === value;
      }
      case '!=': {
        this.#at++;
        const value = this.#value();
        return (labels) => labels?.[key] !== value;
      }
      case 'in':
      case 'notin': {
        this.#at++;
        const values = this.#values();
        if (operator === 'in') {
          return (labels) => {
            const value = labels?.[key];
            return value !== undefined && values.has(value);
          };
        }
        return (labels) => {
          const value = labels?.[key];
          return value === undefined || !values.has(value);
        };
      }
      case '<':
      case '>':
        this.#at++;
        return this.#comparison(key, operator);
      default:
        throw unexpected(operator, 'in, notin, =, ==, !=, gt, lt');
    }
  }

  #comparison(key: string, operator: '<' | '>'): LabelMatcher {
    const text = this.#value();
    if (!/^-?\d+$/.test(text)) {
      throw badRequest(
        `values[0][${key}]: Invalid value: ${JSON.stringify(text)}: for 'Gt', 'Lt' operators, the value must be an integer`,
      );
    }
    const bound = Number(text);
    return (labels) => {
      const value = labels?.[key];
      if (value === undefined || !/^-?\d+$/.test(value)) return false;
      return operator === '>' ? Number(value) > bound : Number(value) < bound;
    };
  }

  #key(): string {
    const token = this.#tokens[this.#at];
    if (token === undefined || /^(?:!=|==|[=!<>(),])$/.test(token))
      throw unexpected(token ?? '', "!, identifier, or 'end of string'");
    this.#at++;
    return token;
  }

  /** A value may be empty. */
  #value(): string {
    const token = this.#tokens[this.#at];
    if (token === undefined || token === ',' || token === ')') return '';
    if (/^(?:!=|==|[=!<>(])$/.test(token)) throw unexpected(token, 'identifier');
    this.#at++;
    return token;
  }

  #values(): ReadonlySet<string> {
    const open = this.#tokens[this.#at++];
    if (open !== '(') throw unexpected(open ?? '', "'('");
    const values = new Set<string>();
    for (;;) {
      values.add(this.#value());
      const next = this.#tokens[this.#at++];
      if (next === ')') return values;
      if (next !== ',') throw unexpected(next ?? '', "',' or ')'");
    }
  }
}

const unexpected = (found: string, expected: string): Error =>
  badRequest(`unable to parse requirement: found '${found}', expected: ${expected}`);
