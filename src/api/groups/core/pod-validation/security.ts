import { duplicate, forbidden, invalid, notSupported, required, tooLong } from '../../../meta/field-error.ts';
import type { AppArmorProfile, PodSecurityContext, PodSpec, SeccompProfile, SecurityContext } from '../../../types/core-v1.ts';
import { internalForm } from '../internal-json.ts';
import { containersWithPaths } from './containers-with-paths.ts';
import { type Errors, type PodValidationOptions, report } from './options.ts';
import { validateDescendingPath } from './paths.ts';
import { validateWindowsOptions } from './windows.ts';

/** What containers and pods may do on their node. */

const maxId = 2 ** 31 - 1;
const profileTypes = ['Localhost', 'RuntimeDefault', 'Unconfined'];
/** PATH_MAX - 1 */
const maxAppArmorProfileLength = 4095;

const badId = (id: number): readonly string[] => (id < 0 || id > maxId ? [`must be between 0 and ${maxId}, inclusive`] : []);

/** One container's. `hostUsers`: the pod shares its users with the host. */
export function validateSecurityContext(
  context: SecurityContext | undefined,
  hostUsers: boolean,
  at: string,
  errors: Errors,
): void {
  if (context === undefined) return;
  if (context.runAsUser !== undefined) report(errors, `${at}.runAsUser`, context.runAsUser, badId(context.runAsUser));
  if (context.runAsGroup !== undefined) {
    report(errors, `${at}.runAsGroup`, context.runAsGroup, badId(context.runAsGroup));
  }
  const { procMount } = context;
  if (procMount !== undefined) {
    if (procMount !== 'Default' && procMount !== 'Unmasked') {
      errors.push(notSupported(`${at}.procMount`, procMount, ['Default', 'Unmasked']));
    }
    if (hostUsers && procMount === 'Unmasked') {
      errors.push(invalid(`${at}.procMount`, procMount, '`hostUsers` must be false to use `Unmasked`'));
    }
  }
  validateSeccomp(context.seccompProfile, `${at}.seccompProfile`, errors);
  if (context.allowPrivilegeEscalation === false) {
    if (context.privileged === true) {
      errors.push(invalid(at, shown(context), 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true'));
    }
    for (const capability of context.capabilities?.add ?? []) {
      if (capability === 'CAP_SYS_ADMIN') {
        errors.push(
          invalid(at, shown(context), 'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN'),
        );
      }
    }
  }
  validateWindowsOptions(context.windowsOptions, `${at}.windowsOptions`, errors);
  validateAppArmor(context.appArmorProfile, `${at}.appArmorProfile`, errors);
}

const shown = (context: SecurityContext): unknown => internalForm('io.k8s.api.core.v1.SecurityContext', context);

/** A pod's. `at` is the spec's path. */
export function validatePodSecurityContext(spec: PodSpec, at: string, options: PodValidationOptions, errors: Errors): void {
  const context = spec.securityContext;
  const here = `${at}.securityContext`;
  if (context !== undefined) {
    for (const field of ['fsGroup', 'runAsUser', 'runAsGroup'] as const) {
      const id = context[field];
      if (id !== undefined) report(errors, `${here}.${field}`, id, badId(id));
    }
    const groups = context.supplementalGroups ?? [];
    for (let i = 0; i < groups.length; i++) {
      report(errors, `${here}.supplementalGroups[${i}]`, groups[i], badId(groups[i] as number));
    }
  }
  if (spec.shareProcessNamespace === true && spec.hostPID === true) {
    errors.push(invalid(`${here}.shareProcessNamespace`, true, 'ShareProcessNamespace and HostPID cannot both be enabled'));
  }
  if (context === undefined) return;
  if (context.sysctls !== undefined) validateSysctls(spec, context, `${here}.sysctls`, options, errors);
  const { fsGroupChangePolicy, supplementalGroupsPolicy, seLinuxChangePolicy } = context;
  if (fsGroupChangePolicy !== undefined && !['Always', 'OnRootMismatch'].includes(fsGroupChangePolicy)) {
    errors.push(notSupported(`${here}.fsGroupChangePolicy`, fsGroupChangePolicy, ['Always', 'OnRootMismatch']));
  }
  validateSeccomp(context.seccompProfile, `${here}.seccompProfile`, errors);
  validateWindowsOptions(context.windowsOptions, `${here}.windowsOptions`, errors);
  validateAppArmor(context.appArmorProfile, `${here}.appArmorProfile`, errors);
  if (supplementalGroupsPolicy !== undefined && !['Merge', 'Strict'].includes(supplementalGroupsPolicy)) {
    errors.push(notSupported(`${here}.supplementalGroupsPolicy`, supplementalGroupsPolicy, ['Merge', 'Strict']));
  }
  if (seLinuxChangePolicy !== undefined) {
    // MountOption comes with SELinuxMount, which is off: only what has had a policy before may have it.
    const policies = options.allowMountOptionSELinuxChangePolicy === true ? ['MountOption', 'Recursive'] : ['Recursive'];
    if (!policies.includes(seLinuxChangePolicy)) {
      errors.push(notSupported(`${here}.seLinuxChangePolicy`, seLinuxChangePolicy, policies));
    }
  }
}

const maxSysctlLength = 253;
const sysctlSegment = '[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const sysctlText = `^(${sysctlSegment}[\\./])*${sysctlSegment}$`;
const sysctlName = new RegExp(sysctlText);

const ipcSysctls = new Set(['kernel.sem']);
const ipcPrefixes = ['kernel.shm', 'kernel.msg', 'fs.mqueue.'];

/** The kernel namespace a sysctl belongs to; '' for one that is the whole node's. */
export function sysctlNamespace(name: string): 'net' | 'ipc' | '' {
  const dotted = normalizeSysctl(name);
  if (dotted.startsWith('net.')) return 'net';
  return ipcSysctls.has(dotted) || ipcPrefixes.some((prefix) => dotted.startsWith(prefix)) ? 'ipc' : '';
}

/** Dots between segments: with the slash form, dots and slashes change places. */
function normalizeSysctl(name: string): string {
  const first = /[./]/.exec(name)?.[0];
  return first === '/' ? name.replace(/[./]/g, (c) => (c === '/' ? '.' : '/')) : name;
}

function validateSysctls(
  spec: PodSpec,
  context: PodSecurityContext,
  at: string,
  options: PodValidationOptions,
  errors: Errors,
): void {
  const seen = new Set<string>();
  const sysctls = context.sysctls ?? [];
  for (let i = 0; i < sysctls.length; i++) {
    const name = sysctls[i]?.name ?? '';
    const here = `${at}[${i}].name`;
    if (name === '') errors.push(required(here));
    else if (name.length > maxSysctlLength || !sysctlName.test(name)) {
      errors.push(invalid(here, name, `must have at most ${maxSysctlLength} characters and match regex ${sysctlText}`));
    } else if (seen.has(name)) {
      errors.push(duplicate(here, name));
    }
    if (options.allowNamespacedSysctlsForHostNetAndHostIPC !== true) {
      const fault = hostSysctlFault(name, spec);
      if (fault !== undefined) errors.push(invalid(here, name, fault));
    }
    seen.add(name);
  }
}

/** Why a pod that shares the host's namespaces may not set this sysctl. */
export function hostSysctlFault(name: string, spec: PodSpec): string | undefined {
  const namespace = sysctlNamespace(name);
  if (spec.hostNetwork === true && namespace === 'net') return "may not be specified when 'hostNetwork' is true";
  if (spec.hostIPC === true && namespace === 'ipc') return "may not be specified when 'hostIPC' is true";
  return undefined;
}

function validateSeccomp(profile: SeccompProfile | undefined, at: string, errors: Errors): void {
  if (profile === undefined) return;
  if (!profile.type) errors.push(required(`${at}.type`, 'type is required when seccompProfile is set'));
  else if (!profileTypes.includes(profile.type)) {
    errors.push(notSupported(`${at}.type`, profile.type, profileTypes));
  }
  if (profile.type === 'Localhost') {
    if (profile.localhostProfile === undefined) {
      errors.push(required(`${at}.localhostProfile`, 'must be set when seccomp type is Localhost'));
    } else {
      validateDescendingPath(profile.localhostProfile, `${at}.localhostProfile`, errors);
    }
  } else if (profile.localhostProfile !== undefined) {
    errors.push(
      invalid(
        `${at}.localhostProfile`,
        internalForm('io.k8s.api.core.v1.SeccompProfile', profile),
        'can only be set when seccomp type is Localhost',
      ),
    );
  }
}

export function validateAppArmor(profile: AppArmorProfile | undefined, at: string, errors: Errors): void {
  if (profile === undefined) return;
  const local = profile.localhostProfile;
  const here = `${at}.localhostProfile`;
  switch (profile.type) {
    case 'Localhost':
      if (local === undefined) {
        errors.push(required(here, 'must be set when AppArmor type is Localhost'));
        return;
      }
      if (local.trim() !== local) errors.push(invalid(here, local, 'must not be padded with whitespace'));
      else if (local === '') errors.push(required(here, 'must be set when AppArmor type is Localhost'));
      if (local.length > maxAppArmorProfileLength) {
        errors.push(tooLong(here, maxAppArmorProfileLength));
      }
      return;
    case 'RuntimeDefault':
    case 'Unconfined':
      if (local !== undefined) errors.push(invalid(here, local, 'can only be set when AppArmor type is Localhost'));
      return;
    default:
      if (!profile.type) errors.push(required(`${at}.type`, 'type is required when appArmorProfile is set'));
      else errors.push(notSupported(`${at}.type`, profile.type, profileTypes));
  }
}

/** A pod with users of its own may not join the host's other namespaces, nor be given block devices (KEP-127). */
export function validateHostUsers(spec: PodSpec, at: string, errors: Errors): void {
  if (spec.hostUsers !== false) return;
  const detail = 'when `hostUsers` is false';
  if (spec.hostNetwork === true) errors.push(forbidden(`${at}.hostNetwork`, detail));
  // The capitals are upstream's.
  if (spec.hostPID === true) errors.push(forbidden(`${at}.HostPID`, detail));
  if (spec.hostIPC === true) errors.push(forbidden(`${at}.HostIPC`, detail));
  for (const [container, here] of containersWithPaths(spec, at)) {
    if (container.volumeDevices?.length) errors.push(forbidden(`${here}.volumeDevices`, detail));
  }
}
