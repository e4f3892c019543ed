import type { KubernetesObject } from '../../api/meta/object.ts';
import { badRequest } from '../../api/meta/status.ts';
import type { TableForm } from '../rest/scope.ts';

/** What rows carry of their objects: the `includeObject` parameter. */
export type IncludeObject = 'None' | 'Metadata' | 'Object';

/** The parameter's value; `Metadata` when it was not given. Throws a 400 for one that does not exist. */
export function includeObject(query: URLSearchParams | undefined): IncludeObject {
  const value = query?.get('includeObject');
  if (value === null || value === undefined || value === '') return 'Metadata';
  if (value === 'None' || value === 'Metadata' || value === 'Object') return value;
  throw badRequest(
    `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(value)}: must be 'Metadata', 'Object', 'None', or empty`,
  );
}

/** An object stripped to its metadata. `version` is that of meta.k8s.io. */
export const partialObject = (object: KubernetesObject, version = 'v1'): KubernetesObject => ({
  kind: 'PartialObjectMetadata',
  apiVersion: `meta.k8s.io/${version}`,
  metadata: object.metadata ?? {},
});

/** A Table's fields but its rows. `headers` false leaves the columns out, as later events of a watch do. */
export const tableHead = (resource: TableForm, metadata: object, version: string, headers = true): object => ({
  kind: 'Table',
  apiVersion: `meta.k8s.io/${version}`,
  metadata,
  columnDefinitions: headers ? columnDefinitions(resource) : null,
});

/** The columns of a type as metav1.TableColumnDefinitions. */
const columnDefinitions = (resource: Pick<TableForm, 'columns'>): readonly object[] =>
  resource.columns.map(({ name, type, format, description, priority }) => ({ name, type, format, description, priority }));

const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

/** One row. The bookmark that ends initial events keeps its metadata in any case: it says nothing without. */
export function tableRow(
  resource: TableForm,
  object: KubernetesObject,
  now: number,
  include: IncludeObject,
  version: string,
): object {
  const cells = resource.row(object, now);
  if (include === 'None' && object.metadata?.annotations?.[INITIAL_EVENTS_END] === undefined) return { cells, object: null };
  return { cells, object: include === 'Object' ? object : partialObject(object, version) };
}
