import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pod } from '../../api/types/core-v1.ts';
import type { IdMapping, RuntimeStatus } from '../../runtime/contract.ts';
import { podDirectory } from '../volumes/pod-volumes.ts';
import { podUid } from './pod-spec.ts';

/** The ids of a pod's user namespace: one range, the same for users and groups. */
export type UserNamespace = IdMapping;

/** Ids of each pod, and of the node itself before them (UserNamespaces.idsPerPod). */
const IDS = 65_536;
/** Pods that can have a user namespace at the same time. */
const MAX_PODS = 65_535 - 1;
const FILE = 'userns';

/** Why a pod cannot have a user namespace of its own; undefined when it can, or wants none. `handler`: of its runtime class. */
export function userNamespaceObstacle(
  pod: Pod,
  handlers: RuntimeStatus['runtimeHandlers'],
  handler: string | undefined,
): string | undefined {
  if (pod.spec?.hostUsers !== false) return undefined;
  if (handlers?.find((h) => h.name === (handler ?? ''))?.features?.userNamespaces === true) return undefined;
  return (handler ?? '') === ''
    ? "can't set `spec.hostUsers: false`, runtime does not support user namespaces"
    : `can't set \`spec.hostUsers: false\`, RuntimeClass handler ${JSON.stringify(handler)} does not support user namespaces`;
}

/** Gives pods ranges of ids that no other pod has (kubelet/userns). What a pod was given lies in its directory, and is its own until that is gone. */
export class UserNamespaces {
  readonly #rootDir: string;
  /** Numbers of ranges, by pod. */
  readonly #taken = new Map<string, number>();

  constructor(rootDir: string) {
    this.#rootDir = rootDir;
  }

  /** Learns what pods have from an earlier life. */
  async load(): Promise<void> {
    for (const uid of await readdir(join(this.#rootDir, 'pods')).catch(() => [])) {
      const text = await readFile(join(podDirectory(this.#rootDir, uid), FILE), 'utf8').catch(() => undefined);
      const hostId = text === undefined ? Number.NaN : Number((JSON.parse(text) as { readonly hostId?: number }).hostId);
      if (Number.isInteger(hostId) && hostId >= IDS) this.#taken.set(uid, hostId / IDS);
    }
  }

  /** The pod's range; undefined for one that uses the node's users. */
  async of(pod: Pod): Promise<UserNamespace | undefined> {
    if (pod.spec?.hostUsers !== false) return undefined;
    const uid = podUid(pod);
    let range = this.#taken.get(uid);
    if (range === undefined) {
      const others = new Set(this.#taken.values());
      range = 1;
      while (others.has(range)) range++;
      if (range > MAX_PODS) throw new Error('no ids are left for another user namespace');
      this.#taken.set(uid, range);
      const dir = podDirectory(this.#rootDir, uid);
      await mkdir(dir, { recursive: true, mode: 0o750 });
      await writeFile(join(dir, FILE), JSON.stringify({ hostId: range * IDS, containerId: 0, length: IDS }));
    }
    return { hostId: range * IDS, containerId: 0, length: IDS };
  }

  release(uid: string): void {
    this.#taken.delete(uid);
  }
}
