import { type FieldError, invalid } from '../../meta/field-error.ts';
import { validateLabelSelector } from '../../meta/label-selector-validation.ts';
import { isDNS1123Subdomain, nameIsDNSSubdomain } from '../../meta/names.ts';
import { canonicalQuantity, Quantity } from '../../meta/quantity.ts';
import type { CSIStorageCapacity } from '../../types/storage-v1.ts';
import { nodeSelectorWarnings } from '../core/deprecated-node-labels.ts';
import { column, groupVersion, nameColumn } from '../define.ts';
import { check, immutable } from '../field-checks.ts';

const define = groupVersion('storage.k8s.io', 'v1');

function amountFaults(field: string, amount: string | undefined): readonly FieldError[] {
  if (amount === undefined) return [];
  const parsed = Quantity.parse(String(amount));
  return parsed.sign < 0 ? [invalid(field, parsed.toString(), 'must be greater than or equal to 0')] : [];
}

export const csiStorageCapacity = define<CSIStorageCapacity>({
  kind: 'CSIStorageCapacity',
  plural: 'csistoragecapacities',
  namespaced: true,
  validate: (object) => [
    ...check('storageClassName', object.storageClassName ?? '', isDNS1123Subdomain),
    ...(object.nodeTopology === undefined ? [] : validateLabelSelector(object.nodeTopology, 'nodeTopology')),
    ...amountFaults('capacity', object.capacity),
  ],
  validateUpdate: (object, old) => [
    ...immutable('nodeTopology', object.nodeTopology, old.nodeTopology),
    ...immutable('storageClassName', object.storageClassName, old.storageClassName),
    ...amountFaults('capacity', object.capacity),
  ],
  validateName: nameIsDNSSubdomain,
  warnings: ({ nodeTopology }) => nodeSelectorWarnings(nodeTopology, 'nodeTopology'),
  columns: [
    nameColumn,
    column(
      'StorageClassName',
      'string',
      'storageClassName represents the name of the StorageClass that the reported capacity applies to. It must meet the same requirements as the name of a StorageClass object (non-empty, DNS subdomain). If that object no longer exists, the CSIStorageCapacity object is obsolete and should be removed by its creator. This field is immutable.',
    ),
    column(
      'Capacity',
      'string',
      'capacity is the value reported by the CSI driver in its GetCapacityResponse for a GetCapacityRequest with topology and parameters that match the previous fields.\n\nThe semantic is currently (CSI spec 1.2) defined as: The available capacity, in bytes, of the storage that can be used to provision volumes. If not set, that information is currently unavailable.',
    ),
  ],
  row: (object) => [
    object.metadata?.name ?? '',
    object.storageClassName ?? '',
    object.capacity === undefined ? '<unset>' : canonicalQuantity(String(object.capacity)),
  ],
});
