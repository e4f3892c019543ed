import { type FieldError, FieldPath, invalid, required } from '../meta/field-error.ts';
import { isDNS1035Label, isDNS1123Subdomain, isPathSegmentName } from '../meta/names.ts';
import type { Resource } from '../resource.ts';
import type { APIService } from '../types/apiregistration-v1.ts';
import { age, column, groupVersion, keptByStatus, standardColumns } from './define.ts';
import { check } from './field-checks.ts';
import { portFaults } from './port.ts';

const define = groupVersion('apiregistration.k8s.io', 'v1');
const spec = new FieldPath('spec');

function validate(object: APIService): readonly FieldError[] {
  const { group = '', version = '', service, caBundle = '', insecureSkipTLSVerify = false } = object.spec ?? {};
  const { groupPriorityMinimum = 0, versionPriority = 0 } = object.spec ?? {};
  const errors: FieldError[] = [];
  const name = object.metadata?.name ?? '';
  const wanted = `${version}.${group}`;
  if (name !== wanted) {
    errors.push(invalid('metadata.name', name, `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(wanted)}`));
  }
  if (group === '' && version !== 'v1')
    errors.push(required(spec.child('group'), 'only v1 may have an empty group and it better be legacy kube'));
  if (group !== '') errors.push(...check(spec.child('group'), group, isDNS1123Subdomain));
  errors.push(...check(spec.child('version'), version, isDNS1035Label));
  const priority = (field: string, value: number, most: number): void => {
    if (value > 0 && value <= most) return;
    errors.push(invalid(spec.child(field), value, `must be positive and less than ${most}`));
  };
  priority('groupPriorityMinimum', groupPriorityMinimum, 20000);
  priority('versionPriority', versionPriority, 1000);
  if (service === undefined) {
    if (caBundle !== '')
      errors.push(
        invalid(
          spec.child('caBundle'),
          `${Buffer.from(caBundle, 'base64').length} bytes`,
          'local APIServices may not have a caBundle',
        ),
      );
    if (insecureSkipTLSVerify) {
      errors.push(invalid(spec.child('insecureSkipTLSVerify'), true, 'local APIServices may not have insecureSkipTLSVerify'));
    }
    return errors;
  }
  const at = spec.child('service');
  if (!service.namespace) errors.push(required(at.child('namespace')));
  if (!service.name) errors.push(required(at.child('name')));
  errors.push(...portFaults(at.child('port'), service.port ?? 0));
  if (insecureSkipTLSVerify && caBundle !== '') {
    errors.push(invalid(spec.child('insecureSkipTLSVerify'), true, 'may not be true if caBundle is present'));
  }
  return errors;
}

/** `Local`, or the namespaced name of the service behind it. */
const formatService = (object: APIService): string => {
  const service = object.spec?.service;
  return service === undefined ? 'Local' : `${service.namespace ?? ''}/${service.name ?? ''}`;
};

function formatAvailable(object: APIService): string {
  const condition = object.status?.conditions?.find((c) => c.type === 'Available');
  if (condition === undefined) return 'Unknown';
  return condition.status === 'True' ? 'True' : `${condition.status} (${condition.reason ?? ''})`;
}

const apiService = define<APIService>({
  kind: 'APIService',
  plural: 'apiservices',
  namespaced: false,
  categories: ['api-extensions'],
  type: 'io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService',
  storagePrefix: '/registry/apiregistration.k8s.io/apiservices',
  status: true,
  statusKeeps: keptByStatus,
  generation: false,
  emptyStatus: {},
  defaults: (object) => {
    const service = object.spec?.service;
    if (service === undefined || service.port !== undefined) return object;
    return { ...object, spec: { ...object.spec!, service: { ...service, port: 443 } } };
  },
  strategy: { allowUnconditionalUpdate: false },
  validate,
  validateStatusUpdate: () => [],
  validateName: isPathSegmentName,
  columns: standardColumns(
    column('Service', 'string', 'The reference to the service that hosts this API endpoint.'),
    column('Available', 'string', 'Whether this service is available.'),
  ),
  row: (object, now) => [
    object.metadata?.name ?? '',
    formatService(object),
    formatAvailable(object),
    age(object.metadata?.creationTimestamp, now),
  ],
});

export const apiregistrationResources: readonly Resource[] = [apiService];
