import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { allFields } from './all-fields.ts';
import { compare, isSame } from './compare.ts';
import { difference, equalSets, type FieldSet, has, isEmpty, pathsOf, setOf, withoutSelf } from './field-set.ts';
import type { JsonMap } from './json-value.ts';
import {
  applyConfiguration,
  ConflictError,
  type FieldFilter,
  type OwnedFields,
  type Owners,
  type OwnershipContext,
  updateOwners,
  type VersionedObject,
} from './ownership.ts';
import { showPath } from './path-element.ts';
import { shapeOf } from './shape.ts';
import { everythingShape, scalar, struct } from './test-schema.ts';

const oneVersion: OwnershipContext = { convert: (object) => object, filter: () => undefined };

/** An object and who owns what of it, as writes go over it. */
class World {
  value: JsonMap = {};
  owners: Owners = new Map();
  readonly #context: OwnershipContext;
  constructor(context: OwnershipContext = oneVersion) {
    this.#context = context;
  }
  get live(): VersionedObject {
    return { apiVersion: 'v1', shape: everythingShape, value: this.value, typed: false };
  }
  update(owner: string, value: JsonMap): this {
    const after = { ...this.live, value: deepFreeze(value) };
    this.owners = updateOwners(this.live, after, this.owners, owner, this.#context, (set) => set).owners;
    this.value = value;
    return this;
  }
  /** Whether the object changed. */
  apply(owner: string, config: JsonMap, force = false): boolean {
    const result = applyConfiguration(this.live, deepFreeze(config), this.owners, owner, force, this.#context);
    this.owners = result.owners;
    if (result.value !== undefined) this.value = deepFreeze(result.value as JsonMap);
    return result.value !== undefined;
  }
  conflicts(owner: string, config: JsonMap): readonly string[] {
    try {
      this.apply(owner, config);
      return [];
    } catch (err) {
      if (!(err instanceof ConflictError)) throw err;
      return err.conflicts.map((c) => `${c.owner} ${showPath(c.path)}`);
    }
  }
  owns(owner: string): readonly string[] {
    return pathsOf(this.owners.get(owner)?.set ?? {}).map(showPath);
  }
}

describe('updates', () => {
  it('own what they wrote, and nobody else does', () => {
    const w = new World().update('a', { text: '1', number: 1, labels: { x: '1' } });
    expect(w.owns('a')).toEqual(['.labels', '.number', '.text', '.labels.x']);
    w.update('b', { text: '2', number: 1, labels: { x: '1', y: '2' } });
    expect(w.owns('a')).toEqual(['.labels', '.number', '.labels.x']);
    expect(w.owns('b')).toEqual(['.text', '.labels.y']);
  });

  it('make nobody own what is gone, and drop owners of nothing', () => {
    const w = new World().update('a', { text: '1' }).update('b', { number: 1 });
    expect([...w.owners.keys()]).toEqual(['b']);
  });

  it('give the same sets again where nobody came to own anything else', () => {
    const w = new World().update('a', { text: '1', number: 1 }).update('b', { text: '2', number: 1 });
    const before = w.owners;
    w.update('b', { text: '3', number: 1 });
    expect(w.owners.get('a')).toBe(before.get('a'));
    expect(w.owners.get('b')).toBe(before.get('b'));
  });

  it('do not own what the endpoint throws away', () => {
    const filter: FieldFilter = { exclude: setOf(['f:labels']) };
    const w = new World({ ...oneVersion, filter: () => filter }).update('a', { text: '1', labels: { x: '1' } });
    expect(w.owns('a')).toEqual(['.text']);
  });
});

describe('apply', () => {
  it('owns what the configuration names', () => {
    const w = new World();
    w.apply('a', { text: '1', items: [{ name: 'x', value: '1' }] });
    expect(w.owns('a')).toEqual(['.text', '.items[name="x"]', '.items[name="x"].name', '.items[name="x"].value']);
  });

  it('shares a field with those who want the same of it', () => {
    const w = new World();
    w.apply('a', { text: '1' });
    expect(w.apply('b', { text: '1' })).toBe(false);
    expect([w.owns('a'), w.owns('b')]).toEqual([['.text'], ['.text']]);
  });

  it('conflicts with every owner of a field that it wants otherwise', () => {
    const w = new World();
    w.apply('b', { text: '1', number: 1 });
    w.apply('a', { text: '1' });
    w.update('c', { ...w.value, labels: { x: '1' } });
    expect(w.conflicts('z', { text: '2', number: 2, labels: { x: '2' } })).toEqual([
      'a .text',
      'b .number',
      'b .text',
      'c .labels.x',
    ]);
  });

  it('takes the field when forced', () => {
    const w = new World();
    w.apply('a', { text: '1', number: 1 });
    w.apply('b', { text: '2' }, true);
    expect([w.value['text'], w.owns('a'), w.owns('b')]).toEqual(['2', ['.number'], ['.text']]);
  });

  it('removes what it applied before, unless somebody else owns it', () => {
    const w = new World();
    w.apply('a', { text: '1', number: 1, labels: { x: '1', y: '1' } });
    w.apply('b', { labels: { y: '1' } });
    w.apply('a', { text: '1' });
    expect(w.value).toEqual({ text: '1', labels: { y: '1' } });
  });

  it('leaves what others wrote since', () => {
    const w = new World();
    w.apply('a', { number: 1, text: '1' });
    w.update('scaler', { number: 5, text: '1' });
    w.apply('a', { text: '1' });
    expect(w.value).toEqual({ text: '1', number: 5 });
    expect(w.owns('scaler')).toEqual(['.number']);
  });

  it('does not remove what it only changed by an update', () => {
    const w = new World().update('a/Update', { text: '1', number: 1 });
    w.apply('a/Apply', { text: '1' });
    w.apply('a/Apply', { labels: {} });
    expect(w.value).toEqual({ text: '1', number: 1, labels: {} });
  });

  it('removes items of lists, and values of sets', () => {
    const w = new World();
    w.apply('a', { items: [{ name: 'x' }, { name: 'y', value: '1' }], finalizers: ['f', 'g'] });
    w.apply('b', { finalizers: ['g', 'h'] });
    w.apply('a', { items: [{ name: 'y' }], finalizers: ['f'] });
    expect(w.value).toEqual({ items: [{ name: 'y' }], finalizers: ['f', 'g', 'h'] });
  });

  it('removes a whole item although it defaulted fields', () => {
    const w = new World();
    w.apply('a', { ports: [{ port: 80 }, { port: 81 }] });
    w.update('defaults', {
      ports: [
        { port: 80, protocol: 'TCP' },
        { port: 81, protocol: 'TCP' },
      ],
    });
    w.apply('a', { ports: [{ port: 81 }] });
    expect(w.value).toEqual({ ports: [{ port: 81, protocol: 'TCP' }] });
  });

  it('conflicts over a whole value when any part of it differs', () => {
    const w = new World();
    w.apply('a', { whole: { a: '1' } });
    expect(w.conflicts('b', { whole: { a: '1', b: '2' } })).toEqual(['a .whole']);
  });

  it('forgets owners of versions that are gone', () => {
    const w = new World({ ...oneVersion, convert: (object, version) => (version === 'old' ? undefined : object) });
    w.owners = new Map([['a', { set: setOf(['f:text']), apiVersion: 'old', applied: true }]]);
    w.value = { text: '1' };
    expect(w.conflicts('b', { text: '2' })).toEqual([]);
    expect([...w.owners.keys()]).toEqual(['b']);
  });
});

describe('versions', () => {
  /** v2 calls `text` what v1 calls `name`. */
  const shapes = {
    v1: shapeOf(struct({ name: scalar(), number: scalar('int32') })),
    v2: shapeOf(struct({ text: scalar(), number: scalar('int32') })),
  };
  const context: OwnershipContext = {
    filter: () => undefined,
    convert: (object, apiVersion) => {
      if (apiVersion === object.apiVersion) return object;
      const { name, text, ...rest } = (object.value ?? {}) as Record<string, unknown>;
      const said = name ?? text;
      const value = said === undefined ? rest : { ...rest, [apiVersion === 'v1' ? 'name' : 'text']: said };
      return { ...object, apiVersion, shape: shapes[apiVersion as 'v1' | 'v2'], value };
    },
  };
  const at = (apiVersion: 'v1' | 'v2', value: JsonMap): VersionedObject => ({
    apiVersion,
    shape: shapes[apiVersion],
    value,
    typed: false,
  });
  const owner = (...names: readonly string[]): OwnedFields => ({
    set: setOf(...names.map((n) => [`f:${n}`])),
    apiVersion: 'v1',
    applied: true,
  });

  it('finds conflicts with owners of another version', () => {
    const owners = new Map([['a', owner('name')]]);
    expect(() => applyConfiguration(at('v2', { text: 'x' }), { text: 'y' }, owners, 'b', false, context)).toThrow(ConflictError);
    const forced = applyConfiguration(at('v2', { text: 'x' }), { text: 'y' }, owners, 'b', true, context);
    expect([...forced.owners.keys()]).toEqual(['b']);
  });

  it('removes what was applied in another version', () => {
    const owners = new Map([['a', owner('name', 'number')]]);
    const result = applyConfiguration(at('v2', { text: 'x', number: 1 }), { number: 1 }, owners, 'a', false, context);
    expect(result.value).toEqual({ number: 1 });
    expect(result.owners.get('a')).toEqual({ set: { 'f:number': {} }, apiVersion: 'v2', applied: true });
  });
});

const word = fc.constantFrom('1', '2', '3');
const names = fc.constantFrom('a', 'b', 'c');
const flat = fc.record(
  {
    text: word,
    number: fc.constantFrom(1, 2),
    labels: fc.dictionary(names, word, { minKeys: 1, maxKeys: 3 }),
    finalizers: fc.uniqueArray(names, { minLength: 1 }),
  },
  { requiredKeys: [] },
);
const named = fc.uniqueArray(
  fc.record({ name: names, value: word, tags: fc.uniqueArray(names, { maxLength: 2 }) }, { requiredKeys: ['name'] }),
  {
    selector: (i) => i.name,
    minLength: 1,
  },
);
const rich = fc.record(
  {
    text: word,
    labels: fc.dictionary(names, word, { maxKeys: 3 }),
    items: named,
    finalizers: fc.uniqueArray(names),
    args: fc.array(word, { maxLength: 2 }),
    nested: fc.record({ inner: fc.record({ a: word, b: word }, { requiredKeys: [] }), list: named }, { requiredKeys: [] }),
    whole: fc.record({ a: word }),
  },
  { requiredKeys: [] },
);
const writers = fc.constantFrom('ann', 'bob', 'cid');
const writes = (object: fc.Arbitrary<JsonMap>) =>
  fc.array(fc.record({ writer: writers, object, how: fc.constantFrom('update', 'apply') }), { minLength: 1, maxLength: 8 });

function run(world: World, steps: readonly { writer: string; object: JsonMap; how: string }[]): void {
  for (const { writer, object, how } of steps) {
    if (how === 'update') world.update(`${writer}/Update`, object);
    else world.apply(`${writer}/Apply`, object, true);
  }
}

const sameObject = (a: unknown, b: unknown): boolean => isSame(compare(everythingShape, a, b, { typed: false }));
const sameOwners = (a: Owners, b: Owners): boolean =>
  a.size === b.size && [...a].every(([owner, owned]) => equalSets(owned.set, b.get(owner)?.set ?? {}));

describe('on any writes', () => {
  it('apply is idempotent', () => {
    fc.assert(
      fc.property(writes(rich), rich, (steps, config) => {
        const world = new World();
        run(world, steps);
        world.apply('x', config, true);
        const { owners, value } = world;
        expect(world.conflicts('x', config)).toEqual([]);
        expect(world.value).toBe(value);
        expect(sameOwners(world.owners, owners)).toBe(true);
      }),
    );
  });

  it('disjoint applies commute', () => {
    fc.assert(
      fc.property(writes(rich), rich, rich, (steps, a, b) => {
        const mine = Object.fromEntries(Object.entries(a).filter(([key]) => !(key in b)));
        const [one, two] = [new World(), new World()];
        run(one, steps);
        run(two, steps);
        one.apply('x', mine, true);
        one.apply('y', b, true);
        two.apply('y', b, true);
        two.apply('x', mine, true);
        expect(sameObject(one.value, two.value)).toBe(true);
        expect(sameOwners(one.owners, two.owners)).toBe(true);
      }),
    );
  });

  it('nobody owns what is not there, and nobody owns nothing', () => {
    fc.assert(
      fc.property(writes(rich), (steps) => {
        const world = new World();
        run(world, steps);
        const there = withoutSelf(allFields(everythingShape, world.value, false));
        for (const { set } of world.owners.values()) {
          expect(difference(set, there)).toEqual({});
          expect(isEmpty(set)).toBe(false);
        }
      }),
    );
  });

  it('a field belongs to whoever set it last, and to all who have applied the value it has', () => {
    fc.assert(
      fc.property(writes(flat), (steps) => {
        const world = new World();
        let expected = new Map<string, Set<string>>();
        for (const step of steps) {
          const before = leavesOf(world.value);
          run(world, [step]);
          const after = leavesOf(world.value);
          expected =
            step.how === 'update' ? afterUpdate(expected, before, after, step.writer) : afterApply(expected, before, step);
          expect([...after.keys()].sort()).toEqual([...expected.keys()].sort());
          for (const [path, owners] of expected) expect(ownersOf(world.owners, path)).toEqual([...owners].sort());
        }
      }),
    );
  });
});

type Leaves = Map<string, unknown>;

/** The leaves of a flat object by their path. */
function leavesOf(value: JsonMap): Leaves {
  const out: Leaves = new Map();
  for (const [name, member] of Object.entries(value)) {
    if (Array.isArray(member)) for (const item of member) out.set(JSON.stringify([`f:${name}`, `v:"${item}"`]), item);
    else if (typeof member === 'object') {
      for (const [key, text] of Object.entries(member ?? {})) out.set(JSON.stringify([`f:${name}`, `f:${key}`]), text);
    } else out.set(JSON.stringify([`f:${name}`]), member);
  }
  return out;
}

const ownersOf = (owners: Owners, path: string): string[] =>
  [...owners]
    .filter(([, { set }]: [string, { set: FieldSet }]) => has(set, JSON.parse(path) as string[]))
    .map(([owner]) => owner)
    .sort();

function afterUpdate(owners: Map<string, Set<string>>, before: Leaves, after: Leaves, writer: string): Map<string, Set<string>> {
  const out = new Map<string, Set<string>>();
  for (const [path, value] of after) {
    const untouched = before.has(path) && before.get(path) === value;
    out.set(path, untouched ? owners.get(path)! : new Set([`${writer}/Update`]));
  }
  return out;
}

function afterApply(
  owners: Map<string, Set<string>>,
  before: Leaves,
  { writer, object }: { writer: string; object: JsonMap },
): Map<string, Set<string>> {
  const me = `${writer}/Apply`;
  const config = leavesOf(object);
  const out = new Map<string, Set<string>>();
  for (const path of new Set([...before.keys(), ...config.keys()])) {
    const others = new Set([...(owners.get(path) ?? [])].filter((o) => o !== me));
    const wasMine = owners.get(path)?.has(me) === true;
    if (config.has(path)) out.set(path, before.get(path) === config.get(path) ? others.add(me) : new Set([me]));
    else if (others.size > 0 || !wasMine) out.set(path, others);
  }
  return out;
}
