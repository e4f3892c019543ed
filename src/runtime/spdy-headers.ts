/**
 * Header blocks of SPDY/3: name-value pairs compressed with zlib, one stream in each direction for the life of a connection, primed with
 * the dictionary of the SPDY/3 draft (section 2.6.10.1).
 *
 * Both sides are our own: Node's zlib streams answer later, and a frame must not be read before the headers in front of it. What is sent goes
 * in stored (uncompressed) blocks, which every inflater takes: the headers of a remote command are some 30 bytes. Inflating is RFC 1951.
 */

/** Headers of a stream; names are lower case, as SPDY/3 wants them. */
export type SpdyHeaders = Readonly<Record<string, string>>;

/** A header block that inflates to more than this is refused, bytes. */
const MAX_HEADER_BYTES = 64 * 1024;
const WINDOW = 32 * 1024;
/** An empty stored block: at it Go's inflater hands out what it has; without it, it would want more input and fail. */
const SYNC_FLUSH = Buffer.from([0, 0, 0, 0xff, 0xff]);
/** Most a stored block holds, bytes. */
const MAX_STORED = 0xffff;

const prefixed =
  'options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow authorization cache-control connection content-base content-encoding content-language content-length content-location content-md5 content-range content-type date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie keep-alive origin';
const text =
  '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.';

/** The dictionary: words with a 32-bit length before each, then plain text. */
export function spdyDictionary(): Buffer {
  const words = prefixed.split(' ').map((word) => {
    const bytes = Buffer.from(word.replace('_', ' '), 'latin1');
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  });
  return Buffer.concat([...words, Buffer.from(text, 'latin1')]);
}

/** Adler-32 of the dictionary: how a zlib stream says which one it needs. */
export const SPDY_DICTIONARY_ID = 0xe3c6a7c2;

/** Writes the header blocks of one direction of a connection. */
export class SpdyHeaderWriter {
  #first = true;

  write(headers: SpdyHeaders): Buffer {
    const parts: Buffer[] = [];
    const word = (value: string): void => {
      const bytes = Buffer.from(value, 'utf8');
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      parts.push(length, bytes);
    };
    const entries = Object.entries(headers);
    const count = Buffer.alloc(4);
    count.writeUInt32BE(entries.length);
    parts.push(count);
    for (const [name, value] of entries) {
      word(name.toLowerCase());
      word(value);
    }
    const plain = Buffer.concat(parts);
    if (plain.length > MAX_STORED) throw new RangeError('SPDY headers too long');
    const prefix = Buffer.alloc(this.#first ? 11 : 5);
    if (this.#first) {
      // Deflate with a 32 KiB window, best compression, and a preset dictionary.
      prefix.writeUInt16BE(0x78bb, 0);
      prefix.writeUInt32BE(SPDY_DICTIONARY_ID, 2);
      this.#first = false;
    }
    prefix.writeUInt16LE(plain.length, prefix.length - 4);
    prefix.writeUInt16LE(plain.length ^ 0xffff, prefix.length - 2);
    return Buffer.concat([prefix, plain, SYNC_FLUSH]);
  }
}

/** Reads the header blocks of one direction of a connection. Throws `RangeError` on what is no header block. */
export class SpdyHeaderReader {
  readonly #inflater = new Inflater(spdyDictionary());

  read(block: Uint8Array): SpdyHeaders {
    const plain = this.#inflater.inflate(block);
    const headers: Record<string, string> = {};
    let at = 0;
    const number = (): number => {
      if (at + 4 > plain.length) throw new RangeError('SPDY header block cut off');
      at += 4;
      return plain.readUInt32BE(at - 4);
    };
    const word = (): string => {
      const length = number();
      if (at + length > plain.length) throw new RangeError('SPDY header block cut off');
      at += length;
      return plain.toString('utf8', at - length, at);
    };
    const count = number();
    for (let i = 0; i < count; i++) {
      const name = word();
      const value = word();
      Object.defineProperty(headers, name.toLowerCase(), { value, enumerable: true, configurable: true, writable: true });
    }
    return headers;
  }
}

const lengthBase = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
];
const lengthExtra = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const distanceBase = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289,
  16385, 24577,
];
const distanceExtra = [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];
const codeLengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const MAX_CODE_BITS = 15;

/** A canonical Huffman code: how many codes of each length there are, and the symbols in order of their codes. */
interface HuffmanCode {
  readonly counts: Uint16Array;
  readonly symbols: Uint16Array;
}

function huffmanCode(lengths: readonly number[]): HuffmanCode {
  const counts = new Uint16Array(MAX_CODE_BITS + 1);
  for (const length of lengths) counts[length]!++;
  counts[0] = 0;
  const next = new Uint16Array(MAX_CODE_BITS + 2);
  for (let i = 1; i <= MAX_CODE_BITS; i++) next[i + 1] = next[i]! + counts[i]!;
  const symbols = new Uint16Array(lengths.length);
  lengths.forEach((length, symbol) => {
    if (length !== 0) symbols[next[length]!++] = symbol;
  });
  return { counts, symbols };
}

/** Inflates a zlib stream that arrives in pieces, each of which ends with a flush: at the end of a deflate block and on a byte. */
class Inflater {
  readonly #dictionary: Buffer;
  /** What back references reach, then what is being made. */
  readonly #work = Buffer.alloc(WINDOW + MAX_HEADER_BYTES);
  #length = 0;
  #input: Uint8Array = new Uint8Array(0);
  #at = 0;
  #bits = 0;
  #bitCount = 0;
  #started = false;

  constructor(dictionary: Buffer) {
    this.#dictionary = dictionary;
  }

  inflate(input: Uint8Array): Buffer {
    this.#input = input;
    this.#at = 0;
    this.#bits = 0;
    this.#bitCount = 0;
    if (!this.#started) this.#start();
    if (this.#length > WINDOW) {
      this.#work.copyWithin(0, this.#length - WINDOW, this.#length);
      this.#length = WINDOW;
    }
    const from = this.#length;
    while (this.#at < input.length) {
      const last = this.#take(1);
      const type = this.#take(2);
      if (type === 0) this.#stored();
      else if (type === 1) this.#compressed(fixedLengths(), fixedDistances());
      else if (type === 2) this.#dynamic();
      else throw new RangeError('SPDY headers: no such deflate block');
      if (last === 1) break;
    }
    return Buffer.from(this.#work.subarray(from, this.#length));
  }

  #start(): void {
    const head = (this.#take(8) << 8) | this.#take(8);
    if ((head & 0x0f00) !== 0x0800 || head % 31 !== 0) throw new RangeError('SPDY headers are no zlib stream');
    if ((head & 0x20) !== 0) {
      let id = 0;
      for (let i = 0; i < 4; i++) id = id * 256 + this.#take(8);
      if (id !== SPDY_DICTIONARY_ID) throw new RangeError('SPDY headers use another dictionary');
      this.#dictionary.copy(this.#work, 0);
      this.#length = this.#dictionary.length;
    }
    this.#started = true;
  }

  #take(count: number): number {
    while (this.#bitCount < count) {
      const byte = this.#input[this.#at++];
      if (byte === undefined) throw new RangeError('SPDY header block cut off');
      this.#bits |= byte << this.#bitCount;
      this.#bitCount += 8;
    }
    const value = this.#bits & ((1 << count) - 1);
    this.#bits >>>= count;
    this.#bitCount -= count;
    return value;
  }

  #put(byte: number): void {
    if (this.#length >= this.#work.length) throw new RangeError('SPDY headers too long');
    this.#work[this.#length++] = byte;
  }

  #stored(): void {
    this.#bits = 0;
    this.#bitCount = 0;
    const length = this.#take(16);
    if ((length ^ 0xffff) !== this.#take(16)) throw new RangeError('SPDY headers: bad length of a stored block');
    for (let i = 0; i < length; i++) this.#put(this.#take(8));
  }

  #symbol(code: HuffmanCode): number {
    let value = 0;
    let first = 0;
    let index = 0;
    for (let bits = 1; bits <= MAX_CODE_BITS; bits++) {
      value |= this.#take(1);
      const count = code.counts[bits]!;
      if (value - count < first) return code.symbols[index + (value - first)]!;
      index += count;
      first = (first + count) << 1;
      value <<= 1;
    }
    throw new RangeError('SPDY headers: no such code');
  }

  #dynamic(): void {
    const literals = this.#take(5) + 257;
    const distances = this.#take(5) + 1;
    const count = this.#take(4) + 4;
    const orderLengths = new Array<number>(19).fill(0);
    for (let i = 0; i < count; i++) orderLengths[codeLengthOrder[i]!] = this.#take(3);
    const code = huffmanCode(orderLengths);
    const lengths: number[] = [];
    while (lengths.length < literals + distances) {
      const symbol = this.#symbol(code);
      if (symbol < 16) lengths.push(symbol);
      else {
        const value = symbol === 16 ? lengths.at(-1) : 0;
        if (value === undefined) throw new RangeError('SPDY headers: nothing to repeat');
        const times = symbol === 16 ? 3 + this.#take(2) : symbol === 17 ? 3 + this.#take(3) : 11 + this.#take(7);
        for (let i = 0; i < times; i++) lengths.push(value);
      }
    }
    if (lengths.length > literals + distances) throw new RangeError('SPDY headers: too many code lengths');
    this.#compressed(huffmanCode(lengths.slice(0, literals)), huffmanCode(lengths.slice(literals)));
  }

  #compressed(literals: HuffmanCode, distances: HuffmanCode): void {
    for (;;) {
      const symbol = this.#symbol(literals);
      if (symbol < 256) {
        this.#put(symbol);
        continue;
      }
      if (symbol === 256) return;
      const length = lengthBase[symbol - 257];
      if (length === undefined) throw new RangeError('SPDY headers: no such length');
      const total = length + this.#take(lengthExtra[symbol - 257]!);
      const distanceSymbol = this.#symbol(distances);
      const base = distanceBase[distanceSymbol];
      if (base === undefined) throw new RangeError('SPDY headers: no such distance');
      const distance = base + this.#take(distanceExtra[distanceSymbol]!);
      if (distance > this.#length) throw new RangeError('SPDY headers: reference before the start');
      for (let i = 0; i < total; i++) this.#put(this.#work[this.#length - distance]!);
    }
  }
}

function fixedLengths(): HuffmanCode {
  return huffmanCode(Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8)));
}

function fixedDistances(): HuffmanCode {
  return huffmanCode(new Array<number>(30).fill(5));
}
