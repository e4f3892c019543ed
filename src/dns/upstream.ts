import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import type { Clock } from '../util/clock.ts';

/** Where questions go that are not the cluster's. */
export interface Upstream {
  /** Passes a query on as it is and gives the reply as it came. Rejects when no server answers. */
  ask(message: Buffer, tcp: boolean): Promise<Buffer>;
}

/** How long one server is given, in milliseconds, before the next is asked. */
const ASK_TIMEOUT_MS = 2_000;

/**
 * Asks the given servers one after the other; none of them may be this server itself. With no server every question fails, which is what a machine without a resolver can know.
 */
export function createUpstream(servers: readonly string[], clock: Clock): Upstream {
  return {
    async ask(message, tcp) {
      let last: unknown = new Error('no upstream DNS server is configured');
      for (const server of servers) {
        try {
          return await (tcp ? askTcp(server, message, clock) : askUdp(server, message, clock));
        } catch (err) {
          last = err;
        }
      }
      throw last;
    },
  };
}

/** The name servers of a resolv.conf. */
export function parseNameServers(resolvConf: string): readonly string[] {
  return resolvConf
    .split('\n')
    .map((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1])
    .filter((server) => server !== undefined);
}

function askUdp(server: string, message: Buffer, clock: Clock): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(server.includes(':') ? 'udp6' : 'udp4');
    const timer = clock.setTimer(ASK_TIMEOUT_MS, () => finish(() => reject(new Error(`${server} did not answer`))));
    const finish = (then: () => void): void => {
      timer.cancel();
      socket.close();
      then();
    };
    socket.once('error', (err) => finish(() => reject(err)));
    socket.on('message', (reply, from) => {
      // Anything with another transaction number is not the answer to this question.
      if (from.port === 53 && reply.length >= 12 && reply.readUInt16BE(0) === message.readUInt16BE(0))
        finish(() => resolve(reply));
    });
    socket.send(message, 53, server, (err) => {
      if (err !== null) finish(() => reject(err));
    });
  });
}

function askTcp(server: string, message: Buffer, clock: Clock): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: server, port: 53 });
    const timer = clock.setTimer(ASK_TIMEOUT_MS, () => socket.destroy(new Error(`${server} did not answer`)));
    let held = Buffer.alloc(0);
    socket.once('connect', () => {
      const head = Buffer.alloc(2);
      head.writeUInt16BE(message.length);
      socket.write(Buffer.concat([head, message]));
    });
    socket.on('data', (chunk) => {
      held = Buffer.concat([held, chunk as Buffer]);
      if (held.length < 2 || held.length < 2 + held.readUInt16BE(0)) return;
      timer.cancel();
      resolve(held.subarray(2, 2 + held.readUInt16BE(0)));
      socket.destroy();
    });
    socket.once('error', reject);
    socket.once('close', () => {
      timer.cancel();
      reject(new Error(`${server} closed the connection`));
    });
  });
}
