import { DYN, listOf, objectOf, STRING, type Type } from './types.ts';
import { ListValue, MapValue, type Value } from './values.ts';

const ROOT = 'Object';

/** `JSONPatch{op: "add", path: "/a", value: 1}` */
const jsonPatch = objectOf(
  'JSONPatch',
  new Map<string, Type>([
    ['op', STRING],
    ['path', STRING],
    ['from', STRING],
    ['value', DYN],
  ]),
);
/** What the expression of a JSONPatch mutation gives. */
export const JSON_PATCHES: Type = listOf(jsonPatch);

/** Any field, of any type: the objects are checked once they are there. */
class AnyField extends Map<string, Type> {
  override get(): Type {
    return DYN;
  }
  override has(): boolean {
    return true;
  }
}
const anyField = new AnyField();

/** The types that mutations construct: JSONPatch, Object and whatever is below it, `Object.spec.containers`. */
class PatchTypes extends Map<string, Type> {
  override get(name: string): Type | undefined {
    if (name === jsonPatch.name) return jsonPatch;
    return name === ROOT || name.startsWith(`${ROOT}.`) ? objectOf(name, anyField) : undefined;
  }
}
export const patchTypes: ReadonlyMap<string, Type> = new PatchTypes();

/** What the expression of an ApplyConfiguration mutation gives. */
export const APPLY_CONFIGURATION: Type = objectOf(ROOT, anyField);

/** Throws an Error where the type of an object is not named for the fields that lead to it. */
export function checkTypeNames(value: Value, path: string = ROOT): void {
  if (value instanceof ListValue) {
    for (const item of value) checkTypeNames(item, path);
  } else if (value instanceof MapValue) {
    const name = value.typeName;
    if (name !== undefined && name !== path && (name === ROOT || name.startsWith(`${ROOT}.`))) {
      throw new Error(
        `type mismatch: unexpected type name ${JSON.stringify(name)}, expected ${JSON.stringify(path)}, which matches field name path from root Object type`,
      );
    }
    for (const key of value.keys()) {
      const item = value.find(key);
      if (item !== undefined) checkTypeNames(item, `${path}.${String(key)}`);
    }
  }
}
