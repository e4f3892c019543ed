import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HostileServer, inTime } from './hostile-server.ts';
import { type Manifest, manifests, NAMESPACE, placeOf } from './manifests.ts';
import { evilKey, evilValue, mutated, mutation, sameCases } from './mutations.ts';

const RUNS = Number(process.env['HOSTILE_RUNS'] ?? 200);
const TIMEOUT_MS = Math.max(60_000, RUNS * 400);
const maps = `/api/v1/namespaces/${NAMESPACE}/configmaps`;

let hostile: HostileServer;
let stored: readonly Manifest[];
beforeAll(async () => {
  hostile = await HostileServer.start();
  stored = (await hostile.populate()).filter((m) => m.review === undefined);
});
afterAll(() => hostile.close());

/** Anything that can stand in a URL, percent-encoded or just nearly so. */
const queryText = fc.oneof(
  evilValue.map((v) =>
    encodeURIComponent((typeof v === 'string' ? v : (JSON.stringify(v) ?? '')).replace(/\p{Cs}/gu, '?').slice(0, 5_000)),
  ),
  fc.constantFrom(
    '%',
    '%zz',
    '%ff',
    '%00',
    '%ed%a0%80',
    '+',
    '=',
    ';',
    '%26',
    '%2525',
    '-1',
    '18446744073709551616',
    '00',
    '1.5',
    '1e3',
    '+1',
  ),
);
const selector = fc.oneof(
  queryText,
  fc
    .array(
      fc.constantFrom(
        'a',
        '=',
        '==',
        '!=',
        '!',
        ',',
        ' in ',
        ' notin ',
        '(',
        ')',
        '>',
        '<',
        'b/c',
        '1',
        '\\,',
        '\\=',
        'metadata.name',
        'spec.',
        '"',
      ),
      {
        maxLength: 12,
      },
    )
    .map((parts) => encodeURIComponent(parts.join(''))),
);
const token = fc.oneof(
  queryText,
  fc.constantFrom('AAAA', '////', '____', 'e30', 'bnVsbA', 'W10'),
  fc
    .record(
      {
        v: fc.oneof(evilValue, fc.constant('meta.k8s.io/v1')),
        rv: fc.oneof(evilValue, fc.constantFrom(1, -1, 1e15)),
        start: fc.oneof(evilValue, fc.constantFrom('../x', '/', '\u0000', 'a\u0000', 'zzz')),
      },
      { requiredKeys: [] },
    )
    .map((value) => Buffer.from(JSON.stringify(value)).toString('base64url')),
);
const parameter = fc.oneof(
  fc.tuple(fc.constantFrom('labelSelector', 'fieldSelector'), selector),
  fc.tuple(fc.constant('continue'), token),
  fc.tuple(
    fc.constantFrom(
      'resourceVersion',
      'resourceVersionMatch',
      'limit',
      'allowWatchBookmarks',
      'sendInitialEvents',
      'pretty',
      'dryRun',
      'fieldManager',
      'fieldValidation',
      'force',
      'gracePeriodSeconds',
      'propagationPolicy',
      'orphanDependents',
      'includeObject',
      'export',
      '__proto__',
      'constructor',
      '',
    ),
    fc.oneof(queryText, fc.constantFrom('0', '1', '999999999', 'Exact', 'NotOlderThan', 'true', 'false', 'All', 'None')),
  ),
);
const query = fc.array(parameter, { maxLength: 5 }).map((all) => all.map(([k, v]) => `${k}=${v}`).join('&'));
const accept = fc.oneof(
  fc.constantFrom(
    'application/json',
    'application/yaml',
    'application/vnd.kubernetes.protobuf',
    'application/json;as=Table;g=meta.k8s.io;v=v1',
    'application/json;as=Table;g=meta.k8s.io;v=v1beta1',
    'application/yaml;as=Table;v=v1;g=meta.k8s.io',
    'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1',
    'application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
    'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1beta1',
    'application/json;as=__proto__;g=constructor;v=toString',
    'application/json;stream=watch',
    'text/html',
    '',
    '*',
    '*/*;q=x',
    ';;;===',
    'application/json;;;as',
    'application/json;q=1e999, application/yaml;q=-1',
    Array(2_000).fill('application/json;q=0.1').join(','),
    `application/json;${'a=b;'.repeat(3_000)}`,
  ),
  fc.string({ unit: 'grapheme-ascii' }),
);

describe('questions', () => {
  it('with odd parameters and Accept headers', { timeout: TIMEOUT_MS }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: 10_000 }), fc.boolean(), query, accept, async (index, one, asked, accepted) => {
        const manifest = stored[index % stored.length]!;
        // A revision that is not there is waited for; that has tests of its own.
        const now = asked.replaceAll(/resourceVersion=[^&]*\d{3,}[^&]*/g, 'resourceVersion=1');
        await hostile.ask('GET', `${one ? placeOf(manifest) : manifest.path}?${now}`, { headers: { accept: accepted } });
      }),
      { ...sameCases, numRuns: RUNS },
    );
    await hostile.expectSound();
  });

  it('for watches with odd parameters', { timeout: TIMEOUT_MS }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: 10_000 }), query, accept, queryText, async (index, asked, accepted, seconds) => {
        const manifest = stored[index % stored.length]!;
        const head = await inTime(
          hostile.api.open('GET', `${manifest.path}?watch=true&${asked}&timeoutSeconds=${seconds}`, {
            as: 'root',
            headers: { accept: accepted },
          }),
          asked,
        );
        head.on('error', () => {});
        expect(head.statusCode).toBeLessThan(500);
        head.destroy();
      }),
      { ...sameCases, numRuns: RUNS },
    );
    await hostile.expectSound();
  });

  it('of every type in every form', { timeout: TIMEOUT_MS }, async () => {
    for (const manifest of stored) {
      for (const path of [placeOf(manifest), manifest.path]) {
        for (const as of ['', ';as=Table', ';as=PartialObjectMetadata', ';as=PartialObjectMetadataList']) {
          for (const type of ['json', 'yaml', 'vnd.kubernetes.protobuf']) {
            await hostile.ask('GET', path, {
              headers: { accept: `application/${type}${as === '' ? '' : `${as};g=meta.k8s.io;v=v1`}` },
            });
          }
        }
      }
    }
    await hostile.expectSound();
  });

  it('for odd paths', { timeout: TIMEOUT_MS }, async () => {
    const segment = fc.constantFrom(
      'api',
      'apis',
      'v1',
      'apps',
      'namespaces',
      NAMESPACE,
      'pods',
      'configmaps',
      'nodes',
      'services',
      'a',
      'watch',
      'proxy',
      'status',
      'scale',
      'log',
      'exec',
      'attach',
      'portforward',
      'token',
      'eviction',
      'binding',
      'finalize',
      '',
      '.',
      '..',
      '%2e%2e',
      '%2f',
      '%2F..%2f',
      '%5c',
      '%00',
      '%',
      '%zz',
      '%ff',
      '__proto__',
      'constructor',
      'toString',
      'a:b:c',
      'https:a:80',
      'a;b',
      'a?b',
      '*',
      '-',
      'x'.repeat(300),
      '%E2%80%AE',
      'openapi',
      'v2',
      'v3',
      'metrics',
      'healthz',
      'livez',
      'readyz',
      'version',
      'logs',
      'g.example',
      'gadgets',
      'openid',
      'jwks',
      '.well-known',
      'selfsubjectreviews',
      'authorization.k8s.io',
    );
    const method = fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND');
    await fc.assert(
      fc.asyncProperty(
        method,
        fc.array(segment, { maxLength: 9 }),
        fc.constantFrom('', '?', '?a', '??', '?watch', '?%'),
        async (how, parts, suffix) => {
          // Nobody answers for nodes and pods here.
          if (parts.some((p) => /proxy|log$|exec|attach|portforward/.test(p))) return;
          if (how === 'DELETE') return;
          if (suffix === '?watch') return;
          const body = ['POST', 'PUT', 'PATCH'].includes(how) ? {} : undefined;
          await hostile.ask(how, `/${parts.join('/')}${suffix}`, {
            body,
            headers: how === 'PATCH' ? { 'content-type': 'application/merge-patch+json' } : {},
          });
        },
      ),
      { ...sameCases, numRuns: RUNS * 5 },
    );
    await hostile.ask('GET', `/api/v1/${'x/'.repeat(100_000)}`);
    await hostile.ask('GET', `${maps}?labelSelector=${'a,'.repeat(200_000)}`);
    await hostile.ask('GET', `${maps}?labelSelector=a%20in%20(${'a,'.repeat(200_000)})`);
    await hostile.ask('GET', `${maps}?fieldSelector=${'metadata.name%3Da,'.repeat(20_000)}`);
    await hostile.ask('GET', `${maps}?${'a=b&'.repeat(100_000)}`);
    await hostile.expectSound();
  });

  it('with odd headers', { timeout: TIMEOUT_MS }, async () => {
    const value = fc.oneof(
      fc.constantFrom(
        '',
        ' ',
        ',',
        'a, b',
        'system:masters',
        'system:anonymous',
        'system:serviceaccount:',
        'system:serviceaccount:a:b:c',
        'x'.repeat(50_000),
        '\u00ff',
        '%',
      ),
      fc.string({ unit: 'grapheme-ascii' }),
    );
    const name = fc.constantFrom(
      'impersonate-user',
      'impersonate-group',
      'impersonate-uid',
      'impersonate-extra-a',
      'impersonate-extra-%zz',
      'impersonate-extra-__proto__',
      'impersonate-extra-',
      'impersonate-extra-%00',
      'content-type',
      'accept',
      'accept-encoding',
      'audit-id',
      'user-agent',
      'x-remote-user',
      'range',
      'if-none-match',
      'if-modified-since',
      'origin',
      'x-forwarded-for',
      'via',
      'cookie',
      '__proto__',
      'constructor',
    );
    const headers = fc.array(fc.tuple(name, fc.oneof(value, fc.array(value, { minLength: 1, maxLength: 3 }))), { maxLength: 6 });
    const where = fc.constantFrom(
      maps,
      '/openapi/v2',
      '/openapi/v3',
      '/apis',
      '/api',
      '/metrics',
      '/version',
      '/healthz',
      '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    );
    await fc.assert(
      fc.asyncProperty(headers, where, fc.constantFrom('GET', 'POST'), async (all, path, method) => {
        await hostile.ask(method, path, {
          headers: Object.fromEntries(all.map(([k, v]) => [k, v])),
          ...(method === 'POST' ? { body: { spec: { resourceAttributes: { verb: 'get', resource: 'pods' } } } } : {}),
        });
      }),
      { ...sameCases, numRuns: RUNS },
    );
    await hostile.ask('GET', maps, { headers: { authorization: `Bearer ${'x'.repeat(100_000)}` } });
    await hostile.ask('GET', maps, { headers: { authorization: 'Bearer a.b.c' } });
    await hostile.expectSound();
  });

  it('for reviews', { timeout: TIMEOUT_MS }, async () => {
    const reviews = manifests.filter((m) => m.review);
    const jwt = fc
      .tuple(evilValue, evilValue)
      .map((parts) => [...parts.map((p) => Buffer.from(JSON.stringify(p) ?? '').toString('base64url')), 'AAAA'].join('.'));
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: 100 }),
        fc.array(mutation, { maxLength: 4 }),
        jwt,
        fc.dictionary(evilKey, evilValue),
        async (i, changes, words, extra) => {
          const { path, object } = reviews[i % reviews.length]!;
          await hostile.ask('POST', path, { body: mutated(object, changes) });
          await hostile.ask('POST', path, { body: { ...object, spec: { ...(object['spec'] as object), extra } } });
          await hostile.ask('POST', '/apis/authentication.k8s.io/v1/tokenreviews', { body: { spec: { token: words } } });
          await hostile.ask('POST', `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/a/token`, {
            body: mutated(
              {
                spec: { audiences: ['a'], expirationSeconds: 3600, boundObjectRef: { kind: 'Pod', name: 'a', apiVersion: 'v1' } },
              },
              changes,
            ),
          });
          await hostile.ask('POST', `/api/v1/namespaces/${NAMESPACE}/pods/a/binding`, {
            body: mutated({ target: { kind: 'Node', name: 'x' } }, changes),
          });
          await hostile.ask('POST', `/api/v1/namespaces/${NAMESPACE}/pods/a/eviction?dryRun=All`, {
            body: mutated({ metadata: { name: 'a' }, deleteOptions: { gracePeriodSeconds: 1 } }, changes),
          });
        },
      ),
      { ...sameCases, numRuns: RUNS },
    );
    await hostile.expectSound();
  });

  it('in bytes that are no HTTP', { timeout: TIMEOUT_MS }, async () => {
    const texts = [
      'GET / HTTP/9.9\r\n\r\n',
      'GET  HTTP/1.1\r\nHost: x\r\n\r\n',
      '\u0000\u0001\u0002',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      `GET /${'x'.repeat(2_000_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
      `GET / HTTP/1.1\r\n${'A: b\r\n'.repeat(200_000)}\r\n`,
      'GET https://other.example/api HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer root\r\n\r\n',
      'GET http://[ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer root\r\n\r\n',
      'OPTIONS * HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer root\r\n\r\n',
      'CONNECT x:1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer root\r\n\r\n',
      `GET ${maps} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer root\r\nAuthorization: Bearer admin\r\n\r\n`,
      `POST ${maps} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer root\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      `POST ${maps} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer root\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}`,
      `POST ${maps} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer root\r\nContent-Length: -1\r\n\r\n{}`,
      `POST ${maps} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer root\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n`,
      `POST ${maps} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer root\r\nTransfer-Encoding: chunked\r\n\r\n2;${'x'.repeat(100_000)}\r\n{}\r\n0\r\n\r\n`,
      `POST ${maps} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer root\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
      `POST ${maps} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer root\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: ${'y'.repeat(100_000)}\r\n\r\n`,
      `GET ${maps} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer root\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
      `GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer root\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n`,
      `GET ${maps}?watch=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer root\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n`,
      `POST ${maps} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer root\r\nExpect: 200-maybe\r\nContent-Length: 2\r\n\r\n{}`,
      `GET /version HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer root\r\n\r\n`.repeat(500),
    ];
    for (const text of texts) {
      const socket = connectTls({ host: '127.0.0.1', port: hostile.api.port, ca: hostile.api.pki.ca, servername: 'localhost' });
      socket.on('error', () => {});
      await once(socket, 'secureConnect');
      let answer = '';
      socket.on('data', (d: Buffer) => {
        answer += d.toString('latin1');
      });
      socket.end(text);
      await inTime(new Promise((resolve) => socket.once('close', resolve)), text.slice(0, 100));
      for (const code of answer.matchAll(/^HTTP\/1\.1 (\d+)/gm)) expect(Number(code[1]), text.slice(0, 100)).toBeLessThan(500);
      await hostile.expectSound();
    }
  });
});

describe('words that all objects have', () => {
  it.each(['__proto__', 'constructor', 'toString'])('mean nothing: %s', async (word) => {
    const body = {
      metadata: { name: 'scoped' },
      spec: { hard: { pods: '1' }, scopeSelector: { matchExpressions: [{ scopeName: word, operator: 'Exists' }] } },
    };
    expect((await hostile.ask('POST', `/api/v1/namespaces/${NAMESPACE}/resourcequotas`, { body })).code).toBe(422);
    await hostile.expectSound();
  });
});
