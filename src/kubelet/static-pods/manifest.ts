import { createHash } from 'node:crypto';
import { pod as podResource } from '../../api/groups/core/pod.ts';
import { formatFieldError } from '../../api/meta/field-error.ts';
import { formatMicroTime } from '../../api/meta/time.ts';
import { decode } from '../../api/schema/decode.ts';
import type { Pod, PodSpec, Toleration } from '../../api/types/core-v1.ts';
import { parseYaml } from '../../api/wire/yaml.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { referencedObjects } from '../containers/env.ts';
import { sourceAnnotations } from '../pods/pod-source.ts';

/** Trouble of the node is no reason to end what the node itself runs. */
const toleration: Toleration = { operator: 'Exists', effect: 'NoExecute' };

/** A manifest that is no pod which can be run. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError';
}

/**
 * The pod of a manifest, JSON or YAML, as it runs on a node: named for it, bound to it, known by the hash of file and content
 * (config.applyDefaults). `now` in milliseconds. Throws ManifestError.
 */
export function staticPod(text: string, file: string, nodeName: string, now: number): Pod {
  const written = decodeManifest(text);
  const { metadata = {} } = written;
  const given = metadata.uid ?? '';
  const uid = given === '' ? hashOf(written, file, nodeName) : given;
  if (!/^[\w.-]+$/.test(uid) || /^\.+$/.test(uid)) throw new ManifestError(`invalid pod: metadata.uid: ${JSON.stringify(uid)}`);
  const tolerations = written.spec?.tolerations ?? [];
  const tolerated = tolerations.some((t) => t.operator === 'Exists' && t.effect === 'NoExecute' && (t.key ?? '') === '');
  const pod = podResource.defaults({
    ...written,
    metadata: {
      ...metadata,
      uid,
      name: `${metadata.name ?? ''}-${nodeName.toLowerCase()}`,
      namespace: metadata.namespace || 'default',
      annotations: {
        ...metadata.annotations,
        [sourceAnnotations.hash]: uid,
        [sourceAnnotations.seen]: formatMicroTime(now),
        [sourceAnnotations.source]: 'file',
      },
    },
    spec: { ...(written.spec as PodSpec), nodeName, tolerations: tolerated ? tolerations : [...tolerations, toleration] },
    status: { phase: 'Pending' },
  });
  const name = pod.metadata?.name ?? '';
  const badName = podResource.validateName(name, false);
  if (badName.length > 0) throw new ManifestError(`invalid pod: metadata.name: ${JSON.stringify(name)}: ${badName.join(', ')}`);
  const nobody = { user: { name: '', groups: [] }, now, dryRun: false, warnings: [] };
  const errors = podResource.validate(pod, nobody);
  if (errors.length > 0) throw new ManifestError(`invalid pod: ${errors.map(formatFieldError).join(', ')}`);
  const reference = apiReference(pod);
  if (reference !== undefined) throw new ManifestError(`static pods may not reference ${reference}`);
  return deepFreeze(pod);
}

function decodeManifest(text: string): Pod {
  let value: unknown;
  try {
    value = parseYaml(text).value;
  } catch (err) {
    throw new ManifestError(`couldn't parse as pod(${(err as Error).message}), please check config file`);
  }
  const { kind, apiVersion } = (value ?? {}) as { readonly kind?: unknown; readonly apiVersion?: unknown };
  if (kind !== 'Pod' || apiVersion !== 'v1') {
    throw new ManifestError(`couldn't parse as pod(it is ${String(apiVersion)} ${String(kind)}), please check config file`);
  }
  try {
    return decode<Pod>(podResource.schema, value, { kind: 'Pod', version: 'v1' }).object;
  } catch (err) {
    throw new ManifestError(`couldn't parse as pod(${(err as Error).message}), please check config file`);
  }
}

const hashOf = (pod: Pod, file: string, nodeName: string): string =>
  createHash('md5')
    .update(`host:${nodeName}file:${file}${JSON.stringify(pod)}`)
    .digest('hex');

/** What of the API a pod refers to; a pod that must run without the API may not (podutil.HasAPIObjectReference). */
function apiReference(pod: Pod): string | undefined {
  const spec = pod.spec!;
  if ((spec.serviceAccountName ?? '') !== '') return 'serviceaccounts';
  const { configMaps, secrets } = referencedObjects(pod);
  if (secrets.size > 0) return 'secrets';
  if (configMaps.size > 0) return 'configmaps';
  if ((spec.resourceClaims ?? []).length > 0) return 'resourceclaims';
  for (const volume of spec.volumes ?? []) {
    if (volume.persistentVolumeClaim !== undefined || volume.ephemeral !== undefined) return 'persistentvolumeclaims';
    if (volume.csi?.nodePublishSecretRef !== undefined) return 'secrets';
    for (const source of volume.projected?.sources ?? []) {
      if (source.serviceAccountToken !== undefined) return 'serviceaccounts';
      if (source.clusterTrustBundle !== undefined) return 'clustertrustbundles';
      if (source.podCertificate !== undefined) return 'podcertificates';
    }
  }
  return undefined;
}
