import type { ApiRequest, UserInfo } from '../../api/request.ts';
import type { RequestAttributes } from '../contract.ts';

/** What a request for a resource asks authorization for. */
export function attributesOf(request: ApiRequest, user: UserInfo): RequestAttributes {
  const { fieldSelector, labelSelector } = request.options;
  return {
    user,
    verb: request.verb,
    isResourceRequest: true,
    apiGroup: request.group,
    apiVersion: request.version,
    resource: request.resource,
    subresource: request.subresource ?? '',
    // As the URL has it: a namespace object's own path names it as the namespace.
    namespace: request.resource === 'namespaces' && request.group === '' ? request.name : request.namespace,
    name: request.name,
    path: '',
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
    ...(labelSelector === undefined ? {} : { labelSelector }),
  };
}
