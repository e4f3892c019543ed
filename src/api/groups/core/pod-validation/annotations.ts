import { forbidden, invalid } from '../../../meta/field-error.ts';
import type { AppArmorProfile, Pod, PodSpec, SeccompProfile } from '../../../types/core-v1.ts';
import { containersWithPaths } from './containers-with-paths.ts';
import type { Errors, PodValidationOptions } from './options.ts';
import { validateDescendingPath } from './paths.ts';
import { validateAppArmor } from './security.ts';

/** Annotations that mean something on a pod, most of them from before there was a field. */

export const mirrorAnnotation = 'kubernetes.io/config.mirror';
export const deletionCostAnnotation = 'controller.kubernetes.io/pod-deletion-cost';
export const seccompPodAnnotation = 'seccomp.security.alpha.kubernetes.io/pod';
export const seccompContainerPrefix = 'container.seccomp.security.alpha.kubernetes.io/';
export const appArmorPrefix = 'container.apparmor.security.beta.kubernetes.io/';

type Annotations = Readonly<Record<string, string>> | undefined;

/** What annotations of a pod, or of a template for pods, must look like. */
export function validatePodAnnotations(
  annotations: Annotations,
  spec: PodSpec,
  at: string,
  options: PodValidationOptions,
  errors: Errors,
): void {
  if (annotations === undefined) return;
  const mirror = annotations[mirrorAnnotation];
  if (mirror !== undefined && !spec.nodeName) {
    errors.push(invalid(`${at}[${mirrorAnnotation}]`, mirror, 'must set spec.nodeName if mirror pod annotation is set'));
  }
  if (options.allowInvalidPodDeletionCost !== true) {
    const cost = annotations[deletionCostAnnotation];
    if (cost !== undefined && !isDeletionCost(cost)) {
      errors.push(invalid(`${at}[${deletionCostAnnotation}]`, cost, 'must be a 32bit integer'));
    }
  }
  for (const key in annotations) {
    const value = annotations[key] ?? '';
    if (key === seccompPodAnnotation || key.startsWith(seccompContainerPrefix)) {
      validateSeccompProfileName(value, `${at}.${key}`, errors);
    } else if (key.startsWith(appArmorPrefix)) {
      const container = key.slice(appArmorPrefix.length);
      let found = false;
      for (const [c] of containersWithPaths(spec, '')) found ||= c.name === container;
      if (!found) errors.push(invalid(`${at}[${key}]`, container, 'container not found'));
      if (value !== '' && value !== 'runtime/default' && value !== 'unconfined' && !value.startsWith('localhost/')) {
        errors.push(invalid(`${at}[${key}]`, value, `invalid AppArmor profile name: ${JSON.stringify(value)}`));
      }
    }
  }
}

/** An int32 without a plus sign or leading zeros. */
export function isDeletionCost(text: string): boolean {
  if (!/^(?:0|-?[1-9][0-9]*)$/.test(text)) return false;
  const cost = Number(text);
  return cost >= -(2 ** 31) && cost <= 2 ** 31 - 1;
}

function validateSeccompProfileName(profile: string, at: string, errors: Errors): void {
  if (profile === 'runtime/default' || profile === 'docker/default' || profile === 'unconfined') return;
  if (profile.startsWith('localhost/')) validateDescendingPath(profile.slice('localhost/'.length), at, errors);
  else errors.push(invalid(at, profile, 'must be a valid seccomp profile'));
}

/** What an update may not do to a pod's annotations. */
export function validatePodAnnotationUpdates(pod: Pod, old: Pod, options: PodValidationOptions, errors: Errors): void {
  const at = 'metadata.annotations';
  const after = pod.metadata?.annotations ?? {};
  const before = old.metadata?.annotations ?? {};
  for (const key in before) {
    if (after[key] === before[key]) continue;
    if (key.startsWith(appArmorPrefix)) {
      errors.push(forbidden(`${at}[${key}]`, 'may not remove or update AppArmor annotations'));
    }
    if (key === mirrorAnnotation) {
      errors.push(forbidden(`${at}[${key}]`, 'may not remove or update mirror pod annotation'));
    }
  }
  for (const key in after) {
    if (before[key] !== undefined) continue;
    if (key.startsWith(appArmorPrefix)) errors.push(forbidden(`${at}[${key}]`, 'may not add AppArmor annotations'));
    if (key === mirrorAnnotation) errors.push(forbidden(`${at}[${key}]`, 'may not add mirror pod annotation'));
  }
  validatePodAnnotations(after, pod.spec ?? { containers: [] }, at, options, errors);
}

/** Where a seccomp annotation and the field both speak, they must say the same. `at` is the spec's path. */
export function validateSeccompMatches(annotations: Annotations, spec: PodSpec, at: string, errors: Errors): void {
  if (annotations === undefined) return;
  const ofPod = spec.securityContext?.seccompProfile;
  if (ofPod !== undefined) {
    matchSeccomp(annotations[seccompPodAnnotation], ofPod, `${at}.securityContext.seccompProfile`, errors);
  }
  for (const [container, here] of containersWithPaths(spec, at)) {
    const profile = container.securityContext?.seccompProfile;
    if (profile === undefined) continue;
    const annotation = annotations[seccompContainerPrefix + container.name];
    matchSeccomp(annotation, profile, `${here}.securityContext.seccompProfile`, errors);
  }
}

function matchSeccomp(annotation: string | undefined, profile: SeccompProfile, at: string, errors: Errors): void {
  if (annotation === undefined) return;
  const differs = 'seccomp type in annotation and field must match';
  switch (profile.type) {
    case 'Unconfined':
      if (annotation !== 'unconfined') errors.push(forbidden(`${at}.type`, differs));
      return;
    case 'RuntimeDefault':
      if (annotation !== 'runtime/default' && annotation !== 'docker/default') {
        errors.push(forbidden(`${at}.type`, differs));
      }
      return;
    case 'Localhost':
      if (!annotation.startsWith('localhost/')) errors.push(forbidden(`${at}.type`, differs));
      else if (annotation.slice('localhost/'.length) !== profile.localhostProfile) {
        errors.push(forbidden(`${at}.localhostProfile`, 'seccomp profile in annotation and field must match'));
      }
  }
}

/** As `validateSeccompMatches`, for AppArmor, on creation. */
export function validateAppArmorMatches(annotations: Annotations, spec: PodSpec, at: string, errors: Errors): void {
  if (annotations === undefined || spec.os?.name === 'windows') return;
  for (const [container, here] of containersWithPaths(spec, at)) {
    const profile = container.securityContext?.appArmorProfile ?? spec.securityContext?.appArmorProfile;
    const annotation = annotations[appArmorPrefix + container.name];
    if (profile === undefined || annotation === undefined) continue;
    const path = `${here}.securityContext.appArmorProfile`;
    const expected =
      profile.type === 'Unconfined' ? 'unconfined' : profile.type === 'RuntimeDefault' ? 'runtime/default' : undefined;
    if (expected !== undefined ? annotation !== expected : !annotation.startsWith('localhost/')) {
      errors.push(forbidden(`${path}.type`, 'apparmor type in annotation and field must match'));
    } else if (expected === undefined && annotation.slice('localhost/'.length) !== profile.localhostProfile) {
      errors.push(forbidden(`${path}.localhostProfile`, 'apparmor profile in annotation and field must match'));
    }
  }
}

/** The profile that an annotation names; undefined for what is none. */
export function appArmorProfileOf(annotation: string): AppArmorProfile | undefined {
  if (annotation === 'unconfined') return { type: 'Unconfined' };
  if (annotation === 'runtime/default') return { type: 'RuntimeDefault' };
  if (!annotation.startsWith('localhost/')) return undefined;
  const profile: AppArmorProfile = { type: 'Localhost', localhostProfile: annotation.slice('localhost/'.length) };
  const errors: Errors = [];
  validateAppArmor(profile, '', errors);
  return errors.length === 0 ? profile : undefined;
}
