import { expect } from 'vitest';
import { systemClock } from '../../util/clock.ts';
import { type Logger, silentLogger } from '../../util/logger.ts';
import { SeededRandom } from '../../util/random.ts';
import { defaultAdmission, ensurePriorityClasses } from '../admission/index.ts';
import { serviceAccountKeys } from '../authn/service-account-keys.ts';
import { serviceAccountAuthenticator } from '../authn/service-account-token.ts';
import { ensureBootstrapPolicy } from '../authz/bootstrap.ts';
import { mastersAuthorizer, unionAuthorizer } from '../authz/chain.ts';
import { nodeAuthorizer } from '../authz/node.ts';
import { rbacAuthorizer } from '../authz/rbac.ts';
import { fieldManager } from '../field-manager/index.ts';
import { accessReviews } from '../reviews/access-reviews.ts';
import { tokenRequestHandler } from '../reviews/token-request.ts';
import { authenticationReviews } from '../reviews/token-reviews.ts';
import { createTestPki } from '../test-certificates.ts';
import { type Answer, type Ask, TestServer } from '../test-server.ts';
import { openTestStore } from '../test-store.ts';
import { type Manifest, manifests, NAMESPACE, placeOf } from './manifests.ts';

/** Upstream answers these 500, too. */
const knownFaults: readonly RegExp[] = [
  /^resourceVersion should not be set on objects to be created$/,
  /^Internal error occurred: the spec replicas field .* does not exist$/,
  // An applied configuration that does not fit its type, or a live object with list items that have no keys.
  /^failed to create typed (patch|live) object/,
];
/** No answer takes longer, on however slow a machine. */
const PATIENCE_MS = 15_000;

/** A whole API server (all of admission, field manager, reviews, RBAC) that keeps what it logs as faults. */
export class HostileServer {
  readonly api: TestServer;
  /** Errors that were logged: there should be none. */
  readonly faults: string[];

  private constructor(api: TestServer, faults: string[]) {
    this.api = api;
    this.faults = faults;
  }

  static async start(): Promise<HostileServer> {
    const faults: string[] = [];
    const logger: Logger = {
      ...silentLogger,
      error: (fields, message) => {
        const { err } = fields as { err?: Error };
        faults.push(`${message}: ${err?.stack ?? JSON.stringify(fields)}`);
      },
      child: () => logger,
    };
    const clock = systemClock;
    const pki = await createTestPki();
    const keys = serviceAccountKeys({ issuer: 'https://issuer', privateKey: pki.server.key, publicKeys: [] });
    const [tokens, rbac, nodes, fields] = [serviceAccountAuthenticator(keys), rbacAuthorizer(), nodeAuthorizer(), fieldManager()];
    const authorizer = unionAuthorizer([mastersAuthorizer, nodes, rbac]);
    const api = await TestServer.start({
      pki,
      clock,
      logger,
      random: new SeededRandom(7),
      store: await openTestStore(clock, logger),
      authorizer,
      admission: defaultAdmission({ authorizer }),
      fieldManager: fields,
      virtualResources: [...accessReviews(authorizer), ...authenticationReviews(tokens)],
      subresourceHandlers: [tokenRequestHandler(keys)],
    });
    for (const part of [tokens, rbac, nodes, fields]) part.initialize(api.server.access);
    await ensureBootstrapPolicy(api.server.access);
    await ensurePriorityClasses(api.server.access);
    const hostile = new HostileServer(api, faults);
    await hostile.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
    await hostile.create(`/api/v1/namespaces/${NAMESPACE}/serviceaccounts`, { metadata: { name: 'default' } });
    return hostile;
  }

  /** Creates one object of each type. */
  async populate(): Promise<readonly Manifest[]> {
    for (const manifest of manifests) await this.#populateOne(manifest);
    return manifests;
  }

  async #populateOne({ path, object }: Manifest): Promise<void> {
    await this.create(path, object);
    const plural = path.slice(path.lastIndexOf('/') + 1);
    if (plural !== 'customresourcedefinitions') return;
    // What is defined is served a moment later.
    while ((await this.api.get('/apis/g.example/v1/gadgets', { as: 'root' })).code !== 200) await turn();
  }

  async create(path: string, object: unknown): Promise<void> {
    const { code, body } = await this.api.post(path, object, { as: 'root' });
    if (code !== 201) throw new Error(`${path}: ${code} ${body.toString()}`);
  }

  /** The request, as a master unless said, and what has to hold of every answer: it comes, it is no fault, an error is a Status. */
  async ask(method: string, path: string, ask: Ask = {}): Promise<Answer> {
    const answer = await inTime(this.api.request(method, path, { as: 'root', ...ask }), `${method} ${path.slice(0, 200)}`);
    this.check(answer, `${method} ${path.slice(0, 200)}`);
    return answer;
  }

  check(answer: Answer, what: string): void {
    if (answer.code >= 400) {
      const text = answer.body.toString();
      const status = parsed(text);
      if (
        answer.code >= 500 &&
        ![501, 503, 504].includes(answer.code) &&
        !knownFaults.some((f) => f.test(String(status?.message)))
      ) {
        expect.fail(`${what}: ${answer.code} ${text.slice(0, 1000)}\n${this.faults.splice(0).join('\n')}`);
      }
      if (answer.headers['content-type'] === 'application/json') {
        expect({ kind: status?.kind, code: status?.code, status: status?.status }, what).toEqual({
          kind: 'Status',
          code: answer.code,
          status: 'Failure',
        });
      }
    }
    if (this.faults.length > 0) expect.fail(`${what}: ${this.faults.splice(0).join('\n')}`);
  }

  /** As `ask`, for a request that changes an object: what the server refuses changes nothing. */
  async askToChange(manifest: Manifest, method: string, path: string, ask: Ask): Promise<Answer> {
    const before = await this.api.get(placeOf(manifest), { as: 'root' });
    const answer = await this.ask(method, path, ask);
    if (answer.code < 400) return answer;
    const after = await this.api.get(placeOf(manifest), { as: 'root' });
    expect({ code: after.code, body: after.body.toString() }, `${method} ${path}: ${answer.code}`).toEqual({
      code: before.code,
      body: before.body.toString(),
    });
    return answer;
  }

  /** The server still serves, and nobody has touched what all objects inherit. */
  async expectSound(): Promise<void> {
    const answer = await inTime(this.api.get('/readyz', { as: 'root' }), 'afterwards');
    expect(answer.code).toBe(200);
    expect(Object.getOwnPropertyNames(Object.prototype).sort()).toEqual(untouched);
    for (const key in {}) expect.fail(`every object has ${key}`);
    expect(this.faults).toEqual([]);
  }

  close(): Promise<void> {
    return this.api.close();
  }
}

const untouched = Object.getOwnPropertyNames(Object.prototype).sort();

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** Fails when `answer` does not come. */
export async function inTime<T>(answer: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer: ${what}`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
