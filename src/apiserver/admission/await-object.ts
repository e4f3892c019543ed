import type { KubernetesObject } from '../../api/meta/object.ts';
import type { ApiAccess, ResourceView } from '../contract.ts';

/** The object as soon as the view has it; undefined when that is not within `ms` milliseconds. */
export function awaitObject<T extends KubernetesObject>(
  access: Pick<ApiAccess, 'clock'>,
  view: ResourceView<T>,
  namespace: string,
  name: string,
  ms: number,
): Promise<T | undefined> {
  const found = view.get(namespace, name);
  if (found !== undefined) return Promise.resolve(found);
  return new Promise((resolve) => {
    const over = new AbortController();
    const settle = (object: T | undefined): void => {
      over.abort();
      timer.cancel();
      resolve(object);
    };
    const timer = access.clock.setTimer(ms, () => settle(view.get(namespace, name)));
    view.watch(({ type, object }) => {
      const { metadata } = object;
      if (type !== 'deleted' && metadata?.name === name && (metadata.namespace ?? '') === namespace) settle(object);
    }, over.signal);
  });
}
