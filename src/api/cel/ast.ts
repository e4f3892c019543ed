/** A parsed CEL expression. Macros have been expanded. `at` is the offset in the source that errors point to. */
export type Expr = LiteralExpr | IdentExpr | SelectExpr | CallExpr | ListExpr | MapExpr | StructExpr | ComprehensionExpr;

interface Node {
  readonly at: number;
  /** A macro has it in two places: what is found out of it once holds for both, so that nesting does not double the work at each level. */
  readonly shared?: boolean;
}

export interface LiteralExpr extends Node {
  readonly kind: 'literal';
  readonly type: 'null' | 'bool' | 'int' | 'uint' | 'double' | 'string' | 'bytes';
  /** bigint for int and uint, Uint8Array for bytes. */
  readonly value: null | boolean | bigint | number | string | Uint8Array;
}

export interface IdentExpr extends Node {
  readonly kind: 'ident';
  readonly name: string;
}

export interface SelectExpr extends Node {
  readonly kind: 'select';
  readonly operand: Expr;
  readonly field: string;
  /** `has(operand.field)`. */
  readonly test: boolean;
}

export interface CallExpr extends Node {
  readonly kind: 'call';
  readonly name: string;
  readonly target: Expr | undefined;
  readonly args: readonly Expr[];
}

export interface ListExpr extends Node {
  readonly kind: 'list';
  readonly items: readonly Expr[];
  /** Which of them are optional: `[?x]`. */
  readonly optional: ReadonlySet<number>;
}

export interface MapEntry {
  readonly key: Expr;
  readonly value: Expr;
  readonly optional: boolean;
}

export interface MapExpr extends Node {
  readonly kind: 'map';
  readonly entries: readonly MapEntry[];
}

export interface StructExpr extends Node {
  readonly kind: 'struct';
  readonly name: string;
  readonly fields: readonly { readonly name: string; readonly value: Expr; readonly optional: boolean }[];
}

/** A fold: what every macro over lists and maps is made of. `variable2` in the two-variable forms: `variable` is the key or index then. */
export interface ComprehensionExpr extends Node {
  readonly kind: 'comprehension';
  readonly range: Expr;
  readonly variable: string;
  readonly variable2: string | undefined;
  readonly accumulator: string;
  readonly init: Expr;
  readonly condition: Expr;
  readonly step: Expr;
  readonly result: Expr;
}

/** A fault in the source, with its place. */
export interface Issue {
  readonly at: number;
  readonly message: string;
}

/** The expression does not compile. The message is cel-go's: one line for each issue, with the source line and a pointer below. */
export class CompileError extends Error {
  readonly issues: readonly Issue[];
  constructor(source: string, issues: readonly Issue[]) {
    const sorted = [...issues].sort((a, b) => a.at - b.at);
    super(sorted.map((issue) => formatIssue(source, issue)).join('\n'));
    this.issues = sorted;
  }
}

/** The expression compiles, but no program can be made of it: a pattern in it is none. */
export class ProgramError extends CompileError {
  constructor(message: string) {
    super('', []);
    this.message = `program instantiation failed: ${message}`;
  }
}

function formatIssue(source: string, { at, message }: Issue): string {
  const before = source.slice(0, at);
  const line = before.split('\n').length;
  const start = before.lastIndexOf('\n') + 1;
  const end = source.indexOf('\n', start);
  const column = [...source.slice(start, at)].length;
  const text = source.slice(start, end < 0 ? source.length : end).replaceAll('\t', ' ');
  return `ERROR: <input>:${line}:${column + 1}: ${message}\n | ${text}\n | ${'.'.repeat(column)}^`;
}
