import type { ApiRequest, RequestOptions } from './request.ts';

/** Options that travel in the query of every verb; those of a delete travel in its body. */
const queryNames = [
  'resourceVersion',
  'resourceVersionMatch',
  'labelSelector',
  'fieldSelector',
  'limit',
  'continue',
  'timeoutSeconds',
  'allowWatchBookmarks',
  'sendInitialEvents',
  'fieldManager',
  'fieldValidation',
  'force',
] as const satisfies readonly (keyof RequestOptions)[];

/** The path and query of a request. */
export function requestUrl(request: ApiRequest): string {
  const { group, version, namespace, resource, name, subresource } = request;
  let url = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  if (namespace !== '') url += `/namespaces/${encodeURIComponent(namespace)}`;
  url += `/${resource}`;
  if (name !== '') url += `/${encodeURIComponent(name)}`;
  if (subresource !== undefined) url += `/${subresource}`;
  const query = requestQuery(request);
  return query === '' ? url : `${url}?${query}`;
}

function requestQuery(request: ApiRequest): string {
  const { options, verb } = request;
  let query = verb === 'watch' ? 'watch=true' : '';
  const add = (name: string, value: unknown): void => {
    query += `${query === '' ? '' : '&'}${name}=${encodeURIComponent(String(value))}`;
  };
  for (const name of queryNames) {
    const value = options[name];
    if (value !== undefined) add(name, value);
  }
  if (verb !== 'delete' && verb !== 'deletecollection') for (const value of options.dryRun ?? []) add('dryRun', value);
  return query;
}

/** The DeleteOptions of a delete; undefined when there is nothing to say. */
export function deleteBody(options: RequestOptions): unknown {
  const { gracePeriodSeconds, propagationPolicy, orphanDependents, preconditions, dryRun } = options;
  const said = { gracePeriodSeconds, propagationPolicy, orphanDependents, preconditions, dryRun };
  if (Object.values(said).every((value) => value === undefined)) return undefined;
  return { kind: 'DeleteOptions', apiVersion: 'v1', ...said };
}
