/** One line of a container log in the CRI's format: `2016-10-06T00:17:09.669794202Z stdout F text`. */
export interface LogLine {
  /** As written: RFC 3339 with nanoseconds. */
  readonly timestamp: string;
  readonly stream: 'stdout' | 'stderr';
  /** The runtime cut a long line here: no newline follows. */
  readonly partial: boolean;
  readonly content: Buffer;
}

const SPACE = 0x20;
const COLON = 0x3a;
const P = 0x50;

/** Reads one line, given without its newline. Undefined for what is none. */
export function parseLogLine(line: Buffer): LogLine | undefined {
  const first = line.indexOf(SPACE);
  if (first < 0) return undefined;
  const second = line.indexOf(SPACE, first + 1);
  if (second < 0) return undefined;
  const stream = line.toString('latin1', first + 1, second);
  if (stream !== 'stdout' && stream !== 'stderr') return undefined;
  let third = line.indexOf(SPACE, second + 1);
  if (third < 0) third = line.length;
  // Tags are separated by colons; only the first says whether the line is whole.
  const colon = line.indexOf(COLON, second + 1);
  const tagEnd = colon >= 0 && colon < third ? colon : third;
  return {
    timestamp: line.toString('latin1', 0, first),
    stream,
    partial: tagEnd === second + 2 && line[second + 1] === P,
    content: line.subarray(Math.min(third + 1, line.length)),
  };
}

/** What a reader of logs asks for; as PodLogOptions. */
export interface LogOptions {
  readonly follow: boolean;
  readonly timestamps: boolean;
  /** The last so many lines; all when undefined. */
  readonly tailLines?: number;
  /** Only lines at or after this time; milliseconds since the epoch. */
  readonly since?: number;
  readonly limitBytes?: number;
  /** Only this stream. */
  readonly stream?: 'stdout' | 'stderr';
}

/** Turns lines of a log file into what a client is sent. Stateful: it counts bytes and knows what is inside a cut line. */
export class LogFormatter {
  readonly #options: LogOptions;
  #left: number;
  #midLine = false;
  constructor(options: LogOptions) {
    this.#options = options;
    this.#left = options.limitBytes ?? Number.POSITIVE_INFINITY;
  }
  /** The limit has been reached: nothing more will come. */
  get exhausted(): boolean {
    return this.#left <= 0;
  }
  /** The bytes to send for one raw line; undefined for none. */
  format(raw: Buffer): { readonly stream: 'stdout' | 'stderr'; readonly data: Buffer } | undefined {
    const line = parseLogLine(raw);
    if (line === undefined || this.exhausted) return undefined;
    const { stream, since, timestamps } = this.#options;
    if (stream !== undefined && stream !== line.stream) return undefined;
    if (since !== undefined && Date.parse(line.timestamp) < since) return undefined;
    const parts: Buffer[] = [];
    if (timestamps && !this.#midLine) parts.push(Buffer.from(`${line.timestamp} `, 'latin1'));
    parts.push(line.content);
    if (!line.partial) parts.push(NEWLINE);
    this.#midLine = line.partial;
    let data = Buffer.concat(parts);
    if (data.length > this.#left) data = data.subarray(0, this.#left);
    this.#left -= data.length;
    return { stream: line.stream, data };
  }
}

const NEWLINE = Buffer.from('\n');
