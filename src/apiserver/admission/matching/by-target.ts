import type { MatchPolicyType, RuleWithOperations } from '../../../api/types/admissionregistration-v1.ts';
import type { AdmissionAttributes } from '../../contract.ts';
import { mayMatch } from './rules.ts';

/** Kinds of writes whose matches are remembered. */
const MAX_REMEMBERED = 2_000;

/** What is configured by rules, found by the kind of write that it can concern: for what is asked with every write. */
export class ByTarget<T> {
  readonly #all: () => readonly T[];
  readonly #rulesOf: (item: T) => { readonly rules: readonly RuleWithOperations[]; readonly policy: MatchPolicyType };
  readonly #found = new Map<string, readonly T[]>();

  constructor(
    all: () => readonly T[],
    rulesOf: (item: T) => { readonly rules: readonly RuleWithOperations[]; readonly policy: MatchPolicyType },
  ) {
    this.#all = all;
    this.#rulesOf = rulesOf;
  }

  /** Forgets everything: the configuration has changed. */
  clear(): void {
    this.#found.clear();
  }

  /** What writes like this one can concern, whatever the object. */
  for(attributes: AdmissionAttributes): readonly T[] {
    const { operation, resource, subresource, namespace } = attributes;
    const key = `${operation} ${resource.group}/${resource.version}/${resource.resource}/${subresource} ${namespace === ''}`;
    let found = this.#found.get(key);
    if (found === undefined) {
      if (this.#found.size >= MAX_REMEMBERED) this.#found.clear();
      found = this.#all().filter((item) => {
        const { rules, policy } = this.#rulesOf(item);
        return rules.some((rule) => mayMatch(rule, policy, attributes));
      });
      this.#found.set(key, found);
    }
    return found;
  }
}
