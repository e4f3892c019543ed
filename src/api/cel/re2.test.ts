import { describe, expect, it } from 'vitest';
import { endsInTime } from './bounded-regexp.ts';
import { compileRe2, Re2Error } from './re2.ts';

const problem = (pattern: string): string => {
  try {
    compileRe2(pattern);
  } catch (err) {
    if (err instanceof Re2Error) return err.message;
    throw err;
  }
  return 'none';
};

describe('RE2', () => {
  it.each<[string, readonly string[], readonly string[]]>([
    ['^[a-z0-9]([-a-z0-9]*[a-z0-9])?$', ['a', 'a-b'], ['-a', 'A']],
    ['(?i)^abc$', ['ABC', 'aBc'], ['abd']],
    ['(?i:[a-c])x', ['Ax', 'cx'], ['dx', 'aX']],
    ['^.$', ['a', '👑', 'é'], ['\n', 'ab']],
    ['(?s)^.$', ['\n'], ['']],
    ['(?m)^b$', ['a\nb\nc'], ['ab']],
    ['^[^a]$', ['👑', 'b'], ['a', '']],
    ['^[👑-👓]$', ['👒'], ['a', '👔']],
    ['^[[:alpha:]_]+$', ['a_Z'], ['a1']],
    ['^[[:^digit:]]+$', ['ab'], ['a1']],
    ['^\\Aa\\z$', ['a'], ['a\n']],
    ['^\\pL+$', ['é'], ['1']],
    ['^\\p{Greek}+$', ['αβ'], ['ab']],
    ['^\\Qa.b\\E$', ['a.b'], ['axb']],
    ['^\\x41\\x{42}\\101$', ['ABA'], ['ABC']],
    ['^(?P<name>a)(?:b|c)$', ['ab'], ['ad']],
    ['^\\s$', [' ', '\t'], ['\u00a0']],
    ['a{,2}', ['a{,2}'], ['aa']],
    ['^[]a]$', [']', 'a'], ['b']],
    ['^a**$'.replace('**', '*'), ['', 'aa'], ['b']],
  ])('%s', (pattern, matching, others) => {
    const compiled = compileRe2(pattern);
    for (const text of matching) expect([text, compiled.test(text)]).toEqual([text, true]);
    for (const text of others) expect([text, compiled.test(text)]).toEqual([text, false]);
  });

  it('says what Go says', () => {
    expect(problem('a(b')).toBe('error parsing regexp: missing closing ): `a(b`');
    expect(problem('a)')).toBe('error parsing regexp: unexpected ): `a)`');
    expect(problem('*a')).toBe('error parsing regexp: missing argument to repetition operator: `*`');
    expect(problem('[a')).toBe('error parsing regexp: missing closing ]: `[a`');
    expect(problem('(?=a)')).toBe('error parsing regexp: invalid or unsupported Perl syntax: `(?=`');
    expect(problem('a{1001}')).toBe('error parsing regexp: invalid repeat count: `{1001}`');
    expect(problem('\\8')).toBe('error parsing regexp: invalid escape sequence: `\\8`');
  });

  it.each([
    ['^(\\p{L}+)+$', `${'a'.repeat(60)}!`],
    ['^(a{1,30}){1,30}$', `${'a'.repeat(900)}!`],
    ['(.*){20}b', 'a'.repeat(200)],
    ['.*a{500}.*a{500}.*a{500}b', 'a'.repeat(3000)],
    [`${'a*'.repeat(200)}b`, 'a'.repeat(1_000_000)],
  ])('gives up in time: %s', (pattern, text) => {
    const compiled = compileRe2(pattern);
    expect(() => compiled.test(text)).toThrow('the search took too long');
    // Then it is not tried again for a while.
    expect(() => compiled.test(text)).toThrow('the search took too long');
  });

  it('searches short texts also after a long one took too long', () => {
    const compiled = compileRe2('^([0-9]{1,5}(h|m|s|ms)){1,4}$');
    const slow = compileRe2('^(a{1,30}){1,30}$');
    expect(() => slow.test(`${'a'.repeat(900)}!`)).toThrow('the search took too long');
    expect(() => slow.test(`${'a'.repeat(800)}!`)).toThrow('the search took too long');
    expect(slow.test('aaa')).toBe(true);
    expect(slow.test('aab')).toBe(false);
    expect(compiled.test('500ms')).toBe(true);
  });

  it('counts the time that a search computes, not the time that others had the processor', () => {
    const waits = new Int32Array(new SharedArrayBuffer(4));
    let begun = 0;
    const inTime = endsInTime(() => {
      if (begun++ === 0) Atomics.wait(waits, 0, 0, 150);
    });
    expect([inTime, begun]).toEqual([true, 2]);
    expect(
      endsInTime(() => {
        for (;;);
      }),
    ).toBe(false);
  });

  it('refuses repetitions of repetitions, and nesting, beyond all measure', () => {
    expect(problem('^(a{0,100}){0,100}$')).toContain('invalid repeat count');
    expect(problem(`${'('.repeat(200)}a${')*'.repeat(200)}`)).toContain('expression nests too deeply');
  });

  it('is not led into endless backtracking', () => {
    expect(compileRe2('^(a+)+$').test(`${'a'.repeat(200)}!`)).toBe(false);
    expect(compileRe2('(?i)^(a|aa)+$').test(`${'a'.repeat(200)}!`)).toBe(false);
  });
});
