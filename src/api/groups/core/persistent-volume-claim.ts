import { type FieldError, FieldPath, forbidden, invalid, notSupported, required } from '../../meta/field-error.ts';
import { validateLabelSelector } from '../../meta/label-selector-validation.ts';
import { isDNS1123Subdomain, isQualifiedName, nameIsDNSSubdomain } from '../../meta/names.ts';
import { canonicalQuantity, compareQuantities, Quantity } from '../../meta/quantity.ts';
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from '../../types/core-v1.ts';
import { age, column, groupVersion, standardColumns } from '../define.ts';
import { check, immutable } from '../field-checks.ts';
import { claimWarnings } from '../object-warnings.ts';
import { semanticEqual } from '../semantic-equal.ts';
import { accessModeFaults, formatAccessModes } from './access-modes.ts';
import { withFields } from './copy-on-change.ts';
import { positiveQuantityFaults, quantityFaults } from './resource-faults.ts';
import { isNativeResource } from './resource-names.ts';
import { specDiff } from './spec-diff.ts';
import { storageClassAnnotation } from './storage-class-annotation.ts';

const define = groupVersion('', 'v1');
const specPath = new FieldPath('spec');

type Spec = PersistentVolumeClaimSpec;

const oldSources = [
  { kind: 'PersistentVolumeClaim', apiGroup: '' },
  { kind: 'VolumeSnapshot', apiGroup: 'snapshot.storage.k8s.io' },
];

/**
 * dataSource is dataSourceRef within the namespace: giving one gives the other (KEP-1495). Other namespaces are alpha
 * (CrossNamespaceVolumeDataSource), and dataSource by itself never took anything but claims and snapshots: both are dropped.
 */
function withDataSources(given: Spec, old: Spec | undefined): Spec {
  let spec = given;
  if (spec.dataSourceRef?.namespace && old?.dataSourceRef === undefined) spec = withFields(spec, { dataSourceRef: undefined });
  const { dataSource, dataSourceRef } = spec;
  if (dataSource !== undefined && dataSourceRef === undefined) {
    const { kind, apiGroup = '' } = dataSource;
    const taken = old?.dataSource !== undefined || oldSources.some((s) => s.kind === kind && s.apiGroup === apiGroup);
    return taken ? { ...spec, dataSourceRef: dataSource } : withFields(spec, { dataSource: undefined });
  }
  if (dataSource === undefined && dataSourceRef !== undefined && !dataSourceRef.namespace) {
    const { namespace: _namespace, ...local } = dataSourceRef;
    return { ...spec, dataSource: local };
  }
  return spec;
}

function dataSourceFaults(spec: Spec, path: FieldPath): readonly FieldError[] {
  return (['dataSource', 'dataSourceRef'] as const).flatMap((field) => {
    const ref = spec[field];
    if (ref === undefined) return [];
    const at = path.child(field);
    const errors: FieldError[] = [];
    if (!ref.name) errors.push(required(at.child('name')));
    if (!ref.kind) errors.push(required(at.child('kind')));
    if (!ref.apiGroup && ref.kind !== 'PersistentVolumeClaim') {
      errors.push(invalid(at, ref.kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup"));
    }
    if (ref.apiGroup) errors.push(...check(at.child('apiGroup'), ref.apiGroup, isDNS1123Subdomain));
    return errors;
  });
}

/** Everything wrong with the spec of a claim, or of a template for claims. */
export function claimSpecFaults(spec: Spec, path: FieldPath): readonly FieldError[] {
  const errors: FieldError[] = [];
  const modes = spec.accessModes ?? [];
  if (modes.length === 0) errors.push(required(path.child('accessModes'), 'at least 1 access mode is required'));
  if (spec.selector !== undefined) errors.push(...validateLabelSelector(spec.selector, path.child('selector')));
  errors.push(...accessModeFaults(path.child('accessModes'), modes));
  const storage = spec.resources?.requests?.['storage'];
  const storagePath = path.child('resources').key('storage');
  if (storage === undefined) errors.push(required(storagePath));
  else {
    const notPositive = positiveQuantityFaults(storagePath, storage);
    errors.push(...(notPositive.length > 0 ? notPositive : quantityFaults(storagePath, 'storage', storage)));
  }
  if (spec.storageClassName) errors.push(...check(path.child('storageClassName'), spec.storageClassName, isDNS1123Subdomain));
  if (spec.volumeMode !== undefined && spec.volumeMode !== 'Block' && spec.volumeMode !== 'Filesystem') {
    errors.push(notSupported(path.child('volumeMode'), spec.volumeMode, ['Block', 'Filesystem']));
  }
  errors.push(...dataSourceFaults(spec, path));
  if (spec.dataSource !== undefined && spec.dataSourceRef !== undefined && !spec.dataSourceRef.namespace) {
    if (!semanticEqual('io.k8s.api.core.v1.TypedObjectReference', spec.dataSource, spec.dataSourceRef)) {
      // Upstream hands over the path in place of the value, of which nothing can be shown.
      errors.push(invalid(path, {}, 'must match dataSourceRef'));
    }
  }
  if (spec.volumeAttributesClassName) {
    errors.push(...check(path.child('volumeAttributesClassName'), spec.volumeAttributesClassName, isDNS1123Subdomain));
  }
  return errors;
}

/** A claim from the days of the annotation may name the same class in its spec. */
function classMovedToSpec(object: PersistentVolumeClaim, old: PersistentVolumeClaim): boolean {
  const then = old.metadata?.annotations?.[storageClassAnnotation];
  const now = object.metadata?.annotations?.[storageClassAnnotation];
  return (
    then !== undefined &&
    old.spec?.storageClassName === undefined &&
    object.spec?.storageClassName === then &&
    (now === undefined || now === then)
  );
}

const classGivenLater = (object: PersistentVolumeClaim, old: PersistentVolumeClaim): boolean =>
  old.metadata?.annotations?.[storageClassAnnotation] === undefined &&
  old.spec?.storageClassName === undefined &&
  object.spec?.storageClassName !== undefined;

const withRequest = (spec: Spec, storage: string | undefined): Spec => {
  const { storage: _storage, ...others } = spec.resources?.requests ?? {};
  return { ...spec, resources: { ...spec.resources, requests: storage === undefined ? others : { ...others, storage } } };
};

function without<K extends keyof Spec>(spec: Spec, name: K): Spec {
  const { [name]: _dropped, ...rest } = spec;
  return rest as Spec;
}

/** A spec stays as it was, but for the volume's name (once), the size of a bound claim, and its attributes class. */
function validateUpdate(object: PersistentVolumeClaim, old: PersistentVolumeClaim): readonly FieldError[] {
  const after = object.spec ?? {};
  const before = old.spec ?? {};
  const errors = [...claimSpecFaults(after, specPath)];
  let left = without(after, 'volumeAttributesClassName');
  let right = without(before, 'volumeAttributesClassName');
  if (!before.volumeName) {
    left = without(left, 'volumeName');
    right = without(right, 'volumeName');
  }
  if (classMovedToSpec(object, old)) left = without(left, 'storageClassName');
  else {
    const now = object.metadata?.annotations?.[storageClassAnnotation] ?? '';
    const then = old.metadata?.annotations?.[storageClassAnnotation] ?? '';
    errors.push(...immutable(`metadata.annotations.${storageClassAnnotation}`, now, then));
    // A claim made before there was a default class gets one later (KEP-3333).
    if (classGivenLater(object, old)) left = without(left, 'storageClassName');
  }
  const oldSize = before.resources?.requests?.['storage'];
  if (object.status?.phase === 'Bound' && left.resources?.requests !== undefined) left = withRequest(left, oldSize);
  if (!semanticEqual('io.k8s.api.core.v1.PersistentVolumeClaimSpec', left, right)) {
    const detail = 'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';
    errors.push(forbidden('spec', `${detail}\n${specDiff('io.k8s.api.core.v1.PersistentVolumeClaimSpec', right, left)}`));
  }
  const newSize = String(after.resources?.requests?.['storage'] ?? '0');
  if (compareQuantities(newSize, String(oldSize ?? '0')) < 0) {
    if (compareQuantities(newSize, String(old.status?.capacity?.['storage'] ?? '0')) <= 0) {
      errors.push(forbidden('spec.resources.requests.storage', 'field can not be less than status.capacity'));
    }
  }
  errors.push(...immutable('volumeMode', after.volumeMode, before.volumeMode));
  // Which attributes a volume has is known once a class was applied; before that, the wish can be taken back.
  const className = after.volumeAttributesClassName;
  if (
    className !== before.volumeAttributesClassName &&
    old.status?.currentVolumeAttributesClassName !== undefined &&
    !className
  ) {
    const to = className === undefined ? 'nil' : 'empty string';
    const detail = `update to ${to} is forbidden when status.currentVolumeAttributesClassName is not nil`;
    errors.push(forbidden('spec.volumeAttributesClassName', detail));
  }
  return errors;
}

const resizeStates = [
  'ControllerResizeInProgress',
  'ControllerResizeInfeasible',
  'NodeResizeInProgress',
  'NodeResizeInfeasible',
  'NodeResizePending',
];

function amountFaults(path: FieldPath, amount: string): readonly FieldError[] {
  const parsed = Quantity.parse(String(amount));
  return parsed.sign < 0 ? [invalid(path, parsed.value(), 'must be a valid resource quantity')] : [];
}

/** Of Kubernetes' own resources a volume has storage alone. */
function allocatedNameFaults(path: FieldPath, name: string): readonly FieldError[] {
  const faults = check(path, name, isQualifiedName);
  if (faults.length > 0 || name === 'storage' || !isNativeResource(name)) return faults;
  return [notSupported(path, name, ['storage'])];
}

function validateStatus(object: PersistentVolumeClaim): readonly FieldError[] {
  const status = new FieldPath('status');
  const errors: FieldError[] = [];
  for (const [name, amount] of Object.entries(object.status?.capacity ?? {})) {
    errors.push(...amountFaults(status.child('capacity').key(name), amount));
  }
  for (const [name, state] of Object.entries(object.status?.allocatedResourceStatuses ?? {})) {
    const path = status.child('allocatedResourceStatuses');
    errors.push(...allocatedNameFaults(path, name));
    // Upstream shows the resource, not its state.
    if (!resizeStates.includes(state)) errors.push(notSupported(path, name, resizeStates));
  }
  for (const [name, amount] of Object.entries(object.status?.allocatedResources ?? {})) {
    const path = status.child('allocatedResources');
    const faults = allocatedNameFaults(path, name);
    errors.push(...(faults.length > 0 ? faults : amountFaults(path.key(name), amount)));
  }
  return errors;
}

const normalized = (object: PersistentVolumeClaim, old?: PersistentVolumeClaim): PersistentVolumeClaim =>
  object.spec === undefined ? object : { ...object, spec: withDataSources(object.spec, old?.spec) };

export const persistentVolumeClaim = define<PersistentVolumeClaim>({
  kind: 'PersistentVolumeClaim',
  plural: 'persistentvolumeclaims',
  namespaced: true,
  shortNames: ['pvc'],
  status: true,
  generation: false,
  defaults: (object) => {
    if (object.spec?.volumeMode !== undefined && object.status?.phase) return object;
    return {
      ...object,
      spec: { ...object.spec, volumeMode: object.spec?.volumeMode ?? 'Filesystem' },
      status: { ...object.status, phase: object.status?.phase || 'Pending' },
    };
  },
  strategy: {
    prepareForCreate: (object) => ({ ...normalized(object), status: { phase: 'Pending' } }),
    prepareForUpdate: (object, old) => {
      const { status: _status, ...rest } = normalized(object, old);
      return old.status === undefined ? rest : { ...rest, status: old.status };
    },
  },
  validate: (object) => claimSpecFaults(object.spec ?? {}, specPath),
  validateUpdate,
  validateStatusUpdate: validateStatus,
  validateName: nameIsDNSSubdomain,
  warnings: claimWarnings,
  columns: [
    ...standardColumns(
      column('Status', 'string', 'phase represents the current phase of PersistentVolumeClaim.'),
      column('Volume', 'string', 'volumeName is the binding reference to the PersistentVolume backing this claim.'),
      column('Capacity', 'string', 'capacity represents the actual resources of the underlying volume.'),
      column(
        'Access Modes',
        'string',
        'accessModes contains the actual access modes the volume backing the PVC has. More info: https://kubernetes.io/docs/concepts/storage/persistent-volumes#access-modes-1',
      ),
      column('StorageClass', 'string', 'StorageClass of the pvc'),
      column('VolumeAttributesClass', 'string', 'VolumeAttributesClass of the pvc'),
    ),
    column(
      'VolumeMode',
      'string',
      'volumeMode defines what type of volume is required by the claim. Value of Filesystem is implied when not included in claim spec.',
      1,
    ),
  ],
  row: (object, now) => {
    const s = object.spec ?? {};
    const bound = Boolean(s.volumeName);
    return [
      object.metadata?.name ?? '',
      object.metadata?.deletionTimestamp !== undefined ? 'Terminating' : (object.status?.phase ?? ''),
      s.volumeName ?? '',
      bound ? canonicalQuantity(String(object.status?.capacity?.['storage'] ?? '0')) : '',
      bound ? formatAccessModes(object.status?.accessModes) : '',
      object.metadata?.annotations?.[storageClassAnnotation] ?? s.storageClassName ?? '',
      s.volumeAttributesClassName ?? '<unset>',
      age(object.metadata?.creationTimestamp, now),
      s.volumeMode ?? '<unset>',
    ];
  },
});
