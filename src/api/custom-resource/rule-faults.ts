import { type DeclType, declTypeOf, escapeName } from '../cel/decl-type.ts';
import { type FieldError, forbidden, internalError, invalid } from '../meta/field-error.ts';
import type { JSONSchemaProps, ValidationRule } from '../types/apiextensions-v1.ts';
import { type CompiledRule, compileRule, mostOften } from './rule-compilation.ts';

/** The most that one rule may cost by estimate, and all of a schema together. */
export const RULE_COST_LIMIT = 10_000_000;
export const SCHEMA_COST_LIMIT = 100_000_000;

const isObject = (value: unknown): value is JSONSchemaProps =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * What is wrong with the expressions of a structural schema's rules: those that do not compile, cost too much by estimate, or look at an old
 * value where none can be told. `path` is that of `openAPIV3Schema`. The shape of the schema has been validated before. With
 * `suppressRuleCost`, single rules may cost what they want (of a schema that has not changed).
 */
export function ruleFaults(schema: JSONSchemaProps, path: string, suppressRuleCost = false): readonly FieldError[] {
  const survey = new Survey(suppressRuleCost);
  survey.visit(schema, path, { type: undefined, isRoot: true, often: 1, uncorrelatable: undefined, inScope: false });
  return [...survey.errors, ...survey.total(path)];
}

/** What is known of a node from above. */
interface Place {
  /** The type, when the parent's told it. */
  readonly type: DeclType | undefined;
  readonly isRoot: boolean;
  /** How often such a value can be in an object; undefined when nothing bounds it. */
  readonly often: number | undefined;
  /** The nearest list or map above whose parts cannot be told from their predecessors. */
  readonly uncorrelatable: string | undefined;
  readonly inScope: boolean;
}

interface RuleCost {
  readonly path: string;
  readonly cost: number;
}

class Survey {
  readonly errors: FieldError[] = [];
  readonly #suppress: boolean;
  #sum = 0;
  #worst: RuleCost[] = [];

  constructor(suppress: boolean) {
    this.#suppress = suppress;
  }

  visit(schema: JSONSchemaProps, path: string, place: Place): void {
    const rules = schema['x-kubernetes-validations'] ?? [];
    const inScope = place.inScope || rules.length > 0;
    const isRoot = place.isRoot || schema['x-kubernetes-embedded-resource'] === true;
    const type = inScope ? (place.type ?? declTypeOf(schema, isRoot)) : undefined;
    const often = place.often === undefined ? undefined : multiplied(place.often, factorOf(schema));
    const below = { isRoot: false, often, inScope };
    const { items, additionalProperties, properties } = schema;
    const { uncorrelatable: uncorrelated } = place;
    if (isObject(additionalProperties)) {
      this.visit(additionalProperties, `${path}.additionalProperties`, {
        ...below,
        type: type?.elements,
        uncorrelatable: uncorrelated,
      });
    }
    for (const [name, child] of Object.entries(properties ?? {})) {
      const escaped = escapeName(name);
      const childType = escaped === undefined ? undefined : type?.fields?.get(escaped)?.type;
      this.visit(child, `${path}.properties[${name}]`, { ...below, type: childType, uncorrelatable: uncorrelated });
    }
    if (isObject(items)) {
      const uncorrelatable = schema['x-kubernetes-list-type'] === 'map' ? uncorrelated : path;
      this.visit(items, `${path}.items`, { ...below, type: type?.elements, uncorrelatable });
    }
    if (rules.length === 0) return;
    const at = `${path}.x-kubernetes-validations`;
    if (type === undefined) {
      const why = 'failed to retrieve type information for x-kubernetes-validations';
      this.errors.push(internalError(at, `internal error: ${why}`));
      return;
    }
    rules.forEach((rule, i) => void this.#rule(compileRule(rule, schema, type), type, `${at}[${i}]`, place));
  }

  #rule(compiled: CompiledRule, type: DeclType, at: string, place: Place): void {
    const { rule, program, message } = compiled;
    const cost = program === undefined ? 0 : program.estimate().max * (place.often ?? mostOften(type));
    this.#observe(`${at}.rule`, cost, 'estimated rule cost');
    if (compiled.error !== undefined) this.errors.push(invalid(`${at}.rule`, shownRule(rule), compiled.error));
    if (compiled.messageError !== undefined) {
      this.errors.push(invalid(`${at}.messageExpression`, shownRule(rule), compiled.messageError));
    } else if (message !== undefined) {
      this.#observe(`${at}.messageExpression`, message.estimate().max, 'estimated messageExpression cost');
    }
    if (compiled.usesOldSelf) {
      if (place.uncorrelatable !== undefined) {
        const why = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${place.uncorrelatable}`;
        this.errors.push(invalid(`${at}.rule`, rule.rule, why));
      }
    } else if (rule.optionalOldSelf !== undefined) {
      this.errors.push(invalid(`${at}.optionalOldSelf`, rule.optionalOldSelf, 'may not be set if oldSelf is not used in rule'));
    }
  }

  #observe(path: string, cost: number, what: string): void {
    if (!this.#suppress && cost > RULE_COST_LIMIT) {
      this.errors.push(forbidden(path, costMessage(what, cost, RULE_COST_LIMIT)));
    }
    this.#sum += cost;
    if (cost < SCHEMA_COST_LIMIT / 100) return;
    this.#worst = [...this.#worst, { path, cost }].sort((a, b) => b.cost - a.cost).slice(0, 4);
  }

  total(path: string): readonly FieldError[] {
    if (this.#sum <= SCHEMA_COST_LIMIT) return [];
    const what = 'x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema';
    return [
      ...this.#worst.map((rule) =>
        forbidden(rule.path, 'contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema'),
      ),
      forbidden(path, costMessage(what, this.#sum, SCHEMA_COST_LIMIT)),
    ];
  }
}

/** A rule as upstream's errors show it: the internal type, whose fields have Go's names. */
const shownRule = (rule: ValidationRule): object => ({
  Rule: rule.rule,
  Message: rule.message ?? '',
  MessageExpression: rule.messageExpression ?? '',
  Reason: rule.reason ?? null,
  FieldPath: rule.fieldPath ?? '',
  OptionalOldSelf: rule.optionalOldSelf ?? null,
});

/** How many parts a value has at most; undefined when the schema does not say. */
function factorOf(schema: JSONSchemaProps): number | undefined {
  if (schema.type === 'object' && schema.additionalProperties !== undefined) return bound(schema.maxProperties);
  return schema.type === 'array' ? bound(schema.maxItems) : 1;
}

const bound = (max: number | undefined): number | undefined => (max === undefined ? undefined : Math.max(max, 0));

const multiplied = (often: number, factor: number | undefined): number | undefined =>
  factor === undefined ? undefined : often * factor;

function costMessage(what: string, cost: number, limit: number): string {
  const excess = cost / limit;
  const factor = excess > 100 ? 'more than 100x' : excess < 1.5 ? `${excess.toFixed(6)}x` : `${excess.toFixed(1)}x`;
  return `${what} exceeds budget by factor of ${factor} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`;
}
