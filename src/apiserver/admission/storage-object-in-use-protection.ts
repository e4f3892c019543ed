import type { AdmissionPlugin } from '../contract.ts';
import { isWriteOf } from './targets.ts';

const finalizers: Readonly<Record<string, string>> = {
  persistentvolumes: 'kubernetes.io/pv-protection',
  persistentvolumeclaims: 'kubernetes.io/pvc-protection',
};

/** Gives new volumes and claims the finalizer that keeps them while they are used; the protection controllers take it away. */
export function storageObjectInUseProtection(): AdmissionPlugin {
  return {
    name: 'StorageObjectInUseProtection',
    handles: (target) =>
      isWriteOf(target, '', 'persistentvolumes', 'CREATE') || isWriteOf(target, '', 'persistentvolumeclaims', 'CREATE'),
    mutate: ({ object, resource }) => {
      const finalizer = finalizers[resource.resource]!;
      const present = object?.metadata?.finalizers ?? [];
      if (present.includes(finalizer)) return object;
      return { ...object, metadata: { ...object?.metadata, finalizers: [...present, finalizer] } };
    },
  };
}
