import { open, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { AnyContainer } from '../pods/pod-spec.ts';
import type { VolumePaths } from '../volumes/pod-volumes.ts';
import { within } from '../volumes/within.ts';
import { ConfigError } from './config-error.ts';

/** Longest file of variables, bytes. */
const MAX_FILE = 1024 * 1024;

/** Variables of the files that a container takes some from, by volume and path. A file that is not there has no entry. */
export type EnvFiles = ReadonlyMap<string, ReadonlyMap<string, string>>;

export const envFileKey = (volume: string, path: string): string => `${volume}/${path}`;

/** Reads the files that a container's variables come from (`fileKeyRef`, KEP-3721). Throws ConfigError for one that is no file of variables. */
export async function readEnvFiles(container: AnyContainer, volumes: VolumePaths): Promise<EnvFiles> {
  const files = new Map<string, ReadonlyMap<string, string>>();
  for (const { valueFrom } of container.env ?? []) {
    const ref = valueFrom?.fileKeyRef;
    if (ref === undefined || files.has(envFileKey(ref.volumeName, ref.path))) continue;
    const root = volumes.get(ref.volumeName);
    if (root === undefined)
      throw new ConfigError(`cannot find the volume ${JSON.stringify(ref.volumeName)} referenced by FileKeyRef`);
    const text = await readWithin(root, ref.path);
    if (text === undefined) continue;
    try {
      files.set(envFileKey(ref.volumeName, ref.path), parseEnvFile(text));
    } catch (err) {
      throw new ConfigError(`couldn't parse env file ${JSON.stringify(ref.path)}: ${(err as Error).message}`);
    }
  }
  return files;
}

/** The text of a file in a volume; undefined when there is none. Links may not lead out of the volume. */
async function readWithin(root: string, path: string): Promise<string | undefined> {
  const real = await realpath(join(root, path)).catch(() => undefined);
  if (real === undefined) return undefined;
  if (!within(await realpath(root), real)) throw new ConfigError(`env file ${JSON.stringify(path)} is not within its volume`);
  const file = await open(real, 'r');
  try {
    const found = await file.stat();
    if (!found.isFile()) throw new ConfigError(`env file ${JSON.stringify(path)} is not a regular file`);
    if (found.size > MAX_FILE) throw new ConfigError(`env file ${JSON.stringify(path)} is longer than ${MAX_FILE} bytes`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

const declaration = /[ \t]*([^\s=#'][ -<>-~]*?)[ \t]*=[ \t]*'([^']*)'[ \t]*(?:\r?\n|$)/y;
const nothing = /[ \t]*(?:#[^\n]*)?(?:\n|$)/y;

/**
 * Variables of a text: lines `NAME='value'`, the value as it stands, over several lines if it likes; blank lines and lines that begin with `#` are
 * passed over. A subset of what a shell reads, and nothing that the shell would read otherwise. Throws for anything else.
 */
export function parseEnvFile(text: string): ReadonlyMap<string, string> {
  const variables = new Map<string, string>();
  for (let at = 0; at < text.length; ) {
    nothing.lastIndex = at;
    if (nothing.test(text)) {
      at = nothing.lastIndex;
      continue;
    }
    declaration.lastIndex = at;
    const found = declaration.exec(text);
    if (found === null) throw new Error(`invalid environment variable format at line ${text.slice(0, at).split('\n').length}`);
    variables.set(found[1]!, found[2]!);
    at = declaration.lastIndex;
  }
  return variables;
}
