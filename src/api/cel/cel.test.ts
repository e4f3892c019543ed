import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deepFreeze } from '../../util/deep-freeze.ts';
import type { JSONSchemaProps } from '../types/apiextensions-v1.ts';
import { CelError, CompileError, CostLimitError, compileExpression, costOf } from './compile.ts';
import { declTypeOf, escapeName } from './decl-type.ts';
import { dynamicValue, typedValue } from './json-values.ts';
import { DYN, formatType } from './types.ts';
import { Duration, ListValue, MapValue, Optional, Timestamp, TypeValue, Unsigned, type Value } from './values.ts';

const data = deepFreeze({
  n: 5,
  list: [3, 1, 2],
  map: { a: 'x', b: 'y' },
  text: 'héllo 👑',
  nothing: null,
  deep: { list: [{ name: 'one' }] },
});

const run = (source: string): Value => compileExpression(source, { self: DYN }).evaluate({ self: dynamicValue(data) }).value;

/** Values as JSON would have them, so that tables can be read. */
function plain(value: Value): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Unsigned) return `${value.value}u`;
  if (value instanceof ListValue) return [...value].map(plain);
  if (value instanceof MapValue)
    return Object.fromEntries([...value.keys()].map((k) => [String(plain(k)), plain(value.find(k)!)]));
  if (value instanceof Optional) return value.value === undefined ? 'none' : ['some', plain(value.value)];
  if (value instanceof TypeValue) return `type ${value.name}`;
  if (value instanceof Timestamp || value instanceof Duration) return String(value.nanos);
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`;
  return value;
}

const failure = (source: string): string => {
  try {
    run(source);
  } catch (err) {
    if (err instanceof CelError || err instanceof CompileError) return err.message;
    throw err;
  }
  return 'no failure';
};

it.each([
  ['self.x == 1 && self.y == 1', 'no such key: x'],
  ['false || self.x == 1 || self.y == 1', 'no such key: x'],
  ['dyn(1).x', 'no such key: x'],
  ['dyn([1]).x', "unsupported index type 'string' in list"],
  ['[1][dyn(0.1)]', 'unsupported index value 0.1 in list'],
  ["bool('tru')", "program instantiation failed: type conversion error from 'string' to 'bool'"],
  ['uint(-1)', 'program instantiation failed: unsigned integer overflow'],
])('%s fails with %s', (source, message) => {
  expect(failure(source)).toBe(message);
});

it.each<[string, unknown]>([
  ['has(dyn(1).x)', false],
  ['dyn({"a": 1}).?a.?b.hasValue()', false],
  ["'\\ufeff \\u0085x\\u3000'.trim() == '\\ufeff \\u0085x'", true],
])('%s is %j', (source, value) => {
  expect(plain(run(source))).toEqual(value);
});

it('compiles nested optional macros without doubling the work at each level', () => {
  const chain = (start: string): string => start + 'abcdefghijklmnopqrstuvwxyz'.replace(/./g, '.optMap($&, $& + 1)');
  const program = compileExpression(chain('optional.of(self)'), { self: DYN });
  expect(program.estimate().max).toBeGreaterThan(1e6);
  expect(() => program.evaluate({ self: 1n })).toThrow(CostLimitError);
  // What is wrong with the innermost is told twice for each level, but not without end.
  expect(() => compileExpression(chain('missing'), {})).toThrow("undeclared reference to 'missing'");
  expect(
    plain(compileExpression('self.optMap(a, a + 1).optMap(b, b * 2)', { self: DYN }).evaluate({ self: new Optional(3n) }).value),
  ).toEqual(['some', 8]);
});

describe('CEL', () => {
  it.each<[string, unknown]>([
    ['1 + 2 * 3 - 4 / 2', 5],
    ['-7 / 2', -3],
    ['-7 % 2', -1],
    ['7u % 4u', '3u'],
    ['0x10 + 1', 17],
    ['1.5e3 + .5', 1500.5],
    ['- - 1', 1],
    ['!!true', true],
    ['1 < 2.5 && 2u > 1 && 1 <= 1u', true],
    ['dyn(1) == 1.0 && dyn(1u) == 1', true],
    ['dyn(1) == "1"', false],
    ['"a" < "b" && b"a" < b"b"', true],
    ["r'\\d' == '\\\\d' && '\\u00e9\\x41\\101' == 'éAA'", true],
    ['"""a\n"b" """', 'a\n"b" '],
    ['[1, 2] + [3] == [1, 2, 3]', true],
    ['{"a": 1}["a"] + {"a": 1}.a', 2],
    ['{1: "int", 2u: "uint"}.size()', undefined],
    ['size("👑é") == 2 && "👑é".size() == 2', true],
    ['b"\\xff".size()', 1],
    ['true ? 1 : 1 / 0', 1],
    ['false && 1 / 0 > 0', false],
    ['1 / 0 > 0 && false', false],
    ['1 / 0 > 0 || true', true],
    ['2 in [1, 2] && "a" in {"a": 1} && !("b" in {"a": 1})', true],
    ['type(1) == int && type([]) == list && type(null) == null_type && type(type(1)) == type', true],
    ['type(timestamp("2024-01-01T00:00:00Z")) == google.protobuf.Timestamp', true],
    ['[1, 2, 3].all(x, x > 0) && ![1, 2].all(x, x > 1)', true],
    ['[1, 0].exists(x, 1 / x > 0)', true],
    ['[0, 1].all(x, 1 / x < 0)', false],
    ['[1, 2, 1].exists_one(x, x == 2)', true],
    ['[1, 2, 3].filter(x, x > 1).map(x, x * 2)', [4, 6]],
    ['[1, 2, 3].map(x, x > 1, x * x)', [4, 9]],
    ['{"a": 1, "b": 2}.filter(k, k == "a")', ['a']],
    ['[[1, 2], [3]].map(x, x.map(y, y + 1))', [[2, 3], [4]]],
    ['{"a": 1}.all(k, v, k == "a" && v == 1)', true],
    ['[5, 6].exists(i, v, i == 1 && v == 6)', true],
    ['[5, 6].transformList(i, v, i + v)', [5, 7]],
    ['{"a": 1, "b": 2}.transformMap(k, v, v > 1, v * 10)', { b: 20 }],
    ['["x"].transformMapEntry(i, v, {v: i})', { x: 0 }],
    ['has(self.map.a) && !has(self.map.z)', true],
    ['self.?map.?a', ['some', 'x']],
    ['self.?zzz.?a', 'none'],
    ['self.list[?9].orValue(7)', 7],
    ['self.?deep.list[0].name.orValue("none")', 'one'],
    ['[?self.?n, ?self.?zzz]', [5]],
    ['{?"a": self.?zzz, "b": 1}', { b: 1 }],
    ['optional.of(1).or(optional.of(2)).value() + optional.none().orValue(3)', 4],
    ['optional.of(2).optMap(x, x * 2)', ['some', 4]],
    ['cel.bind(x, self.n, x + x)', 10],
    ['int("42") + int(3.9) + int(2u)', 47],
    ['uint(3) == 3u && double("1.5") == 1.5 && bool("true")', true],
    ['string(1) + string(1.0) + string(true) + string(1u)', '11true1'],
    ['string(2147483648.0) + " " + string(123456.5) + " " + string(0.00001)', '2.147483648e+09 123456.5 1e-05'],
    ['timestamp("2024-02-29T12:30:45.5Z").getDayOfYear()', 59],
    ['timestamp("2024-02-29T23:00:00Z").getHours("+02:00")', 1],
    ['timestamp("2024-01-01T00:00:00Z").getHours("America/New_York")', 19],
    ['string(timestamp("2011-08-18T19:03:37.01+01:00"))', '2011-08-18T19:03:37.01+01:00'],
    ['timestamp("2024-01-01T00:00:00Z") + duration("36h") == timestamp("2024-01-02T12:00:00Z")', true],
    ['string(duration("1h0m1.5s"))', '3601.5s'],
    ['duration("90m").getHours()', 1],
  ])('%s', (source, expected) => {
    if (expected === undefined) expect(() => run(source)).toThrow(CompileError);
    else expect(plain(run(source))).toEqual(expected);
  });

  it.each<[string, unknown]>([
    ['"hello".charAt(4) + "tacocat".substring(4)', 'ocat'],
    ['"👑a👑".indexOf("👑", 1)', 2],
    ['"a b c".split(" ") == ["a", "b", "c"] && "a b c".split(" ", 2) == ["a", "b c"]', true],
    ['["a", "b"].join("-")', 'a-b'],
    ['"aaa".replace("a", "b", 2) + "ab".replace("", "-")', 'bba-a-b-'],
    ['"  x ".trim() + "TacoCÆt".lowerAscii() + "x".upperAscii()', 'xtacocÆtX'],
    ['"%s %d %.2f %x %b %e %s".format(["a", 5, 1.005, 255, 5, 31400.0, [1, "x"]])', 'a 5 1.00 ff 101 3.140000×10⁰⁴ [1, x]'],
    ['strings.quote("a\\n\\"b\\"")', '"a\\n\\"b\\""'],
    ['[3, 1, 2].sort() == [1, 2, 3] && [1, 1, 2].distinct() == [1, 2]', true],
    ['["bb", "a"].sortBy(x, size(x))', ['a', 'bb']],
    ['[[1], [2, 3]].flatten() == lists.range(4).slice(1, 4) && [1, 2].reverse() == [2, 1]', true],
    ['[1, 2, 3].sum() == 6 && [1, 3].max() == 3 && [1, 3].min() == 1 && [1, 2].isSorted()', true],
    ['[1, 2, 1].lastIndexOf(1) + [1, 2, 1].indexOf(1)', 2],
    ['sets.contains([1, 2], [2]) && sets.equivalent([1, 1], [1]) && sets.intersects([1], [1, 2])', true],
    ['"abc 123".find("[0-9]+") + string("1 22 3".findAll("\\\\d+", 2).size())', '1232'],
    ['url("https://user@example.com:80/a%20b?x=1&x=2#f").getHost()', 'example.com:80'],
    ['url("https://[::1]:80/path").getHostname() + url("https://[::1]:80/path").getPort()', '::180'],
    ['url("/path?x=1&x=2").getQuery()', { x: ['1', '2'] }],
    ['isURL("https://x") && !isURL("x y")', true],
    ['ip("::1").isLoopback() && ip("10.0.0.1").family() == 4 && !isIP("::ffff:1.2.3.4") && !isIP("01.2.3.4")', true],
    ['ip.isCanonical("2001:db8::abcd") && !ip.isCanonical("2001:DB8::ABCD")', true],
    ['cidr("192.168.0.0/16").containsIP("192.168.3.4") && cidr("10.0.0.0/8").containsCIDR("10.1.0.0/16")', true],
    ['string(cidr("192.168.7.9/16").masked()) + string(cidr("::1/128").prefixLength())', '192.168.0.0/16128'],
    ['quantity("1Gi") == quantity("1024Mi") && quantity("50k").add(20) == quantity("50020") && sign(quantity("-1")) == -1', true],
    [
      'quantity("200M").compareTo(quantity("0.2G")) == 0 && quantity("1.5").isInteger() == false && quantity("50000").asInteger() == 50000',
      true,
    ],
    ['semver("1.2.3-alpha.1").isLessThan(semver("1.2.3")) && semver("v01.2", true).minor() == 2 && !isSemver("1.2")', true],
    ['format.dns1123Label().validate("ok").hasValue() || !format.named("nope").hasValue()', true],
    ['"ab".matches("^(a|b)+$") && "AB".matches("(?i)ab")', true],
  ])('has the libraries: %s', (source, expected) => {
    expect(plain(run(source))).toEqual(expected);
  });

  it.each([
    ['9223372036854775807 + 1', 'integer overflow'],
    ['-9223372036854775808 - 1', 'integer overflow'],
    ['-(-9223372036854775808)', 'integer overflow'],
    ['0u - 1u', 'unsigned integer overflow'],
    ['1 / 0', 'division by zero'],
    ['1 % 0', 'modulus by zero'],
    ['self.list[9]', 'index out of bounds: 9'],
    ['self.map.zzz', 'no such key: zzz'],
    ['self.map + 1', 'no such overload'],
    ['self.n ? 1 : 2', 'no such overload'],
    ['int(self.text)', "type conversion error from 'string' to 'int'"],
    ['uint("+1")', "program instantiation failed: type conversion error from 'string' to 'uint'"],
    ['double("1e999")', "program instantiation failed: type conversion error from 'string' to 'double'"],
    ['timestamp(self.text)', "type conversion error from 'string' to 'google.protobuf.Timestamp'"],
    ['duration(self.text)', "type conversion error from 'string' to 'google.protobuf.Duration'"],
    ['ip("x")', 'IP Address "x" parse error during conversion from string: ParseAddr("x"): unable to parse IP'],
    ['{self.n: 1, 5: 2}', 'Failed with repeated key'],
    ['optional.none().value()', 'optional.none() dereference'],
  ])('fails as cel-go does: %s', (source, message) => {
    expect(failure(source)).toBe(message);
  });

  it.each([
    ['foo', "ERROR: <input>:1:1: undeclared reference to 'foo' (in container '')\n | foo\n | ^"],
    ['1 + "a"', "ERROR: <input>:1:3: found no matching overload for '_+_' applied to '(int, string)'\n | 1 + \"a\"\n | ..^"],
    [
      '"a".matches(1)',
      "ERROR: <input>:1:12: found no matching overload for 'matches' applied to 'string.(int)'\n | \"a\".matches(1)\n | ...........^",
    ],
    ['[1, "a"]', "ERROR: <input>:1:5: expected type 'int' but found 'string'\n | [1, \"a\"]\n | ....^"],
    [
      '1.all(x, x)',
      "ERROR: <input>:1:1: expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)\n | 1.all(x, x)\n | ^",
    ],
    [
      'duration("x") == duration("1s")',
      'ERROR: <input>:1:10: invalid duration argument\n | duration("x") == duration("1s")\n | .........^',
    ],
  ])('does not compile: %s', (source, message) => {
    expect(failure(source)).toBe(message);
  });

  it('stops what costs too much', () => {
    const program = compileExpression('lists.range(1000).all(x, lists.range(1000).all(y, x + y >= 0))', {});
    let failed: unknown;
    try {
      program.evaluate({}, { costLimit: 1000 });
    } catch (err) {
      failed = err;
    }
    expect(failed).toBeInstanceOf(CostLimitError);
    expect(costOf(failed)).toBeGreaterThan(1000);
  });

  it('works out a variable when it is first wanted, and once', () => {
    let asked = 0;
    const program = compileExpression('self.n == 5 || lazy == lazy', { self: DYN, lazy: DYN });
    const lazy = (): Value => {
      asked++;
      return 1n;
    };
    expect(program.evaluate({ self: dynamicValue({ n: 5 }), lazy }).value).toBe(true);
    expect(asked).toBe(0);
    program.evaluate({ self: dynamicValue({ n: 1 }), lazy });
    expect(asked).toBe(1);
    expect([...program.references].sort()).toEqual(['lazy', 'self']);
  });

  it('keeps to the integers', () => {
    const program = compileExpression('a + b * 2 - a', { a: DYN, b: DYN });
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 60n), max: 2n ** 60n }), fc.bigInt({ min: -(2n ** 60n), max: 2n ** 60n }), (a, b) => {
        expect(program.evaluate({ a, b }).value).toBe(b * 2n);
      }),
    );
  });

  it('never throws anything but its own errors', () => {
    const token = fc.constantFrom(
      ...'self . n [ ] ( ) { } 1 2.5 "a" + - * / % < == && || ! ? : , in has all map x size true null'.split(' '),
    );
    fc.assert(
      fc.property(fc.array(token, { maxLength: 12 }), (tokens) => {
        expect(typeof failure(tokens.join(' '))).toBe('string');
      }),
    );
  });
});

describe('schemas', () => {
  const schema: JSONSchemaProps = {
    type: 'object',
    required: ['name'],
    properties: {
      name: { type: 'string', maxLength: 10 },
      namespace: { type: 'string', enum: ['abc', 'd'] },
      'a-b.c/d__e': { type: 'integer' },
      ratio: { type: 'number' },
      when: { type: 'string', format: 'date-time' },
      wait: { type: 'string', format: 'duration' },
      data: { type: 'string', format: 'byte' },
      either: { 'x-kubernetes-int-or-string': true },
      open: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      set: { type: 'array', maxItems: 5, 'x-kubernetes-list-type': 'set', items: { type: 'string', maxLength: 2 } },
      keyed: {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['k'],
        items: { type: 'object', properties: { k: { type: 'string' }, v: { type: 'integer' } } },
      },
      labels: { type: 'object', maxProperties: 3, additionalProperties: { type: 'string', maxLength: 4 } },
      unseen: { 'x-kubernetes-preserve-unknown-fields': true },
      gone: { type: 'string', nullable: true },
      maybe: { type: 'array', items: { type: 'string', nullable: true } },
    },
  };
  const self = declTypeOf(schema, true)!;
  const value = deepFreeze({
    kind: 'K',
    name: 'n',
    'a-b.c/d__e': 4,
    ratio: 2,
    when: '2024-01-01T00:00:00Z',
    wait: '1m',
    data: 'QUI=',
    either: '50%',
    set: ['a', 'b'],
    keyed: [
      { k: 'x', v: 1 },
      { k: 'y', v: 2 },
    ],
    labels: { a: 'b' },
    gone: null,
    maybe: [null, 'x'],
  });
  const holds = (source: string): Value => compileExpression(source, { self }).evaluate({ self: typedValue(value, self) }).value;

  it.each([
    'self.a__dash__b__dot__c__slash__d__underscores__e == 4',
    'self.ratio == 2.0 && type(self.ratio) == double',
    'self.when < timestamp("2025-01-01T00:00:00Z") && self.wait == duration("60s") && self.data == b"AB"',
    'type(self.either) == string && self.either == "50%"',
    "self.set == ['b', 'a'] && self.set + ['a', 'c'] == ['a', 'b', 'c']",
    "self.keyed.exists(e, e.k == 'y' && e.v == 2) && self.keyed == self.keyed",
    "'a' in self.labels && self.labels['a'] == 'b'",
    "!has(self.__namespace__) && self.kind == 'K' && !has(self.metadata)",
    "!has(self.gone) && self.maybe.size() == 2 && self.maybe[1] == 'x'",
    'self.keyed + [self.keyed[1]] == self.keyed && [].sum() == 0',
  ])('%s', (source) => {
    expect(holds(source)).toBe(true);
  });

  it('hide what has no type, and say so', () => {
    expect(() => compileExpression('self.unseen', { self })).toThrow("undefined field 'unseen'");
    expect(() => compileExpression('self.namespace', { self })).toThrow("undefined field 'namespace'");
    expect(formatType(compileExpression('self.labels', { self }).type)).toBe('map(string, string)');
  });

  it('are held to what they say', () => {
    const failed = (source: string, json: object): string => {
      try {
        compileExpression(source, { self }).evaluate({ self: typedValue(json, self) });
      } catch (err) {
        return (err as Error).message;
      }
      return 'none';
    };
    expect(failed('self.either == 1', { either: true })).toBe(
      'invalid data, expected XIntOrString value to be either a string or integer',
    );
    expect(failed('self.set[0] == "a"', { set: [null] })).toBe('invalid data, got null for schema with nullable=false');
    expect(failed('self.ratio > 1.0', { ratio: 'x' })).toBe('invalid data, expected float, got string');
    expect(failed("self.name.find(')') == ''", {})).toBe('program instantiation failed: error parsing regexp: unexpected ): `)`');
  });

  it('bound what an expression may cost', () => {
    const most = (source: string): number => compileExpression(source, { self }).estimate().max;
    expect(most("self.name.contains('ab')")).toBe(2 + 4);
    expect(most('self.set.all(x, x.size() > 0)')).toBe(2 + 1 + 5 * 6);
    expect(most("self.name.matches('^[a-z]{4}$')")).toBe(2 + 5 * 3);
    expect(most('self.keyed.all(x, self.keyed.all(y, x.v == y.v))')).toBeGreaterThan(1e11);
    // What is chosen from has no way to its schema: its parts count as `self`, an object without a length.
    expect(most("(has(self.set) ? self.set : []).all(x, x.contains('/'))")).toBeLessThan(100);
    expect(escapeName('in')).toBe('__in__');
    expect(escapeName('1x')).toBeUndefined();
  });
});

describe('costs', () => {
  // What Kubernetes promises to keep (celcoststability_test.go).
  const texts: JSONSchemaProps = { type: 'string' };
  const schema: JSONSchemaProps = {
    type: 'object',
    properties: {
      val1: texts,
      val2: { type: 'integer' },
      val3: { type: 'array', items: { type: 'integer' } },
      val4: { type: 'object', additionalProperties: texts },
    },
  };
  const self = declTypeOf(schema, true)!;
  const value = deepFreeze({ val1: 'Rook takes 👑', val2: 5, val3: [1, 2, 3], val4: { k1: 'a', k2: 'b' } });

  it.each<[string, number]>([
    ['type(self.val2) == int', 4],
    ["self.val1.startsWith('Rook')", 4],
    ["!self.val1.startsWith('knight')", 5],
    ["self.val1.matches('^[^0-9]*$')", 8],
    ['size(self.val1) == 12', 4],
    ["self.val1.replace(' ', 'x') == 'Rookxtakesx👑'", 7],
    ["self.val1.split(' ') == ['Rook', 'takes', '👑']", 6],
    ['self.val1.lowerAscii() == self.val1.lowerAscii()', 10],
    ['double(5) < 10.0', 1],
    ['1 in self.val3', 5],
    ['self.val3 == [1, 2, 3]', 3],
    ["'k1' in self.val4", 3],
    ['has(self.val1) && has(self.val2)', 2],
    ['[4, 3, 2, 1].sort() == [1, 2, 3, 4]', 44],
    [
      "[{'name': 'foo'}, {'name': 'bar'}, {'name': 'baz'}].sortBy(e, e.name) == [{'name': 'bar'}, {'name': 'baz'}, {'name': 'foo'}]",
      75,
    ],
    ['["a", "c", "b", "first"].sortBy(e, e == "first" ? "" : e) == ["first", "a", "b", "c"]', 104],
  ])('%s', (source, cost) => {
    const program = compileExpression(source, { self });
    expect(program.evaluate({ self: typedValue(value, self) })).toEqual({ value: true, cost });
  });
});
