import { type FieldError, invalid } from '../meta/field-error.ts';
import type { KubernetesObject } from '../meta/object.ts';
import type { ScaleMapping } from '../resource.ts';
import type { CustomResourceSubresourceScale } from '../types/apiextensions-v1.ts';

type JsonObject = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

const MAX_REPLICAS = 2 ** 31 - 1;

/** `.spec.replicas` as its members. */
const split = (path: string): readonly string[] => path.replace(/^\./, '').split('.');

function read(object: unknown, path: readonly string[]): unknown {
  let value = object;
  for (const name of path) {
    if (!isObject(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}

function write(value: unknown, path: readonly string[], leaf: unknown): unknown {
  const [name, ...rest] = path;
  if (name === undefined) return leaf;
  const object = isObject(value) ? value : {};
  return { ...object, [name]: write(object[name], rest, leaf) };
}

/** The `scale` subresource of a custom resource: where its definition says that the numbers are. */
export function scaleMapping(scale: CustomResourceSubresourceScale): ScaleMapping {
  const spec = split(scale.specReplicasPath);
  const status = split(scale.statusReplicasPath);
  const selector = scale.labelSelectorPath ? split(scale.labelSelectorPath) : undefined;
  const number = (value: unknown): number => (typeof value === 'number' ? value : 0);
  return {
    specReplicas: (object) => number(read(object, spec)),
    missingReplicas: (object) => (read(object, spec) === undefined ? scale.specReplicasPath : undefined),
    statusReplicas: (object) => number(read(object, status)),
    selector: (object) => {
      const text = selector === undefined ? undefined : read(object, selector);
      return typeof text === 'string' ? text : '';
    },
    withReplicas: (object, replicas) => write(object, spec, replicas) as KubernetesObject,
  };
}

/** What of the numbers that `scale` shows cannot be shown. The path is as it was written, its dot included, as upstream has it. */
export function scaleFaults(
  scale: CustomResourceSubresourceScale,
  object: KubernetesObject,
  parts: { readonly spec: boolean },
): readonly FieldError[] {
  const errors: FieldError[] = [];
  const replicas = (path: string): void => {
    const found = read(object, split(path)) ?? 0;
    const value = typeof found === 'bigint' ? Number(found) : found;
    if (typeof value !== 'number' || !Number.isInteger(value)) errors.push(invalid(path, 0, accessor(path, value, 'int64')));
    else if (value < 0) errors.push(invalid(path, value, 'should be a non-negative integer'));
    else if (value > MAX_REPLICAS) errors.push(invalid(path, value, `should be less than or equal to ${MAX_REPLICAS}`));
  };
  if (parts.spec) replicas(scale.specReplicasPath);
  replicas(scale.statusReplicasPath);
  const { labelSelectorPath } = scale;
  if (labelSelectorPath) {
    const value = read(object, split(labelSelectorPath)) ?? '';
    if (typeof value !== 'string') errors.push(invalid(labelSelectorPath, '', accessor(labelSelectorPath, value, 'string')));
  }
  return errors;
}

/** What Go's unstructured accessors say of a value of another type. */
function accessor(path: string, value: unknown, wanted: string): string {
  const type = Array.isArray(value)
    ? '[]interface {}'
    : typeof value === 'object'
      ? 'map[string]interface {}'
      : typeof value === 'number'
        ? Number.isInteger(value)
          ? 'int64'
          : 'float64'
        : typeof value === 'boolean'
          ? 'bool'
          : 'string';
  const shown = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return `${path} accessor error: ${shown} is of the type ${type}, expected ${wanted}`;
}
