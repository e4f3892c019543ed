import { duplicate, type FieldError, FieldPath, invalid } from '../meta/field-error.ts';
import type { JSONSchemaProps } from '../types/apiextensions-v1.ts';

type JsonObject = Readonly<Record<string, unknown>>;

/** Lists of type `set` that hold something twice, and lists of type `map` that hold a key twice. */
export function duplicateItems(schema: JSONSchemaProps, object: unknown): readonly FieldError[] {
  if (!hasListTypes(schema)) return [];
  const errors: FieldError[] = [];
  visit(schema, object, new FieldPath(), errors);
  return errors;
}

const known = new WeakMap<JSONSchemaProps, boolean>();

/** Whether anything in there is a set or a map: most schemas have none, and need no look at the object. */
function hasListTypes(schema: JSONSchemaProps): boolean {
  let answer = known.get(schema);
  if (answer === undefined) {
    const { items, additionalProperties, properties } = schema;
    const type = schema['x-kubernetes-list-type'];
    answer =
      type === 'set' ||
      type === 'map' ||
      (items !== undefined && !Array.isArray(items) && hasListTypes(items as JSONSchemaProps)) ||
      (typeof additionalProperties === 'object' && hasListTypes(additionalProperties)) ||
      Object.values(properties ?? {}).some(hasListTypes);
    known.set(schema, answer);
  }
  return answer;
}

function visit(schema: JSONSchemaProps, value: unknown, path: FieldPath, errors: FieldError[]): void {
  if (typeof value !== 'object' || value === null || !hasListTypes(schema)) return;
  const { items, additionalProperties, properties } = schema;
  if (Array.isArray(value)) {
    const list = value as readonly unknown[];
    if (schema['x-kubernetes-list-type'] === 'set') {
      for (const i of repeated(list)) errors.push(duplicate(path.index(i), list[i]));
    } else if (schema['x-kubernetes-list-type'] === 'map') errors.push(...repeatedKeys(schema, list, path));
    if (items !== undefined && !Array.isArray(items)) {
      list.forEach((item, i) => void visit(items as JSONSchemaProps, item, path.index(i), errors));
    }
    return;
  }
  for (const [name, child] of Object.entries(value as JsonObject)) {
    if (typeof additionalProperties === 'object') visit(additionalProperties, child, path.key(name), errors);
    const property = properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (property !== undefined) visit(property, child, path.child(name), errors);
  }
}

/** Where something stands for the second time; a third time is not told. */
function repeated(list: readonly unknown[]): readonly number[] {
  const seen = new Map<string, number>();
  const found: number[] = [];
  list.forEach((item, i) => {
    const key = stableJson(item);
    const times = seen.get(key) ?? 0;
    seen.set(key, times + 1);
    if (times === 1) found.push(i);
  });
  return found;
}

/** JSON with sorted keys, as Go writes maps. */
const stableJson = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  ) ?? 'null';

function repeatedKeys(schema: JSONSchemaProps, list: readonly unknown[], path: FieldPath): readonly FieldError[] {
  for (const [i, item] of list.entries()) {
    if (item !== null && (typeof item !== 'object' || Array.isArray(item))) {
      return [invalid(path.index(i), item, 'must be an object for an array of list-type map')];
    }
  }
  const names = schema['x-kubernetes-list-map-keys'] ?? [];
  const keys = (list as readonly (JsonObject | null)[]).map((item) =>
    Object.fromEntries(names.filter((name) => item !== null && Object.hasOwn(item, name)).map((name) => [name, item![name]])),
  );
  return repeated(keys).map((i) => duplicate(path.index(i), keys[i]));
}
