import { builtinResources } from '../../api/groups/index.ts';
import { type KubernetesObject, objectKey, splitKey } from '../../api/meta/object.ts';
import type { ApiRequest } from '../../api/request.ts';
import { type ApiServer, type ApiServerOptions, type Authorizer, createApiServer, loopbackUser } from '../../apiserver/index.ts';
import { accessReviews } from '../../apiserver/reviews/access-reviews.ts';
import { createClient } from '../../client/client.ts';
import type { Client, ResourceRef, Transport } from '../../client/contract.ts';
import type { Controller, ControllerContext } from '../../client/controller.ts';
import { createControllerContext, runControllers } from '../../client/controller-runner.ts';
import { inProcessTransport } from '../../client/in-process.ts';
import { namespaces } from '../../client/resource-refs.ts';
import { createMemoryStore } from '../../store/memory-store.ts';
import { VirtualClock } from '../../util/clock.ts';
import { silentLogger } from '../../util/logger.ts';
import { SeededRandom } from '../../util/random.ts';

/** Turns of the loop after which something that still asks is taken to do so for ever. */
const MAX_TURNS = 20_000;
/** Turns without a request after which everything is taken to be at rest. */
const QUIET_TURNS = 6;

/** A whole API server over the memory store on virtual time, with namespace `x`: validation, defaults, deletion rules and all. */
export interface ServerFixture {
  readonly server: ApiServer;
  readonly clock: VirtualClock;
  readonly client: Client;
  readonly context: ControllerContext;
  /** Every request made so far but reads; Events are left out. */
  readonly writes: ApiRequest[];
  /** May throw to make a request fail. */
  intercept: ((request: ApiRequest) => void) | undefined;
  start(...controllers: readonly Controller[]): void;
  create<T extends KubernetesObject>(ref: ResourceRef<T>, object: T): Promise<T>;
  /** Changes an object; `status` through its subresource. */
  change<T extends KubernetesObject>(ref: ResourceRef<T>, key: string, fn: (object: T) => T, subresource?: 'status'): Promise<T>;
  find<T extends KubernetesObject>(ref: ResourceRef<T>, key: string): T | undefined;
  all<T extends KubernetesObject>(ref: ResourceRef<T>, namespace?: string): readonly T[];
  /** Lets `ms` of virtual time pass, and everything that follows from it happen. */
  advance(ms?: number): Promise<void>;
  stop(): Promise<void>;
}

/** With a field manager, who manages which field is kept, and there is server-side apply. */
export async function createServerFixture(options: Pick<ApiServerOptions, 'fieldManager'> = {}): Promise<ServerFixture> {
  const clock = new VirtualClock();
  const random = new SeededRandom(1);
  const store = createMemoryStore({ clock, logger: silentLogger });
  const authorizer: Authorizer = { authorize: () => ({ decision: 'allow' }) };
  const server = await createApiServer({
    store,
    resources: builtinResources,
    virtualResources: accessReviews(authorizer),
    authenticators: [],
    authorizer,
    admission: [],
    ...options,
    clock,
    random,
    logger: silentLogger,
  });
  const writes: ApiRequest[] = [];
  let requests = 0;
  let running = 0;
  const inner = inProcessTransport(server, loopbackUser);
  const transport: Transport = {
    ...inner,
    async request(request) {
      requests++;
      running++;
      try {
        fixture.intercept?.(request);
        if (!['get', 'list'].includes(request.verb) && request.resource !== 'events') writes.push(request);
        return await inner.request(request);
      } finally {
        running--;
      }
    },
  };
  const client = createClient(transport);
  const context = createControllerContext({ client, clock, random, logger: silentLogger });
  const stopping = new AbortController();
  const fixture: ServerFixture = {
    server,
    clock,
    client,
    context,
    writes,
    intercept: undefined,
    start(...controllers) {
      runControllers(controllers, context, stopping.signal);
    },
    create: (ref, object) => client.resource(ref).create(object),
    async change(ref, key, fn, subresource) {
      const { namespace, name } = splitKey(key);
      const resource = client.resource(ref);
      const next = fn(await resource.get(name, namespace));
      return subresource === 'status' ? await resource.updateStatus(next) : await resource.update(next);
    },
    find(ref, key) {
      const { namespace, name } = splitKey(key);
      return server.access.view(ref.group, ref.plural)?.get(namespace, name) as never;
    },
    all: (ref, namespace) => [...(server.access.view(ref.group, ref.plural)?.list(namespace) ?? [])] as never,
    async advance(ms = 0) {
      let last = -1;
      let turns = 0;
      await clock.advance(ms);
      for (let quiet = 0; quiet < QUIET_TURNS; quiet++) {
        if (++turns > MAX_TURNS) throw new Error('the controllers do not come to rest');
        if (running > 0 || requests !== last) quiet = 0;
        last = requests;
        await clock.advance(0);
      }
    },
    async stop() {
      stopping.abort(new Error('test is over'));
      await server.close();
    },
  };
  await client.resource(namespaces).create({ metadata: { name: 'x' } });
  return fixture;
}

/** Names of objects, sorted: what most assertions are about. */
export const names = (objects: readonly KubernetesObject[]): readonly string[] =>
  objects.map((object) => object.metadata?.name ?? objectKey(object)).sort();
