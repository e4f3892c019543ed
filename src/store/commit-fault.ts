import { MAX_COMMIT_OPS, MAX_KEY_LENGTH, type StoreOp } from './contract.ts';

const KEY = /^[\x20-\x7e]+$/;

/** What makes `ops` no commit; undefined when they are one. */
export function faultOf(ops: readonly StoreOp[]): string | undefined {
  if (ops.length === 0 || ops.length > MAX_COMMIT_OPS) return `a commit has 1 to ${MAX_COMMIT_OPS} operations, not ${ops.length}`;
  for (const { key } of ops) {
    if (key.length > MAX_KEY_LENGTH || !KEY.test(key)) return `not a key: ${JSON.stringify(key.slice(0, 100))}`;
  }
  if (ops.length > 1 && new Set(ops.map((op) => op.key)).size < ops.length) return 'a commit names a key twice';
  return undefined;
}
