import { compareQuantities } from '../../api/meta/quantity.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../api/types/core-v1.ts';
import type { StorageClass } from '../../api/types/storage-v1.ts';
import { selectorMatches } from '../label-selector.ts';

export const BIND_COMPLETED = 'pv.kubernetes.io/bind-completed';
export const BOUND_BY_CONTROLLER = 'pv.kubernetes.io/bound-by-controller';
export const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by';
export const STORAGE_PROVISIONER = 'volume.kubernetes.io/storage-provisioner';
export const BETA_STORAGE_PROVISIONER = 'volume.beta.kubernetes.io/storage-provisioner';
const SELECTED_NODE = 'volume.kubernetes.io/selected-node';
const DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class';
const BETA_CLASS = 'volume.beta.kubernetes.io/storage-class';

export interface VolumeNotice {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

const warning = (reason: string, message: string): VolumeNotice => ({ type: 'Warning', reason, message });
const normal = (reason: string, message: string): VolumeNotice => ({ type: 'Normal', reason, message });

export type ClaimPlan =
  | { readonly action: 'bind'; readonly volume: PersistentVolume }
  | { readonly action: 'pending'; readonly notice?: VolumeNotice }
  | { readonly action: 'lost'; readonly notice: VolumeNotice }
  | { readonly action: 'provision'; readonly provisioner: string; readonly notice: VolumeNotice }
  /** It was made before there was a default class. */
  | { readonly action: 'assign-class'; readonly storageClassName: string };

export interface ClaimObservation {
  readonly claim: PersistentVolumeClaim;
  readonly volumes: readonly PersistentVolume[];
  readonly classes: readonly StorageClass[];
  /** Whether a pod that uses it waits for the scheduler: then it says so, rather than that it waits for a pod. */
  readonly podWaiting: string | undefined;
}

export const classOf = (claim: PersistentVolumeClaim): string | undefined =>
  claim.metadata?.annotations?.[BETA_CLASS] ?? claim.spec?.storageClassName;

const classOfVolume = (volume: PersistentVolume): string =>
  volume.metadata?.annotations?.[BETA_CLASS] ?? volume.spec?.storageClassName ?? '';

/** Whether a volume is promised to a claim: by the user, without a uid, or bound. */
export function isPromisedTo(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const ref = volume.spec?.claimRef;
  if (ref === undefined) return false;
  const { name, namespace, uid } = claim.metadata ?? {};
  return ref.name === name && ref.namespace === namespace && (ref.uid === undefined || ref.uid === '' || ref.uid === uid);
}

/** The class given to claims that name none: of several the newest. */
export function defaultClass(classes: readonly StorageClass[]): StorageClass | undefined {
  return classes
    .filter(({ metadata }) => metadata?.annotations?.[DEFAULT_CLASS] === 'true')
    .sort((a, b) => {
      const [left = '', right = ''] = [a.metadata?.creationTimestamp, b.metadata?.creationTimestamp];
      if (left !== right) return left > right ? -1 : 1;
      return a.metadata!.name! < b.metadata!.name! ? -1 : 1;
    })[0];
}

/** Decides on one claim. Pure. */
export function planClaim(observed: ClaimObservation): ClaimPlan {
  const { claim, volumes } = observed;
  const name = claim.spec?.volumeName ?? '';
  const volume = volumes.find(({ metadata }) => metadata?.name === name);
  if (claim.metadata?.annotations?.[BIND_COMPLETED] !== undefined) return planBound(claim, name, volume);
  return name === '' ? planUnbound(observed) : planNamed(claim, name, volume);
}

function planBound(claim: PersistentVolumeClaim, name: string, volume: PersistentVolume | undefined): ClaimPlan {
  const lost = (reason: string, message: string): ClaimPlan => ({ action: 'lost', notice: warning(reason, message) });
  if (name === '') return lost('ClaimLost', 'Bound claim has lost reference to PersistentVolume. Data on the volume is lost!');
  if (volume === undefined) return lost('ClaimLost', 'Bound claim has lost its PersistentVolume. Data on the volume is lost!');
  const ref = volume.spec?.claimRef;
  if (ref === undefined || ref.uid === claim.metadata?.uid) return { action: 'bind', volume };
  return lost('ClaimMisbound', 'Two claims are bound to the same volume, this one is bound incorrectly');
}

/** The user asked for one volume. */
function planNamed(claim: PersistentVolumeClaim, name: string, volume: PersistentVolume | undefined): ClaimPlan {
  if (volume === undefined) return { action: 'pending' };
  if (volume.spec?.claimRef === undefined) {
    const fault = mismatch(volume, claim);
    if (fault === undefined) return { action: 'bind', volume };
    const message = `Cannot bind to requested volume ${JSON.stringify(name)}: ${fault}`;
    return { action: 'pending', notice: warning('VolumeMismatch', message) };
  }
  if (isPromisedTo(volume, claim)) return { action: 'bind', volume };
  const message = `volume ${JSON.stringify(name)} already bound to a different claim.`;
  return { action: 'pending', notice: warning('FailedBinding', message) };
}

function planUnbound({ claim, volumes, classes, podWaiting }: ClaimObservation): ClaimPlan {
  const className = classOf(claim);
  if (className === undefined) {
    const assigned = defaultClass(classes);
    if (assigned !== undefined) return { action: 'assign-class', storageClassName: assigned.metadata!.name! };
  }
  const storageClass = classes.find(({ metadata }) => metadata?.name === className);
  const selectedNode = claim.metadata?.annotations?.[SELECTED_NODE];
  const delayed = storageClass?.volumeBindingMode === 'WaitForFirstConsumer' && selectedNode === undefined;
  const volume = findVolume(claim, volumes, delayed);
  if (volume !== undefined) return { action: 'bind', volume };
  if (delayed) {
    if (podWaiting !== undefined) {
      return { action: 'pending', notice: normal('WaitForPodScheduled', `waiting for pod ${podWaiting} to be scheduled`) };
    }
    const message = 'waiting for first consumer to be created before binding';
    return { action: 'pending', notice: normal('WaitForFirstConsumer', message) };
  }
  if (className === undefined || className === '') {
    const message = 'no persistent volumes available for this claim and no storage class is set';
    return { action: 'pending', notice: normal('FailedBinding', message) };
  }
  if (storageClass === undefined) {
    const message = `storageclass.storage.k8s.io ${JSON.stringify(className)} not found`;
    return { action: 'pending', notice: warning('ProvisioningFailed', message) };
  }
  const { provisioner } = storageClass;
  if (provisioner.startsWith('kubernetes.io/')) {
    return { action: 'pending', notice: warning('ProvisioningFailed', `no volume plugin matched name: ${provisioner}`) };
  }
  const message = `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`;
  return { action: 'provision', provisioner, notice: normal('ExternalProvisioning', message) };
}

/** The smallest volume that will do; one promised to the claim before all. When binding is delayed only such a one. */
export function findVolume(
  claim: PersistentVolumeClaim,
  volumes: readonly PersistentVolume[],
  delayed: boolean,
): PersistentVolume | undefined {
  let best: PersistentVolume | undefined;
  for (const volume of volumes) {
    const promised = isPromisedTo(volume, claim);
    if (mismatch(volume, claim) !== undefined) continue;
    if (promised) return volume;
    if (delayed || volume.spec?.claimRef !== undefined || volume.metadata?.deletionTimestamp !== undefined) continue;
    // Only what the API server says to be available.
    if (volume.status?.phase !== 'Available') continue;
    if (!hasModes(volume, claim)) continue;
    const { selector } = claim.spec ?? {};
    if (selector !== undefined && !selectorMatches(selector, volume.metadata?.labels)) continue;
    if (best === undefined || compareQuantities(sizeOf(volume), sizeOf(best)) < 0) best = volume;
  }
  return best;
}

const sizeOf = (volume: PersistentVolume): string => volume.spec?.capacity?.['storage'] ?? '0';

function hasModes(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const modes = volume.spec?.accessModes ?? [];
  return (claim.spec?.accessModes ?? []).every((mode) => modes.includes(mode));
}

/** Why a volume cannot satisfy a claim, whoever asked for it. */
function mismatch(volume: PersistentVolume, claim: PersistentVolumeClaim): string | undefined {
  if (compareQuantities(sizeOf(volume), claim.spec?.resources?.requests?.['storage'] ?? '0') < 0) {
    return 'requested PV is too small';
  }
  if (classOfVolume(volume) !== (classOf(claim) ?? '')) return 'storageClassName does not match';
  if ((volume.spec?.volumeAttributesClassName ?? '') !== (claim.spec?.volumeAttributesClassName ?? '')) {
    return 'volumeAttributesClassName does not match';
  }
  if ((volume.spec?.volumeMode ?? 'Filesystem') !== (claim.spec?.volumeMode ?? 'Filesystem')) return 'incompatible volumeMode';
  if (!hasModes(volume, claim)) return 'incompatible accessMode';
  return undefined;
}
