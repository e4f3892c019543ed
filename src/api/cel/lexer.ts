import type { Issue, LiteralExpr } from './ast.ts';

export interface Token {
  readonly kind: 'ident' | 'literal' | 'symbol' | 'end';
  readonly text: string;
  readonly at: number;
  readonly literal?: Pick<LiteralExpr, 'type' | 'value'>;
}

/** What is wrong with a text, thrown by the lexer and the parser. */
export class SyntaxIssue extends Error {
  readonly issue: Issue;
  constructor(at: number, message: string) {
    super(message);
    this.issue = { at, message };
  }
}

const symbols = [
  '==',
  '!=',
  '<=',
  '>=',
  '&&',
  '||',
  '[?',
  '<',
  '>',
  '(',
  ')',
  '[',
  ']',
  '{',
  '}',
  '.',
  ',',
  '-',
  '!',
  '?',
  ':',
  '+',
  '*',
  '/',
  '%',
];

/** The tokens of a CEL source, with an `end` at the end. Throws a SyntaxIssue. */
export function tokenize(source: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < source.length) {
    const space = /(?:[ \t\r\n\f]+|\/\/[^\n]*)+/y;
    space.lastIndex = at;
    if (space.test(source)) {
      at = space.lastIndex;
      continue;
    }
    const token = stringToken(source, at) ?? numberToken(source, at) ?? wordToken(source, at) ?? symbolToken(source, at);
    if (token === undefined) {
      throw new SyntaxIssue(at, `Syntax error: token recognition error at: '${source[at]!}'`);
    }
    tokens.push(token.token);
    at = token.end;
  }
  tokens.push({ kind: 'end', text: '<EOF>', at: source.length });
  return tokens;
}

interface Read {
  readonly token: Token;
  readonly end: number;
}

function wordToken(source: string, at: number): Read | undefined {
  const word = /[A-Za-z_][A-Za-z0-9_]*/y;
  word.lastIndex = at;
  const found = word.exec(source);
  return found === null ? undefined : { token: { kind: 'ident', text: found[0], at }, end: word.lastIndex };
}

function symbolToken(source: string, at: number): Read | undefined {
  const text = symbols.find((s) => source.startsWith(s, at));
  if (text === undefined) return undefined;
  return { token: { kind: 'symbol', text, at }, end: at + text.length };
}

const MAX_INT = 2n ** 63n;
const MAX_UINT = 2n ** 64n - 1n;

function numberToken(source: string, at: number): Read | undefined {
  const number = /(?:0x([0-9a-fA-F]+)|(\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)|(\d+))([uU])?/y;
  number.lastIndex = at;
  const found = number.exec(source);
  if (found === null) return undefined;
  const end = number.lastIndex;
  const text = found[0];
  if (found[2] !== undefined) {
    const value = Number(found[2]);
    if (!Number.isFinite(value)) throw new SyntaxIssue(at, 'Syntax error: invalid double literal');
    return { token: { kind: 'literal', text: found[2], at, literal: { type: 'double', value } }, end: at + found[2].length };
  }
  const value = BigInt(found[1] === undefined ? found[3]! : `0x${found[1]}`);
  if (found[4] !== undefined) {
    if (value > MAX_UINT) throw new SyntaxIssue(at, 'Syntax error: invalid uint literal');
    return { token: { kind: 'literal', text, at, literal: { type: 'uint', value } }, end };
  }
  // The least integer is written as a negated literal that alone would be too large.
  if (value > MAX_INT) throw new SyntaxIssue(at, 'Syntax error: invalid int literal');
  return { token: { kind: 'literal', text, at, literal: { type: 'int', value } }, end };
}

function stringToken(source: string, at: number): Read | undefined {
  const start = /([rR]?[bB]?|[bB]?[rR]?)("""|'''|"|')/y;
  start.lastIndex = at;
  const found = start.exec(source);
  if (found === null) return undefined;
  const raw = /r/i.test(found[1]!);
  const bytes = /b/i.test(found[1]!);
  const quote = found[2]!;
  let i = start.lastIndex;
  for (;;) {
    if (i >= source.length || (quote.length === 1 && (source[i] === '\n' || source[i] === '\r'))) {
      throw new SyntaxIssue(at, `Syntax error: token recognition error at: '${source.slice(at, i)}'`);
    }
    if (source.startsWith(quote, i)) break;
    i += !raw && source[i] === '\\' ? 2 : 1;
  }
  const body = source.slice(start.lastIndex, i);
  const end = i + quote.length;
  const text = source.slice(at, end);
  const value = raw ? (bytes ? new TextEncoder().encode(body) : body) : unescaped(body, bytes, at);
  return { token: { kind: 'literal', text, at, literal: { type: bytes ? 'bytes' : 'string', value } }, end };
}

const simple: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  '\\': 92,
  "'": 39,
  '"': 34,
  '`': 96,
  '?': 63,
};

function unescaped(body: string, bytes: boolean, at: number): string | Uint8Array {
  const out: number[] = [];
  let text = '';
  const bad = (): never => {
    throw new SyntaxIssue(at, 'Syntax error: unable to unescape string');
  };
  for (let i = 0; i < body.length; ) {
    if (body[i] !== '\\') {
      const point = String.fromCodePoint(body.codePointAt(i)!);
      if (bytes) out.push(...new TextEncoder().encode(point));
      else text += point;
      i += point.length;
      continue;
    }
    const escapes = /\\(?:([abfnrtv\\'"`?])|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2}))/y;
    escapes.lastIndex = i;
    const found = escapes.exec(body);
    if (found === null) return bad();
    const [whole, plain, hex, small, large, octal] = found;
    if (bytes && (small !== undefined || large !== undefined)) return bad();
    const code =
      plain !== undefined
        ? simple[plain]!
        : octal !== undefined
          ? Number.parseInt(octal, 8)
          : Number.parseInt((hex ?? small ?? large)!, 16);
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return bad();
    if (bytes) out.push(code);
    else text += String.fromCodePoint(code);
    i += whole.length;
  }
  return bytes ? Uint8Array.from(out) : text;
}
