import type { JSONSchemaProps } from '../../types/apiextensions-v1.ts';
import { valuesOf } from './structural-schema.ts';

/** A text is no path to a field that a schema has; the message is upstream's. */
export class FieldPathError extends Error {}

/** A path taken apart, and the schema of what it leads to. */
export interface ResolvedPath {
  /** Names of fields and keys of maps; no two texts of one path give different ones. */
  readonly parts: readonly string[];
  readonly schema: JSONSchemaProps | undefined;
}

/**
 * Follows `.spec.limits['a.b']` through a schema: fields and keys only, no indices. `brackets` false allows dots alone.
 * Throws a FieldPathError.
 */
export function resolveFieldPath(text: string, root: JSONSchemaProps, brackets = true): ResolvedPath {
  const tokens = tokensOf(text);
  const parts: string[] = [];
  let schema: JSONSchemaProps | undefined = root;
  const step = (name: string): void => {
    if (schema?.properties !== undefined && Object.keys(schema.properties).length > 0) {
      const next: JSONSchemaProps | undefined = schema.properties[name];
      if (next === undefined) throw new FieldPathError('does not refer to a valid field');
      schema = next;
    } else if (schema?.additionalProperties !== undefined) schema = valuesOf(schema);
    else throw new FieldPathError('does not refer to a valid field');
    parts.push(name);
  };
  for (let i = 0; i < tokens.length; ) {
    const token = tokens[i++]!;
    if (token === '.') {
      if (i >= tokens.length) throw new FieldPathError('unexpected end of JSON path');
      step(tokens[i++]!);
    } else if (token === '[') {
      if (!brackets) throw new FieldPathError('array notation is not allowed');
      if (i >= tokens.length) throw new FieldPathError('unexpected end of JSON path');
      step(unquoted(tokens[i++]!));
      if (i >= tokens.length) throw new FieldPathError('unexpected end of JSON path');
      const end = tokens[i++]!;
      if (end !== ']') throw new FieldPathError(`expected ] but got ${end}`);
    } else throw new FieldPathError(`expected [ or . but got: ${token}`);
  }
  return { parts, schema };
}

/** Dots and brackets, quoted texts, and what is between them. */
const tokensOf = (text: string): readonly string[] => text.match(/[.[\]]|'(?:[^'\\]|\\.)*'|'.*$|[^.[\]']+[^.[\]]*/gs) ?? [];

const escapes: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  "'": "'",
  '\\': '\\',
};

function unquoted(token: string): string {
  if (token.length < 2 || !token.startsWith("'") || !token.endsWith("'")) {
    throw new FieldPathError(`expected single quoted string but got ${token}`);
  }
  return token.slice(1, -1).replace(/\\(.)/gs, (pair, c: string) => {
    const meant = Object.hasOwn(escapes, c) ? escapes[c] : undefined;
    if (meant === undefined) throw new FieldPathError(`invalid string literal: invalid escape char ${pair}`);
    return meant;
  });
}
