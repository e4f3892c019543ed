import { StatusError, type StatusReason, statusCodes } from '../../../api/meta/status.ts';
import type { ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding } from '../../../api/types/admissionregistration-v1.ts';
import type { AdmissionAttributes, AdmissionPlugin, ApiAccess, Authorizer } from '../../contract.ts';
import { bindVariables } from '../cel/variables.ts';
import { refuse } from '../refusal.ts';
import { type CompiledPolicy, compilePolicy, evaluatePolicy, type Failure, type PolicyResult } from './evaluate-validation.ts';
import { isUnderPolicy } from './exempt.ts';
import { matchConstraints } from './match-resources.ts';
import { namespaceOf } from './namespace-of.ts';
import { collectParams, paramResource } from './params.ts';
import { type Enforcement, PolicyMetrics } from './policy-metrics.ts';
import { type BindingHook, type PolicyHook, PolicySource } from './policy-source.ts';

const MAX_ANNOTATION_LENGTH = 10 * 1024;
const FAILURE_ANNOTATION = 'validation.policy.admission.k8s.io/validation_failure';

type Hook = PolicyHook<ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding, CompiledPolicy>;
type Bound = BindingHook<ValidatingAdmissionPolicyBinding>;

interface Denial {
  readonly policy: string;
  readonly binding: string | undefined;
  readonly message: string;
  readonly reason: StatusReason;
}

/** Evaluates the ValidatingAdmissionPolicies that a write concerns, by each of their bindings. */
export function validatingAdmissionPolicy({ authorizer }: { readonly authorizer: Authorizer }): AdmissionPlugin {
  const metrics = new PolicyMetrics();
  let access: ApiAccess | undefined;
  let source: PolicySource<ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding, CompiledPolicy> | undefined;
  return {
    name: 'ValidatingAdmissionPolicy',
    initialize: (given) => {
      access = given;
      source = PolicySource.open(given, 'validating', compilePolicy);
    },
    handles: isUnderPolicy,
    validate: (attributes) => {
      if (source === undefined || source.isEmpty) return;
      const hooks = source.for(attributes);
      if (hooks.length === 0) return;
      const denials = hooks.flatMap((hook) => evaluateHook(hook, attributes, access!, authorizer, metrics));
      if (denials.length > 0) throw refusalOf(attributes, denials[0]!);
    },
    metrics: () => metrics.text(),
  };
}

function evaluateHook(
  hook: Hook,
  attributes: AdmissionAttributes,
  access: ApiAccess,
  authorizer: Authorizer,
  metrics: PolicyMetrics,
): readonly Denial[] {
  const denials: Denial[] = [];
  const misconfigured = (what: string, err: unknown, binding?: string): void => {
    if (hook.failsOpen) return;
    denials.push({ policy: hook.name, binding, message: `failed to configure ${what}: ${(err as Error).message}`, reason: '' });
  };
  const annotations = new Map<string, Set<string>>();
  try {
    const match = matchConstraints(hook.constraints, attributes, access);
    if (match === undefined) return denials;
    const { paramKind } = hook.policy.spec ?? {};
    const paramType = paramKind === undefined ? undefined : paramResource(paramKind, access);
    for (const bound of hook.bindings) {
      try {
        if (bound.constraints !== undefined && matchConstraints(bound.constraints, attributes, access) === undefined) continue;
        const all = collectParams(paramType, bound.binding.spec?.paramRef, attributes.namespace, access);
        const namespace = namespaceOf(attributes, access);
        for (const params of all) {
          const bindings = bindVariables({ attributes, match, namespace, params, authorizer });
          const began = access.clock.monotonic();
          const result = evaluatePolicy(hook.compiled, bindings, hook.failsOpen);
          const each = (access.clock.monotonic() - began) / Math.max(1, hook.compiled.validations.length);
          denials.push(...consequences(hook, bound, result, attributes));
          for (const { error = 'no_error' } of result.failures) {
            for (const action of bound.binding.spec?.validationActions ?? []) {
              metrics.enforced(hook.name, bound.name, action.toLowerCase() as Enforcement, error, each);
            }
          }
          for (const { key, value } of result.annotations) {
            const values = annotations.get(key) ?? new Set();
            annotations.set(key, values.add(value.slice(0, MAX_ANNOTATION_LENGTH)));
          }
        }
      } catch (err) {
        misconfigured('binding', err, bound.name);
      }
    }
  } catch (err) {
    misconfigured('policy', err);
  }
  for (const [key, values] of annotations) attributes.annotate(`${hook.name}/${key}`, [...values].join(', '));
  return denials;
}

/** Denies, warns of and records failures, as the binding says. */
function consequences(hook: Hook, bound: Bound, result: PolicyResult, attributes: AdmissionAttributes): readonly Denial[] {
  const denials: Denial[] = [];
  const actions = bound.binding.spec?.validationActions ?? [];
  for (const failure of result.failures) {
    if (actions.includes('Deny')) {
      denials.push({ policy: hook.name, binding: bound.name, message: failure.message, reason: failure.reason });
    }
    if (actions.includes('Audit')) record(hook, bound, failure, attributes);
    if (actions.includes('Warn')) {
      attributes.warn(
        `Validation failed for ValidatingAdmissionPolicy '${hook.name}' with binding '${bound.name}': ${failure.message}`,
      );
    }
  }
  for (const message of result.annotationErrors) denials.push({ policy: hook.name, binding: bound.name, message, reason: '' });
  return denials;
}

function record(hook: Hook, bound: Bound, { index, message }: Failure, attributes: AdmissionAttributes): void {
  const value = {
    message,
    policy: hook.name,
    binding: bound.name,
    expressionIndex: index,
    validationActions: bound.binding.spec?.validationActions ?? [],
  };
  attributes.annotate(FAILURE_ANNOTATION, JSON.stringify([value]));
}

const codes: Readonly<Record<string, number>> = {
  Forbidden: statusCodes.Forbidden,
  Unauthorized: statusCodes.Unauthorized,
  RequestEntityTooLarge: statusCodes.RequestEntityTooLarge,
};

function refusalOf(attributes: AdmissionAttributes, { policy, binding, message, reason }: Denial): StatusError {
  const by = binding === undefined ? '' : ` with binding '${binding}'`;
  const told = `ValidatingAdmissionPolicy '${policy}'${by} denied request: ${message}`;
  const { status } = refuse(attributes, told);
  return new StatusError({
    ...status,
    reason: reason || 'Invalid',
    code: codes[reason] ?? statusCodes.Invalid,
    details: { ...status.details, causes: [{ message: told }] },
  });
}
