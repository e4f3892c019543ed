import { describe, expect, it } from 'vitest';
import type { KubernetesObject } from '../../api/meta/object.ts';
import type { UserInfo } from '../../api/request.ts';
import type { PolicyRule } from '../../api/types/rbac-v1.ts';
import { VirtualClock } from '../../util/clock.ts';
import { silentLogger } from '../../util/logger.ts';
import { SeededRandom } from '../../util/random.ts';
import type { ApiAccess, RequestAttributes, ResourceView, ViewChange } from '../contract.ts';
import { nodeAuthorizer } from './node.ts';
import { rbacAuthorizer, ruleAllows, rulesCover } from './rbac.ts';

/** Views over plain lists that can be changed. */
class Objects {
  readonly #lists = new Map<string, { objects: KubernetesObject[]; watchers: ((c: ViewChange) => void)[] }>();
  #list(resource: string): { objects: KubernetesObject[]; watchers: ((c: ViewChange) => void)[] } {
    const found = this.#lists.get(resource) ?? { objects: [], watchers: [] };
    this.#lists.set(resource, found);
    return found;
  }
  add(resource: string, object: KubernetesObject): void {
    const list = this.#list(resource);
    list.objects.push(object);
    for (const watcher of list.watchers) watcher({ type: 'added', object, previous: undefined });
  }
  get access(): ApiAccess {
    return {
      view: (_group: string, resource: string) => {
        const list = this.#list(resource);
        const view: Partial<ResourceView> = {
          get: (namespace, name) =>
            list.objects.find((o) => (o.metadata?.namespace ?? '') === namespace && o.metadata?.name === name),
          list: () => list.objects,
          watch: (onChange) => void list.watchers.push(onChange),
        };
        return view as never;
      },
      resources: () => [],
      seed: undefined as never,
      handler: undefined as never,
      clock: new VirtualClock(),
      random: new SeededRandom(1),
      logger: silentLogger,
    };
  }
}

const user = (name: string, ...groups: readonly string[]): UserInfo => ({ name, groups });
const ask = (who: UserInfo, verb: string, resource: string, more: Partial<RequestAttributes> = {}): RequestAttributes => ({
  user: who,
  verb,
  isResourceRequest: true,
  apiGroup: '',
  apiVersion: 'v1',
  resource,
  subresource: '',
  namespace: '',
  name: '',
  path: '',
  ...more,
});
const url = (who: UserInfo, path: string): RequestAttributes => ask(who, 'get', '', { isResourceRequest: false, path });

describe('ruleAllows', () => {
  const u = user('x');
  const pods: PolicyRule = { verbs: ['get', 'list'], apiGroups: [''], resources: ['pods'] };
  const cases: readonly (readonly [string, PolicyRule, RequestAttributes, boolean])[] = [
    ['what it says', pods, ask(u, 'get', 'pods'), true],
    ['no other verb', pods, ask(u, 'delete', 'pods'), false],
    ['no other group', pods, ask(u, 'get', 'pods', { apiGroup: 'apps' }), false],
    ['no subresource', pods, ask(u, 'get', 'pods', { subresource: 'log' }), false],
    ['a named subresource', { ...pods, resources: ['pods/log'] }, ask(u, 'get', 'pods', { subresource: 'log' }), true],
    ['a subresource of anything', { ...pods, resources: ['*/log'] }, ask(u, 'get', 'pods', { subresource: 'log' }), true],
    [
      'everything',
      { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
      ask(u, 'frob', 'x', { apiGroup: 'y', subresource: 'z' }),
      true,
    ],
    ['a named object', { ...pods, resourceNames: ['a'] }, ask(u, 'get', 'pods', { name: 'a' }), true],
    ['no other object', { ...pods, resourceNames: ['a'] }, ask(u, 'get', 'pods', { name: 'b' }), false],
    ['no list by names', { ...pods, resourceNames: ['a'] }, ask(u, 'list', 'pods'), false],
    ['a path', { verbs: ['get'], nonResourceURLs: ['/healthz'] }, url(u, '/healthz'), true],
    ['paths below', { verbs: ['get'], nonResourceURLs: ['/api/*'] }, url(u, '/api/v1'), true],
    ['no other path', { verbs: ['get'], nonResourceURLs: ['/api/*'] }, url(u, '/apis'), false],
    ['no path by resources', pods, url(u, '/pods'), false],
  ];
  it.each(cases)('%s', (_name, rule, attributes, expected) => expect(ruleAllows(rule, attributes)).toBe(expected));
});

describe('rulesCover', () => {
  const rule = (verbs: string[], resources: string[], resourceNames?: string[]): PolicyRule => ({
    verbs,
    apiGroups: [''],
    resources,
    ...(resourceNames === undefined ? {} : { resourceNames }),
  });
  it.each([
    [[rule(['get', 'list'], ['pods'])], [rule(['get'], ['pods'])], true],
    [[rule(['get'], ['pods']), rule(['list'], ['pods'])], [rule(['get', 'list'], ['pods'])], true],
    [[rule(['get'], ['pods'])], [rule(['*'], ['pods'])], false],
    [[rule(['get'], ['pods'], ['a'])], [rule(['get'], ['pods'])], false],
    [[rule(['get'], ['pods'])], [rule(['get'], ['pods'], ['a'])], true],
    [[rule(['get'], ['*'])], [rule(['get'], ['pods/log'])], true],
  ] as readonly (readonly [readonly PolicyRule[], readonly PolicyRule[], boolean])[])(
    '%j covers %j: %s',
    (held, wanted, expected) => expect(rulesCover(held, wanted)).toBe(expected),
  );
});

describe('rbac', () => {
  const objects = new Objects();
  const rbac = rbacAuthorizer();
  rbac.initialize(objects.access);
  const decide = (a: RequestAttributes): unknown => (rbac.authorize(a) as { decision: string }).decision;
  const role = (namespace: string, name: string, rules: readonly PolicyRule[]): KubernetesObject =>
    ({ metadata: { name, ...(namespace === '' ? {} : { namespace }) }, rules }) as KubernetesObject;
  const bind = (namespace: string, roleKind: string, roleName: string, subject: object): KubernetesObject =>
    ({
      metadata: { name: `b-${roleName}`, ...(namespace === '' ? {} : { namespace }) },
      roleRef: { kind: roleKind, name: roleName },
      subjects: [subject],
    }) as KubernetesObject;

  it('follows bindings as they come, cluster-wide and in their namespace', () => {
    const ann = user('ann', 'devs');
    const read: readonly PolicyRule[] = [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }];
    expect(decide(ask(ann, 'get', 'pods', { namespace: 'a' }))).toBe('no-opinion');
    objects.add('roles', role('a', 'reader', read));
    objects.add('rolebindings', bind('a', 'Role', 'reader', { kind: 'User', name: 'ann' }));
    expect(decide(ask(ann, 'get', 'pods', { namespace: 'a' }))).toBe('allow');
    expect(decide(ask(ann, 'get', 'pods', { namespace: 'b' }))).toBe('no-opinion');
    expect(decide(ask(ann, 'get', 'pods'))).toBe('no-opinion');
    objects.add('clusterroles', role('', 'all-reader', read));
    objects.add('clusterrolebindings', bind('', 'ClusterRole', 'all-reader', { kind: 'Group', name: 'devs' }));
    expect(decide(ask(ann, 'get', 'pods'))).toBe('allow');
    expect(decide(ask(user('bob'), 'get', 'pods'))).toBe('no-opinion');
    expect(rbac.authorize(ask(ann, 'get', 'pods'))).toEqual({
      decision: 'allow',
      reason: 'RBAC: allowed by ClusterRoleBinding "b-all-reader" of ClusterRole "all-reader" to Group "devs"',
    });
  });

  it('knows service accounts by their user name', () => {
    objects.add('rolebindings', bind('c', 'ClusterRole', 'all-reader', { kind: 'ServiceAccount', name: 'robot' }));
    expect(decide(ask(user('system:serviceaccount:c:robot'), 'get', 'pods', { namespace: 'c' }))).toBe('allow');
    expect(decide(ask(user('system:serviceaccount:d:robot'), 'get', 'pods', { namespace: 'c' }))).toBe('no-opinion');
  });

  it('tells the rules that a user holds', () => {
    expect(rbac.rulesFor?.(user('ann', 'devs'), 'a')).toMatchObject({
      resourceRules: [{ resources: ['pods'] }, { resources: ['pods'] }],
      incomplete: false,
    });
  });
});

describe('the node authorizer', () => {
  const objects = new Objects();
  const authorizer = nodeAuthorizer();
  authorizer.initialize(objects.access);
  objects.add('pods', {
    metadata: { name: 'p', namespace: 'a' },
    spec: {
      nodeName: 'n1',
      serviceAccountName: 'robot',
      containers: [{ name: 'c', env: [{ name: 'E', valueFrom: { secretKeyRef: { name: 'env-secret', key: 'k' } } }] }],
      volumes: [
        { name: 'v', configMap: { name: 'cm' } },
        { name: 'w', persistentVolumeClaim: { claimName: 'claim' } },
      ],
      resourceClaims: [
        { name: 'one', resourceClaimName: 'named' },
        { name: 'two', resourceClaimTemplateName: 'template' },
      ],
    },
    status: { resourceClaimStatuses: [{ name: 'two', resourceClaimName: 'made' }] },
  } as KubernetesObject);
  objects.add('pods', {
    metadata: { name: 'mirror', namespace: 'a', annotations: { 'kubernetes.io/config.mirror': 'x' } },
    spec: { nodeName: 'n1', containers: [], volumes: [{ name: 'v', secret: { secretName: 'of-mirror' } }] },
  } as KubernetesObject);
  objects.add('persistentvolumes', {
    metadata: { name: 'pv' },
    spec: { claimRef: { namespace: 'a' }, csi: { driver: 'd', volumeHandle: 'h', nodeStageSecretRef: { name: 'of-volume' } } },
  } as KubernetesObject);
  objects.add('resourceslices', { metadata: { name: 'slice' }, spec: { nodeName: 'n1' } } as KubernetesObject);
  objects.add('volumeattachments', { metadata: { name: 'attached' }, spec: { nodeName: 'n1' } } as KubernetesObject);
  const unrelated = (node: string): string => `no relationship found between node '${node}' and this object`;
  objects.add('persistentvolumeclaims', {
    metadata: { name: 'claim', namespace: 'a' },
    spec: { volumeName: 'pv' },
  } as KubernetesObject);
  const n1 = user('system:node:n1', 'system:nodes');
  const n2 = user('system:node:n2', 'system:nodes');
  const inA = (name: string, more: Partial<RequestAttributes> = {}): Partial<RequestAttributes> => ({
    namespace: 'a',
    name,
    ...more,
  });
  const cases: readonly (readonly [RequestAttributes, string])[] = [
    [ask(n1, 'get', 'secrets', inA('env-secret')), 'allow'],
    [ask(n1, 'watch', 'secrets', inA('', { fieldSelector: 'metadata.name=env-secret' })), 'allow'],
    [ask(n1, 'list', 'secrets', inA('')), 'No Object name found'],
    [ask(n1, 'list', 'secrets', { name: '' }), 'can only read namespaced object of this type'],
    [ask(n1, 'update', 'secrets', inA('env-secret')), 'can only read resources of this type'],
    [ask(n1, 'get', 'secrets', inA('of-volume')), 'allow'],
    [ask(n2, 'get', 'secrets', inA('of-volume')), unrelated('n2')],
    [ask(n1, 'get', 'secrets', inA('of-mirror')), unrelated('n1')],
    [ask(n1, 'get', 'secrets', inA('other')), unrelated('n1')],
    [ask(n2, 'get', 'secrets', inA('env-secret')), unrelated('n2')],
    [ask(n1, 'get', 'configmaps', inA('cm')), 'allow'],
    [ask(n1, 'get', 'persistentvolumeclaims', inA('claim')), 'allow'],
    [ask(n1, 'get', 'persistentvolumes', { name: 'pv' }), 'allow'],
    [ask(n2, 'get', 'persistentvolumes', { name: 'pv' }), unrelated('n2')],
    [ask(n1, 'create', 'serviceaccounts', inA('robot', { subresource: 'token' })), 'allow'],
    [ask(n2, 'create', 'serviceaccounts', inA('robot', { subresource: 'token' })), unrelated('n2')],
    [ask(n1, 'update', 'leases', { apiGroup: 'coordination.k8s.io', namespace: 'kube-node-lease', name: 'n1' }), 'allow'],
    [
      ask(n1, 'update', 'leases', { apiGroup: 'coordination.k8s.io', namespace: 'kube-node-lease', name: 'n2' }),
      'can only access node lease with the same name as the requesting node',
    ],
    [
      ask(n1, 'update', 'leases', { apiGroup: 'coordination.k8s.io', namespace: 'kube-system', name: 'n1' }),
      'can only access leases in the "kube-node-lease" system namespace',
    ],
    [ask(n1, 'patch', 'pods', inA('p', { subresource: 'status' })), 'allow'],
    [ask(n1, 'get', 'serviceaccounts', inA('robot')), 'allow'],
    [ask(n2, 'get', 'serviceaccounts', inA('robot')), unrelated('n2')],
    [ask(n1, 'list', 'serviceaccounts', inA('')), 'can only create tokens for individual service accounts'],
    [ask(n1, 'get', 'pods', inA('p')), 'allow'],
    [ask(n2, 'get', 'pods', inA('p')), unrelated('n2')],
    [ask(n1, 'list', 'pods', { fieldSelector: 'spec.nodeName=n1' }), 'allow'],
    [ask(n1, 'watch', 'pods', { fieldSelector: 'status.phase!=Failed,spec.nodeName=n1' }), 'allow'],
    [
      ask(n1, 'list', 'pods', { fieldSelector: 'spec.nodeName=n2' }),
      'can only list/watch pods with spec.nodeName field selector',
    ],
    [ask(n1, 'list', 'pods'), 'can only list/watch pods with spec.nodeName field selector'],
    [ask(n1, 'watch', 'pods', inA('', { fieldSelector: 'metadata.name=p' })), 'allow'],
    [ask(n1, 'update', 'pods', inA('p')), ''],
    [ask(n1, 'create', 'nodes'), 'allow'],
    [ask(n1, 'get', 'nodes', { name: 'n1' }), 'allow'],
    [ask(n1, 'watch', 'nodes', { fieldSelector: 'metadata.name=n1' }), 'allow'],
    [ask(n1, 'get', 'nodes', { name: 'n2' }), "node 'n1' cannot read 'n2', only its own Node object"],
    [ask(n1, 'list', 'nodes'), "node 'n1' cannot read all nodes, only its own Node object"],
    [ask(n1, 'delete', 'nodes', { name: 'n1' }), ''],
    [ask(n1, 'list', 'namespaces'), ''],
    [ask(n1, 'get', 'resourceclaims', inA('named', { apiGroup: 'resource.k8s.io' })), 'allow'],
    [ask(n1, 'get', 'resourceclaims', inA('made', { apiGroup: 'resource.k8s.io' })), 'allow'],
    [ask(n2, 'get', 'resourceclaims', inA('made', { apiGroup: 'resource.k8s.io' })), unrelated('n2')],
    [ask(n1, 'patch', 'resourceslices', { apiGroup: 'resource.k8s.io', name: 'slice' }), 'allow'],
    [ask(n2, 'patch', 'resourceslices', { apiGroup: 'resource.k8s.io', name: 'slice' }), unrelated('n2')],
    [
      ask(n1, 'deletecollection', 'resourceslices', { apiGroup: 'resource.k8s.io' }),
      'can only list/watch/deletecollection resourceslices with nodeName field selector',
    ],
    [ask(n1, 'deletecollection', 'resourceslices', { apiGroup: 'resource.k8s.io', fieldSelector: 'spec.nodeName=n1' }), 'allow'],
    [ask(n1, 'get', 'volumeattachments', { apiGroup: 'storage.k8s.io', name: 'attached' }), 'allow'],
    [ask(n2, 'get', 'volumeattachments', { apiGroup: 'storage.k8s.io', name: 'attached' }), unrelated('n2')],
  ];
  it.each(cases)('%j', (attributes, expected) =>
    expect(authorizer.authorize(attributes)).toEqual(
      expected === 'allow' ? { decision: 'allow', reason: '' } : { decision: 'no-opinion', reason: expected },
    ),
  );

  it('has no opinion on others', () => {
    expect(authorizer.authorize(ask(user('system:node:n1'), 'get', 'configmaps', inA('cm')))).toEqual({ decision: 'no-opinion' });
  });
});
