import { pino } from 'pino';

/** Structured log. The first argument carries the fields (an `err` field takes an Error), the second the sentence. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** A logger that adds `fields` to every line, for one component or one key. */
  child(fields: object): Logger;
}

/** Log levels, least severe first. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Lines that could not be written are kept up to this many bytes, and written when there is room again. */
const MAX_UNWRITTEN_BYTES = 1024 * 1024;

/**
 * A logger writing JSON lines to `file`, or to standard error when no file is given. Writes are synchronous: a crash loses no line.
 * A full disk must not end the process that wants to tell of it: such lines wait.
 */
export function createLogger(options: { readonly level?: LogLevel; readonly file?: string } = {}): Logger {
  const destination = pino.destination({
    dest: options.file ?? 2,
    sync: true,
    mkdir: true,
    maxLength: MAX_UNWRITTEN_BYTES,
  });
  destination.on('error', () => {});
  return pino({ level: options.level ?? 'info', base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}

/** Says nothing; the default in tests. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};
