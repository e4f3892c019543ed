import type {
  DownwardAPIVolumeFile,
  PersistentVolumeClaimSpec,
  PersistentVolumeSpec,
  Volume,
  VolumeProjection,
} from '../../types/core-v1.ts';
import { mapField, mapListField, withMissing, withUnset } from './copy-on-change.ts';
import { defaultPullPolicy } from './image-reference.ts';
import { roundUpToMilli } from './pod-resources.ts';

/** 0644: the mode of files that a volume is filled with. */
const defaultFileMode = 0o644;
/** Seconds a projected service account token is asked for. */
const defaultTokenExpirationSeconds = 3600;

const emptyDir = Object.freeze({});

/** The defaults of a volume and of its source, or sources where there are wrongly several. A volume without a source is an emptyDir. */
export function defaultVolume(volume: Volume): Volume {
  let result = volume;
  let sources = 0;
  for (const key in volume) {
    if (key === 'name' || volume[key as keyof Volume] === undefined || volume[key as keyof Volume] === null) continue;
    sources++;
    result = defaultVolumeSource(result, key);
  }
  return sources === 0 ? { ...volume, emptyDir } : result;
}

function defaultVolumeSource(volume: Volume, source: string): Volume {
  switch (source) {
    case 'secret':
      return mapField(volume, 'secret', fileMode);
    case 'configMap':
      return mapField(volume, 'configMap', fileMode);
    case 'downwardAPI':
      return mapField(volume, 'downwardAPI', (v) => mapListField(fileMode(v), 'items', defaultFile));
    case 'projected':
      return mapField(volume, 'projected', (v) => mapListField(fileMode(v), 'sources', defaultProjection));
    case 'ephemeral':
      return mapField(volume, 'ephemeral', (v) =>
        mapField(v, 'volumeClaimTemplate', (t) => mapField(t, 'spec', defaultClaimSpec)),
      );
    case 'image':
      return mapField(volume, 'image', (v) => (v.pullPolicy ? v : { ...v, pullPolicy: defaultPullPolicy(v.reference) }));
    case 'hostPath':
    case 'iscsi':
    case 'rbd':
    case 'azureDisk':
    case 'scaleIO':
      return defaultSource(volume, source);
    default:
      return volume;
  }
}

/** What a source has that says nothing else, of the kinds that pods and persistent volumes have in common. */
const sourceDefaults = {
  hostPath: { type: '' },
  iscsi: { iscsiInterface: 'default' },
  rbd: { pool: 'rbd', user: 'admin', keyring: '/etc/ceph/keyring' },
  azureDisk: { cachingMode: 'ReadWrite', kind: 'Shared', fsType: 'ext4', readOnly: false },
  scaleIO: { storageMode: 'ThinProvisioned', fsType: 'xfs' },
} as const;
type CommonSources = { readonly [K in keyof typeof sourceDefaults]?: object };

function defaultSource<T extends CommonSources>(holder: T, name: keyof typeof sourceDefaults): T {
  const source = holder[name];
  if (source === undefined || source === null) return holder;
  const after = withMissing(source, sourceDefaults[name]);
  return after === source ? holder : { ...holder, [name]: after };
}

/** The defaults of the source of a persistent volume. */
export function defaultPersistentVolumeSource(spec: PersistentVolumeSpec): PersistentVolumeSpec {
  let result = spec;
  for (const name in sourceDefaults) result = defaultSource(result, name as keyof typeof sourceDefaults);
  return result;
}

const fileMode = <T extends { readonly defaultMode?: number }>(source: T): T =>
  source.defaultMode === undefined ? { ...source, defaultMode: defaultFileMode } : source;

const defaultFile = (file: DownwardAPIVolumeFile): DownwardAPIVolumeFile =>
  mapField(file, 'fieldRef', (ref) => withMissing(ref, { apiVersion: 'v1' }));

function defaultProjection(projection: VolumeProjection): VolumeProjection {
  const token = mapField(projection, 'serviceAccountToken', (t) =>
    withMissing(t, { expirationSeconds: defaultTokenExpirationSeconds }),
  );
  return mapField(token, 'downwardAPI', (d) => mapListField(d, 'items', defaultFile));
}

/** The defaults of the claim that a template makes (SetDefaults_PersistentVolumeClaimSpec). */
export function defaultClaimSpec(spec: PersistentVolumeClaimSpec): PersistentVolumeClaimSpec {
  return mapField(withUnset(spec, { volumeMode: 'Filesystem' }), 'resources', (resources) =>
    mapField(mapField(resources, 'limits', roundUpToMilli), 'requests', roundUpToMilli),
  );
}
