import { type FieldSet, hasChildren, isMember, leaf, sorted } from './field-set.ts';
import type { ListShape, MapShape, Shape } from './shape.ts';

/**
 * A set as it must be under a schema that has since made lists or maps atomic: whoever owned a part of one owns the whole. The same set
 * when nothing of it is concerned. The other way, from atomic to granular, needs no change.
 */
export function reconcileWithSchema(set: FieldSet, shape: Shape): FieldSet {
  return reconcile(set, shape);
}

function reconcile(node: FieldSet, shape: Shape): FieldSet {
  if (shape.map !== undefined) return reconcileMap(node, shape.map);
  if (shape.scalar === undefined && shape.list !== undefined) return reconcileList(node, shape.list);
  return node;
}

function reconcileMap(node: FieldSet, shape: MapShape): FieldSet {
  if (shape.free) return node;
  if (shape.atomic) return hasChildren(node) ? leaf : node;
  return overChildren(node, (element) =>
    element.startsWith('f:') ? (shape.fields.get(element.slice(2))?.shape ?? shape.values) : shape.values,
  );
}

function reconcileList(node: FieldSet, shape: ListShape): FieldSet {
  if (shape.atomic) return hasChildren(node) || !isMember(node) ? leaf : node;
  return overChildren(node, () => shape.items);
}

function overChildren(node: FieldSet, shapeAt: (element: string) => Shape | undefined): FieldSet {
  let out: Record<string, FieldSet> | undefined;
  for (const element in node) {
    if (element === '.') continue;
    const inner = shapeAt(element);
    if (inner === undefined) continue;
    const child = node[element]!;
    const next = reconcile(child, inner);
    if (next !== child) (out ??= { ...node })[element] = next;
  }
  return out === undefined ? node : sorted(out);
}
