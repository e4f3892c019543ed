import { embeddedStructs } from './builtin.ts';
import { structName } from './go-type.ts';

/** A value does not fit its schema. The message is the one Go's decoder gives; whoever answers wraps it in a Status. */
export class DecodeError extends Error {}

/** Upstream stops counting strict errors here. */
const MAX_UNKNOWN_FIELDS = 100;

/**
 * Where a decoder stands, and what it found on the way. Level `d` of the path is the field, key or index through which level
 * `d + 1` is reached; `owners[d]` is the OpenAPI name of the struct that has the field, or '' when level `d` is a map.
 */
export class DecodeState {
  /** The value was put together from maps, as a strategic merge is, and not read from a text: upstream tells what is wrong with it in other words. */
  readonly merged: boolean;
  readonly path: (string | number)[] = [];
  readonly owners: string[] = [];
  readonly unknown: string[] = [];
  /** Above zero, unknown fields are dropped without a word, as inside types that decode themselves. */
  silent = 0;
  /**
   * What is known to be in canonical form where the decoder stands: the same place of an object that was decoded before. Parts that
   * are the very same need no second look.
   */
  known: unknown;

  constructor(merged = false) {
    this.merged = merged;
  }

  /** The value at `depth` has the wrong type. */
  fail(depth: number, value: unknown, goType: string, kind: GoKind): never {
    if (this.merged) throw new DecodeError(mergedFault(value, goType, kind));
    const what = describeValue(value, kind.includes('int') || goType === 'int32');
    const fields: string[] = [];
    let owner = '';
    for (let d = 0; d < depth; d++) {
      const step = this.path[d]!;
      if (typeof step === 'number' || this.owners[d] === '') continue;
      owner = this.owners[d]!;
      for (const embedded of embeddedStructs(owner, step)) fields.push(structName(embedded));
      fields.push(step);
    }
    throw new DecodeError(
      fields.length === 0
        ? `json: cannot unmarshal ${what} into Go value of type ${goType}`
        : `json: cannot unmarshal ${what} into Go struct field ${structName(owner)}.${fields.join('.')} of type ${goType}`,
    );
  }

  unknownField(depth: number, name: string): void {
    if (this.silent > 0 || this.unknown.length >= MAX_UNKNOWN_FIELDS) return;
    let text = '';
    for (let d = 0; d < depth; d++) {
      const step = this.path[d]!;
      text += typeof step === 'number' ? `[${step}]` : text === '' ? step : `.${step}`;
    }
    this.unknown.push(`unknown field ${JSON.stringify(text === '' ? name : `${text}.${name}`)}`);
  }
}

/** How Go holds a value; `own` is what reads its JSON itself. */
export type GoKind = 'struct' | 'map' | 'slice' | 'string' | 'bool' | 'int32' | 'int64' | 'uint32' | 'uint64' | 'float64' | 'own';

/** What upstream's converter of maps to structs (apimachinery, runtime.FromUnstructured) says of a value that does not fit. */
function mergedFault(value: unknown, goType: string, kind: GoKind): string {
  const held = heldAs(value);
  switch (kind) {
    case 'struct':
      return `cannot restore struct from: ${held}`;
    case 'map':
    case 'slice':
      return `cannot restore ${kind} from ${held}`;
    case 'own':
      return `json: cannot unmarshal ${describeValue(value)} into Go value of type ${goType}`;
    default: {
      // What Go itself would convert, and JSON does not.
      const converts = held === 'int64' ? kind !== 'bool' : held === 'float64' && kind.includes('int');
      return converts ? `cannot convert ${held} to ${goType}` : `unrecognized type: ${kind}`;
    }
  }
}

function heldAs(value: unknown): string {
  if (Array.isArray(value)) return 'slice';
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int64';
    case 'number':
      return Number.isInteger(value) ? 'int64' : 'float64';
    case 'string':
      return 'string';
    default:
      return 'map';
  }
}

/** What Go calls a JSON value in its errors; numbers in place of an integer are told with their text. */
function describeValue(value: unknown, withNumber = false): string {
  if (Array.isArray(value)) return 'array';
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'number':
    case 'bigint':
      return withNumber ? `number ${value}` : 'number';
    case 'string':
      return 'string';
    default:
      return value === null ? 'null' : 'object';
  }
}
