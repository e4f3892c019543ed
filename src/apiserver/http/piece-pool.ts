import { CHUNK_END_BYTES, CHUNK_HEAD_BYTES, chunkAround, chunkOf } from './chunks.ts';

/** Buffers kept for reuse. */
const MAX_FREE = 4;
/** What is asked for beyond this is made for the occasion. */
const BUFFER_BYTES = 640 * 1024;
const CONTENT_BYTES = BUFFER_BYTES - CHUNK_HEAD_BYTES - CHUNK_END_BYTES;

/**
 * Buffers that answers are put together in, used again once the socket has taken them. Made anew each time they would be the collector's
 * work: memory outside of the heap makes it run over the whole heap, and that costs more than the answer.
 */
export class PiecePool {
  readonly #free: Buffer[] = [];
  /** Those that are with answers; an answer that breaks off may not give its back. */
  readonly #lent = new WeakMap<ArrayBufferLike, Buffer>();

  /** At least `size` bytes, with anything in them. */
  take(size: number): Buffer {
    if (size > CONTENT_BYTES) return Buffer.allocUnsafe(size);
    const buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
    this.#lent.set(buffer.buffer, buffer);
    return buffer.subarray(CHUNK_HEAD_BYTES, CHUNK_HEAD_BYTES + CONTENT_BYTES);
  }

  /** A piece as a chunk of HTTP/1.1's coding; what begins where a buffer of the pool was taken from is not copied. */
  chunk(piece: Buffer): Buffer {
    const inPlace = piece.byteOffset === CHUNK_HEAD_BYTES && this.#lent.has(piece.buffer);
    return inPlace ? chunkAround(piece) : chunkOf([piece], piece.length);
  }

  /** A buffer that was taken, or a part of it, is read no more. Anything else is none of the pool's business. */
  give(piece: Buffer): void {
    const buffer = this.#lent.get(piece.buffer);
    if (buffer === undefined) return;
    this.#lent.delete(piece.buffer);
    if (this.#free.length < MAX_FREE) this.#free.push(buffer);
  }
}
