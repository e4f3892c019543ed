import type { KubernetesObject } from '../../api/meta/object.ts';
import type { Resource } from '../../api/resource.ts';

/** What rows carry of their objects: the `includeObject` parameter. */
export type IncludeObject = 'None' | 'Metadata' | 'Object';

/** The parameter's value; `Metadata` when it was not given. Undefined for one that does not exist. */
export function parseIncludeObject(value: string | null | undefined): IncludeObject | undefined {
  if (value === null || value === undefined || value === '') return 'Metadata';
  return value === 'None' || value === 'Metadata' || value === 'Object' ? value : undefined;
}

/** An object stripped to its metadata. */
export const partialObject = (object: KubernetesObject): KubernetesObject => ({
  kind: 'PartialObjectMetadata',
  apiVersion: 'meta.k8s.io/v1',
  metadata: object.metadata ?? {},
});

/** The columns of a type as metav1.TableColumnDefinitions. */
export const columnDefinitions = (resource: Resource): readonly object[] =>
  resource.columns.map(({ name, type, format, description, priority }) => ({ name, type, format, description, priority }));

export function tableRow(resource: Resource, object: KubernetesObject, now: number, include: IncludeObject): object {
  const cells = resource.row(object, now);
  if (include === 'None') return { cells, object: null };
  return { cells, object: include === 'Object' ? object : partialObject(object) };
}

/** A meta.k8s.io Table of some objects. `headers` false leaves the columns out, as later events of a watch do. */
export function table(
  resource: Resource,
  objects: readonly KubernetesObject[],
  metadata: object,
  now: number,
  include: IncludeObject,
  version: string,
  headers = true,
): object {
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${version}`,
    metadata,
    columnDefinitions: headers ? columnDefinitions(resource) : null,
    rows: objects.map((object) => tableRow(resource, object, now, include)),
  };
}
