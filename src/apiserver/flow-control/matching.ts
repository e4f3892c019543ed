import type { UserInfo } from '../../api/request.ts';
import type {
  FlowSchema,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
  Subject,
} from '../../api/types/flowcontrol-v1.ts';
import type { RequestAttributes } from '../contract.ts';

const ALL = '*';
const SERVICE_ACCOUNT_PREFIX = 'system:serviceaccount:';

/** The rules of a schema whose subjects include `user`: what is left to look at for each request. */
export const rulesFor = (schema: FlowSchema, user: UserInfo): readonly PolicyRulesWithSubjects[] =>
  (schema.spec?.rules ?? []).filter((rule) => rule.subjects.some((subject) => isSubject(subject, user)));

function isSubject(subject: Subject, user: UserInfo): boolean {
  switch (subject.kind) {
    case 'User':
      return subject.user !== undefined && (subject.user.name === ALL || subject.user.name === user.name);
    case 'Group':
      return subject.group !== undefined && (subject.group.name === ALL || user.groups.includes(subject.group.name));
    case 'ServiceAccount': {
      if (subject.serviceAccount === undefined) return false;
      const { namespace, name } = subject.serviceAccount;
      const prefix = `${SERVICE_ACCOUNT_PREFIX}${namespace}:`;
      return name === ALL ? user.name.startsWith(prefix) : user.name === prefix + name;
    }
    default:
      return false;
  }
}

/** Whether one of the rules covers the request. Their subjects have been looked at. */
export function rulesMatch(rules: readonly PolicyRulesWithSubjects[], request: RequestAttributes): boolean {
  for (const rule of rules) {
    if (request.isResourceRequest) {
      for (const r of rule.resourceRules ?? []) if (matchesResource(r, request)) return true;
    } else {
      for (const r of rule.nonResourceRules ?? []) if (matchesPath(r, request)) return true;
    }
  }
  return false;
}

function matchesResource(rule: ResourcePolicyRule, request: RequestAttributes): boolean {
  if (!covers(rule.verbs, request.verb) || !covers(rule.apiGroups, request.apiGroup)) return false;
  if (rule.resources[0] !== ALL) {
    const { resource, subresource } = request;
    if (!rule.resources.includes(subresource === '' ? resource : `${resource}/${subresource}`)) return false;
  }
  return request.namespace === '' ? rule.clusterScope === true : covers(rule.namespaces ?? [], request.namespace);
}

function matchesPath(rule: NonResourcePolicyRule, request: RequestAttributes): boolean {
  if (!covers(rule.verbs, request.verb)) return false;
  const { path } = request;
  return rule.nonResourceURLs.some((url) => {
    if (url === ALL || url === path) return true;
    const prefix = url.endsWith('*') ? url.slice(0, -1) : url;
    return path.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`);
  });
}

/** A wildcard stands alone: validation sees to that. */
const covers = (list: readonly string[], value: string): boolean => list[0] === ALL || list.includes(value);
