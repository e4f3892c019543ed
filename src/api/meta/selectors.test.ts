import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { escapeFieldValue, parseFieldSelector, unescapeFieldValue } from './field-selector.ts';
import { everything, nothing, parseLabelSelector, SelectorError, selectorFromObject, selectorFromSet } from './label-selector.ts';

const problem = (parse: () => unknown): string => {
  try {
    parse();
  } catch (err) {
    if (err instanceof SelectorError) return err.message;
    throw err;
  }
  return 'none';
};

describe('label selectors', () => {
  it.each([
    ['a=b', { a: 'b' }, true],
    ['a==b', { a: 'c' }, false],
    ['a!=b', {}, true],
    ['a in (b,c)', { a: 'c' }, true],
    ['a notin (b,c)', { a: 'c' }, false],
    ['a notin (b)', {}, true],
    ['a', { a: '' }, true],
    ['!a', { b: '' }, true],
    ['!a', { a: '' }, false],
    ['a>1', { a: '2' }, true],
    ['a<1', { a: 'x' }, false],
    ['a=', { a: '' }, true],
    ['a in (,b)', { a: '' }, true],
    ['in in (in,notin)', { in: 'notin' }, true],
    ['x/y = z , !q', { 'x/y': 'z' }, true],
    ['constructor', {}, false],
    ['', { a: 'b' }, true],
  ])('%s of %j: %s', (text, labels, expected) => {
    expect(parseLabelSelector(text).matches(deepFreeze(labels))).toBe(expected);
  });

  it('writes itself back, sorted by key', () => {
    expect(parseLabelSelector('z==1, b in (d,c) ,!a,e,f notin (),g>5').toString()).toBe('!a,b in (c,d),e,f notin (),g>5,z==1');
    expect(selectorFromSet({ b: '1', a: '2' }).toString()).toBe('a=2,b=1');
  });

  it('says what upstream says of bad ones', () => {
    const of = (text: string): string => problem(() => parseLabelSelector(text));
    expect(of('a in b')).toBe("unable to parse requirement: found 'b' expected: '('");
    expect(of('a b')).toBe("unable to parse requirement: found 'b', expected: =, ==, !=, in, notin, >, <");
    expect(of('a=b,')).toBe("found '', expected: identifier after ','");
    expect(of(',a')).toBe("found ',', expected: !, identifier, or 'end of string'");
    expect(of('a=b c')).toBe("found 'c', expected: ',' or 'end of string'");
    expect(of('a in (b')).toBe("unable to parse requirement: found '', expected: ',' or ')'");
    expect(of('-a')).toMatch(/^unable to parse requirement: <nil>: Invalid value: "-a": name part must consist of alphanumeric/);
    expect(of('a>b')).toBe(
      `unable to parse requirement: values[0]: Invalid value: "b": for 'Gt', 'Lt' operators, the value must be an integer`,
    );
  });

  it('come from objects: absent selects nothing, empty everything', () => {
    expect(selectorFromObject(undefined)).toBe(nothing);
    expect(selectorFromObject({})).toBe(everything);
    const selector = selectorFromObject({
      matchLabels: { app: 'a' },
      matchExpressions: [
        { key: 'tier', operator: 'In', values: ['x', 'y'] },
        { key: 'old', operator: 'DoesNotExist' },
      ],
    });
    expect(selector.toString()).toBe('app=a,!old,tier in (x,y)');
    expect(selector.matches({ app: 'a', tier: 'y' })).toBe(true);
    expect(selector.matches({ app: 'a', tier: 'y', old: '' })).toBe(false);
    expect(selector.exactValue('app')).toBe('a');
    expect(selector.exactValue('tier')).toBeUndefined();
    expect(problem(() => selectorFromObject({ matchExpressions: [{ key: 'a', operator: 'toString' }] }))).toBe(
      '"toString" is not a valid label selector operator',
    );
  });

  it('mean the same after being written and read again', () => {
    const word = fc.stringMatching(/^[a-z]([a-z0-9._-]{0,5}[a-z0-9])?$/);
    const requirement = fc.oneof(
      fc.tuple(word, fc.constantFrom('=', '==', '!='), word).map(([k, o, v]) => k + o + v),
      fc
        .tuple(word, fc.constantFrom(' in ', ' notin '), fc.array(word, { minLength: 1, maxLength: 3 }))
        .map(([k, o, v]) => `${k}${o}(${v})`),
      word,
      word.map((k) => `!${k}`),
      fc.tuple(word, fc.constantFrom('>', '<'), fc.integer({ min: 0 })).map(([k, o, v]) => k + o + v),
    );
    fc.assert(
      fc.property(fc.array(requirement, { maxLength: 5 }), fc.dictionary(word, word), (list, labels) => {
        const first = parseLabelSelector(list.join(','));
        const second = parseLabelSelector(first.toString());
        expect(second.requirements).toEqual(first.requirements.map((r) => ({ ...r, values: [...r.values].sort() })));
        expect(second.matches(labels)).toBe(first.matches(labels));
      }),
    );
  });

  it('never crash', () => {
    fc.assert(fc.property(fc.string(), (text) => problem(() => parseLabelSelector(text)) !== ''));
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'a!=(), <>in'.split('')) }),
        (t) => problem(() => parseLabelSelector(t)) !== '',
      ),
    );
  });
});

describe('field selectors', () => {
  it('split, compare and escape', () => {
    const selector = parseFieldSelector('status.phase!=Running,,spec.nodeName==a\\,b\\=c\\\\');
    expect(selector.toString()).toBe('spec.nodeName=a\\,b\\=c\\\\,status.phase!=Running');
    const fields: Record<string, string> = { 'spec.nodeName': 'a,b=c\\', 'status.phase': 'Pending' };
    expect(selector.matches((f) => fields[f] ?? '')).toBe(true);
    expect(selector.matches(() => '')).toBe(false);
    expect(selector.exactValue('spec.nodeName')).toBe('a,b=c\\');
    expect(parseFieldSelector('').empty).toBe(true);
  });

  it('say what upstream says of bad ones', () => {
    expect(problem(() => parseFieldSelector('a'))).toBe("invalid selector: 'a'; can't understand 'a'");
    expect(problem(() => parseFieldSelector('a=b\\x'))).toBe('invalid field selector: invalid escape sequence: \\x');
    expect(problem(() => parseFieldSelector('a=b=c'))).toBe('invalid field selector: unescaped character in value: 61');
  });

  it('escape what they unescape', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        expect(unescapeFieldValue(escapeFieldValue(value))).toBe(value);
        expect(parseFieldSelector(`f=${escapeFieldValue(value)}`).exactValue('f')).toBe(value);
      }),
    );
  });
});
