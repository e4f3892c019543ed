/**
 * A small protocol buffers codec driven by one-line tables, for the messages of the CRI.
 *
 * A message is a string of fields, `name=number` with an optional `:kind`, separated by blanks:
 *
 *     'name=1 uid=2 attempt=4:uint32 labels=6:map servers=7:*string linux=8:LinuxPodSandboxConfig runAsUser=9:@int53'
 *
 * Kinds: `string` (unless said), `bytes`, `bool`, `int32`, `uint32`, `int64` and `uint64` (bigint), `int53` and `uint53` (64 bits on the wire, a
 * number here: outside the safe integers the value is rounded), `map` (string to string), the name of an enum, or the name of a message.
 * `*kind` is repeated. `@kind` is a message whose field 1 is that kind, seen as the value itself or undefined (Int64Value, ImageSpec …).
 * As in proto3, absent scalars decode to their zero, absent messages and wrappers to undefined, unknown fields are skipped.
 */
export interface ProtoTable {
  readonly messages: Readonly<Record<string, string>>;
  /** Names by number. A number that has no name decodes to the last one. */
  readonly enums: Readonly<Record<string, readonly string[]>>;
}

/** A message as this codec takes and gives it. */
export type ProtoMessage = Readonly<Record<string, unknown>>;

export interface ProtoCodec {
  encode(message: string, value: ProtoMessage): Buffer;
  /** Throws `RangeError` when the bytes are no such message. */
  decode(message: string, bytes: Uint8Array): ProtoMessage;
}

type Kind =
  | 'string'
  | 'bytes'
  | 'bool'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'int53'
  | 'uint53'
  | 'map'
  | 'enum'
  | 'message'
  | 'wrapper';

interface Field {
  readonly name: string;
  readonly number: number;
  readonly kind: Kind;
  readonly repeated: boolean;
  /** Values of an enum. */
  readonly values?: readonly string[];
  /** Name of the message, when `kind` is message. */
  readonly message?: string;
  /** What is inside a wrapper. */
  readonly inner?: Field;
}

interface Message {
  readonly fields: readonly Field[];
  readonly byNumber: ReadonlyMap<number, Field>;
}

const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;

/** Messages nested deeper than this are refused: no CRI message comes near. */
const MAX_DEPTH = 32;

const scalarKinds: ReadonlySet<string> = new Set([
  'string',
  'bytes',
  'bool',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'int53',
  'uint53',
  'map',
]);

/** A codec for the messages of `table`. A message is compiled when it is first used, so that a large table costs nothing at start. */
export function createProtoCodec(table: ProtoTable): ProtoCodec {
  const compiled = new Map<string, Message>();

  function field(name: string, number: number, kind: string): Field {
    if (kind.startsWith('*')) return { ...field(name, number, kind.slice(1)), repeated: true };
    if (kind.startsWith('@')) return { name, number, kind: 'wrapper', repeated: false, inner: field('value', 1, kind.slice(1)) };
    if (scalarKinds.has(kind)) return { name, number, kind: kind as Kind, repeated: false };
    const values = table.enums[kind];
    if (values !== undefined) return { name, number, kind: 'enum', repeated: false, values };
    return { name, number, kind: 'message', repeated: false, message: kind };
  }

  function compile(name: string): Message {
    const known = compiled.get(name);
    if (known !== undefined) return known;
    const text = table.messages[name];
    if (text === undefined) throw new Error(`no message ${name} in the table`);
    const fields: Field[] = [];
    for (const word of text.split(' ')) {
      if (word === '') continue;
      const [, fieldName, number, kind] = /^(\w+)=(\d+)(?::([*@\w]+))?$/.exec(word) ?? [];
      if (fieldName === undefined) throw new Error(`message ${name}: cannot read field ${word}`);
      fields.push(field(fieldName, Number(number), kind ?? 'string'));
    }
    const message = { fields, byNumber: new Map(fields.map((f) => [f.number, f])) };
    compiled.set(name, message);
    return message;
  }

  function writeMessage(out: Writer, message: Message, value: ProtoMessage): void {
    for (const f of message.fields) {
      const v = value[f.name];
      if (v === undefined || v === null) continue;
      if (f.repeated) writeRepeated(out, f, v as readonly unknown[]);
      else writeField(out, f, v, false);
    }
  }

  function writeRepeated(out: Writer, f: Field, values: readonly unknown[]): void {
    if (values.length === 0) return;
    if (!isPackable(f.kind)) {
      for (const v of values) writeField(out, f, v, true);
      return;
    }
    out.tag(f.number, LENGTH_DELIMITED);
    const start = out.open();
    for (const v of values) out.varint(toVarint(f, v));
    out.close(start);
  }

  /** `keepZero`: an element of a list is written even when it is the zero value. */
  function writeField(out: Writer, f: Field, v: unknown, keepZero: boolean): void {
    switch (f.kind) {
      case 'string': {
        if (v === '' && !keepZero) return;
        out.tag(f.number, LENGTH_DELIMITED);
        out.string(v as string);
        return;
      }
      case 'bytes': {
        const bytes = v as Uint8Array;
        if (bytes.length === 0 && !keepZero) return;
        out.tag(f.number, LENGTH_DELIMITED);
        out.bytes(bytes);
        return;
      }
      case 'map': {
        for (const [key, text] of Object.entries(v as Readonly<Record<string, string>>)) {
          out.tag(f.number, LENGTH_DELIMITED);
          const start = out.open();
          out.tag(1, LENGTH_DELIMITED);
          out.string(key);
          out.tag(2, LENGTH_DELIMITED);
          out.string(text);
          out.close(start);
        }
        return;
      }
      case 'message': {
        out.tag(f.number, LENGTH_DELIMITED);
        const start = out.open();
        writeMessage(out, compile(f.message!), v as ProtoMessage);
        out.close(start);
        return;
      }
      case 'wrapper': {
        out.tag(f.number, LENGTH_DELIMITED);
        const start = out.open();
        writeField(out, f.inner!, v, false);
        out.close(start);
        return;
      }
      default: {
        const number = toVarint(f, v);
        if (number === 0n && !keepZero) return;
        out.tag(f.number, VARINT);
        out.varint(number);
      }
    }
  }

  function readMessage(input: Reader, end: number, message: Message, depth: number): ProtoMessage {
    if (depth > MAX_DEPTH) throw new RangeError('protobuf message nested too deeply');
    const out: Record<string, unknown> = {};
    for (const f of message.fields) out[f.name] = zero(f);
    while (input.position < end) {
      const tag = Number(input.varint());
      const wire = tag & 7;
      const f = message.byNumber.get(Math.floor(tag / 8));
      if (f === undefined) {
        input.skip(wire);
        continue;
      }
      if (f.repeated && wire === LENGTH_DELIMITED && isPackable(f.kind)) {
        const list = out[f.name] as unknown[];
        const stop = input.open(end);
        while (input.position < stop) list.push(fromVarint(f, input.varint()));
        input.expect(stop);
        continue;
      }
      if (f.kind === 'map') {
        readMapEntry(input, end, out[f.name] as Record<string, string>);
        continue;
      }
      const value = readField(input, end, f, wire, depth);
      if (f.repeated) (out[f.name] as unknown[]).push(value);
      else out[f.name] = value;
    }
    input.expect(end);
    return out;
  }

  function readField(input: Reader, end: number, f: Field, wire: number, depth: number): unknown {
    const expected = isPackable(f.kind) ? VARINT : LENGTH_DELIMITED;
    if (wire !== expected) throw new RangeError(`field ${f.name}: wire type ${wire}, want ${expected}`);
    if (wire === VARINT) return fromVarint(f, input.varint());
    const stop = input.open(end);
    switch (f.kind) {
      case 'string':
        return input.text(stop);
      case 'bytes':
        return input.slice(stop);
      case 'wrapper': {
        const inner = f.inner!;
        let value = zero(inner);
        while (input.position < stop) {
          const tag = Number(input.varint());
          if (Math.floor(tag / 8) === 1) value = readField(input, stop, inner, tag & 7, depth + 1);
          else input.skip(tag & 7);
        }
        input.expect(stop);
        return value;
      }
      default:
        return readMessage(input, stop, compile(f.message!), depth + 1);
    }
  }

  return {
    encode(name, value) {
      const out = new Writer();
      writeMessage(out, compile(name), value);
      return out.finish();
    },
    decode(name, bytes) {
      return readMessage(new Reader(bytes), bytes.length, compile(name), 0);
    },
  };
}

function readMapEntry(input: Reader, end: number, out: Record<string, string>): void {
  const stop = input.open(end);
  let key = '';
  let value = '';
  while (input.position < stop) {
    const tag = Number(input.varint());
    if (tag === 10) key = input.text(input.open(stop));
    else if (tag === 18) value = input.text(input.open(stop));
    else input.skip(tag & 7);
  }
  input.expect(stop);
  // A key such as __proto__ must become a property like any other.
  Object.defineProperty(out, key, { value, enumerable: true, configurable: true, writable: true });
}

function isPackable(kind: Kind): boolean {
  return kind !== 'string' && kind !== 'bytes' && kind !== 'map' && kind !== 'message' && kind !== 'wrapper';
}

function zero(f: Field): unknown {
  if (f.repeated) return [];
  switch (f.kind) {
    case 'string':
      return '';
    case 'bytes':
      return EMPTY;
    case 'bool':
      return false;
    case 'int64':
    case 'uint64':
      return 0n;
    case 'map':
      return {};
    case 'enum':
      return f.values![0];
    case 'message':
    case 'wrapper':
      return undefined;
    default:
      return 0;
  }
}

/** The 64 bits that go on the wire; negative numbers are sign-extended to ten bytes, as the format asks. */
function toVarint(f: Field, v: unknown): bigint {
  switch (f.kind) {
    case 'bool':
      return v === true ? 1n : 0n;
    case 'enum': {
      const index = f.values!.indexOf(v as string);
      if (index < 0) throw new RangeError(`field ${f.name}: ${String(v)} is none of ${f.values!.join(', ')}`);
      return BigInt(index);
    }
    case 'int64':
    case 'uint64':
      return BigInt.asUintN(64, v as bigint);
    default:
      if (!Number.isSafeInteger(v)) throw new RangeError(`field ${f.name}: ${String(v)} is no integer`);
      return BigInt.asUintN(64, BigInt(v as number));
  }
}

function fromVarint(f: Field, bits: bigint): unknown {
  switch (f.kind) {
    case 'bool':
      return bits !== 0n;
    case 'enum':
      return f.values![Number(bits)] ?? f.values!.at(-1);
    case 'int64':
      return BigInt.asIntN(64, bits);
    case 'uint64':
      return bits;
    case 'int32':
      return Number(BigInt.asIntN(32, bits));
    case 'uint32':
      return Number(BigInt.asUintN(32, bits));
    case 'uint53':
      return Number(bits);
    default:
      return Number(BigInt.asIntN(64, bits));
  }
}

const EMPTY = new Uint8Array(0);
const FIRST_CAPACITY = 512;

class Writer {
  #buffer = Buffer.allocUnsafe(FIRST_CAPACITY);
  #length = 0;

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + bytes));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
  tag(number: number, wire: number): void {
    this.small(number * 8 + wire);
  }
  /** A varint that fits a number: tags and lengths. */
  small(value: number): void {
    this.#reserve(5);
    while (value > 127) {
      this.#buffer[this.#length++] = (value & 127) | 128;
      value = Math.floor(value / 128);
    }
    this.#buffer[this.#length++] = value;
  }
  varint(value: bigint): void {
    this.#reserve(10);
    while (value > 127n) {
      this.#buffer[this.#length++] = Number(value & 127n) | 128;
      value >>= 7n;
    }
    this.#buffer[this.#length++] = Number(value);
  }
  string(text: string): void {
    const bytes = Buffer.byteLength(text);
    this.small(bytes);
    this.#reserve(bytes);
    this.#length += this.#buffer.write(text, this.#length);
  }
  bytes(bytes: Uint8Array): void {
    this.small(bytes.length);
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }
  /** Begins something that is preceded by its length: one byte is kept for it, and more are made room for in `close`. */
  open(): number {
    this.#reserve(1);
    return ++this.#length;
  }
  close(start: number): void {
    const length = this.#length - start;
    let extra = 0;
    for (let rest = Math.floor(length / 128); rest > 0; rest = Math.floor(rest / 128)) extra++;
    if (extra > 0) {
      this.#reserve(extra);
      this.#buffer.copyWithin(start + extra, start, this.#length);
    }
    this.#length = start - 1;
    this.small(length);
    this.#length += length;
  }
  finish(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }
}

class Reader {
  readonly #bytes: Uint8Array;
  position = 0;
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }
  varint(): bigint {
    const bytes = this.#bytes;
    // Nearly all are short: those stay numbers until the end.
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte();
      low |= (byte & 127) << shift;
      if (byte < 128) return BigInt(low);
    }
    let value = BigInt(low);
    for (let shift = 28n; shift < 70n; shift += 7n) {
      if (this.position >= bytes.length) break;
      const byte = this.#byte();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, value);
    }
    throw new RangeError('protobuf varint too long or cut off');
  }
  #byte(): number {
    const byte = this.#bytes[this.position++];
    if (byte === undefined) throw new RangeError('protobuf message cut off');
    return byte;
  }
  /** Reads a length; gives where what follows ends. */
  open(end: number): number {
    const length = Number(this.varint());
    const stop = this.position + length;
    if (stop > end) throw new RangeError('protobuf field longer than its message');
    return stop;
  }
  expect(end: number): void {
    if (this.position !== end) throw new RangeError('protobuf field runs past its message');
  }
  text(stop: number): string {
    const bytes = this.#bytes;
    const out = Buffer.from(bytes.buffer, bytes.byteOffset + this.position, stop - this.position).toString('utf8');
    this.position = stop;
    return out;
  }
  slice(stop: number): Uint8Array {
    const out = this.#bytes.slice(this.position, stop);
    this.position = stop;
    return out;
  }
  skip(wire: number): void {
    if (wire === VARINT) this.varint();
    else if (wire === FIXED64) this.position += 8;
    else if (wire === FIXED32) this.position += 4;
    else if (wire === LENGTH_DELIMITED) this.position = this.open(this.#bytes.length);
    else throw new RangeError(`protobuf wire type ${wire}`);
    if (this.position > this.#bytes.length) throw new RangeError('protobuf message cut off');
  }
}
