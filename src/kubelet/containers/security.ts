import type { AppArmorProfile, Pod, SELinuxOptions, SeccompProfile, SecurityContext } from '../../api/types/core-v1.ts';
import type {
  ContainerConfig,
  Image,
  NamespaceOption,
  SecurityProfile,
  SelinuxOptions,
  SupplementalGroupsPolicy,
} from '../../runtime/contract.ts';
import { type AnyContainer, isHostNetwork } from '../pods/pod-spec.ts';
import type { UserNamespace } from '../pods/user-namespaces.ts';
import { ConfigError } from './config-error.ts';

/** Paths a container does not see, and those it may only read, unless its procMount is Unmasked (securitycontext/util.go). */
const maskedPaths: readonly string[] = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const readonlyPaths: readonly string[] = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** Namespaces a pod's sandbox uses. `userNamespace`: the ids of its own user namespace. */
export function namespaceOptions(pod: Pod, userNamespace?: UserNamespace): NamespaceOption {
  return {
    ...(userNamespace === undefined
      ? {}
      : { usernsOptions: { mode: 'POD' as const, uids: [userNamespace], gids: [userNamespace] } }),
    network: isHostNetwork(pod) ? 'NODE' : 'POD',
    pid: pod.spec?.hostPID === true ? 'NODE' : pod.spec?.shareProcessNamespace === true ? 'POD' : 'CONTAINER',
    ipc: pod.spec?.hostIPC === true ? 'NODE' : 'POD',
  };
}

/** The seccomp profile of a container: its own, or the pod's; Unconfined when neither says. `root` holds Localhost profiles. */
export function seccompProfile(own: SeccompProfile | undefined, pod: SeccompProfile | undefined, root: string): SecurityProfile {
  const profile = own ?? pod;
  if (profile === undefined) return { profileType: 'Unconfined' };
  if (profile.type !== 'Localhost') return { profileType: profile.type };
  return { profileType: 'Localhost', localhostRef: `${root}/${profile.localhostProfile ?? ''}` };
}

/** The container's security context with the pod's where its own says nothing (securitycontext.DetermineEffectiveSecurityContext). */
export function effectiveSecurity(pod: Pod, container: AnyContainer): SecurityContext {
  const p = pod.spec?.securityContext;
  const c = container.securityContext ?? {};
  const runAsUser = c.runAsUser ?? p?.runAsUser;
  const runAsGroup = c.runAsGroup ?? p?.runAsGroup;
  const runAsNonRoot = c.runAsNonRoot ?? p?.runAsNonRoot;
  return {
    ...c,
    ...(runAsUser === undefined ? {} : { runAsUser }),
    ...(runAsGroup === undefined ? {} : { runAsGroup }),
    ...(runAsNonRoot === undefined ? {} : { runAsNonRoot }),
  };
}

/** What the image says of its user. */
type ImageUser = Pick<Image, 'uid' | 'username'> | undefined;

/** The user an image runs as: its number, or else its name. An image that says nothing runs as root. */
function userOf(image: ImageUser): { readonly uid: number | undefined; readonly username: string } {
  if (image?.uid !== undefined) return { uid: image.uid, username: '' };
  const username = image?.username ?? '';
  return username === '' ? { uid: 0, username } : { uid: undefined, username };
}

/** Throws ConfigError when a container must not run as root and would, or might (kuberuntime verifyRunAsNonRoot). */
export function verifyRunAsNonRoot(pod: Pod, container: AnyContainer, image: ImageUser): void {
  const effective = effectiveSecurity(pod, container);
  if (effective.runAsNonRoot !== true) return;
  const where = `(pod: ${JSON.stringify(`${pod.metadata?.name}_${pod.metadata?.namespace}(${pod.metadata?.uid})`)}, container: ${container.name})`;
  if (effective.runAsUser !== undefined) {
    if (effective.runAsUser === 0) throw new ConfigError(`container's runAsUser breaks non-root policy ${where}`);
    return;
  }
  const { uid, username } = userOf(image);
  if (uid === 0) throw new ConfigError(`container has runAsNonRoot and image will run as root ${where}`);
  if (uid === undefined) {
    throw new ConfigError(
      `container has runAsNonRoot and image has non-numeric user (${username}), cannot verify user is non-root ${where}`,
    );
  }
}

/** What pod and container say of SELinux, for runtimes that enforce it. */
function selinux(own: SELinuxOptions | undefined, pod: SELinuxOptions | undefined): { readonly selinuxOptions?: SelinuxOptions } {
  const options = own ?? pod;
  if (options === undefined) return {};
  const { user = '', role = '', type = '', level = '' } = options;
  return { selinuxOptions: { user, role, type, level } };
}

function apparmor(profile: AppArmorProfile | undefined): { readonly apparmor?: SecurityProfile } {
  if (profile === undefined) return {};
  const profileType = profile.type as SecurityProfile['profileType'];
  return {
    apparmor: profileType === 'Localhost' ? { profileType, localhostRef: profile.localhostProfile ?? '' } : { profileType },
  };
}

/** What a sandbox and its containers have in common. */
export const podSecurity = ({ spec }: Pod) => ({
  ...(spec?.securityContext?.supplementalGroupsPolicy === undefined
    ? {}
    : { supplementalGroupsPolicy: spec.securityContext.supplementalGroupsPolicy as SupplementalGroupsPolicy }),
  ...selinux(undefined, spec?.securityContext?.seLinuxOptions),
  ...apparmor(spec?.securityContext?.appArmorProfile),
});

type CriSecurity = ContainerConfig['linux']['securityContext'];

/** The security context of a container as the runtime takes it. `targetId`: the container whose processes an ephemeral one looks into. */
export function containerSecurity(
  pod: Pod,
  container: AnyContainer,
  image: ImageUser,
  groups: readonly number[],
  seccompRoot: string,
  targetId: string | undefined,
  userNamespace?: UserNamespace,
): CriSecurity {
  const effective = effectiveSecurity(pod, container);
  const privileged = effective.privileged === true;
  const base = namespaceOptions(pod, userNamespace);
  const unmasked = effective.procMount === 'Unmasked';
  const user = userOf(image);
  const uid = effective.runAsUser ?? user.uid;
  return {
    namespaceOptions: targetId === undefined ? base : { ...base, pid: 'TARGET', targetId },
    ...(effective.capabilities === undefined
      ? {}
      : { capabilities: { add: effective.capabilities.add ?? [], drop: effective.capabilities.drop ?? [] } }),
    privileged,
    ...(uid === undefined ? {} : { runAsUser: uid }),
    ...(uid === undefined ? { runAsUsername: user.username } : {}),
    ...(effective.runAsGroup === undefined ? {} : { runAsGroup: effective.runAsGroup }),
    readonlyRootfs: effective.readOnlyRootFilesystem === true,
    supplementalGroups: groups,
    ...podSecurity(pod),
    ...(container.securityContext?.seLinuxOptions === undefined
      ? {}
      : selinux(container.securityContext.seLinuxOptions, undefined)),
    ...(container.securityContext?.appArmorProfile === undefined ? {} : apparmor(container.securityContext.appArmorProfile)),
    // Privileged containers, and those that gain SYS_ADMIN, are validated by the API to allow escalation.
    noNewPrivs: effective.allowPrivilegeEscalation === false,
    seccomp: privileged
      ? { profileType: 'Unconfined' }
      : seccompProfile(effective.seccompProfile, pod.spec?.securityContext?.seccompProfile, seccompRoot),
    maskedPaths: unmasked ? [] : maskedPaths,
    readonlyPaths: unmasked ? [] : readonlyPaths,
  };
}

/** Groups of every process of the pod: those it names, the group of its volumes, and those of its volumes themselves. */
export function supplementalGroups(pod: Pod, ofVolumes: readonly number[] = []): readonly number[] {
  const security = pod.spec?.securityContext;
  return [
    ...new Set([
      ...(security?.supplementalGroups ?? []),
      ...(security?.fsGroup === undefined ? [] : [security.fsGroup]),
      ...ofVolumes,
    ]),
  ];
}
