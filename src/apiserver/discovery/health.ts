import { genericNotFound } from '../../api/meta/status.ts';
import { metric } from '../http/metrics.ts';
import { jsonAnswer, type RouteAnswer, type RouteRequest, textAnswer } from '../http/routes.ts';
import type { ApiServer } from '../server.ts';
import { type HealthCheck, HOOK_PREFIX } from './health-checks.ts';

/** Serves /healthz, /livez and /readyz with their single checks, /version, /metrics and the list of paths at `/`. */
export function addHealth(
  server: ApiServer,
  checks: { readonly live: readonly HealthCheck[]; readonly ready: readonly HealthCheck[] },
  version: Readonly<Record<string, string>>,
): void {
  const shutdown: HealthCheck = {
    name: 'shutdown',
    check: () => {
      if (server.closing) throw new Error('process is shutting down');
    },
  };
  const results = new CheckResults();
  const hooks = (): readonly HealthCheck[] => server.startHooks.checks;
  addChecks(server, results, '/healthz', () => [...checks.live, ...hooks()]);
  addChecks(server, results, '/livez', () => [...checks.live, ...hooks()]);
  addChecks(server, results, '/readyz', () => [...checks.live, ...checks.ready, ...hooks(), shutdown]);
  server.addRoute('/metrics/slis', () => ({
    code: 200,
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
    body: Buffer.from(results.text()),
  }));
  server.addRoute('/version', () => jsonAnswer(200, version));
  server.addRoute('/metrics', async () => ({
    code: 200,
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
    body: Buffer.from(await server.metrics.text()),
  }));
  server.addRoute('/', () => {
    const hookPaths = hooks().flatMap(({ name }) => ['healthz', 'livez', 'readyz'].map((path) => `/${path}/${name}`));
    return jsonAnswer(200, { paths: [...new Set([...server.routes.paths(), ...hookPaths, ...groupPaths(server)])].sort() });
  });
}

function groupPaths(server: ApiServer): string[] {
  const out = new Set<string>();
  for (const { group, version } of [...server.registry.resources(), ...server.registry.virtuals()]) {
    if (group !== '') out.add(`/apis/${group}`);
    out.add(group === '' ? `/api/${version}` : `/apis/${group}/${version}`);
  }
  return [...out];
}

/** How every check went: upstream's SLI metrics of health. */
class CheckResults {
  readonly #results = new Map<string, { readonly name: string; readonly type: string; ok: boolean; good: number; bad: number }>();

  note(name: string, type: string, ok: boolean): void {
    const key = `${type}/${name}`;
    let result = this.#results.get(key);
    if (result === undefined) this.#results.set(key, (result = { name, type, ok, good: 0, bad: 0 }));
    result.ok = ok;
    if (ok) result.good++;
    else result.bad++;
  }

  text(): string {
    const all = [...this.#results.values()];
    const count = (name: string, type: string, status: string, value: number): readonly string[] =>
      value === 0 ? [] : [`kubernetes_healthchecks_total{name="${name}",status="${status}",type="${type}"} ${value}`];
    return (
      metric(
        'kubernetes_healthcheck',
        'gauge',
        'This metric records the result of a single healthcheck.',
        all.map(({ name, type, ok }) => `kubernetes_healthcheck{name="${name}",type="${type}"} ${ok ? 1 : 0}`),
      ) +
      metric(
        'kubernetes_healthchecks_total',
        'counter',
        'This metric records the results of all healthcheck.',
        all.flatMap(({ name, type, good, bad }) => [...count(name, type, 'error', bad), ...count(name, type, 'success', good)]),
      )
    );
  }
}

function addChecks(server: ApiServer, results: CheckResults, path: string, checks: () => readonly HealthCheck[]): void {
  // What is logged is written before the logger returns: it has no queue that could be stuck.
  const always = ['ping', 'log'].map((name): HealthCheck => ({ name, check: () => {} }));
  const all = (): readonly HealthCheck[] => [...always, ...checks()];
  server.addRoute(path, (request) => runAll(path.slice(1), all(), request, results));
  const single = async (check: HealthCheck): Promise<RouteAnswer> => {
    const failure = await run(check);
    return failure === undefined ? answer(200, 'ok') : answer(500, `internal server error: ${failure}\n`);
  };
  for (const check of all()) server.addRoute(`${path}/${check.name}`, () => single(check));
  // Hooks are named as the start goes on.
  server.addRoutePrefix(`${path}/${HOOK_PREFIX}`, ({ path: asked }) => {
    const check = server.startHooks.checks.find(({ name }) => `${path}/${name}` === asked);
    if (check === undefined) throw genericNotFound();
    return single(check);
  });
}

const answer = (code: number, text: string): RouteAnswer => ({
  ...textAnswer(code, text),
  headers: { 'x-content-type-options': 'nosniff' },
});

async function runAll(
  name: string,
  checks: readonly HealthCheck[],
  request: RouteRequest,
  results: CheckResults,
): Promise<RouteAnswer> {
  const asked = new Set(request.query?.getAll('exclude') ?? []);
  const unknown = new Set(asked);
  const lines: string[] = [];
  let failed = false;
  for (const check of checks) {
    if (asked.has(check.name)) {
      unknown.delete(check.name);
      lines.push(`[+]${check.name} excluded: ok`);
      continue;
    }
    const failure = await run(check);
    results.note(check.name, name, failure === undefined);
    if (failure === undefined) lines.push(`[+]${check.name} ok`);
    else {
      failed = true;
      lines.push(`[-]${check.name} failed: reason withheld`);
    }
  }
  if (unknown.size > 0) {
    const names = [...unknown].sort().map((e) => `"${e}"`);
    lines.push(`warn: some health checks cannot be excluded: no matches for ${names.join(',')}`);
  }
  if (failed) return answer(500, `${lines.join('\n')}\n${name} check failed\n`);
  return request.query?.has('verbose') === true ? answer(200, `${lines.join('\n')}\n${name} check passed\n`) : answer(200, 'ok');
}

async function run(check: HealthCheck): Promise<string | undefined> {
  try {
    await check.check();
    return undefined;
  } catch (err) {
    return err instanceof Error ? err.message : String(err);
  }
}
