import { describe, expect, it } from 'vitest';
import { canonicalElement, compareElements, keyElement, PathElementError, showPath, valueElement } from './path-element.ts';

describe('path elements', () => {
  it.each([
    'i:0',
    'i:1234',
    'f:',
    'f:spec',
    'f: name with spaces  ',
    'f:app.kubernetes.io/name',
    'k:{"name":"my-container"}',
    'k:{"name":"  spaced  "}',
    'k:{"containerPort":80,"protocol":"TCP"}',
    'k:{"optional":null}',
    'k:{"json":{"A":1,"B":null,"C":"D","E":{"F":"G"}}}',
    'k:{"list":["1","2"]}',
    'v:null',
    'v:"text"',
    'v:1.5',
    'v:true',
    'v:{"some":"json"}',
    'k:{"name":"app-🚀"}',
    'k:{"name":"Привет, мир"}',
  ])('%s is canonical', (text) => {
    expect(canonicalElement(text)).toBe(text);
  });

  it.each([
    ['k:{ "protocol":"udp", "port":443}', 'k:{"port":443,"protocol":"udp"}'],
    ['v: 3', 'v:3'],
    ['v:3.0', 'v:3'],
    ['v:"a\\/b"', 'v:"a/b"'],
    ['v:"<"', 'v:"\\u003c"'],
    ['i:+7', 'i:7'],
  ])('%s becomes %s', (text, canonical) => {
    expect(canonicalElement(text)).toBe(canonical);
  });

  it('drops types of elements that it does not know', () => {
    expect(canonicalElement('r:later')).toBeUndefined();
  });

  it.each(['', 'f', 'no-colon', 'i:x', 'i:1.2', 'i:', 'v:', 'v:json', 'k:json', 'k:[1]', 'v:{"a":1', 'v:"\\x41"', ':x:'])(
    'refuses %s',
    (text) => {
      expect(() => canonicalElement(text)).toThrow(PathElementError);
    },
  );

  it('escapes what Go escapes', () => {
    expect(valueElement('a<b>&"c"\\\u2028\n')).toBe('v:"a\\u003cb\\u003e\\u0026\\"c\\"\\\\\\u2028\\n"');
    expect(keyElement([['name', '<x>']])).toBe('k:{"name":"\\u003cx\\u003e"}');
  });

  it('orders fields, keys, values and indexes, each by what they hold', () => {
    const ordered = [
      'f:Z',
      'f:a',
      'f:aa',
      'f:b',
      'f:\uffff',
      'f:😀',
      'k:{"a":1}',
      'k:{"containerPort":80,"protocol":"TCP"}',
      'k:{"containerPort":80,"protocol":"UDP"}',
      'k:{"containerPort":443,"protocol":"TCP"}',
      'k:{"containerPort":8080}',
      'k:{"name":"a"}',
      'k:{"name":"a b"}',
      'k:{"name":"a!"}',
      'k:{"name":"a#"}',
      'k:{"name":"aa"}',
      'k:{"name":"b"}',
      'k:{"name":true}',
      'v:-1',
      'v:2',
      'v:10',
      'v:"10"',
      'v:"2"',
      'v:"a"',
      'v:false',
      'v:true',
      'v:[1]',
      'v:{"a":1}',
      'v:null',
      'i:2',
      'i:10',
    ];
    const shuffled = [...ordered].reverse();
    expect(shuffled.sort(compareElements)).toEqual(ordered);
    for (const a of ordered)
      for (const b of ordered) expect(Math.sign(compareElements(a, b))).toBe(-Math.sign(compareElements(b, a)) + 0);
  });

  it('shows paths as messages do', () => {
    expect(showPath(['f:spec', 'f:containers', 'k:{"containerPort":80,"protocol":"TCP"}', 'f:name'])).toBe(
      '.spec.containers[containerPort=80,protocol="TCP"].name',
    );
    expect(showPath(['f:list', 'v:"x"'])).toBe('.list[="x"]');
    expect(showPath(['f:list', 'i:3'])).toBe('.list[3]');
  });
});
