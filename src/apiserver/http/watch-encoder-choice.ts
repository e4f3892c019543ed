import { notAcceptable } from '../../api/meta/status.ts';
import type { Clock } from '../../util/clock.ts';
import type { Endpoint } from '../rest/endpoint.ts';
import type { Exchange } from './exchange.ts';
import { type MediaType, mediaName, plainOffer } from './negotiation.ts';
import { includeObject, partialObject, tableHead, tableRow } from './table.ts';
import { JsonWatchEncoder, ProtobufWatchEncoder, TransformingWatchEncoder, type WatchEncoder } from './watch-encoders.ts';

/** Picks how the events of a watch are written. Those who want whole objects share an encoder, and so what it has made. */
export class WatchEncoders {
  readonly #clock: Clock;
  readonly #json = new WeakMap<Endpoint, WatchEncoder>();
  readonly #protobuf = new WeakMap<Endpoint, WatchEncoder>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Throws 406 for YAML, which has no form for streams. */
  choose(exchange: Exchange, endpoint: Endpoint, media: MediaType): WatchEncoder {
    const { encoding, version } = media;
    if (encoding === 'yaml') throw notAcceptable(plainOffer.encodings.map(mediaName));
    if (media.as === 'Table') return this.#table(exchange, endpoint, version);
    if (media.as !== '') return new TransformingWatchEncoder(endpoint, encoding, (object) => partialObject(object, version));
    const known = encoding === 'json' ? this.#json : this.#protobuf;
    let encoder = known.get(endpoint);
    if (encoder === undefined) {
      encoder = encoding === 'json' ? new JsonWatchEncoder(endpoint) : new ProtobufWatchEncoder(endpoint);
      known.set(endpoint, encoder);
    }
    return encoder;
  }

  #table(exchange: Exchange, endpoint: Endpoint, version: string): WatchEncoder {
    const { resource } = endpoint;
    const include = includeObject(exchange.query);
    // Columns are told once.
    let headers = true;
    return new TransformingWatchEncoder(endpoint, 'json', (object) => {
      const metadata = { resourceVersion: object.metadata?.resourceVersion ?? '' };
      const head = tableHead(resource, metadata, version, headers);
      headers = false;
      return { ...head, rows: [tableRow(resource, object, this.#clock.now(), include, version)] };
    });
  }
}
