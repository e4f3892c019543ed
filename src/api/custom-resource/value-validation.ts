import { compileRe2, Re2Error } from '../cel/re2.ts';
import { deepEqual } from '../groups/define.ts';
import { type FieldError, GoFloat, invalid, notSupported, required, tooLong, tooMany, typeInvalid } from '../meta/field-error.ts';
import { goFloat } from '../meta/go-text.ts';
import type { JSONSchemaProps } from '../types/apiextensions-v1.ts';
import type { Correlation } from './correlation.ts';
import { isKnownFormat, stringFormat } from './formats.ts';

type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Checks values against a CRD's OpenAPI schema as kube-openapi does, down to its texts and to what it shows of a failed `oneOf`.
 * Upstream: k8s.io/kube-openapi/pkg/validation/validate and apiextensions-apiserver/pkg/apiserver/validation.
 */
export interface ValueValidator {
  /** What is wrong. `base` is where the value lies in the object, '' for the object itself. With `correlation`, unchanged parts are let be. */
  validate(value: unknown, base: string, correlation?: Correlation): readonly FieldError[];
}

/** Compiles a schema once. */
export function valueValidator(schema: JSONSchemaProps): ValueValidator {
  const root = new Node(schema);
  return {
    validate: (value, base, correlation) => {
      const { faults } = root.ratcheted(value, '', correlation);
      return faults.map((fault) => fault.at(placeOf(base, fault.path)));
    },
  };
}

/**
 * Whether a value is the one of an enum once Go has converted it to that one's type, as upstream compares them: a fraction loses what
 * follows the point where the enum has integers, and an integer becomes the character that it is the number of.
 */
function equalsConverted(value: unknown, allowed: unknown): boolean {
  // The definition's own numbers are doubles.
  if (typeof value === 'bigint') return typeof allowed === 'number' && Number(value) === allowed;
  if (typeof value !== 'number') return false;
  if (typeof allowed === 'number') return Number.isInteger(allowed) && Math.trunc(value) === allowed;
  if (typeof allowed !== 'string' || !Number.isInteger(value)) return false;
  const isCharacter = value >= 0 && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);
  return allowed === (isCharacter ? String.fromCodePoint(value) : '\ufffd');
}

/** Upstream's path when an error has none. */
export const NO_PATH = '<nil>';

function placeOf(base: string, path: string | undefined): string {
  const name = path === undefined || path === '.' ? '' : path.replace(/^\./, '');
  if (path === undefined || name === '') return base === '' ? NO_PATH : base;
  return base === '' ? name : `${base}.${name}`;
}

/** A fault before its place is known. */
interface Fault {
  /** Of the value; undefined for those that are told of the whole. */
  readonly path: string | undefined;
  /** Of two faults with the same text the first is kept. */
  readonly text: string;
  at(place: string): FieldError;
}

/** What a check came to; `matches` is how upstream chooses between the alternatives of `oneOf` and `anyOf`. */
interface Result {
  readonly faults: readonly Fault[];
  readonly matches: number;
}

const none: readonly Fault[] = [];

class Findings {
  faults: Fault[] | undefined;
  /** Of the faults: a list of a hundred thousand wrong items has as many. */
  #texts: Set<string> | undefined;
  matches = 0;

  merge(result: Result): void {
    this.matches += result.matches;
    for (const fault of result.faults) this.add(fault);
  }

  add(fault: Fault | undefined): void {
    if (fault === undefined) return;
    if (this.faults === undefined) {
      // Most values have no fault or one; only more are worth a set.
      this.faults = [fault];
      return;
    }
    this.#texts ??= new Set([this.faults[0]!.text]);
    const { size } = this.#texts.add(fault.text);
    if (size > this.faults.length) this.faults.push(fault);
  }

  get result(): Result {
    return { faults: this.faults ?? none, matches: this.matches };
  }
}

/** A fault that names its value. */
const fault = (path: string, text: string, at: (place: string) => FieldError): Fault => ({ path, text, at });
const invalidValue = (path: string, value: unknown, text: string): Fault =>
  fault(path, text, (place) => invalid(place, value ?? '', text));
/** A fault of the whole, as upstream's composite errors have no place. */
const general = (text: string): Fault => ({ path: undefined, text, at: (place) => invalid(place, '', text) });

function wrongType(path: string, types: string, found: string): Fault {
  const text = `${path} in body must be of type ${types}: ${JSON.stringify(found)}`;
  return fault(path, text, (place) => typeInvalid(place, found, text));
}

class Node {
  readonly #schema: JSONSchemaProps;
  readonly #types: readonly string[];
  readonly #format: string;
  readonly #checksFormat: ((text: string) => boolean) | undefined;
  readonly #properties: ReadonlyMap<string, Node>;
  readonly #additional: Node | undefined;
  readonly #items: Node | undefined;
  readonly #allOf: readonly Node[];
  readonly #anyOf: readonly Node[];
  readonly #oneOf: readonly Node[];
  readonly #not: Node | undefined;

  constructor(schema: JSONSchemaProps) {
    this.#schema = schema;
    const { type = '', format = '', items, additionalProperties } = schema;
    this.#types = schema['x-kubernetes-int-or-string'] === true ? ['integer', 'string'] : type === '' ? [] : [type];
    this.#format = isKnownFormat(this.#types.length === 1 ? this.#types[0]! : '', format) ? format : '';
    this.#checksFormat = this.#format === '' ? undefined : stringFormat(this.#format);
    this.#properties = new Map(Object.entries(schema.properties ?? {}).map(([name, child]) => [name, new Node(child)]));
    this.#additional = typeof additionalProperties === 'object' ? new Node(additionalProperties) : undefined;
    this.#items = items === undefined || Array.isArray(items) ? undefined : new Node(items as JSONSchemaProps);
    const nodes = (list: readonly JSONSchemaProps[] | undefined): readonly Node[] => (list ?? []).map((s) => new Node(s));
    this.#allOf = nodes(schema.allOf);
    this.#anyOf = nodes(schema.anyOf);
    this.#oneOf = nodes(schema.oneOf);
    this.#not = schema.not === undefined ? undefined : new Node(schema.not);
  }

  /** The check, without the faults of what has not changed (KEP-4008). */
  ratcheted(value: unknown, path: string, correlation: Correlation | undefined): Result {
    const result = this.#check(value, path, correlation);
    if (correlation === undefined || result.faults.length === 0 || !correlation.unchanged) return result;
    return { faults: none, matches: result.matches };
  }

  #check(value: unknown, path: string, correlation: Correlation | undefined): Result {
    const out = new Findings();
    if (value === null || value === undefined) {
      if (this.#types.length > 0 && this.#schema.nullable !== true) out.add(wrongType(path, this.#types.join(','), 'null'));
      else out.matches++;
      out.add(this.#enum(null, path));
      return out.result;
    }
    if (this.#types.length > 0 || this.#format !== '') {
      const wrong = this.#type(value, path);
      if (wrong === undefined) out.matches++;
      out.add(wrong);
      out.matches++;
    }
    this.#logic(value, path, correlation, out);
    out.matches++;
    if (typeof value === 'string') {
      out.add(this.#string(value, path));
      out.matches++;
      if (this.#checksFormat !== undefined) {
        if (!this.#checksFormat(value)) out.add(wrongType(path, this.#format, value));
        out.matches++;
      }
    } else if (typeof value === 'number' || typeof value === 'bigint') {
      this.#number(value, path, out);
      out.matches += 2;
    } else if (Array.isArray(value)) {
      this.#list(value, path, correlation, out);
      out.matches += 2;
    }
    out.add(this.#enum(value, path));
    out.matches++;
    if (typeof value === 'object' && !Array.isArray(value)) {
      this.#object(value as JsonObject, path, correlation, out);
      out.matches++;
    }
    out.matches++;
    return out.result;
  }

  #type(value: unknown, path: string): Fault | undefined {
    const types = this.#types;
    const [found, format] = typeOf(value);
    const numeric = types.includes('number') || types.includes('integer');
    const fits = types.includes(found) || (found === 'integer' && types.includes('number'));
    if (typeof value !== 'string' && !Array.isArray(value) && this.#format !== '' && !fits && format !== this.#format) {
      return wrongType(path, this.#format, format);
    }
    if (!numeric && this.#format !== '' && (typeof value === 'string' || Array.isArray(value))) return undefined;
    return fits ? undefined : wrongType(path, types.join(','), found);
  }

  #enum(value: unknown, path: string): Fault | undefined {
    const values = this.#schema.enum;
    if (values === undefined || values.length === 0) return undefined;
    if (value !== null && values.some((v) => deepEqual(v, value) || equalsConverted(value, v))) return undefined;
    const shown = values.map((v) => (typeof v === 'string' ? v : JSON.stringify(v)));
    return fault(path, `${path} in body should be one of [${shown.join(' ')}]`, (place) => notSupported(place, value, shown));
  }

  #string(value: string, path: string): Fault | undefined {
    const { maxLength, minLength, pattern } = this.#schema;
    if (maxLength !== undefined && lengthOf(value) > maxLength) {
      return fault(path, `${path} in body should be at most ${maxLength} chars long`, (place) => tooLong(place, maxLength));
    }
    if (minLength !== undefined && lengthOf(value) < minLength) {
      return invalidValue(path, value, `${path} in body should be at least ${minLength} chars long`);
    }
    if (!pattern) return undefined;
    try {
      if (compileRe2(pattern).test(value)) return undefined;
      return invalidValue(path, value, `${path} in body should match '${pattern}'`);
    } catch (err) {
      if (!(err instanceof Re2Error)) throw err;
      return invalidValue(path, value, `${path} in body should match '${pattern}, but pattern is invalid: ${err.message}'`);
    }
  }

  #number(value: number | bigint, path: string, out: Findings): void {
    const { multipleOf, maximum, minimum, exclusiveMaximum = false, exclusiveMinimum = false } = this.#schema;
    out.add(this.#range(value, 'Checked', path));
    const whole = isInteger(value);
    const bound = (given: number, what: string): Bound => {
      const bad = this.#range(given, what, path);
      out.add(bad);
      return whole && bad === undefined ? integerBound(Math.trunc(given), value) : floatBound(given, value);
    };
    if (multipleOf !== undefined) {
      const { at, text, integers, shown } = bound(multipleOf, 'MultipleOf');
      if (at <= 0) {
        const factor = integers ? at : new GoFloat(at);
        out.add(invalidValue(path, factor, `factor MultipleOf declared for ${path} must be positive: ${text}`));
      } else if (!(integers ? isIntegerMultiple(value, at) : isMultiple(Number(value), at))) {
        out.add(invalidValue(path, shown, `${path} in body should be a multiple of ${text}`));
      }
    }
    if (minimum !== undefined) {
      const { at, text, shown } = bound(minimum, 'Minimum boundary');
      if (exclusiveMinimum ? value <= at : value < at) {
        const wanted = exclusiveMinimum ? 'greater than' : 'greater than or equal to';
        out.add(invalidValue(path, shown, `${path} in body should be ${wanted} ${text}`));
      }
    }
    if (maximum !== undefined) {
      const { at, text, shown } = bound(maximum, 'Maximum boundary');
      if (exclusiveMaximum ? value >= at : value > at) {
        const wanted = exclusiveMaximum ? 'less than' : 'less than or equal to';
        out.add(invalidValue(path, shown, `${path} in body should be ${wanted} ${text}`));
      }
    }
  }

  #range(value: number | bigint, what: string, path: string): Fault | undefined {
    const type = this.#types.length === 1 ? this.#types[0] : undefined;
    const format = this.#format;
    const fits =
      type === 'integer'
        ? isInteger(value) && (format === 'int32' ? value >= -(2 ** 31) && value < 2 ** 31 : true)
        : !(type === 'number' && format === 'float' && typeof value === 'number' && Math.abs(value) > 3.4028234663852886e38);
    if (fits) return undefined;
    return general(
      `${what} value must be of type ${type} ${format === '' ? '(default format)' : `with format ${format}`} in ${path}`,
    );
  }

  #list(value: readonly unknown[], path: string, correlation: Correlation | undefined, out: Findings): void {
    const { minItems, maxItems } = this.#schema;
    const items = this.#items;
    if (items !== undefined) {
      for (let i = 0; i < value.length; i++) out.merge(items.ratcheted(value[i], `${path}[${i}]`, correlation?.index(i)));
    }
    const size = value.length;
    if (minItems !== undefined && size < minItems) {
      out.add(invalidValue(path, size, `${path} in body should have at least ${minItems} items`));
    }
    if (maxItems !== undefined && size > maxItems) {
      out.add(fault(path, `${path} in body should have at most ${maxItems} items`, (place) => tooMany(place, size, maxItems)));
    }
  }

  #object(value: JsonObject, path: string, correlation: Correlation | undefined, out: Findings): void {
    const { minProperties, maxProperties, additionalProperties, required: needed = [] } = this.#schema;
    const names = Object.keys(value);
    if (minProperties !== undefined && names.length < minProperties) {
      out.add(invalidValue(path, names.length, `${path} in body should have at least ${minProperties} properties`));
    }
    if (maxProperties !== undefined && names.length > maxProperties) {
      out.add(
        fault(path, `${path} in body should have at most ${maxProperties} properties`, (place) =>
          tooMany(place, names.length, maxProperties),
        ),
      );
    }
    const within = (name: string): Correlation | undefined =>
      // Old and new have been converted to one version: their type says nothing.
      path === '' && (name === 'apiVersion' || name === 'kind') ? undefined : correlation?.key(name);
    for (const name of names) {
      const known = this.#properties.get(name);
      if (known !== undefined) {
        out.merge(known.ratcheted(value[name], path === '' ? name : `${path}.${name}`, within(name)));
      } else if (this.#additional !== undefined) {
        out.merge(this.#additional.ratcheted(value[name], `${path}.${name}`, within(name)));
      } else if (additionalProperties === false) {
        out.add(invalidValue(path, name, `${path}.${name} in body is a forbidden property`));
      }
    }
    for (const name of needed) {
      if (!Object.hasOwn(value, name)) {
        out.add(fault(`${path}.${name}`, `${path}.${name} in body is required`, (place) => required(place)));
      }
    }
  }

  #logic(value: unknown, path: string, correlation: Correlation | undefined, out: Findings): void {
    const quoted = JSON.stringify(path);
    if (this.#anyOf.length > 0) {
      let best: Result | undefined;
      let valid = false;
      for (const node of this.#anyOf) {
        const result = node.#check(value, path, correlation);
        if (result.faults.length === 0) {
          valid = true;
          best = result;
          break;
        }
        if (best === undefined || result.matches > best.matches) best = result;
      }
      if (!valid) out.add(general(`${quoted} must validate at least one schema (anyOf)`));
      out.merge(best!);
    }
    if (this.#oneOf.length > 0) this.#exactlyOne(value, path, correlation, out);
    if (this.#allOf.length > 0) {
      let valid = 0;
      for (const node of this.#allOf) {
        const result = node.#check(value, path, correlation);
        if (result.faults.length === 0) valid++;
        out.merge(result);
      }
      if (valid !== this.#allOf.length) {
        out.add(general(`${quoted} must validate all the schemas (allOf)${valid === 0 ? '. None validated' : ''}`));
      }
    }
    if (this.#not !== undefined && this.#not.#check(value, path, correlation).faults.length === 0) {
      out.add(general(`${quoted} must not validate the schema (not)`));
    }
    out.matches++;
  }

  #exactlyOne(value: unknown, path: string, correlation: Correlation | undefined, out: Findings): void {
    let best: Result | undefined;
    let first: Result | undefined;
    let valid = 0;
    for (const node of this.#oneOf) {
      const result = node.#check(value, path, correlation);
      if (result.faults.length === 0) {
        valid++;
        best = undefined;
        first ??= result;
      } else if (valid === 0 && (best === undefined || result.matches > best.matches)) best = result;
    }
    if (valid === 1) {
      out.merge(first!);
      return;
    }
    const found = valid === 0 ? 'Found none valid' : `Found ${valid} valid alternatives`;
    out.add(general(`${JSON.stringify(path)} must validate one and only one schema (oneOf). ${found}`));
    if (best !== undefined) out.merge(best);
  }
}

/** The JSON type of a value, and the format that Go would have it in. */
function typeOf(value: unknown): readonly [type: string, format: string] {
  if (Array.isArray(value)) return ['array', ''];
  switch (typeof value) {
    case 'boolean':
      return ['boolean', ''];
    case 'string':
      return ['string', ''];
    case 'bigint':
      return ['integer', 'int64'];
    case 'number':
      return isInteger(value) ? ['integer', 'int64'] : ['number', 'float64'];
    default:
      return ['object', ''];
  }
}

const isInteger = (value: number | bigint): boolean =>
  typeof value === 'bigint' || (Number.isInteger(value) && Math.abs(value) <= 2 ** 63);

/** What a number is measured by, and how both are written. */
interface Bound {
  readonly at: number;
  readonly text: string;
  readonly integers: boolean;
  readonly shown: unknown;
}

/** Bounds of an integer are taken as integers, unless they cannot be: then it is compared, and told of, as a float. */
const integerBound = (at: number, value: number | bigint): Bound => ({
  at,
  text: String(BigInt(at)),
  integers: true,
  shown: value,
});
const floatBound = (at: number, value: number | bigint): Bound => ({
  at,
  text: goFloat(at),
  integers: false,
  shown: new GoFloat(Number(value)),
});

const isIntegerMultiple = (value: number | bigint, factor: number): boolean =>
  typeof value === 'bigint' ? value % BigInt(factor) === 0n : value % factor === 0;

const isMultiple = (value: number, factor: number): boolean => isJsonInteger(factor < 1 ? (1 / factor) * value : value / factor);

/** Within a rounding error of an integer (swag.IsFloat64AJSONInteger). */
function isJsonInteger(value: number): boolean {
  if (!Number.isFinite(value) || Math.abs(value) > Number.MAX_SAFE_INTEGER) return false;
  const whole = Math.trunc(value);
  const difference = Math.abs(value - whole);
  return value === whole || difference < 1e-9 * Math.max(Math.abs(value), Math.abs(whole));
}

/** Characters, not UTF-16 units. */
function lengthOf(text: string): number {
  let count = 0;
  for (let i = 0; i < text.length; i++, count++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0xd800 && unit < 0xdc00 && i + 1 < text.length) i++;
  }
  return count;
}
