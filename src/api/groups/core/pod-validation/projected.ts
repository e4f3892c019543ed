import { forbidden, invalid, notSupported, required } from '../../../meta/field-error.ts';
import { isDNS1123Subdomain, nameIsDNSSubdomain } from '../../../meta/names.ts';
import type {
  ClusterTrustBundleProjection,
  DownwardAPIVolumeFile,
  KeyToPath,
  PodCertificateProjection,
  ProjectedVolumeSource,
  VolumeProjection,
} from '../../../types/core-v1.ts';
import { validateFieldRef, validateResourceFieldRef, volumeFieldPaths } from './downward.ts';
import { validateKeyToPath } from './key-to-path.ts';
import { validateSelector } from './labels.ts';
import { type Errors, type PodValidationOptions, report } from './options.ts';
import { validateFileMode, validateNonReservedPath } from './paths.ts';

/** Seconds a service account token must at least, and may at most, be asked for. */
const minTokenSeconds = 600;
const maxTokenSeconds = 2 ** 32;
/** Seconds a pod certificate must at least, and may at most, be asked for: an hour and 91 days. */
const minCertificateSeconds = 3600;
const maxCertificateSeconds = 7_862_400;

/** A volume made of several sources, none of which may write where another does. */
export function validateProjected(
  source: ProjectedVolumeSource,
  at: string,
  options: PodValidationOptions,
  errors: Errors,
): void {
  validateFileMode(source.defaultMode, `${at}.defaultMode`, errors);
  const paths = new Set<string>();
  const claim = (path: string | undefined, value: unknown): void => {
    if (!path) return;
    if (paths.has(path)) errors.push(invalid(at, value, 'conflicting duplicate paths'));
    paths.add(path);
  };
  const sources = source.sources ?? [];
  for (let i = 0; i < sources.length; i++) {
    const one = sources[i] as VolumeProjection;
    const here = `${at}.sources[${i}]`;
    let count = 0;
    for (const kind of ['secret', 'configMap'] as const) {
      const keys = one[kind];
      if (keys === undefined) continue;
      count++;
      if (!keys.name) errors.push(required(`${here}.${kind}.name`));
      const items = keys.items ?? [];
      for (let j = 0; j < items.length; j++) {
        const item = items[j] as KeyToPath;
        validateKeyToPath(item, `${here}.${kind}.items[${j}]`, errors);
        claim(item.path, keys.name ?? '');
      }
    }
    if (one.downwardAPI !== undefined) {
      count++;
      for (const file of one.downwardAPI.items ?? []) {
        validateDownwardFile(file, `${here}.downwardAPI`, errors);
        claim(file.path, file.path);
      }
    }
    if (one.serviceAccountToken !== undefined) {
      count++;
      const { expirationSeconds = 0, path } = one.serviceAccountToken;
      const secondsAt = `${here}.serviceAccountToken.expirationSeconds`;
      if (expirationSeconds < minTokenSeconds) {
        errors.push(invalid(secondsAt, expirationSeconds, 'may not specify a duration less than 10 minutes'));
      }
      if (expirationSeconds > maxTokenSeconds) {
        errors.push(invalid(secondsAt, expirationSeconds, 'may not specify a duration larger than 2^32 seconds'));
      }
      // The path of the volume, not of the source, is upstream's.
      if (!path) errors.push(required(`${at}.path`));
      else if (options.allowNonLocalProjectedTokenPath !== true) validateNonReservedPath(path, `${at}.path`, errors);
    }
    if (one.clusterTrustBundle !== undefined) {
      count++;
      validateTrustBundle(one.clusterTrustBundle, `${here}.clusterTrustBundle`, errors);
      claim(one.clusterTrustBundle.path, one.clusterTrustBundle.path);
    }
    if (one.podCertificate !== undefined) {
      count++;
      validatePodCertificate(one.podCertificate, `${here}.podCertificate`, errors);
      for (const field of certificatePaths) claim(one.podCertificate[field], one.podCertificate[field]);
    }
    if (count > 1) errors.push(forbidden(here, 'may not specify more than 1 volume type per source'));
  }
}

/** A file with a field of the pod in it. */
export function validateDownwardFile(file: DownwardAPIVolumeFile, at: string, errors: Errors): void {
  if (!file.path) errors.push(required(`${at}.path`));
  validateNonReservedPath(file.path ?? '', `${at}.path`, errors);
  if (file.fieldRef !== undefined) {
    validateFieldRef(file.fieldRef, volumeFieldPaths, `${at}.fieldRef`, errors);
    if (file.resourceFieldRef !== undefined) {
      errors.push(invalid(at, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'));
    }
  } else if (file.resourceFieldRef !== undefined) {
    validateResourceFieldRef(file.resourceFieldRef, `${at}.resourceFieldRef`, true, errors);
  } else {
    errors.push(required(at, 'one of fieldRef and resourceFieldRef is required'));
  }
  validateFileMode(file.mode, `${at}.mode`, errors);
}

function validateTrustBundle(source: ClusterTrustBundleProjection, at: string, errors: Errors): void {
  const { name, signerName } = source;
  if (name !== undefined && signerName !== undefined) {
    errors.push(invalid(at, source, 'only one of name and signerName may be used'));
  } else if (name !== undefined) {
    if (name === '') errors.push(required(`${at}.name`, 'must be a valid object name'));
    // A bundle of a signer is named `<signer domain>:<signer path>:<name>`.
    const own = name.slice(name.lastIndexOf(':') + 1);
    for (const message of nameIsDNSSubdomain(own, false)) {
      errors.push(invalid(`${at}.name`, name, `not a valid clustertrustbundlename: ${message}`));
    }
    if (source.labelSelector !== undefined) {
      errors.push(invalid(`${at}.labelSelector`, source.labelSelector, 'labelSelector must be unset if name is specified'));
    }
  } else if (signerName !== undefined) {
    if (signerName === '') errors.push(required(`${at}.signerName`, 'must be a valid signer name'));
    validateSignerName(signerName, `${at}.signerName`, errors);
    validateSelector(source.labelSelector, `${at}.labelSelector`, false, errors);
  } else {
    errors.push(required(at, 'either name or signerName must be specified'));
  }
  if (!source.path) errors.push(required(`${at}.path`));
  validateNonReservedPath(source.path ?? '', `${at}.path`, errors);
}

const certificatePaths = ['credentialBundlePath', 'keyPath', 'certificateChainPath'] as const;
const keyTypes = ['ECDSAP256', 'ECDSAP384', 'ECDSAP521', 'ED25519', 'RSA3072', 'RSA4096'];

function validatePodCertificate(source: PodCertificateProjection, at: string, errors: Errors): void {
  if (!source.signerName) errors.push(required(`${at}.signerName`, ''));
  else validateSignerName(source.signerName, `${at}.signerName`, errors);
  if (!source.keyType || !keyTypes.includes(source.keyType)) {
    errors.push(notSupported(`${at}.keyType`, source.keyType ?? '', keyTypes));
  }
  const seconds = source.maxExpirationSeconds;
  if (seconds !== undefined && seconds < minCertificateSeconds) {
    errors.push(invalid(`${at}.maxExpirationSeconds`, seconds, 'if provided, maxExpirationSeconds must be >= 3600'));
  }
  if (seconds !== undefined && seconds > maxCertificateSeconds) {
    errors.push(invalid(`${at}.maxExpirationSeconds`, seconds, 'if provided, maxExpirationSeconds must be <= 7862400'));
  }
  let written = 0;
  for (const field of certificatePaths) {
    if (!source[field]) continue;
    written++;
    validateNonReservedPath(source[field], `${at}.${field}`, errors);
  }
  if (written === 0) errors.push(required(at, 'specify at least one of credentialBundlePath, keyPath, and certificateChainPath'));
}

/** `example.com/signer`: the domain and the path of a signer of certificates. */
function validateSignerName(name: string, at: string, errors: Errors): void {
  if (name === '') {
    errors.push(required(at));
    return;
  }
  const [domain, path, ...rest] = name.split('/');
  if (path === undefined || rest.length > 0) {
    errors.push(invalid(at, name, 'must be a fully qualified domain and path of the form "example.com/signer-name"'));
    return;
  }
  report(errors, at, domain, isDNS1123Subdomain(domain ?? ''));
  if (domain !== undefined && domain.split('.').length < 2) {
    errors.push(invalid(at, domain, 'should be a domain with at least two segments separated by dots'));
  }
  for (const part of path.split('.')) report(errors, at, part, isDNS1123Subdomain(part));
}
