import { notAcceptable, unsupportedMediaType } from '../../api/meta/status.ts';

/** How an answer is written. */
export type Encoding = 'json' | 'yaml' | 'protobuf' | 'cbor';

/** What a client wants an answer to be. */
export interface MediaType {
  readonly encoding: Encoding;
  /** A transformation: `Table`, `PartialObjectMetadata`, `PartialObjectMetadataList`, `APIGroupDiscoveryList`. */
  readonly as: string;
  readonly group: string;
  readonly version: string;
}

/** What an endpoint can give. */
export interface Offer {
  readonly encodings: readonly Encoding[];
  /** Which transformations it knows: `meta.k8s.io/v1/Table`. */
  readonly transforms: readonly string[];
}

const json: MediaType = { encoding: 'json', as: '', group: '', version: '' };
/** Headers parsed and remembered; cleared when it is full, so that odd clients cannot grow it. */
const MAX_REMEMBERED = 1_000;

const names: Readonly<Record<Encoding, string>> = {
  json: 'application/json',
  yaml: 'application/yaml',
  protobuf: 'application/vnd.kubernetes.protobuf',
  cbor: 'application/cbor',
};

/** Chooses answers' media types, remembering the headers it has read. */
export class Negotiator {
  readonly #clauses = new Map<string, readonly MediaType[]>();

  /** The best clause of an Accept header that the offer has. Throws 406. */
  choose(accept: string | undefined, offer: Offer): MediaType {
    if (accept === undefined || accept === '' || accept === '*/*' || accept === 'application/json') return json;
    let clauses = this.#clauses.get(accept);
    if (clauses === undefined) {
      clauses = parseAccept(accept);
      if (this.#clauses.size >= MAX_REMEMBERED) this.#clauses.clear();
      this.#clauses.set(accept, clauses);
    }
    for (const clause of clauses) {
      if (!offer.encodings.includes(clause.encoding)) continue;
      if (clause.as === '' || offer.transforms.includes(`${clause.group}/${clause.version}/${clause.as}`)) return clause;
    }
    throw notAcceptable(offer.encodings.map((e) => names[e]));
  }
}

function parseAccept(header: string): readonly MediaType[] {
  const clauses: { readonly type: MediaType; readonly quality: number }[] = [];
  for (const part of header.split(',')) {
    const [name = '', ...parameters] = part.split(';').map((s) => s.trim());
    const encoding = encodingOf(name.toLowerCase());
    if (encoding === undefined) continue;
    const values = new Map(parameters.map((p) => p.split('=', 2) as [string, string]));
    clauses.push({
      type: { encoding, as: values.get('as') ?? '', group: values.get('g') ?? '', version: values.get('v') ?? '' },
      quality: Number(values.get('q') ?? 1),
    });
  }
  return clauses.sort((a, b) => b.quality - a.quality).map((c) => c.type);
}

function encodingOf(type: string): Encoding | undefined {
  switch (type) {
    case '*/*':
    case 'application/*':
    case 'application/json':
      return 'json';
    case 'application/yaml':
      return 'yaml';
    case 'application/vnd.kubernetes.protobuf':
      return 'protobuf';
    default:
      return undefined;
  }
}

/** The media type of a body, without parameters, in lower case; JSON when none is told. */
export function bodyType(contentType: string | undefined): string {
  if (contentType === undefined || contentType === '' || contentType === 'application/json') return 'application/json';
  const semicolon = contentType.indexOf(';');
  return (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
}

/** The encoding of an object in a body. Throws 415. */
export function bodyEncoding(type: string, accepted: readonly Encoding[]): Encoding {
  for (const encoding of accepted) if (names[encoding] === type) return encoding;
  throw unsupportedMediaType(accepted.map((e) => names[e]));
}

export const mediaName = (encoding: Encoding): string => names[encoding];
