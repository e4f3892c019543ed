import { duplicate, forbidden, invalid, notSupported, required, tooLong } from '../../../meta/field-error.ts';
import { isDNS1123Label, nameIsDNSSubdomain } from '../../../meta/names.ts';
import { Quantity } from '../../../meta/quantity.ts';
import type { EphemeralVolumeSource, HostPathVolumeSource, KeyToPath, Volume } from '../../../types/core-v1.ts';
import type { ObjectMeta } from '../../../types/meta-v1.ts';
import { validateKeyToPath } from './key-to-path.ts';
import { validateLegacyVolume } from './legacy-volumes.ts';
import { type Errors, type PodValidationOptions, report } from './options.ts';
import { validateFileMode, validateNoBacksteps } from './paths.ts';
import { validateDownwardFile, validateProjected } from './projected.ts';
import { validateClaimTemplate } from './volume-claim-template.ts';

/**
 * A pod's volumes. Answers those that are in order by their names: only these can be mounted. `podMeta` is a pod's own metadata,
 * undefined in a template.
 */
export function validateVolumes(
  volumes: readonly Volume[],
  podMeta: ObjectMeta | undefined,
  at: string,
  options: PodValidationOptions,
  errors: Errors,
): ReadonlyMap<string, Volume> {
  const good = new Map<string, Volume>();
  const podName = podMeta?.name;
  const made = new Set(podName ? volumes.filter((v) => v.ephemeral !== undefined).map((v) => `${podName}-${v.name}`) : []);
  for (let i = 0; i < volumes.length; i++) {
    const volume = volumes[i] as Volume;
    const here = `${at}[${i}]`;
    const before = errors.length;
    validateSource(volume, podName, here, options, errors);
    if (!volume.name) errors.push(required(`${here}.name`));
    else report(errors, `${here}.name`, volume.name, isDNS1123Label(volume.name));
    if (good.has(volume.name)) errors.push(duplicate(`${here}.name`, volume.name));
    if (errors.length === before) good.set(volume.name, volume);
    const claim = volume.persistentVolumeClaim?.claimName;
    if (claim !== undefined && made.has(claim)) {
      errors.push(
        invalid(
          `${here}.persistentVolumeClaim.claimName`,
          claim,
          'must not reference a PVC that gets created for an ephemeral volume',
        ),
      );
    }
  }
  return good;
}

/** The sources in the order in which upstream looks at them: with two of them, it is the later that is one too many. */
const sources = [
  'emptyDir',
  'hostPath',
  'gitRepo',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'secret',
  'nfs',
  'iscsi',
  'glusterfs',
  'flocker',
  'persistentVolumeClaim',
  'rbd',
  'cinder',
  'cephfs',
  'quobyte',
  'downwardAPI',
  'fc',
  'flexVolume',
  'configMap',
  'azureFile',
  'vsphereVolume',
  'photonPersistentDisk',
  'portworxVolume',
  'azureDisk',
  'storageos',
  'projected',
  'scaleIO',
  'csi',
  'ephemeral',
  'image',
] as const satisfies readonly (keyof Volume)[];

/** Names that upstream's messages spell differently from the field. */
const misspelled: Readonly<Record<string, string>> = { cephfs: 'cephFS', downwardAPI: 'downwarAPI' };

function validateSource(
  volume: Volume,
  podName: string | undefined,
  at: string,
  options: PodValidationOptions,
  errors: Errors,
): void {
  let found = 0;
  for (const name of sources) {
    if (volume[name] === undefined || volume[name] === null) continue;
    if (found++ > 0) {
      errors.push(forbidden(`${at}.${misspelled[name] ?? name}`, 'may not specify more than 1 volume type'));
    } else {
      validateOneSource(volume, name, podName, at, options, errors);
    }
  }
  if (found === 0) errors.push(required(at, 'must specify a volume type'));
}

function validateOneSource(
  volume: Volume,
  name: (typeof sources)[number],
  podName: string | undefined,
  at: string,
  options: PodValidationOptions,
  errors: Errors,
): void {
  switch (name) {
    case 'emptyDir': {
      const limit = volume.emptyDir?.sizeLimit;
      if (limit !== undefined && Quantity.parse(limit).sign < 0) {
        errors.push(forbidden(`${at}.emptyDir.sizeLimit`, 'SizeLimit field must be a valid resource quantity'));
      }
      return;
    }
    case 'hostPath':
      validateHostPath(volume.hostPath!, `${at}.hostPath`, errors);
      return;
    case 'secret':
      validateFiles(volume.secret!, 'secretName', volume.secret!.secretName, `${at}.secret`, errors);
      return;
    case 'configMap':
      validateFiles(volume.configMap!, 'name', volume.configMap!.name, `${at}.configMap`, errors);
      return;
    case 'persistentVolumeClaim':
      if (!volume.persistentVolumeClaim!.claimName) errors.push(required(`${at}.persistentVolumeClaim.claimName`));
      return;
    case 'downwardAPI':
      validateFileMode(volume.downwardAPI!.defaultMode, `${at}.downwardAPI.defaultMode`, errors);
      for (const file of volume.downwardAPI!.items ?? []) validateDownwardFile(file, `${at}.downwardAPI`, errors);
      return;
    case 'projected':
      validateProjected(volume.projected!, `${at}.projected`, options, errors);
      return;
    case 'csi': {
      const { driver, nodePublishSecretRef } = volume.csi!;
      validateDriverName(driver, `${at}.csi.driver`, errors);
      if (nodePublishSecretRef === undefined) return;
      if (!nodePublishSecretRef.name) errors.push(required(`${at}.csi.nodePublishSecretRef.name`));
      else report(errors, `${at}.csi.name`, nodePublishSecretRef.name, nameIsDNSSubdomain(nodePublishSecretRef.name, false));
      return;
    }
    case 'ephemeral':
      validateEphemeral(volume.ephemeral!, volume.name, podName, at, errors);
      return;
    case 'image': {
      const { reference, pullPolicy } = volume.image!;
      if (!reference && options.resourceIsPod === true) errors.push(required(`${at}.image.reference`));
      if (!pullPolicy) errors.push(required(`${at}.image.pullPolicy`));
      else if (!['Always', 'IfNotPresent', 'Never'].includes(pullPolicy)) {
        errors.push(notSupported(`${at}.image.pullPolicy`, pullPolicy, ['Always', 'IfNotPresent', 'Never']));
      }
      return;
    }
    default:
      validateLegacyVolume(volume, name, at, errors);
  }
}

const hostPathTypes = ['', 'BlockDevice', 'CharDevice', 'Directory', 'DirectoryOrCreate', 'File', 'FileOrCreate', 'Socket'];

export function validateHostPath(source: HostPathVolumeSource, at: string, errors: Errors): void {
  if (!source.path) {
    errors.push(required(`${at}.path`));
    return;
  }
  validateNoBacksteps(source.path, `${at}.path`, errors);
  if (source.type !== undefined && !hostPathTypes.includes(source.type)) {
    errors.push(notSupported(`${at}.type`, source.type, hostPathTypes));
  }
}

/** A secret or config map whose keys become files. */
function validateFiles(
  source: { readonly defaultMode?: number; readonly items?: readonly KeyToPath[] },
  nameField: string,
  name: string | undefined,
  at: string,
  errors: Errors,
): void {
  if (!name) errors.push(required(`${at}.${nameField}`));
  validateFileMode(source.defaultMode, `${at}.defaultMode`, errors);
  const items = source.items ?? [];
  for (let i = 0; i < items.length; i++) validateKeyToPath(items[i] as KeyToPath, `${at}.items[${i}]`, errors);
}

/** The name of a CSI driver: a DNS name in any case, of at most 63 characters. */
export function validateDriverName(driver: string | undefined, at: string, errors: Errors): void {
  if (!driver) errors.push(required(at));
  const name = driver ?? '';
  if (name.length > maxDriverNameLength) {
    errors.push(tooLong(at, maxDriverNameLength));
  }
  report(errors, at, name, nameIsDNSSubdomain(name.toLowerCase(), false));
}

const maxDriverNameLength = 63;

function validateEphemeral(
  source: EphemeralVolumeSource,
  volumeName: string,
  podName: string | undefined,
  at: string,
  errors: Errors,
): void {
  if (source.volumeClaimTemplate === undefined) errors.push(required(`${at}.ephemeral.volumeClaimTemplate`));
  else validateClaimTemplate(source.volumeClaimTemplate, `${at}.ephemeral.volumeClaimTemplate`, errors);
  if (!podName || !volumeName) return;
  const claim = `${podName}-${volumeName}`;
  for (const message of nameIsDNSSubdomain(claim, false)) {
    errors.push(invalid(`${at}.name`, volumeName, `PVC name ${JSON.stringify(claim)}: ${message}`));
  }
}
