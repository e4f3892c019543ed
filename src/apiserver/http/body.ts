import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import { badRequest, customError, requestEntityTooLarge, timeoutError } from '../../api/meta/status.ts';
import type { Clock } from '../../util/clock.ts';

/** Upstream's MaxRequestBodyBytes. */
export const MAX_BODY_BYTES = 3 * 1024 * 1024;
/** A body must have arrived within this time. */
const BODY_TIMEOUT_MS = 60_000;

const nothing = Buffer.alloc(0);

/** Calls back with the whole body, or with a 413, 415, 408-like or 400 error. Once. What is packed is never unpacked: a few bytes may hold gigabytes. */
export function readBody(
  req: IncomingMessage | Http2ServerRequest,
  clock: Clock,
  done: (err: Error | undefined, body: Buffer) => void,
): void {
  const packed = req.headers['content-encoding'];
  if (packed !== undefined && packed !== '' && packed !== 'identity') {
    done(packedBody(packed), nothing);
    return;
  }
  const declared = req.headers['content-length'];
  if (declared !== undefined) {
    if (Number(declared) > MAX_BODY_BYTES) {
      done(tooLarge(), nothing);
      return;
    }
    if (declared === '0') {
      done(undefined, nothing);
      return;
    }
  }
  let first: Buffer | undefined;
  let rest: Buffer[] | undefined;
  let size = 0;
  let finished = false;
  const finish = (err: Error | undefined): void => {
    if (finished) return;
    finished = true;
    timer.cancel();
    if (err !== undefined) done(err, nothing);
    else done(undefined, first === undefined ? nothing : rest === undefined ? first : Buffer.concat([first, ...rest], size));
  };
  const timer = clock.setTimer(BODY_TIMEOUT_MS, () => {
    finish(timeoutError('the request body did not arrive in time'));
    req.destroy();
  });
  req.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) {
      finish(tooLarge());
      return;
    }
    if (first === undefined) first = chunk;
    else (rest ??= []).push(chunk);
  });
  req.on('end', () => finish(undefined));
  req.on('error', (err) => finish(err));
  req.on('close', () => {
    // Comes after every request; an error is made only when it means something.
    if (!finished) finish(badRequest('the connection was closed before the body had arrived'));
  });
}

const tooLarge = (): Error => requestEntityTooLarge(`limit is ${MAX_BODY_BYTES}`);
const packedBody = (encoding: string): Error =>
  customError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown encoding - accepted encodings include: identity, got ${encoding}`,
  );
