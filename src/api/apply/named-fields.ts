import { type FieldSet, hasChildren, isMember, leaf, withSelf } from './field-set.ts';
import type { Shape } from './shape.ts';

/**
 * The set with every declared field in it that has fields below it in the set: upstream's EnsureNamedFieldsAreMembers. Of `a.b.c` it
 * makes `a`, `a.b` and `a.b.c` where a and b are structs' fields; a member of a map is not added.
 */
export function withNamedFields(set: FieldSet, shape: Shape | undefined): FieldSet {
  const out: Record<string, FieldSet> = {};
  for (const element in set) {
    const node = set[element]!;
    if (element === '.' || !hasChildren(node)) {
      out[element] = node;
      continue;
    }
    let inner: Shape | undefined;
    let declared = false;
    if (element.startsWith('f:')) {
      const field = shape?.map?.fields.get(element.slice(2));
      declared = field !== undefined;
      inner = field?.shape ?? shape?.map?.values;
    } else if (element.startsWith('k:')) inner = shape?.list?.items;
    const grown = withNamedFields(node, inner);
    out[element] = declared && !isMember(node) ? { '.': leaf, ...grown } : isMember(node) ? withSelf(grown) : grown;
  }
  return out;
}
