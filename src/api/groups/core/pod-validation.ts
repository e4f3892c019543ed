import { duplicate, type FieldError, forbidden, invalid, notSupported, required, tooLong } from '../../meta/field-error.ts';
import { isDNS1123Label, isDNS1123Subdomain, isDNS1123SubdomainWithUnderscore, nameIsDNSSubdomain } from '../../meta/names.ts';
import { validateAnnotations } from '../../meta/object-meta-validation.ts';
import type { HostAlias, Pod, PodDNSConfig, PodResourceClaim, PodSpec, PodTemplateSpec, Volume } from '../../types/core-v1.ts';
import type { ObjectMeta } from '../../types/meta-v1.ts';
import { validateLegacyIP } from '../ip.ts';
import { internalForm } from './internal-json.ts';
import { validateAppArmorMatches, validatePodAnnotations, validateSeccompMatches } from './pod-validation/annotations.ts';
import {
  type PodScope,
  validateContainers,
  validateEphemeralContainers,
  validateImageSpace,
  validateInitContainers,
} from './pod-validation/containers.ts';
import { validateFileKeyVolumes } from './pod-validation/environment.ts';
import { validateLabels } from './pod-validation/labels.ts';
import { type Errors, type PodValidationOptions, report } from './pod-validation/options.ts';
import { validateOverhead, validatePodResources } from './pod-validation/resources.ts';
import {
  validateAffinity,
  validateReadinessGates,
  validateSchedulingGates,
  validateTolerations,
  validateTopologySpread,
} from './pod-validation/scheduling.ts';
import { validateHostUsers, validatePodSecurityContext } from './pod-validation/security.ts';
import { validateVolumes } from './pod-validation/volumes.ts';
import { validateHostProcess, validateOs } from './pod-validation/windows.ts';

export type { PodValidationOptions } from './pod-validation/options.ts';

const maxInt32 = 2 ** 31 - 1;
/** What the resolver of a container can take (derived from libc). */
const maxNameservers = 3;
const maxSearchPaths = 32;
const maxSearchCharacters = 2048;

const strict: PodValidationOptions = Object.freeze({});
/**
 * Frozen specs in which nothing was wrong: most updates leave the spec as it is, and the pods of a template have the same. With the name
 * of the pod where that counts.
 */
const faultlessSpecs = new WeakMap<PodSpec, string>();
const ANY_NAME = '';

const noSpec: PodSpec = Object.freeze({ containers: [] });
const restartPolicies = ['Always', 'OnFailure', 'Never'];
const dnsPolicies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];
const preemptionPolicies = ['PreemptLowerPriority', 'Never'];

/** Everything wrong with a new pod but its metadata (ValidatePodCreate). */
export function validatePodCreate(pod: Pod, options: PodValidationOptions = strict): readonly FieldError[] {
  const errors: Errors = [];
  const spec = pod.spec ?? noSpec;
  collectPod(pod, options, errors);
  if (spec.ephemeralContainers?.length) errors.push(forbidden('spec.ephemeralContainers', 'cannot be set on create'));
  if (spec.nodeName && spec.schedulingGates?.length) {
    errors.push(forbidden('spec.nodeName', 'cannot be set until all schedulingGates have been cleared'));
  }
  validateSeccompMatches(pod.metadata?.annotations, spec, 'spec', errors);
  validateAppArmorMatches(pod.metadata?.annotations, spec, 'spec', errors);
  return errors;
}

/** A pod's spec and the annotations that belong to it, old or new (validatePodMetadataAndSpec). */
export function collectPod(pod: Pod, options: PodValidationOptions, errors: Errors): void {
  const spec = pod.spec ?? noSpec;
  validatePodAnnotations(pod.metadata?.annotations, spec, 'metadata.annotations', options, errors);
  // Only the name of a volume's own claim looks beyond the spec: at the pod's name.
  const named = spec.volumes?.some((volume) => volume.ephemeral !== undefined) === true;
  const name = named ? (pod.metadata?.name ?? '') : ANY_NAME;
  if (faultlessSpecs.get(spec) === name) return;
  const before = errors.length;
  collectPodSpec(pod, spec, options, errors);
  if (errors.length === before && options === strict && Object.isFrozen(spec)) faultlessSpecs.set(spec, name);
}

function collectPodSpec(pod: Pod, spec: PodSpec, options: PodValidationOptions, errors: Errors): void {
  collectSpec(spec, pod.metadata, 'spec', { ...options, resourceIsPod: true }, errors);
  // What follows is asked of pods only: templates have always been allowed it.
  if (!spec.serviceAccountName) {
    const volumes = spec.volumes ?? [];
    for (let i = 0; i < volumes.length; i++) {
      const sources = volumes[i]?.projected?.sources ?? [];
      for (let j = 0; j < sources.length; j++) {
        if (sources[j]?.serviceAccountToken === undefined) continue;
        errors.push(
          forbidden(
            `spec.volumes[${i}].projected.sources[${j}].serviceAccountToken`,
            'must not be specified when serviceAccountName is not set',
          ),
        );
      }
    }
  }
  for (const list of ['containers', 'initContainers'] as const) {
    const containers = spec[list] ?? [];
    for (let i = 0; i < containers.length; i++) validateImageSpace(containers[i]!, `spec.${list}[${i}]`, errors);
  }
}

/**
 * Everything wrong with a pod spec at path `at`: a pod's or a template's. `podMeta` is the metadata of the pod it belongs to, when it
 * belongs to one.
 */
export function validatePodSpec(
  spec: PodSpec,
  at: string,
  podMeta?: ObjectMeta,
  options: PodValidationOptions = {},
): readonly FieldError[] {
  const errors: Errors = [];
  collectSpec(spec, podMeta, at, options, errors);
  return errors;
}

/** Everything wrong with a template for pods at path `at`. `old`, in an update: rules it broke already are not held against the new one. */
export function validatePodTemplateSpec(template: PodTemplateSpec, at: string, old?: PodTemplateSpec): readonly FieldError[] {
  return ratchet(
    (options) => {
      const errors: Errors = [];
      const spec = template.spec ?? noSpec;
      const { labels, annotations } = template.metadata ?? {};
      validateLabels(labels, `${at}.labels`, errors);
      errors.push(...validateAnnotations(annotations, `${at}.annotations`));
      validatePodAnnotations(annotations, spec, `${at}.annotations`, options, errors);
      collectSpec(spec, undefined, `${at}.spec`, options, errors);
      validateSeccompMatches(annotations, spec, `${at}.spec`, errors);
      if (spec.ephemeralContainers?.length) {
        errors.push(forbidden(`${at}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template'));
      }
      return errors;
    },
    old?.spec,
    old?.metadata,
  );
}

/** A volume that many pods would write to at once: only read-only ones can be shared (ValidateReadOnlyPersistentDisks). */
export function validateSharedDisks(
  volumes: readonly Volume[] | undefined,
  old: readonly Volume[] | undefined,
  at: string,
): readonly FieldError[] {
  const errors: Errors = [];
  const before = new Set(old?.map((v) => v.gcePersistentDisk?.pdName).filter((name) => name !== undefined));
  for (let i = 0; i < (volumes?.length ?? 0); i++) {
    const disk = volumes?.[i]?.gcePersistentDisk;
    if (disk === undefined || disk.readOnly === true || before.has(disk.pdName)) continue;
    errors.push(
      invalid(
        `${at}[${i}].gcePersistentDisk.readOnly`,
        false,
        'must be true for replicated pods > 1; GCE PD can only be mounted on multiple machines if it is read-only.',
      ),
    );
  }
  return errors;
}

/**
 * Validates strictly; when that finds fault and there is an old object, again with those rules off that the old one breaks as well: what
 * is stored stays updatable (GetValidationOptionsFromPodSpecAndMeta).
 */
export function ratchet(
  validate: (options: PodValidationOptions) => readonly FieldError[],
  oldSpec: PodSpec | undefined,
  oldMeta: ObjectMeta | undefined,
): readonly FieldError[] {
  const errors = validate(strict);
  if (errors.length === 0 || oldSpec === undefined) return errors;
  const old: Errors = [];
  validatePodAnnotations(oldMeta?.annotations, oldSpec, 'metadata.annotations', {}, old);
  collectSpec(oldSpec, undefined, 'spec', {}, old);
  if (old.length === 0) return errors;
  const broke = (pattern: RegExp): boolean => old.some((e) => pattern.test(e.path));
  return validate({
    allowInvalidPodDeletionCost: broke(/pod-deletion-cost\]$/),
    allowInvalidLabelValueInSelector: broke(/pod(?:Anti)?Affinity\..*[sS]elector\.matchExpressions\[\d+\]\.values/),
    allowInvalidLabelValueInRequiredNodeAffinity: broke(/nodeAffinity\.required.*\.values\[\d+\]$/),
    allowInvalidTopologySpreadConstraintLabelSelector: broke(/topologySpreadConstraints\[\d+\]\.labelSelector/),
    allowIndivisibleHugePages: old.some((e) => e.detail.includes('is not positive integer multiple of')),
    allowNamespacedSysctlsForHostNetAndHostIPC: old.some((e) => /^may not be specified when 'host(Network|IPC)'/.test(e.detail)),
    allowNonLocalProjectedTokenPath: broke(/volumes\[\d+\]\.projected\.path$/),
    allowMountOptionSELinuxChangePolicy: oldSpec.securityContext?.seLinuxChangePolicy !== undefined,
    allowTolerationComparison: oldSpec.tolerations?.some(({ operator }) => operator === 'Lt' || operator === 'Gt') === true,
  });
}

function collectSpec(
  spec: PodSpec,
  podMeta: ObjectMeta | undefined,
  at: string,
  options: PodValidationOptions,
  errors: Errors,
): void {
  if (spec.terminationGracePeriodSeconds === undefined) errors.push(required(`${at}.terminationGracePeriodSeconds`));
  const volumes = validateVolumes(spec.volumes ?? [], podMeta, `${at}.volumes`, options, errors);
  const claims = spec.resourceClaims ?? [];
  const claimNames = new Set(claims.map((c) => c.name).filter((name) => name !== ''));
  validateResourceClaims(claims, `${at}.resourceClaims`, errors);
  const scope: PodScope = { spec, volumes, claimNames, options };
  validateContainers(scope, `${at}.containers`, errors);
  validateInitContainers(scope, `${at}.initContainers`, errors);
  validateEphemeralContainers(scope, `${at}.ephemeralContainers`, errors);
  if (spec.resources !== undefined) {
    validatePodResources(spec, spec.resources, claimNames, `${at}.resources`, options, errors);
  }
  if (spec.hostNetwork === true) validateHostPorts(spec, at, options, errors);
  closedSet(spec.restartPolicy, restartPolicies, `${at}.restartPolicy`, errors);
  closedSet(spec.dnsPolicy, dnsPolicies, `${at}.dnsPolicy`, errors);
  validateLabels(spec.nodeSelector, `${at}.nodeSelector`, errors);
  validatePodSecurityContext(spec, at, options, errors);
  if (spec.affinity !== undefined) validateAffinity(spec.affinity, `${at}.affinity`, options, errors);
  validateDns(spec.dnsConfig, spec.dnsPolicy, `${at}.dnsConfig`, errors);
  if (spec.readinessGates !== undefined) validateReadinessGates(spec.readinessGates, `${at}.readinessGates`, errors);
  if (spec.schedulingGates !== undefined) {
    validateSchedulingGates(spec.schedulingGates, `${at}.schedulingGates`, errors);
  }
  if (spec.topologySpreadConstraints !== undefined) {
    validateTopologySpread(spec.topologySpreadConstraints, `${at}.topologySpreadConstraints`, options, errors);
  }
  validateHostProcess(spec, at, errors);
  validateHostUsers(spec, at, errors);
  validateHostnameOverride(spec, at, errors);
  named(spec.serviceAccountName, `${at}.serviceAccountName`, errors);
  named(spec.nodeName, `${at}.nodeName`, errors);
  const deadline = spec.activeDeadlineSeconds;
  if (deadline !== undefined && (deadline < 1 || deadline > maxInt32)) {
    errors.push(invalid(`${at}.activeDeadlineSeconds`, deadline, `must be between 1 and ${maxInt32}, inclusive`));
  }
  if (spec.hostname) report(errors, `${at}.hostname`, spec.hostname, isDNS1123Label(spec.hostname));
  if (spec.subdomain) report(errors, `${at}.subdomain`, spec.subdomain, isDNS1123Label(spec.subdomain));
  if (spec.tolerations !== undefined) validateTolerations(spec.tolerations, `${at}.tolerations`, errors, options);
  if (spec.hostAliases !== undefined) validateHostAliases(spec.hostAliases, `${at}.hostAliases`, errors);
  named(spec.priorityClassName, `${at}.priorityClassName`, errors);
  if (spec.runtimeClassName !== undefined) {
    report(errors, `${at}.runtimeClassName`, spec.runtimeClassName, nameIsDNSSubdomain(spec.runtimeClassName, false));
  }
  if (spec.preemptionPolicy !== undefined) {
    closedSet(spec.preemptionPolicy, preemptionPolicies, `${at}.preemptionPolicy`, errors);
  }
  if (spec.overhead !== undefined) validateOverhead(spec.overhead, `${at}.overhead`, options, errors);
  validateOs(spec, at, errors);
  validateFileKeyVolumes(spec, volumes, at, errors);
}

function named(name: string | undefined, at: string, errors: Errors): void {
  if (name) report(errors, at, name, nameIsDNSSubdomain(name, false));
}

function closedSet(value: string | undefined, supported: readonly string[], at: string, errors: Errors): void {
  if (!value) errors.push(required(at));
  else if (!supported.includes(value)) errors.push(notSupported(at, value, supported));
}

/** On the host's network a port of the pod is a port of the host. In a template it may still be left out. */
function validateHostPorts(spec: PodSpec, at: string, options: PodValidationOptions, errors: Errors): void {
  for (let i = 0; i < spec.containers.length; i++) {
    const ports = spec.containers[i]?.ports ?? [];
    for (let j = 0; j < ports.length; j++) {
      const { hostPort = 0, containerPort } = ports[j]!;
      if ((options.resourceIsPod === true || hostPort !== 0) && hostPort !== containerPort) {
        errors.push(
          invalid(
            `${at}.containers[${i}].ports[${j}].hostPort`,
            hostPort,
            'must match `containerPort` when `hostNetwork` is true',
          ),
        );
      }
    }
  }
}

function validateResourceClaims(claims: readonly PodResourceClaim[], at: string, errors: Errors): void {
  const seen = new Set<string>();
  for (let i = 0; i < claims.length; i++) {
    const claim = claims[i] as PodResourceClaim;
    const { name, resourceClaimName, resourceClaimTemplateName } = claim;
    const here = `${at}[${i}]`;
    if (!name) errors.push(required(`${here}.name`));
    else if (seen.has(name)) errors.push(duplicate(`${here}.name`, name));
    else report(errors, `${here}.name`, name, isDNS1123Label(name));
    seen.add(name);
    const shown = internalForm('io.k8s.api.core.v1.PodResourceClaim', claim);
    if (resourceClaimName !== undefined && resourceClaimTemplateName !== undefined) {
      errors.push(invalid(here, shown, 'at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified'));
    }
    if (resourceClaimName === undefined && resourceClaimTemplateName === undefined) {
      errors.push(invalid(here, shown, 'must specify one of: `resourceClaimName`, `resourceClaimTemplateName`'));
    }
    if (resourceClaimName !== undefined) {
      report(errors, `${here}.resourceClaimName`, resourceClaimName, nameIsDNSSubdomain(resourceClaimName, false));
    }
    if (resourceClaimTemplateName !== undefined) {
      report(
        errors,
        `${here}.resourceClaimTemplateName`,
        resourceClaimTemplateName,
        nameIsDNSSubdomain(resourceClaimTemplateName, false),
      );
    }
  }
}

function validateDns(config: PodDNSConfig | undefined, policy: string | undefined, at: string, errors: Errors): void {
  if (policy === 'None') {
    if (config === undefined) {
      errors.push(required(at, 'must provide `dnsConfig` when `dnsPolicy` is None'));
      return;
    }
    if (!config.nameservers?.length) {
      errors.push(required(`${at}.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None'));
      return;
    }
  }
  if (config === undefined) return;
  const { nameservers = [], searches = [], options = [] } = config;
  if (nameservers.length > maxNameservers) {
    errors.push(invalid(`${at}.nameservers`, nameservers, `must not have more than ${maxNameservers} nameservers`));
  }
  for (let i = 0; i < nameservers.length; i++) {
    errors.push(...validateLegacyIP(`${at}.nameservers[${i}]`, nameservers[i]!));
  }
  if (searches.length > maxSearchPaths) {
    errors.push(invalid(`${at}.searches`, searches, `must not have more than ${maxSearchPaths} search paths`));
  }
  if (searches.join(' ').length > maxSearchCharacters) {
    errors.push(
      invalid(
        `${at}.searches`,
        searches,
        `must not have more than ${maxSearchCharacters} characters (including spaces) in the search list`,
      ),
    );
  }
  for (let i = 0; i < searches.length; i++) {
    const search = searches[i]!;
    if (search === '.') continue;
    const bare = search.endsWith('.') ? search.slice(0, -1) : search;
    report(errors, `${at}.searches[${i}]`, bare, isDNS1123SubdomainWithUnderscore(bare));
  }
  for (let i = 0; i < options.length; i++) {
    if (!options[i]?.name) errors.push(required(`${at}.options[${i}]`, 'must not be empty'));
  }
}

/** The most characters a Linux host name can have. */
const maxHostnameOverride = 64;

function validateHostnameOverride(spec: PodSpec, at: string, errors: Errors): void {
  const override = spec.hostnameOverride;
  if (override === undefined) return;
  const here = `${at}.hostnameOverride`;
  if (spec.setHostnameAsFQDN === true) errors.push(forbidden(here, 'may not be specified when setHostnameAsFQDN is true'));
  if (spec.hostNetwork === true) errors.push(forbidden(here, 'may not be specified when hostNetwork is true'));
  if (Buffer.byteLength(override) > maxHostnameOverride) errors.push(tooLong(here, maxHostnameOverride));
  report(errors, here, override, isDNS1123Subdomain(override));
}

function validateHostAliases(aliases: readonly HostAlias[], at: string, errors: Errors): void {
  for (let i = 0; i < aliases.length; i++) {
    const { ip = '', hostnames = [] } = aliases[i] as HostAlias;
    errors.push(...validateLegacyIP(`${at}[${i}].ip`, ip));
    for (let j = 0; j < hostnames.length; j++) {
      report(errors, `${at}[${i}].hostnames[${j}]`, hostnames[j], isDNS1123Subdomain(hostnames[j]!));
    }
  }
}
