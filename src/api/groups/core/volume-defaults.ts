import type { DownwardAPIVolumeFile, PersistentVolumeClaimSpec, Volume, VolumeProjection } from '../../types/core-v1.ts';
import { mapField, mapListField, withMissing } from './copy-on-change.ts';
import { defaultPullPolicy } from './image-reference.ts';
import { roundUpToMilli } from './pod-resources.ts';

/** 0644: the mode of files that a volume is filled with. */
const defaultFileMode = 0o644;
/** Seconds a projected service account token is asked for. */
const defaultTokenExpirationSeconds = 3600;

const emptyDir = Object.freeze({});

/** The defaults of a volume and of its source. A volume without a source is an emptyDir. */
export function defaultVolume(volume: Volume): Volume {
  let source: string | undefined;
  for (const key in volume) {
    if (key !== 'name' && volume[key as keyof Volume] !== undefined && volume[key as keyof Volume] !== null) source = key;
  }
  switch (source) {
    case undefined:
      return { ...volume, emptyDir };
    case 'secret':
      return mapField(volume, 'secret', fileMode);
    case 'configMap':
      return mapField(volume, 'configMap', fileMode);
    case 'downwardAPI':
      return mapField(volume, 'downwardAPI', (v) => mapListField(fileMode(v), 'items', defaultFile));
    case 'projected':
      return mapField(volume, 'projected', (v) => mapListField(fileMode(v), 'sources', defaultProjection));
    case 'hostPath':
      return mapField(volume, 'hostPath', (v) => (v.type === undefined ? { ...v, type: '' as const } : v));
    case 'ephemeral':
      return mapField(volume, 'ephemeral', (v) =>
        mapField(v, 'volumeClaimTemplate', (t) => mapField(t, 'spec', defaultClaimSpec)),
      );
    case 'image':
      return mapField(volume, 'image', (v) => (v.pullPolicy ? v : { ...v, pullPolicy: defaultPullPolicy(v.reference) }));
    case 'iscsi':
      return mapField(volume, 'iscsi', (v) => withMissing(v, { iscsiInterface: 'default' }));
    case 'rbd':
      return mapField(volume, 'rbd', (v) => withMissing(v, { pool: 'rbd', user: 'admin', keyring: '/etc/ceph/keyring' }));
    case 'azureDisk':
      return mapField(volume, 'azureDisk', (v) =>
        withMissing(v, { cachingMode: 'ReadWrite', kind: 'Shared', fsType: 'ext4', readOnly: false }),
      );
    case 'scaleIO':
      return mapField(volume, 'scaleIO', (v) => withMissing(v, { storageMode: 'ThinProvisioned', fsType: 'xfs' }));
    default:
      return volume;
  }
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
  return mapField(withMissing(spec, { volumeMode: 'Filesystem' }), 'resources', (resources) =>
    mapField(mapField(resources, 'limits', roundUpToMilli), 'requests', roundUpToMilli),
  );
}
