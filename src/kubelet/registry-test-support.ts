import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { extract } from 'tar-stream';

/** For tests: an image registry on this machine that serves one image, over plain HTTP as containerd takes it from 127.0.0.1. */

export interface TestRegistry {
  /** `127.0.0.1:<port>`. */
  readonly host: string;
  /** Paths asked for, with their methods. */
  readonly requests: readonly string[];
  close(): void;
}

/**
 * Serves an OCI layout tar (as `buildImage` makes it) at `<host>/app:1`, and for all else says that there is none. With `login`
 * (`user:password`) it wants to be shown that.
 */
export async function startTestRegistry(layout: Uint8Array, login?: string): Promise<TestRegistry> {
  const blobs = await blobsOf(layout);
  const index = JSON.parse(blobs.get('index.json')!.toString()) as { manifests: { digest: string }[] };
  const manifest = index.manifests[0]!.digest;
  const requests: string[] = [];
  const server = createServer((req, res) => {
    requests.push(`${req.method} ${req.url}`);
    if (login !== undefined && req.headers.authorization !== `Basic ${Buffer.from(login).toString('base64')}`) {
      res.writeHead(401, { 'www-authenticate': 'Basic realm="test"', 'content-type': 'application/json' });
      res.end('{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}');
      return;
    }
    const path = (req.url ?? '').split('?')[0];
    const m = /^\/v2\/app\/(manifests|blobs)\/(.+)$/.exec(path ?? '');
    const name = m?.[1] === 'manifests' && m[2] === '1' ? manifest : m?.[2];
    const blob = path === '/v2/' ? Buffer.from('{}') : blobs.get(name ?? '');
    if (blob === undefined) {
      res.writeHead(404, { 'content-type': 'application/json' });
      res.end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}');
      return;
    }
    res.writeHead(200, {
      'content-type': m?.[1] === 'manifests' ? 'application/vnd.oci.image.manifest.v1+json' : 'application/octet-stream',
      'content-length': blob.length,
      'docker-content-digest': `sha256:${createHash('sha256').update(blob).digest('hex')}`,
    });
    res.end(req.method === 'HEAD' ? undefined : blob);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** The files of the layout, blobs by their digests. */
async function blobsOf(layout: Uint8Array): Promise<ReadonlyMap<string, Buffer>> {
  const blobs = new Map<string, Buffer>();
  const entries = extract();
  entries.on('entry', (header, stream, next) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk) => chunks.push(chunk as Buffer));
    stream.on('end', () => {
      blobs.set(header.name.replace('blobs/sha256/', 'sha256:'), Buffer.concat(chunks));
      next();
    });
  });
  await new Promise<void>((resolve, reject) => {
    entries.on('finish', resolve).on('error', reject);
    Readable.from([Buffer.from(layout)]).pipe(entries);
  });
  return blobs;
}
