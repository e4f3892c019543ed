import { compileNodeSelector, type NodeTest } from '../api/groups/core/node-selector.ts';
import { type KubernetesObject, objectKey } from '../api/meta/object.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../api/types/core-v1.ts';
import type { CSIDriver, CSINode, CSIStorageCapacity, StorageClass } from '../api/types/storage-v1.ts';
import type { Client, Informer, InformerFactory } from '../client/contract.ts';
import {
  csiDrivers,
  csiNodes,
  csiStorageCapacities,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  storageClasses,
} from '../client/resource-refs.ts';
import type { Clock } from '../util/clock.ts';
import type { VolumeDecision, VolumeView } from './framework.ts';
import type { NodeInfo } from './node-info.ts';
import type { PodInfo } from './pod-info.ts';
import { fullyBound, volumeAnnotations, volumeClass } from './volume-matching.ts';

/** How long a pod's volumes may take to be bound or provisioned (VolumeBindingArgs.bindTimeoutSeconds). */
const BIND_TIMEOUT_MS = 600_000;

/** Objects as they will be once a decision is carried out, each until the API shows a state later than the one it was made from. */
class Assumed<T extends KubernetesObject> {
  readonly #objects = new Map<string, T>();

  constructor(informer: Informer<T>, key: (object: T) => string) {
    const settle = (object: T): void => {
      const assumed = this.#objects.get(key(object));
      if (assumed !== undefined && assumed.metadata?.resourceVersion !== object.metadata?.resourceVersion)
        this.#objects.delete(key(object));
    };
    informer.addHandler({ onUpdate: settle, onDelete: (object) => this.#objects.delete(key(object)) });
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  set(key: string, object: T): void {
    this.#objects.set(key, object);
  }

  /** Takes an assumption back; not one that was made since. */
  revert(key: string, object: T): void {
    if (this.#objects.get(key) === object) this.#objects.delete(key);
  }
}

/** Claims and volumes with what was decided about them, and the calls that carry a decision out. */
export class VolumeCache implements VolumeView {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #pods: InformerFactory;
  readonly #claims: Informer<PersistentVolumeClaim>;
  readonly #volumes: Informer<PersistentVolume>;
  readonly #classes: Informer<StorageClass>;
  readonly #drivers: Informer<CSIDriver>;
  readonly #csiNodes: Informer<CSINode>;
  readonly #capacities: Informer<CSIStorageCapacity>;
  readonly #assumedClaims: Assumed<PersistentVolumeClaim>;
  readonly #assumedVolumes: Assumed<PersistentVolume>;
  /** Node affinities, compiled once: the same volumes are held against every node. */
  readonly #affinities = new WeakMap<object, NodeTest>();
  /** Called at every change of a claim, a volume or a pod's end. */
  readonly #watchers = new Set<() => void>();

  constructor(informers: InformerFactory, client: Client, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
    this.#pods = informers;
    this.#claims = informers.informer(persistentVolumeClaims);
    this.#volumes = informers.informer(persistentVolumes);
    this.#classes = informers.informer(storageClasses);
    this.#drivers = informers.informer(csiDrivers);
    this.#csiNodes = informers.informer(csiNodes);
    this.#capacities = informers.informer(csiStorageCapacities);
    this.#volumes.addIndex('storage-class', (volume) => [volumeClass(volume)]);
    this.#assumedClaims = new Assumed(this.#claims, objectKey);
    this.#assumedVolumes = new Assumed(this.#volumes, (volume) => volume.metadata?.name ?? '');
    const changed = (): void => {
      for (const wake of this.#watchers) wake();
    };
    this.#claims.addHandler({ onUpdate: changed, onDelete: changed });
    this.#volumes.addHandler({ onAdd: changed, onUpdate: changed, onDelete: changed });
    informers.informer(pods).addHandler({ onDelete: changed });
  }

  claim(namespace: string, name: string): PersistentVolumeClaim | undefined {
    const key = `${namespace}/${name}`;
    return this.#assumedClaims.get(key) ?? this.#claims.get(key);
  }

  volume(name: string): PersistentVolume | undefined {
    return this.#assumedVolumes.get(name) ?? this.#volumes.get(name);
  }

  volumesOfClass(name: string): readonly PersistentVolume[] {
    return this.#volumes.byIndex('storage-class', name).map((v) => this.#assumedVolumes.get(v.metadata?.name ?? '') ?? v);
  }

  reaches(volume: PersistentVolume, node: NodeInfo): boolean {
    const required = volume.spec?.nodeAffinity?.required;
    if (required === undefined) return true;
    let test = this.#affinities.get(required);
    if (test === undefined) {
      test = compileNodeSelector(required);
      this.#affinities.set(required, test);
    }
    return test(node.labels, node.name);
  }

  storageClass(name: string): StorageClass | undefined {
    return this.#classes.get(name);
  }

  csiDriver(name: string): CSIDriver | undefined {
    return this.#drivers.get(name);
  }

  csiNode(name: string): CSINode | undefined {
    return this.#csiNodes.get(name);
  }

  capacities(): readonly CSIStorageCapacity[] {
    return this.#capacities.list();
  }

  assume(decision: VolumeDecision, node: string): { readonly carriedOut: VolumeDecision; revert(): void } {
    const bindings = decision.bindings.map(({ claim, volume }) => ({ claim, volume: withClaim(volume, claim) }));
    const provisions = decision.provisions.map((claim) => withSelectedNode(claim, node));
    for (const { volume } of bindings) this.#assumedVolumes.set(volume.metadata?.name ?? '', volume);
    for (const claim of provisions) this.#assumedClaims.set(objectKey(claim), claim);
    return {
      carriedOut: { bindings, provisions },
      revert: () => {
        for (const { volume } of bindings) this.#assumedVolumes.revert(volume.metadata?.name ?? '', volume);
        for (const claim of provisions) this.#assumedClaims.revert(objectKey(claim), claim);
      },
    };
  }

  /**
   * Writes the decision and waits until the volume controller has bound everything. Throws with upstream's message when that cannot come true any
   * more, or takes too long.
   */
  async bind(pod: PodInfo, decision: VolumeDecision, node: string, signal: AbortSignal): Promise<void> {
    for (const { volume } of decision.bindings) await this.#client.resource(persistentVolumes).update(volume, { signal });
    for (const claim of decision.provisions) await this.#client.resource(persistentVolumeClaims).update(claim, { signal });
    const deadline = this.#clock.monotonic() + BIND_TIMEOUT_MS;
    while (!this.#done(pod, decision, node)) {
      const left = deadline - this.#clock.monotonic();
      if (left <= 0) throw new Error('binding volumes: context deadline exceeded');
      await this.#changed(left, signal);
    }
  }

  #done(pod: PodInfo, decision: VolumeDecision, node: string): boolean {
    if (this.#pods.informer(pods).get(pod.key)?.metadata?.uid !== pod.uid) {
      throw new Error(`binding volumes: pod does not exist any more: pod ${JSON.stringify(pod.name)} not found`);
    }
    for (const { claim, volume } of decision.bindings) {
      const name = volume.metadata?.name ?? '';
      const current = this.#volumes.get(name);
      // An answer that the informer has not seen yet is waited for.
      if (current === undefined || current.metadata?.resourceVersion === volume.metadata?.resourceVersion) return false;
      if ((current.spec?.claimRef?.uid ?? '') === '') throw new Error(`binding volumes: ClaimRef got reset for pv "${name}"`);
      const currentClaim = this.#claims.get(objectKey(claim));
      if (currentClaim === undefined || !fullyBound(currentClaim)) return false;
    }
    for (const claim of decision.provisions) {
      const current = this.#claims.get(objectKey(claim));
      if (current === undefined) throw new Error(`binding volumes: could not find claim "${objectKey(claim)}"`);
      if (current.metadata?.resourceVersion === claim.metadata?.resourceVersion) return false;
      if (current.metadata?.annotations?.[volumeAnnotations.selectedNode] !== node) {
        throw new Error(`binding volumes: provisioning failed for PVC "${claim.metadata?.name}"`);
      }
      if (!fullyBound(current)) return false;
    }
    return true;
  }

  /** Resolves at the next change of a volume or claim, or after `ms`. */
  #changed(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        this.#watchers.delete(finish);
        timer.cancel();
        signal.removeEventListener('abort', finish);
        if (signal.aborted) reject(signal.reason);
        else resolve();
      };
      const timer = this.#clock.setTimer(ms, finish);
      this.#watchers.add(finish);
      signal.addEventListener('abort', finish, { once: true });
    });
  }
}

function withClaim(volume: PersistentVolume, claim: PersistentVolumeClaim): PersistentVolume {
  const { namespace, name, uid, resourceVersion } = claim.metadata ?? {};
  const preBound = volume.spec?.claimRef !== undefined;
  const annotations = preBound
    ? volume.metadata?.annotations
    : { ...volume.metadata?.annotations, [volumeAnnotations.boundByController]: 'yes' };
  const claimRef = { kind: 'PersistentVolumeClaim', apiVersion: 'v1', namespace, name, uid, resourceVersion };
  return {
    ...volume,
    metadata: { ...volume.metadata, ...(annotations === undefined ? {} : { annotations }) },
    spec: { ...volume.spec, claimRef },
  } as PersistentVolume;
}

function withSelectedNode(claim: PersistentVolumeClaim, node: string): PersistentVolumeClaim {
  const annotations = { ...claim.metadata?.annotations, [volumeAnnotations.selectedNode]: node };
  return { ...claim, metadata: { ...claim.metadata, annotations } };
}
