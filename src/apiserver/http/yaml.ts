import { parse } from 'yaml';
import { badRequest } from '../../api/meta/status.ts';

/** Aliases a document may expand: enough for honest ones, too few for a bomb. */
const MAX_ALIASES = 100;

/** A YAML body as a JSON value. A body that begins as JSON is read as such. */
export function parseYaml(body: Buffer): unknown {
  const text = body.toString('utf8');
  try {
    return /^\s*[{[]/.test(text) ? JSON.parse(text) : parse(text, { maxAliasCount: MAX_ALIASES, uniqueKeys: false });
  } catch (err) {
    throw badRequest(`error parsing YAML: ${(err as Error).message.split('\n')[0]}`);
  }
}
