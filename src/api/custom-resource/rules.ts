import { CelError, CostLimitError, costOf, type Program } from '../cel/compile.ts';
import { type DeclType, declTypeOf, escapeName } from '../cel/decl-type.ts';
import { typedValue } from '../cel/json-values.ts';
import { Optional, type Value } from '../cel/values.ts';
import {
  duplicate,
  type FieldError,
  FieldPath,
  forbidden,
  formatFieldError,
  invalid,
  omitValue,
  required,
} from '../meta/field-error.ts';
import type { JSONSchemaProps, ValidationRule } from '../types/apiextensions-v1.ts';
import { type Correlation, ItemsByKey } from './correlation.ts';
import { type CompiledRule, compileRule } from './rule-compilation.ts';
import { NO_PATH } from './value-validation.ts';

/** What all rules of one object may cost together (apiserver/pkg/apis/cel RuntimeCELCostBudget): about a second of Go's. */
export const RUNTIME_COST_BUDGET = 10_000_000;
/** A message that an expression made may be this long, in bytes. */
const MAX_MESSAGE_BYTES = 5 * 1024;

type JsonObject = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The rules of a schema, x-kubernetes-validations, at every depth. */
export interface RuleValidator {
  /**
   * What the rules say of an object, as the successor of `old` when there is one. With a correlation, rules of what has not changed only warn.
   * `path` is where the object is, when that is not the root of one.
   */
  validate(
    object: unknown,
    old: unknown,
    correlation: Correlation | undefined,
    warn: (text: string) => void,
    path?: string,
  ): readonly FieldError[];
}

/** Compiles the rules of a resource's schema; undefined when there are none. */
export function ruleValidator(schema: JSONSchemaProps, isRoot = true): RuleValidator | undefined {
  if (!hasRules(schema)) return undefined;
  const node = compileNode(schema, schema, isRoot, declTypeOf(schema, isRoot));
  if (node === undefined) return undefined;
  return {
    validate: (object, old, correlation, warn, path) => {
      const run = new Run(warn);
      run.node(node, new FieldPath(path), object, old, { current: correlation, parent: undefined });
      return run.errors;
    },
  };
}

export function hasRules(schema: JSONSchemaProps): boolean {
  const { items, additionalProperties, properties, allOf } = schema;
  return (
    (schema['x-kubernetes-validations'] ?? []).length > 0 ||
    (items !== undefined && !Array.isArray(items) && hasRules(items as JSONSchemaProps)) ||
    (typeof additionalProperties === 'object' && hasRules(additionalProperties)) ||
    Object.values(properties ?? {}).some(hasRules) ||
    (allOf ?? []).some(hasRules)
  );
}

/** The rules of one node of a schema, and those below it. */
interface RuleNode {
  readonly schema: JSONSchemaProps;
  readonly type: DeclType | undefined;
  readonly rules: readonly CompiledRule[];
  readonly items: RuleNode | undefined;
  readonly values: RuleNode | undefined;
  readonly properties: ReadonlyMap<string, RuleNode>;
  readonly allOf: readonly RuleNode[];
}

/** `rules` has the rules, and `schema` the types: they differ within `allOf`. */
function compileNode(
  rules: JSONSchemaProps,
  schema: JSONSchemaProps,
  isRoot: boolean,
  type: DeclType | undefined,
): RuleNode | undefined {
  const isEmbedded = (s: JSONSchemaProps): boolean => s['x-kubernetes-embedded-resource'] === true;
  const child = (from: unknown, to: unknown): RuleNode | undefined =>
    isObject(from) && isObject(to) ? compileNode(from, to, isEmbedded(to), type?.elements) : undefined;
  const properties = new Map<string, RuleNode>();
  for (const [name, from] of Object.entries(rules.properties ?? {})) {
    const to = schema.properties?.[name];
    if (to === undefined) continue;
    const escaped = escapeName(name);
    const fieldType = escaped === undefined ? declTypeOf(to, isEmbedded(to)) : type?.fields?.get(escaped)?.type;
    if (fieldType === undefined) continue;
    const node = compileNode(from, to, isEmbedded(to), fieldType);
    if (node !== undefined) properties.set(name, node);
  }
  const own = rules['x-kubernetes-validations'] ?? [];
  const node: RuleNode = {
    schema,
    type,
    rules: type === undefined ? [] : own.map((rule) => compileRule(rule, schema, type)),
    items: child(rules.items, schema.items),
    values: child(rules.additionalProperties, schema.additionalProperties),
    properties,
    allOf: (rules.allOf ?? []).flatMap((part) => compileNode(part, schema, isRoot, type) ?? []),
  };
  const empty =
    node.rules.length === 0 &&
    own.length === 0 &&
    node.items === undefined &&
    node.values === undefined &&
    properties.size === 0 &&
    node.allOf.length === 0;
  return empty ? undefined : node;
}

/** Where a node stands beside the old object: itself, or the nearest of its parents that has a counterpart. */
interface Beside {
  readonly current: Correlation | undefined;
  readonly parent: Correlation | undefined;
}

function besideKey(beside: Beside, name: string): Beside {
  if (beside.current === undefined) return beside;
  if (beside.parent === undefined && (name === 'apiVersion' || name === 'kind')) return { current: undefined, parent: undefined };
  return { current: beside.current.key(name), parent: beside.current };
}

function besideIndex(beside: Beside, i: number): Beside {
  return beside.current === undefined ? beside : { current: beside.current.index(i), parent: beside.current };
}

/** Thrown when nothing more is to be evaluated. */
class OutOfBudget extends Error {}

class Run {
  readonly errors: FieldError[] = [];
  readonly #warn: (text: string) => void;
  #budget = RUNTIME_COST_BUDGET;
  #over = false;

  constructor(warn: (text: string) => void) {
    this.#warn = warn;
  }

  node(node: RuleNode, path: FieldPath, value: unknown, old: unknown, beside: Beside): void {
    if (value === null || value === undefined || this.#over) return;
    this.#rules(node, path, value, old ?? undefined, beside);
    // What is repeated by allOf is not ratcheted.
    for (const part of node.allOf) this.node(part, path, value, old, { current: undefined, parent: beside.parent });
    if (Array.isArray(value)) this.#list(node, path, value, Array.isArray(old) ? old : [], beside);
    else if (isObject(value)) this.#members(node, path, value, isObject(old) ? old : {}, beside);
  }

  #list(node: RuleNode, path: FieldPath, value: readonly unknown[], old: readonly unknown[], beside: Beside): void {
    if (node.items === undefined) return;
    const before = new ItemsByKey(node.schema, old);
    value.forEach((item, i) => {
      this.node(node.items!, path.index(i), item, before.get(item), besideIndex(beside, i));
    });
  }

  #members(node: RuleNode, path: FieldPath, value: JsonObject, old: JsonObject, beside: Beside): void {
    for (const [name, child] of Object.entries(value)) {
      const before = Object.hasOwn(old, name) ? old[name] : undefined;
      if (node.values !== undefined) this.node(node.values, path.key(name), child, before, besideKey(beside, name));
      const property = node.properties.get(name);
      if (property !== undefined) this.node(property, path.child(name), child, before, besideKey(beside, name));
    }
  }

  #rules(node: RuleNode, path: FieldPath, value: unknown, old: unknown, beside: Beside): void {
    const { type, rules, schema } = node;
    if (type === undefined) {
      const why = 'failed to convert to declType for CEL validation rules';
      if ((schema['x-kubernetes-validations'] ?? []).length > 0) {
        this.errors.push(invalid(at(path), schema.type ?? '', `rule compiler initialization error: ${why}`));
      }
      return;
    }
    if (rules.length === 0) return;
    try {
      if (this.#budget <= 0) throw this.#exhausted(path, schema);
      for (const compiled of rules) this.#rule(compiled, node, type, path, value, old, beside);
    } catch (err) {
      if (!(err instanceof OutOfBudget)) throw err;
      this.#over = true;
    }
  }

  #exhausted(path: FieldPath, schema: JSONSchemaProps): OutOfBudget {
    const message = 'validation failed due to running out of cost budget, no further validation rules will be run';
    this.errors.push(invalid(at(path), schema.type ?? '', message));
    return new OutOfBudget();
  }

  #rule(
    compiled: CompiledRule,
    node: RuleNode,
    type: DeclType,
    path: FieldPath,
    value: unknown,
    old: unknown,
    beside: Beside,
  ): void {
    const { rule, program } = compiled;
    const { schema } = node;
    const shown = schema.type ?? '';
    if (compiled.error !== undefined) {
      this.errors.push(invalid(at(path), shown, `rule compile error: ${compiled.error}`));
      return;
    }
    const optional = rule.optionalOldSelf === true;
    if (program === undefined || (compiled.usesOldSelf && old === undefined && !optional)) return;
    const before = (): Value => typedValue(old, type);
    const bindings = {
      self: () => typedValue(value, type),
      oldSelf: optional
        ? () => (old === undefined ? Optional.none : new Optional(before()))
        : old === undefined
          ? undefined
          : before,
    };
    if (this.#holds(program, bindings, rule, path, schema)) return;
    const place = compiled.fieldPath === '' ? path : path.child(compiled.fieldPath);
    const detail = this.#message(compiled, bindings, place, shown) ?? ruleMessage(rule);
    const omits = schema.type === 'object' || schema.type === 'array';
    this.#report(failure(at(place), omits ? omitValue : value, detail, rule), compiled, beside);
  }

  #report(error: FieldError, compiled: CompiledRule, beside: Beside): void {
    const unchanged = (beside.current ?? beside.parent)?.unchanged === true;
    if (!compiled.usesOldSelf && unchanged) this.#warn(formatFieldError(error));
    else this.errors.push(error);
  }

  /** Whether a rule holds, or could not be evaluated, which has been reported then. */
  #holds(program: Program, bindings: Bindings, rule: ValidationRule, path: FieldPath, schema: JSONSchemaProps): boolean {
    try {
      const { value, cost } = program.evaluate(bindings);
      if (cost > this.#budget) throw this.#exhausted(path, schema);
      this.#budget -= cost;
      return value === true;
    } catch (err) {
      if (!(err instanceof CelError || err instanceof CostLimitError)) throw err;
      const cost = costOf(err);
      if (cost > this.#budget) throw this.#exhausted(path, schema);
      this.#budget -= cost;
      const shown = schema.type ?? '';
      const name = ruleText(rule);
      if (err instanceof CostLimitError) {
        const why = `'${err.message}': no further validation rules will be run due to call cost exceeds limit for rule: ${name}`;
        this.errors.push(invalid(at(path), shown, why));
        throw new OutOfBudget();
      }
      const why = err.message.startsWith('no such overload')
        ? `'${err.message}': call arguments did not match a supported operator, function or macro signature for rule: ${name}`
        : `${err.message} evaluating rule: ${name}`;
      this.errors.push(invalid(at(path), shown, why));
      return true;
    }
  }

  /** What the rule's message expression gives; undefined when it has none, or that fails. */
  #message(compiled: CompiledRule, bindings: Bindings, path: FieldPath, shown: string): string | undefined {
    const { message, rule } = compiled;
    if (message === undefined) return undefined;
    try {
      const { value, cost } = message.evaluate(bindings);
      if (cost > this.#budget) throw this.#messageExhausted(path, shown);
      this.#budget -= cost;
      const text = typeof value === 'string' ? value.trim() : '';
      return text === '' || text.includes('\n') || Buffer.byteLength(text) > MAX_MESSAGE_BYTES ? undefined : text;
    } catch (err) {
      if (err instanceof CostLimitError) {
        const why = `no further validation rules will be run due to call cost exceeds limit for messageExpression: ${JSON.stringify(rule.messageExpression)}`;
        this.errors.push(invalid(at(path), shown, why));
        throw new OutOfBudget();
      }
      if (!(err instanceof CelError)) throw err;
      if (costOf(err) > this.#budget) throw this.#messageExhausted(path, shown);
      this.#budget -= costOf(err);
      return undefined;
    }
  }

  #messageExhausted(path: FieldPath, shown: string): OutOfBudget {
    const why = 'messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run';
    this.errors.push(invalid(at(path), shown, why));
    return new OutOfBudget();
  }
}

type Bindings = Parameters<Program['evaluate']>[0];

const at = (path: FieldPath): string => path.toString() || NO_PATH;

const ruleText = (rule: ValidationRule): string => (rule.message ? rule.message.trim() : rule.rule.trim());

const ruleMessage = (rule: ValidationRule): string => (rule.message ? rule.message.trim() : `failed rule: ${ruleText(rule)}`);

function failure(path: string, value: unknown, detail: string, rule: ValidationRule): FieldError {
  switch (rule.reason) {
    case 'FieldValueForbidden':
      return forbidden(path, detail);
    case 'FieldValueRequired':
      return required(path, detail);
    case 'FieldValueDuplicate':
      return duplicate(path, value);
    default:
      return invalid(path, value, detail);
  }
}
