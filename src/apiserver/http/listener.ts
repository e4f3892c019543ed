import { constants, X509Certificate } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  createServer as createHttp2Server,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import type { Clock, Timer } from '../../util/clock.ts';
import { trusting } from '../../util/trust.ts';
import type { ClientCertificate } from '../contract.ts';
import { HANDSHAKE_TIMEOUT_MS, limitConnections } from './connection-limits.ts';
import type { Pipeline } from './pipeline.ts';

/** What a listener presents and whom it trusts; all PEM. */
export interface TlsOptions {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** Certificates signed by this are taken as client certificates. */
  readonly clientCa?: string | Buffer;
  /** Those signed by this are taken as an authenticating proxy's. */
  readonly frontProxyCa?: string | Buffer;
}

export interface ListenOptions {
  /** 0 picks a free port. */
  readonly port: number;
  readonly host?: string;
  readonly tls: TlsOptions;
  /** Most connections at a time. */
  readonly maxConnections?: number;
  /** How long a client may take for the head of a request; 32 s unless said. */
  readonly headersTimeoutMs?: number;
}

export interface Listener {
  readonly address: AddressInfo;
  /** How many connections there are, handshake done. */
  connections(): number;
  /** Takes new certificates for new connections. */
  setTls(tls: TlsOptions): void;
  /** Stops accepting, lets running requests finish for at most `graceMs`, then cuts what is left. */
  close(graceMs: number): Promise<void>;
}

/** Most requests on one HTTP/2 connection at a time; upstream's --http2-max-streams-per-connection. */
const MAX_STREAMS = 1_000;
/** HTTP/2 windows: Node's 64 KiB makes large lists wait for the client after each bit. */
const HTTP2_WINDOW = 1024 * 1024;
const HEADERS_TIMEOUT_MS = 32_000;
/** Go's limit of a request's head. Selectors make long URLs. */
const MAX_HEADER_BYTES = 1024 * 1024;
/** Go's period of TCP probes. */
const TCP_KEEP_ALIVE_MS = 15_000;
/** Go's order, where the processor knows AES: with 128 bits first, in which large answers cost a fifth less than in Node's first, with 256. */
const CIPHERS = [...new Set(['TLS_AES_128_GCM_SHA256', ...constants.defaultCoreCipherList.split(':')])].join(':');
/** How often Node looks for heads that take too long. */
const CHECKING_INTERVAL_MS = 5_000;
/** Idle connections are closed after this; above what load balancers and Go's client (90 s) keep. */
const KEEP_ALIVE_TIMEOUT_MS = 180_000;

/**
 * One TLS socket for HTTP/1.1 and HTTP/2, split by what the handshake agreed on: each protocol keeps Node's own fast server.
 */
export function listen(options: ListenOptions, pipeline: Pipeline, clock: Clock): Promise<Listener> {
  const connections = new Set<Socket>();
  const certificates = new WeakMap<object, Peer>();
  let frontProxy = fingerprintOf(options.tls.frontProxyCa);

  const headersTimeout = options.headersTimeoutMs ?? HEADERS_TIMEOUT_MS;
  const http1 = createServer(
    {
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      headersTimeout,
      connectionsCheckingInterval: Math.min(CHECKING_INTERVAL_MS, headersTimeout),
      requestTimeout: 0,
      maxHeaderSize: MAX_HEADER_BYTES,
      noDelay: true,
    },
    (req: IncomingMessage, res: ServerResponse) => {
      const peer = peerOf(certificates, req.socket as TLSSocket, frontProxy);
      pipeline.handle(req, res, peer.certificate, peer.address);
    },
  );
  http1.on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) => {
    const peer = peerOf(certificates, req.socket as TLSSocket, frontProxy);
    pipeline.handleUpgrade(req, socket, head, peer.certificate, peer.address);
  });

  // It never listens itself, and only then would look after its time-outs.
  http1.emit('listening');

  const sessions = new Set<ServerHttp2Session>();
  const http2 = createHttp2Server(
    { settings: { maxConcurrentStreams: MAX_STREAMS, initialWindowSize: HTTP2_WINDOW } },
    (req: Http2ServerRequest, res: Http2ServerResponse) => {
      const peer = certificates.get(req.stream.session as object) ?? anonymous;
      pipeline.handle(req, res, peer.certificate, peer.address);
    },
  );
  http2.on('session', (session: ServerHttp2Session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    session.on('error', () => session.destroy());
    certificates.set(session, peerFrom(session.socket as TLSSocket, frontProxy));
    closeWhenIdle(session);
  });

  const tls = createTlsServer({
    ...credentials(options.tls),
    ALPNProtocols: ['h2', 'http/1.1'],
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2',
    ciphers: CIPHERS,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    noDelay: true,
    // A peer that vanished is found out: a watch might wait for it for half an hour.
    keepAlive: true,
    keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
  });
  tls.on('secureConnection', (socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
    socket.on('error', () => socket.destroy());
    (socket.alpnProtocol === 'h2' ? http2 : http1).emit('connection', socket);
  });
  limitConnections(tls, connections, clock, options.maxConnections);
  tls.on('tlsClientError', (_err, socket) => {
    pipeline.handshakeFailed();
    socket.destroy();
  });

  return new Promise((resolve, reject) => {
    tls.once('error', reject);
    tls.listen(options.port, options.host ?? '127.0.0.1', () => {
      tls.off('error', reject);
      resolve({
        address: tls.address() as AddressInfo,
        connections: () => connections.size,
        setTls: (next) => {
          frontProxy = fingerprintOf(next.frontProxyCa);
          tls.setSecureContext(credentials(next));
        },
        close: (graceMs) => close(tls, http1, http2, sessions, connections, clock, graceMs),
      });
    });
  });
}

/** Closes an HTTP/2 connection on which nothing has happened for a while and nothing is open. */
function closeWhenIdle(session: ServerHttp2Session): void {
  let streams = 0;
  session.on('stream', (stream) => {
    streams++;
    stream.once('close', () => streams--);
  });
  session.setTimeout(KEEP_ALIVE_TIMEOUT_MS, () => {
    if (streams === 0) session.close();
  });
}

function credentials({ cert, key, clientCa, frontProxyCa }: TlsOptions): {
  cert: string | Buffer;
  key: string | Buffer;
  ca?: (string | Buffer)[];
  allowPartialTrustChain?: true;
  secureOptions: number;
} {
  const ca = [clientCa, frontProxyCa].filter((one) => one !== undefined);
  // Each renegotiation costs the server more than the client.
  return { cert, key, secureOptions: constants.SSL_OP_NO_RENEGOTIATION, ...(ca.length === 0 ? {} : trusting(ca)) };
}

const fingerprintOf = (authority: string | Buffer | undefined): string | undefined =>
  authority === undefined ? undefined : new X509Certificate(authority).fingerprint256;

interface Peer {
  readonly certificate: ClientCertificate | undefined;
  readonly address: string;
}

const anonymous: Peer = { certificate: undefined, address: '' };

/** While closing, connections that have become idle are let go this often. */
const IDLE_SWEEP_MS = 50;

/** Who is at the other end of a connection, read once. */
function peerOf(known: WeakMap<object, Peer>, socket: TLSSocket, frontProxy: string | undefined): Peer {
  let peer = known.get(socket);
  if (peer === undefined) {
    peer = peerFrom(socket, frontProxy);
    known.set(socket, peer);
  }
  return peer;
}

function peerFrom(socket: TLSSocket, frontProxy: string | undefined): Peer {
  const address = socket.remoteAddress ?? '';
  if (!socket.authorized) return { certificate: undefined, address };
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return { certificate: undefined, address };
  const read = readCertificate(certificate);
  const isProxy = frontProxy !== undefined && rootOf(socket) === frontProxy;
  return { certificate: isProxy ? { ...read, frontProxy: true } : read, address };
}

/** The fingerprint of the authority at the end of a verified chain. */
function rootOf(socket: TLSSocket): string {
  let at = socket.getPeerCertificate(true);
  while (
    at.issuerCertificate !== undefined &&
    at.issuerCertificate !== at &&
    at.issuerCertificate.fingerprint256 !== at.fingerprint256
  )
    at = at.issuerCertificate as typeof at;
  return at.fingerprint256;
}

/** A certificate as authenticators see it. */
export function readCertificate(certificate: X509Certificate): ClientCertificate {
  const subject = certificate.toLegacyObject().subject as unknown as Record<string, string | string[] | undefined>;
  const { CN, O } = subject;
  return {
    commonName: Array.isArray(CN) ? (CN[0] ?? '') : (CN ?? ''),
    organizations: O === undefined ? [] : Array.isArray(O) ? O : [O],
    raw: certificate.raw,
    notAfter: Date.parse(certificate.validTo),
  };
}

async function close(
  tls: TlsServer,
  http1: Server,
  http2: Http2Server,
  sessions: ReadonlySet<ServerHttp2Session>,
  connections: ReadonlySet<Socket>,
  clock: Clock,
  graceMs: number,
): Promise<void> {
  const closed = new Promise<void>((resolve) => tls.close(() => resolve()));
  for (const session of sessions) session.close();
  const deadline = clock.monotonic() + graceMs;
  let sweep: Timer;
  const closeIdle = (): void => {
    http1.closeIdleConnections();
    if (clock.monotonic() >= deadline) for (const socket of connections) socket.destroy();
    else sweep = clock.setTimer(IDLE_SWEEP_MS, closeIdle);
  };
  sweep = clock.setTimer(0, closeIdle);
  await closed;
  sweep.cancel();
  http1.close();
  http2.close();
}
