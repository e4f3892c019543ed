import { nameIsDNSSubdomain } from '../../meta/names.ts';
import type { ServiceAccount } from '../../types/core-v1.ts';
import { groupVersion } from '../define.ts';

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
});
