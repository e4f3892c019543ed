import { describe, expect, it } from 'vitest';
import { reconciled } from './bootstrap.ts';
import {
  bootstrapClusterRoleBindings,
  bootstrapClusterRoles,
  bootstrapRoleBindings,
  bootstrapRoles,
  parseRules,
} from './bootstrap-policy.ts';

describe('the bootstrap policy', () => {
  it('is well formed: unique names, every binding to a role that is there', () => {
    const roles = bootstrapClusterRoles().map((r) => r.metadata?.name);
    expect(new Set(roles).size).toBe(roles.length);
    for (const b of bootstrapClusterRoleBindings()) expect(roles).toContain(b.roleRef.name);
    const local = bootstrapRoles().map((r) => `${r.metadata?.namespace}/${r.metadata?.name}`);
    for (const b of bootstrapRoleBindings()) expect(local).toContain(`${b.metadata?.namespace}/${b.roleRef.name}`);
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
