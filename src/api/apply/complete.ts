import { isList, isMap, type JsonMap, setMember } from './json-value.ts';
import { deducedShape, type Shape, untypedShape } from './shape.ts';

/**
 * A typed object with every field that Go would have, so that it can be compared with what clients wrote; within values that are owned
 * as one too: a client that leaves such a field away there has written another value. The same object when it has them all.
 */
export function withImpliedFields<T>(shape: Shape, value: T): T {
  return complete(shape, value) as T;
}

function complete(shape: Shape, value: unknown): unknown {
  if (shape === untypedShape || shape === deducedShape) return value;
  if (isList(value)) {
    if (shape.list === undefined) return value;
    const { items } = shape.list;
    let out: unknown[] | undefined;
    for (let i = 0; i < value.length; i++) {
      const item = complete(items, value[i]);
      if (item !== value[i]) (out ??= [...value])[i] = item;
    }
    return out ?? value;
  }
  if (!isMap(value) || shape.map === undefined) return value;
  return completeMap(shape, value);
}

function completeMap(shape: Shape, map: JsonMap): JsonMap {
  const { fields, values, implied } = shape.map!;
  let out: Record<string, unknown> | undefined;
  for (const name in map) {
    const inner = fields.get(name)?.shape ?? values;
    if (inner === undefined) continue;
    const member = complete(inner, map[name]);
    if (member !== map[name]) setMember((out ??= { ...map }), name, member);
  }
  for (const field of implied) if (map[field.name] === undefined) (out ??= { ...map })[field.name] = field.implied;
  return out ?? map;
}
