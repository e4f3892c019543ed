import { createHash } from 'node:crypto';
import { genericNotFound } from '../../api/meta/status.ts';
import { encodeObject } from '../http/encode-object.ts';
import { type Encoding, type MediaType, mediaName, Negotiator, type Offer, plainOffer } from '../http/negotiation.ts';
import type { RouteAnswer, RouteRequest } from '../http/routes.ts';
import type { ApiServer } from '../server.ts';
import { DiscoveryDocuments, type ServerAddress } from './documents.ts';

const all: readonly Encoding[] = ['json', 'yaml', 'protobuf'];

/** The roots, which know the aggregated form too (KEP-3352). */
const rootOffer: Offer = {
  encodings: all,
  transforms: new Map([
    ['apidiscovery.k8s.io/v2/APIGroupDiscoveryList', all],
    ['apidiscovery.k8s.io/v2beta1/APIGroupDiscoveryList', all],
  ]),
};

/** Serves `/api`, `/apis` and below, plain and aggregated. Documents are made when first asked for and kept until what is served changes. */
export function addDiscovery(server: ApiServer, addresses: readonly ServerAddress[]): void {
  const negotiator = new Negotiator();
  let documents: DiscoveryDocuments | undefined;
  const answers = new Map<string, RouteAnswer>();
  server.registry.onChange(() => {
    documents = undefined;
    answers.clear();
  });
  const current = (): DiscoveryDocuments =>
    (documents ??= new DiscoveryDocuments(server.registry, addresses, server.aggregated?.discovery()));
  const answer = (key: string, media: MediaType, make: () => object | undefined): RouteAnswer => {
    const full = `${key} ${media.encoding} ${media.version}`;
    let known = answers.get(full);
    if (known === undefined) {
      const document = make();
      if (document === undefined) throw genericNotFound();
      known = media.as === '' ? plain(document, media.encoding) : aggregated(document, media);
      answers.set(full, known);
    }
    return known;
  };
  const root = (core: boolean) => (request: RouteRequest) => {
    const media = negotiator.choose(request.headers.accept, rootOffer);
    if (media.as === '') {
      return answer(`root ${core}`, media, () => (core ? current().coreVersions() : current().groupList()));
    }
    const found = answer(`aggregated ${core}`, media, () => current().aggregated(core, media.version));
    return request.headers['if-none-match'] === found.headers?.['etag'] ? notModified(found) : found;
  };
  const below = (request: RouteRequest): RouteAnswer => {
    const media = negotiator.choose(request.headers.accept, plainOffer);
    const [first, group = '', version = '', ...rest] = request.path.split('/').filter((part) => part !== '');
    const core = first === 'api';
    if (rest.length > 0 || (core && version !== '')) throw genericNotFound();
    if (core) return answer(`list /${group}`, media, () => current().resourceList('', group));
    if (version !== '') return answer(`list ${group}/${version}`, media, () => current().resourceList(group, version));
    return answer(`group ${group}`, media, () => current().group(group));
  };
  server.addRoute('/api', root(true));
  server.addRoute('/apis', root(false));
  server.addRoutePrefix('/api/', below);
  server.addRoutePrefix('/apis/', below);
}

const encoded = (document: object, encoding: Encoding): Uint8Array =>
  encodeObject(document, encoding) ?? Buffer.from(JSON.stringify(document));

const plain = (document: object, encoding: Encoding): RouteAnswer => ({
  code: 200,
  contentType: mediaName(encoding),
  body: encoded(document, encoding),
});

function aggregated(document: object, media: MediaType): RouteAnswer {
  return {
    code: 200,
    contentType: `${mediaName(media.encoding)};g=apidiscovery.k8s.io;v=${media.version};as=APIGroupDiscoveryList`,
    body: encoded(document, media.encoding),
    headers: {
      // The hash is of the document, whatever it is written in.
      etag: `"${createHash('sha512').update(JSON.stringify(document)).digest('hex').toUpperCase()}"`,
      vary: 'Accept',
      'cache-control': 'public',
    },
  };
}

const notModified = (answer: RouteAnswer): RouteAnswer => ({ ...answer, code: 304, body: Buffer.alloc(0) });
