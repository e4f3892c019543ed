import { CompileError, type Expr, type LiteralExpr, type MapEntry } from './ast.ts';
import { SyntaxIssue, type Token, tokenize } from './lexer.ts';
import { expandMacro } from './macros.ts';

/** Expressions nested deeper are refused (cel-go's MaxRecursionDepth). */
export const MAX_NESTING = 250;
/** Longer sources are refused (cel-go's expressionSizeCodePointLimit). */
export const MAX_SOURCE_LENGTH = 100_000;

const reserved: ReadonlySet<string> = new Set(
  'as break const continue else false for function if import in let loop package namespace null return true var void while'.split(
    ' ',
  ),
);

/** Words that are no names of fields either. The other reserved ones are: `request.namespace`. */
const keywords: ReadonlySet<string> = new Set(['true', 'false', 'null', 'in']);

/** Parses an expression and expands its macros. Throws a CompileError. */
export function parse(source: string): Expr {
  try {
    if (source.length > MAX_SOURCE_LENGTH) {
      throw new SyntaxIssue(0, `expression code point size exceeds limit: size: ${source.length}, limit ${MAX_SOURCE_LENGTH}`);
    }
    return new Parser(tokenize(source)).parse();
  } catch (err) {
    if (err instanceof SyntaxIssue) throw new CompileError(source, [err.issue]);
    throw err;
  }
}

const relations: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>=', 'in']);

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): Expr {
    const expr = this.#expression();
    const rest = this.#next;
    if (rest.kind !== 'end') throw this.#unexpected(rest, '<EOF>');
    return expr;
  }

  get #next(): Token {
    return this.#tokens[this.#at]!;
  }

  #take(): Token {
    return this.#tokens[this.#at++]!;
  }

  #accept(text: string): Token | undefined {
    const token = this.#next;
    if ((token.kind === 'symbol' || token.kind === 'ident') && token.text === text) return this.#take();
    return undefined;
  }

  #expect(text: string): Token {
    const token = this.#accept(text);
    if (token === undefined) throw this.#unexpected(this.#next, `'${text}'`);
    return token;
  }

  #unexpected(token: Token, expected = ''): SyntaxIssue {
    const what = `'${token.text}'`;
    if (expected === '') return new SyntaxIssue(token.at, `Syntax error: mismatched input ${what} expecting an expression`);
    return new SyntaxIssue(token.at, `Syntax error: mismatched input ${what} expecting ${expected}`);
  }

  #expression(): Expr {
    if (++this.#depth > MAX_NESTING) {
      throw new SyntaxIssue(this.#next.at, `expression recursion limit exceeded: ${MAX_NESTING}`);
    }
    const condition = this.#or();
    const question = this.#accept('?');
    let out = condition;
    if (question !== undefined) {
      const yes = this.#or();
      this.#expect(':');
      const no = this.#expression();
      out = { kind: 'call', name: '_?_:_', target: undefined, args: [condition, yes, no], at: question.at };
    }
    this.#depth--;
    return out;
  }

  #binary(operators: readonly string[], operand: () => Expr): Expr {
    let left = operand();
    for (;;) {
      const token = this.#next;
      if (token.kind !== 'symbol' || !operators.includes(token.text)) return left;
      this.#take();
      left = { kind: 'call', name: `_${token.text}_`, target: undefined, args: [left, operand()], at: token.at };
    }
  }

  #or(): Expr {
    return this.#binary(['||'], () => this.#binary(['&&'], () => this.#relation()));
  }

  #relation(): Expr {
    let left = this.#sum();
    for (;;) {
      const token = this.#next;
      if ((token.kind !== 'symbol' && token.kind !== 'ident') || !relations.has(token.text)) return left;
      this.#take();
      const name = token.text === 'in' ? '@in' : `_${token.text}_`;
      left = { kind: 'call', name, target: undefined, args: [left, this.#sum()], at: token.at };
    }
  }

  #sum(): Expr {
    return this.#binary(['+', '-'], () => this.#binary(['*', '/', '%'], () => this.#unary()));
  }

  #unary(): Expr {
    const token = this.#next;
    if (token.kind === 'symbol' && (token.text === '!' || token.text === '-')) {
      const operators: Token[] = [];
      while (this.#next.kind === 'symbol' && this.#next.text === token.text) operators.push(this.#take());
      // A minus before a number belongs to it.
      const number = this.#next.literal;
      const negates = token.text === '-' && (number?.type === 'int' || number?.type === 'double');
      if (negates) operators.pop();
      const operand = negates ? this.#postfix(this.#negative(token.at)) : this.#postfix(this.#primary());
      const odd = operators.length % 2 === 1;
      return odd ? { kind: 'call', name: `${token.text}_`, target: undefined, args: [operand], at: token.at } : operand;
    }
    return this.#postfix(this.#primary());
  }

  #negative(at: number): Expr {
    const { literal } = this.#take();
    const value = literal!.type === 'int' ? -(literal!.value as bigint) : -(literal!.value as number);
    return { kind: 'literal', type: literal!.type, value, at };
  }

  #postfix(start: Expr): Expr {
    let expr = start;
    for (;;) {
      const token = this.#next;
      if (token.kind !== 'symbol') return expr;
      if (token.text === '.') {
        const optional = this.#tokens[this.#at + 1]!;
        expr = optional.kind === 'symbol' && optional.text === '?' ? this.#optionalMember(expr) : this.#member(expr);
      } else if (token.text === '[' || token.text === '[?') {
        this.#take();
        const index = this.#expression();
        this.#expect(']');
        expr = {
          kind: 'call',
          name: token.text === '[' ? '_[_]' : '_[?_]',
          target: undefined,
          args: [expr, index],
          at: token.at,
        };
      } else if (token.text === '{' && structName(expr) !== undefined) expr = this.#struct(structName(expr)!, token.at);
      else return expr;
    }
  }

  #name(): Token {
    const token = this.#take();
    if (token.kind !== 'ident') throw this.#unexpected(token, 'IDENTIFIER');
    return token;
  }

  /** `a.?b`. */
  #optionalMember(operand: Expr): Expr {
    const dot = this.#take();
    this.#take();
    const field = this.#name();
    const name: LiteralExpr = { kind: 'literal', type: 'string', value: field.text, at: field.at };
    return { kind: 'call', name: '_?._', target: undefined, args: [operand, name], at: dot.at };
  }

  #member(operand: Expr): Expr {
    const dot = this.#take();
    const field = this.#name();
    const open = this.#accept('(');
    if (open === undefined) {
      if (keywords.has(field.text)) throw this.#unexpected(field, 'IDENTIFIER');
      return { kind: 'select', operand, field: field.text, test: false, at: dot.at };
    }
    const args = this.#list(')');
    return (
      expandMacro(field.text, operand, args, open.at) ?? { kind: 'call', name: field.text, target: operand, args, at: open.at }
    );
  }

  #list(close: string): Expr[] {
    const items: Expr[] = [];
    while (this.#accept(close) === undefined) {
      items.push(this.#expression());
      if (this.#accept(',') === undefined) {
        this.#expect(close);
        break;
      }
    }
    return items;
  }

  #primary(): Expr {
    const token = this.#take();
    if (token.kind === 'literal') {
      if (token.literal!.type === 'int' && (token.literal!.value as bigint) >= 2n ** 63n) {
        throw new SyntaxIssue(token.at, 'Syntax error: invalid int literal');
      }
      return { kind: 'literal', ...token.literal!, at: token.at };
    }
    if (token.kind === 'ident') return this.#identifier(token, '');
    switch (token.text) {
      case '.':
        return this.#identifier(this.#name(), '.');
      case '(': {
        const inner = this.#expression();
        this.#expect(')');
        return inner;
      }
      case '[':
        return this.#listLiteral(token.at, false);
      case '[?':
        return this.#listLiteral(token.at, true);
      case '{':
        return this.#mapLiteral(token.at);
      default:
        throw this.#unexpected(token);
    }
  }

  #identifier(token: Token, prefix: string): Expr {
    const { text, at } = token;
    if (text === 'true' || text === 'false') return { kind: 'literal', type: 'bool', value: text === 'true', at };
    if (text === 'null') return { kind: 'literal', type: 'null', value: null, at };
    if (reserved.has(text)) {
      if (text === 'in') throw this.#unexpected(token);
      throw new SyntaxIssue(at, `reserved identifier: ${text}`);
    }
    const open = this.#accept('(');
    if (open === undefined) return { kind: 'ident', name: prefix + text, at };
    const args = this.#list(')');
    return expandMacro(text, undefined, args, open.at) ?? { kind: 'call', name: text, target: undefined, args, at: open.at };
  }

  #listLiteral(at: number, firstOptional: boolean): Expr {
    const items: Expr[] = [];
    const optional = new Set<number>();
    let isOptional = firstOptional;
    while (isOptional || this.#accept(']') === undefined) {
      if (isOptional || this.#accept('?') !== undefined) optional.add(items.length);
      isOptional = false;
      items.push(this.#expression());
      if (this.#accept(',') === undefined) {
        this.#expect(']');
        break;
      }
    }
    return { kind: 'list', items, optional, at };
  }

  #mapLiteral(at: number): Expr {
    const entries: MapEntry[] = [];
    while (this.#accept('}') === undefined) {
      const optional = this.#accept('?') !== undefined;
      const key = this.#expression();
      this.#expect(':');
      entries.push({ key, value: this.#expression(), optional });
      if (this.#accept(',') === undefined) {
        this.#expect('}');
        break;
      }
    }
    return { kind: 'map', entries, at };
  }

  #struct(name: string, at: number): Expr {
    this.#take();
    const fields: { name: string; value: Expr; optional: boolean }[] = [];
    while (this.#accept('}') === undefined) {
      const optional = this.#accept('?') !== undefined;
      const field = this.#name();
      this.#expect(':');
      fields.push({ name: field.text, value: this.#expression(), optional });
      if (this.#accept(',') === undefined) {
        this.#expect('}');
        break;
      }
    }
    return { kind: 'struct', name, fields, at };
  }
}

/** The name of a type before a `{`: identifiers joined by dots. */
function structName(expr: Expr): string | undefined {
  if (expr.kind === 'ident') return expr.name;
  if (expr.kind !== 'select' || expr.test) return undefined;
  const operand = structName(expr.operand);
  return operand === undefined ? undefined : `${operand}.${expr.field}`;
}
