import { accessSync, constants, mkdirSync } from 'node:fs';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import { type Store, StoreUnavailableError } from './contract.ts';
import { type DirectoryLock, lockDirectory } from './directory-lock.ts';
import { LmdbEngine } from './lmdb-engine.ts';
import { type HistoryLimits, LogStore } from './log-store.ts';

export interface EmbeddedStoreOptions {
  /** The directory of the files; made when it does not exist. One process at a time. */
  readonly path: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly history?: Partial<HistoryLimits>;
}

/**
 * Opens the store in a directory on this machine. Rejects with `StoreUnavailableError`, which says what to do, when the directory cannot be
 * used: not writable, in use by another process, damaged, or written in another format.
 */
export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<Store> {
  const { path, clock, logger, history } = options;
  const lock = takeDirectory(path);
  try {
    const engine = new LmdbEngine(path);
    return new LogStore({
      engine,
      clock,
      logger,
      ...(history === undefined ? {} : { history }),
      schedule: (step) => void setImmediate(step),
      onClosed: () => lock.release(),
    });
  } catch (error) {
    lock.release();
    if (error instanceof StoreUnavailableError) throw error;
    throw new StoreUnavailableError(
      `the store in ${path} cannot be opened (${reasonOf(error)}); if the files are damaged, restore a snapshot into a new directory`,
      { cause: error },
    );
  }
}

function takeDirectory(path: string): DirectoryLock {
  let lock: DirectoryLock | undefined;
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    lock = lockDirectory(path);
  } catch (error) {
    throw new StoreUnavailableError(
      `the store directory ${path} cannot be written (${reasonOf(error)}); choose another one, or give this user the right to write there`,
      { cause: error },
    );
  }
  if (lock === undefined) {
    throw new StoreUnavailableError(
      `the store in ${path} is in use by another process; stop that one, or choose another directory`,
    );
  }
  return lock;
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
