import type { KubernetesObject } from '../../api/meta/object.ts';

/** Who depends on whom: owner's uid to the ids of the objects that refer to it. Owners need not exist. */
export class Dependents {
  readonly #byOwner = new Map<string, Set<string>>();

  /** The object changed from `old` (undefined: it is new) to `next` (undefined: it is gone). */
  change(id: string, old: KubernetesObject | undefined, next: KubernetesObject | undefined): void {
    const before = old?.metadata?.ownerReferences;
    const after = next?.metadata?.ownerReferences;
    if (before === after) return;
    for (const { uid } of before ?? []) {
      if (after?.some((reference) => reference.uid === uid) === true) continue;
      const ids = this.#byOwner.get(uid);
      if (ids?.delete(id) === true && ids.size === 0) this.#byOwner.delete(uid);
    }
    for (const { uid } of after ?? []) {
      const ids = this.#byOwner.get(uid);
      if (ids === undefined) this.#byOwner.set(uid, new Set([id]));
      else ids.add(id);
    }
  }

  of(uid: string): Iterable<string> {
    return this.#byOwner.get(uid) ?? [];
  }

  /** Owners that anybody refers to. */
  get size(): number {
    return this.#byOwner.size;
  }
}
