import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deepFreeze } from '../../util/deep-freeze.ts';
import {
  difference,
  equalSets,
  type FieldSet,
  FieldSetError,
  has,
  intersection,
  isEmpty,
  leaves,
  matching,
  pathsOf,
  readFieldSet,
  recursiveDifference,
  setOf,
  showSet,
  union,
} from './field-set.ts';
import { compareElements, type FieldPath, showPath } from './path-element.ts';

const f = (...names: readonly string[]): FieldPath => names.map((n) => (/^[kvi]:/.test(n) ? n : `f:${n}`));
const text = (set: FieldSet): string => JSON.stringify(set);
const read = (json: string): FieldSet => readFieldSet(deepFreeze(JSON.parse(json)));

describe('fieldsV1', () => {
  it('writes a field as an empty map, and marks one that has fields below it', () => {
    expect(text(setOf(f('spec', 'replicas')))).toBe('{"f:spec":{"f:replicas":{}}}');
    expect(text(setOf(f('a', 'b'), f('a')))).toBe('{"f:a":{".":{},"f:b":{}}}');
    expect(text(setOf(f('a'), f('a', 'b'), f('a', 'b', 'c')))).toBe('{"f:a":{".":{},"f:b":{".":{},"f:c":{}}}}');
    expect(text(setOf())).toBe('{}');
  });

  it('keeps the canonical order whatever order the fields came in', () => {
    const set = setOf(
      f('l', 'i:2'),
      f('l', 'v:"b"'),
      f('l', 'k:{"name":"x"}'),
      f('l', 'z'),
      f('l', 'k:{"name":"a"}'),
      f('l', 'v:2'),
    );
    expect(text(set)).toBe(
      '{"f:l":{"f:z":{},"k:{\\"name\\":\\"a\\"}":{},"k:{\\"name\\":\\"x\\"}":{},"v:2":{},"v:\\"b\\"":{},"i:2":{}}}',
    );
  });

  it('reads what is canonical as it is', () => {
    const value = deepFreeze(JSON.parse('{"f:metadata":{"f:labels":{".":{},"f:app":{}}},"f:spec":{"f:x":{"v:1":{}}}}'));
    expect(readFieldSet(value)).toBe(value);
  });

  it.each([
    ['{"f:b":{},"f:a":{}}', '{"f:a":{},"f:b":{}}'],
    ['{"f:a":{"f:b":{},".":{}}}', '{"f:a":{".":{},"f:b":{}}}'],
    ['{"f:a":{".":{}}}', '{"f:a":{}}'],
    ['{".":{},"f:a":{}}', '{"f:a":{}}'],
    ['{"f:a":null}', '{"f:a":{}}'],
    ['{"f:a":{".":{"f:x":{}},"f:b":{}}}', '{"f:a":{".":{},"f:b":{}}}'],
    ['{"r:later":{},"f:a":{}}', '{"f:a":{}}'],
    ['{"f:a":{"r:later":{}}}', '{"f:a":{}}'],
    ['{"f:l":{"k:{\\"b\\":1,\\"a\\":2}":{"f:x":{}}}}', '{"f:l":{"k:{\\"a\\":2,\\"b\\":1}":{"f:x":{}}}}'],
    ['{"v:3":{"f:a":{}},"v:3.0":{"f:b":{}}}', '{"v:3":{"f:a":{},"f:b":{}}}'],
  ])('reads %s as %s', (sent, canonical) => {
    expect(text(read(sent))).toBe(canonical);
  });

  it.each(['[]', '1', '{"f:a":1}', '{"f:a":[]}', '{"":{}}', '{"x":{}}', '{":":{}}', '{"i:x":{}}', '{"__proto__":{}}'])(
    'refuses %s',
    (json) => {
      expect(() => read(json)).toThrow(FieldSetError);
    },
  );

  it('reads nothing as the empty set', () => {
    expect(isEmpty(readFieldSet(undefined))).toBe(true);
    expect(isEmpty(readFieldSet(null))).toBe(true);
  });
});

describe('set algebra', () => {
  const set = setOf(f('a'), f('a', 'b'), f('a', 'b', 'c'), f('d', 'e'), f('g'));

  it('takes away fields, and not those below them', () => {
    expect(showSet(difference(set, setOf(f('a'), f('d'))))).toBe('.g\n.a.b\n.a.b.c\n.d.e');
    expect(showSet(difference(set, setOf(f('d', 'e'), f('a', 'b', 'c'))))).toBe('.a\n.g\n.a.b');
    expect(difference(set, setOf(f('x'), f('d'), f('g', 'h')))).toBe(set);
  });

  it('takes away fields with all below them when told to', () => {
    expect(showSet(recursiveDifference(set, setOf(f('a', 'b'), f('d'))))).toBe('.a\n.g');
    expect(recursiveDifference(set, setOf(f('x', 'y')))).toBe(set);
  });

  it('gives its arguments back where it can', () => {
    expect(union(set, setOf(f('d', 'e'), f('a')))).toBe(set);
    expect(union(setOf(), set)).toBe(set);
    expect(intersection(set, set)).toBe(set);
  });

  it('finds the leaves', () => {
    expect(showSet(leaves(set))).toBe('.g\n.a.b.c\n.d.e');
  });

  it('matches patterns', () => {
    const pod = setOf(
      f('spec'),
      f('spec', 'c', 'k:{"n":1}', 'r', 'cpu'),
      f('spec', 'c', 'k:{"n":1}', 'i'),
      f('spec', 'c', 'k:{"n":1}'),
      f('m'),
    );
    const kept = matching(pod, [['f:spec', 'f:c', '*', 'f:r']]);
    expect(showSet(kept)).toBe('.spec\n.spec.c[n=1]\n.spec.c[n=1].r.cpu');
  });
});

/** Every operation against the same one on plain sets of paths. */
describe('set algebra, on any sets', () => {
  const element = fc.constantFrom('f:a', 'f:b', 'f:c', 'k:{"name":"x"}', 'k:{"name":"y","port":2}', 'v:1', 'v:"z"', 'i:0');
  const path = fc.array(element, { minLength: 1, maxLength: 4 });
  const sets = fc.array(path, { maxLength: 12 }).map((paths) => deepFreeze(setOf(...paths)));
  const model = (set: FieldSet): Set<string> => new Set(pathsOf(set).map((p) => JSON.stringify(p)));
  const paths = (set: Set<string>): FieldPath[] => [...set].map((p) => JSON.parse(p) as string[]);
  const same = (set: FieldSet, wanted: Iterable<string>): void => {
    expect([...model(set)].sort()).toEqual([...wanted].sort());
    expectCanonical(set);
  };
  const startsWith = (p: FieldPath, q: FieldPath): boolean => q.length <= p.length && q.every((e, i) => e === p[i]);

  function expectCanonical(set: FieldSet, root = true): void {
    const keys = Object.keys(set);
    expect(keys.indexOf('.')).toBeLessThan(1);
    if (root) expect(keys).not.toContain('.');
    expect(keys).not.toEqual(['.']);
    const elements = keys.filter((k) => k !== '.');
    expect(elements).toEqual([...elements].sort(compareElements));
    for (const e of elements) expectCanonical(set[e]!, false);
  }

  it('reads back what it wrote', () => {
    fc.assert(
      fc.property(sets, (s) => {
        expect(equalSets(readFieldSet(JSON.parse(JSON.stringify(s))), s)).toBe(true);
      }),
    );
  });

  it('does not depend on the order of insertion', () => {
    fc.assert(
      fc.property(fc.array(path, { maxLength: 8 }), (ps) => {
        expect(JSON.stringify(setOf(...ps))).toBe(JSON.stringify(setOf(...ps.toReversed())));
      }),
    );
  });

  it('union, intersection, difference', () => {
    fc.assert(
      fc.property(sets, sets, (a, b) => {
        const [x, y] = [model(a), model(b)];
        same(union(a, b), x.union(y));
        same(intersection(a, b), x.intersection(y));
        same(difference(a, b), x.difference(y));
        same(
          recursiveDifference(a, b),
          paths(x)
            .filter((p) => !paths(y).some((q) => startsWith(p, q)))
            .map((p) => JSON.stringify(p)),
        );
        expect(equalSets(a, b)).toBe(x.symmetricDifference(y).size === 0);
      }),
    );
  });

  it('leaves and membership', () => {
    fc.assert(
      fc.property(sets, path, (a, p) => {
        const all = paths(model(a));
        same(
          leaves(a),
          all.filter((q) => !all.some((r) => r.length > q.length && startsWith(r, q))).map((q) => JSON.stringify(q)),
        );
        expect(has(a, p)).toBe(model(a).has(JSON.stringify(p)));
        expect(showPath(p).length).toBeGreaterThan(0);
      }),
    );
  });
});
