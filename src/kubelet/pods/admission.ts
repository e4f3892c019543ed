import { nodePasses, requiredNodes } from '../../api/groups/core/node-selector.ts';
import { podRequests } from '../../api/groups/core/pod-resources.ts';
import { isTolerated } from '../../api/groups/core/toleration.ts';
import { milliValue, quantityValue } from '../../api/meta/quantity.ts';
import type { Node, Pod } from '../../api/types/core-v1.ts';
import { forbiddenSysctl } from './sysctl.ts';

/** Why a node turns a pod down: the pod fails with this reason. */
export interface Rejection {
  readonly reason: string;
  readonly message: string;
}

/**
 * Whether this node can run the pod beside `others`, which it runs already (lifecycle.predicateAdmitHandler). The scheduler has asked the same;
 * this guards against pods bound by hand and against two schedulers. Undefined: it can.
 */
export function rejection(
  pod: Pod,
  node: Node,
  others: readonly Pod[],
  allowedSysctls: readonly string[] = [],
): Rejection | undefined {
  if (pod.spec?.os !== undefined && pod.spec.os.name !== 'linux') {
    return { reason: 'PodOSNotSupported', message: "Failed to admit pod as the OS field doesn't match node OS" };
  }
  const sysctl = forbiddenSysctl(pod, allowedSysctls);
  if (sysctl !== undefined) return { reason: 'SysctlForbidden', message: sysctl };
  if (
    pod.spec?.securityContext?.supplementalGroupsPolicy === 'Strict' &&
    node.status?.features?.supplementalGroupsPolicy !== true
  ) {
    return {
      reason: 'SupplementalGroupsPolicyNotSupported',
      message: 'SupplementalGroupsPolicy=Strict is not supported in this node',
    };
  }
  if (demandsAppArmor(pod))
    return { reason: 'AppArmor', message: 'Cannot enforce AppArmor: AppArmor is not enabled on the host' };
  return misfit(pod, node, others) ?? predicate(pod, node, others);
}

/** Whether a profile is to hold the pod's processes. The runtime of these nodes enforces none: to run without would be to break the promise. */
function demandsAppArmor({ spec }: Pod): boolean {
  const profiles = [
    spec?.securityContext,
    ...[...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].map((c) => c.securityContext),
  ];
  return profiles.some((s) => s?.appArmorProfile !== undefined && s.appArmorProfile.type !== 'Unconfined');
}

/** What the pod asks for and the node cannot give beside `others`. */
export function misfit(pod: Pod, node: Node, others: readonly Pod[]): Rejection | undefined {
  const allocatable = node.status?.allocatable ?? {};
  const lacking = (name: string, requested: number, used: number, capacity: number): Rejection => ({
    reason: `OutOf${name}`,
    message: `Node didn't have enough resource: ${name}, requested: ${requested}, used: ${used}, capacity: ${capacity}`,
  });
  const pods = quantityValue(allocatable['pods']);
  if (others.length + 1 > pods) return lacking('pods', 1, others.length, pods);
  const requests = podRequests(pod);
  const theirs = others.map(podRequests);
  for (const name in requests) {
    const read = name === 'cpu' ? milliValue : quantityValue;
    const requested = read(requests[name]);
    if (requested === 0) continue;
    // What the node has never heard of is for the scheduler to care about: upstream removes it before it looks.
    if (allocatable[name] === undefined) continue;
    const used = theirs.reduce((sum, their) => sum + read(their[name]), 0);
    const capacity = read(allocatable[name]);
    if (used + requested > capacity) return lacking(name, requested, used, capacity);
  }
  return undefined;
}

function predicate(pod: Pod, node: Node, others: readonly Pod[]): Rejection | undefined {
  const failed = (name: string, why: string): Rejection => ({ reason: name, message: `Predicate ${name} failed: ${why}` });
  if (!nodePasses(requiredNodes(pod.spec), node))
    return failed('NodeAffinity', "node(s) didn't match Pod's node affinity/selector");
  const nodeName = pod.spec?.nodeName ?? '';
  if (nodeName !== '' && nodeName !== node.metadata?.name) {
    return failed('NodeName', "node(s) didn't match the requested node name");
  }
  if (portsConflict(pod, others)) return failed('NodePorts', "node(s) didn't have free ports for the requested pod ports");
  const taint = (node.spec?.taints ?? []).find((t) => t.effect === 'NoExecute' && !isTolerated(pod.spec?.tolerations ?? [], t));
  if (taint !== undefined) {
    return failed('TaintToleration', `node(s) had untolerated taint(s)`);
  }
  return undefined;
}

interface HostPort {
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
}

function hostPorts(pod: Pod): readonly HostPort[] {
  const containers = [
    ...(pod.spec?.containers ?? []),
    ...(pod.spec?.initContainers ?? []).filter((c) => c.restartPolicy === 'Always'),
  ];
  return containers.flatMap((c) =>
    (c.ports ?? []).flatMap((p) =>
      (p.hostPort ?? 0) > 0 ? [{ ip: p.hostIP ?? '', protocol: p.protocol ?? 'TCP', port: p.hostPort! }] : [],
    ),
  );
}

function portsConflict(pod: Pod, others: readonly Pod[]): boolean {
  const wanted = hostPorts(pod);
  if (wanted.length === 0) return false;
  const any = (ip: string): boolean => ip === '' || ip === '0.0.0.0';
  return others.some((other) =>
    hostPorts(other).some((used) =>
      wanted.some((w) => w.port === used.port && w.protocol === used.protocol && (any(w.ip) || any(used.ip) || w.ip === used.ip)),
    ),
  );
}
