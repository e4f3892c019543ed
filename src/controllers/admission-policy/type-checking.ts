import { namespaceType, requestType } from '../../api/cel/admission-types.ts';
import { CompileError } from '../../api/cel/ast.ts';
import { AUTHORIZER, RESOURCE_CHECK } from '../../api/cel/authorizer-library.ts';
import { compileExpression, type Program, type Variables } from '../../api/cel/compile.ts';
import { typeOfSchema } from '../../api/cel/schema-type.ts';
import { DYN, objectOf, type Type } from '../../api/cel/types.ts';
import { type GroupVersionKind, parseApiVersion } from '../../api/meta/object.ts';
import type { Schema } from '../../api/schema/schema.ts';
import type {
  ExpressionWarning,
  NamedRuleWithOperations,
  ValidatingAdmissionPolicy,
} from '../../api/types/admissionregistration-v1.ts';

/** A policy is checked against this many types at most. */
const MAX_TYPES = 10;

/** A type that is served, as far as expressions can be checked against it. */
export interface KnownType extends GroupVersionKind {
  readonly plural: string;
  readonly schema: Schema;
}

/**
 * What expressions of a policy cannot mean, checked against each type that its rules name in full; rules with wildcards are not looked at.
 * It only warns: the policy works as it does, on objects without types (apiserver policy/validating TypeChecker).
 */
export function typeWarnings(policy: ValidatingAdmissionPolicy, types: readonly KnownType[]): readonly ExpressionWarning[] {
  const { validations = [], paramKind } = policy.spec ?? {};
  const params = paramKind === undefined ? undefined : paramType(paramKind, types);
  const subjects = subjectsOf(policy, types).map((type) => ({ type, variables: variablesFor(policy, type, params) }));
  const warnings: ExpressionWarning[] = [];
  const check = (fieldRef: string, expression: string | undefined): void => {
    if (!expression) return;
    const faults = subjects.flatMap(({ type, variables }) => {
      const result = compiled(expression, variables);
      return typeof result === 'string' ? [`${kindText(type)}: ${result}\n`] : [];
    });
    if (faults.length > 0) warnings.push({ fieldRef, warning: faults.join('\n') });
  };
  validations.forEach(({ expression, messageExpression }, i) => {
    check(`spec.validations[${i}].expression`, expression);
    check(`spec.validations[${i}].messageExpression`, messageExpression);
  });
  return warnings;
}

/** Go's text of a kind with its group and version. */
const kindText = ({ group, version, kind }: GroupVersionKind): string => `${group}/${version}, Kind=${kind}`;

/** The program, or why there is none. */
function compiled(expression: string, variables: Variables): Program | string {
  try {
    return compileExpression(expression, variables);
  } catch (err) {
    if (err instanceof CompileError) return err.message;
    throw err;
  }
}

/** What can be said of `params`; undefined when nothing. */
function paramType(
  kind: { readonly apiVersion?: string; readonly kind?: string },
  types: readonly KnownType[],
): Type | undefined {
  const { group, version } = parseApiVersion(kind.apiVersion ?? '');
  const found = types.find((type) => type.group === group && type.version === version && type.kind === kind.kind);
  return found === undefined ? undefined : typeOfSchema(found.schema, found.kind);
}

function variablesFor(policy: ValidatingAdmissionPolicy, { schema, kind }: KnownType, params: Type | undefined): Variables {
  const object = typeOfSchema(schema, kind) ?? DYN;
  const base: Variables = {
    object,
    oldObject: object,
    request: requestType,
    namespaceObject: namespaceType,
    ...(policy.spec?.paramKind === undefined ? {} : { params: params ?? DYN }),
    authorizer: AUTHORIZER,
    'authorizer.requestResource': RESOURCE_CHECK,
  };
  const composed = new Map<string, Type>();
  for (const { name, expression } of policy.spec?.variables ?? []) {
    // A variable sees those before it; one that does not compile can be anything.
    const result = compiled(expression, { ...base, variables: objectOf('kubernetes.variables', new Map(composed)) });
    composed.set(name, typeof result === 'string' ? DYN : result.type);
  }
  return { ...base, variables: objectOf('kubernetes.variables', composed) };
}

/** The types that the rules name, by group, version and kind. */
function subjectsOf(policy: ValidatingAdmissionPolicy, types: readonly KnownType[]): readonly KnownType[] {
  const found = new Set<KnownType>();
  for (const rule of policy.spec?.matchConstraints?.resourceRules ?? []) {
    const named = typesOfRule(rule, types).slice(0, MAX_TYPES);
    for (const type of named) found.add(type);
    if (named.length === MAX_TYPES) break;
  }
  return [...found].sort((a, b) => order(a.group, b.group) || order(a.version, b.version) || order(a.kind, b.kind));
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function typesOfRule(rule: NamedRuleWithOperations, types: readonly KnownType[]): readonly KnownType[] {
  const { apiGroups = [], apiVersions = [], resources = [] } = rule;
  if ([...apiGroups, ...apiVersions].some((name) => name.includes('*'))) return [];
  const sorted = (names: readonly string[]): readonly string[] => [...names].sort();
  return sorted(apiGroups).flatMap((group) =>
    sorted(apiVersions).flatMap((version) =>
      sorted(resources).flatMap(
        (plural) => types.find((type) => type.group === group && type.version === version && type.plural === plural) ?? [],
      ),
    ),
  );
}
