import { describe, expect, it } from 'vitest';
import { builtinSchema } from '../schema/builtin.ts';
import { openApiDefinitions } from '../schema/openapi.ts';
import { encodeOpenApiV2 } from './openapi-v2-protobuf.ts';
import { ProtobufReader } from './protobuf-reader.ts';

/** The fields of a message, as bytes or numbers, by number. */
function fieldsOf(bytes: Uint8Array): Map<number, (Buffer | number)[]> {
  const out = new Map<number, (Buffer | number)[]>();
  const reader = new ProtobufReader(bytes);
  while (!reader.done) {
    const key = reader.unsigned();
    const value = key % 8 === 2 ? reader.bytes() : key % 8 === 1 ? reader.double() : reader.unsigned();
    const field = Math.floor(key / 8);
    out.set(field, [...(out.get(field) ?? []), value]);
  }
  return out;
}
const sub = (message: Map<number, (Buffer | number)[]>, ...path: readonly number[]): Map<number, (Buffer | number)[]> =>
  path.reduce((m, field) => fieldsOf(m.get(field)![0] as Buffer), message);
const str = (message: Map<number, (Buffer | number)[]>, field: number): string => String(message.get(field)?.[0]);

describe('encodeOpenApiV2', () => {
  const definitions = openApiDefinitions(
    [{ schema: builtinSchema('io.k8s.api.core.v1.ContainerPort') }, { schema: builtinSchema('io.k8s.api.core.v1.PodDNSConfig') }],
    'v2',
  );
  const document = fieldsOf(
    encodeOpenApiV2({
      swagger: '2.0',
      info: { title: 'Kubernetes', version: 'v1.36.0' },
      paths: {
        '/api/v1/pods': {
          get: {
            operationId: 'listPods',
            parameters: [{ in: 'query', name: 'watch', type: 'boolean', uniqueItems: true }],
            responses: { '200': { description: 'OK', schema: { $ref: '#/definitions/x' } } },
            'x-kubernetes-action': 'list',
          },
        },
      },
      definitions,
      securityDefinitions: { BearerToken: { type: 'apiKey', name: 'authorization', in: 'header' } },
      security: [{ BearerToken: [] }],
    }),
  );

  it('puts the parts of the document where gnostic looks for them', () => {
    expect(str(document, 1)).toBe('2.0');
    expect(str(sub(document, 2), 1)).toBe('Kubernetes');
    expect(str(sub(document, 13, 1), 1)).toBe('BearerToken');
    expect(str(sub(document, 13, 1, 2, 2), 2)).toBe('authorization');
    expect(str(sub(document, 12, 1), 1)).toBe('BearerToken');
  });

  it('writes operations', () => {
    const path = sub(document, 8, 2);
    expect(str(path, 1)).toBe('/api/v1/pods');
    const get = sub(path, 2, 2);
    expect(str(get, 5)).toBe('listPods');
    const query = sub(get, 8, 1, 2, 3);
    expect([str(query, 2), str(query, 4), str(query, 6), query.get(20)]).toEqual(['query', 'watch', 'boolean', [1]]);
    const answer = sub(get, 9, 1);
    expect(str(answer, 1)).toBe('200');
    expect(str(sub(answer, 2, 1, 2, 1), 1)).toBe('#/definitions/x');
    expect(str(sub(get, 13), 1)).toBe('x-kubernetes-action');
    expect(str(sub(get, 13, 2), 2)).toBe('"list"');
  });

  it('writes every definition', () => {
    const all = new Map(
      document.get(9)!.map((bytes) => {
        const entry = sub(fieldsOf(bytes as Buffer), 1);
        return [str(entry, 1), sub(entry, 2)];
      }),
    );
    expect([...all.keys()]).toEqual(Object.keys(definitions));
    const port = all.get('io.k8s.api.core.v1.ContainerPort')!;
    expect(str(port, 19)).toBe('containerPort');
    expect(str(sub(port, 22), 1)).toBe('object');
    const properties = sub(port, 25)
      .get(1)!
      .map((p) => fieldsOf(p as Buffer));
    expect(properties.map((p) => str(p, 1))).toEqual(['containerPort', 'hostIP', 'hostPort', 'name', 'protocol']);
    expect(str(sub(properties[0]!, 2), 2)).toBe('int32');
    const options = sub(all.get('io.k8s.api.core.v1.PodDNSConfig')!, 25)
      .get(1)!
      .map((p) => fieldsOf(p as Buffer));
    const list = sub(options[1]!, 2);
    expect(str(sub(list, 23, 1), 1)).toBe('#/definitions/io.k8s.api.core.v1.PodDNSConfigOption');
    expect(list.get(31)!.map((x) => str(fieldsOf(x as Buffer), 1))).toContain('x-kubernetes-list-type');
  });
});
