import { forbidden, invalid, notSupported, required } from '../../../meta/field-error.ts';
import { isDNS1123Subdomain } from '../../../meta/names.ts';
import type { PodSpec, WindowsSecurityContextOptions } from '../../../types/core-v1.ts';
import { containersWithPaths } from './containers-with-paths.ts';
import { type Errors, report } from './options.ts';

/** The operating system of a pod, and what only one of them knows. */

const maxCredentialSpecKiB = 64;
const maxUserNameDomainLength = 256;
const maxUserNameLength = 104;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const control = /[\u0000-\u001f\u007f]+/;
const netBios = /^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$/;
const dnsDomain = /^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/;
const dotsAndSpaces = /^[. ]+$/;
const badUserCharacters = /["/\\:;|=,+*?<>@[\]]/;

export function validateWindowsOptions(options: WindowsSecurityContextOptions | undefined, at: string, errors: Errors): void {
  if (options === undefined) return;
  const { gmsaCredentialSpecName, gmsaCredentialSpec, runAsUserName } = options;
  if (gmsaCredentialSpecName !== undefined) {
    report(errors, `${at}.gmsaCredentialSpecName`, gmsaCredentialSpecName, isDNS1123Subdomain(gmsaCredentialSpecName));
  }
  if (gmsaCredentialSpec !== undefined) {
    const length = Buffer.byteLength(gmsaCredentialSpec);
    if (length === 0) {
      errors.push(invalid(`${at}.gmsaCredentialSpec`, gmsaCredentialSpec, 'gmsaCredentialSpec cannot be an empty string'));
    } else if (length > maxCredentialSpecKiB * 1024) {
      errors.push(
        invalid(
          `${at}.gmsaCredentialSpec`,
          gmsaCredentialSpec,
          `gmsaCredentialSpec size must be under ${maxCredentialSpecKiB} KiB`,
        ),
      );
    }
  }
  if (runAsUserName !== undefined) {
    report(errors, `${at}.runAsUserName`, runAsUserName, userNameFaults(runAsUserName));
  }
}

/** `DOMAIN\user` or `user`. */
function userNameFaults(name: string): readonly string[] {
  if (name === '') return ['runAsUserName cannot be an empty string'];
  if (control.test(name)) return ['runAsUserName cannot contain control characters'];
  const parts = name.split('\\');
  if (parts.length > 2) return ['runAsUserName cannot contain more than one backslash'];
  const domain = parts.length === 2 ? parts[0]! : undefined;
  const user = parts[parts.length - 1]!;
  const faults: string[] = [];
  if (domain !== undefined && domain.length >= maxUserNameDomainLength) {
    faults.push(`runAsUserName's Domain length must be under ${maxUserNameDomainLength} characters`);
  }
  if (domain !== undefined && !netBios.test(domain) && !dnsDomain.test(domain)) {
    faults.push("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
  }
  if (user === '') faults.push("runAsUserName's User cannot be empty");
  else if (user.length > maxUserNameLength) {
    faults.push(`runAsUserName's User length must not be longer than ${maxUserNameLength} characters`);
  }
  if (dotsAndSpaces.test(user)) faults.push(`runAsUserName's User cannot contain only periods or spaces`);
  if (badUserCharacters.test(user)) {
    faults.push(`runAsUserName's User cannot contain the following characters: "/\\:;|=,+*?<>@[]`);
  }
  return faults;
}

/** spec.os, and the fields that its system does not have. */
export function validateOs(spec: PodSpec, at: string, errors: Errors): void {
  const os = spec.os;
  if (os === undefined) return;
  if (!os.name) {
    errors.push(required(`${at}.os.name`));
  } else if (os.name === 'linux') {
    validateLinux(spec, at, errors);
  } else if (os.name === 'windows') {
    validateWindows(spec, at, errors);
  } else {
    errors.push(notSupported(`${at}.os`, os.name, ['linux', 'windows']));
  }
}

function validateLinux(spec: PodSpec, at: string, errors: Errors): void {
  const detail = 'windows options cannot be set for a linux pod';
  if (spec.securityContext?.windowsOptions !== undefined) {
    errors.push(forbidden(`${at}.securityContext.windowsOptions`, detail));
  }
  for (const [container, here] of containersWithPaths(spec, at)) {
    if (container.securityContext?.windowsOptions !== undefined) {
      errors.push(forbidden(`${here}.securityContext.windowsOptions`, detail));
    }
  }
}

const linuxOnlyOfPod = ['appArmorProfile', 'seLinuxOptions'] as const;
const linuxOnlySpec = ['hostUsers', 'hostPID', 'hostIPC'] as const;
const linuxOnlyOfPodToo = ['seccompProfile', 'fsGroup', 'fsGroupChangePolicy', 'sysctls'] as const;
const linuxOnlyLast = [
  'runAsUser',
  'runAsGroup',
  'supplementalGroups',
  'supplementalGroupsPolicy',
  'seLinuxChangePolicy',
] as const;
const linuxOnlyOfContainer = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'capabilities',
  'readOnlyRootFilesystem',
  'privileged',
  'allowPrivilegeEscalation',
  'procMount',
  'runAsUser',
  'runAsGroup',
] as const;

function validateWindows(spec: PodSpec, at: string, errors: Errors): void {
  const detail = 'cannot be set for a windows pod';
  const context: Readonly<Record<string, unknown>> = { ...spec.securityContext };
  const inContext = (fields: readonly string[]): void => {
    for (const field of fields) {
      const value = context[field];
      if (value === undefined || (Array.isArray(value) && field === 'sysctls' && value.length === 0)) continue;
      errors.push(forbidden(`${at}.securityContext.${field}`, detail));
    }
  };
  inContext(linuxOnlyOfPod);
  for (const field of linuxOnlySpec) {
    if (spec[field] !== undefined && (spec[field] === true || field === 'hostUsers')) {
      errors.push(forbidden(`${at}.${field}`, detail));
    }
  }
  inContext(linuxOnlyOfPodToo);
  if (spec.shareProcessNamespace !== undefined) errors.push(forbidden(`${at}.shareProcessNamespace`, detail));
  inContext(linuxOnlyLast);
  for (const [container, here] of containersWithPaths(spec, at)) {
    for (const field of linuxOnlyOfContainer) {
      if (container.securityContext?.[field] !== undefined) {
        errors.push(forbidden(`${here}.securityContext.${field}`, detail));
      }
    }
  }
}

/** Host process containers (KEP-1981): all of a pod's containers or none, and on the host's network. */
export function validateHostProcess(spec: PodSpec, at: string, errors: Errors): void {
  let hostProcess = 0;
  let others = 0;
  const ofPod = spec.securityContext?.windowsOptions?.hostProcess;
  for (const [container, here] of containersWithPaths(spec, at)) {
    const own = container.securityContext?.windowsOptions?.hostProcess;
    if (ofPod !== undefined && own !== undefined && ofPod !== own) {
      errors.push(
        invalid(
          `${here}.securityContext.windowsOptions.hostProcess`,
          own,
          `pod hostProcess value must be identical if both are specified, was ${ofPod}`,
        ),
      );
    }
    if ((own ?? ofPod) === true) hostProcess++;
    else others++;
  }
  if (hostProcess === 0) return;
  if (others > 0) {
    errors.push(invalid(at, '', 'If pod contains any hostProcess containers then all containers must be HostProcess containers'));
  }
  if (spec.hostNetwork !== true) {
    errors.push(invalid(`${at}.hostNetwork`, false, 'hostNetwork must be true if pod contains any hostProcess containers'));
  }
}
