/** A value does not fit its schema. The message is the one Go's decoder gives; whoever answers wraps it in a Status. */
export class DecodeError extends Error {}

/** Upstream stops counting strict errors here. */
const MAX_UNKNOWN_FIELDS = 100;

/**
 * Where a decoder stands, and what it found on the way. Level `d` of the path is the field, key or index through which level
 * `d + 1` is reached; `owners[d]` is the struct that has the field, or '' when level `d` is a map.
 */
export class DecodeState {
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

  /** The value at `depth` has the wrong type; `what` is Go's word for what it is. */
  fail(depth: number, what: string, goType: string): never {
    const fields: string[] = [];
    let owner = '';
    for (let d = 0; d < depth; d++) {
      const step = this.path[d]!;
      if (typeof step === 'number' || this.owners[d] === '') continue;
      fields.push(step);
      owner = this.owners[d]!;
    }
    throw new DecodeError(
      fields.length === 0
        ? `json: cannot unmarshal ${what} into Go value of type ${goType}`
        : `json: cannot unmarshal ${what} into Go struct field ${owner}.${fields.join('.')} of type ${goType}`,
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

/** What Go calls a JSON value in its errors; numbers in place of an integer are told with their text. */
export function describeValue(value: unknown, withNumber = false): string {
  if (Array.isArray(value)) return 'array';
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'number':
      return withNumber ? `number ${value}` : 'number';
    case 'string':
      return 'string';
    default:
      return value === null ? 'null' : 'object';
  }
}
