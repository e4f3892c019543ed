import { createContext, Script } from 'node:vm';

/** A pattern is no RE2 expression, with Go's message, or takes too long to be searched for. */
export class Re2Error extends Error {}

/** The longest that one search may take. */
const SEARCH_LIMIT_MS = 100;
/** Characters of text times characters of pattern that are searched in linear time without looking at the clock: a few milliseconds. */
const QUICK = 100_000;
/** After a search that took too long as many others by the same pattern are refused unseen: a list of such values must not take minutes. */
const REFUSED_AFTERWARDS = 10_000;

const guarded = createContext({ search: undefined }) as { search: (() => void) | undefined };
const script = new Script('search()');

/** A regular expression each search for which has its time, unless it is sure to be quick. Throws `Re2Error` from whatever searches. */
export class BoundedRegExp extends RegExp {
  readonly #linear: boolean;
  #refused = 0;

  constructor(source: string | RegExp, flags: string) {
    super(source, flags);
    this.#linear = isLinear(this.source, flags);
  }

  override exec(text: string): RegExpExecArray | null {
    if (this.#linear && text.length * this.source.length <= QUICK) return super.exec(text);
    if (this.#refused > 0) {
      this.#refused--;
      throw new Re2Error('the search took too long');
    }
    let found: RegExpExecArray | null = null;
    guarded.search = () => {
      found = super.exec(text);
    };
    try {
      script.runInContext(guarded, { timeout: SEARCH_LIMIT_MS });
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw err;
      this.#refused = REFUSED_AFTERWARDS;
      throw new Re2Error('the search took too long');
    } finally {
      guarded.search = undefined;
    }
    return found;
  }
}

/** Whether V8 has an engine for it that never goes back. */
function isLinear(source: string, flags: string): boolean {
  try {
    new RegExp(source, `${flags}l`);
    return true;
  } catch {
    return false;
  }
}
