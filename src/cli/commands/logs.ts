import { createReadStream, watchFile } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { defaultDataDirectory, layoutOf, UserError } from '../../cluster/layout.ts';

export interface LogsOptions {
  readonly dataDir?: string;
  readonly follow?: boolean;
  readonly tail?: number;
  readonly json?: boolean;
}

/** How often a followed log is looked at, in milliseconds. */
const FOLLOW_MS = 250;
const levels: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error' };

/** `k8ts logs [component]`. */
export async function logs(component: string | undefined, options: LogsOptions): Promise<void> {
  const { logFile } = layoutOf(options.dataDir ?? defaultDataDirectory());
  const text = await readFile(logFile, 'utf8').catch(() => {
    throw new UserError(`There is no log at ${logFile}. Start the cluster with: k8ts up`);
  });
  const lines = text.split('\n').filter((line) => line !== '' && belongs(line, component));
  if (component !== undefined && lines.length === 0 && options.follow !== true) {
    const known = [...new Set(text.split('\n').map(componentOf).filter(Boolean))].sort().join(', ');
    throw new UserError(`The log has nothing of ${component}. It has: ${known || 'nothing yet'}`);
  }
  const show = (line: string): void => console.log(options.json === true ? line : readable(line));
  for (const line of options.tail === undefined ? lines : lines.slice(-options.tail)) show(line);
  if (options.follow === true) await follow(logFile, Buffer.byteLength(text), (line) => belongs(line, component) && show(line));
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
}

const componentOf = (line: string): string => String(parse(line)?.['component'] ?? '');
/** Lines that are not ours (a crash's stack) belong to everyone. */
const belongs = (line: string, component: string | undefined): boolean =>
  component === undefined || parse(line) === undefined || componentOf(line) === component;

function readable(line: string): string {
  const entry = parse(line);
  if (entry === undefined) return line;
  const { level, time, component, msg, err, ...fields } = entry;
  const rest = Object.entries(fields).map(([k, v]) => `${k}=${typeof v === 'string' ? v : JSON.stringify(v)}`);
  const error = err as { readonly message?: string; readonly stack?: string } | undefined;
  const parts = [time, (levels[level as number] ?? 'info').padEnd(5), String(component ?? 'k8ts').padEnd(12), msg, ...rest];
  return `${parts.join(' ')}${error === undefined ? '' : `\n    ${(error.stack ?? error.message ?? '').replaceAll('\n', '\n    ')}`}`;
}

/** Calls `onLine` for every line that is added, until the process is ended. A log that was put aside is begun anew. */
async function follow(file: string, from: number, onLine: (line: string) => void): Promise<void> {
  let at = from;
  let partial = '';
  const more = async (): Promise<void> => {
    const { size } = await stat(file);
    if (size < at) at = 0;
    if (size === at) return;
    const stream = createReadStream(file, { start: at, end: size - 1, encoding: 'utf8' });
    at = size;
    for await (const chunk of stream) partial += chunk as string;
    const lines = partial.split('\n');
    partial = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  };
  let turn = Promise.resolve();
  watchFile(file, { interval: FOLLOW_MS }, () => {
    turn = turn.then(more).catch((err: Error) => console.error(`k8ts: ${err.message}`));
  });
  await new Promise(() => {});
}
