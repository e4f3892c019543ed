import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Pod } from '../../../api/types/core-v1.ts';
import { serviceAccount } from '../service-account.ts';
import { createTestApi, refusal, type TestApi, testPod } from '../test-support.ts';
import { mutatingAdmissionWebhook } from '../webhook/mutating.ts';
import { MutatingPolicies } from './mutating.ts';

let api: TestApi;
beforeEach(async () => {
  const options = { authorizer: { authorize: () => ({ decision: 'allow' }) as const } };
  const before = [serviceAccount()];
  const policies = new MutatingPolicies(options);
  api = await createTestApi(...before, policies, mutatingAdmissionWebhook({ ...options, before, policies }));
});
afterEach(() => api.close());

const rule = (resource: string, group = '', version = 'v1'): object => ({
  ...{ apiGroups: [group], apiVersions: [version], resources: [resource], operations: ['CREATE', 'UPDATE'] },
});
const policy = async (name: string, mutations: readonly object[], spec: object = {}): Promise<void> => {
  await api.create('mutatingadmissionpolicies', {
    metadata: { name },
    spec: { matchConstraints: { resourceRules: [rule('pods')] }, reinvocationPolicy: 'Never', mutations, ...spec },
  });
  await api.create('mutatingadmissionpolicybindings', { metadata: { name: `${name}-binding` }, spec: { policyName: name } });
};
const apply = (expression: string): object => ({ patchType: 'ApplyConfiguration', applyConfiguration: { expression } });
const patch = (expression: string): object => ({ patchType: 'JSONPatch', jsonPatch: { expression } });

describe('MutatingAdmissionPolicy', () => {
  it('merges configurations, with defaults', async () => {
    await policy('p', [
      apply('Object{metadata: Object.metadata{labels: {"team": object.metadata.namespace}}}'),
      apply('Object{spec: Object.spec{containers: [Object.spec.containers{name: "side", image: "s"}]}}'),
    ]);
    const pod = await api.create<Pod>('pods', testPod('p', {}, { labels: { a: 'b' } }));
    expect(pod.metadata?.labels).toEqual({ a: 'b', team: 'x' });
    expect(pod.spec?.containers.map((c) => [c.name, c.image, c.imagePullPolicy])).toEqual([
      ['c', 'i', 'Always'],
      ['side', 's', 'Always'],
    ]);
    // The plugins before had a second look.
    expect(pod.spec?.containers.every((c) => c.volumeMounts?.length === 1)).toBe(true);
  });
  it('applies JSON patches', async () => {
    const add = '[JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey("a.b/c"), value: "d"}]';
    await policy('p', [
      patch(`has(object.metadata.labels) ? ${add} : []`),
      patch(
        '[JSONPatch{op: "test", path: "/spec/hostNetwork", value: true}, JSONPatch{op: "add", path: "/spec/hostPID", value: true}]',
      ),
    ]);
    expect((await api.create<Pod>('pods', testPod('p', {}, { labels: { x: 'y' } }))).metadata?.labels).toEqual({
      x: 'y',
      'a.b/c': 'd',
    });
    const { metadata, spec } = await api.create<Pod>('pods', testPod('q'));
    expect([metadata?.labels, spec?.hostPID]).toEqual([undefined, undefined]);
  });
  it('looks only where its conditions hold, with its variables and parameters', async () => {
    await api.create('configmaps', { metadata: { name: 'cm', namespace: 'x' }, data: { tier: 'gold' } });
    await api.create('mutatingadmissionpolicies', {
      metadata: { name: 'p' },
      spec: {
        paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
        matchConstraints: { resourceRules: [rule('pods')] },
        matchConditions: [{ name: 'new', expression: 'oldObject == null' }],
        variables: [{ name: 'tier', expression: 'params.data.tier' }],
        reinvocationPolicy: 'Never',
        mutations: [apply('Object{metadata: Object.metadata{labels: {"tier": variables.tier}}}')],
      },
    });
    await api.create('mutatingadmissionpolicybindings', {
      metadata: { name: 'b' },
      spec: { policyName: 'p', paramRef: { name: 'cm', parameterNotFoundAction: 'Deny' } },
    });
    expect((await api.create<Pod>('pods', testPod('p'))).metadata?.labels).toEqual({ tier: 'gold' });
    const changed = await api.patch('pods', 'x', 'p', { metadata: { labels: { tier: 'none' } } });
    expect(changed.metadata?.labels).toEqual({ tier: 'none' });
  });
  it('has its turn again, where it wants to, after another changed something', async () => {
    const count = 'has(object.metadata.annotations) ? object.metadata.annotations.size() : 0';
    const note = (name: string): object => apply(`Object{metadata: Object.metadata{annotations: {"${name}": string(${count})}}}`);
    await policy('a', [note('a')], { reinvocationPolicy: 'IfNeeded' });
    await policy('b', [note('b')]);
    const pod = await api.create('pods', testPod('p'));
    expect(pod.metadata?.annotations).toEqual({ a: '2', b: '1' });
  });
  it('refuses, or lets be, what it cannot do', async () => {
    await policy('p', [apply('Object{spec: Object.spec{nodeSelector: Object.wrong{a: "b"}}}')]);
    const mismatch = await refusal(api.create('pods', testPod('p')));
    expect([mismatch.code, mismatch.status.reason, mismatch.message]).toEqual([
      403,
      'Invalid',
      'policy \'p\' with binding \'p-binding\' denied request: type mismatch: unexpected type name "Object.wrong", expected "Object.spec.nodeSelector", which matches field name path from root Object type',
    ]);
    await api.patch('mutatingadmissionpolicies', '', 'p', {
      spec: { mutations: [apply('Object{spec: Object.spec{nodeSelector: {"a": "b"}}}')] },
    });
    expect((await refusal(api.create('pods', testPod('p')))).message).toContain(
      'error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.nodeSelector',
    );
    await api.patch('mutatingadmissionpolicies', '', 'p', {
      spec: { mutations: [apply('Object{spec: Object.spec{nothing: 1}}')] },
    });
    expect((await refusal(api.create('pods', testPod('p')))).message).toContain('field not declared in schema');
    await api.patch('mutatingadmissionpolicies', '', 'p', { spec: { failurePolicy: 'Ignore' } });
    await api.create('pods', testPod('p'));
  });
  it('leaves deletions and its own configuration alone', async () => {
    await policy('p', [apply('Object{metadata: Object.metadata{labels: {"a": "b"}}}')], {
      matchConstraints: { resourceRules: [{ ...rule('*', '*', '*'), operations: ['CREATE', 'UPDATE'] }] },
    });
    const other = await api.create('mutatingadmissionpolicybindings', { metadata: { name: 'other' }, spec: { policyName: 'p' } });
    expect(other.metadata?.labels).toBeUndefined();
    const config = await api.create('configmaps', { metadata: { name: 'c', namespace: 'x' } });
    expect(config.metadata?.labels).toEqual({ a: 'b' });
    await api.remove('configmaps', 'x', 'c');
  });
});
