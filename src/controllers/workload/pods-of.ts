import type { KubernetesObject } from '../../api/meta/object.ts';
import type { Informer } from '../../client/contract.ts';
import { controllerOf } from './controller-ref.ts';

const BY_CONTROLLER = 'controller';
const ORPHANS = 'orphans';
const NO_VALUES: readonly string[] = [];

/** Indexes an informer by the uid of the managing owner, and orphans by namespace; asking twice costs nothing. */
export function indexByController<T extends KubernetesObject>(informer: Informer<T>): void {
  informer.addIndex(BY_CONTROLLER, (object) => {
    const uid = controllerOf(object)?.uid;
    return uid === undefined ? NO_VALUES : [uid];
  });
  informer.addIndex(ORPHANS, (object) => (controllerOf(object) === undefined ? [object.metadata?.namespace ?? ''] : NO_VALUES));
}

/** The objects that the owner manages. */
export function controlledBy<T extends KubernetesObject>(informer: Informer<T>, uid: string): readonly T[] {
  return informer.byIndex(BY_CONTROLLER, uid);
}

/** The objects of a namespace that nobody manages. */
export function orphansIn<T extends KubernetesObject>(informer: Informer<T>, namespace: string): readonly T[] {
  return informer.byIndex(ORPHANS, namespace);
}

/** What an owner has to look at when it claims: what it manages, and orphans. */
export function candidatesFor<T extends KubernetesObject>(informer: Informer<T>, owner: KubernetesObject): readonly T[] {
  const { uid = '', namespace = '' } = owner.metadata ?? {};
  return [...controlledBy(informer, uid), ...orphansIn(informer, namespace)];
}
