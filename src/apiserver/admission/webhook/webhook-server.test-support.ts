import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createAuthority, issueCertificate } from '../../../cluster/pki.ts';
import { systemClock } from '../../../util/clock.ts';

/** What a webhook is asked, as far as tests look at it. */
export interface ReceivedReview {
  readonly apiVersion: string;
  readonly request: {
    readonly uid: string;
    readonly object: Record<string, unknown> | null;
    readonly oldObject: Record<string, unknown> | null;
  } & Readonly<Record<string, unknown>>;
}

/** What it answers: a response, whose uid is filled in; text with a status; the beginning of an answer, or none. */
export type Reply =
  | object
  | { readonly httpStatus: number; readonly text: string; readonly location?: string }
  | 'nothing'
  | 'half';

/** A webhook of the tests: real TLS on loopback, and a record of what it was asked. */
export interface TestWebhook {
  readonly caBundle: string;
  /** A bundle with nothing but the webhook's own certificate. */
  readonly ownBundle: string;
  readonly port: number;
  readonly url: string;
  readonly received: { readonly path: string; readonly review: ReceivedReview }[];
  /** Decides; by path, so that one server can be several webhooks. */
  reply: (review: ReceivedReview, path: string) => Reply;
  close(): Promise<void>;
}

export async function startWebhook(): Promise<TestWebhook> {
  const authority = await createAuthority('webhooks', systemClock);
  const names = ['127.0.0.1', 'localhost', 'hook.x.svc'];
  const { cert, key } = await issueCertificate(authority, { commonName: 'webhook', names, usage: 'server' }, systemClock);
  const received: { path: string; review: ReceivedReview }[] = [];
  const server: Server = createServer({ cert, key }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const review = JSON.parse(Buffer.concat(chunks).toString()) as ReceivedReview;
      const path = request.url ?? '';
      received.push({ path, review });
      const reply = webhook.reply(review, path.split('?')[0]!);
      if (reply === 'nothing') return;
      if (reply === 'half') {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' }).write('{');
        return;
      }
      if ('httpStatus' in reply) {
        const { httpStatus, text, location } = reply as { httpStatus: number; text: string; location?: string };
        response.writeHead(httpStatus, location === undefined ? {} : { location }).end(text);
        return;
      }
      const answer = { kind: 'AdmissionReview', apiVersion: review.apiVersion, response: { uid: review.request.uid, ...reply } };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const webhook: TestWebhook = {
    caBundle: Buffer.from(authority.cert).toString('base64'),
    ownBundle: Buffer.from(cert).toString('base64'),
    port,
    url: `https://127.0.0.1:${port}`,
    received,
    reply: () => ({ allowed: true }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return webhook;
}

/** A JSON patch as webhooks answer it. */
export const patchReply = (...operations: readonly object[]): object => ({
  allowed: true,
  patchType: 'JSONPatch',
  patch: Buffer.from(JSON.stringify(operations)).toString('base64'),
});
