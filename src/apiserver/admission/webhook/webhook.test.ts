import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Pod } from '../../../api/types/core-v1.ts';
import type { RequestAttributes } from '../../contract.ts';
import { serviceAccount } from '../service-account.ts';
import { createTestApi, refusal, type TestApi, testPod } from '../test-support.ts';
import type { ResolveService } from './client.ts';
import { mutatingAdmissionWebhook } from './mutating.ts';
import { endpointResolver } from './service-resolver.ts';
import { validatingAdmissionWebhook } from './validating.ts';
import { patchReply, startWebhook, type TestWebhook } from './webhook-server.test-support.ts';

let server: TestWebhook;
let api: TestApi;
let allowed: readonly string[];
/** Whether Services lead to the webhook. */
let reachable: boolean;
beforeAll(async () => {
  server = await startWebhook();
});
afterAll(() => server.close());
beforeEach(async () => {
  server.received.length = 0;
  server.reply = () => ({ allowed: true });
  allowed = [];
  reachable = false;
  const options = {
    authorizer: {
      authorize: (a: RequestAttributes) =>
        ({ decision: allowed.includes(`${a.verb} ${a.resource}`) ? 'allow' : 'no-opinion' }) as const,
    },
    resolveService: ((namespace, name, port) =>
      reachable
        ? { host: '127.0.0.1', port: server.port }
        : endpointResolver(api.server.access)(namespace, name, port)) as ResolveService,
  };
  const before = [serviceAccount()];
  api = await createTestApi(...before, mutatingAdmissionWebhook({ ...options, before }), validatingAdmissionWebhook(options));
});
afterEach(() => api.close());

const podRule = { apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE', 'UPDATE', 'DELETE'] };
const hook = (path: string, more: object = {}): object => ({
  name: `${path}.example.com`,
  clientConfig: { url: `${server.url}/${path}`, caBundle: server.caBundle },
  rules: [podRule],
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
  ...more,
});
const validating = (...webhooks: readonly object[]): Promise<unknown> =>
  api.create('validatingwebhookconfigurations', { metadata: { name: 'v' }, webhooks });
const mutating = (...webhooks: readonly object[]): Promise<unknown> =>
  api.create('mutatingwebhookconfigurations', { metadata: { name: 'm' }, webhooks });
const paths = (): readonly string[] => server.received.map((r) => r.path.split('?')[0]!.slice(1));
const label = (key: string, value: string): object => ({ op: 'add', path: '/metadata/labels', value: { [key]: value } });

describe('ValidatingAdmissionWebhook', () => {
  it('tells the webhook what is asked', async () => {
    await validating(hook('check', { timeoutSeconds: 7 }));
    await api.as('jane', 'dev').create('pods', testPod('p'));
    const { path, review } = server.received[0]!;
    expect(path).toBe('/check?timeout=7s');
    expect(review).toMatchObject({ kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1' });
    expect(review.request).toMatchObject({
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      requestKind: { group: '', version: 'v1', kind: 'Pod' },
      requestResource: { group: '', version: 'v1', resource: 'pods' },
      name: 'p',
      namespace: 'x',
      operation: 'CREATE',
      userInfo: { username: 'jane', groups: ['dev'] },
      oldObject: null,
      dryRun: false,
      options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
    });
    expect(review.request.object).toMatchObject({ kind: 'Pod', apiVersion: 'v1', status: { phase: 'Pending' } });
    await api.remove('pods', 'x', 'p');
    expect(server.received[1]!.review.request).toMatchObject({
      operation: 'DELETE',
      object: null,
      oldObject: { metadata: { name: 'p' } },
      options: { kind: 'DeleteOptions' },
    });
  });
  it('tells of patches as of what they come to, of collections without a name, of namespaces as in themselves', async () => {
    const rule = { ...podRule, operations: ['*'], resources: ['configmaps', 'namespaces', 'namespaces/status'] };
    await validating(hook('check', { rules: [rule] }));
    const asked = (): Record<string, unknown> => server.received.pop()!.review.request as never;
    await api.create('configmaps', { metadata: { name: 'c', namespace: 'x' } });
    await api.patch('configmaps', 'x', 'c', { data: { a: 'b' } });
    expect(asked()).toMatchObject({ operation: 'UPDATE', name: 'c', options: { kind: 'UpdateOptions' } });
    const collection = {
      verb: 'deletecollection',
      group: '',
      version: 'v1',
      resource: 'configmaps',
      namespace: 'x',
      name: '',
    } as const;
    server.reply = () => ({ allowed: true, warnings: ['gone with it'] });
    const answer = await api.server.handle({ ...collection, options: {} }, { name: 'u', groups: [] });
    expect(answer.warnings).toEqual(['gone with it']);
    const removed = asked();
    expect(removed).toMatchObject({ operation: 'DELETE', namespace: 'x', oldObject: { metadata: { name: 'c' } } });
    expect(removed).not.toHaveProperty('name');
    await api.create('namespaces', { metadata: { name: 'made' } });
    expect(asked()).toMatchObject({ operation: 'CREATE', name: 'made', namespace: 'made' });
    await api.patch('namespaces/status', '', 'made', { status: { phase: 'Active' } });
    expect(asked()).toMatchObject({ operation: 'UPDATE', name: 'made', namespace: 'made', subResource: 'status' });
  });
  it('hands on refusals', async () => {
    await validating(hook('check'));
    server.reply = () => ({ allowed: false, status: { message: 'no pods today', reason: 'Forbidden', code: 403 } });
    const { status } = await refusal(api.create('pods', testPod('p')));
    expect(status).toMatchObject({
      status: 'Failure',
      code: 403,
      reason: 'Forbidden',
      message: 'admission webhook "check.example.com" denied the request: no pods today',
    });
    server.reply = () => ({ allowed: false });
    const plain = await refusal(api.create('pods', testPod('p')));
    expect([plain.code, plain.message]).toEqual([
      400,
      'admission webhook "check.example.com" denied the request without explanation',
    ]);
  });
  it('hands on warnings', async () => {
    await validating(hook('check'));
    server.reply = () => ({ allowed: true, warnings: ['mind the gap'] });
    expect((await api.respond('pods', testPod('p'))).warnings).toContain('mind the gap');
  });
  it('asks only what it should', async () => {
    const namespaceSelector = { matchLabels: { team: 'a' } };
    await validating(
      hook('other', { rules: [{ ...podRule, resources: ['configmaps'] }] }),
      hook('update', { rules: [{ ...podRule, operations: ['UPDATE'] }] }),
      hook('team', { namespaceSelector }),
      hook('labelled', { objectSelector: { matchLabels: { a: 'b' } } }),
      hook('cluster', { rules: [{ ...podRule, resources: ['*'], scope: 'Cluster' }] }),
      hook('status', { rules: [{ ...podRule, resources: ['pods/status'] }] }),
      hook('all', { rules: [{ ...podRule, resources: ['*/*'] }] }),
    );
    await api.create('pods', testPod('p'));
    expect(paths()).toEqual(['all']);
    server.received.length = 0;
    await api.patch('namespaces', '', 'x', { metadata: { labels: { team: 'a' } } });
    expect([...paths()].sort()).toEqual(['all', 'cluster']);
    server.received.length = 0;
    await api.patch('pods', 'x', 'p', { metadata: { labels: { a: 'b' } } });
    expect([...paths()].sort()).toEqual(['all', 'labelled', 'team', 'update']);
    server.received.length = 0;
    await api.patch('pods/status', 'x', 'p', { status: { phase: 'Running' } });
    expect([...paths()].sort()).toEqual(['all', 'status']);
    server.received.length = 0;
    await api.create('nodes', { metadata: { name: 'n' } });
    expect([...paths()].sort()).toEqual(['all', 'cluster']);
  });
  it('never asks about webhook configurations, and forgets those that are gone', async () => {
    server.reply = () => ({ allowed: false });
    await validating(hook('check', { rules: [{ ...podRule, apiGroups: ['*'], apiVersions: ['*'], resources: ['*'] }] }));
    await refusal(api.create('pods', testPod('p')));
    await api.remove('validatingwebhookconfigurations', '', 'v');
    await api.create('pods', testPod('p'));
  });
  it('looks at equivalent resources, in the version it knows', async () => {
    const rule = { ...podRule, apiGroups: ['autoscaling'], apiVersions: ['v1'], resources: ['horizontalpodautoscalers'] };
    await validating(hook('old', { rules: [rule] }), hook('exact', { rules: [rule], matchPolicy: 'Exact' }));
    const metadata = { name: 'h', namespace: 'x' };
    const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' };
    const metrics = [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } }];
    const body = { metadata, spec: { maxReplicas: 3, scaleTargetRef, metrics } };
    const request = { verb: 'create' as const, group: 'autoscaling', version: 'v2', resource: 'horizontalpodautoscalers' };
    await api.server.handle({ ...request, namespace: 'x', name: '', options: {}, body }, { name: 'u', groups: [] });
    expect(paths()).toEqual(['old']);
    expect(server.received[0]!.review.request).toMatchObject({
      kind: { group: 'autoscaling', version: 'v1', kind: 'HorizontalPodAutoscaler' },
      requestKind: { group: 'autoscaling', version: 'v2', kind: 'HorizontalPodAutoscaler' },
      object: { apiVersion: 'autoscaling/v1', spec: { targetCPUUtilizationPercentage: 50 } },
    });
  });
});

describe('a webhook that does not work', () => {
  const failure = async (): Promise<string> => {
    const { code, message } = await refusal(api.create('pods', testPod('p')));
    expect(code).toBe(500);
    return message;
  };
  const prefix = 'Internal error occurred: failed calling webhook "check.example.com": ';
  const clientConfig = (url: string): object => ({ clientConfig: { url, caBundle: server.caBundle } });

  it('refuses, or is let pass, as it says', async () => {
    await validating(hook('check', clientConfig('https://127.0.0.1:1/x')));
    expect(await failure()).toBe(
      `${prefix}failed to call webhook: Post "https://127.0.0.1:1/x?timeout=10s": dial tcp 127.0.0.1:1: connect: connection refused`,
    );
    await api.patch('validatingwebhookconfigurations', '', 'v', {
      webhooks: [hook('check', { ...clientConfig('https://127.0.0.1:1/x'), failurePolicy: 'Ignore' })],
    });
    await api.create('pods', testPod('p'));
  });
  it('is told from one that refuses', async () => {
    await validating(hook('check', { failurePolicy: 'Ignore' }));
    server.reply = () => ({ allowed: false, status: { message: 'no' } });
    expect((await refusal(api.create('pods', testPod('p')))).message).toContain('denied the request: no');
  });
  it('may be trusted by another CA', async () => {
    await validating(hook('check', { clientConfig: { url: `${server.url}/check` } }));
    expect(await failure()).toContain('tls: failed to verify certificate: x509: certificate signed by unknown authority');
  });
  it('may be trusted by its own certificate in place of a CA', async () => {
    await validating(hook('check', { clientConfig: { url: `${server.url}/check`, caBundle: server.ownBundle } }));
    await api.create('pods', testPod('p'));
    expect(paths()).toEqual(['check']);
  });
  it.each([
    ['//check', '/check'],
    ['/a/./../check/', '/check'],
    ['', '/'],
    ['/%61%3F b', '/a%3F%20b'],
  ])('is asked at the clean form of its path: %s', async (path, asked) => {
    await validating(hook('check', { clientConfig: { url: server.url + path, caBundle: server.caBundle } }));
    await api.create('pods', testPod('p'));
    expect(server.received[0]!.path).toBe(`${asked}?timeout=10s`);
  });
  it('may send to another of its paths, but not round and round or away', async () => {
    await validating(hook('check'));
    server.reply = (_review, path) =>
      path === '/check/' ? { allowed: true } : { httpStatus: 307, text: '', location: '/check/?timeout=10s' };
    await api.create('pods', testPod('p'));
    expect(server.received.map(({ path }) => path)).toEqual(['/check?timeout=10s', '/check/?timeout=10s']);
    expect(server.received[1]!.review).toEqual(server.received[0]!.review);
    server.reply = () => ({ httpStatus: 308, text: '', location: '/check' });
    expect(await failure()).toMatch(/: stopped after 10 redirects$/);
    server.reply = () => ({ httpStatus: 307, text: '', location: 'https://example.com/' });
    expect(await failure()).toContain('status code 307');
  });
  it('may answer nonsense', async () => {
    await validating(hook('check'));
    const replies: readonly (readonly [object, string])[] = [
      [{ httpStatus: 500, text: 'oops' }, 'an error on the server ("oops") has prevented the request from succeeding'],
      [{ httpStatus: 404, text: '' }, 'the server could not find the requested resource'],
      [{ httpStatus: 200, text: '{}' }, 'received invalid webhook response: webhook response was absent'],
      [{ uid: 'other', allowed: true }, 'received invalid webhook response: expected response.uid='],
      [patchReply(label('a', 'b')), 'received invalid webhook response: validating webhook may not return response.patch'],
    ];
    for (const [reply, message] of replies) {
      server.reply = () => reply;
      expect(await failure()).toContain(message);
    }
  });
  it.each(['nothing', 'half'] as const)('may not answer in time (%s)', async (reply) => {
    await validating(hook('check', { timeoutSeconds: 2 }));
    const asked = new Promise<void>((resolve) => {
      server.reply = () => {
        resolve();
        return reply;
      };
    });
    const refused = failure();
    await asked;
    await api.clock.advance(2_000);
    expect(await refused).toContain('/check?timeout=2s": context deadline exceeded');
  });
  it('may not be there', async () => {
    const service = { name: 'hook', namespace: 'x', path: '/check' };
    await validating(hook('check', { clientConfig: { service, caBundle: server.caBundle } }));
    expect(await failure()).toBe(
      `${prefix}failed to call webhook: Post "https://hook.x.svc:443/check?timeout=10s": service "hook" not found`,
    );
    await api.create('services', { metadata: { name: 'hook', namespace: 'x' }, spec: { ports: [{ name: 'h', port: 443 }] } });
    expect(await failure()).toContain('no endpoints available for service "hook"');
    reachable = true;
    await api.create('pods', testPod('p'));
    expect(paths()).toEqual(['check']);
  });
  it('is not asked in a dry run when it has side effects', async () => {
    const dryRun = { dryRun: ['All'] };
    await validating(hook('check', { sideEffects: 'NoneOnDryRun' }));
    await api.create('pods', testPod('p'), dryRun);
    expect(server.received[0]!.review.request['dryRun']).toBe(true);
  });
});

describe('match conditions', () => {
  it('skip the webhook unless all hold', async () => {
    const matchConditions = [
      { name: 'a', expression: "object.metadata.name.startsWith('asked')" },
      { name: 'b', expression: "request.userInfo.username != 'robot' && request.operation == 'CREATE'" },
      {
        name: 'c',
        expression:
          "authorizer.group('').resource('pods').check('hurry').allowed() || authorizer.requestResource.check('x').allowed()",
      },
    ];
    await validating(hook('check', { matchConditions }));
    await api.create('pods', testPod('asked-in-vain'));
    allowed = ['hurry pods'];
    await api.create('pods', testPod('skipped'));
    await api.as('robot').create('pods', testPod('asked-by-robot'));
    expect(paths()).toEqual([]);
    await api.create('pods', testPod('asked'));
    allowed = ['x pods'];
    await api.create('pods', testPod('asked-again'));
    expect(paths()).toEqual(['check', 'check']);
  });
  it('refuse, or skip, when they cannot be evaluated', async () => {
    const matchConditions = [{ name: 'a', expression: "object.spec.nothing == 'x'" }];
    await validating(hook('check', { matchConditions }));
    const { code, message } = await refusal(api.create('pods', testPod('p')));
    expect([code, message]).toEqual([
      403,
      "pods \"p\" is forbidden: expression 'object.spec.nothing == 'x'' resulted in error: no such key: nothing",
    ]);
    const open = hook('check', { matchConditions, failurePolicy: 'Ignore' });
    await api.patch('validatingwebhookconfigurations', '', 'v', { webhooks: [open] });
    await api.create('pods', testPod('p'));
    expect(paths()).toEqual([]);
  });
});

describe('MutatingAdmissionWebhook', () => {
  it('takes over patches, with defaults', async () => {
    await mutating(hook('inject'));
    const sidecar = { name: 's', image: 'side' };
    server.reply = ({ request }) =>
      request['operation'] === 'CREATE'
        ? patchReply(label('a', 'b'), { op: 'add', path: '/spec/containers/-', value: sidecar })
        : { allowed: true };
    const { metadata, spec } = await api.create<Pod>('pods', testPod('p'));
    expect(metadata?.labels).toEqual({ a: 'b' });
    expect(spec?.containers[1]).toMatchObject({ name: 's', imagePullPolicy: 'Always', terminationMessagePolicy: 'File' });
    // The token is mounted into what came later, too.
    expect(spec?.containers[1]?.volumeMounts?.[0]?.mountPath).toBe('/var/run/secrets/kubernetes.io/serviceaccount');
    expect(spec?.volumes).toHaveLength(1);
  });
  it('asks one after the other, and again those that want to be', async () => {
    await mutating(
      hook('first', { reinvocationPolicy: 'IfNeeded' }),
      hook('never'),
      hook('second', { reinvocationPolicy: 'IfNeeded' }),
    );
    server.reply = ({ request }, path) => {
      const labels = (request.object?.['metadata'] as { labels?: object } | undefined)?.labels;
      return path === '/second' && labels === undefined ? patchReply(label('second', 'yes')) : { allowed: true };
    };
    const pod = await api.create<Pod>('pods', testPod('p'));
    expect(paths()).toEqual(['first', 'never', 'second', 'first']);
    expect(pod.metadata?.labels).toEqual({ second: 'yes' });
  });
  it('is not asked again when nothing changed', async () => {
    await mutating(hook('first', { reinvocationPolicy: 'IfNeeded' }));
    server.reply = () => patchReply({ op: 'add', path: '/spec/restartPolicy', value: 'Always' });
    await api.create('pods', testPod('p'));
    expect(paths()).toEqual(['first']);
  });
  it('speaks v1beta1 too', async () => {
    await mutating(hook('old', { admissionReviewVersions: ['v1beta1'] }));
    server.reply = () => ({ allowed: true, uid: '', patch: Buffer.from(JSON.stringify([label('a', 'b')])).toString('base64') });
    expect((await api.create<Pod>('pods', testPod('p'))).metadata?.labels).toEqual({ a: 'b' });
    expect(server.received[0]!.review.apiVersion).toBe('admission.k8s.io/v1beta1');
  });
  it('refuses bad patches', async () => {
    await mutating(hook('bad', { rules: [podRule, { ...podRule, operations: ['DELETE'] }] }));
    const replies: readonly (readonly [object, string])[] = [
      [patchReply({ op: 'remove', path: '/spec/nothing' }), 'Internal error occurred: '],
      [{ allowed: true, patchType: 'JSONPatch', patch: 'e30=' }, 'received undecodable patch in webhook response'],
      [{ allowed: true, patch: 'e30=' }, 'webhook returned response.patch but not response.patchType'],
      [{ ...patchReply(label('a', 'b')), patchType: 'Merge' }, 'unsupported patch type "Merge"'],
    ];
    for (const [reply, message] of replies) {
      server.reply = () => reply;
      expect((await refusal(api.create('pods', testPod('p')))).message).toContain(message);
    }
    server.reply = () => ({ allowed: true });
    await api.create('pods', testPod('p'));
    server.reply = () => patchReply(label('a', 'b'));
    expect((await refusal(api.remove('pods', 'x', 'p'))).message).toContain(
      'attempted to modify the object, which is not supported for this operation',
    );
  });
});

describe('endpointResolver', () => {
  it('finds a ready endpoint of the port that is asked for', async () => {
    const metadata = { name: 's', namespace: 'x' };
    const ports = [
      { name: 'a', port: 443 },
      { name: 'b', port: 8443 },
    ];
    await api.create('services', { metadata, spec: { ports } });
    await api.create('endpointslices', {
      metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 's' } },
      addressType: 'IPv4',
      endpoints: [
        { addresses: ['10.0.0.1'], conditions: { ready: false } },
        { addresses: ['10.0.0.2'], conditions: { ready: true } },
      ],
      ports: [
        { name: 'a', port: 1443 },
        { name: 'b', port: 2443 },
      ],
    });
    const resolve = endpointResolver(api.server.access);
    expect(resolve('x', 's', 8443)).toEqual({ host: '10.0.0.2', port: 2443 });
    expect(() => resolve('x', 's', 80)).toThrow('no service port 80 found for service "s"');
  });
});
