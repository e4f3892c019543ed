import { createHash } from 'node:crypto';
import { genericNotFound } from '../../api/meta/status.ts';
import { Negotiator } from '../http/negotiation.ts';
import { jsonAnswer, type RouteAnswer, type RouteRequest } from '../http/routes.ts';
import type { ApiServer } from '../server.ts';
import { DiscoveryDocuments, type ServerAddress } from './documents.ts';

const offer = {
  encodings: ['json'] as const,
  transforms: ['apidiscovery.k8s.io/v2/APIGroupDiscoveryList', 'apidiscovery.k8s.io/v2beta1/APIGroupDiscoveryList'],
};

/** Serves `/api`, `/apis` and below, plain and aggregated. */
export function addDiscovery(server: ApiServer, addresses: readonly ServerAddress[]): void {
  const negotiator = new Negotiator();
  let documents: DiscoveryDocuments | undefined;
  const answers = new Map<string, RouteAnswer>();
  server.registry.onChange(() => {
    documents = undefined;
    answers.clear();
  });
  const current = (): DiscoveryDocuments => (documents ??= new DiscoveryDocuments(server.registry, addresses));
  const cached = (key: string, make: () => RouteAnswer): RouteAnswer => {
    let answer = answers.get(key);
    if (answer === undefined) answers.set(key, (answer = make()));
    return answer;
  };
  const root = (core: boolean) => (request: RouteRequest) => {
    const media = negotiator.choose(request.headers.accept, offer);
    if (media.as === '') {
      return cached(`plain ${core}`, () => jsonAnswer(200, core ? current().coreVersions() : current().groupList()));
    }
    const answer = cached(`aggregated ${core} ${media.version}`, () =>
      withTag(current().aggregated(core, media.version), media.version),
    );
    return request.headers['if-none-match'] === answer.headers?.['etag'] ? notModified(answer) : answer;
  };
  server.addRoute('/api', root(true));
  server.addRoute('/apis', root(false));
  server.addRoutePrefix('/api/', (request) => list(cached, current, '', request.path.split('/')[2] ?? '', request.path));
  server.addRoutePrefix('/apis/', (request) => {
    const [, , group = '', version = ''] = request.path.split('/');
    if (version !== '') return list(cached, current, group, version, request.path);
    const document = current().group(group);
    if (document === undefined) throw genericNotFound();
    return cached(`group ${group}`, () => jsonAnswer(200, document));
  });
}

function list(
  cached: (key: string, make: () => RouteAnswer) => RouteAnswer,
  current: () => DiscoveryDocuments,
  group: string,
  version: string,
  path: string,
): RouteAnswer {
  if (path.replace(/\/+$/, '').split('/').length > (group === '' ? 3 : 4)) throw genericNotFound();
  const document = current().resourceList(group, version);
  if (document === undefined) throw genericNotFound();
  return cached(`list ${group}/${version}`, () => jsonAnswer(200, document));
}

function withTag(document: object, version: string): RouteAnswer {
  const body = Buffer.from(JSON.stringify(document));
  return {
    code: 200,
    contentType: `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
    body,
    headers: {
      etag: `"${createHash('sha512').update(body).digest('hex').toUpperCase()}"`,
      vary: 'Accept',
      'cache-control': 'public',
    },
  };
}

const notModified = (answer: RouteAnswer): RouteAnswer => ({ ...answer, code: 304, body: Buffer.alloc(0) });
