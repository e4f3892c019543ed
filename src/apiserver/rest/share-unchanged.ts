type Json = Readonly<Record<string, unknown>>;

/**
 * `next`, with every part that equals the same part of `before` replaced by that part itself; `before` when they are equal altogether.
 * Both are frozen JSON values, and so is the result. Versions of an object that are remembered, for watches and for old pages, then cost
 * no more memory than what changed.
 */
export function shareUnchanged<T>(next: T, before: T): T {
  return share(next, before) as T;
}

function share(next: unknown, before: unknown): unknown {
  if (next === before) return before;
  if (typeof next !== 'object' || typeof before !== 'object' || next === null || before === null) return next;
  if (Array.isArray(next)) return Array.isArray(before) ? shareList(next, before) : next;
  return Array.isArray(before) ? next : shareObject(next as Json, before as Json);
}

function shareList(next: readonly unknown[], before: readonly unknown[]): readonly unknown[] {
  const length = Math.min(next.length, before.length);
  let same = next.length === before.length;
  let out: unknown[] | undefined;
  for (let i = 0; i < length; i++) {
    const part = share(next[i], before[i]);
    if (part !== before[i]) same = false;
    if (part !== next[i]) (out ??= [...next])[i] = part;
  }
  if (same) return before;
  return out === undefined ? next : Object.freeze(out);
}

/** A field that is undefined counts as missing. */
function shareObject(next: Json, before: Json): Json {
  let same = true;
  let count = 0;
  let out: Record<string, unknown> | undefined;
  for (const key in next) {
    const value = next[key];
    if (value === undefined) continue;
    count++;
    const old = Object.hasOwn(before, key) ? before[key] : undefined;
    const part = share(value, old);
    if (part !== old) same = false;
    if (part !== value) {
      out ??= { ...next };
      if (key === '__proto__')
        Object.defineProperty(out, key, { value: part, enumerable: true, configurable: true, writable: true });
      else out[key] = part;
    }
  }
  if (same && count === fieldsOf(before)) return before;
  return out === undefined ? next : Object.freeze(out);
}

function fieldsOf(object: Json): number {
  let count = 0;
  for (const key in object) if (object[key] !== undefined) count++;
  return count;
}
