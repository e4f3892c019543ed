import { type KubernetesObject, objectKey } from '../../api/meta/object.ts';
import { isNotFound } from '../../api/meta/status.ts';
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../api/types/core-v1.ts';
import type { StorageClass } from '../../api/types/storage-v1.ts';
import type { EventRecorder, Informer, ResourceClient, WorkQueue } from '../../client/contract.ts';
import type { Controller, ControllerContext } from '../../client/controller.ts';
import { startReconciler } from '../../client/controller-runner.ts';
import { persistentVolumeClaims, persistentVolumes, pods, storageClasses } from '../../client/resource-refs.ts';
import { semanticallyEqual } from '../equality.ts';
import { isFinished } from '../workload/pod-state.ts';
import {
  BETA_STORAGE_PROVISIONER,
  BIND_COMPLETED,
  BOUND_BY_CONTROLLER,
  isPromisedTo,
  planClaim,
  STORAGE_PROVISIONER,
} from './claim-plan.ts';
import { indexByClaim, podsOfClaim } from './claim-users.ts';
import { planVolume } from './volume-plan.ts';

/** Claims and volumes are decided on one at a time: two claims must not take one volume. */
const WORKERS = 1;
const CLAIM = 'claim ';
const VOLUME = 'volume ';

/** Binds claims to volumes, hands claims to provisioners, and releases volumes whose claims are gone. */
export function volumeBinder(): Controller {
  return { name: 'persistentvolume-binder-controller', start: (context, signal) => new Binder(context, signal).start() };
}

class Binder {
  readonly #context: ControllerContext;
  readonly #signal: AbortSignal;
  readonly #claims: Informer<PersistentVolumeClaim>;
  readonly #volumes: Informer<PersistentVolume>;
  readonly #classes: Informer<StorageClass>;
  readonly #pods: Informer<Pod>;
  readonly #claimClient: ResourceClient<PersistentVolumeClaim>;
  readonly #volumeClient: ResourceClient<PersistentVolume>;
  readonly #recorder: EventRecorder;
  /** Volumes as last written, until the informer has caught up: a volume just given away is not free. */
  readonly #written = new Map<string, PersistentVolume>();
  #queue!: WorkQueue;

  constructor(context: ControllerContext, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    this.#claims = context.informers.informer(persistentVolumeClaims);
    this.#volumes = context.informers.informer(persistentVolumes);
    this.#classes = context.informers.informer(storageClasses);
    this.#pods = context.informers.informer(pods);
    this.#claimClient = context.client.resource(persistentVolumeClaims);
    this.#volumeClient = context.client.resource(persistentVolumes);
    this.#recorder = context.recorder('persistentvolume-controller');
  }

  start(): void {
    indexByClaim(this.#pods);
    const informers = [this.#claims, this.#volumes, this.#classes, this.#pods] as readonly Informer<KubernetesObject>[];
    this.#queue = startReconciler(
      this.#context,
      { name: 'persistentvolume_binder', workers: WORKERS, informers, reconcile: (key) => this.#reconcile(key) },
      this.#signal,
    );
    const addClaim = (claim: PersistentVolumeClaim): void => this.#queue.add(CLAIM + objectKey(claim));
    const addVolume = (volume: PersistentVolume): void => this.#queue.add(VOLUME + volume.metadata!.name!);
    this.#claims.addHandler({
      onAdd: addClaim,
      onUpdate: addClaim,
      onDelete: (claim) => {
        if (claim.spec?.volumeName) this.#queue.add(VOLUME + claim.spec.volumeName);
      },
    });
    const volumeChanged = (volume: PersistentVolume): void => {
      addVolume(volume);
      const ref = volume.spec?.claimRef;
      if (ref !== undefined) this.#queue.add(`${CLAIM}${ref.namespace}/${ref.name}`);
      else if (volume.status?.phase === 'Available') this.#wakePending();
    };
    this.#volumes.addHandler({
      onAdd: volumeChanged,
      onUpdate: volumeChanged,
      onDelete: (volume) => {
        this.#written.delete(volume.metadata!.name!);
        const ref = volume.spec?.claimRef;
        if (ref !== undefined) this.#queue.add(`${CLAIM}${ref.namespace}/${ref.name}`);
      },
    });
    this.#classes.addHandler({ onAdd: () => this.#wakePending(), onUpdate: () => this.#wakePending() });
  }

  #wakePending(): void {
    for (const claim of this.#claims.list()) if (claim.status?.phase !== 'Bound') this.#queue.add(CLAIM + objectKey(claim));
  }

  async #reconcile(key: string): Promise<void> {
    try {
      if (key.startsWith(CLAIM)) await this.#syncClaim(key.slice(CLAIM.length));
      else await this.#syncVolume(key.slice(VOLUME.length));
    } catch (err) {
      if (!isNotFound(err)) throw err;
    }
  }

  /** A volume as it is: as cached, or as we wrote it where that is newer. */
  #latest(cached: PersistentVolume): PersistentVolume {
    const name = cached.metadata!.name!;
    const written = this.#written.get(name);
    if (written === undefined) return cached;
    const [a = '', b = ''] = [cached.metadata?.resourceVersion, written.metadata?.resourceVersion];
    if (a.length === b.length ? a < b : a.length < b.length) return written;
    this.#written.delete(name);
    return cached;
  }

  async #syncClaim(key: string): Promise<void> {
    const claim = this.#claims.get(key);
    if (claim === undefined || claim.metadata?.deletionTimestamp !== undefined) return;
    const volumes = this.#volumes.list().map((volume) => this.#latest(volume));
    const waiting = podsOfClaim(this.#pods, key).find((pod) => !pod.spec?.nodeName && !isFinished(pod));
    const plan = planClaim({ claim, volumes, classes: this.#classes.list(), podWaiting: waiting?.metadata?.name });
    switch (plan.action) {
      case 'bind':
        await this.#bind(plan.volume, claim);
        return;
      case 'pending':
        if (plan.notice !== undefined) this.#tell(claim, plan.notice);
        await this.#setClaimPhase(claim, 'Pending');
        return;
      case 'lost':
        if (claim.status?.phase !== 'Lost') this.#tell(claim, plan.notice);
        await this.#setClaimPhase(claim, 'Lost');
        return;
      case 'provision': {
        this.#tell(claim, plan.notice);
        const annotations = {
          ...claim.metadata?.annotations,
          [BETA_STORAGE_PROVISIONER]: plan.provisioner,
          [STORAGE_PROVISIONER]: plan.provisioner,
        };
        const asked = await this.#updateClaim({ ...claim, metadata: { ...claim.metadata, annotations } }, claim);
        await this.#setClaimPhase(asked, 'Pending');
        return;
      }
      case 'assign-class':
        await this.#updateClaim({ ...claim, spec: { ...claim.spec, storageClassName: plan.storageClassName } }, claim);
    }
  }

  #tell(
    object: KubernetesObject,
    notice: { readonly type: 'Normal' | 'Warning'; readonly reason: string; readonly message: string },
  ): void {
    this.#recorder.event(object, notice.type, notice.reason, notice.message);
  }

  async #updateClaim(next: PersistentVolumeClaim, old: PersistentVolumeClaim): Promise<PersistentVolumeClaim> {
    return semanticallyEqual(next, old) ? old : await this.#claimClient.update(next, { signal: this.#signal });
  }

  async #setClaimPhase(
    claim: PersistentVolumeClaim,
    phase: 'Pending' | 'Bound' | 'Lost',
    volume?: PersistentVolume,
  ): Promise<void> {
    const { accessModes: _, capacity, ...rest } = claim.status ?? {};
    // The file system on a volume may still have to grow: a size that was told stays until it does.
    const told = capacity?.['storage'] === undefined ? volume?.spec?.capacity : capacity;
    const status = {
      ...rest,
      phase,
      ...(volume === undefined
        ? {}
        : { accessModes: volume.spec?.accessModes ?? [], ...(told === undefined ? {} : { capacity: told }) }),
      ...(volume?.spec?.volumeAttributesClassName === undefined
        ? {}
        : { currentVolumeAttributesClassName: volume.spec.volumeAttributesClassName }),
    };
    if (semanticallyEqual(status, claim.status)) return;
    await this.#claimClient.updateStatus({ ...claim, status }, { signal: this.#signal });
  }

  /** In an order that survives being killed anywhere: the volume is promised, then the claim is told, then it is said to be done. */
  async #bind(volume: PersistentVolume, claim: PersistentVolumeClaim): Promise<void> {
    const promised = await this.#updateVolume(withClaim(volume, claim), volume);
    const bound = await this.#setVolumePhase(promised, 'Bound');
    const told = await this.#updateClaim(withVolume(claim, bound), claim);
    await this.#setClaimPhase(told, 'Bound', bound);
  }

  async #updateVolume(next: PersistentVolume, old: PersistentVolume): Promise<PersistentVolume> {
    if (semanticallyEqual(next, old)) return old;
    const written = await this.#volumeClient.update(next, { signal: this.#signal });
    this.#written.set(written.metadata!.name!, written);
    return written;
  }

  async #setVolumePhase(volume: PersistentVolume, phase: string, message = ''): Promise<PersistentVolume> {
    if (volume.status?.phase === phase && (volume.status.message ?? '') === message) return volume;
    const { message: _, ...rest } = volume.status ?? {};
    const status = { ...rest, phase, ...(message === '' ? {} : { message }) } as NonNullable<PersistentVolume['status']>;
    const written = await this.#volumeClient.updateStatus({ ...volume, status }, { signal: this.#signal });
    this.#written.set(written.metadata!.name!, written);
    return written;
  }

  async #syncVolume(name: string): Promise<void> {
    const cached = this.#volumes.get(name);
    if (cached === undefined) return;
    const volume = this.#latest(cached);
    const plan = planVolume(volume, await this.#claimOf(volume));
    switch (plan.action) {
      case 'phase': {
        if (plan.notice !== undefined && volume.status?.phase !== plan.phase) this.#tell(volume, plan.notice);
        const written = await this.#setVolumePhase(volume, plan.phase, plan.message);
        // A volume that was released may have to be reclaimed.
        if (plan.phase === 'Released' && written !== volume) this.#queue.add(VOLUME + name);
        return;
      }
      case 'wake-claim': {
        await this.#setVolumePhase(volume, plan.phase);
        const ref = volume.spec!.claimRef!;
        this.#queue.add(`${CLAIM}${ref.namespace}/${ref.name}`);
        return;
      }
      case 'unbind':
        await this.#setVolumePhase(await this.#updateVolume(plan.volume, volume), 'Available');
        return;
      case 'none':
    }
  }

  /** The claim a volume refers to. That it is gone must be certain: its data may be. */
  async #claimOf(volume: PersistentVolume): Promise<PersistentVolumeClaim | undefined> {
    const ref = volume.spec?.claimRef;
    if (ref?.uid === undefined || ref.uid === '') return undefined;
    const { name = '', namespace = '' } = ref;
    const cached = this.#claims.get(`${namespace}/${name}`);
    if (cached?.metadata?.uid === ref.uid) return cached;
    if (volume.status?.phase === 'Released' || volume.status?.phase === 'Failed') return undefined;
    try {
      return await this.#claimClient.get(name, namespace, { signal: this.#signal });
    } catch (err) {
      if (isNotFound(err)) return undefined;
      throw err;
    }
  }
}

function withClaim(volume: PersistentVolume, claim: PersistentVolumeClaim): PersistentVolume {
  const { name, namespace, uid, resourceVersion } = claim.metadata!;
  if (volume.spec?.claimRef?.uid === uid) return volume;
  const promised = isPromisedTo(volume, claim);
  const claimRef = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    name: name!,
    namespace: namespace!,
    uid: uid!,
    resourceVersion: resourceVersion!,
  };
  const annotations = promised ? volume.metadata?.annotations : { ...volume.metadata?.annotations, [BOUND_BY_CONTROLLER]: 'yes' };
  return {
    ...volume,
    metadata: { ...volume.metadata, ...(annotations === undefined ? {} : { annotations }) },
    spec: { ...volume.spec!, claimRef },
  };
}

function withVolume(claim: PersistentVolumeClaim, volume: PersistentVolume): PersistentVolumeClaim {
  const name = volume.metadata!.name!;
  const named = claim.spec?.volumeName === name;
  const annotations = {
    ...claim.metadata?.annotations,
    ...(named ? {} : { [BOUND_BY_CONTROLLER]: 'yes' }),
    [BIND_COMPLETED]: 'yes',
  };
  return { ...claim, metadata: { ...claim.metadata, annotations }, spec: { ...claim.spec, volumeName: name } };
}
