import type { Field, ListType, Schema } from '../schema/schema.ts';
import { type Shape, shapeOf } from './shape.ts';

/** Schemas for tests, in few words. */
export const scalar = (type: 'string' | 'int32' | 'boolean' = 'string', fallback?: unknown): Schema => ({
  kind: 'scalar',
  type,
  ...(fallback === undefined ? {} : { default: fallback }),
});
export const list = (items: Schema, listType: ListType, ...mapKeys: readonly string[]): Schema => ({
  kind: 'list',
  items,
  listType,
  mapKeys,
});
export const map = (values: Schema, atomic = false): Schema => ({ kind: 'map', values, atomic });
export const struct = (
  fields: Readonly<Record<string, Schema>>,
  more: { atomic?: boolean; preserveUnknown?: boolean } = {},
): Schema => ({
  kind: 'object',
  fields: new Map(Object.entries(fields).map(([name, schema]) => [name, field(name, schema)])),
  ...more,
});

function field(name: string, schema: Schema): Field {
  return { name, schema, omitEmpty: true, pointer: true, required: false, proto: 0 };
}

const port = struct({ port: scalar('int32'), protocol: scalar('string', 'TCP'), name: scalar() });
const item = struct({ name: scalar(), value: scalar(), tags: list(scalar(), 'set') });

/** One of everything that server-side apply knows. */
export const everything: Schema = struct({
  text: scalar(),
  number: scalar('int32'),
  labels: map(scalar()),
  selector: map(scalar(), true),
  args: list(scalar(), 'atomic'),
  finalizers: list(scalar(), 'set'),
  items: list(item, 'map', 'name'),
  ports: list(port, 'map', 'port', 'protocol'),
  nested: struct({ inner: struct({ a: scalar(), b: scalar() }), list: list(item, 'map', 'name') }),
  whole: struct({ a: scalar(), b: scalar() }, { atomic: true }),
  free: { kind: 'any' },
  open: struct({ known: scalar() }, { preserveUnknown: true }),
});

export const everythingShape: Shape = shapeOf(everything);
