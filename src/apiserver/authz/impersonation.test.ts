import { describe, expect, it } from 'vitest';
import { isStatusError } from '../../api/meta/status.ts';
import type { UserInfo } from '../../api/request.ts';
import type { Authorizer, RequestAttributes } from '../contract.ts';
import { type Impersonated, Impersonation } from './impersonation.ts';

const bob: UserInfo = { name: 'bob', groups: ['system:authenticated'] };

const request = (user: UserInfo, verb = 'list'): RequestAttributes => ({
  user,
  verb,
  isResourceRequest: true,
  apiGroup: '',
  apiVersion: 'v1',
  resource: 'pods',
  subresource: '',
  namespace: 'a',
  name: '',
  path: '/api/v1/namespaces/a/pods',
});

/** Allows what is written `verb group/resource/subresource namespace/name`, and notes what was asked. */
function allowing(...rules: readonly string[]): Authorizer & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    authorize: (a) => {
      const what = `${a.verb} ${a.apiGroup}/${a.resource}${a.subresource === '' ? '' : `/${a.subresource}`} ${a.namespace}/${a.name}`;
      asked.push(what);
      return { decision: rules.includes(what) || rules.includes(a.verb) ? 'allow' : 'no-opinion' };
    },
  };
}

const as = (authorizer: Authorizer, headers: readonly string[], user = bob): Promise<Impersonated | undefined> =>
  new Impersonation(authorizer).impersonate(request(user), headers);

const messageOf = async (attempt: Promise<unknown>): Promise<string> => {
  const err: unknown = await attempt.catch((e: unknown) => e);
  if (!isStatusError(err)) throw new Error('no status');
  return `${err.status.code} ${err.message}`;
};

describe('the old way', () => {
  it('gives the user that is named, when every part of it may be taken', async () => {
    expect(await as(allowing('impersonate /users /ann'), ['Impersonate-User', 'ann'])).toEqual({
      user: { name: 'ann', groups: ['system:authenticated'] },
      constraint: '',
    });
    const authorizer = allowing('impersonate');
    const headers = [
      'Impersonate-User',
      'system:serviceaccount:a:b',
      'Impersonate-Extra-Team%2fx',
      'one',
      'impersonate-extra-team%2fx',
      'two, three',
    ];
    expect(await as(authorizer, [...headers, 'Impersonate-Uid', '7'])).toEqual({
      user: {
        name: 'system:serviceaccount:a:b',
        uid: '7',
        groups: ['system:serviceaccounts', 'system:serviceaccounts:a', 'system:authenticated'],
        extra: { 'team/x': ['one', 'two, three'] },
      },
      constraint: '',
    });
    expect(authorizer.asked).toEqual([
      'impersonate /serviceaccounts a/b',
      'impersonate authentication.k8s.io/uids /7',
      'impersonate authentication.k8s.io/userextras/team/x /one',
      'impersonate authentication.k8s.io/userextras/team/x /two, three',
    ]);
  });

  it('takes groups as they are written, and adds who everybody is', async () => {
    const groups = (...named: string[]): readonly string[] => named.flatMap((g) => ['Impersonate-Group', g]);
    const of = async (...headers: readonly string[]): Promise<readonly string[] | undefined> =>
      (await as(allowing('impersonate'), ['Impersonate-User', ...headers]))?.user.groups;
    expect(await of('ann', ...groups('a, b', 'c'))).toEqual(['a, b', 'c', 'system:authenticated']);
    expect(await of('ann', ...groups('system:unauthenticated'))).toEqual(['system:unauthenticated']);
    expect(await of('system:anonymous')).toEqual(['system:unauthenticated']);
    expect(await of('system:anonymous', ...groups('x'))).toEqual(['x', 'system:unauthenticated']);
  });

  it('refuses headers without a user', async () => {
    expect(await messageOf(as(allowing('impersonate'), ['Impersonate-Group', 'x']))).toBe(
      '400 requested &user.DefaultInfo{Name:"", UID:"", Groups:[]string{"x"}, Extra:map[string][]string(nil)} without impersonating a user name',
    );
    expect(await as(allowing('impersonate'), ['Accept', '*/*'])).toBeUndefined();
  });
});

describe('constrained impersonation', () => {
  it('of other users: by what they may be, and what may be done as them', async () => {
    const rules = ['impersonate-on:user-info:list /pods a/', 'impersonate:user-info authentication.k8s.io/users /ann'];
    expect(await as(allowing(...rules), ['Impersonate-User', 'ann'])).toEqual({
      user: { name: 'ann', groups: ['system:authenticated'] },
      constraint: 'impersonate:user-info',
    });
    const impersonation = new Impersonation(allowing(...rules));
    expect(await messageOf(impersonation.impersonate(request(bob, 'get'), ['Impersonate-User', 'ann']))).toBe(
      '403 pods is forbidden: User "bob" cannot impersonate-on:user-info:get resource "pods" in API group "" in the namespace "a"',
    );
    expect(await messageOf(as(allowing(...rules), ['Impersonate-User', 'joe']))).toBe(
      '403 users.authentication.k8s.io "joe" is forbidden: User "bob" cannot impersonate:user-info resource "users" in API group "authentication.k8s.io" at the cluster scope',
    );
  });

  it('never makes anybody a master, nor takes groups without a name', async () => {
    const all = ['impersonate-on:user-info:list', 'impersonate:user-info'];
    expect(await messageOf(as(allowing(...all), ['Impersonate-User', 'ann', 'Impersonate-Group', 'system:masters']))).toBe(
      '403 groups.authentication.k8s.io "system:masters" is forbidden: User "bob" cannot impersonate:user-info resource "groups" in API group "authentication.k8s.io" at the cluster scope: impersonating the system:masters group is not allowed',
    );
    expect(await messageOf(as(allowing(...all), ['Impersonate-User', 'ann', 'Impersonate-Extra-a', 'x']))).toContain(
      'impersonating an invalid key in extra is not allowed: extra.key: Invalid value: "a": must be a domain-prefixed path',
    );
  });

  it('of many groups: asks for all at once first', async () => {
    const rules = ['impersonate-on:user-info:list', 'impersonate:user-info authentication.k8s.io/users /ann'];
    const authorizer = allowing(...rules, 'impersonate:user-info authentication.k8s.io/groups /*');
    const groups = ['a', 'b', 'c', 'd'].flatMap((g) => ['Impersonate-Group', g]);
    expect((await as(authorizer, ['Impersonate-User', 'ann', ...groups]))?.user.groups).toEqual([
      'a',
      'b',
      'c',
      'd',
      'system:authenticated',
    ]);
    expect(authorizer.asked.filter((a) => a.includes('groups'))).toHaveLength(1);
  });

  it('of service accounts and nodes: their groups come with them', async () => {
    const account = allowing(
      'impersonate-on:serviceaccount:list',
      'impersonate:serviceaccount authentication.k8s.io/serviceaccounts a/b',
    );
    expect(await as(account, ['Impersonate-User', 'system:serviceaccount:a:b'])).toEqual({
      user: {
        name: 'system:serviceaccount:a:b',
        groups: ['system:serviceaccounts', 'system:serviceaccounts:a', 'system:authenticated'],
      },
      constraint: 'impersonate:serviceaccount',
    });
    const node = allowing('impersonate-on:arbitrary-node:list', 'impersonate:arbitrary-node authentication.k8s.io/nodes /n1');
    expect(await as(node, ['Impersonate-User', 'system:node:n1'])).toEqual({
      user: { name: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] },
      constraint: 'impersonate:arbitrary-node',
    });
  });

  it('of the node that an account is bound to, and of no other', async () => {
    const agent: UserInfo = {
      name: 'system:serviceaccount:a:agent',
      groups: ['system:authenticated'],
      extra: { 'authentication.kubernetes.io/node-name': ['n1'] },
    };
    const rules = ['impersonate-on:associated-node:list', 'impersonate:associated-node authentication.k8s.io/nodes /*'];
    expect((await as(allowing(...rules), ['Impersonate-User', 'system:node:n1'], agent))?.constraint).toBe(
      'impersonate:associated-node',
    );
    expect(await messageOf(as(allowing(...rules), ['Impersonate-User', 'system:node:n2'], agent))).toContain(
      'cannot impersonate-on:arbitrary-node:list',
    );
  });

  it('tries what worked before first', async () => {
    const authorizer = allowing('impersonate');
    const impersonation = new Impersonation(authorizer);
    await impersonation.impersonate(request(bob), ['Impersonate-User', 'ann']);
    authorizer.asked.length = 0;
    await impersonation.impersonate(request(bob), ['Impersonate-User', 'ann']);
    expect(authorizer.asked).toEqual(['impersonate /users /ann']);
  });
});
