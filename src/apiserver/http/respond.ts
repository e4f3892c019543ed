import type { KubernetesObject } from '../../api/meta/object.ts';
import { customError, internalStatus, requestEntityTooLarge, StatusError } from '../../api/meta/status.ts';
import { builtinSchema } from '../../api/schema/builtin.ts';
import { encodeMessage, wrapProtobuf } from '../../api/wire/protobuf.ts';
import { EntryTooLargeError, StoreUnavailableError } from '../../store/contract.ts';
import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import { isList, type Outcome, toObject } from '../rest/dispatch.ts';
import type { Endpoint } from '../rest/endpoint.ts';
import type { ListResult } from '../rest/read.ts';
import type { RestResult, TableForm } from '../rest/scope.ts';
import { encodeObject } from './encode-object.ts';
import type { Exchange } from './exchange.ts';
import { listMetadata, listPieces, madePieces, prettyPieces, protobufPieces, yamlPieces } from './list-pieces.ts';
import { type Encoding, type MediaType, mediaName, type Negotiator, plainOffer } from './negotiation.ts';
import type { PiecePool } from './piece-pool.ts';
import { sendPieces } from './stream-pieces.ts';
import { includeObject, partialObject, tableHead, tableRow } from './table.ts';

/** The code that the metrics show for it, as nginx and Go's proxies do. */
export const CLIENT_GONE = 499;
const PARTIAL = 'io.k8s.apimachinery.pkg.apis.meta.v1.PartialObjectMetadata';

/** Answers a request with what it came to. */
export function respond(exchange: Exchange, outcome: Outcome, media: MediaType, clock: Clock, pool: PiecePool): void {
  if (isList(outcome)) sendList(exchange, outcome, media, clock, pool);
  else sendOne(exchange, outcome, media, clock);
}

function sendOne(exchange: Exchange, result: RestResult, media: MediaType, clock: Clock): void {
  const { code, entry, endpoint } = result;
  const { encoding } = media;
  if (endpoint === undefined) {
    const { object = {}, table } = result;
    const shown = media.as === 'Table' && table !== undefined ? asTable(exchange, table, object, media, clock) : object;
    sendObject(exchange, code, shown, encoding);
    return;
  }
  if (media.as !== '') {
    const object = entry === undefined ? (result.object ?? {}) : endpoint.object(entry);
    sendObject(exchange, code, transformed(exchange, endpoint, object, media, clock), encoding);
    return;
  }
  if (entry !== undefined) {
    if (encoding === 'json' && !wantsPretty(exchange)) {
      exchange.send(code, 'application/json', endpoint.bytes(entry));
      return;
    }
    if (encoding === 'protobuf') {
      const body = wrapProtobuf(endpoint.message(entry), endpoint.apiVersion, endpoint.resource.kind);
      exchange.send(code, mediaName(encoding), body);
      return;
    }
  }
  sendObject(exchange, code, toObject(result), encoding);
}

/** An object as a Table or as its metadata. */
function transformed(exchange: Exchange, endpoint: Endpoint, object: KubernetesObject, media: MediaType, clock: Clock): object {
  const { resource } = endpoint;
  switch (media.as) {
    case 'Table':
      return asTable(exchange, resource, object, media, clock);
    case 'PartialObjectMetadata':
      return partialObject(object, media.version);
    default:
      throw notThatKind(media.as, 'is not a list', `${resource.version}.${resource.kind}`);
  }
}

function asTable(exchange: Exchange, form: TableForm, object: KubernetesObject, media: MediaType, clock: Clock): object {
  const { resourceVersion } = object.metadata ?? {};
  const metadata = resourceVersion === undefined ? {} : { resourceVersion };
  const row = tableRow(form, object, clock.now(), includeObject(exchange.query), media.version);
  return { ...tableHead(form, metadata, media.version), rows: [row] };
}

function sendList(exchange: Exchange, result: ListResult, media: MediaType, clock: Clock, pool: PiecePool): void {
  const { endpoint } = result;
  const { resource } = endpoint;
  const { encoding, version } = media;
  const type = mediaName(encoding);
  if (media.as === '') {
    if (encoding === 'protobuf') {
      const pieces = protobufPieces(result, endpoint.apiVersion, resource.listKind, (entry) => endpoint.message(entry));
      sendPieces(exchange, type, pieces, pool);
    } else if (encoding === 'json' && !wantsPretty(exchange)) sendPieces(exchange, type, listPieces(result, pool), pool);
    else {
      const head = { kind: resource.listKind, apiVersion: endpoint.apiVersion, metadata: listMetadata(result) };
      sendMade(exchange, result, encoding, pool, head, 'items', endpoint.itemHead.length === 0 ? whole : untyped);
    }
    return;
  }
  if (media.as === 'PartialObjectMetadata') {
    throw notThatKind(media.as, 'is a list', `${resource.version}.${resource.listKind}`);
  }
  const now = clock.now();
  if (media.as === 'Table') {
    const include = includeObject(exchange.query);
    const head = tableHead(resource, listMetadata(result), version);
    const rows = inRowOrder(result);
    sendMade(exchange, rows, encoding, pool, head, 'rows', (object) => tableRow(resource, object, now, include, version));
    return;
  }
  const kind = 'PartialObjectMetadataList';
  const apiVersion = `meta.k8s.io/${version}`;
  if (encoding === 'protobuf') {
    const message = (entry: (typeof result.entries)[number]): Uint8Array =>
      encodeMessage(builtinSchema(PARTIAL), { metadata: endpoint.object(entry).metadata });
    sendPieces(exchange, type, protobufPieces(result, apiVersion, kind, message), pool);
    return;
  }
  const head = { kind, apiVersion, metadata: listMetadata(result) };
  sendMade(exchange, result, encoding, pool, head, 'items', (object) => partialObject(object, version));
}

/** A list as its table shows it. */
function inRowOrder(result: ListResult): ListResult {
  const { endpoint, entries } = result;
  const { rowOrder } = endpoint.resource;
  if (rowOrder === undefined) return result;
  return { ...result, entries: [...entries].sort((a, b) => rowOrder(endpoint.object(a), endpoint.object(b))) };
}

const whole = (object: KubernetesObject): object => object;
/** Items of built-in types do not say what they are. */
const untyped = ({ kind: _kind, apiVersion: _apiVersion, ...object }: KubernetesObject): object => object;

function sendMade(
  exchange: Exchange,
  result: ListResult,
  encoding: Encoding,
  pool: PiecePool,
  head: object,
  list: string,
  item: (object: KubernetesObject) => object,
): void {
  const make = encoding === 'yaml' ? yamlPieces : wantsPretty(exchange) ? prettyPieces : madePieces;
  sendPieces(exchange, mediaName(encoding), make(result, head, list, item), pool);
}

function notThatKind(as: string, why: string, type: string): StatusError {
  return customError(406, 'NotAcceptable', `you requested ${as}, but the requested object ${why} (*${type})`);
}

/** Any object in the encoding asked for; JSON when it has no protobuf. */
export function sendObject(exchange: Exchange, code: number, object: object, encoding: Encoding): void {
  const body = encodeObject(object, encoding, wantsPretty(exchange));
  if (body === undefined) {
    sendObject(exchange, code, object, 'json');
    return;
  }
  exchange.send(code, mediaName(encoding), body);
}

/** Indented JSON: asked for, or for eyes (curl and browsers), as upstream guesses. */
function wantsPretty(exchange: Exchange): boolean {
  const asked = exchange.query?.get('pretty');
  if (asked !== undefined && asked !== null && asked !== '') return asked !== 'false' && asked !== '0';
  const agent = exchange.userAgent;
  return agent.startsWith('curl') || agent.startsWith('Wget') || agent.startsWith('Mozilla/5.0');
}

/** Answers with an error: a StatusError as it stands, anything else as a 500, logged once here. */
export function respondError(exchange: Exchange, err: unknown, logger: Logger, negotiator: Negotiator): void {
  // What is given up because its client has gone is no fault, and nobody's answer.
  if (exchange.res?.destroyed === true) {
    exchange.done(CLIENT_GONE, 0);
    return;
  }
  const error = err instanceof StatusError ? err : unexpected(exchange, err, logger);
  const { retryAfterSeconds } = error.status.details ?? {};
  const more =
    retryAfterSeconds !== undefined && retryAfterSeconds > 0
      ? { 'retry-after': String(retryAfterSeconds) }
      : error.code === 401
        ? { 'www-authenticate': 'Bearer, X509' }
        : undefined;
  const encoding = negotiator.tryChoose(exchange.headers.accept, plainOffer)?.encoding ?? 'json';
  const body = encodeObject(error.status, encoding, wantsPretty(exchange)) ?? Buffer.from(JSON.stringify(error.status));
  exchange.send(error.code, mediaName(encoding), body, more);
}

function unexpected(exchange: Exchange, err: unknown, logger: Logger): StatusError {
  // As upstream passes on what etcd says (a 500 without a reason). The store has logged it, once for all requests.
  if (err instanceof StoreUnavailableError) return customError(500, '', err.message);
  if (err instanceof EntryTooLargeError) return requestEntityTooLarge(err.message);
  logger.error({ err, method: exchange.method, path: exchange.path, auditId: exchange.auditId }, 'request failed');
  return internalStatus(err instanceof Error ? err.message : String(err));
}
