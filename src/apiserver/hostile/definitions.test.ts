import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer } from '../test-server.ts';
import { HostileServer, inTime } from './hostile-server.ts';
import { NAMESPACE } from './manifests.ts';

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const TIMEOUT_MS = 120_000;

let hostile: HostileServer;
let count = 0;
beforeAll(async () => {
  hostile = await HostileServer.start();
});
afterAll(() => hostile.close());

interface Defined {
  readonly answer: Answer;
  readonly plural: string;
  readonly path: string;
}

/** Defines a type whose `spec` has this schema. It need not be accepted. */
async function define(spec: unknown, version: object = {}): Promise<Defined> {
  const plural = `evils${count++}`;
  const answer = await hostile.ask('POST', definitions, {
    body: {
      metadata: { name: `${plural}.evil.example` },
      spec: {
        group: 'evil.example',
        scope: 'Namespaced',
        names: { plural, kind: `Evil${count}` },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: 'object', properties: { spec } } },
            ...version,
          },
        ],
      },
    },
  });
  const path = `/apis/evil.example/v1/namespaces/${NAMESPACE}/${plural}`;
  if (answer.code === 201) {
    const served = async (): Promise<void> => {
      while ((await hostile.ask('GET', path)).code !== 200) await new Promise((resolve) => setImmediate(resolve));
    };
    await inTime(served(), `${plural} to be served`);
  }
  return { answer, plural, path };
}

const instance = (plural: string, spec: unknown): object => ({
  apiVersion: 'evil.example/v1',
  kind: `Evil${Number(plural.slice(5)) + 1}`,
  metadata: { name: 'a' },
  spec,
});

const nest = (depth: number, wrap: (inner: object) => object): object => {
  let out: object = { type: 'string' };
  for (let i = 0; i < depth; i++) out = wrap(out);
  return out;
};

describe('definitions', () => {
  it.each<readonly [string, unknown]>([
    ['deep properties', nest(900, (a) => ({ type: 'object', properties: { a } }))],
    ['deep lists', nest(900, (items) => ({ type: 'array', items }))],
    ['deep maps', nest(400, (additionalProperties) => ({ type: 'object', additionalProperties }))],
    ['deep allOf', nest(400, (a) => ({ type: 'object', allOf: [a] }))],
    [
      'wide properties',
      { type: 'object', properties: Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`p${i}`, { type: 'string' }])) },
    ],
    ['a huge enum', { type: 'string', enum: Array.from({ length: 50_000 }, (_, i) => `v${i}`) }],
    [
      'prototypes',
      JSON.parse(
        '{"type":"object","properties":{"__proto__":{"type":"string"},"constructor":{"type":"string"},"toString":{"type":"object"}}}',
      ),
    ],
    ['a reference to itself', { $ref: '#/properties/spec' }],
    ['no types', { properties: { a: {} } }],
    [
      'all types at once',
      {
        type: 'object',
        items: { type: 'string' },
        additionalProperties: true,
        properties: { a: { type: 'x' } },
        oneOf: [[]],
        not: {},
      },
    ],
    [
      'numbers beyond all bounds',
      { type: 'integer', minimum: 1e308, maximum: -1e308, multipleOf: 0, minLength: -1, maxItems: 2 ** 53 },
    ],
    [
      'defaults that do not fit',
      {
        type: 'object',
        default: [],
        properties: { a: { type: 'string', default: { a: 1 } }, b: { type: 'integer', default: 'x' } },
      },
    ],
    ['a default of defaults', nest(200, (a) => ({ type: 'object', default: {}, properties: { a } }))],
    ['a pattern that is none', { type: 'string', pattern: '((((' }],
    [
      'lists by keys that are not there',
      { type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['__proto__'], items: { type: 'object' } },
    ],
    ['a rule that is none', { type: 'string', 'x-kubernetes-validations': [{ rule: ')))' }] }],
    ['a deep rule', { type: 'string', 'x-kubernetes-validations': [{ rule: `${'('.repeat(50_000)}true${')'.repeat(50_000)}` }] }],
    ['a long rule', { type: 'string', 'x-kubernetes-validations': [{ rule: Array(50_000).fill('true').join(' && ') }] }],
    ['a deep list in a rule', { type: 'string', 'x-kubernetes-validations': [{ rule: `${'['.repeat(10_000)}` }] }],
    ['minus after minus', { type: 'string', 'x-kubernetes-validations': [{ rule: `${'-'.repeat(50_000)}1 < 2` }] }],
    ['fields of fields', { type: 'object', 'x-kubernetes-validations': [{ rule: `self${'.a'.repeat(50_000)}` }] }],
    ['questions in questions', { type: 'string', 'x-kubernetes-validations': [{ rule: `${'true ? '.repeat(20_000)}true` }] }],
    [
      'macros in macros',
      { type: 'string', 'x-kubernetes-validations': [{ rule: `${'[1].all(x, '.repeat(1_000)}true${')'.repeat(1_000)}` }] },
    ],
    [
      'rules that cost too much',
      {
        type: 'array',
        items: { type: 'array', items: { type: 'array', items: { type: 'string' } } },
        'x-kubernetes-validations': [
          { rule: 'self.all(a, self.all(b, self.all(c, self.all(d, self.all(e, a == b && c == d)))))' },
        ],
      },
    ],
    [
      'many rules',
      { type: 'string', 'x-kubernetes-validations': Array.from({ length: 3_000 }, (_, i) => ({ rule: `self != '${i}'` })) },
    ],
  ])('with %s are accepted or refused', { timeout: TIMEOUT_MS }, async (_, spec) => {
    const { answer, plural, path } = await define(spec);
    if (answer.code === 201) {
      for (const value of [{}, [], 'x', 1, null, { a: { a: { a: 1 } } }, JSON.parse('{"__proto__":"x","constructor":"y"}')]) {
        await hostile.ask('POST', `${path}?dryRun=All`, { body: instance(plural, value) });
      }
      await hostile.ask('DELETE', `${definitions}/${plural}.evil.example`);
    }
    await hostile.expectSound();
  });

  it.each(['^(a+)+$', '^(\\p{L}+)+$', '(.*){20}b', '^(a{1,30}){1,30}$', `${'a*'.repeat(300)}b`])(
    'do not make the server search for ever: %s',
    { timeout: TIMEOUT_MS },
    async (pattern) => {
      const { plural, path } = await define({ type: 'array', items: { type: 'string', pattern } });
      const body = instance(plural, Array(200).fill(`${'a'.repeat(5_000)}!`));
      expect((await hostile.ask('POST', path, { body })).code).toBe(422);
      await hostile.expectSound();
    },
  );

  it.each([
    "self.all(a, self.all(b, self.all(c, a + b + c != '')))",
    'self.map(a, self.map(b, self.map(c, a + b + c))).size() >= 0',
    "self.all(a, a.matches('^([a-z]+)+$'))",
    "self.all(a, a.replace('a', 'aaaaaaaaaa').replace('a', 'aaaaaaaaaa').replace('a', 'aaaaaaaaaa') != '')",
    "self.all(a, a.split('').join('xxxxxxxxxx').split('').join('xxxxxxxxxxx') != '')",
    "self.join('').findAll('a*').size() >= 0",
    'self.all(a, self.isSorted())',
  ])('whose rules would take for ever have a budget: %s', { timeout: TIMEOUT_MS }, async (rule) => {
    // Bounds that keep the estimate low let the rule in; what it costs counts when it runs.
    const { answer, plural, path } = await define({
      type: 'array',
      maxItems: 40,
      items: { type: 'string', maxLength: 40 },
      'x-kubernetes-validations': [{ rule }],
    });
    if (answer.code === 201) {
      await hostile.ask('POST', path, {
        body: instance(
          plural,
          Array.from({ length: 40 }, (_, i) => `${'a'.repeat(30)}${i}`),
        ),
      });
      await hostile.ask('POST', path, { body: instance(plural, Array(10_000).fill('a'.repeat(200))) });
    }
    await hostile.expectSound();
  });

  it('with paths that lead nowhere', { timeout: TIMEOUT_MS }, async () => {
    const paths = [
      '.spec',
      '.spec.__proto__',
      '.metadata.annotations',
      '.spec[*].a',
      '.spec..a',
      '..',
      '$',
      '{',
      '.spec[?(@.a=="x")].b',
      `.${'a.'.repeat(5_000)}a`,
      '.spec[99999999999]',
      "['spec']",
    ];
    for (const jsonPath of paths) {
      for (const version of [
        {
          additionalPrinterColumns: [
            { name: 'X', type: 'string', jsonPath },
            { name: 'Y', type: 'date', jsonPath },
          ],
        },
        { selectableFields: [{ jsonPath }] },
        {
          subresources: {
            status: {},
            scale: { specReplicasPath: jsonPath, statusReplicasPath: '.status.n', labelSelectorPath: jsonPath },
          },
        },
      ]) {
        const { answer, plural, path } = await define({ type: 'object', 'x-kubernetes-preserve-unknown-fields': true }, version);
        if (answer.code !== 201) continue;
        await hostile.ask('POST', path, { body: instance(plural, { a: [{ a: 'x', b: 1 }], b: { c: null } }) });
        await hostile.ask('GET', path, { headers: { accept: 'application/json;as=Table;g=meta.k8s.io;v=v1' } });
        await hostile.ask('GET', `${path}/a/scale`);
        await hostile.ask('GET', `${path}?fieldSelector=${encodeURIComponent(`${jsonPath.slice(1)}=x`)}`);
      }
    }
    await hostile.ask('GET', '/openapi/v2');
    await hostile.ask('GET', '/openapi/v3/apis/evil.example/v1');
    await hostile.ask('GET', '/apis', {
      headers: { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' },
    });
    await hostile.expectSound();
  });
});
