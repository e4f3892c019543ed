import { nameIsDNSSubdomain } from '../../meta/names.ts';
import type { ServiceAccount } from '../../types/core-v1.ts';
import { age, column, groupVersion, standardColumns } from '../define.ts';

const define = groupVersion('', 'v1');
const mountableAnnotation = 'kubernetes.io/enforce-mountable-secrets';

/** References to secrets keep nothing but their name. */
function bareReferences(object: ServiceAccount): ServiceAccount {
  if (!object.secrets?.some((s) => Object.keys(s).some((key) => key !== 'name'))) return object;
  return { ...object, secrets: object.secrets.map((s) => (s.name === undefined ? {} : { name: s.name })) };
}

export const serviceAccount = define<ServiceAccount>({
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  namespaced: true,
  shortNames: ['sa'],
  subresources: [
    { name: 'token', verbs: ['create'], kind: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' } },
  ],
  strategy: { prepareForCreate: bareReferences, prepareForUpdate: bareReferences },
  validate: () => [],
  validateName: nameIsDNSSubdomain,
  warnings: (object, old) =>
    object.metadata?.annotations?.[mountableAnnotation] !== undefined &&
    old?.metadata?.annotations?.[mountableAnnotation] === undefined
      ? [
          `metadata.annotations[${mountableAnnotation}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`,
        ]
      : [],
  columns: standardColumns(
    column(
      'Secrets',
      'string',
      'Secrets is a list of the secrets in the same namespace that pods running using this ServiceAccount are allowed to use. Pods are only limited to this list if this service account has a "kubernetes.io/enforce-mountable-secrets" annotation set to "true". The "kubernetes.io/enforce-mountable-secrets" annotation is deprecated since v1.32. Prefer separate namespaces to isolate access to mounted secrets. This field should not be used to find auto-generated service account token secrets for use outside of pods. Instead, tokens can be requested directly using the TokenRequest API, or service account token secrets can be manually created. More info: https://kubernetes.io/docs/concepts/configuration/secret',
    ),
  ),
  row: (object, now) => [object.metadata?.name ?? '', object.secrets?.length ?? 0, age(object.metadata?.creationTimestamp, now)],
});
