import { badRequest } from '../../api/meta/status.ts';
import type { ApiRequest, RequestOptions } from '../../api/request.ts';
import { parseJson } from '../../api/wire/json.ts';
import { bodyEncoding, bodyType } from './negotiation.ts';
import { parseYaml } from './yaml.ts';

/** The DeleteOptions of a body, which take the place of those in the query; the request as it is when there is no body. */
export function decodeDeleteOptions(request: ApiRequest, body: Buffer, contentType: string | undefined): ApiRequest {
  if (body.length === 0) return request;
  const encoding = bodyEncoding(bodyType(contentType), ['json', 'yaml']);
  const value = encoding === 'yaml' ? parseYaml(body) : parseJson(body, { duplicates: false }).value;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badRequest('DeleteOptions must be an object');
  const { kind, gracePeriodSeconds, propagationPolicy, orphanDependents, preconditions, dryRun } = value as Record<
    string,
    unknown
  >;
  if (kind !== undefined && kind !== '' && kind !== 'DeleteOptions') {
    throw badRequest(`decoded object cannot be converted to DeleteOptions: ${String(kind)}`);
  }
  const list = request.options;
  const options: RequestOptions = {
    ...(list.labelSelector === undefined ? {} : { labelSelector: list.labelSelector }),
    ...(list.fieldSelector === undefined ? {} : { fieldSelector: list.fieldSelector }),
    ...(list.resourceVersion === undefined ? {} : { resourceVersion: list.resourceVersion }),
    ...(list.limit === undefined ? {} : { limit: list.limit }),
    ...(list.continue === undefined ? {} : { continue: list.continue }),
    ...optional('gracePeriodSeconds', gracePeriodSeconds, 'number'),
    ...optional('propagationPolicy', propagationPolicy, 'string'),
    ...optional('orphanDependents', orphanDependents, 'boolean'),
    ...(Array.isArray(dryRun) && dryRun.length > 0 ? { dryRun: dryRun.map(String) } : {}),
    ...(typeof preconditions === 'object' && preconditions !== null
      ? { preconditions: preconditions as NonNullable<RequestOptions['preconditions']> }
      : {}),
  };
  return { ...request, options };
}

function optional(name: string, value: unknown, type: 'number' | 'string' | 'boolean'): Record<string, unknown> {
  if (value === undefined || value === null) return {};
  // biome-ignore lint/suspicious/useValidTypeof: the type is a parameter of this function
  if (typeof value !== type) throw badRequest(`DeleteOptions.${name}: wrong type`);
  return { [name]: value };
}
