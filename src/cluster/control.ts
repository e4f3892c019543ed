import { rm } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { StoreCheck } from '../store/contract.ts';
import type { Logger } from '../util/logger.ts';
import type { SnapshotInfo } from './storage.ts';

/** How one part of the running cluster is. */
export interface ComponentStatus {
  readonly name: string;
  readonly healthy: boolean;
  /** What it is doing, or why it is not healthy. */
  readonly message: string;
}

/** What a running k8ts tells of itself. */
export interface ClusterStatus {
  readonly pid: number;
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly server: string;
  readonly dataDirectory: string;
  readonly components: readonly ComponentStatus[];
}

/** Longest that a local process is waited for, in milliseconds. */
const ASK_TIMEOUT_MS = 5_000;

/** What the control socket serves: the state, and a few requests that need the running process. */
export interface ControlHandlers {
  status(): Promise<ClusterStatus>;
  /** Imports an image archive into the node's runtime; gives the names it holds. */
  loadImage(file: string): Promise<readonly string[]>;
  readonly store: {
    /** Writes a snapshot to an absolute path on this machine. */
    snapshot(file: string): Promise<SnapshotInfo>;
    check(): Promise<StoreCheck>;
    /** Forgets all history. */
    compact(): Promise<{ readonly revision: number }>;
  };
}

/** Serves the control socket until the signal aborts. Only the owner of the data directory can reach it. */
export async function serveControl(
  socketPath: string,
  handlers: ControlHandlers,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  await rm(socketPath, { force: true });
  const server = createServer((req, res) => {
    const url = new URL(req.url ?? '/', 'http://control');
    const answer = async (): Promise<unknown> => {
      if (req.method === 'GET' && url.pathname === '/status') return handlers.status();
      if (req.method === 'POST' && url.pathname === '/images') return handlers.loadImage(url.searchParams.get('file') ?? '');
      if (req.method === 'POST' && url.pathname === '/store/snapshot')
        return handlers.store.snapshot(url.searchParams.get('file') ?? '');
      if (req.method === 'GET' && url.pathname === '/store/check') return handlers.store.check();
      if (req.method === 'POST' && url.pathname === '/store/compact') return handlers.store.compact();
      throw new Error(`no such request: ${req.method} ${url.pathname}`);
    };
    answer().then(
      (body) => res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
      (err: Error) => {
        logger.warn({ err, path: url.pathname }, 'control request failed');
        res.writeHead(500, { 'content-type': 'application/json' }).end(JSON.stringify({ error: err.message }));
      },
    );
  });
  signal.addEventListener('abort', () => server.close(), { once: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, resolve);
  });
  server.unref();
}

/** Asks the k8ts behind a control socket. Rejects when nobody answers there. `timeoutMs` in milliseconds. */
export function askControl<T>(socketPath: string, method: 'GET' | 'POST', path: string, timeoutMs = ASK_TIMEOUT_MS): Promise<T> {
  return new Promise((resolve, reject) => {
    const req = request({ socketPath, method, path, timeout: timeoutMs }, (res) => {
      let text = '';
      res.setEncoding('utf8');
      res.on('data', (chunk: string) => {
        text += chunk;
      });
      res.on('end', () => {
        const body = JSON.parse(text) as T & { readonly error?: string };
        if (res.statusCode === 200) resolve(body);
        else reject(new Error(body.error ?? `HTTP ${res.statusCode}`));
      });
    });
    req.on('timeout', () => req.destroy(new Error('no answer')));
    req.on('error', reject);
    req.end();
  });
}
