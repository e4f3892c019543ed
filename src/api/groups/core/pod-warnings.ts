import { goQuote } from '../../meta/go-text.ts';
import { isDNS1123Label } from '../../meta/names.ts';
import { Quantity } from '../../meta/quantity.ts';
import { onceFor } from '../../repeated-parts.ts';
import type {
  Container,
  ContainerPort,
  Pod,
  PodAffinityTerm,
  PodSpec,
  PodTemplateSpec,
  ResourceList,
  Volume,
} from '../../types/core-v1.ts';
import type { ObjectMeta } from '../../types/meta-v1.ts';
import { deepEqual } from '../define.ts';
import { ipWarnings } from '../ip.ts';
import { claimSpecWarnings } from '../object-warnings.ts';
import { deprecatedNodeLabel, nodeSelectorTermWarnings } from './deprecated-node-labels.ts';
import { overlappingPathWarnings } from './overlapping-paths.ts';
import { appArmorPrefix, appArmorProfileOf, seccompContainerPrefix, seccompPodAnnotation } from './pod-validation/annotations.ts';
import { containersWithPaths } from './pod-validation/containers-with-paths.ts';

/** Warnings about pods that are valid, but hardly what was meant (pkg/api/pod/warnings.go). */

/** Of a new pod. Updates are not warned about: they are rarely a person's, and many. */
export function podWarnings(pod: Pod, old: Pod | undefined): readonly string[] {
  if (old !== undefined) return [];
  const warnings: string[] = [];
  const messages = isDNS1123Label(pod.metadata?.name ?? '');
  if (messages.length > 0) {
    warnings.push(
      `metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [${messages.join(' ')}]`,
    );
  }
  if (pod.spec === undefined) return warnings;
  if (pod.metadata?.annotations === undefined) warnings.push(...onceFor(pod.spec, specWarnings, specWarnings));
  else collect(pod.spec, pod.metadata, '', warnings);
  return warnings;
}

/** Of a pod without annotations. */
function specWarnings(spec: PodSpec): readonly string[] {
  const warnings: string[] = [];
  collect(spec, {}, '', warnings);
  return warnings;
}

/** Of a template at path `at`. An update that leaves the template as it was is not warned about: pass nothing. */
export function podTemplateWarnings(template: PodTemplateSpec | undefined, at: string): readonly string[] {
  const warnings: string[] = [];
  if (template?.spec !== undefined) collect(template.spec, template.metadata ?? {}, `${at}.`, warnings);
  return warnings;
}

const deprecatedAnnotations: readonly (readonly [key: string, message: string])[] = [
  ['scheduler.alpha.kubernetes.io/critical-pod', 'non-functional in v1.16+; use the "priorityClassName" field instead'],
  ['security.alpha.kubernetes.io/sysctls', 'non-functional in v1.11+; use the "sysctls" field instead'],
  ['security.alpha.kubernetes.io/unsafe-sysctls', 'non-functional in v1.11+; use the "sysctls" field instead'],
];

/** As the paths have them: upstream's field of storageos is not called as in the API. */
const deprecatedVolumes: readonly (readonly [source: keyof Volume, message: string, name?: string])[] = [
  ['photonPersistentDisk', 'deprecated in v1.11, non-functional in v1.16+'],
  ['gitRepo', 'deprecated in v1.11, and disabled by default in v1.33+'],
  ['scaleIO', 'deprecated in v1.16, non-functional in v1.22+'],
  ['flocker', 'deprecated in v1.22, non-functional in v1.25+'],
  ['storageos', 'deprecated in v1.22, non-functional in v1.25+', 'storageOS'],
  ['quobyte', 'deprecated in v1.22, non-functional in v1.25+'],
  ['glusterfs', 'deprecated in v1.25, non-functional in v1.26+'],
  ['cephfs', 'deprecated in v1.28, non-functional in v1.31+'],
  ['rbd', 'deprecated in v1.28, non-functional in v1.31+'],
];

/** `at` is the path of what holds metadata and spec, with its dot. */
function collect(spec: PodSpec, meta: ObjectMeta, at: string, warnings: string[]): void {
  const specAt = `${at}spec`;
  deprecatedNodeLabels(spec, specAt, warnings);
  const annotations = meta.annotations ?? {};
  for (const [key, message] of deprecatedAnnotations) {
    if (annotations[key] !== undefined) warnings.push(`${at}metadata.annotations[${key}]: ${message}`);
  }
  volumes(spec, specAt, warnings);
  duplicates(
    spec.hostAliases?.map((a) => a.ip),
    (i, ip) => warnings.push(`${specAt}.hostAliases[${i}].ip: duplicate ip ${JSON.stringify(ip)}`),
  );
  const secrets = spec.imagePullSecrets?.map((s) => s.name ?? '');
  duplicates(secrets, (i, name) =>
    warnings.push(`${specAt}.imagePullSecrets[${i}].name: duplicate name ${JSON.stringify(name)}`),
  );
  secrets?.forEach((name, i) => {
    if (name === '') warnings.push(`${specAt}.imagePullSecrets[${i}].name: invalid empty name ""`);
  });
  fractions(spec.overhead, `${specAt}.overhead`, warnings);
  const seccomp = 'non-functional in v1.27+; use the "seccompProfile" field instead';
  if (spec.securityContext?.seccompProfile === undefined && annotations[seccompPodAnnotation] !== undefined) {
    warnings.push(`${at}metadata.annotations[${seccompPodAnnotation}]: ${seccomp}`);
  }
  for (const [container, here] of containersWithPaths(spec, specAt)) {
    const seccompKey = seccompContainerPrefix + container.name;
    if (container.securityContext?.seccompProfile === undefined && annotations[seccompKey] !== undefined) {
      warnings.push(`${at}metadata.annotations[${seccompKey}]: ${seccomp}`);
    }
    const appArmorKey = appArmorPrefix + container.name;
    // Pods are warned when their annotations become fields.
    const isTemplate = at !== '';
    const ofPod = spec.securityContext?.appArmorProfile;
    const annotation = annotations[appArmorKey];
    const unsaid = isTemplate && container.securityContext?.appArmorProfile === undefined && annotation !== undefined;
    if (unsaid && (ofPod === undefined || !deepEqual(ofPod, appArmorProfileOf(annotation)))) {
      warnings.push(`${at}metadata.annotations[${appArmorKey}]: deprecated since v1.30; use the "appArmorProfile" field instead`);
    }
    fractions(container.resources?.limits, `${here}.resources.limits`, warnings);
    fractions(container.resources?.requests, `${here}.resources.requests`, warnings);
    hiddenVariables(container, here, warnings);
  }
  ports(spec, specAt, warnings);
  portNames(spec, specAt, warnings);
  // A pod's has become 1 before.
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0) {
    warnings.push(`${specAt}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`);
  }
  for (const kind of ['podAffinity', 'podAntiAffinity'] as const) {
    const terms = spec.affinity?.[kind];
    const nothing = (term: PodAffinityTerm | undefined, path: string): void => {
      if (term?.labelSelector === undefined) {
        warnings.push(`${path}.labelSelector: a null labelSelector results in matching no pod`);
      }
    };
    terms?.requiredDuringSchedulingIgnoredDuringExecution?.forEach((term, i) => {
      nothing(term, `${specAt}.affinity.${kind}.requiredDuringSchedulingIgnoredDuringExecution[${i}]`);
    });
    terms?.preferredDuringSchedulingIgnoredDuringExecution?.forEach((term, i) => {
      nothing(
        term.podAffinityTerm,
        `${specAt}.affinity.${kind}.preferredDuringSchedulingIgnoredDuringExecution[${i}].podAffinityTerm`,
      );
    });
  }
  spec.dnsConfig?.nameservers?.forEach((server, i) => {
    warnings.push(...ipWarnings(`${specAt}.dnsConfig.nameservers[${i}]`, server));
  });
  spec.hostAliases?.forEach(({ ip }, i) => {
    warnings.push(...ipWarnings(`${specAt}.hostAliases[${i}].ip`, ip));
  });
}

function deprecatedNodeLabels(spec: PodSpec, at: string, warnings: string[]): void {
  for (const key of Object.keys(spec.nodeSelector ?? {})) {
    const message = deprecatedNodeLabel(key);
    if (message !== undefined) warnings.push(`${at}.nodeSelector[${key}]: ${message}`);
  }
  const node = spec.affinity?.nodeAffinity;
  const nodeAt = `${at}.affinity.nodeAffinity`;
  node?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms?.forEach((term, i) => {
    const here = `${nodeAt}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[${i}]`;
    warnings.push(...nodeSelectorTermWarnings(term, here, false));
  });
  node?.preferredDuringSchedulingIgnoredDuringExecution?.forEach(({ preference }, i) => {
    const here = `${nodeAt}.preferredDuringSchedulingIgnoredDuringExecution[${i}].preference`;
    warnings.push(...nodeSelectorTermWarnings(preference, here, true));
  });
  spec.topologySpreadConstraints?.forEach((constraint, i) => {
    const here = `${at}.topologySpreadConstraints[${i}]`;
    const message = deprecatedNodeLabel(constraint.topologyKey);
    if (message !== undefined) warnings.push(`${here}.topologyKey: ${constraint.topologyKey} is ${message}`);
    if (constraint.labelSelector === undefined) {
      warnings.push(`${here}.labelSelector: a null labelSelector results in matching no pod`);
    }
  });
}

function volumes(spec: PodSpec, at: string, warnings: string[]): void {
  spec.volumes?.forEach((volume, i) => {
    for (const [source, message, name = source] of deprecatedVolumes) {
      if (volume[source] !== undefined) warnings.push(`${at}.volumes[${i}].${name}: ${message}`);
    }
    const claim = volume.ephemeral?.volumeClaimTemplate?.spec;
    if (claim !== undefined) {
      warnings.push(...claimSpecWarnings(claim, `${at}.volumes[${i}].ephemeral.volumeClaimTemplate.spec`));
    }
  });
  warnings.push(...overlappingPathWarnings(spec.volumes));
}

function duplicates(values: readonly string[] | undefined, warn: (index: number, value: string) => void): void {
  const seen = new Set<string>();
  values?.forEach((value, i) => {
    if (seen.has(value)) warn(i, value);
    seen.add(value);
  });
}

/** Nobody can have half a byte. */
function fractions(list: ResourceList | undefined, at: string, warnings: string[]): void {
  for (const name of ['memory', 'ephemeral-storage']) {
    const text = list?.[name];
    if (text === undefined) continue;
    const amount = Quantity.parse(text);
    if (amount.scaledValue(-3) % 1000n !== 0n) {
      warnings.push(`${at}[${name}]: fractional byte value ${JSON.stringify(amount.toString())} is invalid, must be an integer`);
    }
  }
}

/** A variable given twice is an oversight, unless the second makes something of the first. */
function hiddenVariables(container: Container, at: string, warnings: string[]): void {
  const seen = new Set<string>();
  container.env?.forEach((variable, i) => {
    const { name, value = '', valueFrom } = variable;
    if (!seen.has(name)) {
      seen.add(name);
      return;
    }
    const reference = `$(${name})`;
    if (valueFrom !== undefined || value === reference || !value.includes(reference)) {
      warnings.push(
        `${at}.env[${i}]: hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`,
      );
    }
  });
}

function ports(spec: PodSpec, specAt: string, warnings: string[]): void {
  const all = new Map<string, { readonly at: string; readonly port: ContainerPort }[]>();
  for (const [container, at] of containersWithPaths(spec, specAt)) {
    container.ports?.forEach((port, i) => {
      const here = `${at}.ports[${i}]`;
      const { hostIP = '', hostPort = 0 } = port;
      if (hostIP !== '' && hostPort === 0) warnings.push(`${here}: hostIP set without hostPort: ${goStruct(port)}`);
      const key = `${port.containerPort}/${port.protocol ?? ''}`;
      const others = all.get(key) ?? [];
      for (const other of others) {
        const otherIP = other.port.hostIP ?? '';
        const otherPort = other.port.hostPort ?? 0;
        if (hostIP === otherIP && hostPort === otherPort) {
          warnings.push(`${here}: duplicate port definition with ${other.at}`);
        } else if (hostPort === 0 || otherPort === 0) {
          warnings.push(`${here}: overlapping port definition with ${other.at}`);
        } else if (hostPort === otherPort && (hostIP === '') !== (otherIP === '')) {
          warnings.push(`${here}: dangerously ambiguous port definition with ${other.at}`);
        }
      }
      others.push({ at: here, port });
      all.set(key, others);
    });
  }
}

function portNames(spec: PodSpec, specAt: string, warnings: string[]): void {
  const first = new Map<string, string>();
  for (const [container, at] of containersWithPaths(spec, specAt)) {
    container.ports?.forEach(({ name }, i) => {
      if (!name) return;
      const here = `${at}.ports[${i}]`;
      const other = first.get(name);
      if (other === undefined) first.set(name, here);
      else {
        warnings.push(
          `${here}: duplicate port name ${goQuote(name)} with ${other}, services and probes that select ports by name will use ${other}`,
        );
      }
    });
  }
}

/** As Go prints the struct with `%+v`. */
const goStruct = (p: ContainerPort): string =>
  `{Name:${p.name ?? ''} HostPort:${p.hostPort ?? 0} ContainerPort:${p.containerPort} Protocol:${p.protocol ?? ''} HostIP:${p.hostIP ?? ''}}`;
