import type { Pod } from '../../api/types/core-v1.ts';

/** Kernel parameters that a pod may set without harm to others (the kubelet's SafeSysctlAllowlist), by the kernel namespace they belong to. */
const SAFE: ReadonlyMap<string, 'IPC' | 'Net'> = new Map([
  ['kernel.shm_rmid_forced', 'IPC'],
  ['net.ipv4.ip_local_port_range', 'Net'],
  ['net.ipv4.ip_local_reserved_ports', 'Net'],
  ['net.ipv4.ip_unprivileged_port_start', 'Net'],
  ['net.ipv4.ping_group_range', 'Net'],
  ['net.ipv4.tcp_fin_timeout', 'Net'],
  ['net.ipv4.tcp_keepalive_intvl', 'Net'],
  ['net.ipv4.tcp_keepalive_probes', 'Net'],
  ['net.ipv4.tcp_keepalive_time', 'Net'],
  ['net.ipv4.tcp_rmem', 'Net'],
  ['net.ipv4.tcp_syncookies', 'Net'],
  ['net.ipv4.tcp_wmem', 'Net'],
]);

/** Kernel parameters that belong to one of a pod's namespaces, safe or not: names, or beginnings of names (sysctl/namespace.go). */
const NAMESPACED: readonly (readonly [string, 'IPC' | 'Net'])[] = [
  ['kernel.sem', 'IPC'],
  ['kernel.shm', 'IPC'],
  ['kernel.msg', 'IPC'],
  ['fs.mqueue.', 'IPC'],
  ['net.', 'Net'],
];

const namespaceOf = (name: string): 'IPC' | 'Net' | undefined => NAMESPACED.find(([prefix]) => name.startsWith(prefix))?.[1];

/** The first of these patterns (names, or beginnings with `*`) that means more than what is a pod's own; undefined when all are good. */
export const foreignSysctl = (patterns: readonly string[]): string | undefined =>
  patterns.find((pattern) => namespaceOf(withDots(pattern)) === undefined);

const matches = (pattern: string, name: string): boolean =>
  pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name;

/**
 * What is wrong with the first kernel parameter that the pod must not set; undefined when it may set all it asks for. `allowed`: patterns of
 * those that the node's owner lets pods set beside the safe ones.
 */
export function forbiddenSysctl(pod: Pod, allowed: readonly string[] = []): string | undefined {
  for (const { name } of pod.spec?.securityContext?.sysctls ?? []) {
    const dotted = withDots(name);
    const namespace = SAFE.get(dotted) ?? (allowed.some((p) => matches(withDots(p), dotted)) ? namespaceOf(dotted) : undefined);
    if (namespace === undefined) return `forbidden sysctl: "${dotted}" not allowlisted`;
    // In the node's own namespace it would be the node's parameter.
    const shared = namespace === 'IPC' ? pod.spec?.hostIPC : pod.spec?.hostNetwork;
    if (shared === true) return `forbidden sysctl: "${dotted}" not allowed with host ${namespace} enabled`;
  }
  return undefined;
}

/** `net/ipv4/conf/eth0.1/x` is `net.ipv4.conf.eth0/1.x` (sysctl.d(5)): what stands first, a slash or a dot, parts the name. */
function withDots(name: string): string {
  const slash = name.indexOf('/');
  const dot = name.indexOf('.');
  if (slash < 0 || (dot >= 0 && dot < slash)) return name;
  return name.replaceAll(/[./]/g, (c) => (c === '/' ? '.' : '/'));
}
