import type { KubernetesObject } from '../../../api/meta/object.ts';
import type { FailurePolicyType, MatchResources, ParamKind, ParamRef } from '../../../api/types/admissionregistration-v1.ts';
import type { AdmissionAttributes, ApiAccess, ResourceView } from '../../contract.ts';
import { ByTarget } from '../matching/by-target.ts';
import { type Constraints, constraintsOf } from './match-resources.ts';

const GROUP = 'admissionregistration.k8s.io';

/** What validating and mutating policies have in common. */
export interface AnyPolicy extends KubernetesObject {
  readonly spec?: {
    readonly failurePolicy?: FailurePolicyType;
    readonly matchConstraints?: MatchResources;
    readonly paramKind?: ParamKind;
  };
}

export interface AnyBinding extends KubernetesObject {
  readonly spec?: {
    readonly policyName?: string;
    readonly matchResources?: MatchResources;
    readonly paramRef?: ParamRef;
  };
}

/** A binding, its selectors made ready. */
export interface BindingHook<B> {
  readonly name: string;
  readonly binding: B;
  /** Undefined: whatever the policy is about. */
  readonly constraints: Constraints | undefined;
}

/** A policy that is bound, compiled. */
export interface PolicyHook<P, B, C> {
  readonly name: string;
  readonly policy: P;
  readonly constraints: Constraints;
  readonly failsOpen: boolean;
  readonly bindings: readonly BindingHook<B>[];
  readonly compiled: C;
}

/** The bound policies of a kind, in the order of their names. Compiled once per version of a policy. */
export class PolicySource<P extends AnyPolicy, B extends AnyBinding, C> {
  readonly #policies: ResourceView<P>;
  readonly #bindings: ResourceView<B>;
  readonly #compile: (policy: P) => C;
  readonly #compiled = new WeakMap<P, C>();
  #hooks: readonly PolicyHook<P, B, C>[] | undefined;
  readonly #concerned = new ByTarget<PolicyHook<P, B, C>>(
    () => this.#all(),
    ({ constraints }) => ({ rules: constraints.rules, policy: constraints.matchPolicy }),
  );

  private constructor(policies: ResourceView<P>, bindings: ResourceView<B>, compile: (policy: P) => C) {
    this.#policies = policies;
    this.#bindings = bindings;
    this.#compile = compile;
    const forget = (): void => {
      this.#hooks = undefined;
      this.#concerned.clear();
    };
    const never = new AbortController().signal;
    policies.watch(forget, never);
    bindings.watch(forget, never);
  }

  /** Undefined when the types are not served. */
  static open<P extends AnyPolicy, B extends AnyBinding, C>(
    access: ApiAccess,
    kind: 'validating' | 'mutating',
    compile: (policy: P) => C,
  ): PolicySource<P, B, C> | undefined {
    const policies = access.view<P>(GROUP, `${kind}admissionpolicies`);
    const bindings = access.view<B>(GROUP, `${kind}admissionpolicybindings`);
    return policies === undefined || bindings === undefined ? undefined : new PolicySource(policies, bindings, compile);
  }

  /** Whether no policy is bound at all. */
  get isEmpty(): boolean {
    return this.#all().length === 0;
  }

  /** The policies that writes like this one can concern, whatever the object. */
  for(attributes: AdmissionAttributes): readonly PolicyHook<P, B, C>[] {
    return this.#concerned.for(attributes);
  }

  #all(): readonly PolicyHook<P, B, C>[] {
    if (this.#hooks !== undefined) return this.#hooks;
    const byPolicy = Map.groupBy(this.#bindings.list(), (binding) => binding.spec?.policyName ?? '');
    const hooks: PolicyHook<P, B, C>[] = [];
    for (const policy of this.#policies.list()) {
      const name = policy.metadata?.name ?? '';
      const bindings = byPolicy.get(name);
      const constraints = policy.spec?.matchConstraints;
      if (bindings === undefined || constraints === undefined) continue;
      hooks.push({
        name,
        policy,
        constraints: constraintsOf(constraints),
        failsOpen: policy.spec?.failurePolicy === 'Ignore',
        bindings: bindings.map(bindingHook),
        compiled: this.#compiledOf(policy),
      });
    }
    this.#hooks = hooks;
    return hooks;
  }

  #compiledOf(policy: P): C {
    let compiled = this.#compiled.get(policy);
    if (compiled === undefined) {
      compiled = this.#compile(policy);
      this.#compiled.set(policy, compiled);
    }
    return compiled;
  }
}

function bindingHook<B extends AnyBinding>(binding: B): BindingHook<B> {
  const match = binding.spec?.matchResources;
  const constraints = match === undefined ? undefined : constraintsOf(match);
  return { name: binding.metadata?.name ?? '', binding, constraints };
}
