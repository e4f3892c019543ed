import type { LifecycleHandler, PodSpec, Probe } from '../../../api/types/core-v1.ts';
import {
  type Check,
  containersOf,
  inUserNamespace,
  named,
  offenders,
  type PodCheck,
  plural,
  quoted,
  setters,
  sorted,
  type Violation,
} from './check.ts';

const APPARMOR_PREFIX = 'container.apparmor.security.beta.kubernetes.io/';
const SECCOMP_POD = 'seccomp.security.alpha.kubernetes.io/pod';
const SECCOMP_PREFIX = 'container.seccomp.security.alpha.kubernetes.io/';

const defaultCapabilities: ReadonlySet<string> = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]);

const safeProfile = (type: string | undefined): boolean => type === 'RuntimeDefault' || type === 'Localhost';

const appArmorProfile: PodCheck = (spec, metadata) => {
  const values = new Set<string>();
  const bad = (type: string | undefined): boolean => {
    if (type === undefined || safeProfile(type)) return false;
    values.add(type);
    return true;
  };
  const pod = bad(spec.securityContext?.appArmorProfile?.type);
  const containers = offenders(spec, (c) => bad(c.securityContext?.appArmorProfile?.type));
  const annotations: string[] = [];
  for (const [key, value] of Object.entries(metadata?.annotations ?? {})) {
    if (!key.startsWith(APPARMOR_PREFIX)) continue;
    if (value === '' || value === 'runtime/default' || value.startsWith('localhost/')) continue;
    annotations.push(`${key}=${JSON.stringify(value)}`);
  }
  if (!pod && containers.length === 0 && annotations.length === 0) return undefined;
  const told = [...sorted(values), ...sorted(annotations)];
  const who = [
    ...(pod || containers.length > 0 ? [setters(pod, containers)] : []),
    ...(annotations.length > 0 ? [plural('annotation', annotations.length)] : []),
  ];
  return {
    reason: plural('forbidden AppArmor profile', told.length),
    detail: `${who.join(' and ')} must not set AppArmor profile type to ${quoted(told)}`,
  };
};

const capabilities: PodCheck = (spec) => {
  const added = new Set<string>();
  const bad = offenders(spec, (c) => {
    const beyond = (c.securityContext?.capabilities?.add ?? []).filter((name) => !defaultCapabilities.has(name));
    for (const name of beyond) added.add(name);
    return beyond.length > 0;
  });
  if (bad.length === 0) return undefined;
  const detail = `${named('container', bad)} must not include ${quoted(sorted(added))} in securityContext.capabilities.add`;
  return { reason: 'non-default capabilities', detail };
};

const hostNamespaces: PodCheck = (spec) => {
  const shared = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((field) => spec[field] === true);
  if (shared.length === 0) return undefined;
  return { reason: 'host namespaces', detail: shared.map((field) => `${field}=true`).join(', ') };
};

const hostPathVolumes: PodCheck = (spec) => {
  const bad = (spec.volumes ?? []).filter((v) => v.hostPath !== undefined).map((v) => v.name);
  return bad.length === 0 ? undefined : { reason: 'hostPath volumes', detail: named('volume', bad) };
};

const hostPorts: PodCheck = (spec) => {
  const ports = new Set<string>();
  const bad = offenders(spec, (c) => {
    const used = (c.ports ?? []).filter((p) => (p.hostPort ?? 0) !== 0);
    for (const port of used) ports.add(String(port.hostPort));
    return used.length > 0;
  });
  if (bad.length === 0) return undefined;
  const verb = bad.length === 1 ? 'uses' : 'use';
  return {
    reason: 'hostPort',
    detail: `${named('container', bad)} ${verb} ${plural('hostPort', ports.size)} ${sorted(ports).join(', ')}`,
  };
};

const hostProbes: PodCheck = (spec) => {
  const hosts = new Set<string>();
  const names = new Set<string>();
  for (const c of containersOf(spec)) {
    const { livenessProbe, readinessProbe, startupProbe, lifecycle } = c;
    const handlers: readonly (Probe | LifecycleHandler | undefined)[] = [
      livenessProbe,
      readinessProbe,
      startupProbe,
      lifecycle?.postStart,
      lifecycle?.preStop,
    ];
    for (const host of handlers.flatMap((h) => [h?.httpGet?.host, h?.tcpSocket?.host])) {
      if (!host) continue;
      hosts.add(host);
      names.add(c.name);
    }
  }
  if (names.size === 0) return undefined;
  const verb = names.size === 1 ? 'uses' : 'use';
  const what = plural('probe or lifecycle host', hosts.size);
  return {
    reason: 'probe or lifecycle host',
    detail: `${named('container', sorted(names))} ${verb} ${what} ${quoted(sorted(hosts))}`,
  };
};

const privileged: PodCheck = (spec) => {
  const bad = offenders(spec, (c) => c.securityContext?.privileged === true);
  if (bad.length === 0) return undefined;
  return { reason: 'privileged', detail: `${named('container', bad)} must not set securityContext.privileged=true` };
};

/** Of both standards, until user namespaces came. */
export const procMount: PodCheck = (spec) => {
  const types = new Set<string>();
  const bad = offenders(spec, (c) => {
    const type = c.securityContext?.procMount;
    if (type === undefined || type === 'Default') return false;
    types.add(type);
    return true;
  });
  if (bad.length === 0) return undefined;
  return {
    reason: 'procMount',
    detail: `${named('container', bad)} must not set securityContext.procMount to ${quoted(sorted(types))}`,
  };
};

const seLinuxTypes = ['', 'container_t', 'container_init_t', 'container_kvm_t'];

const seLinuxOptions =
  (allowed: readonly string[]): PodCheck =>
  (spec) => {
    const types = new Set<string>();
    let user = false;
    let role = false;
    const bad = (options: NonNullable<PodSpec['securityContext']>['seLinuxOptions']): boolean => {
      if (options === undefined) return false;
      const badType = !allowed.includes(options.type ?? '');
      if (badType) types.add(options.type ?? '');
      if (options.user) user = true;
      if (options.role) role = true;
      return badType || Boolean(options.user) || Boolean(options.role);
    };
    const who = setters(
      bad(spec.securityContext?.seLinuxOptions),
      offenders(spec, (c) => bad(c.securityContext?.seLinuxOptions)),
    );
    if (who === '') return undefined;
    const faults = [
      ...(types.size > 0 ? [named('type', sorted(types))] : []),
      ...(user ? ['user may not be set'] : []),
      ...(role ? ['role may not be set'] : []),
    ];
    return {
      reason: 'seLinuxOptions',
      detail: `${who} set forbidden securityContext.seLinuxOptions: ${faults.join('; ')}`,
    };
  };

const seccompAnnotations: PodCheck = (spec, metadata) => {
  const bad = new Set<string>();
  for (const key of [SECCOMP_POD, ...[...containersOf(spec)].map((c) => SECCOMP_PREFIX + c.name)]) {
    const value = metadata?.annotations?.[key];
    if (value === undefined || value === 'runtime/default' || value === 'docker/default' || value.startsWith('localhost/'))
      continue;
    bad.add(`${key}=${JSON.stringify(value)}`);
  }
  if (bad.size === 0) return undefined;
  return { reason: 'seccompProfile', detail: `forbidden ${plural('annotation', bad.size)} ${sorted(bad).join(', ')}` };
};

/** Profiles that are set, and should not be. */
export const seccompProfile: PodCheck = (spec) => {
  const values = new Set<string>();
  const bad = (type: string | undefined): boolean => {
    if (type === undefined || safeProfile(type)) return false;
    values.add(type);
    return true;
  };
  const pod = bad(spec.securityContext?.seccompProfile?.type);
  const who = setters(
    pod,
    offenders(spec, (c) => bad(c.securityContext?.seccompProfile?.type)),
  );
  if (who === '') return undefined;
  const detail = `${who} must not set securityContext.seccompProfile.type to ${quoted(sorted(values))}`;
  return { reason: 'seccompProfile', detail };
};

const sysctls0 = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
];
const sysctls27 = [...sysctls0, 'net.ipv4.ip_local_reserved_ports'];
const sysctls29 = [
  ...sysctls27,
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
];
const sysctls32 = [...sysctls29, 'net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem'];

const sysctls =
  (allowed: readonly string[]): PodCheck =>
  (spec): Violation | undefined => {
    const bad = (spec.securityContext?.sysctls ?? []).map((s) => s.name).filter((name) => !allowed.includes(name));
    return bad.length === 0 ? undefined : { reason: 'forbidden sysctls', detail: bad.join(', ') };
  };

const windowsHostProcess: PodCheck = (spec) => {
  const who = setters(
    spec.securityContext?.windowsOptions?.hostProcess === true,
    offenders(spec, (c) => c.securityContext?.windowsOptions?.hostProcess === true),
  );
  if (who === '') return undefined;
  return { reason: 'hostProcess', detail: `${who} must not set securityContext.windowsOptions.hostProcess=true` };
};

const always = (id: string, check: PodCheck): Check => ({ id, versions: [{ from: 0, check }] });

/** The baseline standard, in the order that violations are told in. */
export const baselineChecks: readonly Check[] = [
  always('appArmorProfile', appArmorProfile),
  always('capabilities_baseline', capabilities),
  always('hostNamespaces', hostNamespaces),
  always('hostPathVolumes', hostPathVolumes),
  always('hostPorts', hostPorts),
  { id: 'hostProbesAndHostLifecycle', versions: [{ from: 34, check: hostProbes }] },
  always('privileged', privileged),
  {
    id: 'procMount',
    versions: [
      { from: 0, check: procMount },
      { from: 35, check: (spec, metadata) => (inUserNamespace(spec) ? undefined : procMount(spec, metadata)) },
    ],
  },
  {
    id: 'seLinuxOptions',
    versions: [
      { from: 0, check: seLinuxOptions(seLinuxTypes) },
      { from: 31, check: seLinuxOptions([...seLinuxTypes, 'container_engine_t']) },
    ],
  },
  {
    id: 'seccompProfile_baseline',
    versions: [
      { from: 0, check: seccompAnnotations },
      { from: 19, check: seccompProfile },
    ],
  },
  {
    id: 'sysctls',
    versions: [
      { from: 0, check: sysctls(sysctls0) },
      { from: 27, check: sysctls(sysctls27) },
      { from: 29, check: sysctls(sysctls29) },
      { from: 32, check: sysctls(sysctls32) },
    ],
  },
  always('windowsHostProcess', windowsHostProcess),
];
