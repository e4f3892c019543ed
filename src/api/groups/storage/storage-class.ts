import { duplicate, type FieldError, FieldPath, forbidden, invalid, required, tooLong } from '../../meta/field-error.ts';
import { isQualifiedName, nameIsDNSSubdomain } from '../../meta/names.ts';
import type { TopologySelectorTerm } from '../../types/core-v1.ts';
import type { StorageClass, VolumeAttributesClass } from '../../types/storage-v1.ts';
import { deprecatedNodeLabel } from '../core/deprecated-node-labels.ts';
import { age, column, deepEqual, groupVersion, standardColumns } from '../define.ts';
import { check, immutable, oneOf } from '../field-checks.ts';

const define = groupVersion('storage.k8s.io', 'v1');

/** What the parameters of a class may come to: how many, and their bytes in all. */
const most = { parameters: 512, parameterBytes: 256 * 1024 } as const;

type Parameters = Readonly<Record<string, string>>;

function provisionerFaults(path: string, name: string): readonly FieldError[] {
  if (name === '') return [required(path, name)];
  return isQualifiedName(name.toLowerCase()).map((detail) => invalid(path, name, detail));
}

function parameterFaults(parameters: Parameters | undefined, mayBeEmpty: boolean): readonly FieldError[] {
  const entries = Object.entries(parameters ?? {});
  const errors: FieldError[] = [];
  if (entries.length > most.parameters) errors.push(tooLong('parameters', most.parameters));
  for (const [key] of entries) if (key === '') errors.push(invalid('parameters', key, 'field can not be empty.'));
  const bytes = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
  if (bytes > most.parameterBytes) errors.push(tooLong('parameters', most.parameterBytes));
  if (!mayBeEmpty && entries.length === 0) errors.push(required('parameters', 'must contain at least one key/value pair'));
  return errors;
}

function topologyFaults(terms: readonly TopologySelectorTerm[]): readonly FieldError[] {
  const path = new FieldPath('allowedTopologies');
  return terms.flatMap((term, i) => {
    const at = path.index(i).child('matchLabelExpressions');
    const expressions = term.matchLabelExpressions ?? [];
    const errors: FieldError[] = [];
    if (expressions.length === 0) errors.push(required(at));
    expressions.forEach(({ key = '', values = [] }, j) => {
      const item = at.index(j);
      if (values.length === 0) errors.push(required(item.child('values')));
      values.forEach((value, k) => {
        if (values.indexOf(value) < k) errors.push(duplicate(item.child('values').index(k), value));
      });
      errors.push(...check(item.child('key'), key, isQualifiedName));
      if (expressions.findIndex((e) => e.key === key) < j) errors.push(duplicate(item.child('key'), key));
    });
    if (terms.findIndex((t) => deepEqual(t, term)) < i) errors.push(duplicate(at, ''));
    return errors;
  });
}

const isDefault = (annotations: Readonly<Record<string, string>> | undefined, ...keys: readonly string[]): boolean =>
  keys.some((key) => annotations?.[key] === 'true');

export const storageClass = define<StorageClass>({
  kind: 'StorageClass',
  plural: 'storageclasses',
  namespaced: false,
  shortNames: ['sc'],
  defaults: (object) => {
    if (object.reclaimPolicy !== undefined && object.volumeBindingMode !== undefined) return object;
    return {
      ...object,
      reclaimPolicy: object.reclaimPolicy ?? 'Delete',
      volumeBindingMode: object.volumeBindingMode ?? 'Immediate',
    };
  },
  validate: (object) => [
    ...provisionerFaults('provisioner', object.provisioner ?? ''),
    ...parameterFaults(object.parameters, true),
    ...oneOf('reclaimPolicy', object.reclaimPolicy ?? 'Delete', ['Delete', 'Retain']),
    ...oneOf('volumeBindingMode', object.volumeBindingMode, ['Immediate', 'WaitForFirstConsumer']),
    ...topologyFaults(object.allowedTopologies ?? []),
  ],
  validateUpdate: (object, old) => {
    const errors: FieldError[] = [];
    for (const field of ['parameters', 'provisioner', 'reclaimPolicy'] as const) {
      if (!deepEqual(object[field], old[field])) errors.push(forbidden(field, `updates to ${field} are forbidden.`));
    }
    return [...errors, ...immutable('volumeBindingMode', object.volumeBindingMode, old.volumeBindingMode)];
  },
  validateName: nameIsDNSSubdomain,
  warnings: ({ allowedTopologies = [] }) =>
    allowedTopologies.flatMap(({ matchLabelExpressions = [] }, i) =>
      matchLabelExpressions.flatMap(({ key }, j) => {
        const message = deprecatedNodeLabel(key);
        return message === undefined ? [] : [`allowedTopologies[${i}].matchLabelExpressions[${j}].key: ${message}`];
      }),
    ),
  columns: standardColumns(
    column('Provisioner', 'string', 'provisioner indicates the type of the provisioner.'),
    column(
      'ReclaimPolicy',
      'string',
      'reclaimPolicy controls the reclaimPolicy for dynamically provisioned PersistentVolumes of this storage class. Defaults to Delete.',
    ),
    column(
      'VolumeBindingMode',
      'string',
      'volumeBindingMode indicates how PersistentVolumeClaims should be provisioned and bound.  When unset, VolumeBindingImmediate is used. This field is only honored by servers that enable the VolumeScheduling feature.',
    ),
    column('AllowVolumeExpansion', 'string', 'allowVolumeExpansion shows whether the storage class allow volume expand.'),
  ),
  row: (object, now) => {
    const marked = isDefault(
      object.metadata?.annotations,
      'storageclass.kubernetes.io/is-default-class',
      'storageclass.beta.kubernetes.io/is-default-class',
    );
    return [
      `${object.metadata?.name ?? ''}${marked ? ' (default)' : ''}`,
      object.provisioner ?? '',
      object.reclaimPolicy ?? 'Delete',
      object.volumeBindingMode ?? 'Immediate',
      object.allowVolumeExpansion ?? false,
      age(object.metadata?.creationTimestamp, now),
    ];
  },
});

export const volumeAttributesClass = define<VolumeAttributesClass>({
  kind: 'VolumeAttributesClass',
  plural: 'volumeattributesclasses',
  namespaced: false,
  shortNames: ['vac'],
  validate: (object) => [
    ...provisionerFaults('driverName', object.driverName ?? ''),
    ...parameterFaults(object.parameters, false),
  ],
  validateUpdate: (object, old) =>
    (['driverName', 'parameters'] as const).flatMap((field) =>
      deepEqual(object[field], old[field]) ? [] : [forbidden(field, `updates to ${field} are forbidden.`)],
    ),
  validateName: nameIsDNSSubdomain,
  columns: standardColumns(column('DriverName', 'string', 'Name of the CSI driver This field is immutable.')),
  row: (object, now) => {
    const marked = isDefault(object.metadata?.annotations, 'volumeattributesclass.alpha.kubernetes.io/is-default-class');
    return [
      `${object.metadata?.name ?? ''}${marked ? ' (default)' : ''}`,
      object.driverName ?? '',
      age(object.metadata?.creationTimestamp, now),
    ];
  },
});
