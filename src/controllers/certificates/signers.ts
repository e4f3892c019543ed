import type { ParsedRequest } from './request.ts';

export const API_CLIENT = 'kubernetes.io/kube-apiserver-client';
export const KUBELET_CLIENT = 'kubernetes.io/kube-apiserver-client-kubelet';
export const KUBELET_SERVING = 'kubernetes.io/kubelet-serving';
export const LEGACY_UNKNOWN = 'kubernetes.io/legacy-unknown';

type Request = Omit<ParsedRequest, 'raw'>;

const NODE_PREFIX = 'system:node:';

const sameSet = (usages: readonly string[], wanted: readonly string[]): boolean =>
  new Set(usages).size === wanted.length && wanted.every((usage) => usages.includes(usage));

const forKubelet = (usages: readonly string[], auth: string): boolean =>
  sameSet(usages, ['key encipherment', 'digital signature', auth]) || sameSet(usages, ['digital signature', auth]);

function nodeFault({ organizations, commonName }: Request): string | undefined {
  if (organizations.length !== 1 || organizations[0] !== 'system:nodes') return 'organization must be exactly [system:nodes]';
  return commonName.startsWith(NODE_PREFIX) ? undefined : `subject common name must begin with "${NODE_PREFIX}"`;
}

/** Why a request is none for a kubelet's client certificate; undefined when it is one. Upstream's ValidateKubeletClientCSR. */
export function kubeletClientFault(request: Request, usages: readonly string[]): string | undefined {
  if (request.organizations.length !== 1 || request.organizations[0] !== 'system:nodes') return nodeFault(request);
  if (request.dnsNames.length > 0) return 'DNS subjectAltNames are not allowed';
  if (request.emails.length > 0) return 'email subjectAltNames are not allowed';
  if (request.ipAddresses.length > 0) return 'IP subjectAltNames are not allowed';
  if (request.uris.length > 0) return 'URI subjectAltNames are not allowed';
  const fault = nodeFault(request);
  if (fault !== undefined) return fault;
  return forKubelet(usages, 'client auth')
    ? undefined
    : 'usages did not match [client auth digital signature] or [client auth digital signature key encipherment]';
}

/** The same for a kubelet's serving certificate. */
export function kubeletServingFault(request: Request, usages: readonly string[]): string | undefined {
  if (request.organizations.length !== 1 || request.organizations[0] !== 'system:nodes') return nodeFault(request);
  if (request.dnsNames.length === 0 && request.ipAddresses.length === 0) return 'DNS or IP subjectAltName is required';
  if (request.emails.length > 0) return 'email subjectAltNames are not allowed';
  if (request.uris.length > 0) return 'URI subjectAltNames are not allowed';
  if (!forKubelet(usages, 'server auth')) {
    return 'usages did not match [digital signature server auth] or [digital signature key encipherment server auth]';
  }
  return nodeFault(request);
}

function apiClientFault(usages: readonly string[]): string | undefined {
  const allowed = new Set(['digital signature', 'key encipherment', 'client auth']);
  const good = usages.includes('client auth') && usages.every((usage) => allowed.has(usage));
  return good ? undefined : `invalid usages for client certificate: [${usages.join(' ')}]`;
}

/** Whether this is a signer of ours, and why it will not sign a request; undefined for a request it signs. Pure. */
export function signerFault(signer: string, request: Request, usages: readonly string[]): string | undefined {
  switch (signer) {
    case API_CLIENT:
      return apiClientFault(usages);
    case KUBELET_CLIENT:
      return kubeletClientFault(request, usages);
    case KUBELET_SERVING:
      return kubeletServingFault(request, usages);
    default:
      return undefined;
  }
}

export const isOurSigner = (signer: string): boolean =>
  signer === API_CLIENT || signer === KUBELET_CLIENT || signer === KUBELET_SERVING || signer === LEGACY_UNKNOWN;
