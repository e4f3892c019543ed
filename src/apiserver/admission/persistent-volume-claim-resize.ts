import { compareQuantities } from '../../api/meta/quantity.ts';
import type { PersistentVolumeClaim } from '../../api/types/core-v1.ts';
import type { StorageClass } from '../../api/types/storage-v1.ts';
import type { AdmissionPlugin, ResourceView } from '../contract.ts';
import { refuse } from './refusal.ts';
import { isWriteOf } from './targets.ts';

const CLASS_ANNOTATION = 'volume.beta.kubernetes.io/storage-class';

/** Lets a claim grow only when it is bound, and its storage class allows it. */
export function persistentVolumeClaimResize(): AdmissionPlugin {
  let classes: ResourceView<StorageClass> | undefined;
  return {
    name: 'PersistentVolumeClaimResize',
    initialize: (access) => {
      classes = access.view<StorageClass>('storage.k8s.io', 'storageclasses');
    },
    handles: (target) => isWriteOf(target, '', 'persistentvolumeclaims', 'UPDATE'),
    validate: (attributes) => {
      const claim = attributes.object as PersistentVolumeClaim;
      const old = attributes.oldObject as PersistentVolumeClaim;
      if (compareQuantities(sizeOf(claim), sizeOf(old)) <= 0) return;
      if (old.status?.phase !== 'Bound') throw refuse(attributes, 'Only bound persistent volume claims can be expanded');
      const name = classOf(claim);
      if (name !== '' && name === classOf(old) && classes?.get('', name)?.allowVolumeExpansion === true) return;
      throw refuse(
        attributes,
        'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
      );
    },
  };
}

const sizeOf = (claim: PersistentVolumeClaim): string => String(claim.spec?.resources?.requests?.['storage'] ?? '0');
const classOf = (claim: PersistentVolumeClaim): string =>
  claim.metadata?.annotations?.[CLASS_ANNOTATION] ?? claim.spec?.storageClassName ?? '';
