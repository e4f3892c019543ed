/** The types of CEL expressions, and when one may stand where another is asked for. */
export type TypeKind =
  | 'dyn'
  | 'error'
  | 'null'
  | 'bool'
  | 'int'
  | 'uint'
  | 'double'
  | 'string'
  | 'bytes'
  | 'timestamp'
  | 'duration'
  | 'type'
  | 'list'
  | 'map'
  | 'object'
  | 'opaque'
  | 'param';

export interface Type {
  readonly kind: TypeKind;
  readonly name: string;
  /** Of lists, maps, type and opaque types. */
  readonly params: readonly Type[];
  /** Of objects: what can be selected. Reached through the getter only, as types may be recursive. */
  readonly fields?: ReadonlyMap<string, Type>;
}

const plain = (kind: TypeKind, name: string = kind): Type => ({ kind, name, params: [] });

export const DYN = plain('dyn');
/** As dyn, but of a value whose type is not told, instead of one that may be of any. */
export const ANY = plain('dyn', 'google.protobuf.Any');
export const ERROR = plain('error', '!error!');
export const NULL = plain('null', 'null_type');
export const BOOL = plain('bool');
export const INT = plain('int');
export const UINT = plain('uint');
export const DOUBLE = plain('double');
export const STRING = plain('string');
export const BYTES = plain('bytes');
export const TIMESTAMP = plain('timestamp', 'google.protobuf.Timestamp');
export const DURATION = plain('duration', 'google.protobuf.Duration');

export const listOf = (items: Type): Type => ({ kind: 'list', name: 'list', params: [items] });
export const mapOf = (keys: Type, values: Type): Type => ({ kind: 'map', name: 'map', params: [keys, values] });
export const typeOf = (type: Type): Type => ({ kind: 'type', name: 'type', params: [type] });
export const optionalOf = (type: Type): Type => ({ kind: 'opaque', name: 'optional_type', params: [type] });
export const opaque = (name: string): Type => plain('opaque', name);
export const objectOf = (name: string, fields: ReadonlyMap<string, Type>): Type => ({
  kind: 'object',
  name,
  params: [],
  fields,
});
export const param = (name: string): Type => plain('param', name);

export const isOptional = (type: Type): boolean => type.kind === 'opaque' && type.name === 'optional_type';
export const isDyn = (type: Type): boolean => type.kind === 'dyn' || type.kind === 'error';

/** A type as error messages name it. */
export function formatType(type: Type): string {
  switch (type.kind) {
    case 'dyn':
      return type.name === ANY.name ? 'any' : type.name;
    case 'null':
      return 'null';
    case 'timestamp':
    case 'duration':
      return type.kind;
    default:
      return type.params.length === 0 ? type.name : `${type.name}(${type.params.map(formatType).join(', ')})`;
  }
}

/** What type parameters stand for, while a call is being matched. */
export class Substitution {
  #bound: Map<string, Type>;
  #fresh = 0;
  constructor(bound = new Map<string, Type>()) {
    this.#bound = bound;
  }

  /** A type with fresh parameters in place of its own; the same names become the same parameters within `names`. */
  instantiate(type: Type, names: Map<string, Type>): Type {
    if (type.kind === 'param') {
      let fresh = names.get(type.name);
      if (fresh === undefined) names.set(type.name, (fresh = param(`_var${this.#fresh++}`)));
      return fresh;
    }
    return type.params.length === 0 ? type : { ...type, params: type.params.map((p) => this.instantiate(p, names)) };
  }

  /** A parameter that stands for nothing yet. */
  freshParam(): Type {
    return param(`_var${this.#fresh++}`);
  }

  /** The type with what its parameters stand for; unbound ones become dyn when `final`. */
  resolve(type: Type, final = false): Type {
    if (type.kind === 'param') {
      const bound = this.#bound.get(type.name);
      if (bound !== undefined) return this.resolve(bound, final);
      return final ? DYN : type;
    }
    return type.params.length === 0 ? type : { ...type, params: type.params.map((p) => this.resolve(p, final)) };
  }

  /** Whether all of `from` may stand where `to` are asked for; binds parameters if so, and nothing if not. */
  assignable(from: readonly Type[], to: readonly Type[]): boolean {
    const before = new Map(this.#bound);
    for (const [i, type] of from.entries()) {
      if (!this.#fits(type, to[i]!)) {
        this.#bound = before;
        return false;
      }
    }
    return true;
  }

  #fits(from: Type, to: Type): boolean {
    if (to.kind === 'param') return this.#fitsParam(from, to);
    if (from.kind === 'param') return this.#fitsParam(to, from);
    if (isDyn(from) || isDyn(to)) return true;
    if (from.kind === 'null') return to.kind === 'null' || nullable.has(to.kind);
    if (to.kind === 'null') return nullable.has(from.kind);
    if (from.kind !== to.kind || from.name !== to.name) return false;
    // The types of types are all one.
    if (from.kind === 'type') return true;
    return from.params.every((p, i) => this.#fits(p, to.params[i]!));
  }

  #fitsParam(type: Type, parameter: Type): boolean {
    const bound = this.#bound.get(parameter.name);
    if (bound === undefined) {
      const resolved = this.resolve(type);
      if (resolved.kind === 'param' && resolved.name === parameter.name) return true;
      if (occurs(parameter.name, resolved)) return false;
      this.#bound.set(parameter.name, resolved);
      return true;
    }
    if (!this.#fits(type, bound)) return false;
    // The more general of the two is what it stands for from here on.
    if (isDyn(type) && !isDyn(bound)) this.#bound.set(parameter.name, type);
    else if (bound.kind === 'null' && type.kind !== 'null' && type.kind !== 'param') this.#bound.set(parameter.name, type);
    return true;
  }
}

const nullable: ReadonlySet<TypeKind> = new Set<TypeKind>(['object', 'opaque', 'timestamp', 'duration']);

const occurs = (name: string, type: Type): boolean =>
  type.kind === 'param' ? type.name === name : type.params.some((p) => occurs(name, p));
