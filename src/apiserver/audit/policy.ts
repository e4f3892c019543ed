import { type FieldError, FieldPath, formatFieldError, invalid, notSupported, required } from '../../api/meta/field-error.ts';
import { nameIsDNSSubdomain } from '../../api/meta/names.ts';
import { parseYaml } from '../../api/wire/yaml.ts';
import type { AuditLevel, AuditRule, AuditStage, RequestAttributes } from '../contract.ts';

const levels: readonly string[] = ['None', 'Metadata', 'Request', 'RequestResponse'];
const stages: readonly string[] = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'];
const API_VERSION = 'audit.k8s.io/v1';

interface GroupResources {
  readonly group?: string;
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
}

interface PolicyRule {
  readonly level: 'None' | AuditLevel;
  readonly users?: readonly string[];
  readonly userGroups?: readonly string[];
  readonly verbs?: readonly string[];
  readonly resources?: readonly GroupResources[];
  readonly namespaces?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly omitStages?: readonly AuditStage[];
  readonly omitManagedFields?: boolean;
}

/** audit.k8s.io/v1 Policy, as --audit-policy-file has it. */
export interface AuditPolicy {
  readonly rules: readonly PolicyRule[];
  readonly omitStages?: readonly AuditStage[];
  readonly omitManagedFields?: boolean;
}

/** Reads a policy's YAML. Throws an Error that says what is wrong with it. */
export function parseAuditPolicy(text: string): AuditPolicy {
  const policy = parseYaml(text).value as Partial<AuditPolicy> & { readonly apiVersion?: string; readonly kind?: string };
  if (policy === null || typeof policy !== 'object' || policy.apiVersion !== API_VERSION || policy.kind !== 'Policy') {
    throw new Error(`an audit policy is an object of apiVersion ${API_VERSION} and kind Policy`);
  }
  if (!Array.isArray(policy.rules) || policy.rules.length === 0) throw new Error('loaded illegal policy with 0 rules');
  const errors = [...stageFaults(policy.omitStages, new FieldPath('omitStages'))];
  policy.rules.forEach((rule, i) => void errors.push(...ruleFaults(rule, new FieldPath('rules').index(i))));
  if (errors.length > 0) throw new Error(errors.map(formatFieldError).join('; '));
  return policy as AuditPolicy;
}

function ruleFaults(rule: PolicyRule, path: FieldPath): readonly FieldError[] {
  const { level, nonResourceURLs = [], resources = [], namespaces = [] } = rule;
  const errors: FieldError[] = [];
  if (!level) errors.push(required(path.child('level')));
  else if (!levels.includes(level)) errors.push(notSupported(path.child('level'), level, levels));
  const urls = path.child('nonResourceURLs');
  nonResourceURLs.forEach((url, i) => {
    if (url === '*') return;
    if (!url.startsWith('/')) errors.push(invalid(urls.index(i), url, "non-resource URL rules must begin with a '/' character"));
    if (url.slice(0, -1).includes('*')) {
      errors.push(invalid(urls.index(i), url, "non-resource URL wildcards '*' must be the final character of the rule"));
    }
  });
  for (const { group = '', resources: names = [], resourceNames = [] } of resources) {
    const at = path.child('resources');
    const faults = group === '' || group === '*' ? [] : nameIsDNSSubdomain(group, false);
    if (faults.length > 0) errors.push(invalid(at.child('group'), group, faults.join(',')));
    if (resourceNames.length > 0 && names.length === 0) {
      errors.push(invalid(at.child('resourceNames'), resourceNames, 'using resourceNames requires at least one resource'));
    }
  }
  errors.push(...stageFaults(rule.omitStages, path.child('omitStages')));
  if (nonResourceURLs.length > 0 && (resources.length > 0 || namespaces.length > 0)) {
    errors.push(invalid(urls, nonResourceURLs, 'rules cannot apply to both regular resources and non-resource URLs'));
  }
  return errors;
}

const stageFaults = (given: readonly string[] | undefined, path: FieldPath): readonly FieldError[] =>
  (given ?? []).flatMap((stage, i) =>
    stages.includes(stage) ? [] : [invalid(path.index(i), stage, `allowed stages are ${stages.join(',')}`)],
  );

/** How a policy has requests recorded: by the first rule that fits. */
export function auditRules(policy: AuditPolicy): (attributes: RequestAttributes) => AuditRule | undefined {
  const rules = policy.rules.map((rule) => ({
    rule,
    outcome:
      rule.level === 'None'
        ? undefined
        : {
            level: rule.level,
            omitStages: new Set([...(policy.omitStages ?? []), ...(rule.omitStages ?? [])]),
            omitManagedFields: rule.omitManagedFields ?? policy.omitManagedFields ?? false,
          },
  }));
  return (attributes) => rules.find(({ rule }) => fits(rule, attributes))?.outcome;
}

const has = (list: readonly string[] | undefined): list is readonly string[] => list !== undefined && list.length > 0;

function fits(rule: PolicyRule, attributes: RequestAttributes): boolean {
  const { user, verb, path } = attributes;
  if (has(rule.users) && !rule.users.includes(user.name)) return false;
  const { userGroups } = rule;
  if (has(userGroups) && !user.groups.some((group) => userGroups.includes(group))) return false;
  if (has(rule.verbs) && !rule.verbs.includes(verb)) return false;
  if (has(rule.namespaces) || (rule.resources ?? []).length > 0) return fitsResource(rule, attributes);
  if (!has(rule.nonResourceURLs)) return true;
  return (
    !attributes.isResourceRequest &&
    rule.nonResourceURLs.some(
      (url) => url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.replace(/\*+$/, ''))),
    )
  );
}

function fitsResource({ namespaces, resources = [] }: PolicyRule, attributes: RequestAttributes): boolean {
  if (!attributes.isResourceRequest) return false;
  if (has(namespaces) && !namespaces.includes(attributes.namespace)) return false;
  if (resources.length === 0) return true;
  const { apiGroup, resource, subresource, name } = attributes;
  const whole = subresource === '' ? resource : `${resource}/${subresource}`;
  return resources.some(({ group = '', resources: wanted = [], resourceNames = [] }) => {
    if (group !== apiGroup && group !== '*') return false;
    if (wanted.length === 0) return true;
    if (resourceNames.length > 0 && !resourceNames.includes(name)) return false;
    return wanted.some(
      (w) =>
        w === whole ||
        w === '*' ||
        (subresource !== '' && w === `*/${subresource}`) ||
        (w.endsWith('/*') && w.slice(0, -2) === resource),
    );
  });
}
