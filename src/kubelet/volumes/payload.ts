import type {
  ConfigMap,
  DownwardAPIVolumeFile,
  KeyToPath,
  Pod,
  Secret,
  Volume,
  VolumeProjection,
} from '../../api/types/core-v1.ts';
import { type DownwardContext, fieldValue, resourceValue } from '../containers/downward.ts';
import type { Payload, ProjectedFile } from './atomic-writer.ts';

/** Modes when a volume names none. */
const DEFAULT_MODE = 0o644;
/** A token is its owner's alone. */
const TOKEN_MODE = 0o600;

/** Where the contents of volumes come from. All in the pod's namespace; undefined when there is no such object. */
export interface VolumeSources {
  readonly downward: DownwardContext;
  configMap(name: string): ConfigMap | undefined;
  secret(name: string): Secret | undefined;
  /** A token of the pod's service account, from the cache or the API. */
  token(audience: string, expirationSeconds: number): Promise<string>;
}

/** A volume cannot be set up now: FailedMount. */
export class VolumeError extends Error {
  override readonly name = 'VolumeError';
}

const bytes = (text: string): Uint8Array => Buffer.from(text, 'utf8');
const fromBase64 = (text: string): Uint8Array => Buffer.from(text, 'base64');

/** The files of a configMap, secret, downwardAPI or projected volume; undefined for volumes of other kinds. */
export async function volumePayload(pod: Pod, volume: Volume, sources: VolumeSources): Promise<Payload | undefined> {
  if (volume.configMap !== undefined) {
    const { name = '', items, optional, defaultMode = DEFAULT_MODE } = volume.configMap;
    return configMapFiles(name, items, optional, defaultMode, sources);
  }
  if (volume.secret !== undefined) {
    const { secretName = '', items, optional, defaultMode = DEFAULT_MODE } = volume.secret;
    return secretFiles(secretName, items, optional, defaultMode, sources);
  }
  if (volume.downwardAPI !== undefined) {
    const { items = [], defaultMode = DEFAULT_MODE } = volume.downwardAPI;
    return downwardFiles(items, defaultMode, pod, sources.downward);
  }
  if (volume.projected !== undefined) {
    const mode = volume.projected.defaultMode ?? DEFAULT_MODE;
    const all = new Map<string, ProjectedFile>();
    for (const source of volume.projected.sources ?? []) {
      for (const [path, file] of await projection(source, mode, pod, sources)) all.set(path, file);
    }
    return all;
  }
  return undefined;
}

async function projection(source: VolumeProjection, mode: number, pod: Pod, sources: VolumeSources): Promise<Payload> {
  if (source.configMap !== undefined) {
    return configMapFiles(source.configMap.name ?? '', source.configMap.items, source.configMap.optional, mode, sources);
  }
  if (source.secret !== undefined) {
    return secretFiles(source.secret.name ?? '', source.secret.items, source.secret.optional, mode, sources);
  }
  if (source.downwardAPI !== undefined) return downwardFiles(source.downwardAPI.items ?? [], mode, pod, sources.downward);
  if (source.serviceAccountToken !== undefined) {
    const { audience = '', expirationSeconds = 3600, path } = source.serviceAccountToken;
    const token = await sources.token(audience, expirationSeconds);
    const uid = commonUser(pod);
    // An fsGroup adds what the group may do.
    const ofSomebody = uid !== undefined || pod.spec?.securityContext?.fsGroup !== undefined;
    return new Map([[path, { data: bytes(token), mode: ofSomebody ? TOKEN_MODE : mode, ...(uid === undefined ? {} : { uid }) }]]);
  }
  // The API drops these: what they are of is switched off in this release.
  throw new VolumeError('no projection of this kind is known');
}

/** The user all containers of the pod run as, when it is one and the same. */
function commonUser(pod: Pod): number | undefined {
  const users = new Set(
    [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].map(
      (c) => c.securityContext?.runAsUser ?? pod.spec?.securityContext?.runAsUser,
    ),
  );
  return users.size === 1 ? [...users][0] : undefined;
}

function configMapFiles(
  name: string,
  items: readonly KeyToPath[] | undefined,
  optional: boolean | undefined,
  mode: number,
  sources: VolumeSources,
): Payload {
  const map = sources.configMap(name);
  if (map === undefined) {
    if (optional === true) return new Map();
    throw new VolumeError(`configmap ${JSON.stringify(name)} not found`);
  }
  const data = new Map<string, Uint8Array>();
  for (const [key, value] of Object.entries(map.data ?? {})) data.set(key, bytes(value));
  for (const [key, value] of Object.entries(map.binaryData ?? {})) data.set(key, fromBase64(value));
  return select(data, items, optional, mode, 'configmap references non-existent config key: ');
}

function secretFiles(
  name: string,
  items: readonly KeyToPath[] | undefined,
  optional: boolean | undefined,
  mode: number,
  sources: VolumeSources,
): Payload {
  const secret = sources.secret(name);
  if (secret === undefined) {
    if (optional === true) return new Map();
    throw new VolumeError(`secret ${JSON.stringify(name)} not found`);
  }
  const data = new Map(Object.entries(secret.data ?? {}).map(([k, v]) => [k, fromBase64(v)] as const));
  return select(data, items, optional, mode, 'references non-existent secret key: ');
}

function select(
  data: ReadonlyMap<string, Uint8Array>,
  items: readonly KeyToPath[] | undefined,
  optional: boolean | undefined,
  mode: number,
  missing: string,
): Payload {
  if (items === undefined || items.length === 0) return new Map([...data].map(([key, value]) => [key, { data: value, mode }]));
  const out = new Map<string, ProjectedFile>();
  for (const item of items) {
    const value = data.get(item.key);
    if (value === undefined) {
      if (optional === true) continue;
      throw new VolumeError(`${missing}${item.key}`);
    }
    out.set(item.path, { data: value, mode: item.mode ?? mode });
  }
  return out;
}

function downwardFiles(items: readonly DownwardAPIVolumeFile[], mode: number, pod: Pod, context: DownwardContext): Payload {
  const out = new Map<string, ProjectedFile>();
  for (const item of items) {
    const text =
      item.fieldRef !== undefined
        ? fieldValue(item.fieldRef.fieldPath, pod, context)
        : item.resourceFieldRef !== undefined
          ? resourceValue(item.resourceFieldRef, pod, undefined, context)
          : '';
    out.set(item.path, { data: bytes(text), mode: item.mode ?? mode });
  }
  return out;
}
