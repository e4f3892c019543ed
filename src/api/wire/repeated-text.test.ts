import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isRepeated } from '../repeated-parts.ts';
import { realisticPod } from '../schema/realistic-pod.fixture.ts';
import { parseJson } from './json.ts';
import { RepeatedText } from './repeated-text.ts';

const STAND_IN = 'nobody knows this';
const spec = realisticPod.spec;
const body = (name: string, more: object = {}): object => ({ kind: 'Pod', metadata: { name }, spec, ...more });

function reader(): (text: string) => ReturnType<typeof parseJson> {
  const repeated = new RepeatedText(STAND_IN);
  return (text) => parseJson(Buffer.from(text), { duplicates: true, repeated });
}

const specOf = (parsed: { readonly value: unknown }): object => (parsed.value as { readonly spec: object }).spec;

describe('RepeatedText', () => {
  it('gives bodies that end alike one frozen spec from the third on', () => {
    const read = reader();
    const all = ['a', 'b', 'c', 'd'].map((name) => read(JSON.stringify(body(name))));
    for (const [i, name] of ['a', 'b', 'c', 'd'].entries()) {
      expect(all[i]).toEqual({ value: body(name), duplicateFields: [] });
      expect(Object.keys(all[i]!.value as object)).toEqual(['kind', 'metadata', 'spec']);
    }
    expect(specOf(all[2]!)).toBe(specOf(all[3]!));
    expect(isRepeated(specOf(all[3]!))).toBe(true);
    expect(Object.isFrozen(specOf(all[3]!))).toBe(true);
    expect(isRepeated(specOf(all[0]!))).toBe(false);
  });

  it('tells specs apart that differ in one letter', () => {
    const read = reader();
    for (let round = 0; round < 4; round++) {
      for (const hostname of ['web-0', 'web-1']) {
        expect(read(JSON.stringify(body('x', { spec: { ...spec, hostname } }))).value).toEqual(
          body('x', { spec: { ...spec, hostname } }),
        );
      }
    }
  });

  it('takes only the member of the outermost object', () => {
    const read = reader();
    const text = JSON.stringify(spec);
    for (const odd of [
      `{"template":{"spec":${text}}}`,
      `{"a\\"spec":${text}}`,
      `{"spec":${text},"spec":1}`,
      `[{"spec":${text}}]`,
      `{"list":[{"spec":${text}}],"spec":{"a":1}}`,
      `{"spec":"${STAND_IN}x","inner":{"spec":${text}}}`,
    ]) {
      for (let round = 0; round < 4; round++) expect(read(odd).value).toEqual(JSON.parse(odd));
    }
  });

  it('finds what is twice beside a known spec, and inside of one', () => {
    const read = reader();
    const text = JSON.stringify(spec);
    for (let round = 0; round < 4; round++) {
      expect(read(`{"kind":"a","metadata":{},"kind":"b","spec":${text}}`).duplicateFields).toEqual(['duplicate field "kind"']);
      expect(read(`{"spec":1,"metadata":{},"spec":${text}}`).duplicateFields).toEqual(['duplicate field "spec"']);
      const twice = `{"nodeName":"a",${text.slice(1, -1)},"nodeName":"b"}`;
      expect(read(`{"spec":${twice}}`).duplicateFields).toEqual(['duplicate field "spec.nodeName"']);
    }
  });

  it('refuses what is no JSON beside a known spec', () => {
    const read = reader();
    const text = JSON.stringify(spec);
    for (let round = 0; round < 3; round++) read(`{"spec":${text}}`);
    expect(() => read(`{"a":,"spec":${text}}`)).toThrow(/json parse error/);
    expect(() => read(`{"a" "b","spec":${text}}`)).toThrow(/json parse error/);
    expect(() => read(`{"a":1e999,"spec":${text}}`)).toThrow(/1e999/);
  });

  it('reads texts with letters beyond ASCII as they are', () => {
    const read = reader();
    for (let round = 0; round < 4; round++) expect(read(JSON.stringify(body('größe'))).value).toEqual(body('größe'));
  });

  it('reads bytes that are no UTF-8 as they would be read elsewhere', () => {
    const repeated = new RepeatedText(STAND_IN);
    const bytes = Buffer.from(JSON.stringify(body('x', { spec: { ...spec, hostname: 'A\u00ffB' } })), 'latin1');
    const expected = parseJson(bytes, { duplicates: true });
    expect(specOf(expected)).toMatchObject({ hostname: 'A\ufffdB' });
    for (let round = 0; round < 4; round++) expect(parseJson(bytes, { duplicates: true, repeated })).toEqual(expected);
  });

  it('keeps what is known when many others come once', () => {
    const read = reader();
    const texts = Array.from({ length: 3 }, (_, i) => JSON.stringify(body(`x${i}`)));
    for (const text of texts) read(text);
    for (let i = 0; i < 300; i++) read(JSON.stringify(body('y', { spec: { ...spec, hostname: `h${i}` } })));
    expect(isRepeated(specOf(read(texts[0]!)))).toBe(true);
  });

  it('reads any bodies as it would without', () => {
    const member = fc.constantFrom('spec', 'metadata', 'a"spec', 'x');
    const inner = fc.oneof(
      fc.constant(spec),
      fc.json().map((text) => JSON.parse(text) as unknown),
      fc.constant('"spec":{'),
    );
    const object = fc.array(fc.tuple(member, inner), { maxLength: 4 });
    const text = object.map(
      (members) => `{${members.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join()}}`,
    );
    const read = reader();
    fc.assert(
      fc.property(fc.array(text, { maxLength: 4 }), (texts) => {
        for (const each of [...texts, ...texts, ...texts]) {
          expect(read(each)).toEqual(parseJson(Buffer.from(each), { duplicates: true }));
        }
      }),
    );
  });
});
