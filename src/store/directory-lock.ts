import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

const LOCK_FILE = 'lock';

/** A held lock. */
export interface DirectoryLock {
  release(): void;
}

/**
 * Takes the directory for this process alone; undefined when another has it. The operating system lets go when the process dies, however
 * it dies. Node has no file locks of its own: SQLite's, which are the system's, stand in.
 */
export function lockDirectory(directory: string): DirectoryLock | undefined {
  const path = join(directory, LOCK_FILE);
  // SQLite would make it readable to all.
  closeSync(openSync(path, 'a', 0o600));
  const database = new DatabaseSync(path);
  try {
    database.exec('PRAGMA journal_mode=MEMORY; PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (/locked|busy/i.test(error instanceof Error ? error.message : '')) return undefined;
    throw error;
  }
  return { release: () => database.close() };
}
