import type { KubernetesObject } from '../../api/meta/object.ts';
import { PreconditionError } from '../../store/contract.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { loopbackUser } from '../contract.ts';
import type { Core } from './core.ts';
import { shape, trackFields } from './create.ts';
import type { Endpoint } from './endpoint.ts';
import { Scope } from './scope.ts';

/**
 * Creates the server's own first objects, all in one commit; one that is there already is left as it is. They get defaults, managed fields of
 * `manager`, and what their type's strategy does, and keep the status they bring. They are not admitted and not validated: a start would spend most
 * of its time on that, for constants that tests have validated. Rejects when the store refuses.
 */
export async function seed(core: Core, endpoint: Endpoint, objects: readonly KubernetesObject[], manager: string): Promise<void> {
  const { group, version, plural: resource } = endpoint.resource;
  await Promise.all(
    objects.map(async (object) => {
      const { namespace = '', name = '' } = object.metadata ?? {};
      const request = { verb: 'create', group, version, resource, namespace, name, options: { fieldManager: manager } } as const;
      const scope = new Scope(core, endpoint, request, loopbackUser, manager);
      const complete = deepFreeze(endpoint.resource.defaults(object));
      const shaped = shape(scope, trackFields(scope, complete));
      const { status } = complete as { readonly status?: unknown };
      const stored = endpoint.toStored(status === undefined ? shaped : deepFreeze({ ...shaped, status }));
      try {
        await endpoint.collection.write({ type: 'put', key: endpoint.key(namespace, name), object: stored, expectedRevision: 0 });
      } catch (err) {
        // It is there: from an earlier start, or another API server on the same store was faster.
        if (!(err instanceof PreconditionError)) throw err;
      }
    }),
  );
}
