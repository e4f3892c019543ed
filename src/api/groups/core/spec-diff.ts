import { unifiedDiff } from '../../../util/unified-diff.ts';
import { internalJson } from './internal-json.ts';

/** Longer differences are cut: they go into an error message. */
const MAX_LENGTH = 64 * 1024;

/**
 * What an update may not change, as upstream's messages show it (diff.Diff of apimachinery): the difference of two values of a type, which
 * is given by its OpenAPI name, in the JSON of upstream's internal structs. It ends with a line break.
 */
export function specDiff(type: string, before: unknown, after: unknown): string {
  return unifiedDiff(internalJson(type, before), internalJson(type, after)).slice(0, MAX_LENGTH);
}
