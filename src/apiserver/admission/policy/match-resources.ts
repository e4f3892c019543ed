import type { MatchPolicyType, MatchResources, NamedRuleWithOperations } from '../../../api/types/admissionregistration-v1.ts';
import type { AdmissionAttributes, ApiAccess } from '../../contract.ts';
import { asRequested, matchResource, type ResourceMatch } from '../matching/resource-match.ts';
import { type Selectors, selectorsOf, selectsNamespace, selectsObject } from '../matching/selectors.ts';

/** What a policy or a binding is about, its selectors made ready. */
export interface Constraints extends Selectors {
  readonly rules: readonly NamedRuleWithOperations[];
  readonly excluded: readonly NamedRuleWithOperations[];
  readonly matchPolicy: MatchPolicyType;
}

export const constraintsOf = (given: MatchResources): Constraints => ({
  ...selectorsOf(given),
  rules: given.resourceRules ?? [],
  excluded: given.excludeResourceRules ?? [],
  matchPolicy: given.matchPolicy ?? 'Exact',
});

/** How a write matches; undefined when it does not. No rules match everything. Throws when the namespace is not there. */
export function matchConstraints(
  constraints: Constraints,
  attributes: AdmissionAttributes,
  access: ApiAccess,
): ResourceMatch | undefined {
  const inNamespace = selectsNamespace(constraints, attributes, access);
  if (inNamespace === false || !selectsObject(constraints, attributes)) return undefined;
  const { rules, excluded, matchPolicy } = constraints;
  if (matchResource(excluded, matchPolicy, attributes, access) !== undefined) return undefined;
  const match = rules.length === 0 ? asRequested(attributes) : matchResource(rules, matchPolicy, attributes, access);
  if (match !== undefined && inNamespace instanceof Error) throw inNamespace;
  return match;
}
