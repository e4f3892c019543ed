import { type FieldError, FieldPath, forbidden, invalid, notSupported, required } from '../../meta/field-error.ts';
import { isDNS1123Subdomain, nameIsDNSSubdomain } from '../../meta/names.ts';
import { canonicalQuantity } from '../../meta/quantity.ts';
import { formatTime } from '../../meta/time.ts';
import type {
  PersistentVolume,
  PersistentVolumeSource,
  PersistentVolumeSpec,
  PersistentVolumeStatus,
} from '../../types/core-v1.ts';
import { age, column, groupVersion, standardColumns } from '../define.ts';
import { check, checkRequired, immutable } from '../field-checks.ts';
import { persistentVolumeWarnings } from '../object-warnings.ts';
import { semanticEqual } from '../semantic-equal.ts';
import { accessModeFaults, formatAccessModes } from './access-modes.ts';
import { withFields, withMissing } from './copy-on-change.ts';
import { driverNameFaults } from './csi-driver-name.ts';
import { positiveQuantityFaults, quantityFaults } from './resource-faults.ts';
import { defaultPersistentVolumeSource } from './volume-defaults.ts';

const define = groupVersion('', 'v1');
const spec = new FieldPath('spec');
const noSpec: PersistentVolumeSpec = Object.freeze({});
const noStatus: PersistentVolumeStatus = Object.freeze({});

/** The annotation that named a class before spec.storageClassName did. */
export const storageClassAnnotation = 'volume.beta.kubernetes.io/storage-class';

/** The kinds of source, in the order in which upstream looks at them. */
const sourceNames = [
  'hostPath',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'glusterfs',
  'flocker',
  'nfs',
  'rbd',
  'quobyte',
  'cephfs',
  'iscsi',
  'cinder',
  'fc',
  'flexVolume',
  'azureFile',
  'vsphereVolume',
  'photonPersistentDisk',
  'portworxVolume',
  'azureDisk',
  'scaleIO',
  'local',
  'storageos',
  'csi',
] as const satisfies readonly (keyof PersistentVolumeSource)[];

const hostPathTypes = ['', 'BlockDevice', 'CharDevice', 'Directory', 'DirectoryOrCreate', 'File', 'FileOrCreate', 'Socket'];

const backsteps = (path: FieldPath, value: string): readonly FieldError[] =>
  value.split('/').includes('..') ? [invalid(path, value, "must not contain '..'")] : [];

/** What is wrong with the details of a source; kinds that left the tree for CSI drivers are taken as they are. */
function sourceFaults(s: PersistentVolumeSpec, name: (typeof sourceNames)[number]): readonly FieldError[] {
  const path = spec.child(name);
  switch (name) {
    case 'hostPath': {
      const { path: host = '', type } = s.hostPath!;
      if (host === '') return [required(path.child('path'))];
      const typeFaults =
        type === undefined || hostPathTypes.includes(type) ? [] : [notSupported(path.child('type'), type, hostPathTypes)];
      return [...backsteps(path.child('path'), host), ...typeFaults];
    }
    case 'nfs': {
      const { server = '', path: exported = '' } = s.nfs!;
      const errors: FieldError[] = [];
      if (server === '') errors.push(required(path.child('server')));
      if (exported === '') errors.push(required(path.child('path')));
      if (!exported.startsWith('/')) errors.push(invalid(path.child('path'), exported, 'must be an absolute path'));
      return errors;
    }
    case 'local': {
      const where = s.local!.path ?? '';
      const errors = where === '' ? [required(path.child('path'))] : [...backsteps(path.child('path'), where)];
      if (s.nodeAffinity?.required === undefined) {
        errors.push(required('metadata.annotations', 'Local volume requires node affinity'));
      }
      return errors;
    }
    case 'csi':
      return csiFaults(s, path);
    default:
      return [];
  }
}

const secretRefs = [
  'controllerPublishSecretRef',
  'controllerExpandSecretRef',
  'nodePublishSecretRef',
  'nodeExpandSecretRef',
] as const;

function csiFaults(s: PersistentVolumeSpec, path: FieldPath): readonly FieldError[] {
  const csi = s.csi!;
  const errors: FieldError[] = [...driverNameFaults(path.child('driver'), csi.driver ?? '')];
  if (!csi.volumeHandle) errors.push(required(path.child('volumeHandle')));
  for (const name of secretRefs) {
    const ref = csi[name];
    if (ref === undefined) continue;
    if (!ref.name) errors.push(required(path.child(name, 'name')));
    else errors.push(...check(path.child(name, 'name'), ref.name, isDNS1123Subdomain));
    if (!ref.namespace) errors.push(required(path.child(name, 'namespace')));
  }
  return errors;
}

function validateSpec(s: PersistentVolumeSpec): readonly FieldError[] {
  const errors: FieldError[] = [];
  const modes = s.accessModes ?? [];
  if (modes.length === 0) errors.push(required(spec.child('accessModes')));
  errors.push(...accessModeFaults(spec.child('accessModes'), modes));
  const capacity = s.capacity ?? {};
  const names = Object.keys(capacity);
  if (names.length === 0) errors.push(required(spec.child('capacity')));
  if (capacity['storage'] === undefined || names.length > 1) {
    errors.push(notSupported(spec.child('capacity'), capacity, ['storage']));
  }
  for (const name of names) {
    const path = spec.child('capacity').key(name);
    errors.push(...quantityFaults(path, name, capacity[name]!), ...positiveQuantityFaults(path, capacity[name]!));
  }
  const reclaim = s.persistentVolumeReclaimPolicy;
  if (reclaim && !['Delete', 'Recycle', 'Retain'].includes(reclaim)) {
    errors.push(notSupported(spec.child('persistentVolumeReclaimPolicy'), reclaim, ['Delete', 'Recycle', 'Retain']));
  }
  if (s.nodeAffinity !== undefined) {
    const path = spec.child('nodeAffinity', 'required');
    if (s.nodeAffinity.required === undefined) errors.push(required(path, 'must specify required node constraints'));
    else if ((s.nodeAffinity.required.nodeSelectorTerms?.length ?? 0) === 0) {
      errors.push(required(path.child('nodeSelectorTerms'), 'must have at least one node selector term'));
    }
  }
  const sources = sourceNames.filter((name) => s[name] !== undefined);
  sources.forEach((name, i) => {
    if (i > 0) errors.push(forbidden(spec.child(name), 'may not specify more than 1 volume type'));
    else errors.push(...sourceFaults(s, name));
  });
  if (sources.length === 0) errors.push(required(spec, 'must specify a volume type'));
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
  return Object.fromEntries(sourceNames.flatMap((name) => (s[name] === undefined ? [] : [[name, s[name]]])));
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

function validateUpdate(object: PersistentVolume, old: PersistentVolume): readonly FieldError[] {
  const after = object.spec ?? {};
  const before = old.spec ?? {};
  const errors = [...validateSpec(after)];
  const type = 'io.k8s.api.core.v1.PersistentVolumeSource';
  if (!semanticEqual(type, comparableSource(after, before), source(before))) {
    errors.push(forbidden('spec.persistentvolumesource', 'spec.persistentvolumesource is immutable after creation'));
  }
  errors.push(...immutable('volumeMode', after.volumeMode, before.volumeMode));
  if (before.nodeAffinity !== undefined) errors.push(...immutable('nodeAffinity', after.nodeAffinity, before.nodeAffinity));
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
        withMissing(object.spec ?? noSpec, { persistentVolumeReclaimPolicy: 'Retain', volumeMode: 'Filesystem' }),
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
    const given = time !== undefined && time !== old.status?.lastPhaseTransitionTime;
    if (phase === old.status?.phase || given) return object;
    return { ...object, status: { ...object.status, lastPhaseTransitionTime: formatTime(context.now) } };
  },
  validate: (object) => validateSpec(object.spec ?? {}),
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
      column('Reason', 'string', 'Why the volume failed, as one word for machines.'),
    ),
    column('VolumeMode', 'string', 'Whether the volume is a filesystem or a block device.', 1),
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
