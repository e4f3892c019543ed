import { compareQuantities } from '../meta/quantity.ts';
import { builtinSchema } from '../schema/builtin.ts';
import type { Field, ScalarType, Schema } from '../schema/schema.ts';

/**
 * Whether two values of a built-in type mean the same (apimachinery `equality.Semantic`): what is left out equals its zero value, an
 * empty list or map equals none, and quantities are compared by their amount. `type` is the OpenAPI name of a struct.
 */
export function semanticEqual(type: string, a: unknown, b: unknown): boolean {
  return a === b || equal(builtinSchema(type), a ?? {}, b ?? {});
}

function equal(schema: Schema, a: unknown, b: unknown): boolean {
  if (a === b) return true;
  switch (schema.kind) {
    case 'object':
      return isRecord(a) && isRecord(b) && equalObjects(schema.fields, a, b);
    case 'list': {
      const left = (a ?? []) as readonly unknown[];
      const right = (b ?? []) as readonly unknown[];
      if (left.length !== right.length) return false;
      for (let i = 0; i < left.length; i++) if (!equal(schema.items, left[i], right[i])) return false;
      return true;
    }
    case 'map': {
      const left = (a ?? {}) as Readonly<Record<string, unknown>>;
      const right = (b ?? {}) as Readonly<Record<string, unknown>>;
      const keys = Object.keys(left);
      if (keys.length !== Object.keys(right).length) return false;
      return keys.every((key) => Object.hasOwn(right, key) && equal(schema.values, left[key], right[key]));
    }
    case 'scalar':
      return equalScalars(schema.type, a, b);
    case 'any':
      return JSON.stringify(a) === JSON.stringify(b);
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null;

function equalObjects(
  fields: ReadonlyMap<string, Field>,
  a: Readonly<Record<string, unknown>>,
  b: Readonly<Record<string, unknown>>,
): boolean {
  for (const key in a) if (!equalField(fields.get(key), a[key], b[key])) return false;
  for (const key in b) if (a[key] === undefined && !equalField(fields.get(key), a[key], b[key])) return false;
  return true;
}

function equalField(field: Field | undefined, a: unknown, b: unknown): boolean {
  if (a === b) return true;
  const left = a ?? undefined;
  const right = b ?? undefined;
  if (field === undefined) return JSON.stringify(left) === JSON.stringify(right);
  if (left === undefined || right === undefined) {
    if (left === right) return true;
    // A nil pointer is not a pointer to zero; everything else that is left out is zero.
    if (field.pointer) return false;
    return equal(field.schema, left ?? zero(field.schema), right ?? zero(field.schema));
  }
  return equal(field.schema, left, right);
}

function zero(schema: Schema): unknown {
  switch (schema.kind) {
    case 'object':
    case 'map':
      return {};
    case 'list':
      return [];
    case 'any':
      return undefined;
    case 'scalar':
      return zeroOf(schema.type);
  }
}

function zeroOf(type: ScalarType): unknown {
  switch (type) {
    case 'boolean':
      return false;
    case 'int32':
    case 'int64':
    case 'uint32':
    case 'uint64':
    case 'float64':
    case 'int-or-string':
      return 0;
    case 'quantity':
      return '0';
    case 'time':
    case 'micro-time':
      return undefined;
    default:
      return '';
  }
}

function equalScalars(type: ScalarType, a: unknown, b: unknown): boolean {
  if (type !== 'quantity' || typeof a !== 'string' || typeof b !== 'string') return a === b;
  return compareQuantities(a, b) === 0;
}
