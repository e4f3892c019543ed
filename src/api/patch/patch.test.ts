import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { StatusError } from '../meta/status.ts';
import { builtinSchema } from '../schema/builtin.ts';
import { applyJsonPatch } from './json-patch.ts';
import type { Json } from './json-value.ts';
import { applyMergePatch } from './merge-patch.ts';
import { applyStrategicMergePatch } from './strategic-merge-patch.ts';

const codeOf = (run: () => unknown): number => {
  try {
    run();
  } catch (err) {
    if (err instanceof StatusError) return err.code;
    throw err;
  }
  return 0;
};

describe('applyMergePatch', () => {
  // The examples of RFC 7386, appendix A.
  const cases: readonly (readonly [Json, Json, Json])[] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    // Upstream's library drops nulls of new lists' objects too.
    [{}, { a: [{ b: null, c: 1 }, null] }, { a: [{ c: 1 }, null] }],
    [{ a: {} }, { a: [{ b: null }] }, { a: [{ b: null }] }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  it.each(cases)('%j + %j = %j', (target, patch, expected) => {
    expect(applyMergePatch(deepFreeze(target), deepFreeze(patch))).toEqual(expected);
  });

  it('keeps __proto__ as data', () => {
    const result = applyMergePatch({}, JSON.parse('{"__proto__":{"polluted":true}}'));
    expect(Object.hasOwn(result as object, '__proto__')).toBe(true);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('applyJsonPatch', () => {
  it('takes what upstream takes beyond the RFC', () => {
    expect(applyJsonPatch({ a: 1 }, [{ op: 'replace', path: '/b', value: 1 }])).toEqual({ a: 1, b: 1 });
    expect(applyJsonPatch({ a: 1 }, [{ op: 'replace', path: '', value: { b: 1 } }])).toEqual({ b: 1 });
    expect(applyJsonPatch({ a: 1 }, [{ op: 'test', path: '/b', value: null }])).toEqual({ a: 1 });
    expect(applyJsonPatch({ a: 1 }, null)).toEqual({ a: 1 });
    expect(applyJsonPatch({ a: [1] }, [{ op: 'add', path: 'x/a/+1', value: 2 }])).toEqual({ a: [1, 2] });
  });

  it('says what cannot be decoded', () => {
    const words = (patch: unknown): string => {
      try {
        return JSON.stringify(applyJsonPatch({}, patch));
      } catch (err) {
        return (err as Error).message;
      }
    };
    expect(words({})).toBe('error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp');
    expect(words([1])).toBe('error decoding patch: json: cannot unmarshal number into Go value of type handlers.jsonPatchOp');
    expect(words([{ op: true }])).toBe(
      'error decoding patch: json: cannot unmarshal bool into Go struct field jsonPatchOp.op of type string',
    );
  });

  const applied: readonly (readonly [Json, unknown, Json])[] = [
    [{ a: 1 }, [{ op: 'add', path: '/b', value: 2 }], { a: 1, b: 2 }],
    [{ a: [1, 3] }, [{ op: 'add', path: '/a/1', value: 2 }], { a: [1, 2, 3] }],
    [{ a: [1] }, [{ op: 'add', path: '/a/-', value: 2 }], { a: [1, 2] }],
    [{ a: 1, b: 2 }, [{ op: 'remove', path: '/a' }], { b: 2 }],
    [{ a: [1, 2] }, [{ op: 'remove', path: '/a/-1' }], { a: [1] }],
    [{ a: 1 }, [{ op: 'replace', path: '/a', value: { b: 1 } }], { a: { b: 1 } }],
    [{ a: { x: 1 }, b: {} }, [{ op: 'move', from: '/a/x', path: '/b/y' }], { a: {}, b: { y: 1 } }],
    [{ a: { x: 1 } }, [{ op: 'copy', from: '/a', path: '/b' }], { a: { x: 1 }, b: { x: 1 } }],
    [{ 'a/b': { 'm~n': 1 } }, [{ op: 'replace', path: '/a~1b/m~0n', value: 2 }], { 'a/b': { 'm~n': 2 } }],
    [{ a: { b: [1, 2] } }, [{ op: 'test', path: '/a', value: { b: [1, 2] } }], { a: { b: [1, 2] } }],
    [{ a: 1 }, [{ op: 'test', path: '/gone', value: null }], { a: 1 }],
  ];
  it.each(applied)('%j + %j = %j', (document, patch, expected) => {
    expect(applyJsonPatch(deepFreeze(document), patch)).toEqual(expected);
  });

  const refused: readonly (readonly [Json, unknown, number])[] = [
    [{ a: 1 }, [{ op: 'remove', path: '/b' }], 422],
    [{ a: [1] }, [{ op: 'replace', path: '/a/1', value: 1 }], 422],
    [{ a: 1 }, [{ op: 'add', path: '', value: {} }], 422],
    [{ a: 1 }, [{ op: 'test', path: '', value: {} }], 422],
    [{ a: 1 }, [{ op: 'add', path: '/b/c', value: 1 }], 422],
    [{ a: 1 }, [{ op: 'test', path: '/a', value: 2 }], 422],
    [{ a: [1] }, [{ op: 'add', path: '/a/5', value: 1 }], 422],
    [{ a: {} }, [{ op: 'move', from: '/a', path: '/a/b' }], 422],
    [{ a: 1 }, [{ op: 'bogus', path: '/a' }], 422],
    [{ a: 1 }, [{ op: 'add', path: 'a', value: 1 }], 422],
    [{ a: 1 }, { op: 'add' }, 400],
    [{ a: 1 }, Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/a', value: 1 })), 413],
  ];
  it.each(refused)('refuses %j + %.60j with %i', (document, patch, code) => {
    expect(codeOf(() => applyJsonPatch(deepFreeze(document), patch))).toBe(code);
  });
});

describe('applyStrategicMergePatch', () => {
  const pod = builtinSchema('io.k8s.api.core.v1.Pod');
  const deployment = builtinSchema('io.k8s.api.apps.v1.Deployment');
  const containers = (...list: readonly Json[]): Json => ({ spec: { containers: list } });
  const a = { name: 'a', image: 'x:1', env: [{ name: 'K', value: '1' }] };
  const b = { name: 'b', image: 'y:1' };

  const applied: readonly (readonly [string, Json, Json, Json])[] = [
    [
      'merges containers by name',
      containers(a, b),
      containers({ name: 'b', image: 'y:2' }),
      containers(a, { name: 'b', image: 'y:2' }),
    ],
    ['adds an item that is new', containers(a), containers({ name: 'c', image: 'z' }), containers({ name: 'c', image: 'z' }, a)],
    ['deletes an item', containers(a, b), containers({ $patch: 'delete', name: 'a' }), containers(b)],
    ['replaces a list', containers(a, b), containers({ $patch: 'replace' }, { name: 'c' }), containers({ name: 'c' })],
    [
      'orders as told, keeping items of the server in place',
      containers(a, { name: 's' }, b),
      { spec: { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }], containers: [{ name: 'a', image: 'x:2' }] } },
      containers({ name: 's' }, b, { ...a, image: 'x:2' }),
    ],
    [
      'merges lists within list items',
      containers(a),
      containers({ name: 'a', env: [{ name: 'L', value: '2' }] }),
      containers({
        ...a,
        env: [
          { name: 'L', value: '2' },
          { name: 'K', value: '1' },
        ],
      }),
    ],
    [
      'replaces lists without a strategy',
      { spec: { containers: [{ ...a, args: ['1', '2'] }] } },
      containers({ name: 'a', args: ['3'] }),
      containers({ ...a, args: ['3'] }),
    ],
    [
      'deletes by null',
      { metadata: { labels: { x: '1', y: '2' } } },
      { metadata: { labels: { x: null } } },
      { metadata: { labels: { y: '2' } } },
    ],
    [
      'merges finalizers as a set',
      { metadata: { finalizers: ['a', 'b'] } },
      { metadata: { finalizers: ['c', 'a'] } },
      { metadata: { finalizers: ['c', 'a', 'b'] } },
    ],
    [
      'deletes from a list of strings',
      { metadata: { finalizers: ['a', 'b', 'c'] } },
      { metadata: { '$deleteFromPrimitiveList/finalizers': ['b'] } },
      { metadata: { finalizers: ['a', 'c'] } },
    ],
    [
      'replaces a map',
      { metadata: { labels: { x: '1' } } },
      { metadata: { labels: { $patch: 'replace', z: '1' } } },
      { metadata: { labels: { z: '1' } } },
    ],
    [
      'empties a map',
      { metadata: { labels: { x: '1' } } },
      { metadata: { labels: { $patch: 'delete' } } },
      { metadata: { labels: {} } },
    ],
    ['takes a new map without nulls', {}, { metadata: { labels: { x: null, y: '1' } } }, { metadata: { labels: { y: '1' } } }],
  ];
  it.each(applied)('%s', (_name, target, patch, expected) => {
    expect(applyStrategicMergePatch(deepFreeze(target), deepFreeze(patch), pod)).toEqual(expected);
  });

  it('keeps only the retained keys of a union', () => {
    const target = { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } };
    const patch = { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } };
    expect(applyStrategicMergePatch(target, patch, deployment)).toEqual({ spec: { strategy: { type: 'Recreate' } } });
  });

  it('puts new items in the places of deleted ones, behind what only the server has', () => {
    const patch: Json = {
      spec: {
        '$setElementOrder/containers': [{ name: 'c' }, { name: 'b' }],
        containers: [{ $patch: 'delete', name: 'b' }, { name: 'c' }],
      },
    };
    const names = (result: Json) => (result as { spec: { containers: { name: string }[] } }).spec.containers.map((c) => c.name);
    expect(names(applyStrategicMergePatch(containers({ name: 'a' }, { name: 'b' }), patch, pod))).toEqual(['a', 'c']);
    expect(names(applyStrategicMergePatch(containers({ name: 'a' }), patch, pod))).toEqual(['c', 'a']);
  });

  const refused: readonly (readonly [string, Json, number, string])[] = [
    ['an unknown directive', { metadata: { $patch: 'bogus' } }, 500, 'unknown patch type: bogus in map: map[$patch:bogus]'],
    ['an item without its key', containers({ image: 'z' }), 500, 'map: map[image:z] does not contain declared merge key: name'],
    [
      'a patch outside its retained keys',
      { metadata: { $retainKeys: ['name'], labels: {} } },
      400,
      'invalid patch format of retainKeys',
    ],
    [
      'an order that the patch contradicts',
      { spec: { '$setElementOrder/containers': [{ name: 'a' }], containers: [{ name: 'b', image: 'q' }] } },
      500,
      "The order in patch list:\n[map[image:q name:b]]\n doesn't match $setElementOrder list:\n[map[name:a]]\n",
    ],
    [
      'items of several types',
      { spec: { containers: [{ name: 'b' }, 1] } },
      500,
      'list element types are not identical: [[map[name:a]] [map[name:b] 1]]',
    ],
    [
      'a directive without a list',
      { metadata: { $deleteFromPrimitiveList: ['a'] } },
      400,
      'invalid patch format of primitive list',
    ],
    [
      'an order of what is no list',
      { spec: { '$setElementOrder/containers': null } },
      500,
      'expected a []interface {}, but received a %!s(<nil>)',
    ],
    [
      'an order of a field that is none',
      { metadata: { '$setElementOrder/x': [] } },
      500,
      'unable to find api field in struct ObjectMeta for the json field "x"',
    ],
    ['no object', [1], 400, 'json: cannot unmarshal array into Go value of type map[string]interface {}'],
  ];
  it.each(refused)('refuses %s', (_name, patch, code, message) => {
    const target = { metadata: { labels: { x: '1' } }, ...(containers({ name: 'a' }) as object) };
    expect(() => applyStrategicMergePatch(target, deepFreeze(patch), pod)).toThrow(expect.objectContaining({ code, message }));
  });

  it('is idempotent for patches without directives', () => {
    const container = fc.record({ name: fc.constantFrom('a', 'b', 'c'), image: fc.constantFrom('1', '2') });
    const list = fc.uniqueArray(container, { selector: (c) => c.name });
    fc.assert(
      fc.property(list, list, (have, want) => {
        const once = applyStrategicMergePatch(containers(...have), containers(...want), pod);
        expect(applyStrategicMergePatch(once, containers(...want), pod)).toEqual(once);
      }),
    );
  });
});
