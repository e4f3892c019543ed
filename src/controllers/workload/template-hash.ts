import { SAFE_ALPHABET } from '../../util/random.ts';

/**
 * Names a template: FNV-1a over its JSON with sorted keys, and the collision count, written in the alphabet of generated names.
 * Upstream hashes a Go dump of the struct, which no other language can reproduce; all that matters is that equal templates get equal names
 * and that the count changes it.
 */
export function templateHash(template: unknown, collisionCount: number | undefined): string {
  let hash = fnv1a(canonical(template), 0x811c9dc5);
  if (collisionCount !== undefined) hash = fnv1a(`#${collisionCount}`, hash);
  return safeEncode(String(hash >>> 0));
}

function fnv1a(text: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}

/** Upstream's rand.SafeEncodeString: each character's code picks one of the alphabet. */
export function safeEncode(text: string): string {
  let out = '';
  for (let i = 0; i < text.length; i++) out += SAFE_ALPHABET[text.charCodeAt(i) % SAFE_ALPHABET.length];
  return out;
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const record = value as Readonly<Record<string, unknown>>;
  const keys = Object.keys(record).filter((key) => record[key] !== undefined);
  return `{${keys
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(record[key])}`)
    .join(',')}}`;
}
