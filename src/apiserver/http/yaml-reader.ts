import { Worker } from 'node:worker_threads';
import type { Status } from '../../api/meta/object.ts';
import { badRequest, StatusError, tooManyRequests } from '../../api/meta/status.ts';
import type { Clock, Timer } from '../../util/clock.ts';
import type { RequestBody } from './request-body.ts';

/** Longer YAML is read by a thread of its own: its parser takes up to half a millisecond for a kilobyte. */
const LONG_BYTES = 8 * 1024;
/** Texts that wait for the thread at most. */
const MAX_WAITING = 32;
/** The thread's memory, in megabytes: several times what the longest text needs. */
const MAX_HEAP_MB = 512;
/** The thread ends when nothing has come for so long, in milliseconds: long YAML is rare, and it holds some 20 MB. */
const IDLE_MS = 10_000;

/** What the thread makes of a text: JSON, or what is wrong with it. */
export type YamlAnswer = { readonly json: string; readonly duplicateFields: readonly string[] } | { readonly status: Status };

interface Waiting {
  readonly text: string;
  readonly resolve: (body: RequestBody) => void;
  readonly reject: (err: Error) => void;
}

const OPEN_BRACE = 0x7b;
/** Beside this file, in whichever form it runs. */
const WORKER = new URL(import.meta.url.endsWith('.ts') ? './yaml-worker.ts' : './yaml-worker.mjs', import.meta.url);

/** Reads long bodies of YAML without holding up the event loop, one after the other. The thread is started when first needed. */
export class YamlReader {
  readonly #clock: Clock;
  #worker: Worker | undefined;
  #queue: Waiting[] = [];
  #idle: Timer | undefined;

  constructor(clock: Clock, shutdown: AbortSignal) {
    this.#clock = clock;
    shutdown.addEventListener('abort', () => this.#end(), { once: true });
  }

  /** Undefined for what is short, or JSON: that is read at once by whoever has it. Rejects with a StatusError. */
  read(body: Buffer): Promise<RequestBody> | undefined {
    if (body.length <= LONG_BYTES || body[0] === OPEN_BRACE) return undefined;
    if (this.#queue.length >= MAX_WAITING) return Promise.reject(tooManyRequests('too much YAML at a time, please try again', 1));
    return new Promise((resolve, reject) => {
      this.#queue.push({ text: body.toString('utf8'), resolve, reject });
      if (this.#queue.length === 1) this.#next();
    });
  }

  #next(): void {
    this.#idle?.cancel();
    this.#idle = undefined;
    const first = this.#queue[0];
    if (first !== undefined) (this.#worker ??= this.#start()).postMessage(first.text);
    else this.#idle = this.#clock.setTimer(IDLE_MS, () => this.#end());
  }

  #start(): Worker {
    const worker = new Worker(WORKER, { resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB } });
    worker.unref();
    worker.on('message', (answer: YamlAnswer) => {
      const asked = this.#queue.shift()!;
      if ('status' in answer) asked.reject(new StatusError(answer.status));
      else asked.resolve({ value: JSON.parse(answer.json) as unknown, duplicateFields: answer.duplicateFields });
      this.#next();
    });
    worker.on('error', (err) => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      const memory = (err as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY';
      this.#queue.shift()?.reject(memory ? badRequest('yaml: the document is too large') : (err as Error));
      this.#next();
    });
    return worker;
  }

  #end(): void {
    this.#idle?.cancel();
    this.#idle = undefined;
    const worker = this.#worker;
    this.#worker = undefined;
    void worker?.terminate();
    for (const { reject } of this.#queue.splice(0)) reject(new Error('the server is stopping'));
  }
}
