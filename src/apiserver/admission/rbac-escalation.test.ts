import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PolicyRule } from '../../api/types/rbac-v1.ts';
import { rbacAuthorizer } from '../authz/rbac.ts';
import { rbacEscalation } from './rbac-escalation.ts';
import { createTestApi, refusal, type TestApi } from './test-support.ts';

let api: TestApi;
let user: TestApi;
beforeEach(async () => {
  const rbac = rbacAuthorizer();
  api = await createTestApi(rbacEscalation(rbac));
  rbac.initialize(api.server.access);
  user = api.as('u', 'g', 'h');
});
afterEach(() => api.close());

const role = (name: string, ...rules: readonly PolicyRule[]): object => ({ metadata: { name, namespace: 'x' }, rules });
const clusterRole = (name: string, ...rules: readonly PolicyRule[]): object => ({ metadata: { name }, rules });
const rule = (verbs: string[], resources: string[], more: object = {}): PolicyRule => ({
  verbs,
  apiGroups: [''],
  resources,
  ...more,
});
const binding = (name: string, kind: string, roleName: string): object => ({
  metadata: { name, namespace: 'x' },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: roleName },
  subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'u' }],
});
/** Gives the user rules in namespace x. */
const grant = async (...rules: readonly PolicyRule[]): Promise<void> => {
  await api.create('roles', role('own', ...rules));
  await api.create('rolebindings', binding('own', 'Role', 'own'));
};

describe('RBACEscalation', () => {
  it('refuses roles with more than one has', async () => {
    await grant(rule(['get'], ['pods']));
    await user.create('roles', role('less', rule(['get'], ['pods'])));
    const more = role('more', rule(['get', 'list', 'watch'], ['pods']), rule(['get'], ['secrets'], { resourceNames: ['a'] }));
    expect((await refusal(user.create('roles', more))).message).toBe(
      'roles.rbac.authorization.k8s.io "more" is forbidden: user "u" (groups=["g" "h"]) is attempting to grant RBAC permissions not currently held:\n' +
        '{APIGroups:[""], Resources:["pods"], Verbs:["list" "watch"]}\n' +
        '{APIGroups:[""], Resources:["secrets"], ResourceNames:["a"], Verbs:["get"]}',
    );
    expect((await refusal(user.create('clusterroles', clusterRole('c', rule(['get'], ['pods']))))).code).toBe(403);
  });
  it('refuses to let a role grow, but not to be collected', async () => {
    await api.create('roles', role('r', rule(['get'], ['pods'])));
    await user.patch('roles', 'x', 'r', { metadata: { finalizers: ['a.b/c'] } });
    const grown = user.patch('roles', 'x', 'r', { rules: [rule(['list'], ['pods'])] });
    expect((await refusal(grown)).message).toContain('{APIGroups:[""], Resources:["pods"], Verbs:["list"]}');
  });
  it('admits members of system:masters, and those who may escalate', async () => {
    const all = rule(['*'], ['*']);
    await api.create('clusterroles', clusterRole('all', all));
    await grant({ verbs: ['escalate'], apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles'] });
    await user.create('roles', role('all', all));
  });
  it('asks for everything where a role aggregates others', async () => {
    const aggregated = { ...clusterRole('a'), aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] } };
    expect((await refusal(user.create('clusterroles', aggregated))).message).toBe(
      'clusterroles.rbac.authorization.k8s.io "a" is forbidden: must have cluster-admin privileges to use the aggregationRule',
    );
  });
  it('refuses to bind roles with more than one has, unless one may bind them', async () => {
    await api.create('clusterroles', clusterRole('reader', rule(['get'], ['pods'])));
    await api.create('clusterroles', clusterRole('writer', rule(['update'], ['pods'])));
    await grant(rule(['get'], ['pods']), {
      verbs: ['bind'],
      apiGroups: ['rbac.authorization.k8s.io'],
      resources: ['clusterroles'],
      resourceNames: ['special'],
    });
    await user.create('rolebindings', binding('b', 'ClusterRole', 'reader'));
    expect((await refusal(user.create('rolebindings', binding('c', 'ClusterRole', 'writer')))).message).toContain(
      'attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["pods"], Verbs:["update"]}',
    );
    const { metadata: _m, ...cluster } = binding('d', 'ClusterRole', 'reader') as { metadata: object };
    expect((await refusal(user.create('clusterrolebindings', { ...cluster, metadata: { name: 'd' } }))).code).toBe(403);
    await user.create('rolebindings', binding('e', 'ClusterRole', 'special'));
    expect((await refusal(user.create('rolebindings', binding('f', 'Role', 'missing')))).message).toBe(
      'roles.rbac.authorization.k8s.io "missing" not found',
    );
  });
});
