import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AdmissionPlugin, RequestAttributes } from '../../contract.ts';
import { createTestApi, refusal, type TestApi, testPod } from '../test-support.ts';
import { validatingAdmissionPolicy } from './validating.ts';

let api: TestApi;
let plugin: AdmissionPlugin;
let allowed: readonly string[];
beforeEach(async () => {
  allowed = [];
  const authorize = (a: RequestAttributes) =>
    ({ decision: allowed.includes(`${a.user.name} ${a.verb} ${a.resource}`) ? 'allow' : 'no-opinion' }) as const;
  plugin = validatingAdmissionPolicy({ authorizer: { authorize } });
  api = await createTestApi(plugin);
});
afterEach(() => api.close());

const podRule = { apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE', 'UPDATE'] };
const policy = (spec: object): Promise<unknown> =>
  api.create('validatingadmissionpolicies', {
    metadata: { name: 'p' },
    spec: { matchConstraints: { resourceRules: [podRule] }, ...spec },
  });
const binding = (spec: object = {}): Promise<unknown> =>
  api.create('validatingadmissionpolicybindings', {
    metadata: { name: 'b' },
    spec: { policyName: 'p', validationActions: ['Deny'], ...spec },
  });
const bad = { expression: "!object.metadata.name.startsWith('bad')" };
const denied = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: ";

describe('ValidatingAdmissionPolicy', () => {
  it('refuses what breaks a bound policy', async () => {
    await policy({ validations: [bad] });
    await api.create('pods', testPod('bad-but-not-bound'));
    await binding();
    const { status } = await refusal(api.create('pods', testPod('bad')));
    const message = `${denied}failed expression: !object.metadata.name.startsWith('bad')`;
    expect(status).toMatchObject({
      code: 422,
      reason: 'Invalid',
      message: `pods "bad" is forbidden: ${message}`,
      details: { name: 'bad', kind: 'pods', causes: [{ message }] },
    });
    await api.create('pods', testPod('good'));
    await api.remove('validatingadmissionpolicies', '', 'p');
    await api.create('pods', testPod('bad'));
  });
  it('says why, with the reason it is given', async () => {
    await policy({
      variables: [
        { name: 'image', expression: 'object.spec.containers[0].image' },
        { name: 'registry', expression: "variables.image.split('/')[0]" },
      ],
      validations: [
        {
          expression: "variables.registry == 'ours'",
          messageExpression: "'not from ' + variables.registry",
          reason: 'Forbidden',
        },
        { expression: 'object.spec.containers.size() < 2', message: ' too many ' },
      ],
    });
    await binding();
    const container = (image: string): object => ({ name: 'c', image });
    const one = await refusal(api.create('pods', testPod('p', { containers: [container('docker.io/x')] })));
    expect([one.code, one.message]).toEqual([403, `pods "p" is forbidden: ${denied}not from docker.io`]);
    const containers = [container('ours/x'), { name: 'd', image: 'ours/y' }];
    const two = await refusal(api.create('pods', testPod('p', { containers })));
    expect([two.code, two.message]).toEqual([422, `pods "p" is forbidden: ${denied}too many`]);
  });
  it('warns and records where it is not to refuse', async () => {
    await policy({ validations: [bad] });
    await binding({ validationActions: ['Warn', 'Audit'] });
    const { warnings } = await api.respond('pods', testPod('bad'));
    expect(warnings).toEqual([
      "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': failed expression: !object.metadata.name.startsWith('bad')",
    ]);
    for (const action of ['warn', 'audit']) {
      const labels = `enforcement_action="${action}",error_type="no_error",policy="p",policy_binding="b"`;
      expect(plugin.metrics?.()).toContain(`apiserver_validating_admission_policy_check_total{${labels}} 1\n`);
    }
  });
  it('looks at the configuration of webhooks, not at that of policies', async () => {
    const configuration = {
      apiGroups: ['admissionregistration.k8s.io'],
      apiVersions: ['*'],
      resources: ['*'],
      operations: ['*'],
    };
    await policy({ matchConstraints: { resourceRules: [configuration] }, validations: [{ expression: 'false', message: 'no' }] });
    await binding();
    expect(
      (await refusal(api.create('validatingwebhookconfigurations', { metadata: { name: 'w' }, webhooks: [] }))).message,
    ).toContain(`${denied}no`);
    await api.remove('validatingadmissionpolicybindings', '', 'b');
    await api.create('validatingwebhookconfigurations', { metadata: { name: 'w' }, webhooks: [] });
  });
  it('looks only where policy and binding say', async () => {
    const excludeResourceRules = [{ ...podRule, resourceNames: ['bad-exempt'] }];
    await policy({ matchConstraints: { resourceRules: [podRule], excludeResourceRules }, validations: [bad] });
    await binding({ matchResources: { namespaceSelector: { matchLabels: { strict: 'yes' } } } });
    await api.create('pods', testPod('bad-elsewhere'));
    await api.patch('namespaces', '', 'x', { metadata: { labels: { strict: 'yes' } } });
    await refusal(api.create('pods', testPod('bad')));
    await api.create('pods', testPod('bad-exempt'));
    await api.create('configmaps', { metadata: { name: 'bad', namespace: 'x' } });
  });
  it('skips what its conditions leave out', async () => {
    await policy({
      matchConditions: [{ name: 'people', expression: "!request.userInfo.username.startsWith('robot')" }],
      validations: [bad],
    });
    await binding();
    await api.as('robot-1').create('pods', testPod('bad'));
    await refusal(api.as('jane').create('pods', testPod('bad2')));
  });
  it('compares with what was there, knows the namespace, and asks the authorizer', async () => {
    await policy({
      validations: [
        {
          expression: 'oldObject == null || object.metadata.?labels.a == oldObject.metadata.?labels.a',
          message: 'label changed',
        },
        { expression: "namespaceObject.metadata.name == 'x'", message: 'namespace' },
        { expression: "authorizer.group('').resource('pods').namespace('x').check('make').allowed()", message: 'may not' },
      ],
    });
    await binding();
    expect((await refusal(api.as('u').create('pods', testPod('p')))).message).toContain('may not');
    allowed = ['u make pods'];
    await api.as('u').create('pods', testPod('p'));
    const change = api.as('u').patch('pods', 'x', 'p', { metadata: { labels: { a: 'b' } } });
    expect((await refusal(change)).message).toContain('label changed');
  });

  describe('with parameters', () => {
    const limit = (name: string, max: string, labels: object = {}): Promise<unknown> =>
      api.create('configmaps', { metadata: { name, namespace: 'x', labels }, data: { max } });
    beforeEach(() =>
      policy({
        paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
        validations: [
          {
            expression: 'object.metadata.name.size() <= int(params.data.max)',
            messageExpression: "'longer than ' + params.data.max",
          },
        ],
      }),
    );
    it('evaluates with each of them', async () => {
      await limit('a', '4', { limits: 'yes' });
      await limit('b', '2', { limits: 'yes' });
      await binding({ paramRef: { selector: { matchLabels: { limits: 'yes' } }, parameterNotFoundAction: 'Allow' } });
      await api.create('pods', testPod('ab'));
      expect((await refusal(api.create('pods', testPod('abc')))).message).toContain('longer than 2');
    });
    it('refuses, or not, where there are none', async () => {
      await binding({ paramRef: { name: 'a', parameterNotFoundAction: 'Deny' } });
      expect((await refusal(api.create('pods', testPod('p')))).message).toBe(
        `pods "p" is forbidden: ${denied}failed to configure binding: no params found for policy binding with \`Deny\` parameterNotFoundAction`,
      );
      await api.remove('validatingadmissionpolicybindings', '', 'b');
      await binding({ paramRef: { name: 'a', parameterNotFoundAction: 'Allow' } });
      await api.create('pods', testPod('p'));
      await limit('a', '1');
      expect((await refusal(api.create('pods', testPod('pq')))).message).toContain('longer than 1');
    });
  });

  it('refuses, or lets pass, what it cannot evaluate', async () => {
    const validations = [{ expression: 'object.spec.nothing == 1' }];
    await policy({ validations });
    await binding();
    expect((await refusal(api.create('pods', testPod('p')))).message).toBe(
      `pods "p" is forbidden: ${denied}expression 'object.spec.nothing == 1' resulted in error: no such key: nothing`,
    );
    await api.patch('validatingadmissionpolicies', '', 'p', { spec: { failurePolicy: 'Ignore' } });
    await api.create('pods', testPod('p'));
  });
  it('refuses what costs too much', async () => {
    const list = '[0,1,2,3,4,5,6,7,8,9]';
    const nested = `${list}.all(a, ${list}.all(b, ${list}.all(c, ${list}.all(d, ${list}.all(e, ${list}.all(f, a + b + c + d + e + f >= 0))))))`;
    await policy({ validations: [{ expression: nested }] });
    await binding();
    expect((await refusal(api.create('pods', testPod('p')))).message).toContain('actual cost limit exceeded');
  });
});
