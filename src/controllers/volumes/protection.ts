import { type KubernetesObject, objectKey } from '../../api/meta/object.ts';
import { isNotFound } from '../../api/meta/status.ts';
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../api/types/core-v1.ts';
import type { VolumeAttributesClass } from '../../api/types/storage-v1.ts';
import type { ResourceClient } from '../../client/contract.ts';
import type { Controller } from '../../client/controller.ts';
import { startReconciler } from '../../client/controller-runner.ts';
import { persistentVolumeClaims, persistentVolumes, pods, volumeAttributesClasses } from '../../client/resource-refs.ts';
import { isFinished } from '../workload/pod-state.ts';
import { claimsOfPod, indexByClaim, podsOfClaim } from './claim-users.ts';

const WORKERS = 1;
const CLAIM_FINALIZER = 'kubernetes.io/pvc-protection';
const VOLUME_FINALIZER = 'kubernetes.io/pv-protection';
const CLASS_FINALIZER = 'kubernetes.io/vac-protection';
const BY_CLASS = 'volume-attributes-class';

/**
 * The finalizers of an object that is kept from being deleted while it is in use: on as long as it is not being deleted, off when it is and nobody
 * uses it. Undefined when they may stay as they are. Pure.
 */
export function planProtection(object: KubernetesObject, finalizer: string, inUse: () => boolean): readonly string[] | undefined {
  const finalizers = object.metadata?.finalizers ?? [];
  const held = finalizers.includes(finalizer);
  if (object.metadata?.deletionTimestamp === undefined) return held ? undefined : [...finalizers, finalizer];
  return held && !inUse() ? finalizers.filter((other) => other !== finalizer) : undefined;
}

async function apply<T extends KubernetesObject>(
  client: ResourceClient<T>,
  object: T,
  finalizers: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (finalizers === undefined) return;
  try {
    await client.update({ ...object, metadata: { ...object.metadata, finalizers } }, { signal });
  } catch (err) {
    if (!isNotFound(err)) throw err;
  }
}

/** Keeps claims that are being deleted as long as a pod that has been scheduled, and has not finished, uses them. */
export function claimProtectionController(): Controller {
  return {
    name: 'persistentvolumeclaim-protection-controller',
    start(context, signal) {
      const claims = context.informers.informer(persistentVolumeClaims);
      const allPods = context.informers.informer(pods);
      const client = context.client.resource(persistentVolumeClaims);
      indexByClaim(allPods);
      // What frees a claim cannot be undone: before it is done the server is asked, for the cache may lag behind.
      const usedOnServer = async (claim: PersistentVolumeClaim): Promise<boolean> => {
        const { name = '', namespace = '' } = claim.metadata!;
        const { items } = await context.client.resource(pods).list(namespace, { signal });
        return items.some((pod) => uses(pod) && claimsOfPod(pod).includes(name));
      };
      const reconcile = async (key: string): Promise<void> => {
        const claim = claims.get(key);
        if (claim === undefined) return;
        const next = planProtection(claim, CLAIM_FINALIZER, () => podsOfClaim(allPods, key).some(uses));
        const frees = next !== undefined && claim.metadata?.deletionTimestamp !== undefined;
        if (frees && (await usedOnServer(claim))) return;
        await apply(client, claim, next, signal);
      };
      const queue = startReconciler(
        context,
        { name: 'pvcprotection', workers: WORKERS, informers: [claims, allPods] as never, reconcile },
        signal,
      );
      const add = (claim: PersistentVolumeClaim): void => queue.add(objectKey(claim));
      claims.addHandler({ onAdd: add, onUpdate: add });
      const released = (pod: Pod): void => {
        for (const name of claimsOfPod(pod)) queue.add(`${pod.metadata?.namespace}/${name}`);
      };
      allPods.addHandler({
        onUpdate: (pod) => {
          if (!uses(pod)) released(pod);
        },
        onDelete: released,
      });
    },
  };
}

const uses = (pod: Pod): boolean => Boolean(pod.spec?.nodeName) && !isFinished(pod);

/** Keeps volumes that are being deleted as long as they are bound. */
export function volumeProtectionController(): Controller {
  return {
    name: 'persistentvolume-protection-controller',
    start(context, signal) {
      const volumes = context.informers.informer(persistentVolumes);
      const client = context.client.resource(persistentVolumes);
      const reconcile = async (name: string): Promise<void> => {
        const volume = volumes.get(name);
        if (volume === undefined) return;
        await apply(
          client,
          volume,
          planProtection(volume, VOLUME_FINALIZER, () => volume.status?.phase === 'Bound'),
          signal,
        );
      };
      const queue = startReconciler(
        context,
        { name: 'pvprotection', workers: WORKERS, informers: [volumes] as never, reconcile },
        signal,
      );
      const add = (volume: PersistentVolume): void => queue.add(volume.metadata!.name!);
      volumes.addHandler({ onAdd: add, onUpdate: add });
    },
  };
}

/** The VolumeAttributesClasses that a claim has, wants, or is on its way to. */
function classesOfClaim({ spec, status }: PersistentVolumeClaim): readonly string[] {
  const names = [
    spec?.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ];
  return names.filter((name) => name !== undefined && name !== '') as readonly string[];
}

const classesOfVolume = ({ spec }: PersistentVolume): readonly string[] =>
  spec?.volumeAttributesClassName ? [spec.volumeAttributesClassName] : [];

/** Keeps VolumeAttributesClasses that are being deleted as long as a volume or a claim names them (KEP-3751). */
export function attributesClassProtectionController(): Controller {
  return {
    name: 'volumeattributesclass-protection-controller',
    start(context, signal) {
      const classes = context.informers.informer(volumeAttributesClasses);
      const claims = context.informers.informer(persistentVolumeClaims);
      const volumes = context.informers.informer(persistentVolumes);
      const client = context.client.resource(volumeAttributesClasses);
      claims.addIndex(BY_CLASS, classesOfClaim);
      volumes.addIndex(BY_CLASS, classesOfVolume);
      const reconcile = async (name: string): Promise<void> => {
        const object = classes.get(name);
        if (object === undefined) return;
        const inUse = (): boolean => volumes.byIndex(BY_CLASS, name).length > 0 || claims.byIndex(BY_CLASS, name).length > 0;
        await apply(client, object, planProtection(object, CLASS_FINALIZER, inUse), signal);
      };
      const queue = startReconciler(
        context,
        { name: 'vacprotection', workers: WORKERS, informers: [classes, claims, volumes] as never, reconcile },
        signal,
      );
      const add = (object: VolumeAttributesClass): void => queue.add(object.metadata!.name!);
      classes.addHandler({ onAdd: add, onUpdate: add });
      const left = (before: readonly string[], now: readonly string[]): void => {
        for (const name of before) if (!now.includes(name)) queue.add(name);
      };
      claims.addHandler({
        onUpdate: (claim, old) => left(classesOfClaim(old), classesOfClaim(claim)),
        onDelete: (claim) => left(classesOfClaim(claim), []),
      });
      volumes.addHandler({
        onUpdate: (volume, old) => left(classesOfVolume(old), classesOfVolume(volume)),
        onDelete: (volume) => left(classesOfVolume(volume), []),
      });
    },
  };
}
