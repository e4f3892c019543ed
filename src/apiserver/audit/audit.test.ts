import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../util/clock.ts';
import { silentLogger } from '../../util/logger.ts';
import type { Authorizer, RequestAttributes } from '../contract.ts';
import { TestServer } from '../test-server.ts';
import { AuditLog } from './audit-log.ts';
import { auditRules, parseAuditPolicy } from './policy.ts';

const head = 'apiVersion: audit.k8s.io/v1\nkind: Policy\n';
const policy = (rules: string): string => `${head}omitStages: [RequestReceived]\nrules:\n${rules}`;

describe('a policy', () => {
  const request = (more: Partial<RequestAttributes>): RequestAttributes => ({
    user: { name: 'eve', groups: ['dev'] },
    verb: 'get',
    isResourceRequest: true,
    apiGroup: '',
    apiVersion: 'v1',
    resource: 'pods',
    subresource: '',
    namespace: 'a',
    name: 'x',
    path: '/api/v1/namespaces/a/pods/x',
    ...more,
  });

  it.each([
    ['- level: Metadata', {}, 'Metadata'],
    ['- {level: Metadata, users: [bob]}', {}, undefined],
    ['- {level: Request, userGroups: [ops, dev]}', {}, 'Request'],
    ['- {level: None, verbs: [get]}\n- level: Metadata', {}, undefined],
    ['- {level: Metadata, namespaces: [b]}', {}, undefined],
    ['- {level: Metadata, namespaces: [""]}', { namespace: '' }, 'Metadata'],
    ['- {level: Metadata, resources: [{group: ""}]}', {}, 'Metadata'],
    ['- {level: Metadata, resources: [{group: "", resources: [pods]}]}', { subresource: 'log' }, undefined],
    ['- {level: Metadata, resources: [{group: "", resources: ["pods/*"]}]}', { subresource: 'log' }, 'Metadata'],
    ['- {level: Metadata, resources: [{group: "", resources: ["*/log"]}]}', { subresource: 'log' }, 'Metadata'],
    ['- {level: Metadata, resources: [{group: "*", resources: [pods], resourceNames: [y]}]}', {}, undefined],
    ['- {level: Metadata, nonResourceURLs: ["/api*"]}', {}, undefined],
    ['- {level: Metadata, nonResourceURLs: ["/healthz*"]}', { isResourceRequest: false, path: '/healthz/ping' }, 'Metadata'],
  ])('%s of %o: %s', (rules, more, level) => {
    expect(auditRules(parseAuditPolicy(policy(rules)))(request(more))?.level).toBe(level);
  });

  it.each([
    ['kind: Nothing', 'an audit policy is an object of apiVersion audit.k8s.io/v1 and kind Policy'],
    [head, 'loaded illegal policy with 0 rules'],
    [
      policy('- level: Some'),
      'rules[0].level: Unsupported value: "Some": supported values: "None", "Metadata", "Request", "RequestResponse"',
    ],
    [
      policy('- {level: None, nonResourceURLs: [x]}'),
      'rules[0].nonResourceURLs[0]: Invalid value: "x": non-resource URL rules must begin with a \'/\' character',
    ],
    [
      `${head}omitStages: [x]\nrules: [{level: None}]`,
      'omitStages[0]: Invalid value: "x": allowed stages are RequestReceived,ResponseStarted,ResponseComplete,Panic',
    ],
  ])('%s is none', (text, message) => {
    expect(() => parseAuditPolicy(text)).toThrow(message);
  });
});

describe('a log', () => {
  const folder = mkdtempSync(join(tmpdir(), 'k8ts-audit-'));
  const path = join(folder, 'log', 'audit.log');
  const authorizer: Authorizer = {
    authorize: ({ user, resource, verb }) =>
      user.name === 'eve' && (resource === 'secrets' || verb.startsWith('impersonate:') || verb.startsWith('impersonate-on'))
        ? { decision: 'no-opinion', reason: 'not hers' }
        : { decision: 'allow', reason: 'it may' },
  };
  let api: TestServer;
  let log: AuditLog;
  // biome-ignore lint/suspicious/noExplicitAny: what a test looks at is its own affair
  const events = async (): Promise<any[]> => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as unknown);
  };

  beforeAll(async () => {
    const rules = `
- {level: None, resources: [{group: "", resources: [events]}]}
- {level: Metadata, resources: [{group: "", resources: [secrets]}]}
- {level: Request, verbs: [watch]}
- {level: RequestResponse, omitManagedFields: true, resources: [{group: "", resources: [configmaps]}]}
- {level: Metadata, omitStages: [ResponseComplete]}
`;
    log = new AuditLog({ policy: parseAuditPolicy(policy(rules)), path, clock: systemClock, logger: silentLogger });
    api = await TestServer.start({ audit: log, authorizer });
  });
  afterAll(async () => {
    await api.close();
    await log.close();
    rmSync(folder, { recursive: true });
  });

  it('tells what the policy says', async () => {
    const maps = '/api/v1/namespaces/a/configmaps';
    await api.post(
      maps,
      { metadata: { name: 'm' }, data: { a: 'b' } },
      { headers: { 'user-agent': 'me/1', 'x-forwarded-for': '10.0.0.1, x' } },
    );
    await api.get('/api/v1/secrets', { as: 'eve', headers: { 'impersonate-user': 'eve' } });
    await api.get('/api/v1/secrets', { as: 'root', headers: { 'impersonate-user': 'ann' } });
    await api.get('/api/v1/events');
    await api.get('/version', { headers: { authorization: 'Basic x' } });
    await api.get('/api/v1/pods');
    const watching = await api.watch(`${maps}?watch=1`);
    await watching.next();
    watching.stop();
    await api.remove(`${maps}/m`, { propagationPolicy: 'Orphan' });
    const all = await events();
    expect(all.map((e) => `${e.stage} ${e.level} ${e.verb} ${e.objectRef?.resource}`)).toEqual([
      'ResponseComplete RequestResponse create configmaps',
      'ResponseComplete Metadata list secrets',
      'ResponseComplete Metadata list secrets',
      'ResponseStarted Metadata get undefined',
      'ResponseStarted Request watch configmaps',
      'ResponseComplete Request watch configmaps',
      'ResponseComplete RequestResponse delete configmaps',
    ]);
    const [created, refused, acted, unknown, , , deleted] = all;
    expect(created).toMatchObject({
      kind: 'Event',
      apiVersion: 'audit.k8s.io/v1',
      requestURI: maps,
      user: { username: 'admin', groups: ['system:authenticated'] },
      sourceIPs: ['10.0.0.1', '127.0.0.1'],
      userAgent: 'me/1',
      objectRef: { resource: 'configmaps', namespace: 'a', name: 'm', apiVersion: 'v1' },
      responseStatus: { metadata: {}, code: 201 },
      requestObject: { data: { a: 'b' } },
      responseObject: { kind: 'ConfigMap', metadata: { name: 'm', resourceVersion: expect.any(String) } },
      annotations: { 'authorization.k8s.io/decision': 'allow', 'authorization.k8s.io/reason': 'it may' },
    });
    expect(created.responseObject.metadata.managedFields).toBeUndefined();
    expect(refused).toMatchObject({
      user: { username: 'eve' },
      responseStatus: { status: 'Failure', reason: 'Forbidden', code: 403 },
      annotations: { 'authorization.k8s.io/decision': 'forbid', 'authorization.k8s.io/reason': 'not hers' },
    });
    expect(acted).toMatchObject({
      user: { username: 'root' },
      impersonatedUser: { username: 'ann' },
      authenticationMetadata: { impersonationConstraint: 'impersonate:user-info' },
    });
    expect(unknown).toMatchObject({
      user: {},
      responseStatus: {
        status: 'Failure',
        message: 'Authentication failed, attempted: basic',
        reason: 'Unauthorized',
        code: 401,
      },
    });
    expect(deleted.requestObject).toEqual({ kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Orphan' });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect((await api.get('/metrics')).body.toString()).toMatch(/^apiserver_audit_event_total [1-9]/m);
    expect(readdirSync(join(folder, 'log'))).toEqual(['audit.log']);
  });
});
