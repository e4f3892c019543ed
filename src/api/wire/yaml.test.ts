import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StatusError } from '../meta/status.ts';
import { parseYaml, parseYamlStream, toYaml } from './yaml.ts';

const read = (text: string): unknown => parseYaml(text).value;
const problem = (text: string): string => {
  try {
    parseYaml(text);
  } catch (err) {
    if (err instanceof StatusError && err.code === 400) return err.message;
    throw err;
  }
  return 'none';
};

describe('parseYaml', () => {
  it('reads words and numbers as YAML 1.1 does', () => {
    expect(
      read('a: yes\nb: "yes"\nc: 0777\nd: 0x1F\ne: 1_000\nf: 1e3\ng: ~\nh: 2026-01-02\ni: 1:30\nj: .5\nk: -5\nl: !!str 5'),
    ).toEqual({
      a: true,
      b: 'yes',
      c: 511,
      d: 31,
      e: 1000,
      f: 1000,
      g: null,
      h: '2026-01-02',
      i: '1:30',
      j: 0.5,
      k: -5,
      l: '5',
    });
    expect(read('1: a\ntrue: b\n__proto__: c')).toEqual(JSON.parse('{"1":"a","true":"b","__proto__":"c"}'));
    expect(read('')).toBeNull();
    expect(read('{"json": ["is", "yaml"]}')).toEqual({ json: ['is', 'yaml'] });
  });

  it('follows aliases and merges', () => {
    expect(read('base: &b {x: 1, z: 2}\nuse:\n  <<: *b\n  z: 3\nlist: [*b]')).toEqual({
      base: { x: 1, z: 2 },
      use: { x: 1, z: 3 },
      list: [{ x: 1, z: 2 }],
    });
  });

  it('tells of keys given twice', () => {
    const { value, duplicateFields } = parseYaml('a: 1\nb:\n  c: 1\n  c: 2\na: 3\n');
    expect(value).toEqual({ a: 3, b: { c: 2 } });
    expect(duplicateFields).toEqual([
      'yaml: unmarshal errors:\n  line 4: key "c" already set in map\n  line 5: key "a" already set in map',
    ]);
  });

  it('bounds what a document can become', () => {
    let bomb = 'a0: &a0 [x, x, x, x, x, x, x, x, x]\n';
    for (let i = 1; i < 12; i++)
      bomb += `a${i}: &a${i} [${Array(9)
        .fill(`*a${i - 1}`)
        .join(', ')}]\n`;
    expect(problem(bomb)).toBe('yaml: document contains excessive aliasing');
    expect(problem('['.repeat(20_000))).toMatch(/^yaml: /);
    expect(problem('a: *nowhere')).toMatch(/^yaml: /);
    expect(problem('a: [1')).toMatch(/^yaml: line \d+: /);
    expect(problem('a: b: c')).toMatch(/^yaml: line 1: /);
  });

  it('reads streams', () => {
    expect(parseYamlStream('a: 1\n---\n---\n# nothing\n---\nb: 2\n').map((d) => d.value)).toEqual([{ a: 1 }, { b: 2 }]);
  });
});

describe('toYaml', () => {
  it('writes as sigs.k8s.io/yaml does', () => {
    const value = {
      spec: { list: [{ name: 'a', args: ['--x', '- y', '*'] }, [1, [2]], {}, []], empty: {}, none: [], nil: null },
      apiVersion: 'v1',
      data: {
        script: '#!/bin/sh\necho hi\n',
        tail: 'a\nb',
        more: 'a\n\n',
        tab: 'a\tb\n',
        yes: 'yes',
        number: '5',
        empty: '',
        colon: 'a: b',
        quote: "it's: so",
        time: '2026-01-02T00:00:00Z',
        n: 1.5,
        flag: true,
      },
      a10: 1,
      a9: 2,
    };
    expect(toYaml(value)).toBe(`a9: 2
a10: 1
apiVersion: v1
data:
  colon: 'a: b'
  empty: ""
  flag: true
  more: |+
    a

  "n": 1.5
  number: "5"
  quote: 'it''s: so'
  script: |
    #!/bin/sh
    echo hi
  tab: "a\\tb\\n"
  tail: |-
    a
    b
  time: "2026-01-02T00:00:00Z"
  "yes": "yes"
spec:
  empty: {}
  list:
  - args:
    - --x
    - '- y'
    - '*'
    name: a
  - - 1
    - - 2
  - {}
  - []
  nil: null
  none: []
`);
  });

  it('folds long text', () => {
    const message = 'The node was low on resource: memory. Threshold quantity: 100Mi, available: 1000Ki. Container used a lot.';
    const text = toYaml({ status: { message } });
    expect(text).toBe(
      "status:\n  message: 'The node was low on resource: memory. Threshold quantity: 100Mi, available:\n    1000Ki. Container used a lot.'\n",
    );
    expect(read(text)).toEqual({ status: { message } });
  });

  it('writes what is read back the same', () => {
    const json = fc.jsonValue({ maxDepth: 4 }).map((v) => JSON.parse(JSON.stringify(v)) as unknown);
    fc.assert(
      fc.property(json, (value) => {
        expect(read(toYaml(value))).toEqual(value);
      }),
      { numRuns: 300 },
    );
    const words = fc.array(
      fc.constantFrom('yes', ' ', '  ', '\n', ':', '#', '-', "'", '"', 'x', 'long-word-here', '\t', '|', '0', '.'),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(words, (parts) => {
        const value = { k: { l: [parts.join(''), { m: parts.join('') }] } };
        expect(read(toYaml(value))).toEqual(value);
      }),
      { numRuns: 500 },
    );
  });
});

describe('what would take long', () => {
  it.each([
    ['deep flow', '['.repeat(1_000_000), 'exceeded max depth'],
    ['nested maps', `a: ${'{a: '.repeat(2_000)}`, 'exceeded max depth'],
    ['line breaks', `a:${'\n'.repeat(1_000_000)}b`, 'the document is too large'],
    ['wrong escapes', `"${'\\x'.repeat(500_000)}"`, 'found unknown escape character'],
    [
      'aliases of a long text',
      `a: &a ${'x'.repeat(1_000_000)}\nb: [${Array(1000).fill('*a').join(',')}]`,
      'document contains excessive aliasing',
    ],
  ])('is refused before: %s', (_, text, message) => {
    expect(() => parseYaml(text)).toThrow(`yaml: ${message}`);
  });

  it('is not what definitions have', () => {
    const line = '              description: "a \\u00e4 \\x41 \\\\ text with \\"quotes\\""\n';
    expect(parseYaml(`a:\n${Array.from({ length: 20_000 }, (_, i) => `  k${i}:\n${line}`).join('')}`).duplicateFields).toEqual(
      [],
    );
  });
});
