import type { GroupVersionKind, GroupVersionResource } from '../../../api/meta/object.ts';
import type { Resource } from '../../../api/resource.ts';
import type { MatchPolicyType, NamedRuleWithOperations } from '../../../api/types/admissionregistration-v1.ts';
import type { AdmissionAttributes, ApiAccess } from '../../contract.ts';
import type { AsVersion } from './convert.ts';
import { matchesRule } from './rules.ts';

/** The version of a write's resource that a rule asked for. */
export interface ResourceMatch {
  readonly resource: GroupVersionResource;
  readonly kind: GroupVersionKind;
  /** Undefined: the version of the request, or something that has no versions. */
  readonly as: AsVersion | undefined;
}

/** A write in the version of its request. */
export const asRequested = ({ resource, kind }: AdmissionAttributes): ResourceMatch => ({ resource, kind, as: undefined });

/** The first rule's match: as requested if any rule matches that, else, unless `policy` is Exact, as a version that one matches. */
export function matchResource(
  rules: readonly NamedRuleWithOperations[],
  policy: MatchPolicyType,
  attributes: AdmissionAttributes,
  access: ApiAccess,
): ResourceMatch | undefined {
  const { resource, kind, definition } = attributes;
  if (rules.some((rule) => matchesRule(rule, attributes, resource) && namesIt(rule, attributes))) return asRequested(attributes);
  if (policy === 'Exact' || definition === undefined) return undefined;
  // Subresources that speak a kind of their own have it in every version.
  const ownKind = kind.kind !== definition.kind || kind.group !== definition.group;
  for (const rule of rules) {
    for (const other of equivalents(definition, access)) {
      const { group, version } = other;
      const found = { group, version, resource: other.plural };
      if (!matchesRule(rule, attributes, found) || !namesIt(rule, attributes)) continue;
      if (ownKind) return { resource: found, kind, as: undefined };
      return { resource: found, kind: { group, version, kind: other.kind }, as: { from: definition, to: other } };
    }
  }
  return undefined;
}

const namesIt = ({ resourceNames = [] }: NamedRuleWithOperations, { name }: AdmissionAttributes): boolean =>
  resourceNames.length === 0 || resourceNames.includes(name);

/** The other versions that are served of what is stored in the same place. */
function* equivalents(definition: Resource, access: ApiAccess): Iterable<Resource> {
  for (const other of access.resources()) {
    if (other.storage.prefix !== definition.storage.prefix) continue;
    if (other.group !== definition.group || other.version !== definition.version) yield other;
  }
}
