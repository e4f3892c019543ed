import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { patchTypes } from '../../api/request.ts';
import { encodeProtobuf } from '../../api/wire/protobuf.ts';
import { toYaml } from '../../api/wire/yaml.ts';
import { HostileServer } from './hostile-server.ts';
import { manifests, NAMESPACE, placeOf } from './manifests.ts';
import { sameCases } from './mutations.ts';

const RUNS = Number(process.env['HOSTILE_RUNS'] ?? 200);
const TIMEOUT_MS = Math.max(60_000, RUNS * 400);
const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const YAML = 'application/yaml';
const JSON_TYPE = 'application/json';
const maps = `/api/v1/namespaces/${NAMESPACE}/configmaps`;
const victim = manifests.find((m) => m.path === maps)!;
const types = [JSON_TYPE, YAML, PROTOBUF, ...Object.values(patchTypes)];

let hostile: HostileServer;
beforeAll(async () => {
  hostile = await HostileServer.start();
  await hostile.populate();
});
afterAll(() => hostile.close());

/** Sends a body in every way there is. Nothing may change for it. */
async function everyWay(body: Buffer, contentTypes: readonly string[] = types): Promise<void> {
  for (const type of contentTypes) {
    const headers = { 'content-type': type };
    const patching = (Object.values(patchTypes) as readonly string[]).includes(type);
    if (patching) await hostile.askToChange(victim, 'PATCH', placeOf(victim), { body, headers });
    else {
      await hostile.ask('POST', maps, { body, headers });
      await hostile.askToChange(victim, 'PUT', placeOf(victim), { body, headers });
      await hostile.askToChange(victim, 'DELETE', `${placeOf(victim)}?dryRun=All`, { body, headers });
    }
  }
}

const nested = (open: string, close: string, depth: number): Buffer => Buffer.from(open.repeat(depth) + close.repeat(depth));
const map = (inside: string): string => `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"},${inside}}`;

describe('bodies', () => {
  it.each<readonly [string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['a NUL', Buffer.from([0])],
    ['a byte order mark', Buffer.from(`\ufeff${map('"data":{}')}`)],
    ['UTF-16', Buffer.from(`\ufeff${map('"data":{}')}`, 'utf16le')],
    [
      'no UTF-8',
      Buffer.concat([Buffer.from('{"data":{"a":"'), Buffer.from([0xff, 0xc0, 0x80, 0xed, 0xa0, 0x80]), Buffer.from('"}}')]),
    ],
    ['lone surrogates', Buffer.from(map(String.raw`"data":{"a":"\ud800","\udfff":"b"}`))],
    ['something behind', Buffer.from(`${map('"data":{}')}x`)],
    ['two objects', Buffer.from(map('"data":{}').repeat(2))],
    ['deep lists', nested('[', ']', 100_000)],
    ['deep objects', nested('{"a":', '}', 100_000)],
    ['deep lists without end', Buffer.from('['.repeat(1_000_000))],
    ['deep data', Buffer.from(map(`"data":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`))],
    ['lists in block style', Buffer.from('- '.repeat(100_000))],
    ['maps in block style', Buffer.from(Array.from({ length: 2_000 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'))],
    ['a field many times', Buffer.from(map(Array(50_000).fill('"data":{"a":"b"}').join(',')))],
    ['many unknown fields', Buffer.from(map(Array.from({ length: 50_000 }, (_, i) => `"x${i}":1`).join(',')))],
    ['a long number', Buffer.from(map(`"data":{"a":${'9'.repeat(1_000_000)}}`))],
    ['a long exponent', Buffer.from(map('"data":{"a":1e999999999}'))],
    ['a long string', Buffer.from(map(`"data":{"a":"${'x'.repeat(2_900_000)}"}`))],
    ['a long unterminated string', Buffer.from(`{"a":"${'x'.repeat(2_900_000)}`)],
    ['many backslashes', Buffer.from(`{"a":"${'\\\\'.repeat(1_400_000)}"}`)],
    ['a large list', Buffer.from(`[${Array(500_000).fill('{}').join(',')}]`)],
    ['a large object', Buffer.from(map(`"data":{${Array.from({ length: 100_000 }, (_, i) => `"k${i}":""`).join(',')}}`))],
    ['prototypes', Buffer.from(map('"__proto__":{"polluted":1},"data":{"__proto__":"x","constructor":"y","toString":"z"}'))],
    ['a kind that is an object', Buffer.from('{"kind":{"toString":1},"apiVersion":[["v1"]],"metadata":{"toString":0}}')],
  ])('of %s', { timeout: TIMEOUT_MS }, async (_, body) => {
    await everyWay(body);
    await hostile.expectSound();
  });

  it.each<readonly [string, string]>([
    [
      'aliases in aliases',
      `a0: &a0 [x]\n${Array.from({ length: 40 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i},*a${i},*a${i},*a${i}]`).join('\n')}`,
    ],
    [
      'aliases of long strings',
      `data:\n  a: &a "${'x'.repeat(1_000_000)}"\n${Array.from({ length: 50_000 }, (_, i) => `  k${i}: *a`).join('\n')}`,
    ],
    ['merges of merges', `a: &a {k: v}\n${Array.from({ length: 5_000 }, (_, i) => `b${i}: {<<: [*a, *a, *a]}`).join('\n')}`],
    ['an alias of itself', 'a: &a [*a]'],
    ['an alias of nothing', 'a: *b'],
    [
      'tags',
      'a: !!js/function "x"\nb: !!binary "====="\nc: !!timestamp x\nd: !<tag:x> y\ne: !!set {a, b}\nf: !!python/object:os.system x',
    ],
    ['many documents', `---\n${'kind: ConfigMap\n---\n'.repeat(20_000)}`],
    ['directives', '%YAML 9.9\n%TAG ! tag:x:\n---\n!a b'],
    ['deep flow', `data: ${'{a: '.repeat(20_000)}${'}'.repeat(20_000)}`],
    ['deep unclosed flow', `data: ${'['.repeat(200_000)}`],
    ['complex keys', '? {a: b}\n: c\n? [1]\n: 2\n? ? ? x'],
    ['numbers', 'a: .inf\nb: .nan\nc: 0o777777777777777777777777\nd: 1:2:3:4:5:6\ne: 0x1ffffffffffffffffff'],
    ['tabs', 'a:\n\t- b\n\t\t- c'],
    ['a long scalar', `a: |\n${' x\n'.repeat(300_000)}`],
    ['quotes', `a: "${'\\x'.repeat(50_000)}"`],
    ['colons', ': '.repeat(100_000)],
    ['anchors', '&a '.repeat(50_000)],
    ['comments', '#\n'.repeat(500_000)],
    ['many keys', Array.from({ length: 50_000 }, (_, i) => `k${i}: v`).join('\n')],
    ['one key many times', 'k: v\n'.repeat(50_000)],
    ['question marks', '? '.repeat(20_000)],
    ['keys of merge', '<<: '.repeat(1_000)],
  ])('of YAML with %s', { timeout: TIMEOUT_MS }, async (_, text) => {
    await everyWay(Buffer.from(text), [YAML, patchTypes.apply]);
    await hostile.expectSound();
  });

  it('of protobuf: lengths, wire types and nesting that lie', { timeout: TIMEOUT_MS }, async () => {
    const k8s = Buffer.from('k8s\0');
    const podTemplate = (depth: number): Buffer => {
      let inner = Buffer.alloc(0);
      for (let i = 0; i < depth; i++) inner = Buffer.concat([field(1, inner.length), inner]);
      return inner;
    };
    const bodies = [
      k8s,
      Buffer.concat([k8s, Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f])]),
      Buffer.concat([k8s, Buffer.from([0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01])]),
      Buffer.concat([k8s, Buffer.alloc(1_000, 0xff)]),
      Buffer.concat([k8s, Buffer.alloc(1_000, 0x0b)]),
      Buffer.concat([k8s, field(2, 2_000_000), Buffer.alloc(2_000_000, 0x0a)]),
      Buffer.concat([k8s, field(2, podTemplate(4_000).length), podTemplate(4_000)]),
      randomBytes(5_000),
      Buffer.concat([k8s, randomBytes(5_000)]),
    ];
    for (const body of bodies) await everyWay(body, [PROTOBUF]);
    await hostile.expectSound();
  });

  it('of protobuf, cut and flipped', { timeout: TIMEOUT_MS }, async () => {
    const builtin = manifests.filter((m) => !m.path.includes('g.example'));
    const flips = fc.array(fc.tuple(fc.nat({ max: 100_000 }), fc.nat({ max: 255 })), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: 10_000 }), flips, fc.option(fc.nat({ max: 2_000 })), async (index, changes, cut) => {
        const { path, object } = builtin[index % builtin.length]!;
        const { kind, apiVersion } = object as { kind: string; apiVersion: string };
        const endpoint = [...hostile.api.server.registry.resources()].find(
          (r) => r.kind === kind && apiVersion === (r.group === '' ? r.version : `${r.group}/${r.version}`),
        );
        if (endpoint === undefined) return;
        const whole = Buffer.from(encodeProtobuf(endpoint.schema, object, apiVersion, kind));
        for (const [at, byte] of changes) whole[at % whole.length] = byte;
        const body = cut === null ? whole : whole.subarray(0, cut);
        await hostile.ask('POST', path, { body, headers: { 'content-type': PROTOBUF, accept: PROTOBUF } });
      }),
      { ...sameCases, numRuns: RUNS },
    );
    await hostile.expectSound();
  });

  it('of text, cut and flipped', { timeout: TIMEOUT_MS }, async () => {
    const flips = fc.array(
      fc.tuple(
        fc.nat({ max: 100_000 }),
        fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(...Buffer.from('{}[]",:\\-&*!|>%@`#?\n\t '))),
      ),
      {
        minLength: 1,
        maxLength: 6,
      },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: 10_000 }),
        fc.boolean(),
        flips,
        fc.option(fc.nat({ max: 2_000 })),
        async (index, yaml, changes, cut) => {
          const manifest = manifests[index % manifests.length]!;
          const whole = Buffer.from(yaml ? toYaml(manifest.object) : JSON.stringify(manifest.object));
          for (const [at, byte] of changes) whole[at % whole.length] = byte;
          const body = cut === null ? whole : whole.subarray(0, cut);
          await hostile.ask('POST', `${manifest.path}?dryRun=All`, {
            body,
            headers: { 'content-type': yaml ? YAML : JSON_TYPE },
          });
        },
      ),
      { ...sameCases, numRuns: RUNS },
    );
    await hostile.expectSound();
  });

  it('of anything at all', { timeout: TIMEOUT_MS }, async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((b) => Buffer.from(b)),
      fc.string({ unit: 'binary' }).map((s) => Buffer.from(s)),
    );
    await fc.assert(
      fc.asyncProperty(bytes, fc.constantFrom(...types), async (body, type) => {
        await everyWay(body, [type]);
      }),
      { ...sameCases, numRuns: RUNS },
    );
    await hostile.expectSound();
  });

  it('that are packed are refused', async () => {
    for (const encoding of ['gzip', 'deflate', 'br', 'zstd', 'x']) {
      const answer = await hostile.ask('POST', maps, { body: {}, headers: { 'content-encoding': encoding } });
      expect(answer.json).toMatchObject({ code: 415, reason: 'UnsupportedMediaType' });
    }
    const plain = { metadata: { name: 'plain' } };
    expect((await hostile.ask('POST', maps, { body: plain, headers: { 'content-encoding': 'identity' } })).code).toBe(201);
  });
});

/** The head of a length-delimited field. */
function field(number: number, length: number): Buffer {
  const out = [(number << 3) | 2];
  let rest = length;
  while (rest > 127) {
    out.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  return Buffer.from([...out, rest]);
}
