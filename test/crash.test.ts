import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { StoreEvent } from '../src/store/contract.ts';
import { openEmbeddedStore } from '../src/store/embedded.ts';
import { systemClock } from '../src/util/clock.ts';
import { silentLogger } from '../src/util/logger.ts';
import { SeededRandom } from '../src/util/random.ts';
import { ControlPlaneProcess } from './support/control-plane.ts';
import { contradiction, type Operation, type Version } from './support/linearizability.ts';

/**
 * A control plane that is killed again and again while clients write, read and watch. Afterwards the store's own history is held against
 * everything that anybody was told. `K8TS_CRASHES` kills more often, `K8TS_SEED` begins otherwise.
 */

const CRASHES = Number(process.env['K8TS_CRASHES'] ?? 40);
const SEED = Number(process.env['K8TS_SEED'] ?? 20_260_101);
/** Without a number of crashes asked for, no further one begins after this: slow machines crash less often. Milliseconds. */
const BUDGET_MS = process.env['K8TS_CRASHES'] === undefined ? 40_000 : Number.POSITIVE_INFINITY;
const WRITERS = 6;
const WATCHERS = 3;
const OBJECTS = 5;
const PREFIX = 'crash-';
const maps = '/api/v1/namespaces/default/configmaps';
const STORED = '/registry/configmaps/default/';

interface ConfigMap {
  readonly metadata: { readonly name: string; readonly uid: string; readonly resourceVersion: string };
  readonly data?: Readonly<Record<string, string>>;
}

/** What a watcher saw: a list, or what it resumed from, and the changes after. */
interface Segment {
  readonly after: number;
  /** The list that it began with; undefined when it resumed. */
  readonly listed: readonly ConfigMap[] | undefined;
  readonly events: { readonly type: string; readonly object: ConfigMap }[];
  /** Nothing is missing up to here. */
  upTo: number;
}

/** Everything that was asked and told. */
class Fleet {
  readonly #plane: ControlPlaneProcess;
  readonly #random: SeededRandom;
  readonly operations = new Map<string, Operation[]>();
  /** Tokens sent with writes, each once; and those that were acknowledged, by revision. */
  readonly sent = new Map<string, { readonly kind: 'whole' | 'patch'; readonly data: Readonly<Record<string, string>> }>();
  readonly acknowledged = new Map<number, string>();
  readonly segments: Segment[][] = [];
  readonly reused: number[] = [];
  resumed = 0;
  running = true;
  #tokens = 0;

  constructor(plane: ControlPlaneProcess, random: SeededRandom) {
    this.#plane = plane;
    this.#random = random;
  }

  async write(client: string): Promise<void> {
    while (this.running) {
      const name = `${PREFIX}${this.#random.int(OBJECTS)}`;
      try {
        await this.#once(client, name);
      } catch {
        // No answer: whether it happened is not known. The next one finds out.
        await pause(5);
      }
    }
  }

  async #once(client: string, name: string): Promise<void> {
    const path = `${maps}/${name}`;
    const { known } = await this.#read(client, name);
    if (known === undefined) {
      const [token, data] = this.#token('whole');
      await this.#ask(client, name, token, 'POST', maps, { metadata: { name }, data });
      return;
    }
    const { uid, resourceVersion } = known.metadata;
    const dice = this.#random.int(10);
    if (dice < 5) {
      const [token, data] = this.#token('whole', known.data);
      const body = { metadata: { name, resourceVersion }, data };
      await this.#ask(client, name, token, 'PUT', path, body, Number(resourceVersion));
    } else if (dice < 9) {
      const [token, data] = this.#token('patch');
      await this.#ask(client, name, token, 'PATCH', path, { data });
    } else await this.#remove(client, name, uid);
  }

  /** A token names one write. It replaces all data, or is added to them. */
  #token(kind: 'whole' | 'patch', before: Readonly<Record<string, string>> = {}): readonly [string, Record<string, string>] {
    const token = `t${++this.#tokens}`;
    const count = String(Number(before['count'] ?? 0) + 1);
    const data: Record<string, string> = kind === 'whole' ? { count, token } : { patched: token, token };
    this.sent.set(token, { kind, data });
    return [token, data];
  }

  #tell(client: string, name: string, asked: number, outcome: Operation['outcome']): void {
    let list = this.operations.get(name);
    if (list === undefined) this.operations.set(name, (list = []));
    list.push({ client, asked, answered: performance.now(), outcome });
  }

  async #read(client: string, name: string): Promise<{ readonly known: ConfigMap | undefined }> {
    const asked = performance.now();
    const { code, json } = await this.#plane.request('GET', `${maps}/${name}`);
    if (code === 404) this.#tell(client, name, asked, { type: 'absent' });
    else if (code === 200) this.#tell(client, name, asked, { type: 'read', revision: Number(json.metadata.resourceVersion) });
    else throw new Error(`HTTP ${code}`);
    return { known: code === 404 ? undefined : (json as ConfigMap) };
  }

  async #ask(
    client: string,
    name: string,
    token: string,
    method: string,
    path: string,
    body: object,
    expected = 0,
  ): Promise<void> {
    const asked = performance.now();
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const { code, json } = await this.#plane.request(method, path, body, type);
    if (code === 200 || code === 201) {
      const revision = Number(json.metadata.resourceVersion);
      if (this.acknowledged.has(revision)) this.reused.push(revision);
      this.acknowledged.set(revision, token);
      this.#tell(client, name, asked, { type: 'written', revision });
      return;
    }
    if (code >= 500) throw new Error(`HTTP ${code}`);
    // What was refused must never show.
    this.sent.delete(token);
    if (code === 404) this.#tell(client, name, asked, { type: 'absent' });
    else if (code === 409 && method === 'POST') this.#tell(client, name, asked, { type: 'present' });
    else if (code === 409 && method === 'PUT') this.#tell(client, name, asked, { type: 'elsewhere', revision: expected });
    else throw new Error(`${method} ${path}: HTTP ${code} ${JSON.stringify(json)}`);
  }

  async #remove(client: string, name: string, uid: string): Promise<void> {
    const asked = performance.now();
    const { code } = await this.#plane.request('DELETE', `${maps}/${name}`, { preconditions: { uid } });
    if (code === 200) this.#tell(client, name, asked, { type: 'deleted', uid });
    else if (code === 404) this.#tell(client, name, asked, { type: 'absent' });
    else if (code !== 409) throw new Error(`HTTP ${code}`);
  }

  /** Lists and watches; resumes from what it saw last, and lists anew only when it is told that this is gone. */
  async watch(client: number): Promise<void> {
    const segments: Segment[] = [];
    this.segments.push(segments);
    let last: number | undefined;
    while (this.running) {
      try {
        last = await this.#follow(client, segments, last);
      } catch {
        last = segments.at(-1)?.upTo;
        await pause(5);
      }
    }
  }

  async #follow(client: number, segments: Segment[], last: number | undefined): Promise<number | undefined> {
    let listed: readonly ConfigMap[] | undefined;
    let after = last;
    if (after === undefined) {
      const { code, json } = await this.#plane.request('GET', maps);
      if (code !== 200) throw new Error(`HTTP ${code}`);
      listed = json.items as readonly ConfigMap[];
      after = Number(json.metadata.resourceVersion);
    }
    const query = `watch=1&allowWatchBookmarks=true&resourceVersion=${after}`;
    const answer = await this.#plane.open('GET', `${maps}?${query}`);
    if (answer.statusCode === 410) {
      answer.resume();
      return undefined;
    }
    if (answer.statusCode !== 200) throw new Error(`HTTP ${answer.statusCode}`);
    if (listed === undefined) this.resumed++;
    const segment: Segment = { after, listed, events: [], upTo: after };
    segments.push(segment);
    // The first goes on until the server goes; the others break off themselves.
    const most = client === 0 ? Number.POSITIVE_INFINITY : 1 + this.#random.int(120);
    return (await this.#receive(answer, segment, most)) ? segment.upTo : undefined;
  }

  /** Reads events until the stream breaks or there were enough. False: what was asked for is gone. */
  async #receive(answer: IncomingMessage, segment: Segment, most: number): Promise<boolean> {
    let rest = '';
    answer.setEncoding('utf8');
    for await (const chunk of answer) {
      const lines = (rest + String(chunk)).split('\n');
      // What the kill cut off is no event.
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const event = JSON.parse(line) as { readonly type: string; readonly object: ConfigMap };
        if (event.type === 'ERROR') return false;
        segment.upTo = Number(event.object.metadata.resourceVersion);
        if (event.type !== 'BOOKMARK') segment.events.push(event);
      }
      if (segment.events.length >= most || !this.running) break;
    }
    return true;
  }
}

/** The changes under a prefix that a stopped store remembers, oldest first. */
async function historyOf(directory: string): Promise<readonly StoreEvent[]> {
  const store = await openEmbeddedStore({ path: join(directory, 'store'), clock: systemClock, logger: silentLogger });
  try {
    expect((await store.check()).faults).toEqual([]);
    expect(store.compactedRevision).toBe(1);
    const events: StoreEvent[] = [];
    const stop = new AbortController();
    await new Promise<void>((resolve, reject) => {
      const onProgress = (revision: number): void => void (revision >= store.revision && resolve());
      store.watch(STORED, 1, { onEvents: (more) => void events.push(...more), onProgress, onError: reject }, stop.signal);
    });
    stop.abort();
    return events;
  } finally {
    await store.close();
  }
}

function contentOf({ value }: StoreEvent): Version['content'] {
  if (value === undefined) return undefined;
  const object = JSON.parse(Buffer.from(value).toString()) as ConfigMap;
  return { uid: object.metadata.uid, data: object.data ?? {} };
}

/** Every version is what its writer sent, on top of the version before where it was a patch; no write happened twice. */
function expectOwnWrites(history: readonly Version[], fleet: Fleet, seen: Set<string>): void {
  let before: Version['content'];
  for (const { revision, content } of history) {
    if (content !== undefined) {
      const token = content.data['token'] ?? '';
      const sent = fleet.sent.get(token);
      expect([revision, token, sent === undefined, seen.has(token)]).toEqual([revision, token, false, false]);
      seen.add(token);
      expect([revision, content.data]).toEqual([
        revision,
        sent!.kind === 'whole' ? sent!.data : { ...before?.data, ...sent!.data },
      ]);
    }
    before = content;
  }
}

/** A segment holds exactly what happened after its beginning, and began with what there was. */
function expectWhole(segment: Segment, history: readonly StoreEvent[]): void {
  const { after, upTo, listed, events } = segment;
  const expected = history.filter(({ revision }) => revision > after && revision <= upTo);
  const line = (type: string, name: string, revision: number | string): string => `${type} ${name} ${revision}`;
  expect(events.map(({ type, object: { metadata } }) => line(type, metadata.name, metadata.resourceVersion))).toEqual(
    expected.map(({ type, key, revision, createRevision }) => {
      const kind = type === 'delete' ? 'DELETED' : createRevision === revision ? 'ADDED' : 'MODIFIED';
      return line(kind, key.slice(STORED.length), revision);
    }),
  );
  for (const [i, { type, object }] of events.entries()) {
    if (type !== 'DELETED') expect(object.data).toEqual(contentOf(expected[i]!)?.data);
  }
  if (listed === undefined) return;
  const state = new Map<string, number>();
  for (const { type, key, revision } of history) {
    if (revision > after) break;
    if (type === 'put') state.set(key.slice(STORED.length), revision);
    else state.delete(key.slice(STORED.length));
  }
  const found = listed.map(({ metadata }) => [metadata.name, Number(metadata.resourceVersion)]);
  expect(found).toEqual([...state].sort(([a], [b]) => (a < b ? -1 : 1)));
}

describe('a control plane that is killed at any moment', () => {
  it('keeps what it acknowledged, in one order, and tells it to watchers without gap or repeat', async () => {
    console.log(`up to ${CRASHES} crashes, seed ${SEED}`);
    const directory = mkdtempSync(join(tmpdir(), 'k8ts-crash-'));
    const plane = await ControlPlaneProcess.create(join(directory, 'data'));
    try {
      const random = new SeededRandom(SEED);
      await plane.start();
      const fleet = new Fleet(plane, new SeededRandom(SEED + 1));
      const work = [
        ...Array.from({ length: WRITERS }, (_, i) => fleet.write(`writer ${i}`)),
        ...Array.from({ length: WATCHERS }, (_, i) => fleet.watch(i)),
      ];
      const begun = performance.now();
      let crashes = 0;
      for (; crashes < CRASHES && performance.now() - begun < BUDGET_MS; crashes++) {
        await pause(random.int(400));
        await plane.end('SIGKILL');
        plane.spawn();
        // One in four does not even come to serve.
        if (random.int(4) > 0) await plane.ready();
      }
      await plane.ready();
      await pause(200);
      fleet.running = false;
      await plane.end('SIGTERM');
      await Promise.all(work);

      const all = await historyOf(plane.directory);
      const revisions = all.map(({ revision }) => revision);
      expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
      const mine = all.filter(({ key }) => key.startsWith(STORED + PREFIX));
      const seen = new Set<string>();
      for (let i = 0; i < OBJECTS; i++) {
        const name = `${PREFIX}${i}`;
        const own = mine.filter(({ key }) => key === STORED + name);
        const history = own.map((event) => ({ revision: event.revision, content: contentOf(event) }));
        expectOwnWrites(history, fleet, seen);
        expect(contradiction(history, fleet.operations.get(name) ?? [])).toBeUndefined();
      }
      expect(fleet.reused).toEqual([]);
      const stored = new Map(mine.map((event) => [event.revision, contentOf(event)?.data['token']]));
      for (const [revision, token] of fleet.acknowledged) expect([revision, stored.get(revision)]).toEqual([revision, token]);
      for (const segments of fleet.segments) for (const segment of segments) expectWhole(segment, all);
      expect(fleet.resumed).toBeGreaterThan(0);
      console.log(
        `${crashes} crashes, ${fleet.acknowledged.size} writes acknowledged of ${mine.length} changes, ${fleet.resumed} watches resumed`,
      );
      expect(fleet.acknowledged.size).toBeGreaterThan(crashes);
    } finally {
      await plane.end('SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    }
  });
});

describe('the check of answers', () => {
  const history: readonly Version[] = [
    { revision: 2, content: { uid: 'a', data: {} } },
    { revision: 5, content: { uid: 'a', data: {} } },
    { revision: 7, content: undefined },
    { revision: 9, content: { uid: 'b', data: {} } },
  ];
  const told = (asked: number, answered: number, outcome: Operation['outcome']): Operation => ({
    client: 'c',
    asked,
    answered,
    outcome,
  });

  it.each<readonly [string, readonly Operation[], boolean]>([
    [
      'a read that overlaps a write may show either',
      [told(0, 9, { type: 'written', revision: 5 }), told(1, 2, { type: 'read', revision: 2 })],
      true,
    ],
    [
      'a read after a write shows no older version',
      [told(0, 1, { type: 'written', revision: 5 }), told(2, 3, { type: 'read', revision: 2 })],
      false,
    ],
    ['a read shows no version that never was', [told(0, 1, { type: 'read', revision: 4 })], false],
    [
      'absent before the first and between',
      [told(0, 1, { type: 'absent' }), told(2, 3, { type: 'read', revision: 5 }), told(4, 5, { type: 'absent' })],
      true,
    ],
    [
      'not absent after the second creation',
      [told(0, 1, { type: 'written', revision: 9 }), told(2, 3, { type: 'absent' })],
      false,
    ],
    [
      'what was deleted is not read again',
      [told(0, 1, { type: 'deleted', uid: 'a' }), told(2, 3, { type: 'read', revision: 5 })],
      false,
    ],
    ['what is there was not deleted', [told(0, 1, { type: 'deleted', uid: 'b' })], false],
    [
      'a conflict needs another version',
      [told(0, 1, { type: 'written', revision: 9 }), told(2, 3, { type: 'elsewhere', revision: 9 })],
      false,
    ],
    [
      'two that overlap go in either order',
      [told(0, 5, { type: 'written', revision: 5 }), told(0, 5, { type: 'written', revision: 2 })],
      true,
    ],
    ['two in a row do not', [told(0, 1, { type: 'written', revision: 5 }), told(2, 5, { type: 'written', revision: 2 })], false],
  ])('%s', (_what, operations, possible) => {
    expect(contradiction(history, operations) === undefined).toBe(possible);
  });
});
