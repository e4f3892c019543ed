import { builtinSchema } from '../schema/builtin.ts';
import type { Field, Schema } from '../schema/schema.ts';

/** Go's names of fields that are not the JSON name with a capital letter. */
const goNames: Readonly<Record<string, string>> = {
  seLinuxOptions: 'SELinuxOptions',
  fsGroup: 'FSGroup',
  fsGroupChangePolicy: 'FSGroupChangePolicy',
  seLinuxChangePolicy: 'SELinuxChangePolicy',
  ip: 'IP',
  apiVersion: 'APIVersion',
  apiGroup: 'APIGroup',
  uid: 'UID',
  gmsaCredentialSpecName: 'GMSACredentialSpecName',
  gmsaCredentialSpec: 'GMSACredentialSpec',
};

const goName = (name: string): string => goNames[name] ?? name[0]!.toUpperCase() + name.slice(1);

/**
 * A value as messages show it where upstream hands over a struct of its own, not of the API: `{"Name":"a","ResourceClaimName":null}`, with
 * every field, by Go's names. `type` is the OpenAPI name. Fields stand in the order of their protobuf numbers, unless `order` tells another.
 */
export const internalForm = (type: string, value: object, order: readonly string[] = []): unknown =>
  structForm(builtinSchema(type).fields, value, order);

function structForm(fields: ReadonlyMap<string, Field>, value: object, order: readonly string[] = []): unknown {
  const given = value as Readonly<Record<string, unknown>>;
  const form: Record<string, unknown> = {};
  const place = (field: Field): number => (order.length === 0 ? field.proto : order.indexOf(field.name));
  for (const field of [...fields.values()].sort((a, b) => place(a) - place(b))) {
    form[goName(field.name)] = valueForm(field.schema, given[field.name], field.pointer);
  }
  return form;
}

function valueForm(schema: Schema, value: unknown, pointer: boolean): unknown {
  switch (schema.kind) {
    case 'object':
      return value === undefined && pointer ? null : structForm(schema.fields, (value ?? {}) as object);
    case 'list':
      return value === undefined ? null : (value as readonly unknown[]).map((item) => valueForm(schema.items, item, false));
    case 'map':
      return value === undefined ? null : sorted(value as Readonly<Record<string, unknown>>);
    case 'any':
      return value ?? null;
    case 'scalar':
      if (value !== undefined || pointer) return value ?? null;
      if (schema.type === 'boolean') return false;
      return schema.type === 'string' ? '' : schema.type.includes('int') ? 0 : null;
  }
}

/** A map as Go's encoder writes it, by its keys. */
export const sorted = <T>(map: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
