import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { StatusError } from '../meta/status.ts';
import { builtinSchema } from '../schema/builtin.ts';
import { decode } from '../schema/decode.ts';
import { realisticPod } from '../schema/realistic-pod.fixture.ts';
import type { ObjectSchema, Schema } from '../schema/schema.ts';
import {
  decodeProtobuf,
  encodeMessage,
  encodeProtobuf,
  encodeProtobufWatchEvent,
  openProtobuf,
  wrapProtobuf,
} from './protobuf.ts';

const pod = builtinSchema('io.k8s.api.core.v1.Pod');

function roundTrip(schema: ObjectSchema, value: unknown): void {
  const { object } = decode(schema, value, { defaults: false });
  const envelope = openProtobuf(encodeProtobuf(schema, deepFreeze(object), 'x/v1', 'X'));
  expect(envelope).toMatchObject({ apiVersion: 'x/v1', kind: 'X' });
  const { apiVersion: _version, kind: _kind, ...read } = decodeProtobuf(schema, envelope);
  const { apiVersion: _v, kind: _k, ...expected } = object as Record<string, unknown>;
  expect(decode(schema, read, { defaults: false }).object).toEqual(expected);
}

/** Values of a schema, as a client might send them; recursion ends after `depth` structs. */
function anyOf(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  switch (schema.kind) {
    case 'scalar':
      switch (schema.type) {
        case 'string':
          return fc.string({ maxLength: 6 });
        case 'boolean':
          return fc.boolean();
        case 'int32':
          return fc.integer();
        case 'int64':
          return fc.maxSafeInteger();
        case 'uint32':
          return fc.nat();
        case 'uint64':
          return fc.nat();
        case 'float64':
          return fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0);
        case 'bytes':
          return fc.uint8Array({ maxLength: 5 }).map((b) => Buffer.from(b).toString('base64'));
        case 'quantity':
          return fc.nat().map((n) => `${n}Mi`);
        case 'time':
          return fc
            .integer({ min: -2_000_000_000, max: 2 ** 32 })
            .map((s) => `${new Date(s * 1000).toISOString().slice(0, 19)}Z`);
        case 'micro-time':
          return fc.integer({ min: 0, max: 2 ** 32 }).map((s) => `${new Date(s * 1000).toISOString().slice(0, 19)}.012345Z`);
        case 'duration':
          return fc.nat({ max: 100_000 }).map((s) => `${s}s`);
        case 'int-or-string':
          return fc.oneof(fc.integer(), fc.string({ maxLength: 4 }));
      }
      break;
    case 'list':
      return depth <= 0 ? fc.constant([]) : fc.array(anyOf(schema.items, depth - 1), { maxLength: 2 });
    case 'map':
      return depth <= 0
        ? fc.constant({})
        : fc
            .array(fc.tuple(fc.string({ maxLength: 4 }), anyOf(schema.values, depth - 1)), { maxLength: 2 })
            .map((entries) => Object.fromEntries(entries));
    case 'any':
      return fc.constantFrom({ a: [1, null, 'x'] }, { b: {} });
    case 'object': {
      if (depth <= 0) return fc.constant({});
      const members = [...schema.fields.values()].map((f) => {
        const values = anyOf(f.schema, depth - 1);
        // In protobuf nothing tells an empty list from none.
        const told = f.keepsEmpty === true ? values.map((v) => (Array.isArray(v) && v.length === 0 ? undefined : v)) : values;
        return [f.name, told] as const;
      });
      return fc.record(Object.fromEntries(members), { requiredKeys: [] });
    }
  }
}

describe('protobuf', () => {
  it('carries a realistic pod', () => {
    roundTrip(pod, realisticPod);
  });

  it('carries what has a form of its own', () => {
    roundTrip(builtinSchema('io.k8s.api.authentication.v1.TokenReview'), {
      status: { user: { extra: { a: ['b', 'c'], d: [] } } },
    });
    roundTrip(builtinSchema('io.k8s.api.apps.v1.ControllerRevision'), { data: { spec: { x: 1 } }, revision: 3 });
    roundTrip(builtinSchema('io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps'), {
      default: { a: 1 },
      items: { type: 'string' },
      additionalProperties: false,
      enum: ['a', 1],
      maximum: 1.5,
    });
    roundTrip(builtinSchema('io.k8s.api.core.v1.PersistentVolume'), {
      spec: { hostPath: { path: '/x' }, capacity: { storage: '1Gi' } },
    });
    roundTrip(pod, {
      spec: { ephemeralContainers: [{ name: 'a', targetContainerName: 'b' }], terminationGracePeriodSeconds: -5 },
    });
  });

  it.each([
    'io.k8s.api.core.v1.Pod',
    'io.k8s.api.core.v1.Node',
    'io.k8s.api.core.v1.Service',
    'io.k8s.api.core.v1.Secret',
    'io.k8s.api.core.v1.Event',
    'io.k8s.api.apps.v1.Deployment',
    'io.k8s.api.coordination.v1.Lease',
    'io.k8s.api.discovery.v1.EndpointSlice',
    'io.k8s.api.networking.v1.NetworkPolicy',
    'io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler',
    'io.k8s.api.certificates.v1.CertificateSigningRequest',
  ])('gives back whatever %s it was given', (name) => {
    const schema = builtinSchema(name);
    fc.assert(
      fc.property(anyOf(schema, 6), (value) => roundTrip(schema, value)),
      { numRuns: 20 },
    );
  });

  it('skips fields it does not know, and says no to what is no message', () => {
    const good = Buffer.from(encodeProtobuf(pod, { metadata: { name: 'a' } }, 'v1', 'Pod'));
    const envelope = openProtobuf(good);
    const more = Buffer.concat([Buffer.from([0xf8, 0x3f, 0x05, 0xfa, 0x3f, 0x02, 1, 2]), envelope.raw]);
    expect(decodeProtobuf(pod, { ...envelope, raw: more })).toEqual({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } });
    expect(() => openProtobuf(Buffer.from('{}'))).toThrow(/expected prefix \[107 56 115 0\]/);
    expect(() => openProtobuf(good.subarray(0, good.length - 1))).toThrow(StatusError);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (raw) => {
        try {
          decodeProtobuf(pod, { apiVersion: 'v1', kind: 'Pod', raw });
        } catch (err) {
          expect(err).toBeInstanceOf(StatusError);
        }
      }),
    );
  });

  it('wraps watch events', () => {
    const object = encodeProtobuf(pod, { metadata: { name: 'a' } }, 'v1', 'Pod');
    const event = Buffer.from(encodeProtobufWatchEvent('ADDED', object));
    expect(event.subarray(0, 8).toString('latin1')).toBe('\n\x05ADDED\x12');
    expect(event.subarray(event.length - object.length)).toEqual(Buffer.from(object));
  });

  it('wraps ready messages', () => {
    const message = encodeMessage(pod, { metadata: { name: 'a' } });
    expect(wrapProtobuf(message, 'v1', 'Pod')).toEqual(encodeProtobuf(pod, { metadata: { name: 'a' } }, 'v1', 'Pod'));
  });
});
