import { X509Certificate } from 'node:crypto';
import {
  duplicate,
  type FieldError,
  FieldPath,
  forbidden,
  invalid,
  notSupported,
  required,
  tooLong,
} from '../meta/field-error.ts';
import { isDNS1123Label, isDNS1123Subdomain } from '../meta/names.ts';
import { formatTime } from '../meta/time.ts';
import type { RequestContext, Resource } from '../resource.ts';
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from '../types/certificates-v1.ts';
import { age, ageColumn, column, deepEqual, groupVersion, humanDuration, nameColumn } from './define.ts';
import { oneOf } from './field-checks.ts';

const define = groupVersion('certificates.k8s.io', 'v1');
const spec = new FieldPath('spec');
const conditionsPath = new FieldPath('status.conditions');
const certificatePath = new FieldPath('status.certificate');
/** The shortest life that may be asked for, in seconds. */
const leastExpirationSeconds = 600;

const usages = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
];
/** Conditions that are either there and True, or not there. */
const onlyTrue = ['Approved', 'Denied', 'Failed'];

type Csr = CertificateSigningRequest;

function requestFault(request: string): string | undefined {
  const pem = Buffer.from(request, 'base64').toString('latin1');
  const block = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n([A-Za-z0-9+/=\s]*)-----END \1-----/.exec(pem);
  if (block === null || block[1] !== 'CERTIFICATE REQUEST') return 'PEM block type must be CERTIFICATE REQUEST';
  const der = Buffer.from(block[2]!, 'base64');
  return der[0] === 0x30 ? undefined : 'asn1: structure error: malformed certificate request';
}

function certificateFault(certificate: string): string | undefined {
  const pem = Buffer.from(certificate, 'base64').toString('latin1');
  const blocks = [...pem.matchAll(/-----BEGIN ([^-]+)-----\r?\n([\s\S]*?)-----END \1-----/g)];
  if (blocks.length === 0) return 'must contain at least one CERTIFICATE PEM block';
  for (const [text, type, body] of blocks) {
    if (type !== 'CERTIFICATE') return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(type)}`;
    if (body!.includes(':')) return 'no PEM block headers are permitted';
    try {
      new X509Certificate(text);
    } catch (err) {
      return `x509: ${(err as Error).message}`;
    }
  }
  return undefined;
}

function signerNameFaults(name: string): readonly FieldError[] {
  const path = spec.child('signerName');
  if (name === '') return [required(path)];
  if (name === 'kubernetes.io/legacy-unknown') {
    return [invalid(path, name, 'the legacy signerName is not allowed via this API version')];
  }
  const [domain = '', signer, ...rest] = name.split('/');
  if (signer === undefined || rest.length > 0) {
    return [invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")];
  }
  const errors: FieldError[] = domain.length > 253 ? [tooLong(path, 253)] : [];
  const labels = domain.split('.');
  const bad = labels.find((text) => isDNS1123Label(text).length > 0);
  if (bad !== undefined) {
    for (const detail of isDNS1123Label(bad))
      errors.push(invalid(path, domain, `validating label ${JSON.stringify(bad)}: ${detail}`));
  }
  if (labels.length < 2) errors.push(invalid(path, domain, 'should be a domain with at least two segments separated by dots'));
  for (const detail of isDNS1123Subdomain(signer)) {
    errors.push(invalid(path, signer, `validating label ${JSON.stringify(signer)}: ${detail}`));
  }
  return errors;
}

function conditionFaults(object: Csr): readonly FieldError[] {
  const conditions = object.status?.conditions ?? [];
  const types = conditions.map((c) => c.type as string);
  return conditions.flatMap(({ type = '', status }, i) => {
    const at = conditionsPath.index(i);
    const errors: FieldError[] = type === '' ? [required(at.child('type'))] : [];
    errors.push(...oneOf(at.child('status'), status, onlyTrue.includes(type) ? ['True'] : ['False', 'True', 'Unknown']));
    const opposite = type === 'Approved' ? 'Denied' : type === 'Denied' ? 'Approved' : undefined;
    if (opposite !== undefined && types.slice(0, i).includes(opposite)) {
      errors.push(invalid(at.child('type'), type, 'Approved and Denied conditions are mutually exclusive'));
    }
    if (types.indexOf(type) < i) errors.push(duplicate(at.child('type'), type));
    return errors;
  });
}

function validate(object: Csr): readonly FieldError[] {
  const s = object.spec;
  const errors: FieldError[] = [];
  const bad = requestFault(s?.request ?? '');
  if (bad !== undefined) errors.push(invalid(spec.child('request'), s?.request ?? '', bad));
  const given: readonly string[] = s?.usages ?? [];
  if (given.length === 0) errors.push(required(spec.child('usages')));
  given.forEach((usage, i) => {
    const at = spec.child('usages').index(i);
    if (!usages.includes(usage)) errors.push(notSupported(at, usage, usages));
    if (given.indexOf(usage) < i) errors.push(duplicate(at, usage));
  });
  errors.push(...signerNameFaults(s?.signerName ?? ''));
  const seconds = s?.expirationSeconds;
  if (seconds !== undefined && seconds < leastExpirationSeconds) {
    errors.push(
      invalid(spec.child('expirationSeconds'), seconds, 'may not specify a duration less than 600 seconds (10 minutes)'),
    );
  }
  return [...errors, ...statusFaults(object)];
}

function statusFaults(object: Csr): readonly FieldError[] {
  const { certificate } = object.status ?? {};
  const bad = certificate ? certificateFault(certificate) : undefined;
  return [...conditionFaults(object), ...(bad === undefined ? [] : [invalid(certificatePath, '<certificate data>', bad)])];
}

/** What may change of a request's status: approval through `approval` alone, the certificate through `status` alone, once. */
function statusChanges(
  object: Csr,
  old: Csr,
  may: { readonly approve?: boolean; readonly certify?: boolean },
): readonly FieldError[] {
  const errors: FieldError[] = [];
  const of = (csr: Csr, type: string) => (csr.status?.conditions ?? []).filter((c) => c.type === type);
  for (const type of onlyTrue) {
    const [now, then] = [of(object, type), of(old, type)];
    const approval = type !== 'Failed';
    if (now.length < then.length) {
      errors.push(forbidden(conditionsPath, `updates may not remove a condition of type "${type}"`));
    } else if (approval && may.approve !== true && now.length > then.length) {
      errors.push(forbidden(conditionsPath, `updates may not add a condition of type "${type}"`));
    } else if (approval && may.approve !== true && !deepEqual(now, then)) {
      errors.push(forbidden(conditionsPath, `updates may not modify a condition of type "${type}"`));
    }
  }
  const [now = '', then = ''] = [object.status?.certificate, old.status?.certificate];
  if (now !== then) {
    if (may.certify !== true) errors.push(forbidden(certificatePath, 'updates may not set certificate content'));
    else if (then !== '') errors.push(forbidden(certificatePath, 'updates may not modify existing certificate content'));
  }
  return [...errors, ...statusFaults(object)];
}

/** New conditions get the time; a condition that keeps its status keeps the time of its last transition. */
function stamped(object: Csr, old: Csr, context: RequestContext): Csr {
  const conditions = object.status?.conditions;
  if (!conditions?.some((c) => !c.lastUpdateTime || !c.lastTransitionTime)) return object;
  const now = formatTime(context.now);
  const stamp = (c: CertificateSigningRequestCondition): CertificateSigningRequestCondition => {
    const before = old.status?.conditions?.find((o) => o.type === c.type && o.status === c.status);
    return {
      ...c,
      lastUpdateTime: c.lastUpdateTime || now,
      lastTransitionTime: c.lastTransitionTime || before?.lastTransitionTime || now,
    };
  };
  return { ...object, status: { ...object.status, conditions: conditions.map(stamp) } };
}

function condition(object: Csr): string {
  const has = (type: string): boolean => object.status?.conditions?.some((c) => c.type === type) === true;
  const verdict = has('Denied') ? 'Denied' : has('Approved') ? 'Approved' : 'Pending';
  return `${verdict}${has('Failed') ? ',Failed' : ''}${object.status?.certificate ? ',Issued' : ''}`;
}

const certificateSigningRequest = define<Csr>({
  kind: 'CertificateSigningRequest',
  plural: 'certificatesigningrequests',
  namespaced: false,
  shortNames: ['csr'],
  status: true,
  generation: false,
  emptyStatus: {},
  subresources: [
    {
      name: 'approval',
      verbs: ['get', 'patch', 'update'],
      strategy: {
        prepareForUpdate: (object, old, context) => {
          const { conditions: _old, ...status } = old.status ?? {};
          const conditions = object.status?.conditions;
          const next = { ...status, ...(conditions === undefined ? {} : { conditions }) };
          return stamped({ ...object, spec: old.spec, status: next }, old, context);
        },
      },
      validateUpdate: (object, old) => statusChanges(object, old, { approve: true }),
    },
  ],
  strategy: {
    // Who asks is what the server found out, whatever the client wrote.
    prepareForCreate: (object, context) => {
      const { username: _name, uid: _uid, groups: _groups, extra: _extra, ...asked } = object.spec ?? {};
      const { name, uid, groups, extra } = context.user;
      const who = { username: name, groups, ...(uid ? { uid } : {}), ...(extra === undefined ? {} : { extra }) };
      return { ...object, spec: { ...asked, ...who } as Csr['spec'], status: {} };
    },
    prepareForUpdate: (object, old) => ({
      ...object,
      spec: old.spec,
      ...(old.status === undefined ? {} : { status: old.status }),
    }),
  },
  prepareStatusUpdate: stamped,
  validate,
  validateUpdate: (object, old) => statusChanges(object, old, {}),
  validateStatusUpdate: (object, old) => statusChanges(object, old, { certify: true }),
  validateName: () => [],
  columns: [
    nameColumn,
    ageColumn,
    column(
      'SignerName',
      'string',
      'Requested signer for the request. It is a qualified name in the form: `scope-hostname.io/name`. If empty, it will be defaulted:\n 1. If it\'s a kubelet client certificate, it is assigned\n    "kubernetes.io/kube-apiserver-client-kubelet".\n 2. If it\'s a kubelet serving certificate, it is assigned\n    "kubernetes.io/kubelet-serving".\n 3. Otherwise, it is assigned "kubernetes.io/legacy-unknown".\nDistribution of trust for signers happens out of band. You can select on this field using `spec.signerName`.',
    ),
    column('Requestor', 'string', 'Base64-encoded PKCS#10 CSR data'),
    column(
      'RequestedDuration',
      'string',
      'expirationSeconds is the requested duration of validity of the issued certificate. The certificate signer may issue a certificate with a different validity duration so a client must check the delta between the notBefore and and notAfter fields in the issued certificate to determine the actual duration.\n\nThe v1.22+ in-tree implementations of the well-known Kubernetes signers will honor this field as long as the requested duration is not greater than the maximum duration they will honor per the --cluster-signing-duration CLI flag to the Kubernetes controller manager.\n\nCertificate signers may not honor this field for various reasons:\n\n  1. Old signer that is unaware of the field (such as the in-tree\n     implementations prior to v1.22)\n  2. Signer whose configured maximum is shorter than the requested duration\n  3. Signer whose configured minimum is longer than the requested duration\n\nThe minimum valid value for expirationSeconds is 600, i.e. 10 minutes.',
    ),
    column('Condition', 'string', 'Conditions applied to the request, such as approval or denial.'),
  ],
  row: (object, now) => [
    object.metadata?.name ?? '',
    age(object.metadata?.creationTimestamp, now),
    object.spec?.signerName || '<none>',
    object.spec?.username ?? '',
    object.spec?.expirationSeconds === undefined ? '<none>' : humanDuration(object.spec.expirationSeconds * 1000),
    condition(object),
  ],
  fieldSelectors: { 'spec.signerName': (object) => object.spec?.signerName ?? '' },
});

export const certificatesResources: readonly Resource[] = [certificateSigningRequest];
