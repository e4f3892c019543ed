import { jsonAnswer, type RouteAnswer, type RouteRequest, textAnswer } from '../http/routes.ts';
import type { ApiServer } from '../server.ts';

/** One thing that must be well: throws, or rejects, with the reason when it is not. */
export interface HealthCheck {
  readonly name: string;
  check(): void | Promise<void>;
}

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
  addChecks(server, '/healthz', checks.live);
  addChecks(server, '/livez', checks.live);
  addChecks(server, '/readyz', [...checks.live, ...checks.ready, shutdown]);
  server.addRoute('/version', () => jsonAnswer(200, version));
  server.addRoute('/metrics', async () => ({
    code: 200,
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
    body: Buffer.from(await server.metrics.text()),
  }));
  server.addRoute('/', () => jsonAnswer(200, { paths: [...new Set([...server.routes.paths(), ...groupPaths(server)])].sort() }));
}

function groupPaths(server: ApiServer): string[] {
  const out = new Set<string>();
  for (const { group, version } of [...server.registry.resources(), ...server.registry.virtuals()]) {
    if (group !== '') out.add(`/apis/${group}`);
    out.add(group === '' ? `/api/${version}` : `/apis/${group}/${version}`);
  }
  return [...out];
}

function addChecks(server: ApiServer, path: string, checks: readonly HealthCheck[]): void {
  const ping: HealthCheck = { name: 'ping', check: () => {} };
  const all = [ping, ...checks];
  server.addRoute(path, (request) => runAll(path.slice(1), all, request));
  for (const check of all) {
    server.addRoute(`${path}/${check.name}`, async () => {
      const failure = await run(check);
      return failure === undefined ? textAnswer(200, 'ok') : textAnswer(500, `internal server error: ${failure}\n`);
    });
  }
}

async function runAll(name: string, checks: readonly HealthCheck[], request: RouteRequest): Promise<RouteAnswer> {
  const excluded = new Set(request.query?.getAll('exclude') ?? []);
  const lines: string[] = [];
  let failed = false;
  for (const check of checks) {
    if (excluded.delete(check.name)) {
      lines.push(`[+]${check.name} excluded: ok`);
      continue;
    }
    const failure = await run(check);
    if (failure === undefined) lines.push(`[+]${check.name} ok`);
    else {
      failed = true;
      lines.push(`[-]${check.name} failed: reason withheld`);
    }
  }
  if (excluded.size > 0) {
    lines.push(`warn: some health checks cannot be excluded: no matches for ${[...excluded].map((e) => `"${e}"`).join(', ')}`);
  }
  if (failed) return textAnswer(500, `${lines.join('\n')}\n${name} check failed\n`);
  return request.query?.has('verbose') === true
    ? textAnswer(200, `${lines.join('\n')}\n${name} check passed\n`)
    : textAnswer(200, 'ok');
}

async function run(check: HealthCheck): Promise<string | undefined> {
  try {
    await check.check();
    return undefined;
  } catch (err) {
    return err instanceof Error ? err.message : String(err);
  }
}
