import type { UserInfo } from '../../api/request.ts';
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject } from '../../api/types/rbac-v1.ts';
import { serviceAccountUser } from '../authn/service-account-user.ts';
import type { ApiAccess, AuthorizationResult, Authorizer, HeldRules, RequestAttributes } from '../contract.ts';

const GROUP = 'rbac.authorization.k8s.io';
const noOpinion: AuthorizationResult = { decision: 'no-opinion' };

/** What a subject is bound to: a role by name, in a namespace ('' for the whole cluster). */
interface Grant {
  readonly namespace: string;
  readonly roleKind: 'Role' | 'ClusterRole';
  readonly roleName: string;
  /** For the reason that is told: `ClusterRoleBinding "x"`, `RoleBinding "y/ns"`. */
  readonly binding: string;
  readonly subject: string;
}

export interface RbacAuthorizer extends Authorizer {
  initialize(access: ApiAccess): void;
}

/**
 * Role-based access control. Bindings are indexed by subject when they change, so that a request looks only at the bindings of its user and
 * groups, however many there are in the cluster.
 */
export function rbacAuthorizer(): RbacAuthorizer {
  return new IndexedRbac();
}

class IndexedRbac implements RbacAuthorizer {
  #access: ApiAccess | undefined;
  /** Subject (`User:x`, `Group:y`) to grants; undefined after a change, made anew at the next question. */
  #grants: ReadonlyMap<string, readonly Grant[]> | undefined;

  initialize(access: ApiAccess): void {
    this.#access = access;
    const forget = (): void => {
      this.#grants = undefined;
    };
    const never = new AbortController().signal;
    access.view(GROUP, 'clusterrolebindings')?.watch(forget, never);
    access.view(GROUP, 'rolebindings')?.watch(forget, never);
  }

  authorize(attributes: RequestAttributes): AuthorizationResult {
    for (const { grant, rules } of this.#held(attributes.user, attributes.namespace)) {
      if (!rules.some((rule) => ruleAllows(rule, attributes))) continue;
      const role = `${grant.roleKind} ${JSON.stringify(grant.roleName)}`;
      return { decision: 'allow', reason: `RBAC: allowed by ${grant.binding} of ${role} to ${grant.subject}` };
    }
    return noOpinion;
  }

  rulesFor(user: UserInfo, namespace: string): HeldRules {
    const all = [...this.#held(user, namespace)].flatMap((h) => h.rules);
    return {
      resourceRules: all
        .filter((r) => (r.resources ?? []).length > 0)
        .map((r) => ({
          verbs: r.verbs,
          apiGroups: r.apiGroups ?? [],
          resources: r.resources ?? [],
          ...((r.resourceNames ?? []).length === 0 ? {} : { resourceNames: r.resourceNames! }),
        })),
      nonResourceRules: all
        .filter((r) => (r.nonResourceURLs ?? []).length > 0)
        .map((r) => ({ verbs: r.verbs, nonResourceURLs: r.nonResourceURLs ?? [] })),
      incomplete: false,
    };
  }

  /** The rules that a user holds for requests to `namespace`: cluster-wide ones first. */
  *#held(user: UserInfo, namespace: string): Iterable<{ readonly grant: Grant; readonly rules: readonly PolicyRule[] }> {
    const index = (this.#grants ??= this.#index());
    for (const local of namespace === '' ? [false] : [false, true]) {
      for (const subject of [`User:${user.name}`, ...user.groups.map((g) => `Group:${g}`)]) {
        for (const grant of index.get(subject) ?? []) {
          if (local ? grant.namespace !== namespace : grant.namespace !== '') continue;
          const rules = this.#rules(grant);
          if (rules !== undefined) yield { grant, rules };
        }
      }
    }
  }

  #rules(grant: Grant): readonly PolicyRule[] | undefined {
    if (grant.roleKind === 'ClusterRole')
      return this.#access?.view<ClusterRole>(GROUP, 'clusterroles')?.get('', grant.roleName)?.rules ?? undefined;
    return this.#access?.view<Role>(GROUP, 'roles')?.get(grant.namespace, grant.roleName)?.rules ?? undefined;
  }

  #index(): ReadonlyMap<string, readonly Grant[]> {
    const index = new Map<string, Grant[]>();
    const file = (binding: ClusterRoleBinding | RoleBinding, namespace: string, name: string): void => {
      for (const subject of binding.subjects ?? []) {
        const key = subjectKey(subject, namespace);
        if (key === undefined) continue;
        const grant: Grant = {
          namespace,
          roleKind: binding.roleRef.kind === 'Role' ? 'Role' : 'ClusterRole',
          roleName: binding.roleRef.name,
          binding: name,
          subject:
            subject.kind === 'ServiceAccount'
              ? `ServiceAccount ${JSON.stringify(`${subject.name}/${subject.namespace ?? namespace}`)}`
              : `${subject.kind} ${JSON.stringify(subject.name)}`,
        };
        const list = index.get(key);
        if (list === undefined) index.set(key, [grant]);
        else list.push(grant);
      }
    };
    for (const b of this.#access?.view<ClusterRoleBinding>(GROUP, 'clusterrolebindings')?.list() ?? []) {
      file(b, '', `ClusterRoleBinding ${JSON.stringify(b.metadata?.name)}`);
    }
    for (const b of this.#access?.view<RoleBinding>(GROUP, 'rolebindings')?.list() ?? []) {
      file(b, b.metadata?.namespace ?? '', `RoleBinding ${JSON.stringify(`${b.metadata?.name}/${b.metadata?.namespace}`)}`);
    }
    return index;
  }
}

function subjectKey(subject: Subject, namespace: string): string | undefined {
  switch (subject.kind) {
    case 'User':
    case 'Group':
      return `${subject.kind}:${subject.name}`;
    case 'ServiceAccount': {
      const home = subject.namespace || namespace;
      return home === '' ? undefined : `User:${serviceAccountUser(home, subject.name)}`;
    }
    default:
      return undefined;
  }
}

const matches = (list: readonly string[] | undefined, value: string): boolean =>
  list?.includes('*') === true || list?.includes(value) === true;

/** Whether one rule allows a request (upstream's rbac.RuleAllows). */
export function ruleAllows(rule: PolicyRule, a: RequestAttributes): boolean {
  if (!matches(rule.verbs, a.verb)) return false;
  if (!a.isResourceRequest)
    return (rule.nonResourceURLs ?? []).some(
      (url) => url === '*' || url === a.path || (url.endsWith('*') && a.path.startsWith(url.slice(0, -1))),
    );
  if (!matches(rule.apiGroups, a.apiGroup)) return false;
  const combined = a.subresource === '' ? a.resource : `${a.resource}/${a.subresource}`;
  const resource = (rule.resources ?? []).some(
    (r) => r === '*' || r === combined || (a.subresource !== '' && r === `*/${a.subresource}`),
  );
  if (!resource) return false;
  const names = rule.resourceNames ?? [];
  return names.length === 0 || names.includes(a.name);
}

/** Whether `held` rules grant everything that `wanted` does: nobody may grant what they do not have (rbac validation.Covers). */
export function rulesCover(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): boolean {
  return wanted.every((rule) => simpleRules(rule).every((one) => held.some((h) => coversOne(h, one))));
}

/** What of `wanted` no held rule grants, taken apart into rules of one verb, one group, one resource, one name each. */
export function uncoveredRules(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): readonly PolicyRule[] {
  return wanted.flatMap((rule) => simpleRules(rule).filter((one) => !held.some((h) => coversOne(h, one))));
}

/** A rule taken apart into rules of one verb, one group, one resource, one name each. */
function simpleRules(rule: PolicyRule): readonly PolicyRule[] {
  const names = (rule.resourceNames ?? []).length === 0 ? [undefined] : rule.resourceNames!;
  const resources = rule.verbs.flatMap((verb) =>
    (rule.apiGroups ?? []).flatMap((group) =>
      (rule.resources ?? []).flatMap((resource) =>
        names.map((name) => ({
          verbs: [verb],
          apiGroups: [group],
          resources: [resource],
          ...(name === undefined ? {} : { resourceNames: [name] }),
        })),
      ),
    ),
  );
  const urls = rule.verbs.flatMap((verb) =>
    (rule.nonResourceURLs ?? []).map((url) => ({ verbs: [verb], nonResourceURLs: [url] })),
  );
  return [...resources, ...urls];
}

function coversOne(held: PolicyRule, one: PolicyRule): boolean {
  if (!matches(held.verbs, one.verbs[0]!)) return false;
  const url = one.nonResourceURLs?.[0];
  if (url !== undefined)
    return (held.nonResourceURLs ?? []).some(
      (h) => h === '*' || h === url || (h.endsWith('*') && url.startsWith(h.slice(0, -1))),
    );
  if (!matches(held.apiGroups, one.apiGroups![0]!)) return false;
  const resource = one.resources![0]!;
  const subresource = resource.includes('/') ? resource.slice(resource.indexOf('/')) : undefined;
  const byResource = (held.resources ?? []).some(
    (h) => h === '*' || h === resource || (subresource !== undefined && h === `*${subresource}`),
  );
  const names = held.resourceNames ?? [];
  return byResource && (names.length === 0 || (one.resourceNames !== undefined && names.includes(one.resourceNames[0]!)));
}
