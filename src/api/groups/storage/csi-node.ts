import { duplicate, type FieldError, FieldPath, invalid, required } from '../../meta/field-error.ts';
import { isQualifiedName, nameIsDNSSubdomain } from '../../meta/names.ts';
import type { CSINode, CSINodeDriver } from '../../types/storage-v1.ts';
import { driverNameFaults } from '../core/csi-driver-name.ts';
import { age, column, deepEqual, groupVersion, standardColumns } from '../define.ts';
import { nonNegative } from '../field-checks.ts';

const define = groupVersion('storage.k8s.io', 'v1');
const driversPath = new FieldPath('spec.drivers');
/** The longest name of a node as a driver knows it, in characters. */
const maxNodeIdLength = 256;

function driverFaults(driver: CSINodeDriver, path: FieldPath): readonly FieldError[] {
  const { name = '', nodeID = '', topologyKeys = [] } = driver;
  const errors = [...driverNameFaults(path.child('name'), name)];
  if (nodeID === '') errors.push(required(path.child('nodeID'), nodeID));
  if (nodeID.length > maxNodeIdLength) {
    errors.push(invalid(path.child('nodeID'), nodeID, `must be ${maxNodeIdLength} characters or less`));
  }
  errors.push(...nonNegative(path.child('allocatable', 'count'), driver.allocatable?.count));
  topologyKeys.forEach((key, i) => {
    if (key === '') errors.push(required(path, key));
    if (topologyKeys.indexOf(key) < i) errors.push(duplicate(path, key));
    for (const detail of isQualifiedName(key)) errors.push(invalid(path, key, detail));
  });
  return errors;
}

function validate(object: CSINode): readonly FieldError[] {
  const drivers = object.spec?.drivers ?? [];
  return drivers.flatMap((driver, i) => {
    const path = driversPath.index(i);
    const errors = [...driverFaults(driver, path)];
    if (drivers.findIndex((d) => d.name === driver.name) < i) errors.push(duplicate(path.child('name'), driver.name));
    return errors;
  });
}

/** Of a driver that stays only the count of volumes may change (KEP-4876). */
function validateUpdate(object: CSINode, old: CSINode): readonly FieldError[] {
  const errors = [...validate(object)];
  const fixed = ({ allocatable: _allocatable, ...rest }: CSINodeDriver): unknown => rest;
  for (const before of old.spec?.drivers ?? []) {
    for (const driver of object.spec?.drivers ?? []) {
      if (driver.name !== before.name || deepEqual(fixed(driver), fixed(before))) continue;
      errors.push(invalid(driversPath, driver, 'field is immutable'));
    }
  }
  return errors;
}

export const csiNode = define<CSINode>({
  kind: 'CSINode',
  plural: 'csinodes',
  namespaced: false,
  strategy: { allowUnconditionalUpdate: false },
  validate,
  validateUpdate,
  validateName: nameIsDNSSubdomain,
  columns: standardColumns(column('Drivers', 'integer', 'Drivers indicates the number of CSI drivers registered on the node')),
  row: (object, now) => [
    object.metadata?.name ?? '',
    object.spec?.drivers?.length ?? 0,
    age(object.metadata?.creationTimestamp, now),
  ],
});
