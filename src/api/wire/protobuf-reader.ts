import { WIRE_BYTES, WIRE_FIXED32, WIRE_FIXED64, WIRE_VARINT } from './protobuf-writer.ts';

/** The bytes are no protobuf message; the message is gogo protobuf's. */
export class ProtobufError extends Error {}

/** Reads the fields of one message, or of the messages inside it, from a slice of bytes. */
export class ProtobufReader {
  readonly #bytes: Buffer;
  #at: number;
  #end: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = start;
    this.#end = end;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }

  /** Narrows to the message that comes next; the answer goes to `leave`. */
  enter(): number {
    const size = this.#size();
    const outer = this.#end;
    this.#end = this.#at + size;
    return outer;
  }

  leave(outer: number): void {
    this.#at = this.#end;
    this.#end = outer;
  }

  #byte(): number {
    if (this.#at >= this.#end) throw new ProtobufError('unexpected EOF');
    return this.#bytes[this.#at++]!;
  }

  #size(): number {
    const size = this.unsigned();
    if (size > this.#end - this.#at) throw new ProtobufError('unexpected EOF');
    return size;
  }

  /** A number that may be large; exact as long as a double can be. */
  unsigned(): number {
    let value = 0;
    let factor = 1;
    for (let i = 0; i < 10; i++) {
      const byte = this.#byte();
      value += (byte & 0x7f) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
    throw new ProtobufError('proto: integer overflow');
  }

  /** As `unsigned`, read as 64 bits of two's complement. */
  signed(): number {
    const start = this.#at;
    const value = this.unsigned();
    if (value < 2 ** 53) return value;
    let exact = 0n;
    for (let i = this.#at - 1; i >= start; i--) exact = (exact << 7n) | BigInt(this.#bytes[i]! & 0x7f);
    return Number(BigInt.asIntN(64, exact));
  }

  int32(): number {
    return this.signed() | 0;
  }

  double(): number {
    if (this.#end - this.#at < 8) throw new ProtobufError('unexpected EOF');
    this.#at += 8;
    return this.#bytes.readDoubleLE(this.#at - 8);
  }

  string(): string {
    const size = this.#size();
    this.#at += size;
    return this.#bytes.toString('utf8', this.#at - size, this.#at);
  }

  bytes(): Buffer {
    const size = this.#size();
    this.#at += size;
    return this.#bytes.subarray(this.#at - size, this.#at);
  }

  /** Passes over a field that nobody knows. */
  skip(wireType: number): void {
    switch (wireType) {
      case WIRE_VARINT:
        this.unsigned();
        return;
      case WIRE_FIXED64:
        this.#pass(8);
        return;
      case WIRE_BYTES:
        this.#pass(this.#size());
        return;
      case WIRE_FIXED32:
        this.#pass(4);
        return;
      default:
        throw new ProtobufError(`proto: illegal wireType ${wireType}`);
    }
  }

  #pass(size: number): void {
    if (size > this.#end - this.#at) throw new ProtobufError('unexpected EOF');
    this.#at += size;
  }
}
