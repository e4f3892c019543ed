import type { KubernetesObject } from '../../api/meta/object.ts';
import { markRepeated } from '../../api/repeated-parts.ts';
import { shareUnchanged } from './share-unchanged.ts';

/** Families of one type that are remembered. */
const MAX_FAMILIES = 64;

/**
 * What was created last of each family: objects with one generateName, or of one type in a namespace. Objects made of one template share what
 * they have in common, in memory and in the work that is done for them. Bounded; what is forgotten is only no longer shared.
 */
export class Families {
  readonly #last = new Map<string, KubernetesObject>();
  /** Frozen specs that a body had. */
  readonly #sent = new WeakSet<object>();

  /** Takes note of a body: callers in this process send the spec of one template, the same object, with every object they make of it. */
  note(body: unknown): void {
    const spec = typeof body === 'object' && body !== null ? specOf(body) : undefined;
    if (spec === undefined || !Object.isFrozen(spec)) return;
    if (this.#sent.has(spec)) markRepeated(spec);
    else this.#sent.add(spec);
  }

  /**
   * The frozen object, about to be created, with every part that equals the last one's being that part. A spec that comes again is marked as
   * repeated. Objects without a spec are hardly ever alike.
   */
  share(object: KubernetesObject): KubernetesObject {
    const spec = specOf(object);
    if (spec === undefined) return object;
    const { namespace = '', generateName = '' } = object.metadata ?? {};
    const key = `${namespace}/${generateName}`;
    const last = this.#last.get(key);
    if (last === undefined) {
      this.#last.set(key, object);
      if (this.#last.size > MAX_FAMILIES) this.#last.delete(this.#last.keys().next().value!);
      return object;
    }
    const shared = shareUnchanged(object, last);
    const common = specOf(shared);
    if (common !== undefined && common === specOf(last)) markRepeated(common);
    this.#last.set(key, shared);
    return shared;
  }
}

function specOf(object: object): object | undefined {
  const { spec } = object as { readonly spec?: unknown };
  return typeof spec === 'object' && spec !== null ? spec : undefined;
}
