import type { GroupVersionKind } from '../../api/meta/object.ts';
import type { AdmissionAttributes } from '../contract.ts';
import type { ResourceMatch } from './matching/resource-match.ts';

/** A write as webhooks and expressions are told of it: an AdmissionReview's request without its uid and objects. */
export function requestOf(attributes: AdmissionAttributes, match: Pick<ResourceMatch, 'kind' | 'resource'>): object {
  const { kind, resource, subresource, operation, user, dryRun, options, object } = attributes;
  const name = attributes.name || object?.metadata?.name || '';
  // A namespace is told of as in itself.
  const namespace = resource.group === '' && resource.resource === 'namespaces' ? name : attributes.namespace;
  return {
    kind: plain(match.kind),
    resource: match.resource,
    ...(subresource === '' ? {} : { subResource: subresource }),
    requestKind: plain(kind),
    requestResource: resource,
    ...(subresource === '' ? {} : { requestSubResource: subresource }),
    ...(name === '' ? {} : { name }),
    ...(namespace === '' ? {} : { namespace }),
    operation,
    userInfo: {
      username: user.name,
      ...(user.uid === undefined || user.uid === '' ? {} : { uid: user.uid }),
      ...(user.groups.length === 0 ? {} : { groups: user.groups }),
      ...(user.extra === undefined || Object.keys(user.extra).length === 0 ? {} : { extra: user.extra }),
    },
    dryRun,
    // What is connected with its options has no others.
    options: operation === 'CONNECT' ? null : options,
  };
}

/** A kind may be told by what knows more about it. */
const plain = ({ group, version, kind }: GroupVersionKind): GroupVersionKind => ({ group, version, kind });
