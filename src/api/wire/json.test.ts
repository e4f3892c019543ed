import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StatusError } from '../meta/status.ts';
import { MAX_JSON_DEPTH, parseJson } from './json.ts';

const parse = (text: string | Uint8Array, duplicates = true): ReturnType<typeof parseJson> =>
  parseJson(typeof text === 'string' ? Buffer.from(text) : text, { duplicates });

function problem(text: string | Uint8Array): string {
  try {
    parse(text);
  } catch (err) {
    if (err instanceof StatusError && err.code === 400)
      return err.message.replace("couldn't get version/kind; json parse error: ", '');
    throw err;
  }
  return 'none';
}

describe('parseJson', () => {
  it('names fields given twice, and keeps the last', () => {
    const { value, duplicateFields } = parse(
      '{"kind":"a","spec":{"replicas":1,"containers":[{"name":"x"},{"name":"y","name":"z","name":"w"}],"replicas":2}}',
    );
    expect(duplicateFields).toEqual(['duplicate field "spec.containers[1].name"', 'duplicate field "spec.replicas"']);
    expect(value).toMatchObject({ spec: { replicas: 2, containers: [{ name: 'x' }, { name: 'w' }] } });
    expect(parse('{"a":1,"a":2}', false).duplicateFields).toEqual([]);
    expect(parse('{"a":1,"\\u0061":2}').duplicateFields).toEqual(['duplicate field "a"']);
    expect(parse('{"a":"{\\"b\\":1,\\"b\\":2}", "c": [ ] , "d":{ } }').duplicateFields).toEqual([]);
    expect(parse('{"__proto__":{"x":1},"__proto__":{"x":1}}').duplicateFields).toEqual(['duplicate field "__proto__"']);
  });

  it('puts duplicate and unknown fields in the order of the text: a duplicate is where its second one begins', () => {
    const { duplicateFields } = parse(
      '{"spec":{"odd":{"a":1},"replicas":1,"list":[{"x":1,"far":2}],"replicas":2,"late":1},"spec":{}}',
    );
    expect(duplicateFields).toEqual(['duplicate field "spec.replicas"', 'duplicate field "spec"']);
    const unknown = ['spec.late', 'spec.list[0].far', 'spec.odd', 'spec.gone'].map((path) => `unknown field "${path}"`);
    expect(duplicateFields.inOrderMet?.([...duplicateFields, ...unknown])).toEqual([
      'unknown field "spec.odd"',
      'unknown field "spec.list[0].far"',
      'duplicate field "spec.replicas"',
      'unknown field "spec.late"',
      'duplicate field "spec"',
      'unknown field "spec.gone"',
    ]);
  });

  it('says what Go says of what is not JSON', () => {
    expect(problem('')).toBe('unexpected end of JSON input');
    expect(problem('{"a":')).toBe('unexpected end of JSON input');
    expect(problem('{a:1}')).toBe("invalid character 'a' looking for beginning of object key string");
    expect(problem('{"a" 1}')).toBe("invalid character '1' after object key");
    expect(problem('{"a":1 "b"}')).toBe("invalid character '\"' after object key:value pair");
    expect(problem('{"a":1,}')).toBe("invalid character '}' looking for beginning of object key string");
    expect(problem('[1,]')).toBe("invalid character ']' looking for beginning of value");
    expect(problem('[1 2]')).toBe("invalid character '2' after array element");
    expect(problem('{} x')).toBe("invalid character 'x' after top-level value");
    expect(problem('nul!')).toBe("invalid character '!' in literal null (expecting 'l')");
    expect(problem('"a\nb"')).toBe("invalid character '\\n' in string literal");
    expect(problem('"\\q"')).toBe("invalid character 'q' in string escape code");
    expect(problem('"\\u12g4"')).toBe("invalid character 'g' in \\u hexadecimal character escape");
    expect(problem('-x')).toBe("invalid character 'x' in numeric literal");
    expect(problem('01')).toBe("invalid character '1' after top-level value");
    expect(problem('1.e3')).toBe("invalid character 'e' after decimal point in numeric literal");
    expect(problem('\ufeff{}')).toBe("invalid character 'ï' looking for beginning of value");
    expect(problem('apiVersion: v1')).toBe("invalid character 'a' looking for beginning of value");
  });

  it('replaces bytes that are not UTF-8', () => {
    expect(parse(Uint8Array.from([0x22, 0x61, 0xff, 0x62, 0x22])).value).toBe('a\ufffdb');
  });

  it('refuses nesting without end, and numbers without end', () => {
    expect(problem('['.repeat(200_000) + ']'.repeat(200_000))).toBe('exceeded max depth');
    expect(problem('{"a":'.repeat(MAX_JSON_DEPTH + 1) + '1' + '}'.repeat(MAX_JSON_DEPTH + 1))).toBe('exceeded max depth');
    expect(problem('['.repeat(MAX_JSON_DEPTH) + ']'.repeat(MAX_JSON_DEPTH))).toBe('none');
    expect(problem('{"a":1e999}')).toMatch(/^json: cannot unmarshal number/);
  });

  it('agrees with JSON.parse, and never sees duplicates where there are none', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const parsed = parse(text);
        expect(parsed.value).toEqual(JSON.parse(text));
        expect(parse(JSON.stringify(parsed.value, null, 2)).duplicateFields).toEqual([]);
      }),
    );
  });

  it('finds every key that is written twice in an object', () => {
    const keys = fc.array(fc.string(), { maxLength: 8 });
    fc.assert(
      fc.property(keys, (names) => {
        const text = `{"list":[{${names.map((n) => `${JSON.stringify(n)}:[1,{"x":":"}]`).join(',')}}]}`;
        const twice = names.filter((n, i) => names.indexOf(n) !== i);
        expect(parse(text).duplicateFields).toEqual(
          [...new Set(twice)].map((n) => `duplicate field ${JSON.stringify(`list[0].${n}`)}`),
        );
      }),
    );
  });

  it('has an error, not a crash, for whatever bytes come', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(problem(bytes)).toBeTypeOf('string');
      }),
    );
    fc.assert(
      fc.property(fc.json(), fc.nat(), fc.string({ maxLength: 2 }), (text, at, extra) => {
        const i = at % (text.length + 1);
        expect(problem(text.slice(0, i) + extra + text.slice(i + 1))).not.toBe('invalid JSON');
      }),
    );
  });
});
