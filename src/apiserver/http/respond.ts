import type { ServerResponse } from 'node:http';
import { createGzip } from 'node:zlib';
import { stringify } from 'yaml';
import type { KubernetesObject } from '../../api/meta/object.ts';
import { customError, internalStatus, StatusError } from '../../api/meta/status.ts';
import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import { isList, type Outcome, toObject } from '../rest/dispatch.ts';
import type { Endpoint } from '../rest/endpoint.ts';
import type { ListResult } from '../rest/read.ts';
import type { RestResult } from '../rest/scope.ts';
import { acceptsGzip, type Exchange, GZIP_LEVEL, GZIP_MIN_BYTES } from './exchange.ts';
import { listMetadata, listPieces } from './list-bytes.ts';
import { type MediaType, mediaName, type Offer } from './negotiation.ts';
import { type IncludeObject, parseIncludeObject, partialObject, table } from './table.ts';

/** What stored types can be shown as. */
export const objectOffer: Offer = {
  encodings: ['json', 'yaml'],
  transforms: [
    'meta.k8s.io/v1/Table',
    'meta.k8s.io/v1beta1/Table',
    'meta.k8s.io/v1/PartialObjectMetadata',
    'meta.k8s.io/v1beta1/PartialObjectMetadata',
    'meta.k8s.io/v1/PartialObjectMetadataList',
    'meta.k8s.io/v1beta1/PartialObjectMetadataList',
  ],
};

/** Plain objects: reviews, discovery documents. */
export const plainOffer: Offer = { encodings: ['json', 'yaml'], transforms: [] };

/** Entries beyond which a list is streamed rather than sent as one body. */
const STREAM_ENTRIES = 500;

/** Answers a request with what it came to. */
export function respond(exchange: Exchange, outcome: Outcome, media: MediaType, clock: Clock): void {
  if (media.as !== '' && outcome.endpoint !== undefined) {
    return sendObject(exchange, codeOf(outcome), transform(exchange, outcome, outcome.endpoint, media, clock), media);
  }
  if (media.encoding !== 'json' || wantsPretty(exchange)) {
    return sendObject(exchange, codeOf(outcome), toObject(outcome), media);
  }
  if (isList(outcome)) return sendList(exchange, outcome);
  sendResult(exchange, outcome);
}

const codeOf = (outcome: Outcome): number => (isList(outcome) ? 200 : outcome.code);

function sendResult(exchange: Exchange, result: RestResult): void {
  const { entry, endpoint } = result;
  const body = entry !== undefined && endpoint !== undefined ? endpoint.bytes(entry) : Buffer.from(JSON.stringify(result.object));
  exchange.send(result.code, 'application/json', body);
}

/** Any object in the encoding asked for. */
export function sendObject(exchange: Exchange, code: number, object: unknown, media: Pick<MediaType, 'encoding'>): void {
  const text =
    media.encoding === 'yaml'
      ? stringify(object, { aliasDuplicateObjects: false })
      : wantsPretty(exchange)
        ? `${JSON.stringify(object, null, 2)}\n`
        : `${JSON.stringify(object)}\n`;
  exchange.send(code, mediaName(media.encoding), Buffer.from(text));
}

/** Indented JSON: asked for, or for eyes (curl and browsers), as upstream guesses. */
function wantsPretty(exchange: Exchange): boolean {
  const asked = exchange.query?.get('pretty');
  if (asked !== undefined && asked !== null) return asked !== 'false' && asked !== '0';
  const agent = exchange.userAgent;
  return agent.startsWith('curl') || agent.startsWith('Wget') || agent.startsWith('Mozilla/5.0');
}

function sendList(exchange: Exchange, result: ListResult): void {
  const pieces = listPieces(result);
  const first = pieces.next();
  if (result.entries.length <= STREAM_ENTRIES) {
    // One piece unless the objects are large.
    const second = pieces.next();
    if (second.done === true) return exchange.send(200, 'application/json', first.value as Buffer);
    return streamPieces(exchange, [first.value as Buffer, second.value], pieces);
  }
  streamPieces(exchange, [first.value as Buffer], pieces);
}

/** Writes pieces as the client takes them, a turn of the loop between two. */
function streamPieces(exchange: Exchange, made: readonly Buffer[], rest: Generator<Buffer, void, undefined>): void {
  const res = exchange.res as ServerResponse;
  const headers = exchange.responseHeaders('application/json');
  const size = made.reduce((sum, b) => sum + b.length, 0);
  const compress = size >= GZIP_MIN_BYTES && acceptsGzip(exchange.headers);
  if (compress) {
    headers['content-encoding'] = 'gzip';
    headers['vary'] = 'Accept-Encoding';
  }
  res.writeHead(200, headers);
  const target = compress ? createGzip({ level: GZIP_LEVEL }) : res;
  if (target !== res) target.pipe(res);
  let bytes = 0;
  const queue = [...made];
  const step = (): void => {
    if (res.destroyed) return exchange.done(200, bytes);
    const piece = queue.shift() ?? rest.next().value;
    if (piece === undefined) {
      target.end();
      return exchange.done(200, bytes);
    }
    bytes += piece.length;
    if (target.write(piece)) setImmediate(step);
    else {
      const go = (): void => {
        target.off('drain', go);
        res.off('close', go);
        step();
      };
      target.on('drain', go);
      res.on('close', go);
    }
  };
  step();
}

function transform(exchange: Exchange, outcome: Outcome, endpoint: Endpoint, media: MediaType, clock: Clock): object {
  const objects = isList(outcome)
    ? outcome.entries.map((entry) => endpoint.object(entry))
    : [outcome.entry === undefined ? (outcome.object ?? {}) : endpoint.object(outcome.entry)];
  const apiVersion = `meta.k8s.io/${media.version}`;
  if (media.as === 'Table') {
    const include = includeObject(exchange);
    const first: KubernetesObject = objects[0] ?? {};
    const metadata = isList(outcome)
      ? listMetadata(outcome)
      : first.metadata?.resourceVersion === undefined
        ? {}
        : { resourceVersion: first.metadata.resourceVersion };
    return table(endpoint.resource, objects, metadata, clock.now(), include, media.version);
  }
  if (isList(outcome)) {
    return {
      kind: 'PartialObjectMetadataList',
      apiVersion,
      metadata: listMetadata(outcome),
      items: objects.map((object) => ({ ...partialObject(object), apiVersion })),
    };
  }
  return { ...partialObject(objects[0] ?? {}), apiVersion };
}

/** Throws a 400 for a value that does not exist. */
export function includeObject(exchange: Exchange): IncludeObject {
  const value = exchange.query?.get('includeObject');
  const include = parseIncludeObject(value);
  if (include === undefined) throw customError(400, 'BadRequest', `invalid includeObject value: ${JSON.stringify(value)}`);
  return include;
}

/** Answers with an error: a StatusError as it stands, anything else as a 500, logged once here. */
export function respondError(exchange: Exchange, err: unknown, logger: Logger): void {
  const error = err instanceof StatusError ? err : unexpected(exchange, err, logger);
  const { retryAfterSeconds } = error.status.details ?? {};
  const more =
    retryAfterSeconds !== undefined && retryAfterSeconds > 0
      ? { 'retry-after': String(retryAfterSeconds) }
      : error.code === 401
        ? { 'www-authenticate': 'Bearer, X509' }
        : undefined;
  exchange.send(error.code, 'application/json', Buffer.from(`${JSON.stringify(error.status)}\n`), more);
}

function unexpected(exchange: Exchange, err: unknown, logger: Logger): StatusError {
  logger.error({ err, method: exchange.method, path: exchange.path, auditId: exchange.auditId }, 'request failed');
  return internalStatus(err instanceof Error ? err.message : String(err));
}
