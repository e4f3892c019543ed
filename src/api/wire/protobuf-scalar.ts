import { formatDuration, parseDuration } from '../meta/duration.ts';
import { formatInstant, type Instant, isZeroInstant, parseInstant } from '../meta/time.ts';
import type { ScalarSchema, Schema } from '../schema/schema.ts';
import { ProtobufError, type ProtobufReader } from './protobuf-reader.ts';
import { type ReverseWriter, WIRE_BYTES, WIRE_FIXED64, WIRE_VARINT } from './protobuf-writer.ts';

/** Messages nested deeper are refused. */
export const MAX_PROTOBUF_DEPTH = 500;

export type Json = Readonly<Record<string, unknown>>;
export type Mutable = Record<string, unknown>;

/** Calls back for every field up to the end of the message. */
export function fields(reader: ProtobufReader, each: (field: number, wireType: number) => void): void {
  while (!reader.done) {
    const tag = reader.unsigned();
    each(Math.floor(tag / 8), tag % 8);
  }
}

/** How one kind of value is written and read. */
export interface Codec {
  /** Writes value and, where the wire type has one, length; then the tag. */
  write(value: unknown, field: number, writer: ReverseWriter): void;
  /** Reads one value; `before` is what earlier occurrences of the field gave. */
  read(reader: ProtobufReader, wireType: number, before: unknown, depth: number): unknown;
}

export const wrongWireType = (wireType: number, what: string): ProtobufError =>
  new ProtobufError(`proto: wrong wireType = ${wireType} for field ${what}`);

export function expectWire(wireType: number, expected: number, what: string): void {
  if (wireType !== expected) throw wrongWireType(wireType, what);
}

/** A message made by hand, of a value that has a form of its own in JSON. */
export function smallMessage(
  write: (value: unknown, writer: ReverseWriter) => void,
  start: () => Mutable,
  field: (number: number, wireType: number, reader: ProtobufReader, out: Mutable, depth: number) => void,
  finish: (out: Mutable) => unknown,
): Codec {
  return {
    write(value, number, writer) {
      const before = writer.length;
      write(value, writer);
      writer.delimit(number, before);
    },
    read(reader, wireType, _before, depth) {
      expectWire(wireType, WIRE_BYTES, 'message');
      if (depth > MAX_PROTOBUF_DEPTH) throw new ProtobufError('exceeded max depth');
      const out = start();
      const outer = reader.enter();
      fields(reader, (number, type) => field(number, type, reader, out, depth));
      reader.leave(outer);
      return finish(out);
    },
  };
}

export const numeric = (schema: ScalarSchema): boolean => /^(u?int(32|64)|float64|boolean)$/.test(schema.type);

export function zeroOf(schema: Schema): unknown {
  if (schema.kind === 'object' || schema.kind === 'map') return {};
  if (schema.kind !== 'scalar') return null;
  if (schema.type === 'boolean') return false;
  if (schema.type === 'quantity') return '0';
  if (schema.type === 'time' || schema.type === 'micro-time') return null;
  return numeric(schema) || schema.type === 'int-or-string' ? 0 : '';
}

const varint = (read: (reader: ProtobufReader) => unknown, number: (value: unknown) => number): Codec => ({
  write(value, field, writer) {
    writer.varint(number(value));
    writer.tag(field, WIRE_VARINT);
  },
  read(reader, wireType) {
    expectWire(wireType, WIRE_VARINT, 'number');
    return read(reader);
  },
});

export function scalarCodec(schema: ScalarSchema): Codec {
  switch (schema.type) {
    case 'string':
      return {
        write(value, field, writer) {
          const before = writer.length;
          writer.string(value as string);
          writer.delimit(field, before);
        },
        read(reader, wireType) {
          expectWire(wireType, WIRE_BYTES, 'string');
          return reader.string();
        },
      };
    case 'bytes':
      return {
        write(value, field, writer) {
          const before = writer.length;
          writer.bytes(Buffer.from(value as string, 'base64'));
          writer.delimit(field, before);
        },
        read(reader, wireType) {
          expectWire(wireType, WIRE_BYTES, 'bytes');
          return reader.bytes().toString('base64');
        },
      };
    case 'boolean':
      return varint(
        (reader) => reader.unsigned() !== 0,
        (value) => (value === true ? 1 : 0),
      );
    case 'int32':
      return varint((reader) => reader.int32(), Number);
    case 'int64':
      return varint((reader) => reader.signed(), Number);
    case 'uint32':
    case 'uint64':
      return varint((reader) => reader.unsigned(), Number);
    case 'float64':
      return {
        write(value, field, writer) {
          writer.double(value as number);
          writer.tag(field, WIRE_FIXED64);
        },
        read(reader, wireType) {
          expectWire(wireType, WIRE_FIXED64, 'double');
          return reader.double();
        },
      };
    case 'quantity':
      return textMessage;
    case 'time':
      return timeCodec(false);
    case 'micro-time':
      return timeCodec(true);
    case 'duration':
      return durationCodec;
    case 'int-or-string':
      return intOrStringCodec;
  }
}

/** `{1: text}`: a quantity. */
const textMessage = smallMessage(
  (value, writer) => {
    const before = writer.length;
    writer.string(value as string);
    writer.delimit(1, before);
  },
  () => ({ text: '0' }),
  (number, wireType, reader, out) => {
    if (number === 1 && wireType === WIRE_BYTES) out['text'] = reader.string();
    else reader.skip(wireType);
  },
  (out) => (out['text'] === '' ? '0' : out['text']),
);

/** `{1: seconds, 2: nanos}`; a message without fields is the zero time, which JSON has as absent. */
function timeCodec(micro: boolean): Codec {
  return smallMessage(
    (value, writer) => {
      const instant = parseInstant(value as string, micro);
      writer.varint(micro ? instant.nanos : 0);
      writer.tag(2, WIRE_VARINT);
      writer.varint(instant.seconds);
      writer.tag(1, WIRE_VARINT);
    },
    () => ({}),
    (number, wireType, reader, out) => {
      if (wireType === WIRE_VARINT && number === 1) out['seconds'] = reader.signed();
      else if (wireType === WIRE_VARINT && number === 2) out['nanos'] = reader.int32();
      else reader.skip(wireType);
    },
    (out) => {
      if (out['seconds'] === undefined && out['nanos'] === undefined) return undefined;
      const instant: Instant = { seconds: (out['seconds'] as number) ?? 0, nanos: (out['nanos'] as number) ?? 0 };
      if (isZeroInstant(instant)) return undefined;
      if (Math.abs(instant.seconds) > MAX_SECONDS) throw new ProtobufError('proto: timestamp out of range');
      return formatInstant(instant, micro);
    },
  );
}

/** The year 9999 on either side of 1970: what RFC 3339 can say. */
const MAX_SECONDS = 253_402_300_799;

/** `{1: nanoseconds}`. */
const durationCodec = smallMessage(
  (value, writer) => {
    writer.varint(parseDuration(value as string));
    writer.tag(1, WIRE_VARINT);
  },
  () => ({ nanos: 0 }),
  (number, wireType, reader, out) => {
    if (number === 1 && wireType === WIRE_VARINT) out['nanos'] = reader.signed();
    else reader.skip(wireType);
  },
  (out) => formatDuration(BigInt(out['nanos'] as number)),
);

/** `{1: type (0 int, 1 string), 2: int, 3: string}`. */
const intOrStringCodec = smallMessage(
  (value, writer) => {
    const before = writer.length;
    writer.string(typeof value === 'string' ? value : '');
    writer.delimit(3, before);
    writer.varint(typeof value === 'number' ? value : 0);
    writer.tag(2, WIRE_VARINT);
    writer.varint(typeof value === 'string' ? 1 : 0);
    writer.tag(1, WIRE_VARINT);
  },
  () => ({ type: 0, int: 0, text: '' }),
  (number, wireType, reader, out) => {
    if (number === 1 && wireType === WIRE_VARINT) out['type'] = reader.unsigned();
    else if (number === 2 && wireType === WIRE_VARINT) out['int'] = reader.int32();
    else if (number === 3 && wireType === WIRE_BYTES) out['text'] = reader.string();
    else reader.skip(wireType);
  },
  (out) => (out['type'] === 1 ? out['text'] : out['int']),
);

/** `{1: bytes}`, the bytes being JSON: RawExtension, FieldsV1 and JSON. */
export const rawCodec = smallMessage(
  (value, writer) => {
    const before = writer.length;
    writer.string(JSON.stringify(value));
    writer.delimit(1, before);
  },
  () => ({}),
  (number, wireType, reader, out) => {
    if (number === 1 && wireType === WIRE_BYTES) out['json'] = parseRaw(reader.bytes());
    else reader.skip(wireType);
  },
  (out) => out['json'],
);

function parseRaw(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new ProtobufError('proto: raw field is not JSON');
  }
}
