import { deepFreeze } from '../../util/deep-freeze.ts';
import { markRepeated } from '../repeated-parts.ts';
import { closingQuote, countColons, countFields } from './json-members.ts';

/** What is looked for: the member that most objects consist of, as every client writes it. */
const MARK = '"spec":{';
const NAME = 'spec';
/** Less is not worth the looking, and longer bodies not the memory. */
const MIN_TEXT = 256;
const MAX_TEXT = 16 * 1024;
/** Values remembered, and texts that were seen once. */
const MAX_KNOWN = 128;
const MAX_SEEN = 128;
/** How deep in a body the value is. */
const DEPTH = 2;

/** A value that came at least twice. */
interface Known {
  readonly value: object;
  /** Of its text. */
  readonly length: number;
}

/** A body of which a part was known. */
export interface Recognized {
  readonly value: object;
  /** How many members there are beside the known part's. */
  readonly fields: number;
  /** Where in the text the known part is; no member is twice in there. */
  readonly start: number;
  readonly end: number;
}

/**
 * Objects of one template are sent with the same spec, letter by letter. Such a spec is parsed once: it is recognized by its text, and every
 * body that ends like this gets the same frozen value, which is marked as repeated.
 */
export class RepeatedText {
  readonly #standIn: string;
  readonly #standInText: string;
  /**
   * By what follows `"spec":`, to the end of the body; null where that is no plain member of the outermost object. The oldest goes first. What
   * was seen but once pushes out nothing that is known.
   */
  readonly #known = new Map<string, Known | null>();
  readonly #seen = new Set<string>();

  /** `standIn` takes the place of the known value while the rest is parsed: no client may know it. */
  constructor(standIn: string) {
    this.#standIn = standIn;
    this.#standInText = JSON.stringify(standIn);
  }

  /** The parsed body, when its spec is known. Undefined for every other text, be it JSON or not. */
  recognize(text: string): Recognized | undefined {
    const start = startOf(text);
    if (start < 0) return undefined;
    const known = this.#known.get(text.slice(start));
    return known === undefined || known === null ? undefined : this.#parse(text, start, known);
  }

  #parse(text: string, start: number, { value: known, length }: Known): Recognized | undefined {
    const end = start + length;
    let value: { [NAME]?: unknown } | null;
    try {
      value = JSON.parse(text.slice(0, start) + this.#standInText + text.slice(end)) as { [NAME]?: unknown } | null;
    } catch {
      return undefined;
    }
    // Where it comes out as the member, it stood for the member: nobody else can have written it.
    if (typeof value !== 'object' || value === null || value[NAME] !== this.#standIn) return undefined;
    const fields = countFields(value, 1);
    value[NAME] = known;
    return { value, fields, start, end };
  }

  /** Takes note of a text that is known to be JSON: its spec is remembered when it comes for the second time. */
  learn(text: string): void {
    const start = startOf(text);
    if (start < 0) return;
    const suffix = text.slice(start);
    if (this.#known.has(suffix)) return;
    if (this.#seen.delete(suffix)) {
      this.#known.set(suffix, this.#read(text, start) ?? null);
      if (this.#known.size > MAX_KNOWN) this.#known.delete(this.#known.keys().next().value!);
      return;
    }
    this.#seen.add(suffix);
    if (this.#seen.size > MAX_SEEN) this.#seen.delete(this.#seen.keys().next().value!);
  }

  #read(text: string, start: number): Known | undefined {
    // To find the end by: what is none of JSON's own signs may be any other.
    const bytes = Buffer.from(text, 'latin1');
    const end = endOf(bytes, start);
    let value: object;
    try {
      value = JSON.parse(text.slice(start, end)) as object;
    } catch {
      // It was in a string.
      return undefined;
    }
    if (countColons(bytes, start, end) !== countFields(value, DEPTH)) return undefined;
    const known = { value: deepFreeze(value), length: end - start };
    if (this.#parse(text, start, known) === undefined) return undefined;
    markRepeated(value);
    return known;
  }
}

/** Where the value may begin; -1 when there is none, or it is not worth the looking. */
function startOf(text: string): number {
  if (text.length > MAX_TEXT) return -1;
  const at = text.indexOf(MARK);
  return at < 0 || text.length - at < MIN_TEXT ? -1 : at + MARK.length - 1;
}

/** Where the object that begins at `start` ends, in bytes that are JSON. */
function endOf(bytes: Uint8Array, start: number): number {
  let depth = 0;
  for (let i = start; i < bytes.length; i++) {
    const c = bytes[i];
    if (c === 0x22) i = closingQuote(bytes, i);
    else if (c === 0x7b || c === 0x5b) depth++;
    else if ((c === 0x7d || c === 0x5d) && --depth === 0) return i + 1;
  }
  return bytes.length;
}
