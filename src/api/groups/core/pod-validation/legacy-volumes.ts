import { invalid, notSupported, required } from '../../../meta/field-error.ts';
import { isDNS1123Label } from '../../../meta/names.ts';
import type { AzureDiskVolumeSource, FCVolumeSource, ISCSIVolumeSource, Volume } from '../../../types/core-v1.ts';
import { type Errors, report } from './options.ts';
import { validateDescendingPath } from './paths.ts';

/** Network and cloud disks that pods name directly. Most of them are served by CSI drivers or by nothing today; the API still has them. */

const partitionMessage = 'must be between 1 and 255, inclusive';
const lunMessage = 'must be between 0 and 255, inclusive';

/** The volume's source is `name`, one of those without a rule of its own elsewhere. */
export function validateLegacyVolume(volume: Volume, name: keyof Volume, at: string, errors: Errors): void {
  const here = `${at}.${name}`;
  const need = (field: string, value: unknown): void => {
    if (!value) errors.push(required(`${here}.${field}`));
  };
  switch (name) {
    case 'gitRepo':
      need('repository', volume.gitRepo!.repository);
      validateDescendingPath(volume.gitRepo!.directory ?? '', `${here}.directory`, errors);
      return;
    case 'gcePersistentDisk': {
      const { pdName, partition = 0 } = volume.gcePersistentDisk!;
      // The name is upstream's.
      if (!pdName) errors.push(required(`${at}.persistentDisk.pdName`));
      if (partition < 0 || partition > 255) {
        errors.push(invalid(`${at}.persistentDisk.partition`, partition, partitionMessage));
      }
      return;
    }
    case 'awsElasticBlockStore': {
      const { volumeID, partition = 0 } = volume.awsElasticBlockStore!;
      need('volumeID', volumeID);
      if (partition < 0 || partition > 255) errors.push(invalid(`${here}.partition`, partition, partitionMessage));
      return;
    }
    case 'nfs':
      need('server', volume.nfs!.server);
      need('path', volume.nfs!.path);
      if (!volume.nfs!.path?.startsWith('/')) {
        errors.push(invalid(`${here}.path`, volume.nfs!.path ?? '', 'must be an absolute path'));
      }
      return;
    case 'iscsi':
      validateIscsi(volume.iscsi!, volume.name, at, errors);
      return;
    case 'glusterfs':
      need('endpoints', volume.glusterfs!.endpoints);
      need('path', volume.glusterfs!.path);
      return;
    case 'flocker': {
      const { datasetName, datasetUUID } = volume.flocker!;
      if (!datasetName && !datasetUUID) errors.push(required(here, 'one of datasetName and datasetUUID is required'));
      if (datasetName && datasetUUID) {
        errors.push(invalid(here, 'resource', 'datasetName and datasetUUID can not be specified simultaneously'));
      }
      if (datasetName?.includes('/')) errors.push(invalid(`${here}.datasetName`, datasetName, "must not contain '/'"));
      return;
    }
    case 'rbd':
      need('monitors', volume.rbd!.monitors?.length);
      need('image', volume.rbd!.image);
      return;
    case 'cinder':
      need('volumeID', volume.cinder!.volumeID);
      if (volume.cinder!.secretRef !== undefined && !volume.cinder!.secretRef.name) {
        errors.push(required(`${here}.secretRef.name`));
      }
      return;
    case 'cephfs':
      need('monitors', volume.cephfs!.monitors?.length);
      return;
    case 'quobyte': {
      const { registry, tenant, volume: quobyteVolume } = volume.quobyte!;
      const pairs = 'must be a host:port pair or multiple pairs separated by commas';
      if (!registry) errors.push(required(`${here}.registry`, pairs));
      else if ((tenant ?? '').length >= 65) {
        errors.push(required(`${here}.tenant`, 'must be a UUID and may not exceed a length of 64 characters'));
      } else {
        for (const pair of registry.split(',')) {
          if (!hostPort.test(pair)) errors.push(invalid(`${here}.registry`, registry, pairs));
        }
      }
      need('volume', quobyteVolume);
      return;
    }
    case 'fc':
      validateFibreChannel(volume.fc!, here, errors);
      return;
    case 'flexVolume':
      need('driver', volume.flexVolume!.driver);
      for (const key of Object.keys(volume.flexVolume!.options ?? {})) {
        const namespace = `.${key.split('/', 2)[0]!.toLowerCase()}`;
        if (namespace.endsWith('.kubernetes.io') || namespace.endsWith('.k8s.io')) {
          errors.push(invalid(`${here}.options[${key}]`, key, 'kubernetes.io and k8s.io namespaces are reserved'));
        }
      }
      return;
    case 'azureFile':
      need('secretName', volume.azureFile!.secretName);
      need('shareName', volume.azureFile!.shareName);
      return;
    case 'vsphereVolume':
      need('volumePath', volume.vsphereVolume!.volumePath);
      return;
    case 'photonPersistentDisk':
      need('pdID', volume.photonPersistentDisk!.pdID);
      return;
    case 'portworxVolume':
      need('volumeID', volume.portworxVolume!.volumeID);
      return;
    case 'azureDisk':
      validateAzureDisk(volume.azureDisk!, here, errors);
      return;
    case 'storageos': {
      const { volumeName, volumeNamespace, secretRef } = volume.storageos!;
      if (!volumeName) errors.push(required(`${here}.volumeName`));
      else report(errors, `${here}.volumeName`, volumeName, isDNS1123Label(volumeName));
      if (volumeNamespace) report(errors, `${here}.volumeNamespace`, volumeNamespace, isDNS1123Label(volumeNamespace));
      if (secretRef !== undefined && !secretRef.name) errors.push(required(`${here}.secretRef.name`));
      return;
    }
    case 'scaleIO':
      need('gateway', volume.scaleIO!.gateway);
      need('system', volume.scaleIO!.system);
      need('volumeName', volume.scaleIO!.volumeName);
      return;
    default:
      return;
  }
}

const hostPort = /^(?:[^:[\]]*|\[[^\]]*\]):[^:]*$/;

const iqn = /^iqn\.\d{4}-\d{2}\.([a-z0-9-_.]+)(:[^,;*&$|\s]+)$/;
const eui = /^eui.[a-fA-F0-9]{16}$/;
const naa = /^naa.[a-fA-F0-9]{32}$/;

function badInitiator(name: string): string | undefined {
  const pattern = name.startsWith('iqn') ? iqn : name.startsWith('eui') ? eui : name.startsWith('naa') ? naa : undefined;
  if (pattern === undefined) return 'must be valid format starting with iqn, eui, or naa';
  return pattern.test(name) ? undefined : 'must be valid format';
}

function validateIscsi(source: ISCSIVolumeSource, volumeName: string, at: string, errors: Errors): void {
  const here = `${at}.iscsi`;
  if (!source.targetPortal) errors.push(required(`${here}.targetPortal`));
  if (!source.iqn) errors.push(required(`${here}.iqn`));
  else {
    const message = badInitiator(source.iqn);
    if (message !== undefined) errors.push(invalid(`${here}.iqn`, source.iqn, message));
  }
  const lun = source.lun ?? 0;
  if (lun < 0 || lun > 255) errors.push(invalid(`${here}.lun`, lun, lunMessage));
  if ((source.chapAuthDiscovery || source.chapAuthSession) && source.secretRef === undefined) {
    errors.push(required(`${here}.secretRef`));
  }
  if (source.initiatorName === undefined) return;
  const message = badInitiator(source.initiatorName);
  if (message !== undefined) errors.push(invalid(`${here}.initiatorname`, source.initiatorName, message));
  if (`${volumeName}:${source.targetPortal ?? ''}`.length > 64) {
    errors.push(
      invalid(
        `${at}.name`,
        volumeName,
        'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.',
      ),
    );
  }
}

function validateFibreChannel(source: FCVolumeSource, at: string, errors: Errors): void {
  const targets = source.targetWWNs?.length ?? 0;
  const ids = source.wwids?.length ?? 0;
  if (targets < 1 && ids < 1) {
    errors.push(required(`${at}.targetWWNs`, 'must specify either targetWWNs or wwids, but not both'));
  }
  if (targets !== 0 && ids !== 0) {
    errors.push(invalid(`${at}.targetWWNs`, source.targetWWNs, 'targetWWNs and wwids can not be specified simultaneously'));
  }
  if (targets === 0) return;
  if (source.lun === undefined) errors.push(required(`${at}.lun`, 'lun is required if targetWWNs is specified'));
  else if (source.lun < 0 || source.lun > 255) errors.push(invalid(`${at}.lun`, source.lun, lunMessage));
}

const cachingModes = ['None', 'ReadOnly', 'ReadWrite'];
const diskKinds = ['Dedicated', 'Managed', 'Shared'];

function validateAzureDisk(source: AzureDiskVolumeSource, at: string, errors: Errors): void {
  if (!source.diskName) errors.push(required(`${at}.diskName`));
  if (!source.diskURI) errors.push(required(`${at}.diskURI`));
  const { cachingMode, kind, diskURI = '' } = source;
  if (cachingMode !== undefined && !cachingModes.includes(cachingMode)) {
    errors.push(notSupported(`${at}.cachingMode`, cachingMode, cachingModes));
  }
  if (kind === undefined) return;
  if (!diskKinds.includes(kind)) errors.push(notSupported(`${at}.kind`, kind, diskKinds));
  if (kind === 'Managed' && !diskURI.startsWith('/subscriptions/')) {
    errors.push(
      notSupported(`${at}.diskURI`, diskURI, [
        '/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}',
      ]),
    );
  }
  if (kind !== 'Managed' && !diskURI.startsWith('https://')) {
    errors.push(
      notSupported(`${at}.diskURI`, diskURI, ['https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd']),
    );
  }
}
