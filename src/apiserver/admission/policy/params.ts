import { selectorFromObject } from '../../../api/meta/label-selector.ts';
import { apiVersionOf, type KubernetesObject } from '../../../api/meta/object.ts';
import type { Resource } from '../../../api/resource.ts';
import type { ParamKind, ParamRef } from '../../../api/types/admissionregistration-v1.ts';
import type { ApiAccess } from '../../contract.ts';
import { convertObject } from '../matching/convert.ts';

/** The type of a policy's parameters. Throws an Error when it is not served. */
export function paramResource(kind: ParamKind, access: ApiAccess): Resource {
  for (const resource of access.resources()) {
    if (resource.kind === kind.kind && apiVersionOf(resource) === kind.apiVersion) return resource;
  }
  const { apiVersion = '' } = kind;
  const version = apiVersion.includes('/') ? apiVersion : `/${apiVersion}`;
  throw new Error(`failed to find resource referenced by paramKind: '${version}, Kind=${kind.kind ?? ''}'`);
}

/**
 * The parameters that a binding evaluates its policy with, one after the other; a single undefined where there are none to be. Throws an
 * Error when they are misconfigured, or missing where that is an error. `namespace` is that of the request.
 */
export function collectParams(
  resource: Resource | undefined,
  ref: ParamRef | undefined,
  namespace: string,
  access: ApiAccess,
): readonly (KubernetesObject | undefined)[] {
  if (resource === undefined || ref === undefined) return [undefined];
  const home = paramNamespace(resource, ref, namespace);
  const view = access.view(resource.group, resource.plural);
  let found: KubernetesObject[];
  if (ref.name) {
    const named = view?.get(home, ref.name);
    found = named === undefined ? [] : [named];
  } else if (ref.selector !== undefined) {
    const selector = selectorFromObject(ref.selector);
    found = [...(view?.list(home) ?? [])].filter((o) => selector.matches(o.metadata?.labels));
  } else {
    throw new Error('one of name or selector must be provided');
  }
  if (found.length === 0 && ref.parameterNotFoundAction === 'Deny') {
    throw new Error('no params found for policy binding with `Deny` parameterNotFoundAction');
  }
  const stored = view?.resource;
  const as = stored === undefined || stored.version === resource.version ? undefined : { from: stored, to: resource };
  return found.map((object) => convertObject(object, as));
}

function paramNamespace(resource: Resource, ref: ParamRef, namespace: string): string {
  if (!resource.namespaced) {
    if (ref.namespace) throw new Error('paramRef.namespace must not be provided for a cluster-scoped `paramKind`');
    return '';
  }
  const home = ref.namespace || namespace;
  if (home === '') {
    throw new Error('cannot use namespaced paramRef in policy binding that matches cluster-scoped resources');
  }
  return home;
}
