import type { ObjectSchema, ScalarType, Schema } from '../schema/schema.ts';
import { escapeName } from './decl-type.ts';
import { BOOL, BYTES, DOUBLE, DYN, INT, listOf, mapOf, objectOf, STRING, TIMESTAMP, type Type } from './types.ts';

/** Quantities are strings or numbers, and compared by functions: which of them one is turns out at run time. */
const scalars: Readonly<Record<ScalarType, Type>> = {
  string: STRING,
  boolean: BOOL,
  int32: INT,
  int64: INT,
  uint32: INT,
  uint64: INT,
  float64: DOUBLE,
  bytes: BYTES,
  quantity: DYN,
  time: TIMESTAMP,
  'micro-time': TIMESTAMP,
  duration: STRING,
  'int-or-string': DYN,
};

/**
 * What CEL sees of an object of this schema, built-in or custom, when it is typed at all; undefined for what it does not see. Unlike
 * `declTypeOf` this knows no bounds, and is made for checking expressions alone.
 */
export function typeOfSchema(schema: Schema, name: string): Type | undefined {
  return new SchemaTypes().typeOf(schema, name);
}

class SchemaTypes {
  readonly #objects = new Map<ObjectSchema, Type>();

  typeOf(schema: Schema, name: string): Type | undefined {
    switch (schema.kind) {
      case 'scalar':
        return scalars[schema.type];
      case 'list': {
        const items = this.typeOf(schema.items, `${name}.@idx`);
        return items === undefined ? undefined : listOf(items);
      }
      case 'map': {
        const values = this.typeOf(schema.values, `${name}.@elem`);
        return values === undefined ? undefined : mapOf(STRING, values);
      }
      case 'object':
        return this.#object(schema, name);
      case 'any':
        return undefined;
    }
  }

  #object(schema: ObjectSchema, name: string): Type {
    const known = this.#objects.get(schema);
    if (known !== undefined) return known;
    const fields = new Map<string, Type>();
    const type = objectOf(name, fields);
    // Types may contain themselves.
    this.#objects.set(schema, type);
    for (const field of schema.fields.values()) {
      const found = this.typeOf(field.schema, `${name}.${field.name}`);
      if (found === undefined) continue;
      fields.set(field.name, found);
      const escaped = escapeName(field.name);
      if (escaped !== undefined) fields.set(escaped, found);
    }
    return type;
  }
}
