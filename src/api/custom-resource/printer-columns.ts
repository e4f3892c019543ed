import { age } from '../groups/define.ts';
import type { KubernetesObject } from '../meta/object.ts';
import { parseInstant, TimeError } from '../meta/time.ts';
import type { TableColumn } from '../resource.ts';
import type { CustomResourceColumnDefinition } from '../types/apiextensions-v1.ts';
import { compileJsonPath, type JsonPath, JsonPathError } from './json-path.ts';

/** What a table shows of a custom resource. */
export interface Printer {
  readonly columns: readonly TableColumn[];
  row(object: KubernetesObject, now: number): readonly unknown[];
}

const nameColumn: TableColumn = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description:
    'Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names',
  priority: 0,
};

/** What is shown when a definition names no columns. */
const ageColumn: CustomResourceColumnDefinition = {
  name: 'Age',
  type: 'date',
  description:
    'CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata',
  jsonPath: '.metadata.creationTimestamp',
};

/** Compiles `additionalPrinterColumns`. One path that cannot be read leaves only the columns before it, as upstream does. */
export function printer(definitions: readonly CustomResourceColumnDefinition[] | undefined): Printer {
  const columns: TableColumn[] = [nameColumn];
  const cells: ((object: KubernetesObject, now: number) => unknown)[] = [(object) => object.metadata?.name ?? ''];
  for (const definition of definitions === undefined || definitions.length === 0 ? [ageColumn] : definitions) {
    let path: JsonPath;
    try {
      path = compileJsonPath(definition.jsonPath);
    } catch (err) {
      if (!(err instanceof JsonPathError)) throw err;
      break;
    }
    const { name, type, format = '', description, priority = 0, jsonPath } = definition;
    columns.push({
      name,
      type: type as TableColumn['type'],
      format,
      description: description || `Custom resource definition column (in JSONPath format): ${jsonPath}`,
      priority,
    });
    cells.push((object, now) => cell(type, path(object)[0], now));
  }
  return { columns, row: (object, now) => cells.map((make) => make(object, now)) };
}

function cell(type: string, value: unknown, now: number): unknown {
  if (value === undefined || value === null) return null;
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : typeof value === 'bigint' ? value : null;
    case 'number':
      return typeof value === 'number' || typeof value === 'bigint' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'string':
      return typeof value === 'object' ? JSON.stringify(value) : String(value);
    case 'date':
      return typeof value === 'string' ? since(value, now) : null;
    default:
      return null;
  }
}

function since(timestamp: string, now: number): string {
  if (timestamp === '' || timestamp === 'null') return '<unknown>';
  try {
    parseInstant(timestamp, false);
    return age(timestamp, now);
  } catch (err) {
    if (err instanceof TimeError) return '<invalid>';
    throw err;
  }
}
