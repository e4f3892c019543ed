import type { ServerResponse } from 'node:http';
import { createGzip } from 'node:zlib';
import { nextSlice } from '../../util/slice.ts';
import { endChunks, takeOverChunks } from './chunks.ts';
import { acceptsGzip, type Exchange, GZIP_LEVEL, GZIP_MIN_BYTES } from './exchange.ts';
import type { Pieces } from './list-pieces.ts';
import type { PiecePool } from './piece-pool.ts';

/** Answers 200 with a body that is made piece by piece: at once when it is one piece, else as the client takes it. */
export function sendPieces(exchange: Exchange, contentType: string, pieces: Pieces, pool: PiecePool): void {
  const made: Buffer[] = [];
  // The first piece that says something, and whether another follows.
  while (made.length < 2) {
    const next = pieces.next();
    if (next.done === true) {
      exchange.send(200, contentType, made[0] ?? Buffer.alloc(0));
      return;
    }
    if (next.value.length > 0) made.push(next.value);
    else if (made.length === 0) break;
  }
  streamPieces(exchange, contentType, made, pieces, pool);
}

/** Writes pieces as the client takes them, a turn of the loop between two. */
function streamPieces(exchange: Exchange, contentType: string, made: Buffer[], rest: Pieces, pool: PiecePool): void {
  const res = exchange.res as ServerResponse;
  const headers = exchange.responseHeaders(contentType);
  const compress =
    (made.length === 0 || made.reduce((sum, b) => sum + b.length, 0) >= GZIP_MIN_BYTES) && acceptsGzip(exchange.headers);
  if (compress) {
    headers['content-encoding'] = 'gzip';
    headers['vary'] = 'Accept-Encoding';
  }
  res.writeHead(200, headers);
  const ownChunks = !compress && takeOverChunks(res);
  const target = compress ? createGzip({ level: GZIP_LEVEL }) : res;
  if (target !== res) target.pipe(res);
  let bytes = 0;
  let failed = false;
  const finish = (): void => exchange.done(200, bytes);
  res.once('close', finish);
  const step = (): void => {
    if (res.destroyed || failed) return;
    let piece: Buffer | undefined;
    try {
      piece = made.shift() ?? next(rest);
    } catch (err) {
      failed = true;
      exchange.onFault?.(exchange, err);
      res.destroy();
      return;
    }
    if (piece === undefined) {
      if (ownChunks) endChunks(res);
      else target.end();
      return;
    }
    bytes += piece.length;
    const written = piece;
    if (piece.length === 0 || target.write(ownChunks ? pool.chunk(written) : written, () => pool.give(written))) {
      void nextSlice().then(step);
      return;
    }
    target.once('drain', step);
  };
  step();
}

function next(pieces: Pieces): Buffer | undefined {
  const result = pieces.next();
  return result.done === true ? undefined : result.value;
}
