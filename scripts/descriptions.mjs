// What the API's types and fields mean, for `kubectl explain` and OpenAPI: taken at build time from the comments of the generated models of
// @kubernetes/client-node, which are those of Kubernetes' own documents. Gives { class name: [description, { field: description }] }, and the
// parameters of requests as the fields of `parameters`.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The text of a comment: its lines without their stars. */
function textOf(comment) {
  return comment
    .split('\n')
    .map((line) => line.replace(/^\s*\*? ?/, '').trimEnd())
    .join('\n')
    .trim()
    .replaceAll(/\\([\\"'])/g, '$1');
}

const entities = { '#39': "'", '#x60': '`', '#x3D': '=', quot: '"', lt: '<', gt: '>', amp: '&' };

/** The first text of every parameter: the same one for nearly all requests. */
function readParameters(gen) {
  const text = readFileSync(join(gen, 'types/ObjectParamAPI.d.ts'), 'utf8');
  const out = {};
  for (const [, comment, name] of text.matchAll(/\/\*\*\n((?:(?!\*\/)[\s\S])*?)\*\/\s*(\w+)\??:/g)) {
    if (name === 'name' || name === 'body' || Object.hasOwn(out, name)) continue;
    const said = textOf(comment).split('\nDefaults to:')[0].split('\n@')[0];
    out[name] = said.replaceAll(/\\?&(#\w+|\w+);/g, (whole, entity) => entities[entity] ?? whole);
  }
  return out;
}

/** Reads every model in a folder of client-node. */
export function readDescriptions(root) {
  const gen = join(root, 'node_modules/@kubernetes/client-node/dist/gen');
  const folder = join(gen, 'models');
  const out = { parameters: ['', readParameters(gen)] };
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.d.ts'))) {
    const text = readFileSync(join(folder, file), 'utf8');
    const type = /(?:\/\*\*\n([^/]*?)\*\/\n)?export declare class (\w+) \{/.exec(text);
    if (type === null) continue;
    const fields = {};
    const body = text.slice(type.index + type[0].length);
    for (const [, comment, name] of body.matchAll(/\/\*\*\n((?:(?!\*\/)[\s\S])*?)\*\/\s*'(\w+)'\??:/g))
      fields[name] = textOf(comment);
    out[type[2]] = [textOf(type[1] ?? ''), fields];
  }
  return out;
}
