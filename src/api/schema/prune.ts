import type { ObjectSchema, Schema } from './schema.ts';

export interface Pruned<T = unknown> {
  /** The same object when nothing had to go. */
  readonly object: T;
  /** Paths of what was pruned, `spec.list[0].foo`, sorted, at most 100. */
  readonly unknownPaths: readonly string[];
}

/** Upstream stops counting strict errors here. */
const MAX_UNKNOWN_FIELDS = 100;
const objectFields: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata']);

/**
 * Takes out of a custom resource what its structural schema does not know, and nulls that are no value there (unless a default
 * waits to replace them). Nothing is said of types: wrong ones are a matter of validation. apiVersion, kind and metadata of the
 * root and of embedded resources stay as they are.
 */
export function prune<T>(schema: Schema, object: T): Pruned<T> {
  const pruner = new Pruner();
  const pruned = pruner.prune(schema.kind === 'object' ? asRoot(schema) : schema, object) as T;
  return { object: pruned, unknownPaths: pruner.unknown.sort() };
}

const roots = new WeakMap<ObjectSchema, ObjectSchema>();

/** The schema of the root: what every object has is not pruned from it. */
function asRoot(schema: ObjectSchema): ObjectSchema {
  if (schema.embedded === true) return schema;
  let root = roots.get(schema);
  if (root === undefined) {
    root = Object.create(schema, {
      embedded: { value: true, enumerable: true },
      fields: { get: () => schema.fields },
    }) as ObjectSchema;
    roots.set(schema, root);
  }
  return root;
}

class Pruner {
  readonly unknown: string[] = [];
  readonly #path: (string | number)[] = [];

  prune(schema: Schema, value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return schema.kind === 'any' ? value : this.#list(schema, value);
    const object = value as Readonly<Record<string, unknown>>;
    switch (schema.kind) {
      case 'object':
        return this.#object(schema, object);
      case 'map':
        return this.#members(object, (_key, item) =>
          dropsNull(schema.values, item) ? dropped : this.prune(schema.values, item),
        );
      case 'any':
        return value;
      default:
        // An object where the schema has something else: it has no members that are known.
        return this.#members(object, (key) => this.#drop(key));
    }
  }

  #object(schema: ObjectSchema, object: Readonly<Record<string, unknown>>): unknown {
    return this.#members(object, (key, item) => {
      if (schema.embedded === true && objectFields.has(key)) return item;
      const field = schema.fields.get(key);
      if (field !== undefined) return dropsNull(field.schema, item) ? dropped : this.prune(field.schema, item);
      return schema.preserveUnknown === true ? item : this.#drop(key);
    });
  }

  #drop(key: string): typeof dropped {
    if (this.unknown.length < MAX_UNKNOWN_FIELDS) this.unknown.push(this.#text(key));
    return dropped;
  }

  #members(
    object: Readonly<Record<string, unknown>>,
    keep: (key: string, item: unknown) => unknown,
  ): Readonly<Record<string, unknown>> {
    let kept: [string, unknown][] | undefined;
    const entries = Object.entries(object);
    entries.forEach(([key, item], i) => {
      // `keep` names the member itself when it drops it; the path leads to what is inside.
      this.#path.push(key);
      const after = keep(key, item);
      this.#path.pop();
      if (after !== item && kept === undefined) kept = entries.slice(0, i);
      if (kept !== undefined && after !== dropped) kept.push([key, after]);
    });
    return kept === undefined ? object : Object.fromEntries(kept);
  }

  #list(schema: Schema, list: readonly unknown[]): unknown {
    const items = schema.kind === 'list' ? schema.items : nothingKnown;
    let out: unknown[] | undefined;
    list.forEach((item, i) => {
      this.#path.push(i);
      const after = this.prune(items, item);
      this.#path.pop();
      if (after !== item) (out ??= [...list])[i] = after;
    });
    return out ?? list;
  }

  #text(key: string): string {
    let out = '';
    for (const step of this.#path.slice(0, -1)) out += typeof step === 'number' ? `[${step}]` : out === '' ? step : `.${step}`;
    return out === '' ? key : `${out}.${key}`;
  }
}

const dropped = Symbol('dropped');
const nothingKnown: ObjectSchema = { kind: 'object', fields: new Map() };

const dropsNull = (schema: Schema, value: unknown): boolean =>
  value === null && schema.nullable !== true && schema.default === undefined && schema.kind !== 'any';
