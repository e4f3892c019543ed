import type { ServerResponse } from 'node:http';

/**
 * HTTP/1.1's chunked coding, made here: Node's own way puts head, content and end of a chunk together by copying them, for each answer anew.
 * Buffers with room around their content need no copy, and a chunk for many watchers is made once.
 */

/** Room that the head of a chunk takes at most: eight digits and a line end. */
export const CHUNK_HEAD_BYTES = 10;
const end = Buffer.from('\r\n');
export const CHUNK_END_BYTES = end.length;

const headOf = (size: number): string => `${size.toString(16)}\r\n`;

/** Sends the head of the answer. True when chunks are the caller's from here on, false when the answer needs none (HTTP/2). */
export function takeOverChunks(res: ServerResponse): boolean {
  res.flushHeaders?.();
  if (!res.chunkedEncoding) return false;
  res.chunkedEncoding = false;
  return true;
}

/** Ends an answer whose chunks were taken over. The end of the body is Node's again. */
export function endChunks(res: ServerResponse): void {
  res.chunkedEncoding = true;
  res.end();
}

/** Parts, of `size` bytes together, as one chunk. */
export function chunkOf(parts: readonly Uint8Array[], size: number): Buffer {
  const head = Buffer.from(headOf(size), 'latin1');
  return Buffer.concat([head, ...parts, end], head.length + size + end.length);
}

/** The chunk around content that has `CHUNK_HEAD_BYTES` of room before it and `CHUNK_END_BYTES` after it, in place. */
export function chunkAround(content: Buffer): Buffer {
  const head = headOf(content.length);
  const chunk = Buffer.from(content.buffer, content.byteOffset - head.length, head.length + content.length + end.length);
  chunk.write(head, 'latin1');
  chunk.set(end, head.length + content.length);
  return chunk;
}
