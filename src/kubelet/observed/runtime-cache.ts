import { open } from 'node:fs/promises';
import type { ContainerRuntime, ContainerStatus, PodSandbox, Container as RuntimeContainer } from '../../runtime/contract.ts';
import { RuntimeError, runtimeErrorCodes } from '../../runtime/contract.ts';
import { keys } from '../containers/labels.ts';
import { logTail } from '../logs/read-log.ts';
import {
  emptyObserved,
  type ObservedContainer,
  type ObservedPod,
  type ObservedSandbox,
  observeContainer,
  observeSandbox,
} from './observed.ts';

/** Longest termination message of a container, bytes. */
const MAX_MESSAGE = 4096;
/** Pods remembered after they are gone. */
const MAX_GONE = 1000;
/** What of the log stands in for a message a failed container did not write. */
const FALLBACK_LINES = 80;
const FALLBACK_BYTES = 2048;

/**
 * What the runtime has, by pod: the kubelet's memory of it. A relist asks for the two lists and nothing more; only what changed since is asked
 * about in detail. A listing that began before a newer one ended for a pod never overwrites it.
 */
export class RuntimeCache {
  readonly #runtime: ContainerRuntime;
  readonly #changed: (uid: string) => void;
  readonly #pods = new Map<string, { readonly seen: number; readonly pod: ObservedPod }>();
  /** Details by id, valid for the state they were asked in. */
  readonly #containers = new Map<string, ObservedContainer>();
  readonly #sandboxes = new Map<string, ObservedSandbox>();
  /** Pods that are gone, with the listing that said so: an older one, still under way, must not bring them back. */
  readonly #gone = new Map<string, number>();
  #sequence = 0;
  /** Number of per-container and per-sandbox questions asked; for tests of the idle budget. */
  detailCalls = 0;

  constructor(runtime: ContainerRuntime, changed: (uid: string) => void) {
    this.#runtime = runtime;
    this.#changed = changed;
  }

  get(uid: string): ObservedPod {
    return this.#pods.get(uid)?.pod ?? emptyObserved(uid);
  }

  /** Uids of all pods the runtime knows of. */
  uids(): readonly string[] {
    return [...this.#pods.keys()];
  }

  /** Uid of the pod that a container or sandbox is of; undefined for one never seen. */
  ownerOf(id: string): string | undefined {
    return this.#containers.get(id)?.labels[keys.podUid] ?? this.#sandboxes.get(id)?.labels[keys.podUid];
  }

  /** Whether a container or sandbox is known to have ended. One that was only made has not. */
  hasEnded(id: string): boolean {
    return this.#containers.get(id)?.state === 'exited' || this.#sandboxes.get(id)?.ready === false;
  }

  /** Number of containers and sandboxes that run: what a relist may find changed by itself. */
  get alive(): number {
    let n = 0;
    for (const { pod } of this.#pods.values()) {
      n += pod.sandboxes.filter((s) => s.ready).length + pod.containers.filter((c) => c.state === 'running').length;
    }
    return n;
  }

  /** Looks at everything. */
  async relist(signal?: AbortSignal): Promise<void> {
    const seen = ++this.#sequence;
    const [sandboxes, containers] = await Promise.all([
      this.#runtime.listPodSandboxes(undefined, signal),
      this.#runtime.listContainers(undefined, signal),
    ]);
    const byPod = group(sandboxes, containers);
    for (const uid of this.#pods.keys()) if (!byPod.has(uid)) byPod.set(uid, { sandboxes: [], containers: [] });
    for (const [uid, lists] of byPod) await this.#take(uid, lists.sandboxes, lists.containers, seen);
  }

  /** Looks at one pod, now. */
  async refresh(uid: string, signal?: AbortSignal): Promise<ObservedPod> {
    const seen = ++this.#sequence;
    const filter = { labelSelector: { [keys.podUid]: uid } };
    const [sandboxes, containers] = await Promise.all([
      this.#runtime.listPodSandboxes(filter, signal),
      this.#runtime.listContainers(filter, signal),
    ]);
    await this.#take(uid, sandboxes, containers, seen);
    return this.get(uid);
  }

  async #take(
    uid: string,
    sandboxes: readonly PodSandbox[],
    containers: readonly RuntimeContainer[],
    seen: number,
  ): Promise<void> {
    const before = this.#pods.get(uid);
    if ((before?.seen ?? this.#gone.get(uid) ?? 0) > seen) return;
    if (before !== undefined && unchanged(before.pod, sandboxes, containers)) {
      this.#pods.set(uid, { seen, pod: before.pod });
      return;
    }
    const [newSandboxes, newContainers] = await Promise.all([
      Promise.all(sandboxes.map((s) => this.#sandbox(s))),
      Promise.all(containers.map((c) => this.#container(c))),
    ]);
    // Another listing may have come in while details were asked for.
    const now = this.#pods.get(uid);
    if ((now?.seen ?? this.#gone.get(uid) ?? 0) > seen) return;
    const present = new Set([...sandboxes, ...containers].map((x) => x.id));
    for (const old of [...(now?.pod.containers ?? []), ...(now?.pod.sandboxes ?? [])]) {
      if (present.has(old.id)) continue;
      this.#containers.delete(old.id);
      this.#sandboxes.delete(old.id);
    }
    const labels = (sandboxes[0] ?? containers[0])?.labels ?? {};
    this.#gone.delete(uid);
    if (present.size === 0) {
      this.#pods.delete(uid);
      this.#gone.set(uid, seen);
      for (const oldest of this.#gone.keys()) {
        if (this.#gone.size <= MAX_GONE) break;
        this.#gone.delete(oldest);
      }
    } else {
      this.#pods.set(uid, {
        seen,
        pod: {
          uid,
          name: labels[keys.podName] ?? '',
          namespace: labels[keys.podNamespace] ?? '',
          sandboxes: newSandboxes
            .filter((s) => s !== undefined)
            .sort((a, b) => b.createdAt - a.createdAt || b.attempt - a.attempt),
          containers: newContainers
            .filter((c) => c !== undefined)
            .sort((a, b) => b.createdAt - a.createdAt || b.restartCount - a.restartCount),
        },
      });
    }
    this.#changed(uid);
  }

  async #sandbox(listed: PodSandbox): Promise<ObservedSandbox | undefined> {
    const known = this.#sandboxes.get(listed.id);
    if (known !== undefined && known.ready === (listed.state === 'READY')) return known;
    this.detailCalls++;
    try {
      const status = await this.#runtime.podSandboxStatus(listed.id);
      const mode = status.namespaceOptions?.network;
      const hostNetwork = mode === undefined ? undefined : mode === 'NODE';
      const ips = [status.ip, ...status.additionalIps].filter((ip) => ip !== '');
      const observed = observeSandbox(
        { ...listed, state: status.state },
        // A stopped sandbox has lost its address; the pod's status keeps the last one.
        ips.length === 0 ? (known?.ips ?? []) : ips,
        hostNetwork,
      );
      this.#sandboxes.set(listed.id, observed);
      return observed;
    } catch (err) {
      if (isGone(err)) return undefined;
      throw err;
    }
  }

  async #container(listed: RuntimeContainer): Promise<ObservedContainer | undefined> {
    const known = this.#containers.get(listed.id);
    if (known !== undefined && known.state === states[listed.state]) return known;
    this.detailCalls++;
    try {
      const status = await this.#runtime.containerStatus(listed.id);
      const observed = observeContainer(listed, status, await terminationMessage(listed, status));
      this.#containers.set(listed.id, observed);
      return observed;
    } catch (err) {
      if (isGone(err)) return undefined;
      throw err;
    }
  }
}

const states = { CREATED: 'created', RUNNING: 'running', EXITED: 'exited', UNKNOWN: 'unknown' } as const;
const isGone = (err: unknown): boolean => err instanceof RuntimeError && err.code === runtimeErrorCodes.notFound;

function group(sandboxes: readonly PodSandbox[], containers: readonly RuntimeContainer[]) {
  const byPod = new Map<string, { sandboxes: PodSandbox[]; containers: RuntimeContainer[] }>();
  const of = (uid: string) => {
    let entry = byPod.get(uid);
    if (entry === undefined) byPod.set(uid, (entry = { sandboxes: [], containers: [] }));
    return entry;
  };
  for (const s of sandboxes) {
    const uid = s.labels[keys.podUid];
    if (uid !== undefined) of(uid).sandboxes.push(s);
  }
  for (const c of containers) {
    const uid = c.labels[keys.podUid];
    if (uid !== undefined) of(uid).containers.push(c);
  }
  return byPod;
}

function unchanged(pod: ObservedPod, sandboxes: readonly PodSandbox[], containers: readonly RuntimeContainer[]): boolean {
  if (pod.sandboxes.length !== sandboxes.length || pod.containers.length !== containers.length) return false;
  for (const s of sandboxes) {
    if (!pod.sandboxes.some((o) => o.id === s.id && o.ready === (s.state === 'READY'))) return false;
  }
  for (const c of containers) {
    if (!pod.containers.some((o) => o.id === c.id && o.state === states[c.state])) return false;
  }
  return true;
}

/** What an ended container left as its last word: the runtime's own message, its message file, or the end of its log. */
async function terminationMessage(listed: RuntimeContainer, status: ContainerStatus): Promise<string> {
  if (status.state !== 'EXITED') return status.message;
  const path = listed.annotations[keys.terminationMessagePath] ?? '';
  const mount = path === '' ? undefined : status.mounts.find((m) => m.containerPath === path);
  let own = mount === undefined ? '' : await headOf(mount.hostPath);
  if (own === '' && status.exitCode !== 0 && listed.annotations[keys.terminationMessagePolicy] === 'FallbackToLogsOnError') {
    own = await logTail(status.logPath, FALLBACK_LINES, FALLBACK_BYTES);
  }
  if (own === '') return status.message;
  return status.message === '' ? own : `${status.message}: ${own}`;
}

async function headOf(path: string): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_MESSAGE), 0, MAX_MESSAGE, 0);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (err) {
    return (err as NodeJS.ErrnoException).code === 'ENOENT'
      ? ''
      : `Error on reading termination log ${path}: ${(err as Error).message}`;
  }
}
