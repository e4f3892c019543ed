import { describe, expect, it } from 'vitest';
import { openApiV3Pieces } from './openapi-v3-protobuf.ts';
import { ProtobufReader } from './protobuf-reader.ts';

type Fields = Map<number, (Buffer | number)[]>;
/** The fields of a message, as bytes or numbers, by number. */
function fieldsOf(bytes: Uint8Array): Fields {
  const out: Fields = new Map();
  const reader = new ProtobufReader(bytes);
  while (!reader.done) {
    const key = reader.unsigned();
    const value = key % 8 === 2 ? reader.bytes() : key % 8 === 1 ? reader.double() : reader.unsigned();
    const field = Math.floor(key / 8);
    out.set(field, [...(out.get(field) ?? []), value]);
  }
  return out;
}
const sub = (message: Fields, ...path: readonly number[]): Fields =>
  path.reduce((m, field) => fieldsOf(m.get(field)![0] as Buffer), message);
const str = (message: Fields, field: number): string => String(message.get(field)?.[0]);
const named = (entries: readonly (Buffer | number)[]): Map<string, Fields> =>
  new Map(entries.map((bytes) => [str(fieldsOf(bytes as Buffer), 1), sub(fieldsOf(bytes as Buffer), 2)]));

describe('openApiV3Pieces', () => {
  const pieces = [
    ...openApiV3Pieces({
      openapi: '3.0.0',
      info: { title: 'Kubernetes', version: 'v1.36.0' },
      paths: {
        '/api/v1/pods': {
          get: {
            operationId: 'listPods',
            parameters: [{ name: 'watch', in: 'query', schema: { type: 'boolean', uniqueItems: true } }],
            requestBody: { required: true, content: { 'application/json': { schema: { $ref: '#/components/schemas/x' } } } },
            responses: { '200': { description: 'OK' }, default: { $ref: '#/components/responses/d' } },
            'x-kubernetes-action': 'list',
          },
        },
      },
      components: {
        schemas: {
          a: {
            type: 'object',
            required: ['n'],
            properties: {
              n: { type: 'integer', default: 3, maximum: 1.5 },
              o: { allOf: [{ $ref: '#/components/schemas/b' }], default: {} },
              m: { type: 'object', additionalProperties: { type: 'string' } },
              l: { type: 'array', items: { oneOf: [{ type: 'string' }, { type: 'number' }] }, enum: [1, 'x'] },
            },
            'x-kubernetes-group-version-kind': [{ group: '', kind: 'A', version: 'v1' }],
          },
          b: { type: 'object', additionalProperties: false },
        },
        securitySchemes: { BearerToken: { type: 'apiKey', name: 'authorization', in: 'header' } },
      },
      security: [{ BearerToken: ['all'] }],
    }),
  ];
  const document = fieldsOf(Buffer.concat(pieces));
  /** Members that came in several pieces. */
  const all = (field: number, part: number): Map<string, Fields> =>
    new Map(
      document.get(field)!.flatMap((bytes) => {
        const inner = fieldsOf(bytes as Buffer).get(part);
        if (inner === undefined) return [];
        return field === 5 ? [...named(fieldsOf(inner[0] as Buffer).get(1)!)] : [...named(inner)];
      }),
    );

  it('puts the parts of the document where gnostic looks for them', () => {
    expect(str(document, 1)).toBe('3.0.0');
    expect(str(sub(document, 2), 6)).toBe('v1.36.0');
    expect(str(sub(all(5, 7).get('BearerToken')!, 1), 3)).toBe('authorization');
    expect(str(sub(document, 6, 1, 2), 1)).toBe('all');
  });

  it('writes operations', () => {
    const get = sub(all(4, 1).get('/api/v1/pods')!, 4);
    expect(str(get, 5)).toBe('listPods');
    const watch = sub(get, 6, 1);
    expect([str(watch, 1), str(watch, 2), str(sub(watch, 10, 1), 25)]).toEqual(['watch', 'query', 'boolean']);
    const body = sub(get, 7, 1);
    expect(body.get(3)).toEqual([1]);
    expect(str(sub(body, 2, 1, 2, 1, 2), 1)).toBe('#/components/schemas/x');
    expect(str(sub(get, 8, 1, 2), 1)).toBe('#/components/responses/d');
    expect(str(sub(get, 8, 2), 1)).toBe('200');
    expect(str(sub(get, 13, 2), 2)).toBe('"list"');
  });

  it('writes schemas', () => {
    const schemas = all(5, 1);
    const a = sub(schemas.get('a')!, 1);
    expect([str(a, 23), str(a, 25), str(sub(a, 36), 1)]).toEqual(['n', 'object', 'x-kubernetes-group-version-kind']);
    const properties = named(sub(a, 31).get(1)!);
    const n = sub(properties.get('n')!, 1);
    expect([n.get(11), sub(n, 33).get(1)]).toEqual([[1.5], [3]]);
    const o = sub(properties.get('o')!, 1);
    // A default that is an object has no place: an empty message is left of it.
    expect([str(sub(o, 26, 2), 1), sub(o, 33).size]).toEqual(['#/components/schemas/b', 0]);
    expect(str(sub(properties.get('m')!, 1, 32, 1, 1), 25)).toBe('string');
    expect(sub(properties.get('l')!, 1, 30, 1, 1).get(27)).toHaveLength(2);
    expect(sub(properties.get('l')!, 1).get(24)).toHaveLength(2);
    expect(sub(schemas.get('b')!, 1, 32).get(2)).toEqual([0]);
  });
});
