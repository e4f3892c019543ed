import { equalValues } from '../../api/apply/index.ts';
import type { KubernetesObject } from '../../api/meta/object.ts';
import { markRepeated } from '../../api/repeated-parts.ts';

/** Families of one type that are remembered. */
const MAX_FAMILIES = 64;

/** What objects of one family mostly have in common. */
interface Common {
  readonly spec: object;
  readonly labels: Readonly<Record<string, string>> | undefined;
}

/**
 * What was created last of each family: objects with one generateName, or of one type in a namespace. Objects made of one template share what
 * they have in common, in memory and in the work that is done for them. Bounded; what is forgotten is only no longer shared.
 */
export class Families {
  readonly #last = new Map<string, Common>();
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
   * The frozen object, about to be created, with the last one's spec and labels where they are equal. Such a spec is marked as repeated.
   * Objects without a spec are hardly ever alike.
   */
  share(object: KubernetesObject): KubernetesObject {
    const spec = specOf(object);
    if (spec === undefined) return object;
    const { metadata } = object;
    const key = `${metadata?.namespace ?? ''}/${metadata?.generateName ?? ''}`;
    const last = this.#last.get(key);
    const labels = metadata?.labels;
    if (last === undefined || !equalValues(spec, last.spec)) {
      this.#last.set(key, { spec, labels });
      if (this.#last.size > MAX_FAMILIES) this.#last.delete(this.#last.keys().next().value!);
      return object;
    }
    markRepeated(last.spec);
    if (labels !== last.labels && !equalValues(labels, last.labels)) this.#last.set(key, { spec: last.spec, labels });
    else if (labels !== last.labels) {
      return Object.freeze({ ...object, spec: last.spec, metadata: Object.freeze({ ...metadata, labels: last.labels }) });
    }
    return spec === last.spec ? object : Object.freeze({ ...object, spec: last.spec });
  }
}

function specOf(object: object): object | undefined {
  const { spec } = object as { readonly spec?: unknown };
  return typeof spec === 'object' && spec !== null ? spec : undefined;
}
