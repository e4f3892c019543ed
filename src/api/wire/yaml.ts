import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  parseAllDocuments,
  parseDocument,
  Scalar,
} from 'yaml';
import { badRequest } from '../meta/status.ts';
import { MAX_JSON_DEPTH, type Parsed } from './json.ts';
import { resolvePlain } from './yaml-scalar.ts';

export { toYaml } from './yaml-writer.ts';

/** More values than this from aliases, and the document is taken for an attack. */
const MAX_ALIASED_NODES = 100_000;
/** As many characters may come from aliases; a body may have as many itself. */
const MAX_ALIASED_CHARACTERS = 3 * 1024 * 1024;
/**
 * Longer texts are refused. Each lexeme (a word, a mark, a space, a line break) costs a few microseconds, and nothing else happens meanwhile;
 * a definition of a megabyte has about 200,000.
 */
export const MAX_YAML_LEXEMES = 300_000;

/**
 * Reads one YAML document as sigs.k8s.io/yaml does: YAML 1.1 words and numbers, keys made strings, merge keys. A key given twice
 * counts once, the last, and is told as upstream tells it. Throws a BadRequest StatusError for what is no YAML, and for aliases
 * that blow up.
 */
export function parseYaml(text: string): Parsed {
  return guarded(() => {
    checkLexemes(text);
    const lines = new LineCounter();
    const document = parseDocument(text, { ...options, lineCounter: lines });
    return convert(document, lines);
  });
}

/** Reads a stream of documents, as in a manifest file; empty ones are left out. */
export function parseYamlStream(text: string): readonly Parsed[] {
  return guarded(() => {
    checkLexemes(text);
    const lines = new LineCounter();
    const documents = parseAllDocuments(text, { ...options, lineCounter: lines });
    if (!Array.isArray(documents)) return [];
    return documents.map((document) => convert(document, lines)).filter((parsed) => parsed.value !== null);
  });
}

const options = {
  schema: 'failsafe',
  uniqueKeys: false,
  strict: true,
  version: '1.1',
  prettyErrors: false,
  merge: false,
} as const;

function guarded<T>(parse: () => T): T {
  try {
    return parse();
  } catch (err) {
    if (err instanceof YamlProblem) throw badRequest(`yaml: ${err.message}`);
    // The parser and the walk recurse; hostile nesting ends them.
    if (err instanceof RangeError) throw badRequest('yaml: exceeded max depth');
    throw err;
  }
}

class YamlProblem extends Error {}

/** Looks over a text before the parser, which takes ten times as long, to refuse what would take it too long. */
function checkLexemes(text: string): void {
  let count = 0;
  let depth = 0;
  for (const lexeme of new Lexer().lex(text)) {
    if (++count > MAX_YAML_LEXEMES) throw new YamlProblem('the document is too large');
    switch (lexeme[0]) {
      case '[':
      case '{':
        if (++depth > MAX_JSON_DEPTH) throw new YamlProblem('exceeded max depth');
        break;
      case ']':
      case '}':
        depth--;
        break;
      case '"':
        checkEscapes(lexeme);
    }
  }
}

const goodEscape = /\\(?:[0abtnvfre "/\\N_LP\t\r\n]|x[\da-f]{2}|u[\da-f]{4}|U[\da-f]{8})/iy;

/** The parser makes an error of every wrong escape; one is enough. */
function checkEscapes(lexeme: string): void {
  for (let at = lexeme.indexOf('\\'); at >= 0; at = lexeme.indexOf('\\', goodEscape.lastIndex)) {
    goodEscape.lastIndex = at;
    if (!goodEscape.test(lexeme)) throw new YamlProblem('found unknown escape character');
  }
}

type AnyDocument = Pick<ReturnType<typeof parseDocument>, 'contents' | 'errors'>;

function convert(document: AnyDocument, lines: LineCounter): Parsed {
  const [error] = document.errors;
  if (error !== undefined) {
    throw new YamlProblem(`line ${lines.linePos(error.pos[0]).line}: ${error.message.split('\n')[0]}`);
  }
  const converter = new Converter(lines);
  const value = converter.value(document.contents as Node | null, 1);
  return {
    value,
    duplicateFields: converter.duplicates.length === 0 ? [] : [`yaml: unmarshal errors:\n  ${converter.duplicates.join('\n  ')}`],
  };
}

class Converter {
  readonly duplicates: string[] = [];
  readonly #lines: LineCounter;
  readonly #anchors = new Map<string, Node>();
  #aliased = 0;
  #aliasedCharacters = 0;
  #insideAlias = 0;

  constructor(lines: LineCounter) {
    this.#lines = lines;
  }

  value(node: Node | null | undefined, depth: number): unknown {
    if (node === null || node === undefined) return null;
    if (depth > MAX_JSON_DEPTH) throw new YamlProblem('exceeded max depth');
    if (this.#insideAlias > 0 && ++this.#aliased > MAX_ALIASED_NODES) {
      throw new YamlProblem('document contains excessive aliasing');
    }
    if (isAlias(node)) return this.#alias(node, depth);
    if ('anchor' in node && typeof node.anchor === 'string') this.#anchors.set(node.anchor, node);
    if (isScalar(node)) return this.#scalar(node);
    if (isSeq(node)) return node.items.map((item) => this.value(item as Node, depth + 1));
    return isMap(node) ? this.#map(node.items as readonly Pair[], depth) : null;
  }

  #scalar(node: Scalar): unknown {
    if (this.#insideAlias > 0) {
      this.#aliasedCharacters += node.source?.length ?? 0;
      if (this.#aliasedCharacters > MAX_ALIASED_CHARACTERS) throw new YamlProblem('document contains excessive aliasing');
    }
    return scalarValue(node);
  }

  #alias(alias: Alias, depth: number): unknown {
    const target = this.#anchors.get(alias.source);
    if (target === undefined) throw new YamlProblem(`unknown anchor '${alias.source}' referenced`);
    this.#insideAlias++;
    const value = this.value(target, depth + 1);
    this.#insideAlias--;
    return value;
  }

  #map(pairs: readonly Pair[], depth: number): Record<string, unknown> {
    const out: Record<string, unknown> = {};
    const merged: unknown[] = [];
    for (const { key, value } of pairs) {
      if (isMergeKey(key)) {
        const from = this.value(value, depth + 1);
        if (Array.isArray(from)) for (const source of from) merged.push(source);
        else merged.push(from);
        continue;
      }
      const name = this.#key(key, depth);
      if (Object.hasOwn(out, name) && this.#insideAlias === 0) {
        const at = key?.range?.[0] ?? 0;
        this.duplicates.push(`line ${this.#lines.linePos(at).line}: key ${JSON.stringify(name)} already set in map`);
      }
      setOwn(out, name, this.value(value, depth + 1));
    }
    for (const source of merged) {
      if (typeof source !== 'object' || source === null || Array.isArray(source)) {
        throw new YamlProblem('map merge requires map or sequence of maps as the value');
      }
      for (const [name, value] of Object.entries(source)) if (!Object.hasOwn(out, name)) setOwn(out, name, value);
    }
    return out;
  }

  #key(node: Node | null, depth: number): string {
    const key = this.value(node, depth + 1);
    if (typeof key === 'string') return key;
    if (typeof key === 'number' || typeof key === 'boolean') return String(key);
    throw new YamlProblem(`unsupported map key: ${JSON.stringify(key)}`);
  }
}

interface Pair {
  readonly key: Node | null;
  readonly value: Node | null;
}

const isMergeKey = (key: Node | null): boolean => isScalar(key) && key.type === Scalar.PLAIN && key.source === '<<';

function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}

function scalarValue(node: Scalar): unknown {
  const text = typeof node.value === 'string' ? node.value : (node.source ?? '');
  switch (node.tag) {
    case undefined:
      if (node.type !== undefined && node.type !== Scalar.PLAIN) return text;
      return finite(resolvePlain(text), text);
    case 'tag:yaml.org,2002:binary':
      return Buffer.from(text, 'base64').toString('utf8');
    case 'tag:yaml.org,2002:int':
    case 'tag:yaml.org,2002:float':
    case 'tag:yaml.org,2002:bool':
    case 'tag:yaml.org,2002:null':
      return finite(resolvePlain(text), text);
    default:
      return text;
  }
}

/** JSON has no infinities: upstream fails to write them, and so does this. */
function finite(resolved: ReturnType<typeof resolvePlain>, text: string): unknown {
  if (resolved === undefined) return text;
  if (typeof resolved.value === 'number' && !Number.isFinite(resolved.value)) {
    throw new YamlProblem(`json: unsupported value: ${text}`);
  }
  return resolved.value;
}
