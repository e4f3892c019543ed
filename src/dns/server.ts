import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import {
  type DecodedPacket,
  decode,
  encode,
  type Packet,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
} from 'dns-packet';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import { type ClusterView, RECORD_TTL, resolve } from './records.ts';
import type { Upstream } from './upstream.ts';

/** Answer codes of RFC 1035; dns-packet carries them in the low bits of `flags`. */
const responseCodes = { noError: 0, formatError: 1, serverFailure: 2, noSuchName: 3, notImplemented: 4, refused: 5 } as const;
const AUTHORITATIVE = 1 << 10;
/** Largest answer over UDP without EDNS (RFC 1035), and the largest we send with it: what passes most networks unfragmented. */
const UDP_PLAIN_LIMIT = 512;
const UDP_EDNS_LIMIT = 1232;
/** TCP connections held at a time, and how long an idle one is kept, in milliseconds. */
const MAX_TCP_CONNECTIONS = 256;
const TCP_IDLE_MS = 10_000;
/** Queries under way to upstream servers at a time; more are answered SERVFAIL. */
const MAX_FORWARDED = 1_024;
/** Aliases of aliases that are followed. */
const MAX_ALIASES = 8;

export interface DnsServerOptions {
  readonly view: ClusterView;
  /** The cluster domain, `cluster.local`. */
  readonly zone: string;
  readonly upstream: Upstream;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Counters, for metrics and status. */
export interface DnsStatistics {
  readonly queries: number;
  readonly forwarded: number;
  readonly failures: number;
}

export interface DnsServer {
  /** Serves UDP and TCP at the address; the port is the one bound (0: any). Rejects when it cannot be had. */
  listen(host: string, port: number): Promise<{ readonly port: number }>;
  readonly statistics: DnsStatistics;
  close(): Promise<void>;
}

/** The cluster's DNS server: answers for the cluster domain from `view`, and asks upstream for everything else. */
export function createDnsServer(options: DnsServerOptions): DnsServer {
  return new ClusterDnsServer(options);
}

class ClusterDnsServer implements DnsServer {
  readonly #options: DnsServerOptions;
  #udp: UdpSocket | undefined;
  #tcp: Server | undefined;
  readonly #connections = new Set<Socket>();
  #underWay = 0;
  #queries = 0;
  #forwarded = 0;
  #failures = 0;

  constructor(options: DnsServerOptions) {
    this.#options = options;
  }

  get statistics(): DnsStatistics {
    return { queries: this.#queries, forwarded: this.#forwarded, failures: this.#failures };
  }

  async listen(host: string, port: number): Promise<{ readonly port: number }> {
    const tcp = createServer((socket) => this.#serveTcp(socket));
    tcp.maxConnections = MAX_TCP_CONNECTIONS;
    this.#tcp = tcp;
    await new Promise<void>((resolve, reject) => {
      tcp.once('error', reject);
      tcp.listen({ host, port }, () => {
        tcp.off('error', reject);
        tcp.on('error', (err) => this.#options.logger.error({ err }, 'DNS over TCP failed'));
        resolve();
      });
    });
    const bound = (tcp.address() as { port: number }).port;
    const udp = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4', reuseAddr: true });
    this.#udp = udp;
    await new Promise<void>((resolve, reject) => {
      udp.once('error', reject);
      udp.bind(bound, host, () => {
        udp.off('error', reject);
        udp.on('error', (err) => this.#options.logger.error({ err }, 'DNS over UDP failed'));
        resolve();
      });
    });
    udp.on('message', (message, from) => {
      void this.#answer(message, false).then((reply) => {
        if (reply !== undefined && this.#udp === udp) udp.send(reply, from.port, from.address);
      });
    });
    return { port: bound };
  }

  async close(): Promise<void> {
    const udp = this.#udp;
    const tcp = this.#tcp;
    this.#udp = undefined;
    this.#tcp = undefined;
    for (const socket of this.#connections) socket.destroy();
    await Promise.all([
      udp === undefined ? undefined : new Promise<void>((resolve) => udp.close(resolve)),
      tcp === undefined ? undefined : new Promise<void>((resolve) => tcp.close(() => resolve())),
    ]);
  }

  /** Messages come with their length in front (RFC 1035, 4.2.2), several on one connection. */
  #serveTcp(socket: Socket): void {
    this.#connections.add(socket);
    socket.setTimeout(TCP_IDLE_MS, () => socket.destroy());
    socket.on('close', () => this.#connections.delete(socket));
    socket.on('error', () => socket.destroy());
    let held: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
        const length = held.readUInt16BE(0);
        const message = held.subarray(2, 2 + length);
        held = held.subarray(2 + length);
        void this.#answer(message, true).then((reply) => {
          if (reply === undefined || socket.destroyed) return;
          const head = Buffer.alloc(2);
          head.writeUInt16BE(reply.length);
          socket.write(Buffer.concat([head, reply]));
        });
      }
    });
  }

  /** The reply to a message; undefined for what deserves none (replies, garbage). Never rejects. */
  async #answer(message: Buffer, tcp: boolean): Promise<Buffer | undefined> {
    this.#queries++;
    let query: DecodedPacket;
    try {
      query = decode(message);
    } catch {
      this.#failures++;
      return undefined;
    }
    if (query.type !== 'query') return undefined;
    const question = query.questions?.[0];
    if (question === undefined || query.questions?.length !== 1) return this.#reply(query, responseCodes.formatError, {});
    const found = resolve(this.#options.view, this.#options.zone, question);
    switch (found.kind) {
      case 'not-ours':
        return this.#forward(message, query, tcp);
      case 'no-such-name':
        return this.#reply(query, responseCodes.noSuchName, { authorities: [this.#soa()] });
      case 'answer': {
        const records = found.records as unknown as NonNullable<Packet['answers']>;
        const alias = records[0]?.type === 'CNAME' && (question.type === 'A' || question.type === 'AAAA') ? records[0].data : '';
        const parts =
          records.length === 0
            ? { authorities: [this.#soa()] }
            : { answers: alias === '' ? records : [...records, ...(await this.#behind(alias, question.type as 'A' | 'AAAA'))] };
        return this.#reply(
          query,
          responseCodes.noError,
          { ...parts, additionals: found.additional as unknown as Packet['answers'] },
          tcp,
        );
      }
      default:
        return found satisfies never;
    }
  }

  /** What an alias stands for: resolvers of containers expect the addresses in the same answer. What cannot be had is left out. */
  async #behind(target: string, type: 'A' | 'AAAA', depth = 1): Promise<NonNullable<Packet['answers']>> {
    const found = resolve(this.#options.view, this.#options.zone, { name: target, type });
    if (found.kind === 'answer') {
      const records = found.records as unknown as NonNullable<Packet['answers']>;
      const next = records[0];
      if (next?.type !== 'CNAME' || depth === MAX_ALIASES) return records;
      return [...records, ...(await this.#behind(next.data, type, depth + 1))];
    }
    if (found.kind === 'no-such-name') return [];
    const query = encode({ type: 'query', flags: RECURSION_DESIRED, questions: [{ name: target, type }] });
    const reply = await this.#forward(query, decode(query), false);
    try {
      return decode(reply).answers ?? [];
    } catch {
      this.#failures++;
      return [];
    }
  }

  async #forward(message: Buffer, query: DecodedPacket, tcp: boolean): Promise<Buffer> {
    if (this.#underWay >= MAX_FORWARDED) return this.#reply(query, responseCodes.serverFailure, {});
    this.#underWay++;
    this.#forwarded++;
    try {
      return await this.#options.upstream.ask(message, tcp);
    } catch {
      this.#failures++;
      return this.#reply(query, responseCodes.serverFailure, {});
    } finally {
      this.#underWay--;
    }
  }

  #reply(query: DecodedPacket, code: number, parts: Packet, tcp = false): Buffer {
    const edns = query.additionals?.find((a) => a.type === 'OPT');
    const opt =
      edns === undefined ? [] : [{ type: 'OPT' as const, name: '.', udpPayloadSize: UDP_EDNS_LIMIT, flags: 0, options: [] }];
    const flags = AUTHORITATIVE | RECURSION_AVAILABLE | ((query.flags ?? 0) & RECURSION_DESIRED) | code;
    const base = { type: 'response' as const, id: query.id ?? 0, questions: query.questions ?? [] };
    const full = { ...base, flags, ...parts, additionals: [...(parts.additionals ?? []), ...opt] } as Packet;
    const bytes = encode(full);
    if (tcp) return bytes;
    const asked = edns !== undefined && 'udpPayloadSize' in edns ? Number(edns.udpPayloadSize) : UDP_PLAIN_LIMIT;
    const limit = Math.max(UDP_PLAIN_LIMIT, Math.min(asked, UDP_EDNS_LIMIT));
    if (bytes.length <= limit) return bytes;
    return encode({ ...base, flags: flags | TRUNCATED_RESPONSE, additionals: opt } as unknown as Packet);
  }

  #soa(): NonNullable<Packet['authorities']>[number] {
    const { zone, clock } = this.#options;
    return {
      type: 'SOA',
      name: zone,
      ttl: RECORD_TTL,
      data: {
        mname: `ns.dns.${zone}`,
        rname: `hostmaster.${zone}`,
        serial: Math.floor(clock.now() / 1000) >>> 0,
        refresh: 7200,
        retry: 1800,
        expire: 86_400,
        minimum: RECORD_TTL,
      },
    };
  }
}
