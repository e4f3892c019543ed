import { mapListField, withFields } from '../../api/groups/core/copy-on-change.ts';
import { onceFor } from '../../api/repeated-parts.ts';
import type { Container, Pod, PodSpec, ServiceAccount, Volume } from '../../api/types/core-v1.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import type { AdmissionAttributes, AdmissionPlugin, AdmissionTarget, ApiAccess, ResourceView } from '../contract.ts';
import { awaitObject } from './await-object.ts';
import { checkMountable, checkMountableByEphemeral } from './mountable-secrets.ts';
import { referencesSecret } from './pod-references.ts';
import { refuse } from './refusal.ts';

const DEFAULT_NAME = 'default';
const MOUNT_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
const VOLUME_PREFIX = 'kube-api-access-';
const VOLUME_SUFFIX_LENGTH = 5;
const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';
/** How long a pod waits for the default account of its namespace, which a controller makes. Upstream asks ten times. */
const DEFAULT_ACCOUNT_WAIT_MS = 1_500;

/** What containers find at `MOUNT_PATH`: a token of an hour and seven seconds, the cluster's CA, and the namespace's name. */
const projection: NonNullable<Volume['projected']> = deepFreeze({
  defaultMode: 0o644,
  sources: [
    { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
    { configMap: { items: [{ key: 'ca.crt', path: 'ca.crt' }], name: 'kube-root-ca.crt' } },
    { downwardAPI: { items: [{ fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' }, path: 'namespace' }] } },
  ],
});

/** Gives every pod a service account that exists, its token as a volume, and its pull secrets. */
export function serviceAccount(): AdmissionPlugin {
  return new ServiceAccountPlugin();
}

class ServiceAccountPlugin implements AdmissionPlugin {
  readonly name = 'ServiceAccount';
  #access: ApiAccess | undefined;
  #accounts: ResourceView<ServiceAccount> | undefined;

  initialize(access: ApiAccess): void {
    this.#access = access;
    this.#accounts = access.view<ServiceAccount>('', 'serviceaccounts');
  }

  handles({ operation, group, resource, subresource }: AdmissionTarget): boolean {
    if (group !== '' || resource !== 'pods') return false;
    return operation === 'CREATE' ? subresource === '' : operation === 'UPDATE' && subresource === 'ephemeralcontainers';
  }

  mutate(attributes: AdmissionAttributes): AdmissionAttributes['object'] | Promise<AdmissionAttributes['object']> {
    const pod = attributes.object as Pod;
    if (attributes.operation !== 'CREATE' || pod.spec === undefined) return pod;
    if (isMirror(pod)) {
      // The kubelet insists on its mirror pods as they are.
      checkMirror(attributes, pod.spec);
      return pod;
    }
    const name = pod.spec.serviceAccountName || DEFAULT_NAME;
    const account = this.#accounts?.get(attributes.namespace, name);
    if (account !== undefined) return this.#withAccount(attributes, pod, account);
    if (name !== DEFAULT_NAME || this.#accounts === undefined) throw missing(attributes, name);
    return awaitObject(this.#access!, this.#accounts, attributes.namespace, name, DEFAULT_ACCOUNT_WAIT_MS).then((found) => {
      if (found === undefined) throw missing(attributes, name);
      return this.#withAccount(attributes, pod, found);
    });
  }

  /** Once more at the end: webhooks may have changed the account or what the pod refers to. */
  validate(attributes: AdmissionAttributes): void {
    const { spec } = attributes.object as Pod;
    if (spec === undefined) return;
    const mirror = isMirror(attributes.object as Pod);
    if (attributes.operation === 'CREATE' && mirror) {
      checkMirror(attributes, spec);
      return;
    }
    const name = spec.serviceAccountName ?? '';
    const account = this.#accounts?.get(attributes.namespace, name);
    if (account === undefined) throw missing(attributes, name);
    if (attributes.operation === 'CREATE') checkMountable(attributes, account, spec);
    else checkMountableByEphemeral(attributes, account, spec);
  }

  #withAccount(attributes: AdmissionAttributes, pod: Pod, account: ServiceAccount): Pod {
    const name = account.metadata?.name ?? '';
    let spec = withFields(pod.spec!, { serviceAccountName: name, serviceAccount: name });
    if (spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true) spec = this.#withToken(spec);
    const pullSecrets = account.imagePullSecrets ?? [];
    if ((spec.imagePullSecrets ?? []).length === 0 && pullSecrets.length > 0) {
      spec = { ...spec, imagePullSecrets: pullSecrets.map((s) => (s.name === undefined ? {} : { name: s.name })) };
    }
    checkMountable(attributes, account, spec);
    return spec === pod.spec ? pod : { ...pod, spec };
  }

  /** The spec with the token mounted into every container that has nothing at that place yet. */
  #withToken(spec: PodSpec): PodSpec {
    if (spec.volumes?.some(isTokenVolume) === true) return onceFor(spec, mountExisting, mountExisting);
    let volume: string | undefined;
    const mounted = withMounts(spec, () => (volume ??= VOLUME_PREFIX + this.#access!.random.nameSuffix(VOLUME_SUFFIX_LENGTH)));
    return volume === undefined
      ? mounted
      : { ...mounted, volumes: [...(spec.volumes ?? []), { name: volume, projected: projection }] };
  }
}

const isTokenVolume = (volume: Volume): boolean => volume.name.startsWith(VOLUME_PREFIX);

/** A spec that brings its own volume with a token. */
const mountExisting = (spec: PodSpec): PodSpec => withMounts(spec, () => spec.volumes!.find(isTokenVolume)!.name);

/** `volume` names what is mounted, and is asked only when something is. */
function withMounts(spec: PodSpec, volume: () => string): PodSpec {
  const mount = (container: Container): Container => {
    const mounts = container.volumeMounts ?? [];
    if (mounts.some((m) => m.mountPath === MOUNT_PATH)) return container;
    return { ...container, volumeMounts: [...mounts, { name: volume(), readOnly: true, mountPath: MOUNT_PATH }] };
  };
  return mapListField(mapListField(spec, 'initContainers', mount), 'containers', mount);
}

const isMirror = (pod: Pod): boolean => pod.metadata?.annotations?.[MIRROR_ANNOTATION] !== undefined;

const missing = (attributes: AdmissionAttributes, name: string): Error =>
  refuse(
    attributes,
    `error looking up service account ${attributes.namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`,
  );

function checkMirror(attributes: AdmissionAttributes, spec: PodSpec): void {
  if (spec.serviceAccountName) throw refuse(attributes, 'a mirror pod may not reference service accounts');
  if (referencesSecret(spec)) throw refuse(attributes, 'a mirror pod may not reference secrets');
  if (spec.volumes?.some((v) => v.projected?.sources?.some((s) => s.serviceAccountToken !== undefined))) {
    throw refuse(attributes, 'a mirror pod may not use ServiceAccountToken volume projections');
  }
}
