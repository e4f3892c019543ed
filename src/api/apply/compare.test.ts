import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { builtinSchema } from '../schema/builtin.ts';
import { configuredFields } from './all-fields.ts';
import { compare, isSame } from './compare.ts';
import { TypedValueError } from './list-items.ts';
import { shapeOf } from './shape.ts';
import { everythingShape } from './test-schema.ts';

const diff = (before: unknown, after: unknown) => {
  const { added, modified, removed } = compare(everythingShape, deepFreeze(before), deepFreeze(after), { typed: false });
  return JSON.parse(JSON.stringify({ added, modified, removed })) as Record<'added' | 'modified' | 'removed', unknown>;
};
const nothing = { added: {}, modified: {}, removed: {} };

describe('compare', () => {
  it.each<[string, unknown, unknown, Partial<typeof nothing>]>([
    ['equal objects', { text: 'a', labels: { b: 'c' } }, { text: 'a', labels: { b: 'c' } }, {}],
    ['a changed scalar', { text: 'a' }, { text: 'b' }, { modified: { 'f:text': {} } }],
    ['a new scalar', {}, { number: 1 }, { added: { 'f:number': {} } }],
    ['a scalar that is gone', { number: 1 }, {}, { removed: { 'f:number': {} } }],
    ['null where a value was', { text: 'a' }, { text: null }, { modified: { 'f:text': {} } }],
    ['a new map: it, and its members', {}, { labels: { a: 'b' } }, { added: { 'f:labels': { '.': {}, 'f:a': {} } } }],
    ['a new member of a map', { labels: { a: 'b' } }, { labels: { a: 'b', c: 'd' } }, { added: { 'f:labels': { 'f:c': {} } } }],
    ['an empty map becoming full', { labels: {} }, { labels: { a: 'b' } }, { added: { 'f:labels': { 'f:a': {} } } }],
    ['a map becoming null', { labels: {} }, { labels: null }, { modified: { 'f:labels': {} } }],
    ['an atomic map', { selector: { a: 'b' } }, { selector: { a: 'c' } }, { modified: { 'f:selector': {} } }],
    ['an atomic list', { args: ['a'] }, { args: ['a', 'b'] }, { modified: { 'f:args': {} } }],
    ['an atomic struct', {}, { whole: { a: '1' } }, { added: { 'f:whole': {} } }],
    [
      'a set',
      { finalizers: ['a', 'b'] },
      { finalizers: ['c', 'b'] },
      { added: { 'f:finalizers': { 'v:"c"': {} } }, removed: { 'f:finalizers': { 'v:"a"': {} } } },
    ],
    ['a set in another order', { finalizers: ['a', 'b'] }, { finalizers: ['b', 'a'] }, {}],
    [
      'items by their key',
      { items: [{ name: 'a', value: '1' }, { name: 'b' }] },
      { items: [{ name: 'b' }, { name: 'a', value: '2' }] },
      { modified: { 'f:items': { 'k:{"name":"a"}': { 'f:value': {} } } } },
    ],
    [
      'a new item: it, and its fields',
      { items: [] },
      { items: [{ name: 'a', value: '1' }] },
      { added: { 'f:items': { 'k:{"name":"a"}': { '.': {}, 'f:name': {}, 'f:value': {} } } } },
    ],
    [
      'several keys, one by its default',
      { ports: [{ port: 80 }] },
      {
        ports: [
          { port: 80, protocol: 'TCP' },
          { port: 80, protocol: 'UDP' },
        ],
      },
      {
        added: {
          'f:ports': {
            'k:{"port":80,"protocol":"TCP"}': { 'f:protocol': {} },
            'k:{"port":80,"protocol":"UDP"}': { '.': {}, 'f:port': {}, 'f:protocol': {} },
          },
        },
      },
    ],
    [
      'items twice, changed',
      { items: [{ name: 'a' }, { name: 'a', value: '1' }] },
      { items: [{ name: 'a' }, { name: 'a', value: '2' }] },
      { modified: { 'f:items': { 'k:{"name":"a"}': {} } } },
    ],
    [
      'an item twice that was there once',
      { items: [{ name: 'a', value: '1' }] },
      { items: [{ name: 'a' }, { name: 'a' }] },
      {
        added: { 'f:items': { 'k:{"name":"a"}': {} } },
        removed: { 'f:items': { 'k:{"name":"a"}': { '.': {}, 'f:name': {}, 'f:value': {} } } },
      },
    ],
    [
      'no schema: maps by member, lists as a whole',
      { free: { a: { b: 1 }, l: [1] } },
      { free: { a: { c: 1 }, l: [2] } },
      {
        added: { 'f:free': { 'f:a': { 'f:c': {} } } },
        modified: { 'f:free': { 'f:l': {} } },
        removed: { 'f:free': { 'f:a': { 'f:b': {} } } },
      },
    ],
    [
      'no schema: another kind of value',
      { free: 'x' },
      { free: { a: 1 } },
      { modified: { 'f:free': {} }, added: { 'f:free': { 'f:a': {} } } },
    ],
    [
      'unknown fields that are kept',
      { open: { x: { y: 1 } } },
      { open: { x: { y: 2 } } },
      { modified: { 'f:open': { 'f:x': { 'f:y': {} } } } },
    ],
  ])('%s', (_name, before, after, found) => {
    expect(diff(before, after)).toEqual({ ...nothing, ...found });
    const back = diff(after, before);
    expect(back).toEqual({ modified: found.modified ?? {}, added: found.removed ?? {}, removed: found.added ?? {} });
  });

  it('does not walk what is shared', () => {
    const items = [null];
    expect(isSame(compare(everythingShape, { items }, { items, text: undefined }, { typed: false }))).toBe(true);
  });

  it('refuses items without a name', () => {
    expect(() => diff({}, { items: [null] })).toThrow(TypedValueError);
    expect(() => diff({}, { items: ['x'] })).toThrow('element 0: associative list with keys may not have non-map elements');
    expect(() => diff({}, { items: [{ value: 'x' }] })).toThrow(
      `element 0: associative list with keys has an element that omits all key fields ["name"] (and doesn't have default values for any key fields)`,
    );
    expect(() => diff({}, { finalizers: ['a', {}] })).toThrow(
      "element 1: associative list without keys has an element that's a map type",
    );
  });
});

describe('a guide', () => {
  const word = fc.constantFrom('a', 'b', 'c');
  const object = fc.record(
    {
      text: word,
      labels: fc.dictionary(word, word),
      items: fc.array(fc.record({ name: word, value: word }, { requiredKeys: ['name'] }), { maxLength: 3 }),
      finalizers: fc.array(word, { maxLength: 3 }),
      free: fc.jsonValue({ maxDepth: 2 }),
      whole: fc.record({ a: word }),
      nested: fc.record({ inner: fc.record({ a: word, b: word }, { requiredKeys: [] }) }, { requiredKeys: [] }),
    },
    { requiredKeys: [] },
  );

  it('changes nothing but what is shared', () => {
    fc.assert(
      fc.property(object, object, (a, b) => {
        const guide = compare(everythingShape, {}, a, { typed: true }).added;
        const plain = compare(everythingShape, {}, b, { typed: true }).added;
        const guided = compare(everythingShape, {}, b, { typed: true, guide }).added;
        expect(JSON.stringify(guided)).toBe(JSON.stringify(plain));
      }),
    );
  });

  it('is what comes out where it fits', () => {
    const items = [{ name: 'a', value: '1' }, { name: 'b' }];
    const guide = compare(everythingShape, {}, { items }, { typed: true }).added;
    const { added } = compare(everythingShape, {}, { items: items.toReversed() }, { typed: true, guide });
    expect(added['f:items']).toBe(guide['f:items']);
  });
});

describe('typed objects', () => {
  const deployment = shapeOf(builtinSchema('io.k8s.api.apps.v1.Deployment'));
  const pod = shapeOf(builtinSchema('io.k8s.api.core.v1.Pod'));

  it('have the fields that Go always has', () => {
    const { added } = compare(
      deployment,
      {},
      { spec: { strategy: { type: 'Recreate' } }, status: { replicas: 1 } },
      { typed: true },
    );
    expect(added).toEqual({ 'f:spec': { 'f:strategy': { 'f:type': {} } }, 'f:status': { 'f:replicas': {} } });
  });

  it('have times that are not set, as null', () => {
    const condition = { type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' };
    const { added } = compare(pod, {}, { status: { conditions: [condition] } }, { typed: true });
    expect(added).toEqual({
      'f:status': {
        'f:conditions': {
          '.': {},
          'k:{"type":"Ready"}': { '.': {}, 'f:lastProbeTime': {}, 'f:lastTransitionTime': {}, 'f:status': {}, 'f:type': {} },
        },
      },
    });
  });

  it('take lists for what their merge strategy says where they do not declare a type', () => {
    const { added } = compare(pod, {}, { metadata: { finalizers: ['a/b'] } }, { typed: true });
    expect(added).toEqual({ 'f:metadata': { 'f:finalizers': { '.': {}, 'v:"a/b"': {} } } });
  });
});

describe('configuredFields', () => {
  it.each<[string, unknown, unknown]>([
    [
      'leaves, and not the structs they are in',
      { text: 'a', nested: { inner: { a: '1' } } },
      { 'f:nested': { 'f:inner': { 'f:a': {} } }, 'f:text': {} },
    ],
    ['empty structs and maps', { nested: { inner: {} }, labels: {} }, { 'f:labels': {}, 'f:nested': { 'f:inner': {} } }],
    ['nulls', { text: null, items: null }, { 'f:items': {}, 'f:text': {} }],
    ['no empty lists', { items: [], finalizers: [] }, {}],
    ['members of maps', { labels: { b: '1', a: '2' } }, { 'f:labels': { 'f:a': {}, 'f:b': {} } }],
    ['whole values', { whole: { a: '1' }, args: ['x'], selector: {} }, { 'f:args': {}, 'f:selector': {}, 'f:whole': {} }],
    [
      'items',
      { items: [{ name: 'b', value: '1' }, { name: 'a' }] },
      { 'f:items': { 'k:{"name":"a"}': { '.': {}, 'f:name': {} }, 'k:{"name":"b"}': { '.': {}, 'f:name': {}, 'f:value': {} } } },
    ],
    ['items that are there twice, as one', { items: [{ name: 'a' }, { name: 'a' }] }, { 'f:items': { 'k:{"name":"a"}': {} } }],
    ['a set', { finalizers: ['b', 'a'] }, { 'f:finalizers': { 'v:"a"': {}, 'v:"b"': {} } }],
    [
      'what has no schema: every member',
      { free: { a: { b: 1 }, c: [{}] } },
      { 'f:free': { 'f:a': { '.': {}, 'f:b': {} }, 'f:c': {} } },
    ],
    [
      'kept unknown fields',
      { open: { known: '1', x: { y: 1 } } },
      { 'f:open': { 'f:known': {}, 'f:x': { '.': {}, 'f:y': {} } } },
    ],
  ])('%s', (_name, value, set) => {
    expect(JSON.stringify(configuredFields(everythingShape, deepFreeze(value)))).toBe(JSON.stringify(set));
  });
});
