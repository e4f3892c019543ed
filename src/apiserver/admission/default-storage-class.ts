import type { PersistentVolumeClaim } from '../../api/types/core-v1.ts';
import type { StorageClass } from '../../api/types/storage-v1.ts';
import type { AdmissionPlugin, ResourceView } from '../contract.ts';
import { defaultClass } from './default-class.ts';
import { isWriteOf } from './targets.ts';

const annotations = ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class'];
const CLASS_ANNOTATION = 'volume.beta.kubernetes.io/storage-class';

/** Gives claims that name no storage class the default one. */
export function defaultStorageClass(): AdmissionPlugin {
  let classes: ResourceView<StorageClass> | undefined;
  return {
    name: 'DefaultStorageClass',
    initialize: (access) => {
      classes = access.view<StorageClass>('storage.k8s.io', 'storageclasses');
    },
    handles: (target) => isWriteOf(target, '', 'persistentvolumeclaims', 'CREATE'),
    mutate: ({ object }) => {
      const claim = object as PersistentVolumeClaim;
      if (claim.spec?.storageClassName !== undefined) return claim;
      if (claim.metadata?.annotations?.[CLASS_ANNOTATION] !== undefined) return claim;
      const name = defaultClass(classes?.list() ?? [], annotations)?.metadata?.name;
      return name === undefined ? claim : ({ ...claim, spec: { ...claim.spec, storageClassName: name } } as typeof claim);
    },
  };
}
