import { describe, expect, it } from 'vitest';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { builtinSchema } from './builtin.ts';
import { decode } from './decode.ts';
import { applyDefaults } from './defaults.ts';
import { prune } from './prune.ts';
import type { Field, ObjectSchema, Schema } from './schema.ts';

const field = (name: string, schema: Schema): [string, Field] => [
  name,
  { name, schema, omitEmpty: true, pointer: true, required: false, proto: 0 },
];
const object = (fields: Record<string, Schema>, more: Partial<ObjectSchema> = {}): ObjectSchema => ({
  kind: 'object',
  fields: new Map(Object.entries(fields).map(([name, schema]) => field(name, schema))),
  ...more,
});
const text: Schema = { kind: 'scalar', type: 'string' };
const list = (items: Schema): Schema => ({ kind: 'list', items, listType: 'atomic', mapKeys: [] });

const custom = object({
  spec: object({
    size: { kind: 'scalar', type: 'int64', default: 3 },
    port: object({ protocol: { ...text, default: 'TCP' } }),
    backup: object({ keep: { kind: 'scalar', type: 'int64', default: 7 } }, { default: {} }),
    items: list(object({ mode: { ...text, default: 'rw' }, name: text })),
    byName: { kind: 'map', values: object({ mode: { ...text, default: 'ro' } }) },
    maybe: { ...text, nullable: true, default: 'x' },
    free: { kind: 'any' },
    template: object({ spec: object({}) }, { embedded: true }),
  }),
});

describe('applyDefaults', () => {
  it('fills in what is missing, at every depth, and nothing else', () => {
    const given = deepFreeze({
      spec: { items: [{ name: 'a' }, { mode: 'ro' }], byName: { x: {}, constructor: {} }, size: null, maybe: null },
    });
    expect(applyDefaults(custom, given)).toEqual({
      spec: {
        items: [{ name: 'a', mode: 'rw' }, { mode: 'ro' }],
        byName: { x: { mode: 'ro' }, constructor: { mode: 'ro' } },
        size: 3,
        maybe: null,
        backup: { keep: 7 },
      },
    });
  });

  it('gives the same object back when nothing is missing', () => {
    const complete = applyDefaults(custom, { spec: { port: {} } });
    expect(complete.spec.port).toEqual({ protocol: 'TCP' });
    const once = applyDefaults(custom, complete);
    expect(applyDefaults(custom, deepFreeze(once))).toBe(once);
    const config = deepFreeze({ data: {} });
    expect(applyDefaults(builtinSchema('io.k8s.api.core.v1.ConfigMap'), config)).toBe(config);
  });

  it('fills in the defaults of built-in types, but no zeros that the wire leaves out', () => {
    const pod = {
      spec: { containers: [{ ports: [{ containerPort: 80 }], livenessProbe: { grpc: { port: 1 } } }], imagePullSecrets: [{}] },
    };
    expect(applyDefaults(builtinSchema('io.k8s.api.core.v1.Pod'), deepFreeze(pod))).toEqual({
      spec: {
        containers: [{ ports: [{ containerPort: 80, protocol: 'TCP' }], livenessProbe: { grpc: { port: 1, service: '' } } }],
        imagePullSecrets: [{}],
      },
    });
  });
});

describe('prune', () => {
  it('takes out what the schema does not know', () => {
    const given = deepFreeze({
      apiVersion: 'a/v1',
      kind: 'A',
      metadata: { odd: 1 },
      spec: {
        free: { any: { thing: null } },
        items: [{ name: 'a', odd: { x: 1 } }],
        template: { kind: 'B', metadata: {}, spec: { odd: 1 } },
        port: { metadata: 1 },
        size: null,
        maybe: null,
        odd: true,
      },
      odd: {},
    });
    const { object: pruned, unknownPaths } = prune(custom, given);
    expect(pruned).toEqual({
      apiVersion: 'a/v1',
      kind: 'A',
      metadata: { odd: 1 },
      spec: {
        free: { any: { thing: null } },
        items: [{ name: 'a' }],
        template: { kind: 'B', metadata: {}, spec: {} },
        port: {},
        size: null,
        maybe: null,
      },
    });
    expect(unknownPaths).toEqual(['odd', 'spec.items[0].odd', 'spec.odd', 'spec.port.metadata', 'spec.template.spec.odd']);
    expect(prune(custom, pruned).object).toBe(pruned);
  });

  it('is how custom resources are decoded', () => {
    const { object: decoded, unknownFields } = decode(custom, {
      kind: 'A',
      metadata: { name: 'a', labels: {}, odd: 1 },
      spec: { odd: 1 },
    });
    expect(decoded).toEqual({ kind: 'A', metadata: { name: 'a' }, spec: { size: 3, backup: { keep: 7 }, maybe: 'x' } });
    expect(unknownFields).toEqual(['unknown field "metadata.odd"', 'unknown field "spec.odd"']);
  });
});
