import { type FieldError, FieldPath, forbidden, invalid, notSupported, required } from '../../meta/field-error.ts';
import { isDNS1123Subdomain, isValidLabelValue, nameIsDNSSubdomain } from '../../meta/names.ts';
import { IMMUTABLE } from '../../meta/object-meta-validation.ts';
import { canonicalQuantity, quantityValue } from '../../meta/quantity.ts';
import { formatTime } from '../../meta/time.ts';
import type {
  NodeSelector,
  PersistentVolume,
  PersistentVolumeSource,
  PersistentVolumeSpec,
  PersistentVolumeStatus,
  VolumeNodeAffinity,
} from '../../types/core-v1.ts';
import { age, column, deepEqual, groupVersion, standardColumns } from '../define.ts';
import { check, checkRequired, immutable, sorted } from '../field-checks.ts';
import { persistentVolumeWarnings } from '../object-warnings.ts';
import { semanticEqual } from '../semantic-equal.ts';
import { accessModeFaults, formatAccessModes } from './access-modes.ts';
import { withFields, withMissing, withUnset } from './copy-on-change.ts';
import { internalForm } from './internal-json.ts';
import { persistentVolumeSources, validatePersistentVolumeSource } from './persistent-volume-source.ts';
import { validateNodeSelector } from './pod-validation/scheduling.ts';
import { positiveQuantityFaults } from './resource-faults.ts';
import { specDiff } from './spec-diff.ts';
import { storageClassAnnotation } from './storage-class-annotation.ts';
import { defaultPersistentVolumeSource } from './volume-defaults.ts';

const define = groupVersion('', 'v1');
const spec = new FieldPath('spec');
const noSpec: PersistentVolumeSpec = Object.freeze({});
const noStatus: PersistentVolumeStatus = Object.freeze({});

/** Whether a selector has values that no label can have: what is stored stays updatable. */
const hasInvalidValues = (selector: NodeSelector): boolean =>
  selector.nodeSelectorTerms.some((term) =>
    term.matchExpressions?.some(({ values }) => values?.some((value) => isValidLabelValue(value).length > 0)),
  );

function validateSpec(s: PersistentVolumeSpec, name: string, old?: PersistentVolumeSpec): readonly FieldError[] {
  const errors: FieldError[] = [];
  const modes = s.accessModes ?? [];
  if (modes.length === 0) errors.push(required(spec.child('accessModes')));
  errors.push(...accessModeFaults(spec.child('accessModes'), modes));
  const capacity = s.capacity ?? {};
  const names = Object.keys(capacity).sort();
  if (names.length === 0) errors.push(required(spec.child('capacity')));
  if (capacity['storage'] === undefined || names.length > 1) {
    errors.push(notSupported(spec.child('capacity'), s.capacity === undefined ? null : sorted(capacity), ['storage']));
  }
  for (const resource of names) {
    const path = spec.child('capacity').key(resource);
    const whole = quantityValue(capacity[resource]);
    if (whole < 0) errors.push(invalid(path, whole, 'must be a valid resource quantity'));
    errors.push(...positiveQuantityFaults(path, capacity[resource]!));
  }
  const reclaim = s.persistentVolumeReclaimPolicy;
  if (reclaim && !['Delete', 'Recycle', 'Retain'].includes(reclaim)) {
    errors.push(notSupported(spec.child('persistentVolumeReclaimPolicy'), reclaim, ['Delete', 'Recycle', 'Retain']));
  }
  if (s.nodeAffinity !== undefined) {
    const at = 'spec.nodeAffinity.required';
    const allowInvalidValues = old?.nodeAffinity?.required !== undefined && hasInvalidValues(old.nodeAffinity.required);
    if (s.nodeAffinity.required === undefined) errors.push(required(at, 'must specify required node constraints'));
    else validateNodeSelector(s.nodeAffinity.required, at, allowInvalidValues, errors);
  }
  errors.push(...validatePersistentVolumeSource(s, name));
  if (s.hostPath?.path !== undefined && /^\/+$/.test(s.hostPath.path) && reclaim === 'Recycle') {
    errors.push(forbidden(spec.child('persistentVolumeReclaimPolicy'), "may not be 'recycle' for a hostPath mount of '/'"));
  }
  if (s.storageClassName) errors.push(...check(spec.child('storageClassName'), s.storageClassName, isDNS1123Subdomain));
  if (s.volumeMode !== undefined && s.volumeMode !== 'Block' && s.volumeMode !== 'Filesystem') {
    errors.push(notSupported(spec.child('volumeMode'), s.volumeMode, ['Block', 'Filesystem']));
  }
  if (s.volumeAttributesClassName !== undefined) {
    const path = spec.child('volumeAttributesClassName');
    errors.push(...checkRequired(path, s.volumeAttributesClassName, isDNS1123Subdomain, 'an empty string is disallowed'));
    if (s.csi === undefined) {
      errors.push(required(spec.child('csi'), 'has to be specified when using volumeAttributesClassName'));
    }
  }
  return errors;
}

function source(s: PersistentVolumeSpec): PersistentVolumeSource {
  return Object.fromEntries(persistentVolumeSources.flatMap((name) => (s[name] === undefined ? [] : [[name, s[name]]])));
}

/** A source that may gain the secrets for expansion, which claims made earlier lack. */
function comparableSource(after: PersistentVolumeSpec, before: PersistentVolumeSpec): PersistentVolumeSource {
  const kept = source(after);
  if (kept.csi === undefined || before.csi === undefined) return kept;
  const { controllerExpandSecretRef, nodeExpandSecretRef, ...csi } = kept.csi;
  return {
    ...kept,
    csi: {
      ...csi,
      ...(before.csi.controllerExpandSecretRef === undefined ? {} : { controllerExpandSecretRef }),
      ...(before.csi.nodeExpandSecretRef === undefined ? {} : { nodeExpandSecretRef }),
    } as typeof csi,
  };
}

/** Labels of nodes that have changed their names since. */
const stableLabels: Readonly<Record<string, string>> = {
  'beta.kubernetes.io/arch': 'kubernetes.io/arch',
  'beta.kubernetes.io/instance-type': 'node.kubernetes.io/instance-type',
  'beta.kubernetes.io/os': 'kubernetes.io/os',
  'failure-domain.beta.kubernetes.io/region': 'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone': 'topology.kubernetes.io/zone',
};

/** For a comparison in which a label is the same by either name. */
const withStableLabels = (affinity: VolumeNodeAffinity | undefined): unknown =>
  affinity?.required?.nodeSelectorTerms.map((term) => ({
    ...term,
    ...(term.matchExpressions === undefined
      ? {}
      : { matchExpressions: term.matchExpressions.map((e) => ({ ...e, key: stableLabels[e.key] ?? e.key })) }),
  }));

function validateUpdate(object: PersistentVolume, old: PersistentVolume): readonly FieldError[] {
  const after = object.spec ?? {};
  const before = old.spec ?? {};
  const errors = [...validateSpec(after, object.metadata?.name ?? '', before)];
  const type = 'io.k8s.api.core.v1.PersistentVolumeSource';
  const now = comparableSource(after, before);
  if (!semanticEqual(type, now, source(before))) {
    const difference = specDiff(type, source(before), now);
    const detail = `spec.persistentvolumesource is immutable after creation\n${difference}`;
    errors.push(forbidden('spec.persistentvolumesource', detail));
  }
  errors.push(...immutable('volumeMode', after.volumeMode, before.volumeMode));
  const { nodeAffinity } = after;
  if (before.nodeAffinity !== undefined && !deepEqual(withStableLabels(nodeAffinity), withStableLabels(before.nodeAffinity))) {
    const shown = nodeAffinity === undefined ? null : internalForm('io.k8s.api.core.v1.VolumeNodeAffinity', nodeAffinity);
    errors.push(invalid('nodeAffinity', shown, `${IMMUTABLE}, except for updating from beta label to GA`));
  }
  if (before.volumeAttributesClassName !== undefined && after.volumeAttributesClassName === undefined) {
    errors.push(forbidden('spec.volumeAttributesClassName', 'update from non-nil value to nil is forbidden'));
  }
  return errors;
}

export const persistentVolume = define<PersistentVolume>({
  kind: 'PersistentVolume',
  plural: 'persistentvolumes',
  namespaced: false,
  shortNames: ['pv'],
  status: true,
  generation: false,
  defaults: (object) =>
    withFields(object, {
      spec: defaultPersistentVolumeSource(
        withUnset(withMissing(object.spec ?? noSpec, { persistentVolumeReclaimPolicy: 'Retain' }), { volumeMode: 'Filesystem' }),
      ),
      status: withMissing(object.status ?? noStatus, { phase: 'Pending' }),
    }),
  strategy: {
    prepareForCreate: (object, context) => ({
      ...object,
      status: { phase: 'Pending', lastPhaseTransitionTime: formatTime(context.now) },
    }),
  },
  prepareStatusUpdate: (object, old, context) => {
    const { phase, lastPhaseTransitionTime: time } = object.status ?? {};
    const before = old.status?.lastPhaseTransitionTime;
    const same = phase === old.status?.phase;
    if (same ? time !== undefined || before === undefined : time !== undefined && time !== before) return object;
    return { ...object, status: { ...object.status, lastPhaseTransitionTime: same ? before! : formatTime(context.now) } };
  },
  validate: (object) => validateSpec(object.spec ?? {}, object.metadata?.name ?? ''),
  validateUpdate,
  validateName: nameIsDNSSubdomain,
  warnings: persistentVolumeWarnings,
  columns: [
    ...standardColumns(
      column(
        'Capacity',
        'string',
        "capacity is the description of the persistent volume's resources and capacity. More info: https://kubernetes.io/docs/concepts/storage/persistent-volumes#capacity",
      ),
      column(
        'Access Modes',
        'string',
        'accessModes contains all ways the volume can be mounted. More info: https://kubernetes.io/docs/concepts/storage/persistent-volumes#access-modes',
      ),
      column(
        'Reclaim Policy',
        'string',
        'persistentVolumeReclaimPolicy defines what happens to a persistent volume when released from its claim. Valid options are Retain (default for manually created PersistentVolumes), Delete (default for dynamically provisioned PersistentVolumes), and Recycle (deprecated). Recycle must be supported by the volume plugin underlying this PersistentVolume. More info: https://kubernetes.io/docs/concepts/storage/persistent-volumes#reclaiming',
      ),
      column(
        'Status',
        'string',
        'phase indicates if a volume is available, bound to a claim, or released by a claim. More info: https://kubernetes.io/docs/concepts/storage/persistent-volumes#phase',
      ),
      column(
        'Claim',
        'string',
        'claimRef is part of a bi-directional binding between PersistentVolume and PersistentVolumeClaim. Expected to be non-nil when bound. claim.VolumeName is the authoritative bind between PV and PVC. More info: https://kubernetes.io/docs/concepts/storage/persistent-volumes#binding',
      ),
      column('StorageClass', 'string', 'StorageClass of the pv'),
      column('VolumeAttributesClass', 'string', 'VolumeAttributesClass of the pv'),
      column(
        'Reason',
        'string',
        'reason is a brief CamelCase string that describes any failure and is meant for machine parsing and tidy display in the CLI.',
      ),
    ),
    column(
      'VolumeMode',
      'string',
      'volumeMode defines if a volume is intended to be used with a formatted filesystem or to remain in raw block state. Value of Filesystem is implied when not included in spec.',
      1,
    ),
  ],
  row: (object, now) => {
    const s = object.spec ?? {};
    const amount = s.capacity?.['storage'];
    return [
      object.metadata?.name ?? '',
      amount === undefined ? '0' : canonicalQuantity(String(amount)),
      formatAccessModes(s.accessModes),
      s.persistentVolumeReclaimPolicy ?? '',
      object.metadata?.deletionTimestamp !== undefined ? 'Terminating' : (object.status?.phase ?? ''),
      s.claimRef === undefined ? '' : `${s.claimRef.namespace ?? ''}/${s.claimRef.name ?? ''}`,
      object.metadata?.annotations?.[storageClassAnnotation] ?? s.storageClassName ?? '',
      s.volumeAttributesClassName ?? '<unset>',
      object.status?.reason ?? '',
      age(object.metadata?.creationTimestamp, now),
      s.volumeMode ?? '<unset>',
    ];
  },
});
