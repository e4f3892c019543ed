import { isAlreadyExists, isStatusError } from '../api/meta/status.ts';
import type { Namespace } from '../api/types/core-v1.ts';
import type { Controller } from '../client/controller.ts';
import { startReconciler } from '../client/controller-runner.ts';
import { namespaces, serviceAccounts } from '../client/resource-refs.ts';

const NAME = 'default';

/** Sees that every active namespace has the ServiceAccount `default`. */
export function serviceAccountController(): Controller {
  return {
    name: 'serviceaccount-controller',
    start(context, signal) {
      const spaces = context.informers.informer(namespaces);
      const accounts = context.informers.informer(serviceAccounts);
      const queue = startReconciler(
        context,
        {
          name: 'serviceaccount',
          workers: 5,
          informers: [spaces, accounts],
          reconcile: async (name) => {
            if (spaces.get(name)?.metadata?.deletionTimestamp !== undefined || spaces.get(name) === undefined) return;
            if (accounts.get(`${name}/${NAME}`) !== undefined) return;
            try {
              await context.client.resource(serviceAccounts).create({ metadata: { name: NAME, namespace: name } }, { signal });
            } catch (err) {
              if (!isAlreadyExists(err) && !namespaceIsGoing(err)) throw err;
            }
          },
        },
        signal,
      );
      const enqueue = (namespace: Namespace): void => queue.add(namespace.metadata!.name!);
      spaces.addHandler({ onAdd: enqueue, onUpdate: enqueue });
      accounts.addHandler({
        onDelete: (account) => {
          if (account.metadata?.name === NAME) queue.add(account.metadata.namespace!);
        },
      });
    },
  };
}

/** Whether a create was refused because its namespace is being deleted or is gone: nothing can be done, and nothing need be. */
export function namespaceIsGoing(err: unknown): boolean {
  if (isStatusError(err, 'NotFound')) return true;
  return (
    isStatusError(err, 'Forbidden') && (err.status.details?.causes ?? []).some((cause) => cause.reason === 'NamespaceTerminating')
  );
}
