import { notAcceptable } from '../../api/meta/status.ts';
import { formatTime } from '../../api/meta/time.ts';
import { toYaml } from '../../api/wire/yaml-writer.ts';
import { Negotiator, type Offer } from '../http/negotiation.ts';
import { jsonAnswer, type RouteAnswer, type RouteRequest, textAnswer } from '../http/routes.ts';
import type { ApiServer } from '../server.ts';

const COMPONENT = 'kube-apiserver';
const GROUP = 'config.k8s.io';
const structured = ['json', 'yaml'] as const;
const offerOf = (kind: string): Offer => ({
  encodings: [],
  transforms: new Map(['v1beta1', 'v1alpha1'].map((version) => [`${GROUP}/${version}/${kind}`, structured])),
});
/** Folders of paths that nobody looks at to find out how the server is. */
const plainFolders: ReadonlySet<string> = new Set(['/apis', '/api', '/openid', '/openapi', '/.well-known']);

/**
 * Serves /statusz (KEP-4827) and /flagz (KEP-4828), on by default in 1.36: how the server is, and what it was started with. As text, or as
 * objects of config.k8s.io for those who ask for them.
 */
export function addComponentPages(
  server: ApiServer,
  version: { readonly major: string; readonly minor: string },
  flags: Readonly<Record<string, string>>,
): void {
  const negotiator = new Negotiator();
  const startedAt = server.clock.now();
  const page = (kind: string, fields: () => Readonly<Record<string, unknown>>, text: () => string) => {
    const offer = offerOf(kind);
    return (request: RouteRequest): RouteAnswer => {
      const accept = request.headers.accept?.trim() ?? '';
      if (accept === '' || /(^|[\s,])(\*\/\*|text\/\*|text\/plain)/.test(accept)) return textAnswer(200, text());
      const media = negotiator.tryChoose(accept, offer);
      if (media === undefined || media.as === '') {
        throw notAcceptable(['application/json', 'application/yaml', 'text/plain']);
      }
      const object = { kind, apiVersion: `${GROUP}/${media.version}`, metadata: { name: COMPONENT }, ...fields() };
      const answer: RouteAnswer =
        media.encoding === 'json'
          ? jsonAnswer(200, object)
          : { code: 200, contentType: 'application/yaml', body: Buffer.from(toYaml(object)) };
      if (media.version !== 'v1alpha1') return answer;
      const warning = `299 - "This version of the ${kind.toLowerCase()} endpoint is deprecated. Please use a newer version."`;
      return { ...answer, headers: { warning } };
    };
  };
  const number = `${version.major}.${version.minor}`;
  const upSeconds = (): number => Math.max(0, Math.floor((server.clock.now() - startedAt) / 1000));
  const folders = (): readonly string[] => {
    const all = server.routes.paths().map((path) => `/${path.split('/')[1]}`);
    return [...new Set(all)].filter((folder) => !plainFolders.has(folder)).sort();
  };
  server.addRoute(
    '/statusz',
    page(
      'Statusz',
      () => ({
        startTime: formatTime(startedAt),
        uptimeSeconds: upSeconds(),
        goVersion: process.version,
        binaryVersion: number,
        emulationVersion: number,
        paths: folders(),
      }),
      () => {
        const up = upSeconds();
        const two = (n: number): string => String(n).padStart(2, '0');
        return `${headOf('statusz')}
Started: ${unixDate(startedAt)}
Up: ${Math.floor(up / 3600)} hr ${two(Math.floor(up / 60) % 60)} min ${two(up % 60)} sec
Go version: ${process.version}
Binary version: ${number}
Emulation version: ${number}
Paths: ${folders().join(' ')}
`;
      },
    ),
  );
  server.addRoute(
    '/flagz',
    page(
      'Flagz',
      () => ({ flags }),
      () => {
        const names = Object.keys(flags).sort();
        return `${headOf('flagz')}${names.map((name) => `${name}=${flags[name]}\n`).join('')}`;
      },
    ),
  );
}

const headOf = (page: string): string => `
${COMPONENT} ${page}
Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is for debugging purposes only.
`;

/** As Go's time.UnixDate: `Mon Jan  2 15:04:05 UTC 2006`. */
function unixDate(ms: number): string {
  const [day, date = '', month, year, time] = new Date(ms).toUTCString().replace(',', '').split(' ');
  return `${day} ${month} ${String(Number(date)).padStart(2)} ${time} UTC ${year}`;
}
