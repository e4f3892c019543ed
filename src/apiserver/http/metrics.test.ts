import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestServer } from '../test-server.ts';

let api: TestServer;
const maps = '/api/v1/namespaces/x/configmaps';

beforeAll(async () => {
  api = await TestServer.start();
});
afterAll(() => api.close());

const sample = (text: string, name: string, ...labels: readonly string[]): number => {
  const line = text.split('\n').find((l) => l.startsWith(`${name}{`) && labels.every((label) => l.includes(label)));
  return Number(line?.slice(line.lastIndexOf(' ') + 1));
};

describe('/metrics', () => {
  it('counts requests under the names of kube-apiserver', async () => {
    await api.post(maps, { metadata: { name: 'a' } });
    await api.post(maps, { metadata: { name: 'a' } });
    await api.get(`${maps}/a`);
    await api.get(`${maps}/a`);
    await api.get(maps);
    await api.get('/nowhere');
    const watch = await api.watch(`${maps}?watch=true`);
    await watch.next();
    watch.stop();
    const running = async (): Promise<number> =>
      sample((await api.get('/metrics')).body.toString(), 'apiserver_longrunning_requests', 'verb="WATCH"');
    while ((await running()) > 0) await new Promise((resolve) => setImmediate(resolve));
    const answer = await api.get('/metrics');
    expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    const text = answer.body.toString();
    const requests = (...labels: readonly string[]): number => sample(text, 'apiserver_request_total', ...labels);
    const group = ['group=""', 'version="v1"', 'resource="configmaps"', 'subresource=""', 'component="apiserver"', 'dry_run=""'];
    expect(requests('verb="POST"', 'scope="resource"', 'code="201"', ...group)).toBe(1);
    expect(requests('verb="POST"', 'code="409"', ...group)).toBe(1);
    expect(requests('verb="GET"', 'scope="resource"', 'code="200"', ...group)).toBe(2);
    expect(requests('verb="LIST"', 'scope="namespace"', 'code="200"', ...group)).toBe(1);
    expect(sample(text, 'apiserver_request_duration_seconds_count', 'verb="GET"', 'resource="configmaps"')).toBe(2);
    expect(sample(text, 'apiserver_request_duration_seconds_bucket', 'verb="GET"', 'resource="configmaps"', 'le="+Inf"')).toBe(2);
    expect(sample(text, 'apiserver_watch_events_total', 'resource="configmaps"')).toBe(1);
    expect(sample(text, 'apiserver_watch_events_sizes_count', 'resource="configmaps"')).toBe(1);
    expect(sample(text, 'apiserver_longrunning_requests', 'verb="WATCH"', 'resource="configmaps"')).toBe(0);
    expect(sample(text, 'apiserver_response_sizes_count', 'verb="LIST"', 'resource="configmaps"')).toBe(1);
    expect(sample(text, 'apiserver_request_sli_duration_seconds_count', 'verb="LIST"', 'resource="configmaps"')).toBe(1);
    expect(sample(text, 'apiserver_current_inflight_requests', 'request_kind="readOnly"')).toBe(1);
    expect(text).toContain('# TYPE apiserver_request_duration_seconds histogram');
    expect(text).toContain('process_cpu_seconds_total');
    // Paths that clients make up are no labels.
    expect(text).not.toContain('nowhere');
  });
});
