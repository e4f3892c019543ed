import { type FieldError, FieldPath, forbidden, invalid, required } from '../../meta/field-error.ts';
import { isDNS1123Label, isDNS1123Subdomain, nameIsDNSLabel } from '../../meta/names.ts';
import type { PersistentVolumeSource, PersistentVolumeSpec, Volume } from '../../types/core-v1.ts';
import { check } from '../field-checks.ts';
import { driverNameFaults } from './csi-driver-name.ts';
import { validateLegacyVolume } from './pod-validation/legacy-volumes.ts';
import { validateNoBacksteps } from './pod-validation/paths.ts';
import { validateHostPath } from './pod-validation/volumes.ts';

const spec = new FieldPath('spec');

/** The kinds of source, in the order in which upstream looks at them. */
export const persistentVolumeSources = [
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

type SourceName = (typeof persistentVolumeSources)[number];

/** What upstream calls a source where it is one too many. */
const misspelled: Readonly<Partial<Record<SourceName, string>>> = { cephfs: 'cephFS' };

/** What is wrong with the sources of a persistent volume: there must be one. */
export function validatePersistentVolumeSource(s: PersistentVolumeSpec, name: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  let found = 0;
  for (const source of persistentVolumeSources) {
    if (s[source] === undefined) continue;
    // A flexVolume beside others is upstream's oversight.
    if (found++ > 0 && source !== 'flexVolume') {
      errors.push(forbidden(spec.child(misspelled[source] ?? source), 'may not specify more than 1 volume type'));
    } else {
      validateSource(s, source, name, errors);
    }
  }
  if (found === 0) errors.push(required(spec, 'must specify a volume type'));
  return errors;
}

function validateSource(s: PersistentVolumeSpec, source: SourceName, name: string, errors: FieldError[]): void {
  const path = spec.child(source);
  switch (source) {
    case 'hostPath':
      validateHostPath(s.hostPath!, String(path), errors);
      return;
    case 'local': {
      const where = s.local!.path ?? '';
      if (where === '') errors.push(required(path.child('path')));
      else validateNoBacksteps(where, String(path.child('path')), errors);
      if (s.nodeAffinity === undefined) errors.push(required(spec.child('nodeAffinity'), 'Local volume requires node affinity'));
      return;
    }
    case 'csi':
      errors.push(...csiFaults(s.csi!, path));
      return;
    default:
      // A pod's volumes of these kinds are judged alike, but for where their secrets are.
      validateLegacyVolume({ name, [source]: s[source] } as unknown as Volume, source, 'spec', errors);
      errors.push(...beyondPods(s, source, path));
  }
}

/** What pods do not have: namespaces of what a source names. */
function beyondPods(s: PersistentVolumeSpec, source: SourceName, path: FieldPath): readonly FieldError[] {
  switch (source) {
    case 'glusterfs': {
      const namespace = s.glusterfs!.endpointsNamespace;
      if (namespace === undefined) return [];
      const at = path.child('endpointsNamespace');
      if (namespace === '') return [invalid(at, '', 'if the endpointnamespace is set, it must be a valid namespace name')];
      return nameIsDNSLabel(namespace, false).map((message) => invalid(at, namespace, message));
    }
    case 'azureFile':
      return s.azureFile!.secretNamespace === '' ? [required(path.child('secretNamespace'))] : [];
    case 'cinder':
    case 'storageos': {
      const ref = s[source]!.secretRef;
      return ref !== undefined && !ref.namespace ? [required(path.child('secretRef', 'namespace'))] : [];
    }
    case 'iscsi': {
      const ref = s.iscsi!.secretRef;
      return ref !== undefined && !ref.name ? [required(path.child('secretRef', 'name'))] : [];
    }
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

function csiFaults(csi: NonNullable<PersistentVolumeSpec['csi']>, path: FieldPath): readonly FieldError[] {
  const errors: FieldError[] = [...driverNameFaults(path.child('driver'), csi.driver ?? '')];
  if (!csi.volumeHandle) errors.push(required(path.child('volumeHandle')));
  for (const name of secretRefs) {
    const ref = csi[name];
    if (ref === undefined) continue;
    if (!ref.name) errors.push(required(path.child(name, 'name')));
    else errors.push(...check(path.child(name, 'name'), ref.name, isDNS1123Subdomain));
    if (!ref.namespace) errors.push(required(path.child(name, 'namespace')));
    else errors.push(...check(path.child(name, 'namespace'), ref.namespace, isDNS1123Label));
  }
  return errors;
}
