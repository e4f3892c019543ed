import { AuthorizerValue, type Check, ResourceCheck } from '../../../api/cel/authorizer-library.ts';
import type { Bindings } from '../../../api/cel/compile.ts';
import { dynamicValue } from '../../../api/cel/json-values.ts';
import type { KubernetesObject } from '../../../api/meta/object.ts';
import type { UserInfo } from '../../../api/request.ts';
import type { Namespace } from '../../../api/types/core-v1.ts';
import type { AdmissionAttributes, Authorizer } from '../../contract.ts';
import { convertObject } from '../matching/convert.ts';
import type { ResourceMatch } from '../matching/resource-match.ts';
import { isAllowed } from '../permission.ts';
import { requestOf } from '../request-description.ts';

/** What one evaluation is about. */
export interface EvaluationInput {
  readonly attributes: AdmissionAttributes;
  readonly match: ResourceMatch;
  readonly namespace: Namespace | undefined;
  readonly params?: KubernetesObject | undefined;
  readonly authorizer: Authorizer;
}

/** The values of the variables, made when they are first looked at. */
export function bindVariables({ attributes, match, namespace, params, authorizer }: EvaluationInput): Bindings {
  const { object: now, oldObject } = attributes;
  return {
    object: () => dynamicValue(convertObject(now, match.as) ?? null),
    oldObject: () => dynamicValue(convertObject(oldObject, match.as) ?? null),
    request: () => dynamicValue(requestOf(attributes, match)),
    namespaceObject: () => dynamicValue(visibleNamespace(namespace) ?? null),
    params: () => dynamicValue(params ?? null),
    authorizer: () => new AuthorizerValue(checkFor(authorizer, attributes.user)),
    'authorizer.requestResource': () => {
      const { resource, subresource, namespace: inNamespace, name } = attributes;
      const { group } = resource;
      const request = { group, resource: resource.resource, subresource, namespace: inNamespace, name };
      return new ResourceCheck(new AuthorizerValue(checkFor(authorizer, attributes.user)), request);
    },
  };
}

/** Expressions see of a namespace what concerns them. */
function visibleNamespace(namespace: Namespace | undefined): object | undefined {
  if (namespace === undefined) return undefined;
  const { managedFields: _managed, ownerReferences: _owners, ...metadata } = namespace.metadata ?? {};
  return { metadata, spec: namespace.spec ?? {}, status: namespace.status ?? {} };
}

/** Asks the authorizer for the user, or for the service account that the expression named. */
function checkFor(authorizer: Authorizer, user: UserInfo): Check {
  return ({ serviceAccount, verb, path, group, resource, subresource, namespace, name }) => {
    const who = serviceAccount === undefined ? user : accountUser(serviceAccount.namespace, serviceAccount.name);
    const permission = { verb, apiGroup: group, resource, subresource, namespace, name };
    const allowed = isAllowed(
      authorizer,
      who,
      path === undefined ? permission : { ...permission, path, isResourceRequest: false },
    );
    if (allowed instanceof Promise) {
      return { allowed: false, reason: '', error: 'the authorizer does not answer at once, as expressions need it to' };
    }
    return { allowed, reason: '' };
  };
}

const accountUser = (namespace: string, name: string): UserInfo => ({
  name: `system:serviceaccount:${namespace}:${name}`,
  groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
});
