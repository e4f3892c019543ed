import { describe, expect, it } from 'vitest';
import type { RequestAttributes } from '../contract.ts';
import { reconciled } from './bootstrap.ts';
import {
  bootstrapClusterRoleBindings,
  bootstrapClusterRoles,
  bootstrapRoleBindings,
  bootstrapRoles,
  parseRules,
} from './bootstrap-policy.ts';
import { ruleAllows } from './rbac.ts';

describe('the bootstrap policy', () => {
  it('is well formed: unique names, every binding to a role that is there', () => {
    const roles = bootstrapClusterRoles().map((r) => r.metadata?.name);
    expect(new Set(roles).size).toBe(roles.length);
    for (const b of bootstrapClusterRoleBindings()) expect(roles).toContain(b.roleRef.name);
    const local = bootstrapRoles().map((r) => `${r.metadata?.namespace}/${r.metadata?.name}`);
    for (const b of bootstrapRoleBindings()) expect(local).toContain(`${b.metadata?.namespace}/${b.roleRef.name}`);
  });
  it.each([
    ['system:node-proxier', 'watch', '', 'services', ''],
    ['system:node-proxier', 'list', '', 'endpoints', ''],
    ['system:node-proxier', 'watch', 'discovery.k8s.io', 'endpointslices', ''],
    ['system:node-proxier', 'get', '', 'nodes', ''],
    ['system:node-proxier', 'create', 'events.k8s.io', 'events', ''],
    ['system:kube-scheduler', 'list', 'policy', 'poddisruptionbudgets', ''],
    ['system:kube-scheduler', 'create', '', 'pods', 'binding'],
    ['system:kube-scheduler', 'patch', '', 'pods', 'status'],
    ['system:kube-scheduler', 'create', 'coordination.k8s.io', 'leases', ''],
    ['system:kube-controller-manager', 'create', '', 'serviceaccounts', 'token'],
    ['system:kube-controller-manager', 'create', 'coordination.k8s.io', 'leases', ''],
    ['system:monitoring', 'get', '', 'nodes', 'metrics'],
    ['system:aggregate-to-edit', 'create', 'events.k8s.io', 'events', ''],
    ['system:kube-scheduler', 'patch', 'resource.k8s.io', 'resourceclaims', 'binding'],
    ['system:controller:device-taint-eviction-controller', 'create', '', 'events', ''],
    ['system:node-bootstrapper', 'create', 'certificates.k8s.io', 'certificatesigningrequests', ''],
  ])('lets %s %s %s/%s/%s', (role, verb, apiGroup, resource, subresource) => {
    const rules = bootstrapClusterRoles().find((r) => r.metadata?.name === role)?.rules ?? [];
    const asked: RequestAttributes = {
      user: { name: 'x', groups: [] },
      verb,
      apiGroup,
      apiVersion: 'v1',
      resource,
      subresource,
      namespace: '',
      name: '',
      path: '',
      isResourceRequest: true,
    };
    expect(rules.some((rule) => ruleAllows(rule, asked))).toBe(true);
  });
  it('reads rules', () => {
    expect(parseRules('core,apps: pods,pods/log [a,b] = READ\nurl: /x = get')).toEqual([
      { verbs: ['get', 'list', 'watch'], apiGroups: ['', 'apps'], resources: ['pods', 'pods/log'], resourceNames: ['a', 'b'] },
      { verbs: ['get'], nonResourceURLs: ['/x'] },
    ]);
    expect(() => parseRules('nonsense')).toThrow();
  });
});

describe('reconciled', () => {
  const wanted = { rules: parseRules('core: pods = get\ncore: nodes = list'), subjects: [{ kind: 'User', name: 'a' }] };
  it('adds what is missing and takes nothing away', () => {
    const found = { rules: parseRules('core: pods = *\ncore: secrets = get'), subjects: [{ kind: 'User', name: 'b' }] };
    expect(reconciled(found, wanted)).toEqual({
      rules: [...found.rules, wanted.rules[1]],
      subjects: [...found.subjects, ...wanted.subjects],
    });
  });
  it('leaves alone what has it all', () => {
    expect(reconciled(wanted, wanted)).toBe(wanted);
  });
});
