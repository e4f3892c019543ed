import type { Container, PodSpec, ServiceAccount } from '../../api/types/core-v1.ts';
import type { AdmissionAttributes } from '../contract.ts';
import { refuse } from './refusal.ts';

const ENFORCE_ANNOTATION = 'kubernetes.io/enforce-mountable-secrets';
/** What Go's strconv.ParseBool takes for true. */
const trueTexts: ReadonlySet<string> = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);

const enforces = (account: ServiceAccount): boolean => trueTexts.has(account.metadata?.annotations?.[ENFORCE_ANNOTATION] ?? '');

const namesOf = (references: readonly { readonly name?: string }[] | undefined): ReadonlySet<string> =>
  new Set((references ?? []).map((r) => r.name ?? ''));

/** Where the account's annotation asks for it: a pod may name only secrets that its account lists. Throws Forbidden. */
export function checkMountable(attributes: AdmissionAttributes, account: ServiceAccount, spec: PodSpec): void {
  if (!enforces(account)) return;
  const name = account.metadata?.name ?? '';
  const mountable = namesOf(account.secrets);
  for (const { secret } of spec.volumes ?? []) {
    if (secret === undefined || mountable.has(secret.secretName ?? '')) continue;
    throw notReferenced(attributes, `volume with secret.secretName="${secret.secretName ?? ''}"`, name);
  }
  for (const container of spec.initContainers ?? []) checkContainer(attributes, 'init container', container, mountable, name);
  for (const container of spec.containers ?? []) checkContainer(attributes, 'container', container, mountable, name);
  const pullable = namesOf(account.imagePullSecrets);
  spec.imagePullSecrets?.forEach((reference, i) => {
    if (pullable.has(reference.name ?? '')) return;
    throw refuse(
      attributes,
      `imagePullSecrets[${i}].name="${reference.name ?? ''}" is not allowed because service account ${name} does not reference that imagePullSecret`,
    );
  });
}

/** As `checkMountable`, of the ephemeral containers alone. */
export function checkMountableByEphemeral(attributes: AdmissionAttributes, account: ServiceAccount, spec: PodSpec): void {
  if (!enforces(account)) return;
  const mountable = namesOf(account.secrets);
  for (const container of spec.ephemeralContainers ?? []) {
    checkContainer(attributes, 'ephemeral container', container, mountable, account.metadata?.name ?? '');
  }
}

function checkContainer(
  attributes: AdmissionAttributes,
  what: string,
  container: Pick<Container, 'name' | 'env' | 'envFrom'>,
  mountable: ReadonlySet<string>,
  account: string,
): void {
  for (const env of container.env ?? []) {
    const secret = env.valueFrom?.secretKeyRef;
    if (secret === undefined || mountable.has(secret.name ?? '')) continue;
    const where = `${what} ${container.name} with envVar ${env.name} referencing secret.secretName="${secret.name ?? ''}"`;
    throw notReferenced(attributes, where, account);
  }
  for (const { secretRef } of container.envFrom ?? []) {
    if (secretRef === undefined || mountable.has(secretRef.name ?? '')) continue;
    const where = `${what} ${container.name} with envFrom referencing secret.secretName="${secretRef.name ?? ''}"`;
    throw notReferenced(attributes, where, account);
  }
}

const notReferenced = (attributes: AdmissionAttributes, what: string, account: string): Error =>
  refuse(attributes, `${what} is not allowed because service account ${account} does not reference that secret`);
