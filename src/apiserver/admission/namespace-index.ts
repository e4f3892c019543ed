import type { KubernetesObject } from '../../api/meta/object.ts';
import type { ResourceView } from '../contract.ts';

/** Namespaces whose lists are remembered. */
const MAX_NAMESPACES = 10_000;

/** The objects of a type by namespace, listed again only after one of them changed: for what is asked with every write. */
export class NamespaceIndex<T extends KubernetesObject> {
  readonly #view: ResourceView<T>;
  readonly #lists = new Map<string, readonly T[]>();

  constructor(view: ResourceView<T>) {
    this.#view = view;
    view.watch(({ object }) => void this.#lists.delete(object.metadata?.namespace ?? ''), new AbortController().signal);
  }

  of(namespace: string): readonly T[] {
    let list = this.#lists.get(namespace);
    if (list === undefined) {
      if (this.#lists.size >= MAX_NAMESPACES) this.#lists.clear();
      list = [...this.#view.list(namespace)];
      this.#lists.set(namespace, list);
    }
    return list;
  }
}
