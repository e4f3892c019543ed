import fc from 'fast-check';

/** The same cases in every run, so that a change is judged by itself; other ones each time when more are asked for with `HOSTILE_RUNS`. */
export const sameCases: { readonly seed?: number } = process.env['HOSTILE_RUNS'] === undefined ? { seed: 20_261_121 } : {};

/** A value for a place where it does not belong. */
const evil: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -0,
  -1,
  1.5,
  1e21,
  -1e308,
  2 ** 31,
  2 ** 32,
  -(2 ** 31) - 1,
  2 ** 53 + 2,
  2 ** 63,
  -(2 ** 63),
  '',
  ' ',
  '\u0000',
  '\ud800',
  '\udfff\ud800',
  '\ufeff',
  '\u202e',
  'NaN',
  'Infinity',
  '-0',
  '1e999',
  '1e-999',
  '0x10',
  '999999999999999999999999999Ei',
  '1.0000000000000000000000001n',
  '1m1m',
  '100%',
  '-5%',
  '99999999999999999999%',
  '0001-01-01T00:00:00Z',
  '9999-12-31T23:59:60Z',
  '+275760-09-14T00:00:00Z',
  '2026-02-30T00:00:00Z',
  '999999999h',
  '-1ns',
  '../..',
  '/',
  '//',
  'a/b/c',
  '.',
  '..',
  '%2f',
  '%zz',
  '::',
  '::ffff:1.2.3.4',
  '1.2.3.4/33',
  'fe80::1%eth0',
  '0.0.0.0/0',
  '::/0',
  '*',
  '*.*',
  'a,b',
  '$(A)',
  '{{',
  '$patch',
  '(((((((((',
  '[',
  '(a+)+$',
  '\\',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'a'.repeat(64),
  'a'.repeat(254),
  'a.'.repeat(130),
  'x'.repeat(70_000),
  '\u00e4'.repeat(300),
  [],
  [null],
  [[]],
  [{}],
  [[[[]]]],
  ['', ''],
  [0],
  Array(3_000).fill({}),
  Array(3_000).fill('a'),
  {},
  { a: null },
  { '': '' },
  { '': {} },
  { a: { b: { c: [] } } },
  { constructor: 1 },
  { constructor: { prototype: { polluted: 1 } } },
  { toString: 1, valueOf: 1 },
  { toString: null, length: -1 },
  { length: 1e9 },
  JSON.parse('{"then":1}'),
  { toJSON: 1 },
  { hasOwnProperty: 1 },
  JSON.parse('{"__proto__":{"polluted":1}}'),
  JSON.parse('{"__proto__":null}'),
  { $patch: 'delete' },
  { $patch: 'replace' },
  { $patch: 1 },
  { $retainKeys: ['a'] },
  { $retainKeys: 5 },
  { '$deleteFromPrimitiveList/a': ['b'] },
  { '$setElementOrder/a': [{}] },
];

/** Anything at all: one of the known nasty ones, or what fast-check comes up with. */
export const evilValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...evil) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
);

export const evilKey: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'valueOf',
    'hasOwnProperty',
    'length',
    'toJSON',
    'then',
    '',
    ' ',
    '\u0000',
    '\ud800',
    'a.b',
    'a/b',
    'x'.repeat(5_000),
    'metadata',
    'spec',
    'status',
    'kind',
    '$patch',
    '$retainKeys',
    '$setElementOrder/containers',
    '$deleteFromPrimitiveList/finalizers',
  ),
  fc.string({ maxLength: 10 }),
);

/** What is done to one place of a value; `site` picks the place. */
export type Mutation =
  | { readonly do: 'put'; readonly site: number; readonly value: unknown }
  | { readonly do: 'drop'; readonly site: number }
  | { readonly do: 'add'; readonly site: number; readonly key: string; readonly value: unknown }
  | { readonly do: 'move'; readonly site: number; readonly key: string }
  | { readonly do: 'repeat'; readonly site: number; readonly times: number }
  | { readonly do: 'wrap'; readonly site: number; readonly depth: number; readonly list: boolean }
  | { readonly do: 'graft'; readonly site: number; readonly from: number };

const site = fc.nat({ max: 10_000 });

export const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('put' as const), site, value: evilValue }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('drop' as const), site }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('add' as const), site, key: evilKey, value: evilValue }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('move' as const), site, key: evilKey }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('repeat' as const), site, times: fc.constantFrom(2, 3, 200) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('wrap' as const),
      site,
      depth: fc.constantFrom(1, 2, 30, 900, 998, 1_100),
      list: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('graft' as const), site, from: site }) },
);

interface Place {
  readonly parent: Record<string, unknown> | unknown[];
  readonly key: string | number;
}

/** A copy of `value` after all mutations, one after the other. */
export function mutated(value: unknown, mutations: readonly Mutation[]): unknown {
  const root: [unknown] = [structuredClone(value)];
  for (const m of mutations) {
    const places = placesOf(root);
    apply(places[m.site % places.length]!, m, places);
  }
  return root[0];
}

/** Every place below the root, few levels deep: what was made deep on purpose is not looked into. */
function placesOf(root: unknown[]): readonly Place[] {
  const places: Place[] = [];
  const walk = (parent: object, depth: number): void => {
    if (depth > 12 || places.length > 5_000) return;
    const keys = Array.isArray(parent) ? [...parent.keys()].slice(0, 20) : Object.keys(parent);
    for (const key of keys) {
      places.push({ parent: parent as unknown[], key: key as number });
      const child = (parent as unknown[])[key as number];
      if (typeof child === 'object' && child !== null) walk(child, depth + 1);
    }
  };
  walk(root, 0);
  return places;
}

const valueAt = ({ parent, key }: Place): unknown => (parent as Record<string | number, unknown>)[key];

function setAt(parent: object, key: string | number, value: unknown): void {
  Object.defineProperty(parent, key, { value, enumerable: true, configurable: true, writable: true });
}

function apply(place: Place, m: Mutation, places: readonly Place[]): void {
  const { parent, key } = place;
  switch (m.do) {
    case 'put':
      setAt(parent, key, structuredClone(m.value));
      return;
    case 'drop':
      if (Array.isArray(parent)) parent.splice(Number(key), 1);
      else delete parent[key];
      if (Array.isArray(parent) && parent.length === 0) parent.push({});
      return;
    case 'add': {
      const target = valueAt(place);
      if (Array.isArray(target)) target.push(structuredClone(m.value));
      else if (typeof target === 'object' && target !== null) setAt(target, m.key, structuredClone(m.value));
      return;
    }
    case 'move':
      if (Array.isArray(parent)) return;
      setAt(parent, m.key, valueAt(place));
      delete parent[key];
      return;
    case 'repeat': {
      const target = valueAt(place);
      if (Array.isArray(target)) setAt(parent, key, Array(m.times).fill(target).flat());
      return;
    }
    case 'wrap': {
      let wrapped = valueAt(place);
      for (let i = 0; i < m.depth; i++) wrapped = m.list ? [wrapped] : { a: wrapped };
      setAt(parent, key, wrapped);
      return;
    }
    case 'graft':
      setAt(parent, key, structuredClone(valueAt(places[m.from % places.length]!)));
      return;
  }
}
