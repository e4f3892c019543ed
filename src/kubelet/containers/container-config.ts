import { join } from 'node:path';
import { podLimits, podRequests } from '../../api/groups/core/pod-resources.ts';
import { milliValue, quantityValue } from '../../api/meta/quantity.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { ContainerConfig, Image, LinuxContainerResources, Mount, PodSandboxConfig } from '../../runtime/contract.ts';
import { type AnyContainer, isHostNetwork, podName, podNamespace, podUid } from '../pods/pod-spec.ts';
import type { UserNamespace } from '../pods/user-namespaces.ts';
import { milliCpuToQuota, milliCpuToShares, oomScoreAdj, QUOTA_PERIOD } from '../resources/qos.ts';
import type { ResolvConf } from './dns.ts';
import { expand } from './expansion.ts';
import { containerAnnotations, containerLabels, sandboxLabels } from './labels.ts';
import { containerSecurity, namespaceOptions, podSecurity, seccompProfile, supplementalGroups } from './security.ts';

/** `<namespace>_<name>_<uid>` under the log root: where the containers of a pod log. */
export function podLogDirectory(root: string, pod: Pod): string {
  return join(root, `${podNamespace(pod)}_${podName(pod)}_${podUid(pod)}`);
}

/** A container's log relative to its pod's directory: `app/0.log`. */
export const containerLogPath = (name: string, attempt: number): string => join(name, `${attempt}.log`);

export interface SandboxInput {
  readonly attempt: number;
  readonly hostname: string;
  readonly dns: ResolvConf;
  readonly logDir: string;
  readonly cgroupParent: string;
  readonly seccompRoot: string;
  readonly userNamespace?: UserNamespace;
}

/** What the runtime is asked for when it makes a pod's sandbox. */
export function sandboxConfig(pod: Pod, input: SandboxInput): PodSandboxConfig {
  const security = pod.spec?.securityContext;
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  const privileged = containers.some((c) => c.securityContext?.privileged === true);
  const host = isHostNetwork(pod);
  const limits = podLimits(pod);
  return {
    metadata: { name: podName(pod), uid: podUid(pod), namespace: podNamespace(pod), attempt: input.attempt },
    hostname: host ? '' : input.hostname,
    logDirectory: input.logDir,
    dnsConfig: input.dns,
    portMappings: host
      ? []
      : containers.flatMap((c) =>
          (c.ports ?? []).flatMap((p) =>
            (p.hostPort ?? 0) > 0
              ? [{ protocol: p.protocol ?? 'TCP', containerPort: p.containerPort, hostPort: p.hostPort!, hostIp: p.hostIP ?? '' }]
              : [],
          ),
        ),
    labels: sandboxLabels(pod),
    annotations: pod.metadata?.annotations ?? {},
    linux: {
      cgroupParent: input.cgroupParent,
      sysctls: Object.fromEntries((security?.sysctls ?? []).map((s) => [s.name, s.value])),
      securityContext: {
        namespaceOptions: namespaceOptions(pod, input.userNamespace),
        ...podSecurity(pod),
        ...(security?.runAsUser === undefined ? {} : { runAsUser: security.runAsUser }),
        ...(security?.runAsGroup === undefined || security.runAsUser === undefined ? {} : { runAsGroup: security.runAsGroup }),
        supplementalGroups: supplementalGroups(pod),
        privileged,
        // The pause process needs nothing: the profile of the pod does for it, the runtime's own otherwise.
        seccomp:
          security?.seccompProfile === undefined
            ? { profileType: 'RuntimeDefault' }
            : seccompProfile(undefined, security.seccompProfile, input.seccompRoot),
      },
      resources: {
        cpuPeriod: QUOTA_PERIOD,
        cpuQuota: milliCpuToQuota(milliValue(limits['cpu'])),
        cpuShares: milliCpuToShares(milliValue(podRequests(pod)['cpu'])),
        memoryLimitInBytes: quantityValue(limits['memory']),
      },
    },
  };
}

export interface ContainerInput {
  readonly restartCount: number;
  readonly env: ReadonlyMap<string, string>;
  readonly mounts: readonly Mount[];
  readonly devices?: ContainerConfig['devices'];
  /** The image as pulled: its reference and its user. */
  readonly imageRef: string;
  readonly image: Image | undefined;
  readonly memoryCapacity: number;
  readonly seccompRoot: string;
  readonly volumeGroups: readonly number[];
  readonly userNamespace?: UserNamespace;
  /** For an ephemeral container with a target. */
  readonly targetId?: string;
}

/** What the runtime is asked for when it makes a container. */
export function containerConfig(pod: Pod, container: AnyContainer, input: ContainerInput): ContainerConfig {
  const lookup = (name: string): string | undefined => input.env.get(name);
  return {
    metadata: { name: container.name, attempt: input.restartCount },
    image: input.imageRef,
    command: (container.command ?? []).map((w) => expand(w, lookup)),
    args: (container.args ?? []).map((w) => expand(w, lookup)),
    workingDir: container.workingDir ?? '',
    envs: [...input.env].map(([key, value]) => ({ key, value })),
    // With a user namespace of its own the pod sees its volumes' owners as they are.
    mounts: input.userNamespace === undefined ? input.mounts : input.mounts.map((m) => mapped(m, input.userNamespace!)),
    devices: input.devices ?? [],
    labels: containerLabels(pod, container),
    annotations: containerAnnotations(pod, container, input.restartCount),
    logPath: containerLogPath(container.name, input.restartCount),
    stdin: container.stdin === true,
    stdinOnce: container.stdinOnce === true,
    tty: container.tty === true,
    linux: {
      resources: containerResources(pod, container, input.memoryCapacity),
      securityContext: containerSecurity(
        pod,
        container,
        input.image,
        supplementalGroups(pod, input.volumeGroups),
        input.seccompRoot,
        input.targetId,
        input.userNamespace,
      ),
    },
  };
}

const mapped = (mount: Mount, ids: UserNamespace): Mount => ({ ...mount, uidMappings: [ids], gidMappings: [ids] });

/**
 * Limits of one container (kuberuntime generateLinuxContainerResources). One that has none of its own has its pod's, where that sets any
 * (KEP-2837): the pod's cgroup holds all of them to it together.
 */
export function containerResources(pod: Pod, container: AnyContainer, memoryCapacity: number): LinuxContainerResources {
  const { requests, limits } = container.resources ?? {};
  const ofPod = pod.spec?.resources?.limits;
  const cpuLimit = milliValue(limits?.['cpu']) || milliValue(ofPod?.['cpu']);
  const request = requests?.['cpu'] === undefined && cpuLimit > 0 ? cpuLimit : milliValue(requests?.['cpu']);
  const memory = quantityValue(limits?.['memory']) || quantityValue(ofPod?.['memory']);
  const hugepages = Object.entries(limits ?? {}).flatMap(([name, q]) =>
    name.startsWith('hugepages-') && quantityValue(q) > 0
      ? [{ pageSize: name.slice('hugepages-'.length).replace(/i$/, 'B'), limit: quantityValue(q) }]
      : [],
  );
  return {
    cpuShares: milliCpuToShares(request),
    cpuPeriod: QUOTA_PERIOD,
    // 0 is no limit for a container that is made; -1, which would say so too, crun writes as a huge number that the kernel refuses.
    cpuQuota: milliCpuToQuota(cpuLimit),
    ...(memory > 0 ? { memoryLimitInBytes: memory } : {}),
    oomScoreAdj: oomScoreAdj(pod, container, memoryCapacity),
    ...(hugepages.length > 0 ? { hugepageLimits: hugepages } : {}),
  };
}
