import { mergeConfiguration } from '../../../api/apply/merge.ts';
import { type Shape, shapeOf } from '../../../api/apply/shape.ts';
import { checkTyped } from '../../../api/apply/typed-validation.ts';
import type { Bindings, Variables } from '../../../api/cel/compile.ts';
import { APPLY_CONFIGURATION, checkTypeNames, JSON_PATCHES, patchTypes } from '../../../api/cel/patch-types.ts';
import { ListValue, MapValue } from '../../../api/cel/values.ts';
import type { KubernetesObject } from '../../../api/meta/object.ts';
import { applyJsonPatch } from '../../../api/patch/json-patch.ts';
import type { Json } from '../../../api/patch/json-value.ts';
import type { Resource } from '../../../api/resource.ts';
import type { Mutation } from '../../../api/types/admissionregistration-v1.ts';
import { type Budget, Expression } from '../cel/expression.ts';
import { toJson } from '../cel/to-json.ts';

/** One mutation of a policy, compiled: the object with the patch that the expression makes. Throws an Error that says why not. */
export type Patcher = (
  object: KubernetesObject,
  type: Resource | undefined,
  bindings: Bindings,
  budget: Budget,
) => KubernetesObject;

export function compilePatcher(mutation: Mutation, variables: Variables): Patcher {
  const options = { structs: patchTypes };
  return mutation.patchType === 'JSONPatch'
    ? jsonPatcher(new Expression(mutation.jsonPatch?.expression ?? '', variables, [JSON_PATCHES], options))
    : applyPatcher(new Expression(mutation.applyConfiguration?.expression ?? '', variables, [APPLY_CONFIGURATION], options));
}

const jsonPatcher =
  (expression: Expression): Patcher =>
  (object, _type, bindings, budget) => {
    const patches = expression.evaluate(bindings, budget);
    if (!(patches instanceof ListValue)) throw new Error('type mismatch: JSONPatchType.expression should evaluate to array');
    let patched = object as unknown as Json;
    for (const patch of patches) {
      const value = patch instanceof MapValue ? patch.find('value') : undefined;
      if (value !== undefined && value !== null) checkTypeNames(value);
      const operation = toJson(patch) as { readonly op?: string };
      try {
        patched = applyJsonPatch(patched, [operation]);
      } catch (err) {
        // A test that fails means that there is nothing to be done.
        if (operation.op === 'test') return object;
        throw new Error(`JSON Patch: ${(err as Error).message}`);
      }
    }
    return patched as unknown as KubernetesObject;
  };

const applyPatcher =
  (expression: Expression): Patcher =>
  (object, type, bindings, budget) => {
    const value = expression.evaluate(bindings, budget);
    checkTypeNames(value);
    const { apiVersion, kind } = object;
    const configuration = { ...(toJson(value) as object), apiVersion, kind };
    if (type === undefined) throw new Error('error applying patch: the type of the object is not known');
    const shape = shapeOf(type.schema);
    try {
      checkTyped(shape, configuration, { allowDuplicates: false });
    } catch (err) {
      throw new Error(`error applying patch: failed to convert patch object to typed object: ${(err as Error).message}`);
    }
    const atomics = atomicPaths(shape, configuration, '');
    if (atomics.length > 0) {
      throw new Error(
        `error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: ${atomics.join(', ')}`,
      );
    }
    try {
      return mergeConfiguration(shape, object, configuration);
    } catch (err) {
      throw new Error(`error applying patch: failed to merge patch: ${(err as Error).message}`);
    }
  };

/** Where a configuration would replace as a whole what somebody may think is merged. */
function atomicPaths(shape: Shape, value: unknown, path: string): readonly string[] {
  if (Array.isArray(value)) {
    const { list } = shape;
    if (list === undefined) return [];
    const inner = value.flatMap((item, i) => atomicPaths(list.items, item, `${path}[${i}]`));
    return list.atomic ? [path, ...inner] : inner;
  }
  const { map } = shape;
  if (typeof value !== 'object' || value === null || map === undefined) return [];
  const inner = Object.entries(value).flatMap(([name, item]) => {
    const field = map.fields.get(name)?.shape;
    return field === undefined ? [] : atomicPaths(field, item, `${path}.${name}`);
  });
  return map.atomic ? [path, ...inner] : inner;
}
