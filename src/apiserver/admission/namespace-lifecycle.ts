import { forbiddenError, notFound, StatusError } from '../../api/meta/status.ts';
import type { Namespace } from '../../api/types/core-v1.ts';
import type { AdmissionAttributes, AdmissionPlugin, ApiAccess, ResourceView } from '../contract.ts';
import { awaitObject } from './await-object.ts';
import { refuse } from './refusal.ts';

/** Namespaces that cannot be deleted. */
const immortal: ReadonlySet<string> = new Set(['default', 'kube-system', 'kube-public']);
/** How long a create waits for a namespace that is not there. */
const MISSING_NAMESPACE_WAIT_MS = 50;
const namespaces = { group: '', resource: 'namespaces' };

/** Keeps content out of namespaces that are missing or on their way out, and the system's namespaces from being deleted. */
export function namespaceLifecycle(): AdmissionPlugin {
  let access: ApiAccess | undefined;
  let view: ResourceView<Namespace> | undefined;
  return {
    name: 'NamespaceLifecycle',
    initialize: (given) => {
      access = given;
      view = given.view<Namespace>('', 'namespaces');
    },
    handles: ({ operation, group, resource }) => {
      if (group === '' && resource === 'namespaces') return operation === 'DELETE';
      // Whether a namespace is there is told by no review, so that nobody finds out by asking.
      if (group === 'authorization.k8s.io' && resource === 'localsubjectaccessreviews') return false;
      return operation === 'CREATE' || operation === 'UPDATE';
    },
    mutate: (attributes) => {
      if (attributes.operation === 'DELETE') {
        if (immortal.has(attributes.name)) {
          throw forbiddenError(namespaces, attributes.name, 'this namespace may not be deleted');
        }
        return attributes.object;
      }
      if (attributes.namespace === '' || attributes.resource.resource === 'namespaces' || view === undefined) {
        return attributes.object;
      }
      const found = view.get('', attributes.namespace);
      if (found !== undefined) {
        checkOpen(attributes, found);
        return attributes.object;
      }
      if (attributes.operation !== 'CREATE') throw notFound(namespaces, attributes.namespace);
      return admitWhenThere(access!, view, attributes);
    },
  };
}

/** The view does not know the namespace: another API server may have made it a moment ago. */
async function admitWhenThere(
  access: ApiAccess,
  view: ResourceView<Namespace>,
  attributes: AdmissionAttributes,
): Promise<AdmissionAttributes['object']> {
  const name = attributes.namespace;
  const found = await awaitObject(access, view, '', name, MISSING_NAMESPACE_WAIT_MS);
  if (found === undefined) throw notFound(namespaces, name);
  checkOpen(attributes, found);
  return attributes.object;
}

function checkOpen(attributes: AdmissionAttributes, namespace: Namespace): void {
  if (attributes.operation !== 'CREATE' || namespace.status?.phase !== 'Terminating') return;
  const name = attributes.namespace;
  const { status } = refuse(attributes, `unable to create new content in namespace ${name} because it is being terminated`);
  const cause = { reason: 'NamespaceTerminating', message: `namespace ${name} is being terminated`, field: 'metadata.namespace' };
  throw new StatusError({ ...status, details: { ...status.details, causes: [cause] } });
}
