/** A reader over the bytes of a text that is not JSON, to say what Go says of it. */
class SyntaxChecker {
  readonly #bytes: Uint8Array;
  #at = 0;
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Undefined when the text is JSON after all. Iterative: hostile texts nest deeply. */
  problem(): string | undefined {
    try {
      this.#text();
      return undefined;
    } catch (err) {
      if (err instanceof SyntaxProblem) return err.message;
      throw err;
    }
  }

  #text(): void {
    const open: ('{' | '[')[] = [];
    for (;;) {
      const opened = this.#valueStart();
      if (opened !== undefined) {
        open.push(opened);
        if (open.length > GO_MAX_DEPTH) throw this.#invalid('exceeded max depth', this.#at - 1);
        if (this.#peek() !== (opened === '{' ? 0x7d : 0x5d)) {
          if (opened === '{') this.#key();
          continue;
        }
        this.#at++;
        open.pop();
      }
      if (!this.#afterValue(open)) return;
    }
  }

  /** Closes what ends here; false at the end of the text. */
  #afterValue(open: ('{' | '[')[]): boolean {
    for (;;) {
      const top = open.at(-1);
      if (top === undefined) {
        this.#skipSpace();
        if (this.#at < this.#bytes.length) throw this.#invalid('after top-level value');
        return false;
      }
      const c = this.#peek();
      if (c === 0x2c) {
        this.#at++;
        if (top === '{') this.#key();
        return true;
      }
      if (c !== (top === '{' ? 0x7d : 0x5d)) {
        throw this.#invalid(top === '{' ? 'after object key:value pair' : 'after array element');
      }
      this.#at++;
      open.pop();
    }
  }

  #valueStart(): '{' | '[' | undefined {
    const c = this.#peek();
    if (c === 0x7b || c === 0x5b) {
      this.#at++;
      return c === 0x7b ? '{' : '[';
    }
    if (c === 0x22) this.#string();
    else if (c === 0x2d || isDigit(c)) this.#number();
    else if (c === 0x74) this.#literal('true');
    else if (c === 0x66) this.#literal('false');
    else if (c === 0x6e) this.#literal('null');
    else throw this.#invalid('looking for beginning of value');
    return undefined;
  }

  #key(): void {
    if (this.#peek() !== 0x22) throw this.#invalid('looking for beginning of object key string');
    this.#string();
    if (this.#peek() !== 0x3a) throw this.#invalid('after object key');
    this.#at++;
  }

  #string(): void {
    this.#at++;
    for (;;) {
      const c = this.#next();
      if (c === 0x22) return;
      if (c < 0x20) throw this.#invalid('in string literal', this.#at - 1);
      if (c !== 0x5c) continue;
      const escaped = this.#next();
      if (escaped === 0x75) {
        for (let i = 0; i < 4; i++) {
          const h = this.#next();
          if (!/[0-9a-fA-F]/.test(String.fromCharCode(h)))
            throw this.#invalid('in \\u hexadecimal character escape', this.#at - 1);
        }
      } else if (!'bfnrt\\/"'.includes(String.fromCharCode(escaped))) throw this.#invalid('in string escape code', this.#at - 1);
    }
  }

  #number(): void {
    if (this.#bytes[this.#at] === 0x2d) this.#at++;
    if (this.#bytes[this.#at] === 0x30) this.#at++;
    else this.#digits('in numeric literal');
    if (this.#bytes[this.#at] === 0x2e) {
      this.#at++;
      this.#digits('after decimal point in numeric literal');
    }
    const c = this.#bytes[this.#at];
    if (c === 0x65 || c === 0x45) {
      this.#at++;
      const sign = this.#bytes[this.#at];
      if (sign === 0x2b || sign === 0x2d) this.#at++;
      this.#digits('in exponent of numeric literal');
    }
  }

  #digits(context: string): void {
    if (!isDigit(this.#next())) throw this.#invalid(context, this.#at - 1);
    while (isDigit(this.#bytes[this.#at])) this.#at++;
  }

  #literal(word: 'true' | 'false' | 'null'): void {
    for (let i = 0; i < word.length; i++) {
      if (this.#next() !== word.charCodeAt(i)) throw this.#invalid(`in literal ${word} (expecting '${word[i]}')`, this.#at - 1);
    }
  }

  #skipSpace(): void {
    for (let c = this.#bytes[this.#at]; c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09; c = this.#bytes[this.#at])
      this.#at++;
  }

  /** The next byte that is not space; the end of the text is an error. */
  #peek(): number {
    this.#skipSpace();
    if (this.#at >= this.#bytes.length) throw new SyntaxProblem('unexpected end of JSON input');
    return this.#bytes[this.#at]!;
  }

  #next(): number {
    if (this.#at >= this.#bytes.length) throw new SyntaxProblem('unexpected end of JSON input');
    return this.#bytes[this.#at++]!;
  }

  #invalid(context: string, at: number = this.#at): SyntaxProblem {
    return new SyntaxProblem(`invalid character ${quoteByte(this.#bytes[at]!)} ${context}`);
  }
}

class SyntaxProblem extends Error {}

const GO_MAX_DEPTH = 10_000;
const isDigit = (c: number | undefined): boolean => c !== undefined && c >= 0x30 && c <= 0x39;

/** A byte as Go quotes a character: `'x'`, `'\''`, `'\n'`, `'\x00'`. */
function quoteByte(byte: number): string {
  const named: Readonly<Record<number, string>> = {
    7: '\\a',
    8: '\\b',
    9: '\\t',
    10: '\\n',
    11: '\\v',
    12: '\\f',
    13: '\\r',
    34: '"',
    39: "\\'",
    92: '\\\\',
  };
  if (named[byte] !== undefined) return `'${named[byte]}'`;
  if (byte < 0x20 || byte === 0x7f) return `'\\x${byte.toString(16).padStart(2, '0')}'`;
  if (byte >= 0x80 && byte <= 0xa0) return `'\\u00${byte.toString(16)}'`;
  return `'${byte === 0xad ? '\\u00ad' : String.fromCharCode(byte)}'`;
}

/** Go's words for why a text is not JSON: `invalid character '}' looking for beginning of value`. Undefined when it is JSON. */
export function jsonSyntaxProblem(bytes: Uint8Array): string | undefined {
  return new SyntaxChecker(bytes).problem();
}
