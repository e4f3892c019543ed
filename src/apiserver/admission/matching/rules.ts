import type { GroupVersionResource } from '../../../api/meta/object.ts';
import type { MatchPolicyType, RuleWithOperations } from '../../../api/types/admissionregistration-v1.ts';
import type { AdmissionAttributes } from '../../contract.ts';

const listed = (items: readonly string[] | undefined, wanted: string): boolean =>
  items?.some((item) => item === '*' || item === wanted) === true;

/** Whether a rule is about a write of `resource`, which is that of the attributes or one that is equivalent to it. */
export function matchesRule(
  rule: RuleWithOperations,
  { operation, namespace, subresource }: Pick<AdmissionAttributes, 'operation' | 'namespace' | 'subresource'>,
  resource: GroupVersionResource,
): boolean {
  return (
    inScope(rule.scope, namespace, resource) &&
    listed(rule.operations, operation) &&
    listed(rule.apiGroups, resource.group) &&
    listed(rule.apiVersions, resource.version) &&
    (rule.resources ?? []).some((pattern) => {
      const slash = pattern.indexOf('/');
      const plural = slash < 0 ? pattern : pattern.slice(0, slash);
      const sub = slash < 0 ? '' : pattern.slice(slash + 1);
      return (plural === '*' || plural === resource.resource) && (sub === '*' || sub === subresource);
    })
  );
}

/** Whether a rule can be about writes like this one. Equivalent resources differ in group and version, not in their plural. */
export const mayMatch = (rule: RuleWithOperations, policy: MatchPolicyType, attributes: AdmissionAttributes): boolean =>
  policy === 'Exact'
    ? matchesRule(rule, attributes, attributes.resource)
    : matchesRule({ ...rule, apiGroups: ['*'], apiVersions: ['*'] }, attributes, attributes.resource);

/** A request about a namespace may carry its name as the namespace, but is about something of the cluster. */
function inScope(scope: string | undefined, namespace: string, resource: GroupVersionResource): boolean {
  if (scope === undefined || scope === '*') return true;
  const ofCluster = namespace === '' || (resource.group === '' && resource.resource === 'namespaces');
  return scope === 'Cluster' ? ofCluster : !ofCluster;
}
