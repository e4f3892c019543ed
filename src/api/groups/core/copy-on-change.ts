/**
 * Copies that are made only where something changes: defaults and strategies run on every write and every object read from storage,
 * and most of the time they find nothing to do.
 */

/** `list` with `change` applied to every item; the same list when every item stayed the same object. */
export function mapShared<T>(list: readonly T[], change: (item: T, index: number) => T): readonly T[] {
  let copy: T[] | undefined;
  for (let i = 0; i < list.length; i++) {
    const before = list[i] as T;
    const after = change(before, i);
    if (after !== before) {
      copy ??= list.slice();
      copy[i] = after;
    }
  }
  return copy ?? list;
}

/** `object` with those of `fields` that differ; the same object when none does. A field given as undefined is taken away. */
export function withFields<T extends object>(object: T, fields: Partial<T>): T {
  let copy: Record<string, unknown> | undefined;
  for (const key of Object.keys(fields) as (keyof T & string)[]) {
    if (object[key] === fields[key]) continue;
    copy ??= { ...object } as Record<string, unknown>;
    if (fields[key] === undefined) delete copy[key];
    else copy[key] = fields[key];
  }
  return (copy as T | undefined) ?? object;
}

/** `object` with `fields` where it has nothing: a missing field, or '' for a field whose zero value means unset. */
export function withMissing<T extends object>(object: T, fields: Partial<T>): T {
  let copy: Record<string, unknown> | undefined;
  for (const key of Object.keys(fields) as (keyof T & string)[]) {
    const value = object[key] as unknown;
    if (value !== undefined && value !== null && value !== '') continue;
    if (fields[key] === value) continue;
    copy ??= { ...object } as Record<string, unknown>;
    copy[key] = fields[key];
  }
  return (copy as T | undefined) ?? object;
}

/** `object` with `fields` where they are not given at all: '' is a value where upstream has pointers. */
export function withUnset<T extends object>(object: T, fields: Partial<T>): T {
  const missing = (Object.keys(fields) as (keyof T)[]).filter((key) => object[key] === undefined || object[key] === null);
  return missing.length === 0 ? object : { ...object, ...Object.fromEntries(missing.map((key) => [key, fields[key]])) };
}

/** `object` with its field `key` changed by `change`, when it has the field. */
export function mapField<T extends object, K extends keyof T>(
  object: T,
  key: K,
  change: (value: NonNullable<T[K]>) => NonNullable<T[K]>,
): T {
  const before = object[key];
  if (before === undefined || before === null) return object;
  const after = change(before);
  return after === before ? object : { ...object, [key]: after };
}

type Item<L> = NonNullable<L> extends readonly (infer I)[] ? I : never;

/** As `mapField`, for a list: every item is changed by `change`. */
export function mapListField<T extends object, K extends keyof T>(
  object: T,
  key: K,
  change: (item: Item<T[K]>, index: number) => Item<T[K]>,
): T {
  const before = object[key] as readonly Item<T[K]>[] | undefined | null;
  if (before === undefined || before === null || before.length === 0) return object;
  const after = mapShared(before, change);
  return after === before ? object : { ...object, [key]: after };
}
