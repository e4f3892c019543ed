import { validateDomainPrefixedPath } from '../../meta/domain-names.ts';
import { type FieldError, FieldPath, forbidden, invalid, notSupported, required, tooLong } from '../../meta/field-error.ts';
import {
  isDNS1123Label,
  isDNS1123Subdomain,
  isPathSegmentName,
  isValidPortName,
  isWildcardDNS1123Subdomain,
  nameIsDNSSubdomain,
} from '../../meta/names.ts';
import type { HTTPIngressPath, Ingress, IngressBackend, IngressClass, IngressRule } from '../../types/networking-v1.ts';
import { loadBalancerAddresses } from '../core/service.ts';
import { age, column, groupVersion, standardColumns } from '../define.ts';
import { check, checkRequired, immutable } from '../field-checks.ts';
import { isIP, validateLegacyIP } from '../ip.ts';
import { portFaults } from '../port.ts';

const define = groupVersion('networking.k8s.io', 'v1');
const spec = new FieldPath('spec');
const classAnnotation = 'kubernetes.io/ingress.class';
/** The longest name of an ingress controller, in bytes. */
const maxControllerLength = 250;

const pathTypes = ['Exact', 'ImplementationSpecific', 'Prefix'];
const badSequences = ['//', '/./', '/../', '%2f', '%2F'];
const badSuffixes = ['/..', '/.'];

interface LocalReference {
  readonly apiGroup?: string;
  readonly kind: string;
  readonly name: string;
}

function referenceFaults(ref: LocalReference, path: FieldPath): readonly FieldError[] {
  return [
    ...(ref.apiGroup === undefined ? [] : check(path.child('apiGroup'), ref.apiGroup, isDNS1123Subdomain)),
    ...checkRequired(path.child('kind'), ref.kind, isPathSegmentName),
    ...checkRequired(path.child('name'), ref.name, isPathSegmentName),
  ];
}

function backendFaults(backend: IngressBackend | undefined, path: FieldPath): readonly FieldError[] {
  const { resource, service } = backend ?? {};
  if (resource !== undefined && service !== undefined) {
    return [invalid(path, '', 'cannot set both resource and service backends')];
  }
  if (resource !== undefined) return referenceFaults(resource, path.child('resource'));
  if (service === undefined) return [invalid(path, '', 'resource or service backend is required')];
  const errors = [...checkRequired(path.child('service', 'name'), service.name, isDNS1123Label)];
  const { name = '', number = 0 } = service.port ?? {};
  const at = path.child('service', 'port');
  if (name !== '' && number !== 0) errors.push(invalid(path, '', 'cannot set both port name & port number'));
  else if (name !== '') errors.push(...check(at.child('name'), name, isValidPortName));
  else if (number !== 0) errors.push(...portFaults(at.child('number'), number));
  else errors.push(required(path, 'port name or number is required'));
  return errors;
}

function pathFaults(item: HTTPIngressPath, at: FieldPath): readonly FieldError[] {
  const { path = '', pathType } = item;
  if (pathType === undefined) return [required(at.child('pathType'), 'pathType must be specified')];
  const errors: FieldError[] = [];
  const where = at.child('path');
  const absolute = path.startsWith('/');
  if (pathType === 'Exact' || pathType === 'Prefix') {
    if (!absolute) errors.push(invalid(where, path, 'must be an absolute path'));
    for (const bad of badSequences) if (path.includes(bad)) errors.push(invalid(where, path, `must not contain '${bad}'`));
    for (const bad of badSuffixes) if (path.endsWith(bad)) errors.push(invalid(where, path, `cannot end with '${bad}'`));
  } else if (pathType === 'ImplementationSpecific') {
    if (path !== '' && !absolute) errors.push(invalid(where, path, 'must be an absolute path'));
  } else {
    errors.push(notSupported(at.child('pathType'), pathType, pathTypes));
  }
  return [...errors, ...backendFaults(item.backend, at.child('backend'))];
}

function hostFaults(host: string, path: FieldPath): readonly FieldError[] {
  return check(path, host, host.includes('*') ? isWildcardDNS1123Subdomain : isDNS1123Subdomain);
}

function ruleFaults(rule: IngressRule, path: FieldPath): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (rule.host) {
    if (isIP(rule.host)) errors.push(invalid(path.child('host'), rule.host, 'must be a DNS name, not an IP address'));
    errors.push(...hostFaults(rule.host, path.child('host')));
  }
  if (rule.http === undefined) return errors;
  const at = path.child('http', 'paths');
  const paths = rule.http.paths ?? [];
  if (paths.length === 0) errors.push(required(at));
  paths.forEach((item, i) => void errors.push(...pathFaults(item, at.index(i))));
  return errors;
}

function validateSpec(object: Ingress): readonly FieldError[] {
  const s = object.spec ?? {};
  const rules = s.rules ?? [];
  const errors: FieldError[] = [];
  if (rules.length === 0 && s.defaultBackend === undefined) {
    errors.push(invalid(spec, s.rules, 'either `defaultBackend` or `rules` must be specified'));
  }
  if (s.defaultBackend !== undefined) errors.push(...backendFaults(s.defaultBackend, spec.child('defaultBackend')));
  rules.forEach((rule, i) => void errors.push(...ruleFaults(rule, spec.child('rules').index(i))));
  (s.tls ?? []).forEach((tls, i) => {
    const path = spec.child('tls').index(i);
    (tls.hosts ?? []).forEach((host, j) => void errors.push(...hostFaults(host, path.child('hosts').index(j))));
    if (tls.secretName) errors.push(...check(path.child('secretName'), tls.secretName, isDNS1123Subdomain));
  });
  if (s.ingressClassName !== undefined) {
    errors.push(...check(spec.child('ingressClassName'), s.ingressClassName, isDNS1123Subdomain));
  }
  return errors;
}

function validateStatus(object: Ingress, old: Ingress): readonly FieldError[] {
  const path = new FieldPath('status.loadBalancer.ingress');
  const known = (old.status?.loadBalancer?.ingress ?? []).flatMap((i) => (i.ip ? [i.ip] : []));
  return (object.status?.loadBalancer?.ingress ?? []).flatMap(({ ip = '', hostname = '' }, i) => {
    const at = path.index(i);
    const errors = ip === '' ? [] : [...validateLegacyIP(at.child('ip'), ip, known)];
    if (hostname !== '') {
      errors.push(...check(at.child('hostname'), hostname, isDNS1123Subdomain));
      if (isIP(hostname)) errors.push(invalid(at.child('hostname'), hostname, 'must be a DNS name, not an IP address'));
    }
    return errors;
  });
}

/** The hosts of the rules, three at most; `*` when no rule has one. */
function formatHosts(rules: readonly IngressRule[]): string {
  const shown: string[] = [];
  let more = false;
  for (const { host } of rules) {
    if (shown.length === 3) more = true;
    if (!more && host) shown.push(host);
  }
  if (shown.length === 0) return '*';
  return more ? `${shown.join(',')} + ${rules.length - 3} more...` : shown.join(',');
}

export const ingress = define<Ingress>({
  kind: 'Ingress',
  plural: 'ingresses',
  namespaced: true,
  shortNames: ['ing'],
  storagePrefix: '/registry/ingress',
  status: true,
  emptyStatus: { loadBalancer: {} },
  validate: (object) => {
    const errors = validateSpec(object);
    const annotation = object.metadata?.annotations?.[classAnnotation];
    if (annotation === undefined || object.spec?.ingressClassName === undefined) return errors;
    const path = new FieldPath('annotations').child(classAnnotation);
    const conflict = annotation !== object.spec.ingressClassName;
    if (!conflict) return errors;
    return [...errors, invalid(path, annotation, 'must match `ingressClassName` when both are specified')];
  },
  validateUpdate: validateSpec,
  validateStatusUpdate: validateStatus,
  validateName: nameIsDNSSubdomain,
  warnings: (object, old) =>
    old === undefined &&
    object.metadata?.annotations?.[classAnnotation] !== undefined &&
    object.spec?.ingressClassName === undefined
      ? [`annotation "${classAnnotation}" is deprecated, please use 'spec.ingressClassName' instead`]
      : [],
  columns: standardColumns(
    column('Class', 'string', 'The name of the IngressClass resource that should be used for additional configuration'),
    column('Hosts', 'string', 'Hosts that incoming requests are matched against before the ingress rule'),
    column('Address', 'string', 'Address is a list containing ingress points for the load-balancer'),
    column('Ports', 'string', 'Ports of TLS configurations that open'),
  ),
  row: (object, now) => [
    object.metadata?.name ?? '',
    object.spec?.ingressClassName ?? '<none>',
    formatHosts(object.spec?.rules ?? []),
    loadBalancerAddresses(object.status?.loadBalancer?.ingress),
    (object.spec?.tls?.length ?? 0) > 0 ? '80, 443' : '80',
    age(object.metadata?.creationTimestamp, now),
  ],
});

function validateClass(object: IngressClass): readonly FieldError[] {
  const { controller = '', parameters } = object.spec ?? {};
  const errors: FieldError[] = [];
  const path = spec.child('controller');
  if (controller.length > maxControllerLength) errors.push(tooLong(path, maxControllerLength));
  errors.push(...validateDomainPrefixedPath(path, controller));
  if (parameters === undefined) return errors;
  const at = spec.child('parameters');
  errors.push(...referenceFaults(parameters, at));
  const { scope, namespace } = parameters;
  if (scope === undefined) errors.push(required(at.child('scope')));
  else if (scope !== 'Cluster' && scope !== 'Namespace') {
    errors.push(notSupported(at.child('scope'), scope, ['Cluster', 'Namespace']));
  } else if (scope === 'Namespace') {
    if (namespace === undefined) errors.push(required(at.child('namespace'), "`parameters.scope` is set to 'Namespace'"));
    else errors.push(...check(at.child('namespace'), namespace, isDNS1123Label));
  } else if (namespace !== undefined) {
    errors.push(forbidden(at.child('namespace'), "`parameters.scope` is set to 'Cluster'"));
  }
  return errors;
}

function formatParameters(object: IngressClass): string {
  const ref = object.spec?.parameters;
  if (ref === undefined) return '<none>';
  const kind = ref.apiGroup ? `${ref.kind}.${ref.apiGroup}` : ref.kind;
  return `${kind}/${ref.name}`;
}

export const ingressClass = define<IngressClass>({
  kind: 'IngressClass',
  plural: 'ingressclasses',
  namespaced: false,
  generation: true,
  defaults: (object) => {
    const parameters = object.spec?.parameters;
    if (parameters === undefined || parameters.scope !== undefined) return object;
    return { ...object, spec: { ...object.spec, parameters: { ...parameters, scope: 'Cluster' } } };
  },
  validate: validateClass,
  validateUpdate: (object, old) => [
    ...immutable(spec.child('controller'), object.spec?.controller ?? '', old.spec?.controller ?? ''),
    ...validateClass(object),
  ],
  validateName: nameIsDNSSubdomain,
  columns: standardColumns(
    column('Controller', 'string', 'Controller that is responsible for handling this class'),
    column('Parameters', 'string', 'A reference to a resource with additional parameters'),
  ),
  row: (object, now) => [
    object.metadata?.name ?? '',
    object.spec?.controller ?? '',
    formatParameters(object),
    age(object.metadata?.creationTimestamp, now),
  ],
});
