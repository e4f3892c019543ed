import { isAlreadyExists } from '../api/meta/status.ts';
import type { ConfigMap } from '../api/types/core-v1.ts';
import type { Controller } from '../client/controller.ts';
import { startReconciler } from '../client/controller-runner.ts';
import { configMaps, namespaces } from '../client/resource-refs.ts';
import { namespaceIsGoing } from './service-account.ts';

const NAME = 'kube-root-ca.crt';
const DESCRIPTION = 'kubernetes.io/description';
const DESCRIPTION_TEXT =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.';

export interface RootCaPublisherOptions {
  /** The cluster's CA bundle, PEM. */
  readonly rootCa: string;
}

/** Sees that every active namespace has the ConfigMap `kube-root-ca.crt`, holding exactly the cluster's CA. */
export function rootCaPublisher({ rootCa }: RootCaPublisherOptions): Controller {
  return {
    name: 'root-ca-certificate-publisher-controller',
    start(context, signal) {
      const spaces = context.informers.informer(namespaces);
      const maps = context.informers.informer(configMaps);
      const client = context.client.resource(configMaps);
      const queue = startReconciler(
        context,
        {
          name: 'root_ca_cert_publisher',
          workers: 1,
          informers: [spaces, maps],
          reconcile: async (namespace) => {
            const space = spaces.get(namespace);
            if (space === undefined || space.metadata?.deletionTimestamp !== undefined) return;
            const next = planRootCa(maps.get(`${namespace}/${NAME}`), namespace, rootCa);
            if (next === undefined) return;
            try {
              await (next.metadata?.uid === undefined ? client.create(next, { signal }) : client.update(next, { signal }));
            } catch (err) {
              if (!isAlreadyExists(err) && !namespaceIsGoing(err)) throw err;
            }
          },
        },
        signal,
      );
      const enqueue = (map: ConfigMap): void => {
        if (map.metadata?.name === NAME) queue.add(map.metadata.namespace!);
      };
      maps.addHandler({ onUpdate: enqueue, onDelete: enqueue });
      spaces.addHandler({
        onAdd: (space) => queue.add(space.metadata!.name!),
        onUpdate: (space) => queue.add(space.metadata!.name!),
      });
    },
  };
}

/** What to write so that the namespace's ConfigMap is right: a new one, a corrected one, or nothing. */
export function planRootCa(current: ConfigMap | undefined, namespace: string, rootCa: string): ConfigMap | undefined {
  const data = { 'ca.crt': rootCa };
  if (current === undefined) {
    return { metadata: { name: NAME, namespace, annotations: { [DESCRIPTION]: DESCRIPTION_TEXT } }, data };
  }
  const { annotations } = current.metadata ?? {};
  const right =
    Object.keys(current.data ?? {}).length === 1 &&
    current.data?.['ca.crt'] === rootCa &&
    (annotations?.[DESCRIPTION] ?? '') !== '';
  if (right) return undefined;
  return {
    ...current,
    metadata: { ...current.metadata, annotations: { ...annotations, [DESCRIPTION]: DESCRIPTION_TEXT } },
    data,
  };
}
