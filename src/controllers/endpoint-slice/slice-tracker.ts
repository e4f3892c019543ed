import type { KubernetesObject } from '../../api/meta/object.ts';

/**
 * Writes that the informer has not shown yet, by the owner they were made for. Until it has, slices counted from the informer are old ones:
 * acting on them would make a slice twice.
 */
export class SliceTracker {
  readonly #pending = new Map<string, Map<string, string | undefined>>();

  /** Whether everything written for `owner` has been seen. */
  upToDate(owner: string): boolean {
    return !this.#pending.has(owner);
  }

  /** A slice was written; `cached` is what the informer has now. */
  wrote(owner: string, slice: KubernetesObject, cached: KubernetesObject | undefined): void {
    if (cached !== undefined && !isOlder(cached, slice.metadata?.resourceVersion)) return;
    this.#expect(owner, slice.metadata!.name!, slice.metadata?.resourceVersion);
  }

  /** A slice was deleted. */
  deleted(owner: string, name: string, cached: KubernetesObject | undefined): void {
    if (cached !== undefined) this.#expect(owner, name, undefined);
  }

  /** The informer showed a slice, or that it is gone. Gives whether that was news to the owner's reconciliation. */
  observed(owner: string, slice: KubernetesObject, gone: boolean): boolean {
    const pending = this.#pending.get(owner);
    const name = slice.metadata?.name ?? '';
    if (pending === undefined || !pending.has(name)) return true;
    const version = pending.get(name);
    if (!gone && (version === undefined || isOlder(slice, version))) return false;
    pending.delete(name);
    if (pending.size === 0) this.#pending.delete(owner);
    return gone ? version !== undefined : slice.metadata?.resourceVersion !== version;
  }

  forget(owner: string): void {
    this.#pending.delete(owner);
  }

  #expect(owner: string, name: string, version: string | undefined): void {
    let pending = this.#pending.get(owner);
    if (pending === undefined) {
      pending = new Map();
      this.#pending.set(owner, pending);
    }
    pending.set(name, version);
  }
}

/** Resource versions are ordered numbers, written without leading zeros (KEP-5504). */
function isOlder(object: KubernetesObject, version = '0'): boolean {
  const own = object.metadata?.resourceVersion ?? '0';
  return own.length === version.length ? own < version : own.length < version.length;
}
