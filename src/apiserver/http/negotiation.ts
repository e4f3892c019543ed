import { notAcceptable, unsupportedMediaType } from '../../api/meta/status.ts';

/** How an answer is written. */
export type Encoding = 'json' | 'yaml' | 'protobuf';

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
  /** Of objects as they are; the first is what a client gets that does not mind. */
  readonly encodings: readonly Encoding[];
  /** Of transformations: `meta.k8s.io/v1/Table`. */
  readonly transforms: ReadonlyMap<string, readonly Encoding[]>;
}

const json: MediaType = { encoding: 'json', as: '', group: '', version: '' };
/** Headers parsed and remembered; cleared when it is full, so that odd clients cannot grow it. */
const MAX_REMEMBERED = 1_000;

const names: Readonly<Record<Encoding, string>> = {
  json: 'application/json',
  yaml: 'application/yaml',
  protobuf: 'application/vnd.kubernetes.protobuf',
};

const text: readonly Encoding[] = ['json', 'yaml'];
const all: readonly Encoding[] = ['json', 'yaml', 'protobuf'];

const transforms: Offer['transforms'] = new Map<string, readonly Encoding[]>([
  ['meta.k8s.io/v1/Table', text],
  ['meta.k8s.io/v1beta1/Table', text],
  ['meta.k8s.io/v1/PartialObjectMetadata', all],
  ['meta.k8s.io/v1beta1/PartialObjectMetadata', all],
  ['meta.k8s.io/v1/PartialObjectMetadataList', all],
  ['meta.k8s.io/v1beta1/PartialObjectMetadataList', all],
]);

/** What stored built-in types, and everything else with a schema of ours, can be shown as. */
export const builtinOffer: Offer = { encodings: all, transforms };
/** Custom resources have no protobuf; their metadata alone does. */
export const customOffer: Offer = { encodings: text, transforms };
/** Plain objects: reviews, errors, discovery documents. */
export const plainOffer: Offer = { encodings: all, transforms: new Map() };

/** Chooses answers' media types, remembering the headers it has read. */
export class Negotiator {
  readonly #clauses = new Map<string, readonly MediaType[]>();

  /** The best clause of an Accept header that the offer has. Throws 406. */
  choose(accept: string | undefined, offer: Offer): MediaType {
    const chosen = this.tryChoose(accept, offer);
    if (chosen === undefined) throw notAcceptable(offer.encodings.map((e) => names[e]));
    return chosen;
  }

  /** As `choose`; undefined when nothing fits. */
  tryChoose(accept: string | undefined, offer: Offer): MediaType | undefined {
    if (accept === undefined || accept === '' || accept === '*/*' || accept === 'application/json') return json;
    let clauses = this.#clauses.get(accept);
    if (clauses === undefined) {
      clauses = parseAccept(accept);
      if (this.#clauses.size >= MAX_REMEMBERED) this.#clauses.clear();
      this.#clauses.set(accept, clauses);
    }
    for (const clause of clauses) {
      const encodings = clause.as === '' ? offer.encodings : offer.transforms.get(transformOf(clause));
      if (encodings?.includes(clause.encoding) === true) return clause;
    }
    return undefined;
  }
}

const transformOf = (type: MediaType): string => `${type.group}/${type.version}/${type.as}`;

function parseAccept(header: string): readonly MediaType[] {
  const clauses: { readonly type: MediaType; readonly quality: number }[] = [];
  for (const part of header.split(',')) {
    const [name = '', ...parameters] = part.split(';').map((s) => s.trim());
    const encoding = encodingOf(name.toLowerCase());
    if (encoding === undefined) continue;
    const values = new Map(parameters.map((p) => p.split('=', 2) as [string, string]));
    const quality = Number(values.get('q') ?? 1);
    clauses.push({
      type: { encoding, as: values.get('as') ?? '', group: values.get('g') ?? '', version: values.get('v') ?? '' },
      quality: Number.isNaN(quality) ? 1 : quality,
    });
  }
  return clauses.sort((a, b) => b.quality - a.quality).map((c) => c.type);
}

/**
 * The media types of an Accept header without their parameters, in the order in which kube-openapi tries them: by quality, and what is
 * named before what is any.
 */
export function acceptedTypes(header: string): readonly string[] {
  const clauses: { readonly name: string; readonly quality: number; readonly wildcards: number }[] = [];
  for (const part of header.split(',')) {
    const [name = '', ...parameters] = part.split(';').map((s) => s.trim());
    if (!/^[^/]+\/[^/]+$/.test(name) && name !== '*') continue;
    const quality = parameters.find((p) => p.startsWith('q='))?.slice(2);
    const full = name === '*' ? '*/*' : name;
    clauses.push({ name: full, quality: Number(quality ?? 1) || 0, wildcards: full === '*/*' ? 2 : full.endsWith('/*') ? 1 : 0 });
  }
  return clauses.sort((a, b) => b.quality - a.quality || a.wildcards - b.wildcards).map((c) => c.name);
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
