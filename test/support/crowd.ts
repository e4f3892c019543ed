/** Many clients that connect and do nothing, in a process of their own: both ends of so many would need twice the file descriptors. */
import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';

export interface CrowdTask {
  readonly port: number;
  readonly ca: string;
  readonly count: number;
}

/** How many are connected; whether one more is; what one of them is answered when it asks whether the server is ready. */
export interface CrowdReport {
  readonly connected: number;
  readonly another: boolean;
  readonly answer: string;
}

/** Handshakes under way at a time. */
const WIDTH = 32;

async function gather({ port, ca, count }: CrowdTask): Promise<void> {
  let session: Buffer | undefined;
  const crowd: TLSSocket[] = [];
  /** Resolves with the connection; undefined when the server closes it. */
  const dial = (): Promise<TLSSocket | undefined> => {
    // A session that is known spares both sides the certificates.
    const known = session === undefined ? {} : { session };
    const socket = connect({ host: '127.0.0.1', port, ca, servername: 'localhost', ...known });
    socket.on('error', () => {});
    socket.on('session', (next: Buffer) => {
      session ??= next;
    });
    return new Promise((resolve) => {
      socket.once('secureConnect', () => resolve(socket));
      socket.once('close', () => resolve(undefined));
    });
  };
  let next = 0;
  const dialer = async (): Promise<void> => {
    while (next++ < count) {
      const socket = await dial();
      if (socket !== undefined) crowd.push(socket);
    }
  };
  await Promise.all(Array.from({ length: WIDTH }, dialer));
  const another = await dial();
  const one = crowd[Math.floor(crowd.length / 2)]!;
  one.write('GET /readyz HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin\r\n\r\n');
  const [answer] = (await once(one, 'data')) as [Buffer];
  const connected = crowd.filter((socket) => !socket.destroyed).length;
  const head = answer.toString('latin1').split('\r\n')[0]!;
  process.send!({ connected, another: another !== undefined, answer: head } satisfies CrowdReport);
}

process.once('message', (task: CrowdTask) => void gather(task));
process.once('disconnect', () => process.exit(0));
