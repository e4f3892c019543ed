import { describe, expect, it } from 'vitest';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { setOf } from './field-set.ts';
import { mergeConfiguration } from './merge.ts';
import { withNamedFields } from './named-fields.ts';
import type { FieldPath } from './path-element.ts';
import { removeFields } from './remove.ts';
import { reconcileWithSchema } from './schema-changes.ts';
import { shapeOf } from './shape.ts';
import { everythingShape, list, map, scalar, struct } from './test-schema.ts';
import { checkTyped } from './typed-validation.ts';

const merge = (object: unknown, config: unknown): unknown =>
  mergeConfiguration(everythingShape, deepFreeze(object), deepFreeze(config));
const names = (value: unknown): string => (value as { items: { name: string }[] }).items.map((i) => i.name).join('');
const items = (text: string): { items: { name: string }[] } => ({ items: [...text].map((name) => ({ name })) });

describe('merge', () => {
  it.each<[string, unknown, unknown, unknown]>([
    [
      'keeps what is not mentioned',
      { text: 'a', labels: { x: '1' } },
      { labels: { y: '2' } },
      { text: 'a', labels: { x: '1', y: '2' } },
    ],
    [
      'replaces whole values',
      { args: ['a'], whole: { a: '1', b: '2' } },
      { args: ['b'], whole: { b: '3' } },
      { args: ['b'], whole: { b: '3' } },
    ],
    ['adds to sets', { finalizers: ['a'] }, { finalizers: ['b'] }, { finalizers: ['a', 'b'] }],
    [
      'merges items by their keys, the default of a key included',
      { ports: [{ port: 80, protocol: 'TCP', name: 'old' }] },
      { ports: [{ port: 80, name: 'new' }, { port: 81 }] },
      { ports: [{ port: 80, protocol: 'TCP', name: 'new' }, { port: 81 }] },
    ],
    ['does not empty a map that is null in the configuration', { labels: { a: 'b' } }, { labels: null }, { labels: { a: 'b' } }],
    ['sets a scalar to null', { text: 'a' }, { text: null }, { text: null }],
    ['keeps an empty map', {}, { labels: {} }, { labels: {} }],
    ['takes over another kind of value where there is no schema', { free: [1] }, { free: { a: 1 } }, { free: { a: 1 } }],
    [
      'replaces items that are there twice',
      { items: [{ name: 'a', value: '1' }, { name: 'b' }, { name: 'a' }] },
      { items: [{ name: 'a', value: '2' }] },
      { items: [{ name: 'a', value: '2' }, { name: 'b' }] },
    ],
  ])('%s', (_name, object, config, merged) => {
    expect(merge(object, config)).toEqual(merged);
  });

  it('gives the object itself when the configuration changes nothing', () => {
    const object = deepFreeze({ text: 'a', labels: { a: 'b' }, items: [{ name: 'x', tags: ['t'] }], finalizers: ['f'] });
    expect(mergeConfiguration(everythingShape, object, { items: [{ name: 'x', tags: ['t'] }], labels: { a: 'b' } })).toBe(object);
  });

  it.each([
    ['abc', 'x', 'abcx'],
    ['abc', 'b', 'abc'],
    ['abc', 'bx', 'abcx'],
    ['abc', 'xb', 'axbc'],
    ['abc', 'cba', 'cba'],
    ['abcd', 'db', 'acdb'],
    ['abcde', 'ed', 'abced'],
    ['', 'ba', 'ba'],
    ['ab', 'xya', 'xyab'],
    ['1234', '43', '1243'],
    ['abc', 'xcya', 'bxcya'],
  ])('orders %s with %s as %s', (object, config, merged) => {
    expect(names(merge(items(object), items(config)))).toBe(merged);
  });

  it('refuses a configuration that names an item twice', () => {
    expect(() => merge({}, items('aa'))).toThrow('duplicate entries for key [name="a"]');
  });
});

const f = (...path: readonly string[]): FieldPath => path.map((n) => (/^[kvi]:/.test(n) ? n : `f:${n}`));
const without = (value: unknown, ...paths: readonly FieldPath[]): unknown =>
  removeFields(everythingShape, deepFreeze(value), setOf(...paths));

describe('remove', () => {
  it.each<[string, unknown, readonly FieldPath[], unknown]>([
    ['a field', { text: 'a', number: 1 }, [f('text')], { number: 1 }],
    ['members of a map', { labels: { a: '1', b: '2' } }, [f('labels', 'a')], { labels: { b: '2' } }],
    ['everything of a map', { labels: { a: '1' } }, [f('labels', 'a')], { labels: null }],
    ['items', { items: [{ name: 'a' }, { name: 'b' }] }, [f('items', 'k:{"name":"a"}')], { items: [{ name: 'b' }] }],
    [
      'fields of items',
      { items: [{ name: 'a', value: '1' }] },
      [f('items', 'k:{"name":"a"}', 'value')],
      { items: [{ name: 'a' }] },
    ],
    ['values of a set', { finalizers: ['a', 'b'] }, [f('finalizers', 'v:"a"')], { finalizers: ['b'] }],
    ['a part of a whole value: all of it', { args: ['a'], text: 't' }, [f('args', 'i:0')], { args: null, text: 't' }],
    ['nothing', { labels: { a: '1' } }, [f('labels', 'x'), f('text')], { labels: { a: '1' } }],
  ])('%s', (_name, value, paths, rest) => {
    expect(without(value, ...paths)).toEqual(rest);
  });

  it('shares what it leaves', () => {
    const value = { items: [{ name: 'a' }], text: 'a', labels: { x: 'y' } };
    const rest = without(value, f('text')) as typeof value;
    expect(rest.items).toBe(value.items);
    expect(without(value, f('labels', 'z'))).toBe(value);
  });
});

describe('named fields', () => {
  it('counts in the fields on the way, and not the members of maps', () => {
    const set = setOf(f('nested', 'inner', 'a'), f('labels', 'x'), f('items', 'k:{"name":"a"}', 'value'), f('free', 'a', 'b'));
    expect(withNamedFields(set, everythingShape)).toEqual({
      'f:free': { '.': {}, 'f:a': { 'f:b': {} } },
      'f:items': { '.': {}, 'k:{"name":"a"}': { 'f:value': {} } },
      'f:labels': { '.': {}, 'f:x': {} },
      'f:nested': { '.': {}, 'f:inner': { '.': {}, 'f:a': {} } },
    });
  });
});

describe('schema changes', () => {
  const set = setOf(f('s', 'a'), f('l', 'v:"x"'), f('m', 'k'), f('m'), f('u', 'b'));

  it('from granular to atomic: the owner of a part owns the whole', () => {
    const shape = shapeOf(
      struct({
        s: struct({ a: scalar() }, { atomic: true }),
        l: list(scalar(), 'atomic'),
        m: map(scalar(), true),
        u: struct({ b: scalar() }),
      }),
    );
    expect(reconcileWithSchema(set, shape)).toEqual({ 'f:l': {}, 'f:m': {}, 'f:s': {}, 'f:u': { 'f:b': {} } });
  });

  it('otherwise nothing changes', () => {
    const shape = shapeOf(struct({ s: struct({ a: scalar() }), l: list(scalar(), 'set'), m: map(scalar()), u: { kind: 'any' } }));
    expect(reconcileWithSchema(set, shape)).toBe(set);
  });
});

describe('validation', () => {
  const problem = (value: unknown, allowDuplicates = false): string => {
    try {
      checkTyped(everythingShape, deepFreeze(value), { allowDuplicates });
      return '';
    } catch (err) {
      return (err as Error).message;
    }
  };

  it.each<[unknown, string]>([
    [{ text: 'a', number: null, items: null, labels: null, free: [{ a: 1 }], open: { x: 1 } }, ''],
    [{ other: 1 }, '.other: field not declared in schema'],
    [{ number: 'x' }, '.number: expected numeric (int or float), got string'],
    [{ text: 5 }, '.text: expected string, got &value.valueUnstructured{Value:5}'],
    [{ labels: 'x' }, '.labels: expected map, got &{x}'],
    [{ items: 'x' }, '.items: expected list, got &{x}'],
    [{ items: [{ name: 'a' }, { name: 'a' }] }, '.items: duplicate entries for key [name="a"]'],
    [
      { items: [{ value: 'a' }] },
      `.items: element 0: associative list with keys has an element that omits all key fields ["name"] (and doesn't have default values for any key fields)`,
    ],
    [{ items: [{ name: 'a', value: 1 }] }, '.items[name="a"].value: expected string, got &value.valueUnstructured{Value:1}'],
    [{ args: ['a', 1] }, '.args[1]: expected string, got &value.valueUnstructured{Value:1}'],
    [
      { number: true, text: 1 },
      'errors:\n  .number: expected numeric (int or float), got bool\n  .text: expected string, got &value.valueUnstructured{Value:1}',
    ],
  ])('%j', (value, message) => {
    expect(problem(value)).toBe(message);
  });

  it('lets duplicates pass where they are allowed', () => {
    expect(problem({ items: [{ name: 'a' }, { name: 'a' }], finalizers: ['x', 'x'] }, true)).toBe('');
  });
});
