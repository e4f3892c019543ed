import { createContext, Script } from 'node:vm';

/** A pattern is no RE2 expression, with Go's message, or takes too long to be searched for. */
export class Re2Error extends Error {}

/** The longest that one search may compute. */
const SEARCH_LIMIT_MS = 100;
/** The longest that all searches of one turn of the event loop may compute together: a list of values must not hold everybody up. */
const TURN_LIMIT_MS = 1_000;
/** How often a search is begun again that was stopped though the processor was with others most of the time. */
const MAX_ATTEMPTS = 6;
/** Characters of text times characters of pattern that are searched in linear time without looking at the clock: a few milliseconds. */
const QUICK = 100_000;
/** After a search that took too long as many others of such texts are refused unseen: a list of such values must not take minutes. */
const REFUSED_AFTERWARDS = 10_000;
/** Texts of more than this part of the length that took too long are such texts. Shorter ones are still searched: they may be anybody's. */
const REFUSED_PART = 0.75;

const guarded = createContext({ search: undefined }) as { search: (() => void) | undefined };
const script = new Script('search()');

/** A regular expression each search for which has its time, unless it is sure to be quick. Throws `Re2Error` from whatever searches. */
export class BoundedRegExp extends RegExp {
  readonly #linear: boolean;
  #refused = 0;
  /** Longer texts are refused while `#refused` lasts. */
  #longest = Number.POSITIVE_INFINITY;

  constructor(source: string | RegExp, flags: string) {
    super(source, flags);
    this.#linear = isLinear(this.source, flags);
  }

  override exec(text: string): RegExpExecArray | null {
    if (this.#linear && text.length * this.source.length <= QUICK) return super.exec(text);
    if (this.#refused > 0 && text.length > this.#longest) {
      if (--this.#refused === 0) this.#longest = Number.POSITIVE_INFINITY;
      throw new Re2Error('the search took too long');
    }
    if (turn.isOver) throw new Re2Error('the searches took too long');
    let found: RegExpExecArray | null = null;
    const before = process.threadCpuUsage();
    const inTime = endsInTime(() => {
      found = super.exec(text);
    });
    turn.spend(computedSince(before));
    if (!inTime) {
      this.#refused = REFUSED_AFTERWARDS;
      this.#longest = Math.floor(text.length * REFUSED_PART);
      throw new Re2Error('the search took too long');
    }
    return found;
  }
}

/**
 * Runs `search`, again from its start when it was stopped by the clock without having had the processor: only the time that it computes
 * counts, not how busy the machine is. False when it computed for too long.
 */
export function endsInTime(search: () => void): boolean {
  guarded.search = search;
  const before = process.threadCpuUsage();
  try {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      try {
        script.runInContext(guarded, { timeout: SEARCH_LIMIT_MS << attempt });
        return true;
      } catch (err) {
        if ((err as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw err;
        if (computedSince(before) > SEARCH_LIMIT_MS / 2) return false;
      }
    }
    return false;
  } finally {
    guarded.search = undefined;
  }
}

/** Milliseconds that this thread has computed since. */
function computedSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}

/** What searches of the present turn of the event loop have computed. */
class Turn {
  #spent = 0;

  get isOver(): boolean {
    return this.#spent > TURN_LIMIT_MS;
  }

  spend(milliseconds: number): void {
    if (this.#spent === 0) {
      setImmediate(() => {
        this.#spent = 0;
      });
    }
    this.#spent += milliseconds;
  }
}

const turn = new Turn();

/** Whether V8 has an engine for it that never goes back. */
function isLinear(source: string, flags: string): boolean {
  try {
    new RegExp(source, `${flags}l`);
    return true;
  } catch {
    return false;
  }
}
