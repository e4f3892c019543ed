import type { LabelSelector as LabelSelectorObject } from '../types/meta-v1.ts';
import { isQualifiedName, isValidLabelValue } from './names.ts';

export type Labels = Readonly<Record<string, string>>;
export type LabelOperator = '=' | '==' | '!=' | 'in' | 'notin' | 'exists' | '!' | 'gt' | 'lt';

/** A selector text or object is bad; the message is apimachinery's. */
export class SelectorError extends Error {}

/** One condition on one label. `values` holds one for `=`, `==`, `!=`, `gt`, `lt`, and none for `exists` and `!`. */
export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

/** Conditions on labels, all of which must hold. Immutable. */
export class LabelSelector {
  readonly requirements: readonly LabelRequirement[];
  readonly #nothing: boolean;
  #tests: readonly ((labels: Labels | undefined) => boolean)[] | undefined;

  constructor(requirements: readonly LabelRequirement[], nothing = false) {
    this.requirements = [...requirements].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    this.#nothing = nothing;
  }

  /** Whether it lets everything pass. */
  get empty(): boolean {
    return !this.#nothing && this.requirements.length === 0;
  }

  /** Whether it lets nothing pass, as the selector of an absent LabelSelector. */
  get nothing(): boolean {
    return this.#nothing;
  }

  matches(labels: Labels | undefined): boolean {
    if (this.#nothing) return false;
    const tests = (this.#tests ??= this.requirements.map(compile));
    for (let i = 0; i < tests.length; i++) if (!tests[i]!(labels)) return false;
    return true;
  }

  /** The one value a label must have; undefined when several may do. What an index can be asked for. */
  exactValue(key: string): string | undefined {
    const first = this.requirements.find((r) => r.key === key);
    if (first === undefined || first.values.length !== 1) return undefined;
    return first.operator === '=' || first.operator === '==' || first.operator === 'in' ? first.values[0] : undefined;
  }

  /** The text, as it could be parsed again: `a=b,c in (d,e),!f`. */
  toString(): string {
    return this.requirements.map(formatRequirement).join(',');
  }
}

/** Lets everything pass. */
export const everything: LabelSelector = new LabelSelector([]);
/** Lets nothing pass. */
export const nothing: LabelSelector = new LabelSelector([], true);

/** Label values have no prototype: `constructor` is a key like any other. */
const labelOf = (labels: Labels | undefined, key: string): string | undefined =>
  labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;

function compile({ key, operator, values }: LabelRequirement): (labels: Labels | undefined) => boolean {
  const [only] = values;
  switch (operator) {
    case '=':
    case '==':
      return (labels) => labelOf(labels, key) === only;
    case '!=':
      return (labels) => labelOf(labels, key) !== only;
    case 'in': {
      if (values.length === 1) return (labels) => labelOf(labels, key) === only;
      const set = new Set<string | undefined>(values);
      return (labels) => set.has(labelOf(labels, key));
    }
    case 'notin': {
      const set = new Set<string | undefined>(values);
      return (labels) => !set.has(labelOf(labels, key));
    }
    case 'exists':
      return (labels) => labelOf(labels, key) !== undefined;
    case '!':
      return (labels) => labelOf(labels, key) === undefined;
    case 'gt':
    case 'lt': {
      const bound = parseInt64(only ?? '');
      return (labels) => {
        const value = parseInt64(labelOf(labels, key) ?? '');
        if (value === undefined || bound === undefined) return false;
        return operator === 'gt' ? value > bound : value < bound;
      };
    }
  }
}

/** An int64 in decimal; undefined when the text is none. */
function parseInt64(text: string): bigint | undefined {
  if (!/^[+-]?[0-9]{1,40}$/.test(text)) return undefined;
  const value = BigInt(text[0] === '+' ? text.slice(1) : text);
  return value >= -(2n ** 63n) && value < 2n ** 63n ? value : undefined;
}

function formatRequirement({ key, operator, values }: LabelRequirement): string {
  switch (operator) {
    case 'exists':
      return key;
    case '!':
      return `!${key}`;
    case 'in':
    case 'notin':
      return `${key} ${operator} (${[...values].sort().join(',')})`;
    case 'gt':
      return `${key}>${values[0]}`;
    case 'lt':
      return `${key}<${values[0]}`;
    default:
      return `${key}${operator}${values[0]}`;
  }
}

const operatorNames: Readonly<Record<string, LabelOperator>> = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: '!' };

/**
 * The selector of a LabelSelector object: absent selects nothing, empty everything (metav1.LabelSelectorAsSelector).
 * Throws a SelectorError where the object would not pass validation.
 */
export function selectorFromObject(object: LabelSelectorObject | undefined): LabelSelector {
  if (object === undefined) return nothing;
  const requirements: LabelRequirement[] = [];
  for (const [key, value] of Object.entries(object.matchLabels ?? {})) requirements.push(requirement(key, '=', [value]));
  for (const expression of object.matchExpressions ?? []) {
    const operator = Object.hasOwn(operatorNames, expression.operator) ? operatorNames[expression.operator] : undefined;
    if (operator === undefined) {
      throw new SelectorError(`${JSON.stringify(expression.operator)} is not a valid label selector operator`);
    }
    requirements.push(requirement(expression.key, operator, expression.values ?? []));
  }
  return requirements.length === 0 ? everything : new LabelSelector(requirements);
}

/** The selector of a plain map, of a Service or a ReplicationController; empty selects everything. Not validated. */
export function selectorFromSet(set: Labels | undefined): LabelSelector {
  const entries = Object.entries(set ?? {});
  return entries.length === 0
    ? everything
    : new LabelSelector(entries.map(([key, value]) => ({ key, operator: '=', values: [value] })));
}

/** The text of a LabelSelector object, for scale's status.selector: '' for one that selects everything. */
export const formatLabelSelector = (object: LabelSelectorObject | undefined): string => selectorFromObject(object).toString();

/** One validated condition. Throws a SelectorError with upstream's message. */
export function requirement(key: string, operator: LabelOperator, values: readonly string[]): LabelRequirement {
  const errors: string[] = [];
  const listed = `[${values.map((v) => JSON.stringify(v)).join(',')}]`;
  const keyFaults = isQualifiedName(key);
  if (keyFaults.length > 0) errors.push(`key: Invalid value: ${JSON.stringify(key)}: ${keyFaults.join('; ')}`);
  switch (operator) {
    case 'in':
    case 'notin':
      if (values.length === 0)
        errors.push(`values: Invalid value: ${listed}: for 'in', 'notin' operators, values set can't be empty`);
      break;
    case '=':
    case '==':
    case '!=':
      if (values.length !== 1)
        errors.push(`values: Invalid value: ${listed}: exact-match compatibility requires one single value`);
      break;
    case 'exists':
    case '!':
      if (values.length !== 0)
        errors.push(`values: Invalid value: ${listed}: values set must be empty for exists and does not exist`);
      break;
    default:
      if (values.length !== 1) {
        errors.push(`values: Invalid value: ${listed}: for 'Gt', 'Lt' operators, exactly one value is required`);
      }
      values.forEach((v, i) => {
        if (parseInt64(v) === undefined) {
          errors.push(
            `values[${i}]: Invalid value: ${JSON.stringify(v)}: for 'Gt', 'Lt' operators, the value must be an integer`,
          );
        }
      });
  }
  values.forEach((v, i) => {
    const faults = isValidLabelValue(v);
    if (faults.length > 0) errors.push(`values[${i}][${key}]: Invalid value: ${JSON.stringify(v)}: ${faults.join('; ')}`);
  });
  if (errors.length > 0) throw new SelectorError(errors.length === 1 ? errors[0]! : `[${errors.join(', ')}]`);
  return { key, operator, values };
}

type TokenKind = 'word' | 'in' | 'notin' | '(' | ')' | ',' | '!' | '=' | '==' | '!=' | '>' | '<' | 'end' | 'error';
interface Token {
  readonly kind: TokenKind;
  readonly text: string;
}

const symbols: ReadonlySet<string> = new Set(['(', ')', ',', '!', '=', '==', '!=', '>', '<']);

function tokens(text: string): readonly Token[] {
  const out: Token[] = [];
  const pattern = /\s*(?:([=!(),><]+)|([^\s=!(),><]+))/gy;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const word = match[2];
    if (word !== undefined) {
      out.push({ kind: word === 'in' || word === 'notin' ? word : 'word', text: word });
      continue;
    }
    // A run of symbols is cut into the longest that mean something.
    let run = match[1]!;
    while (run !== '') {
      const length = symbols.has(run.slice(0, 2)) && run.length > 1 ? 2 : 1;
      const symbol = run.slice(0, length);
      out.push({ kind: symbol as TokenKind, text: symbol });
      run = run.slice(length);
    }
  }
  out.push({ kind: 'end', text: '' });
  return out;
}

const binaryOperators = '=, ==, !=, in, notin, >, <';
/** What one selector may ask for; far more than fits into a URL. */
const MAX_SELECTOR_LENGTH = 256 * 1024;

/** Parses the text form: `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1`. Throws a SelectorError with apimachinery's message. */
export function parseLabelSelector(text: string): LabelSelector {
  if (text.length > MAX_SELECTOR_LENGTH) throw new SelectorError(`selector is longer than ${MAX_SELECTOR_LENGTH} characters`);
  const requirements = new Parser(tokens(text)).requirements();
  return requirements.length === 0 ? everything : new LabelSelector(requirements);
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  constructor(list: readonly Token[]) {
    this.#tokens = list;
  }

  /** The next token; `in` and `notin` are plain words unless an operator is expected. */
  #peek(operators = false): Token {
    const token = this.#tokens[Math.min(this.#at, this.#tokens.length - 1)]!;
    return !operators && (token.kind === 'in' || token.kind === 'notin') ? { kind: 'word', text: token.text } : token;
  }
  #take(operators = false): Token {
    const token = this.#peek(operators);
    this.#at++;
    return token;
  }

  requirements(): readonly LabelRequirement[] {
    const out: LabelRequirement[] = [];
    for (;;) {
      const token = this.#peek();
      if (token.kind === 'end') return out;
      if (token.kind !== 'word' && token.kind !== '!') {
        throw new SelectorError(`found '${token.text}', expected: !, identifier, or 'end of string'`);
      }
      try {
        out.push(this.#requirement());
      } catch (err) {
        throw err instanceof SelectorError ? new SelectorError(`unable to parse requirement: ${err.message}`) : err;
      }
      const after = this.#take();
      if (after.kind === 'end') return out;
      if (after.kind !== ',') throw new SelectorError(`found '${after.text}', expected: ',' or 'end of string'`);
      const next = this.#peek();
      if (next.kind !== 'word' && next.kind !== '!')
        throw new SelectorError(`found '${next.text}', expected: identifier after ','`);
    }
  }

  #requirement(): LabelRequirement {
    let token = this.#take();
    const absent = token.kind === '!';
    if (absent) token = this.#take();
    if (token.kind !== 'word') throw new SelectorError(`found '${token.text}', expected: identifier`);
    const key = token.text;
    const faults = isQualifiedName(key);
    if (faults.length > 0) throw new SelectorError(`<nil>: Invalid value: ${JSON.stringify(key)}: ${faults.join('; ')}`);
    if (absent) return requirement(key, '!', []);
    const next = this.#peek();
    if (next.kind === 'end' || next.kind === ',') return requirement(key, 'exists', []);
    const operator = this.#take(true);
    switch (operator.kind) {
      case 'in':
      case 'notin':
        return requirement(key, operator.kind, this.#values());
      case '=':
      case '==':
      case '!=':
        return requirement(key, operator.kind, [this.#value()]);
      case '>':
        return requirement(key, 'gt', [this.#value()]);
      case '<':
        return requirement(key, 'lt', [this.#value()]);
      default:
        throw new SelectorError(`found '${operator.text}', expected: ${binaryOperators}`);
    }
  }

  #value(): string {
    const token = this.#peek();
    if (token.kind === 'end' || token.kind === ',') return '';
    this.#at++;
    if (token.kind !== 'word') throw new SelectorError(`found '${token.text}', expected: identifier`);
    return token.text;
  }

  /** `(a,b)`; empty places between commas stand for the empty value. */
  #values(): readonly string[] {
    const open = this.#take();
    if (open.kind !== '(') throw new SelectorError(`found '${open.text}' expected: '('`);
    const values = new Set<string>();
    const first = this.#peek();
    if (first.kind !== 'word' && first.kind !== ',' && first.kind !== ')') {
      throw new SelectorError(`found '${first.text}', expected: ',', ')' or identifier`);
    }
    for (;;) {
      const token = this.#peek();
      if (token.kind === 'word') {
        values.add(token.text);
        this.#at++;
        const after = this.#peek();
        if (after.kind !== ',' && after.kind !== ')') throw new SelectorError(`found '${after.text}', expected: ',' or ')'`);
      } else if (token.kind === ',' || token.kind === ')') values.add('');
      else throw new SelectorError(`found '${token.text}', expected: ',', or identifier`);
      if (this.#take().kind === ')') return [...values].sort();
    }
  }
}
