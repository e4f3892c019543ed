import { connect as connectHttp2 } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { afterEach, describe, expect, it } from 'vitest';
import type { UserInfo } from '../../api/request.ts';
import { VirtualClock } from '../../util/clock.ts';
import { silentLogger } from '../../util/logger.ts';
import type { RequestAttributes } from '../contract.ts';
import { fieldManager } from '../field-manager/index.ts';
import { TestServer } from '../test-server.ts';
import { FlowControl } from './flow-control.ts';
import { addFlowControl } from './index.ts';
import type { Ticket } from './priority-level.ts';

const PATH = '/apis/flowcontrol.apiserver.k8s.io/v1';

const user = (name: string, ...groups: string[]): UserInfo => ({ name, groups: [...groups, 'system:authenticated'] });
const request = (who: UserInfo, verb = 'get', resource = 'pods', more: Partial<RequestAttributes> = {}): RequestAttributes => ({
  user: who,
  verb,
  isResourceRequest: true,
  apiGroup: '',
  apiVersion: 'v1',
  resource,
  subresource: '',
  namespace: 'default',
  name: '',
  path: '',
  ...more,
});

const servers: TestServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((s) => s.close()));
});

async function startServer(clock: VirtualClock): Promise<TestServer> {
  const fields = fieldManager();
  const server = await TestServer.start({ clock, fieldManager: fields });
  fields.initialize(server.server.access);
  servers.push(server);
  return server;
}

async function started(seats: number): Promise<{ server: TestServer; flow: FlowControl; clock: VirtualClock }> {
  const clock = new VirtualClock(Date.parse('2026-01-01T00:00:00Z'));
  const server = await startServer(clock);
  const flow = new FlowControl({ clock, logger: silentLogger, seats });
  await addFlowControl(server.server, flow);
  return { server, flow, clock };
}

const level = (name: string, limited: object): object => ({
  apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
  kind: 'PriorityLevelConfiguration',
  metadata: { name },
  spec: { type: 'Limited', limited },
});

const schema = (name: string, levelName: string, matchingPrecedence: number, subject: string, resource = '*'): object => ({
  apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
  kind: 'FlowSchema',
  metadata: { name },
  spec: {
    priorityLevelConfiguration: { name: levelName },
    matchingPrecedence,
    distinguisherMethod: { type: 'ByUser' },
    rules: [
      {
        subjects: [{ kind: 'User', user: { name: subject } }],
        resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: [resource], namespaces: ['*'], clusterScope: true }],
      },
    ],
  },
});

/** All that the bootstrap configuration has. */
const SUGGESTED_SHARES = 245;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

describe('bootstrap objects', () => {
  it('are made, as upstream has them, with their conditions', async () => {
    const { server } = await started(600);
    await turn();
    const schemas = (await server.get(`${PATH}/flowschemas`)).json.items;
    expect(schemas.map((s: { metadata: { name: string } }) => s.metadata.name)).toEqual([
      'catch-all',
      'exempt',
      'global-default',
      'kube-controller-manager',
      'kube-scheduler',
      'kube-system-service-accounts',
      'probes',
      'service-accounts',
      'system-leader-election',
      'system-node-high',
      'system-nodes',
    ]);
    const table = { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } };
    const { rows } = (await server.get(`${PATH}/flowschemas`, table)).json;
    expect(rows.map((row: { cells: unknown[] }) => row.cells[2])).toEqual([
      1, 2, 100, 400, 500, 800, 800, 900, 9000, 9900, 10_000,
    ]);
    const exempt = (await server.get(`${PATH}/flowschemas/exempt`)).json;
    const conditions = async () => (await server.get(`${PATH}/flowschemas/exempt`)).json.status.conditions;
    await expect.poll(conditions).toMatchObject([
      {
        type: 'Dangling',
        status: 'False',
        reason: 'Found',
        message: 'This FlowSchema references the PriorityLevelConfiguration object named "exempt" and it exists',
      },
    ]);
    expect(exempt.metadata.annotations).toEqual({ 'apf.kubernetes.io/autoupdate-spec': 'true' });
    const levels = (await server.get(`${PATH}/prioritylevelconfigurations`)).json.items;
    expect(levels).toHaveLength(8);
  });

  it('are made again within a minute, but left alone where an administrator changed them', async () => {
    const { server, clock } = await started(600);
    await server.remove(`${PATH}/flowschemas/catch-all`);
    const path = `${PATH}/prioritylevelconfigurations/system`;
    const merge = 'application/merge-patch+json';
    const changed = await server.patch(path, merge, {
      metadata: { annotations: { 'apf.kubernetes.io/autoupdate-spec': 'false' } },
      spec: { limited: { nominalConcurrencyShares: 77 } },
    });
    expect(changed.code).toBe(200);
    await server.patch(`${PATH}/prioritylevelconfigurations/node-high`, merge, {
      spec: { limited: { nominalConcurrencyShares: 78 } },
    });
    await clock.advance(61_000);
    await expect.poll(async () => (await server.get(`${PATH}/flowschemas/catch-all`)).code).toBe(200);
    expect((await server.get(path)).json.spec.limited.nominalConcurrencyShares).toBe(77);
    const shares = async () =>
      (await server.get(`${PATH}/prioritylevelconfigurations/node-high`)).json.spec.limited.nominalConcurrencyShares;
    await expect.poll(shares).toBe(40);
  });

  it('a schema without its level dangles, and is not used', async () => {
    const { server, flow } = await started(600);
    const mine = schema('mine', 'nowhere', 50, 'eve');
    await server.post(`${PATH}/flowschemas`, mine);
    const conditions = async () => (await server.get(`${PATH}/flowschemas/mine`)).json.status.conditions;
    await expect.poll(conditions).toMatchObject([
      {
        status: 'True',
        reason: 'NotFound',
        message: 'This FlowSchema references the PriorityLevelConfiguration object named "nowhere" but there is no such object',
      },
    ]);
    expect(flow.classify(request(user('eve'))).schema).toBe('global-default');
  });
});

describe('classification', () => {
  it('by users, groups, accounts, resources, paths and precedence', async () => {
    const { server, flow } = await started(600);
    const of = (r: RequestAttributes): string => flow.classify(r).schema;
    const node = user('system:node:a', 'system:nodes');
    const account = user('system:serviceaccount:kube-system:x', 'system:serviceaccounts');
    const leases = { apiGroup: 'coordination.k8s.io' };
    expect(of(request(user('root', 'system:masters')))).toBe('exempt');
    expect(of(request(node, 'patch', 'nodes', { subresource: 'status', namespace: '' }))).toBe('system-node-high');
    expect(of(request(node, 'update', 'leases', leases))).toBe('system-node-high');
    expect(of(request(node))).toBe('system-nodes');
    expect(of(request(account, 'get', 'leases', leases))).toBe('system-leader-election');
    expect(of(request(account, 'list', 'leases', leases))).toBe('kube-system-service-accounts');
    expect(of(request(user('system:serviceaccount:d:x', 'system:serviceaccounts')))).toBe('service-accounts');
    expect(of(request(user('eve')))).toBe('global-default');
    const path = { isResourceRequest: false, resource: '', namespace: '' };
    expect(of(request(user('eve'), 'get', '', { ...path, path: '/healthz' }))).toBe('probes');
    expect(of(request(user('eve'), 'get', '', { ...path, path: '/readyz/etcd' }))).toBe('probes');
    expect(of(request(user('eve'), 'get', '', { ...path, path: '/metrics' }))).toBe('global-default');
    await server.post(`${PATH}/flowschemas`, schema('mine', 'workload-low', 50, 'eve', 'pods/log'));
    await turn();
    expect(of(request(user('eve'), 'get', 'pods', { subresource: 'log' }))).toBe('mine');
    expect(of(request(user('eve'), 'get', 'pods'))).toBe('global-default');
  });
});

/** A level of `seats` seats that are no one's but Eve's and Bob's. */
async function narrow(seats: number, queuing?: object): Promise<{ server: TestServer; flow: FlowControl; clock: VirtualClock }> {
  const clock = new VirtualClock(Date.parse('2026-01-01T00:00:00Z'));
  const server = await startServer(clock);
  await server.post(
    `${PATH}/prioritylevelconfigurations`,
    level('narrow', {
      nominalConcurrencyShares: seats,
      borrowingLimitPercent: 0,
      limitResponse: queuing === undefined ? { type: 'Reject' } : { type: 'Queue', queuing },
    }),
  );
  for (const name of ['eve', 'bob']) await server.post(`${PATH}/flowschemas`, schema(name, 'narrow', 50, name));
  const flow = new FlowControl({ clock, logger: silentLogger, seats: SUGGESTED_SHARES + seats });
  await addFlowControl(server.server, flow);
  await turn();
  return { server, flow, clock };
}

describe('seats', () => {
  const eve = user('eve');
  const bob = user('bob');
  const arrive = (flow: FlowControl, who: UserInfo): Ticket => flow.arrive(request(who), undefined, 0);

  it('where there are no queues, who comes too many is refused, and told to wait longer the more are', async () => {
    const { flow, clock } = await narrow(2);
    const first = [arrive(flow, eve), arrive(flow, eve)];
    expect(first.map((t) => t.state)).toEqual(['running', 'running']);
    const third = arrive(flow, bob);
    expect([third.state, third.refusal, flow.retryAfter(third)]).toEqual(['refused', 'concurrency-limit', 1]);
    for (let second = 0; second < 3; second++) {
      for (let i = 0; i < 10; i++) flow.arrive(request(bob), undefined, clock.monotonic());
      await clock.advance(1000);
    }
    expect(flow.retryAfter(third)).toBeGreaterThan(1);
    flow.finish(first[0]!, clock.monotonic());
    expect(arrive(flow, bob).state).toBe('running');
  });

  it('who has to wait does so in a queue, and runs when there is room', async () => {
    const { flow } = await narrow(1, { queues: 4, handSize: 1, queueLengthLimit: 2 });
    const first = arrive(flow, eve);
    const waiting = [arrive(flow, eve), arrive(flow, eve)];
    expect(waiting.map((t) => t.state)).toEqual(['waiting', 'waiting']);
    expect(arrive(flow, eve).refusal).toBe('queue-full');
    const ran: number[] = [];
    waiting.forEach((t, i) => {
      t.onDecision = () => ran.push(i);
    });
    flow.finish(first, 1);
    flow.finish(first, 1);
    await turn();
    expect(ran).toEqual([0]);
    flow.finish(waiting[0]!, 2);
    await turn();
    expect(ran).toEqual([0, 1]);
  });

  it('a flow that floods does not keep another from its turn', async () => {
    const { flow } = await narrow(1, { queues: 64, handSize: 4, queueLengthLimit: 50 });
    const order: string[] = [];
    let running: Ticket = arrive(flow, eve);
    const wait = (who: UserInfo): void => {
      const ticket = arrive(flow, who);
      expect(ticket.state).toBe('waiting');
      ticket.onDecision = () => {
        order.push(who.name);
        running = ticket;
      };
    };
    for (let i = 0; i < 100; i++) wait(eve);
    for (let i = 0; i < 3; i++) wait(bob);
    for (let i = 1; i < 20; i++) {
      flow.finish(running, i * 10);
      await turn();
    }
    // Eve's hand is of four queues, Bob's has at least one for itself.
    expect(order.filter((name) => name === 'bob')).toHaveLength(3);
  });

  it('nobody waits longer than a quarter of the time a request has; who is gone waits no more', async () => {
    const { flow, clock } = await narrow(1, { queues: 1, handSize: 1, queueLengthLimit: 5 });
    arrive(flow, eve);
    const [late, gone] = [arrive(flow, eve), arrive(flow, bob)];
    const decided: string[] = [];
    late.onDecision = () => decided.push('late');
    flow.giveUp(gone, 'cancelled');
    expect(gone.refusal).toBe('cancelled');
    await clock.advance(15_000);
    expect(decided).toEqual(['late']);
    expect(late.refusal).toBe('time-out');
    expect(flow.levels().find((l) => l.name === 'narrow')).toMatchObject({ waiting: 0, executing: 1, timedOut: 1, cancelled: 1 });
  });

  it('are lent to whom they are asked of, within ten seconds', async () => {
    const { flow, clock } = await started(600);
    const limit = (name: string): number => flow.levels().find((l) => l.name === name)!.limit;
    const before = limit('global-default');
    const tickets: Ticket[] = [];
    for (let i = 0; i < 200; i++) tickets.push(flow.arrive(request(user('eve')), undefined, clock.monotonic()));
    expect(tickets.filter((t) => t.state === 'running')).toHaveLength(before);
    await clock.advance(10_001);
    await turn();
    expect(limit('global-default')).toBeGreaterThan(150);
    expect(tickets.filter((t) => t.state === 'running').length).toBe(Math.min(200, limit('global-default')));
    // What others may not do without stays theirs.
    expect(limit('leader-election')).toBeGreaterThanOrEqual(25);
    expect(flow.levels().reduce((sum, l) => sum + l.limit, 0)).toBeLessThanOrEqual(610);
  });

  it('a level that is gone ends when its requests have', async () => {
    const { server, flow } = await narrow(1, { queues: 1, handSize: 1, queueLengthLimit: 5 });
    const ticket = arrive(flow, eve);
    await server.remove(`${PATH}/prioritylevelconfigurations/narrow`);
    await turn();
    expect(flow.levels().find((l) => l.name === 'narrow')?.quiescing).toBe(true);
    expect(flow.classify(request(eve)).level).toBe('global-default');
    flow.finish(ticket, 1);
    await turn();
    expect(flow.levels().some((l) => l.name === 'narrow')).toBe(false);
  });

  it('wide lists and watched writes take more than one', async () => {
    const { server, flow } = await started(600);
    flow.countObjectsBy(() => 1000);
    const seats = (r: RequestAttributes, query = ''): number => flow.arrive(r, new URLSearchParams(query), 0).maxSeats;
    expect(seats(request(eve, 'list'))).toBe(8);
    expect(seats(request(eve, 'list'), 'limit=100')).toBe(2);
    expect(seats(request(eve, 'list', 'pods', { name: 'x' }))).toBe(1);
    expect(seats(request(eve, 'watch'), 'resourceVersion=5')).toBe(1);
    expect(seats(request(eve, 'watch'))).toBe(8);
    const ends = Array.from({ length: 25 }, () => flow.watching(request(eve, 'watch')));
    expect(seats(request(eve, 'create'))).toBe(3);
    expect(seats(request(eve, 'create', 'pods', { namespace: 'other' }))).toBe(1);
    for (const end of ends) end();
    expect(seats(request(eve, 'create'))).toBe(1);
    expect(server.server.flowControl).toBe(flow);
  });
});

describe('over HTTP', () => {
  it('answers tell the uids of schema and level', async () => {
    const { server } = await started(600);
    const uid = async (path: string): Promise<string> => (await server.get(`${PATH}/${path}`)).json.metadata.uid;
    const { headers } = await server.get('/api/v1/pods', { as: 'root' });
    expect(headers['x-kubernetes-pf-flowschema-uid']).toBe(await uid('flowschemas/exempt'));
    expect(headers['x-kubernetes-pf-prioritylevel-uid']).toBe(await uid('prioritylevelconfigurations/exempt'));
  });

  it('refuses with a sentence, and counts it; watches free their seat when they follow', async () => {
    const { server, flow } = await narrow(1);
    const watching = await server.watch('/api/v1/pods?watch=1', { as: 'eve' });
    expect(watching.head.statusCode).toBe(200);
    expect((await server.get('/api/v1/pods', { as: 'eve' })).code).toBe(200);
    const held = flow.arrive(request(user('eve')), undefined, 0);
    const answer = await server.get('/api/v1/pods', { as: 'eve' });
    expect(answer.code).toBe(429);
    expect(answer.body.toString()).toBe('Too many requests, please try again later.\n');
    expect(answer.headers['retry-after']).toBe('1');
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect((await server.get('/api/v1/pods', { as: 'root' })).code).toBe(200);
    flow.finish(held, 1);
    expect((await server.get('/api/v1/pods', { as: 'eve' })).code).toBe(200);
    watching.stop();
  });

  it('lets those that wait go on, and forgets clients that are gone', async () => {
    const { server, flow } = await narrow(1, { queues: 2, handSize: 1, queueLengthLimit: 5 });
    const narrowLevel = flow.levels().find((l) => l.name === 'narrow')!;
    const held = flow.arrive(request(user('eve')), undefined, 0);
    const answer = server.get('/api/v1/pods', { as: 'eve' });
    const leaver = httpsRequest({
      port: server.port,
      path: '/api/v1/pods',
      ca: server.pki.ca,
      servername: 'localhost',
      headers: { authorization: 'Bearer bob' },
    });
    leaver.on('error', () => {});
    leaver.end();
    while (narrowLevel.waiting < 2) await turn();
    const dump = await server.get('/debug/api_priority_and_fairness/dump_requests?includeRequestDetails=1', { as: 'root' });
    expect(dump.body.toString()).toMatch(/\nnarrow, +bob, +\d, +\d, +bob, .* bob, +list, +\/api\/v1\/pods, /);
    leaver.destroy();
    while (narrowLevel.waiting > 1) await turn();
    expect(narrowLevel.cancelled).toBe(1);
    flow.finish(held, 1);
    expect((await answer).code).toBe(200);
  });

  it('forgets clients of HTTP/2 that are gone, waiting or about to watch', async () => {
    const { server, flow } = await narrow(1, { queues: 2, handSize: 1, queueLengthLimit: 5 });
    const narrowLevel = flow.levels().find((l) => l.name === 'narrow')!;
    const held = flow.arrive(request(user('eve')), undefined, 0);
    const session = connectHttp2(`https://localhost:${server.port}`, { ca: server.pki.ca });
    const ask = (path: string) => session.request({ ':path': path, authorization: 'Bearer bob' }).on('error', () => {});
    const streams = [ask('/api/v1/pods'), ask('/api/v1/pods?watch=1')];
    while (narrowLevel.waiting < 2) await turn();
    streams[0]!.close();
    while (narrowLevel.waiting > 1) await turn();
    flow.finish(held, 1);
    session.destroy();
    while (narrowLevel.executing > 0 || narrowLevel.waiting > 0) await turn();
    expect(narrowLevel.seatsInUse).toBe(0);
  });

  it('shows metrics and dumps', async () => {
    const { server } = await started(600);
    await server.get('/api/v1/pods', { as: 'eve' });
    const text = (await server.get('/metrics', { as: 'root' })).body.toString();
    expect(text).toContain(
      'apiserver_flowcontrol_dispatched_requests_total{flow_schema="global-default",priority_level="global-default"} ',
    );
    expect(text).toContain('apiserver_flowcontrol_nominal_limit_seats{priority_level="global-default"} 49');
    expect(text).toContain(
      'apiserver_flowcontrol_request_wait_duration_seconds_count{execute="true",flow_schema="global-default"',
    );
    const levels = (await server.get('/debug/api_priority_and_fairness/dump_priority_levels', { as: 'root' })).body.toString();
    expect(levels.split('\n')[0]).toBe(
      'PriorityLevelName, ActiveQueues, IsIdle, IsQuiescing, WaitingRequests, ExecutingRequests, DispatchedRequests, RejectedRequests, TimedoutRequests, CancelledRequests',
    );
    expect((await server.get('/debug/api_priority_and_fairness/nothing', { as: 'root' })).code).toBe(404);
  });
});
