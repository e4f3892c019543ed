import { declaredVariables, policyVariables, type VariableOptions } from '../../cel/admission-variables.ts';
import type { CompileOptions, Variables } from '../../cel/compile.ts';
import { compileTyped } from '../../cel/typed-expression.ts';
import { BOOL, type Type } from '../../cel/types.ts';
import { duplicate, type FieldError, type FieldPath, invalid, required, tooMany } from '../../meta/field-error.ts';
import { isQualifiedName } from '../../meta/names.ts';
import type { MatchCondition, Variable } from '../../types/admissionregistration-v1.ts';
import { checkRequired } from '../field-checks.ts';

const mostMatchConditions = 64;

/** What is wrong with an expression that must be of one of the types. `shown`: what the fault shows, when not the expression. */
export function expressionFaults(
  path: FieldPath,
  expression: string,
  variables: Variables,
  results?: readonly Type[],
  { shown = expression, ...options }: CompileOptions & { readonly shown?: string } = {},
): readonly FieldError[] {
  const { fault } = compileTyped(expression, variables, results, options);
  return fault === undefined ? [] : [invalid(path, shown, fault)];
}

/** What is wrong with match conditions. `params`: a policy has parameters for them to look at. */
export function matchConditionFaults(
  conditions: readonly MatchCondition[],
  path: FieldPath,
  params: boolean,
): readonly FieldError[] {
  const errors: FieldError[] = [];
  const variables = declaredVariables({ params, authorizer: true });
  if (conditions.length > mostMatchConditions) errors.push(tooMany(path, conditions.length, mostMatchConditions));
  conditions.forEach(({ name = '', expression = '' }, i) => {
    const at = path.index(i);
    const trimmed = expression.trim();
    if (trimmed === '') errors.push(required(at.child('expression')));
    else errors.push(...expressionFaults(at.child('expression'), trimmed, variables, [BOOL]));
    errors.push(...checkRequired(at.child('name'), name, isQualifiedName));
    if (name !== '' && conditions.findIndex((c) => c.name === name) < i) errors.push(duplicate(at.child('name'), name));
  });
  return errors;
}

const identifier = /^[_a-zA-Z][_a-zA-Z0-9]*$/;
const reserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

/** The variables that a policy names, as far as they can be made: what the expressions after them are compiled against. */
export class NamedVariables {
  readonly #types = new Map<string, Type | undefined>();
  readonly faults: readonly FieldError[];

  constructor(variables: readonly Variable[], path: FieldPath, params: boolean) {
    const errors: FieldError[] = [];
    variables.forEach(({ name = '', expression = '' }, i) => {
      const at = path.index(i);
      if (name.trim() === '') errors.push(required(at.child('name'), 'name is not specified'));
      else if (!identifier.test(name) || reserved.has(name)) {
        errors.push(invalid(at.child('name'), name, 'must be a valid CEL identifier'));
      }
      if (variables.findIndex((v) => v.name === name) < i) errors.push(duplicate(at.child('name'), name));
      if (expression.trim() === '') errors.push(required(at.child('expression'), 'expression is not specified'));
      else {
        const { program, fault } = compileTyped(expression, this.declarations({ params, authorizer: true }));
        if (fault !== undefined) errors.push(invalid(at.child('expression'), expression, fault));
        this.#types.set(name, program?.type);
      }
    });
    this.faults = errors;
  }

  declarations(options: VariableOptions): Variables {
    return this.#types.size === 0 ? declaredVariables(options) : policyVariables(options, this.#types);
  }
}
