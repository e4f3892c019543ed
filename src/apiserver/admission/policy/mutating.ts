import { deepEqual } from '../../../api/groups/define.ts';
import type { KubernetesObject } from '../../../api/meta/object.ts';
import { StatusError } from '../../../api/meta/status.ts';
import type { Resource } from '../../../api/resource.ts';
import type { MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding } from '../../../api/types/admissionregistration-v1.ts';
import type { AdmissionAttributes, AdmissionPlugin, AdmissionTarget, ApiAccess, Authorizer } from '../../contract.ts';
import { type Expression, MATCH_CONDITIONS_BUDGET, POLICY_BUDGET } from '../cel/expression.ts';
import { compileConditions, holdAll } from '../cel/match-conditions.ts';
import { bindVariables } from '../cel/variables.ts';
import { decodePatched } from '../decode-patched.ts';
import { convertObject, reversed } from '../matching/convert.ts';
import type { ResourceMatch } from '../matching/resource-match.ts';
import { refuse } from '../refusal.ts';
import { type Round, RoundAccount } from '../reinvocation.ts';
import { withObject } from '../with-object.ts';
import { Composition } from './composition.ts';
import { isUnderPolicy } from './exempt.ts';
import { matchConstraints } from './match-resources.ts';
import { namespaceOf } from './namespace-of.ts';
import { collectParams, paramResource } from './params.ts';
import { compilePatcher, type Patcher } from './patchers.ts';
import { type PolicyHook, PolicySource } from './policy-source.ts';

interface CompiledPolicy {
  readonly composition: Composition;
  readonly matchConditions: readonly Expression[];
  readonly patchers: readonly Patcher[];
}

type Hook = PolicyHook<MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding, CompiledPolicy>;

/** A policy, by one of its bindings, with one of its parameters. */
interface Invocation {
  readonly hook: Hook;
  readonly binding: string;
  readonly params: KubernetesObject | undefined;
  readonly match: ResourceMatch;
}

interface Failure {
  readonly message: string;
  readonly reason: string;
}

function compilePolicy({ spec }: MutatingAdmissionPolicy): CompiledPolicy {
  const options = { params: spec?.paramKind !== undefined, authorizer: true };
  const composition = new Composition(spec?.variables, options);
  const variables = composition.declarations(options);
  return {
    composition,
    matchConditions: compileConditions(spec?.matchConditions, variables),
    patchers: (spec?.mutations ?? []).map((mutation) => compilePatcher(mutation, variables)),
  };
}

/** Carries out the MutatingAdmissionPolicies that a write concerns. Those that want to are run once more when something changes later. */
export class MutatingPolicies implements AdmissionPlugin {
  readonly name = 'MutatingAdmissionPolicy';
  readonly #authorizer: Authorizer;
  #access: ApiAccess | undefined;
  #source: PolicySource<MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding, CompiledPolicy> | undefined;
  /** What the first round came to, by the write. */
  readonly #rounds = new WeakMap<AdmissionAttributes, Round>();

  constructor({ authorizer }: { readonly authorizer: Authorizer }) {
    this.#authorizer = authorizer;
  }

  initialize(access: ApiAccess): void {
    this.#access = access;
    this.#source = PolicySource.open(access, 'mutating', compilePolicy);
  }

  handles(target: AdmissionTarget): boolean {
    // There is nothing to change in a deletion.
    return target.operation !== 'DELETE' && isUnderPolicy(target);
  }

  mutate(attributes: AdmissionAttributes): KubernetesObject | undefined {
    if (this.#source === undefined || this.#source.isEmpty || attributes.object === undefined) return attributes.object;
    const hooks = this.#source.for(attributes);
    if (hooks.length === 0) return attributes.object;
    const round = this.#run(hooks, attributes, undefined);
    this.#rounds.set(attributes, round);
    return round.object;
  }

  /** Whether a policy changed the object of this write, so that everything before has to have a second look. */
  changed(attributes: AdmissionAttributes): boolean {
    return this.#rounds.get(attributes)?.changed === true;
  }

  /** The second round. `current` is what the object is by now. */
  reinvoke(attributes: AdmissionAttributes, current: KubernetesObject | undefined): KubernetesObject | undefined {
    const first = this.#rounds.get(attributes);
    if (first === undefined || this.#source === undefined) return current;
    const again = deepEqual(current, first.object) ? first.outdated : first.reinvocable;
    if (again.size === 0) return current;
    const now = withObject(attributes, current);
    return this.#run(this.#source.for(now), now, again).object;
  }

  #run(hooks: readonly Hook[], attributes: AdmissionAttributes, only: ReadonlySet<string> | undefined): Round {
    const failures: Failure[] = [];
    const account = new RoundAccount(attributes.object);
    for (const invocation of hooks.flatMap((hook) => this.#invocations(hook, attributes, failures))) {
      const { hook, binding, params } = invocation;
      const id = `${hook.name}/${binding}/${params?.metadata?.namespace ?? ''}/${params?.metadata?.name ?? ''}`;
      if (only !== undefined && !only.has(id)) continue;
      const object = this.#invoke(invocation, withObject(attributes, account.object), failures);
      account.turn(id, hook.policy.spec?.reinvocationPolicy === 'IfNeeded', object);
    }
    if (failures.length > 0) throw refusalOf(attributes, failures);
    return account.round;
  }

  #invocations(hook: Hook, attributes: AdmissionAttributes, failures: Failure[]): readonly Invocation[] {
    const access = this.#access!;
    const fail = (by: string, what: string, err: unknown): void => {
      if (hook.failsOpen) return;
      const message = `policy ${by} denied request: failed to configure ${what}: ${(err as Error).message}`;
      failures.push({ message, reason: 'Forbidden' });
    };
    try {
      const match = matchConstraints(hook.constraints, attributes, access);
      if (match === undefined) return [];
      const { paramKind } = hook.policy.spec ?? {};
      const paramType = paramKind === undefined ? undefined : paramResource(paramKind, access);
      return hook.bindings.flatMap(({ name, binding, constraints }) => {
        try {
          if (constraints !== undefined && matchConstraints(constraints, attributes, access) === undefined) return [];
          const all = collectParams(paramType, binding.spec?.paramRef, attributes.namespace, access);
          return all.map((params) => ({ hook, binding: name, params, match }));
        } catch (err) {
          fail(`'${hook.name}' with binding '${name}'`, 'binding', err);
          return [];
        }
      });
    } catch (err) {
      fail(JSON.stringify(hook.name), 'policy', err);
      return [];
    }
  }

  /** The object after all mutations of one policy that could be made; the same when nothing changes. */
  #invoke(invocation: Invocation, attributes: AdmissionAttributes, failures: Failure[]): KubernetesObject | undefined {
    const { hook, binding, params, match } = invocation;
    const fail = (err: unknown): void => {
      if (hook.failsOpen) return;
      const message = `policy '${hook.name}' with binding '${binding}' denied request: ${(err as Error).message}`;
      failures.push({ message, reason: 'Invalid' });
    };
    const namespace = namespaceOf(attributes, this.#access!);
    const bindTo = (object: KubernetesObject | undefined): ReturnType<typeof bindVariables> =>
      bindVariables({ attributes: withObject(attributes, object), match, namespace, params, authorizer: this.#authorizer });
    const { composition, matchConditions, patchers } = hook.compiled;
    let object = attributes.object;
    try {
      const budget = { left: MATCH_CONDITIONS_BUDGET };
      if (!holdAll(matchConditions, composition.bind(bindTo(object), budget), budget, hook.failsOpen)) return object;
    } catch (err) {
      fail(err);
      return object;
    }
    for (const patcher of patchers) {
      try {
        const budget = { left: POLICY_BUDGET };
        object = patched(invocation, attributes, object!, (before, type) =>
          patcher(before, type, composition.bind(bindTo(object), budget), budget),
        );
      } catch (err) {
        if (err instanceof StatusError) throw err;
        fail(err);
      }
    }
    return object;
  }
}

/** The object with a patch made in the version that the policy is about; the same when nothing changes. */
function patched(
  { match }: Invocation,
  { definition }: AdmissionAttributes,
  object: KubernetesObject,
  patch: (object: KubernetesObject, type: Resource | undefined) => KubernetesObject,
): KubernetesObject {
  const before = convertObject(object, match.as) as KubernetesObject;
  const type = match.as?.to ?? definition;
  const after = decodePatched(patch(before, type), type, match.kind);
  return deepEqual(after, before) ? object : (convertObject(after, reversed(match.as)) as KubernetesObject);
}

/** The 403 that tells all failures, the first of them as its message. */
function refusalOf(attributes: AdmissionAttributes, failures: readonly Failure[]): StatusError {
  const { status } = refuse(attributes, 'admission request denied by policy');
  const { message, reason } = failures[0]!;
  return new StatusError({
    ...status,
    message,
    reason,
    details: { ...status.details, causes: failures.map((f) => ({ message: f.message })) },
  });
}
