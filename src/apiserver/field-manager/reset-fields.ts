import { type FieldFilter, type FieldSet, fieldElement, type PathPattern, setOf } from '../../api/apply/index.ts';
import type { Resource } from '../../api/resource.ts';

/** Dotted paths of fields: `metadata.labels`. */
const excluding = (...paths: readonly string[]): FieldFilter => ({ exclude: fields(paths) });
const fields = (paths: readonly string[]): FieldSet => setOf(...paths.map((path) => path.split('.').map(fieldElement)));
/** Dotted paths; `*` stands for any item. */
const including = (...paths: readonly string[]): FieldFilter => ({
  include: paths.map((path): PathPattern => path.split('.').map((name) => (name === '*' ? name : fieldElement(name)))),
});

const status = excluding('status');
const spec = excluding('spec');
const specAndMetadata = excluding('metadata', 'spec');

/**
 * What an endpoint throws away of what it is sent, where it is not the usual (status through the object itself, spec through `status`):
 * upstream's GetResetFields and GetResetFieldsFilter. By group/plural and subresource.
 */
const exceptions: Readonly<Record<string, FieldFilter>> = {
  '/namespaces/finalize': status,
  '/pods/status': excluding('spec', 'metadata.deletionTimestamp', 'metadata.ownerReferences'),
  '/pods/ephemeralcontainers': including('spec.ephemeralContainers'),
  '/pods/resize': including(
    ...['containers', 'initContainers'].flatMap((list) => [`spec.${list}.*.resources`, `spec.${list}.*.resizePolicy`]),
  ),
  'apps/deployments/status': excluding('spec', 'metadata.labels'),
  'certificates.k8s.io/certificatesigningrequests/': excluding('spec', 'status'),
  'certificates.k8s.io/certificatesigningrequests/status': excluding('spec', 'status.conditions'),
  'certificates.k8s.io/certificatesigningrequests/approval': excluding('spec', 'status.certificate'),
  'admissionregistration.k8s.io/validatingadmissionpolicies/status': specAndMetadata,
  'apiregistration.k8s.io/apiservices/status': specAndMetadata,
  'flowcontrol.apiserver.k8s.io/flowschemas/status': specAndMetadata,
  'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations/status': specAndMetadata,
  'networking.k8s.io/servicecidrs/status': specAndMetadata,
  'resource.k8s.io/resourceclaims/status': specAndMetadata,
  'storage.k8s.io/volumeattachments/status': specAndMetadata,
};

/** What writers through this endpoint cannot come to own. */
export function resetFields(resource: Resource, subresource: string): FieldFilter | undefined {
  const exception = exceptions[`${resource.group}/${resource.plural}/${subresource}`];
  if (exception !== undefined) return exception;
  if (subresource === '') return resource.subresources['status'] === undefined ? undefined : status;
  if (subresource !== 'status') return undefined;
  const custom = resource.schema.kind !== 'object' || resource.schema.name === undefined;
  return custom ? specAndMetadata : spec;
}
