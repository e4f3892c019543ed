import type { Bindings } from '../../../api/cel/compile.ts';
import { BOOL, NULL, STRING } from '../../../api/cel/types.ts';
import { typeNameOf } from '../../../api/cel/values.ts';
import type { StatusReason } from '../../../api/meta/status.ts';
import type { ValidatingAdmissionPolicy } from '../../../api/types/admissionregistration-v1.ts';
import { type Budget, BudgetError, Expression, MATCH_CONDITIONS_BUDGET, POLICY_BUDGET } from '../cel/expression.ts';
import { compileConditions, holdAll } from '../cel/match-conditions.ts';
import { Composition } from './composition.ts';

const MAX_MESSAGE_BYTES = 5 * 1024;

interface CompiledValidation {
  readonly expression: Expression;
  readonly message: string;
  readonly messageExpression: Expression | undefined;
  readonly reason: StatusReason;
}

/** A ValidatingAdmissionPolicy, compiled. */
export interface CompiledPolicy {
  readonly composition: Composition;
  readonly matchConditions: readonly Expression[];
  readonly validations: readonly CompiledValidation[];
  readonly auditAnnotations: readonly { readonly key: string; readonly expression: Expression }[];
}

/** A validation that does not hold. */
export interface Failure {
  /** Which one, or 0 for a failure of them all. */
  readonly index: number;
  readonly message: string;
  readonly reason: StatusReason;
  /** It is no verdict, but could not be evaluated. */
  readonly error?: 'invalid_error' | 'out_of_budget';
}

/** What a policy says of one request. */
export interface PolicyResult {
  readonly failures: readonly Failure[];
  /** Audit annotations that could not be made, where that is a failure. */
  readonly annotationErrors: readonly string[];
  readonly annotations: readonly { readonly key: string; readonly value: string }[];
}

const admitted: PolicyResult = { failures: [], annotationErrors: [], annotations: [] };

export function compilePolicy({ spec }: ValidatingAdmissionPolicy): CompiledPolicy {
  const params = spec?.paramKind !== undefined;
  const composition = new Composition(spec?.variables, { params, authorizer: true });
  const variables = composition.declarations({ params, authorizer: true });
  const plain = composition.declarations({ params, authorizer: false });
  return {
    composition,
    matchConditions: compileConditions(spec?.matchConditions, variables),
    validations: (spec?.validations ?? []).map(({ expression, message = '', messageExpression, reason = 'Invalid' }) => ({
      expression: new Expression(expression, variables, [BOOL]),
      message: message.trim(),
      messageExpression: messageExpression ? new Expression(messageExpression, plain, [STRING]) : undefined,
      reason: reason as StatusReason,
    })),
    auditAnnotations: (spec?.auditAnnotations ?? []).map(({ key, valueExpression }) => ({
      key,
      expression: new Expression(valueExpression, variables, [STRING, NULL]),
    })),
  };
}

/** Evaluates a policy. `failsOpen`: what cannot be evaluated holds. */
export function evaluatePolicy(policy: CompiledPolicy, bindings: Bindings, failsOpen: boolean): PolicyResult {
  const failed = (err: unknown): PolicyResult => {
    if (failsOpen) return admitted;
    const error = err instanceof BudgetError ? 'out_of_budget' : 'invalid_error';
    return { ...admitted, failures: [{ index: 0, message: (err as Error).message, reason: 'Invalid', error }] };
  };
  if (policy.matchConditions.length > 0) {
    const budget = { left: MATCH_CONDITIONS_BUDGET };
    try {
      if (!holdAll(policy.matchConditions, policy.composition.bind(bindings, budget), budget, failsOpen)) return admitted;
    } catch (err) {
      return failed(err);
    }
  }
  try {
    const failures = evaluateValidations(policy, bindings, failsOpen);
    return { failures, ...evaluateAnnotations(policy, bindings, failsOpen) };
  } catch (err) {
    if (!(err instanceof BudgetError)) throw err;
    return failed(err);
  }
}

function evaluateValidations(policy: CompiledPolicy, bindings: Bindings, failsOpen: boolean): readonly Failure[] {
  const budget: Budget = { left: POLICY_BUDGET };
  const bound = policy.composition.bind(bindings, budget);
  const broken: { readonly index: number; readonly validation: CompiledValidation }[] = [];
  const failures: Failure[] = [];
  policy.validations.forEach((validation, index) => {
    try {
      if (validation.expression.evaluate(bound, budget) !== true) broken.push({ index, validation });
    } catch (err) {
      if (err instanceof BudgetError) throw err;
      if (!failsOpen) failures.push({ index, message: (err as Error).message, reason: '', error: 'invalid_error' });
    }
  });
  for (const { index, validation } of broken) {
    try {
      const given = evaluateMessage(validation, bound, budget);
      const message = given || validation.message || `failed expression: ${validation.expression.source.trim()}`;
      failures.push({ index, message, reason: validation.reason });
    } catch (err) {
      const message = `failed messageExpression: ${(err as Error).message}`;
      if (!failsOpen) failures.push({ index, message, reason: '', error: 'invalid_error' });
    }
  }
  return failures.sort((a, b) => a.index - b.index);
}

/** The message that the expression gives, if it is fit to be told. Throws when the budget is spent. */
function evaluateMessage({ messageExpression }: CompiledValidation, bindings: Bindings, budget: Budget): string {
  if (messageExpression === undefined) return '';
  try {
    const given = messageExpression.evaluate(bindings, budget);
    const text = typeof given === 'string' ? given.trim() : '';
    return Buffer.byteLength(text) > MAX_MESSAGE_BYTES || text.includes('\n') ? '' : text;
  } catch (err) {
    if (err instanceof BudgetError) throw err;
    return '';
  }
}

function evaluateAnnotations(
  policy: CompiledPolicy,
  bindings: Bindings,
  failsOpen: boolean,
): Pick<PolicyResult, 'annotations' | 'annotationErrors'> {
  const budget: Budget = { left: POLICY_BUDGET };
  const bound = policy.composition.bind(bindings, budget);
  const annotations: { key: string; value: string }[] = [];
  const annotationErrors: string[] = [];
  for (const { key, expression } of policy.auditAnnotations) {
    try {
      const value = expression.evaluate(bound, budget);
      if (typeof value === 'string') {
        if (value.trim() !== '') annotations.push({ key, value: value.trim() });
      } else if (value !== null) {
        annotationErrors.push(
          `valueExpression '${expression.source}' resulted in unsupported return type: ${typeNameOf(value)}. Return type must be either string or null.`,
        );
      }
    } catch (err) {
      if (err instanceof BudgetError) throw err;
      if (!failsOpen) annotationErrors.push((err as Error).message);
    }
  }
  return { annotations, annotationErrors };
}
