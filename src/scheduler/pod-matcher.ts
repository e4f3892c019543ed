import type { LabelSelector } from '../api/meta/label-selector.ts';
import type { PodInfo } from './pod-info.ts';

/** A question about pods that is asked of every pod that comes or goes. */
export interface PodMatcher {
  /** The namespaces that matching pods are in; undefined: any. */
  readonly namespaces: ReadonlySet<string> | undefined;
  /** A selector that matching pods satisfy; it may be that more is asked of them. */
  readonly selector: LabelSelector;
  matches(pod: PodInfo): boolean;
}

/**
 * Matchers, filed so that a pod meets only those that it might satisfy: by namespace, and by a label value that is demanded where one is.
 * Thousands of workloads have thousands of selectors, and each pod carries the labels of one.
 */
export class MatcherIndex<T extends { readonly matcher: PodMatcher }> {
  readonly #buckets = new Map<string, Set<T>>();

  get empty(): boolean {
    return this.#buckets.size === 0;
  }

  add(item: T): void {
    for (const name of bucketsOf(item.matcher)) {
      const bucket = this.#buckets.get(name);
      if (bucket === undefined) this.#buckets.set(name, new Set([item]));
      else bucket.add(item);
    }
  }

  delete(item: T): void {
    for (const name of bucketsOf(item.matcher)) {
      const bucket = this.#buckets.get(name);
      if (bucket?.delete(item) === true && bucket.size === 0) this.#buckets.delete(name);
    }
  }

  /** Calls `visit` with every item whose matcher matches the pod, each once. */
  forMatching(pod: PodInfo, visit: (item: T) => void): void {
    if (this.#buckets.size === 0) return;
    this.#visit(pod.namespace, pod, visit);
    this.#visit(ANYWHERE, pod, visit);
    for (const key in pod.labels) {
      const label = `\0${key}=${pod.labels[key]}`;
      this.#visit(pod.namespace + label, pod, visit);
      this.#visit(ANYWHERE + label, pod, visit);
    }
  }

  #visit(name: string, pod: PodInfo, visit: (item: T) => void): void {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) return;
    for (const item of bucket) if (item.matcher.matches(pod)) visit(item);
  }
}

/** No namespace has this name. */
const ANYWHERE = '*';

function bucketsOf({ namespaces, selector }: PodMatcher): readonly string[] {
  let label = '';
  for (const { key, operator, values } of selector.requirements) {
    if ((operator === '=' || operator === '==' || operator === 'in') && values.length === 1) {
      label = `\0${key}=${values[0]}`;
      break;
    }
  }
  return namespaces === undefined ? [ANYWHERE + label] : [...namespaces].map((namespace) => namespace + label);
}
