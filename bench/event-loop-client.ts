import { Agent, request } from 'node:https';

/** A client that takes answers without looking at them. */
export class TestClient {
  readonly #agent: Agent;
  readonly #port: number;

  constructor(port: number, { cert, key }: { readonly cert: string; readonly key: string }, ca: string) {
    this.#port = port;
    this.#agent = new Agent({ keepAlive: true, cert, key, ca, maxSockets: 64 });
  }

  /** As `ask`, for what has to work. */
  async must(...args: Parameters<TestClient['ask']>): Promise<string> {
    const { code, body } = await this.ask(...args);
    if (code >= 300) throw new Error(`${args[0]} ${args[1]}: ${code} ${body.slice(0, 300)}`);
    return body;
  }

  /** The answer; of a long body only what it begins with. */
  ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ readonly code: number; readonly body: string }> {
    return new Promise((resolve, reject) => {
      const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
      const options = { host: '127.0.0.1', servername: 'localhost', port: this.#port, method, path, agent: this.#agent };
      const sent = request({ ...options, headers: { ...type, ...headers } }, (answer) => {
        let begin = '';
        answer.on('data', (piece: Buffer) => {
          if (begin.length < 1_000) begin += piece.toString('utf8', 0, 1_000);
        });
        answer.on('end', () => resolve({ code: answer.statusCode ?? 0, body: begin }));
        answer.on('error', reject);
      });
      sent.on('error', reject);
      sent.end(body === undefined || typeof body === 'string' ? body : JSON.stringify(body));
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
