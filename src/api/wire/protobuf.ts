import { badRequest } from '../meta/status.ts';
import { builtinSchema, inlineMessages, inlineTypes } from '../schema/builtin.ts';
import type { ListSchema, MapSchema, ObjectSchema, Schema } from '../schema/schema.ts';
import { ProtobufError, ProtobufReader } from './protobuf-reader.ts';
import {
  type Codec,
  expectWire,
  fields,
  type Json,
  MAX_PROTOBUF_DEPTH,
  type Mutable,
  numeric,
  rawCodec,
  scalarCodec,
  smallMessage,
  wrongWireType,
  zeroOf,
} from './protobuf-scalar.ts';
import { ReverseWriter, WIRE_BYTES, WIRE_FIXED64, WIRE_VARINT } from './protobuf-writer.ts';

/** The content type of what this file reads and writes. */
export const PROTOBUF_MEDIA_TYPE = 'application/vnd.kubernetes.protobuf';

/** Every protobuf body starts with this: `k8s` and a zero byte. */
const MAGIC = Uint8Array.from([0x6b, 0x38, 0x73, 0x00]);

/** A protobuf body, opened: what it says it is, and the message itself. */
export interface ProtobufEnvelope {
  readonly apiVersion: string;
  readonly kind: string;
  readonly raw: Uint8Array;
}

/**
 * An object of a built-in type as protobuf, in its envelope. Fields that are absent are left out, which reads the same as the
 * zeros that Go writes. The object is in the form that `decode` gives.
 */
export function encodeProtobuf(schema: Schema, object: unknown, apiVersion: string, kind: string): Uint8Array {
  const writer = new ReverseWriter();
  const start = writer.length;
  planOf(asStruct(schema)).write(object as Json, writer);
  writer.delimit(2, start);
  writeTypeMeta(writer, apiVersion, kind);
  writer.bytes(MAGIC);
  return writer.finish();
}

/** The message alone, without an envelope. */
export function encodeMessage(schema: Schema, object: unknown): Uint8Array {
  const writer = new ReverseWriter();
  planOf(asStruct(schema)).write(object as Json, writer);
  return writer.finish();
}

/** A message that `encodeMessage` made, in its envelope. */
export const wrapProtobuf = (message: Uint8Array, apiVersion: string, kind: string): Uint8Array =>
  Buffer.concat([protobufHead(message.length, apiVersion, kind), message]);

/** The envelope up to its message, which is `length` bytes and comes last. */
export function protobufHead(length: number, apiVersion: string, kind: string): Uint8Array {
  const writer = new ReverseWriter();
  writer.varint(length);
  writer.tag(2, WIRE_BYTES);
  writeTypeMeta(writer, apiVersion, kind);
  writer.bytes(MAGIC);
  return writer.finish();
}

/** What stands before a message that is field `field` of another: tag and length. */
export function protobufFieldHead(field: number, length: number): Uint8Array {
  const writer = new ReverseWriter();
  writer.varint(length);
  writer.tag(field, WIRE_BYTES);
  return writer.finish();
}

/**
 * A watch event around an object in its envelope. The event itself has none: streams are written by upstream's raw serializer,
 * each event after four bytes of its length, big-endian, which are not part of this.
 */
export function encodeProtobufWatchEvent(type: string, object: Uint8Array): Uint8Array {
  const writer = new ReverseWriter();
  writer.bytes(object);
  writer.delimit(1, 0);
  writer.delimit(2, 0);
  const name = writer.length;
  writer.string(type);
  writer.delimit(1, name);
  return writer.finish();
}

function writeTypeMeta(writer: ReverseWriter, apiVersion: string, kind: string): void {
  const meta = writer.length;
  writer.string(kind);
  writer.delimit(2, meta);
  const version = writer.length;
  writer.string(apiVersion);
  writer.delimit(1, version);
  writer.delimit(1, meta);
}

/** Opens a body. Throws a BadRequest StatusError when it is none of ours. */
export function openProtobuf(bytes: Uint8Array): ProtobufEnvelope {
  if (!MAGIC.every((byte, i) => bytes[i] === byte)) {
    throw badRequest('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]');
  }
  return reading(() => {
    const reader = new ProtobufReader(bytes, MAGIC.length);
    let envelope: ProtobufEnvelope = { apiVersion: '', kind: '', raw: new Uint8Array() };
    fields(reader, (field, wireType) => {
      if (field === 1 && wireType === WIRE_BYTES) envelope = { ...envelope, ...readTypeMeta(reader) };
      else if (field === 2 && wireType === WIRE_BYTES) envelope = { ...envelope, raw: reader.bytes() };
      else reader.skip(wireType);
    });
    return envelope;
  });
}

function readTypeMeta(reader: ProtobufReader): { readonly apiVersion: string; readonly kind: string } {
  const meta = { apiVersion: '', kind: '' };
  const outer = reader.enter();
  fields(reader, (field, wireType) => {
    if (field === 1 && wireType === WIRE_BYTES) meta.apiVersion = reader.string();
    else if (field === 2 && wireType === WIRE_BYTES) meta.kind = reader.string();
    else reader.skip(wireType);
  });
  reader.leave(outer);
  return meta;
}

/**
 * Reads the message of an envelope as plain JSON, with its apiVersion and kind. Zeros that Go writes are still there: give it to
 * `decode`. Unknown fields are skipped. Throws a BadRequest StatusError for what is no such message.
 */
export function decodeProtobuf(schema: Schema, envelope: ProtobufEnvelope): Readonly<Record<string, unknown>> {
  const object = decodeMessage(schema, envelope.raw);
  return { apiVersion: envelope.apiVersion, kind: envelope.kind, ...object };
}

/** Reads a bare message. */
export function decodeMessage(schema: Schema, raw: Uint8Array): Readonly<Record<string, unknown>> {
  return reading(() => {
    const out: Mutable = {};
    planOf(asStruct(schema)).read(new ProtobufReader(raw), out, 0);
    return out;
  });
}

function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (err) {
    throw err instanceof ProtobufError ? badRequest(err.message) : err;
  }
}

function asStruct(schema: Schema): ObjectSchema {
  if (schema.kind !== 'object' || schema.name === undefined) throw new Error('protobuf is for built-in types');
  return schema;
}

/** One field of a message: a member of the object or, for an embedded struct, several. */
interface FieldPlan {
  readonly number: number;
  /** Undefined for an embedded struct, which is a message of its own on the wire and nothing in JSON. */
  readonly name: string | undefined;
  readonly codec: Codec;
  readonly inline?: MessagePlan;
}

const plans = new Map<string, MessagePlan>();

function planOf(schema: ObjectSchema): MessagePlan {
  const known = plans.get(schema.name!);
  if (known !== undefined) return known;
  const plan = new MessagePlan(schema.name!);
  plans.set(schema.name!, plan);
  return plan;
}

class MessagePlan {
  readonly #name: string;
  #descending: readonly FieldPlan[] | undefined;
  #byNumber: ReadonlyMap<number, FieldPlan> = new Map();

  constructor(name: string) {
    this.#name = name;
  }

  #prepare(): readonly FieldPlan[] {
    const inherited = new Set(inlineTypes(this.#name).flatMap((type) => [...builtinSchema(type).fields.keys()]));
    const list: FieldPlan[] = [];
    for (const field of builtinSchema(this.#name).fields.values()) {
      if (field.proto > 0 && !inherited.has(field.name)) {
        list.push({ number: field.proto, name: field.name, codec: codecOf(field.schema) });
      }
    }
    for (const { type, proto } of inlineMessages(this.#name)) {
      const inline = planOf(builtinSchema(type));
      list.push({ number: proto, name: undefined, codec: messageCodec(inline), inline });
    }
    this.#descending = list.sort((a, b) => b.number - a.number);
    this.#byNumber = new Map(list.map((f) => [f.number, f]));
    return this.#descending;
  }

  write(object: Json, writer: ReverseWriter): void {
    for (const field of this.#descending ?? this.#prepare()) {
      if (field.name === undefined) {
        field.codec.write(object, field.number, writer);
        continue;
      }
      const value = object[field.name];
      if (value !== undefined && value !== null) field.codec.write(value, field.number, writer);
    }
  }

  read(reader: ProtobufReader, out: Mutable, depth: number): void {
    if (depth > MAX_PROTOBUF_DEPTH) throw new ProtobufError('exceeded max depth');
    if (this.#descending === undefined) this.#prepare();
    while (!reader.done) {
      const tag = reader.unsigned();
      const wireType = tag % 8;
      const field = this.#byNumber.get(Math.floor(tag / 8));
      if (field === undefined) reader.skip(wireType);
      else if (field.inline !== undefined) {
        if (wireType !== WIRE_BYTES) throw wrongWireType(wireType, this.#name);
        const outer = reader.enter();
        field.inline.read(reader, out, depth + 1);
        reader.leave(outer);
      } else {
        const value = field.codec.read(reader, wireType, out[field.name!], depth + 1);
        if (value !== undefined) out[field.name!] = value;
      }
    }
  }
}

function codecOf(schema: Schema): Codec {
  switch (schema.kind) {
    case 'object':
      return messageCodec(planOf(schema));
    case 'list':
      return listCodec(schema);
    case 'map':
      return mapCodec(schema);
    case 'any':
      return anyCodec(schema.name);
    case 'scalar':
      return scalarCodec(schema);
  }
}

function messageCodec(plan: MessagePlan): Codec {
  return {
    write(value, field, writer) {
      const before = writer.length;
      plan.write(value as Json, writer);
      writer.delimit(field, before);
    },
    read(reader, wireType, before, depth) {
      expectWire(wireType, WIRE_BYTES, 'message');
      const out: Mutable = (before as Mutable | undefined) ?? {};
      const outer = reader.enter();
      plan.read(reader, out, depth);
      reader.leave(outer);
      return out;
    },
  };
}

/** Lists that are types of their own are messages in protobuf, with one repeated field. */
const listMessages = /\.(ExtraValue|Verbs)$/;

function listCodec(schema: ListSchema): Codec {
  const item = lazyCodec(() => schema.items);
  const packable = schema.items.kind === 'scalar' && schema.items.type !== 'string' && schema.items.type !== 'bytes';
  const repeated: Codec = {
    write(value, field, writer) {
      const list = value as readonly unknown[];
      for (let i = list.length - 1; i >= 0; i--) item().write(list[i], field, writer);
    },
    read(reader, wireType, before, depth) {
      const out = (before as unknown[] | undefined) ?? [];
      if (packable && wireType === WIRE_BYTES && schema.items.kind === 'scalar' && numeric(schema.items)) {
        const outer = reader.enter();
        const type = schema.items.type === 'float64' ? WIRE_FIXED64 : WIRE_VARINT;
        while (!reader.done) out.push(item().read(reader, type, undefined, depth));
        reader.leave(outer);
      } else out.push(item().read(reader, wireType, undefined, depth));
      return out;
    },
  };
  if (schema.goType === undefined || !listMessages.test(schema.goType)) return repeated;
  return smallMessage(
    (value, writer) => repeated.write(value, 1, writer),
    () => ({ items: [] }),
    (number, wireType, reader, out, depth) => {
      if (number === 1) out['items'] = repeated.read(reader, wireType, out['items'], depth);
      else reader.skip(wireType);
    },
    (out) => out['items'],
  );
}

function lazyCodec(schema: () => Schema): () => Codec {
  let codec: Codec | undefined;
  return () => (codec ??= codecOf(schema()));
}

function mapCodec(schema: MapSchema): Codec {
  const item = lazyCodec(() => schema.values);
  const zero = schema.values.kind === 'list' ? (): unknown => [] : (): unknown => zeroOf(schema.values);
  return {
    write(value, field, writer) {
      const map = value as Json;
      for (const key of Object.keys(map).sort().reverse()) {
        const before = writer.length;
        const entry = map[key];
        if (entry !== undefined && entry !== null) item().write(entry, 2, writer);
        const start = writer.length;
        writer.string(key);
        writer.delimit(1, start);
        writer.delimit(field, before);
      }
    },
    read(reader, wireType, before, depth) {
      expectWire(wireType, WIRE_BYTES, 'map');
      const out = (before as Mutable | undefined) ?? {};
      let key = '';
      let value: unknown;
      const outer = reader.enter();
      fields(reader, (number, type) => {
        if (number === 1 && type === WIRE_BYTES) key = reader.string();
        else if (number === 2) value = item().read(reader, type, value, depth + 1);
        else reader.skip(type);
      });
      reader.leave(outer);
      Object.defineProperty(out, key, { value: value ?? zero(), enumerable: true, configurable: true, writable: true });
      return out;
    },
  };
}

const JSON_SCHEMA = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps';

function anyCodec(name: string | undefined): Codec {
  if (name?.endsWith('.JSONSchemaPropsOrBool') === true) return schemaForms('boolean');
  if (name?.endsWith('.JSONSchemaPropsOrArray') === true) return schemaForms('schemas');
  if (name?.endsWith('.JSONSchemaPropsOrStringArray') === true) return schemaForms('strings');
  return rawCodec;
}

/** A JSON schema, or in its place a truth value, schemas, or strings. */
function schemaForms(other: 'boolean' | 'schemas' | 'strings'): Codec {
  const schema = lazyCodec(() => builtinSchema(JSON_SCHEMA));
  const text = scalarCodec({ kind: 'scalar', type: 'string' });
  const [schemaField, otherField] = other === 'boolean' ? [2, 1] : [1, 2];
  return smallMessage(
    (value, writer) => {
      if (Array.isArray(value)) {
        for (const item of [...(value as readonly unknown[])].reverse())
          (other === 'strings' ? text : schema()).write(item, 2, writer);
      } else if (typeof value === 'boolean') {
        writer.varint(value ? 1 : 0);
        writer.tag(1, WIRE_VARINT);
      } else {
        schema().write(value, schemaField, writer);
        if (other !== 'boolean') return;
        // Go sets this beside a schema.
        writer.varint(1);
        writer.tag(1, WIRE_VARINT);
      }
    },
    () => ({}),
    (number, wireType, reader, out, depth) => {
      if (number === schemaField) out['schema'] = schema().read(reader, wireType, out['schema'], depth + 1);
      else if (number === otherField && other === 'boolean') out['allows'] = reader.unsigned() !== 0;
      else if (number === otherField) {
        const list = ((out['list'] as unknown[] | undefined) ?? []).concat([
          (other === 'strings' ? text : schema()).read(reader, wireType, undefined, depth + 1),
        ]);
        out['list'] = list;
      } else reader.skip(wireType);
    },
    (out) => out['schema'] ?? out['list'] ?? (other === 'boolean' ? out['allows'] === true : undefined),
  );
}
