import { describe, expect, it } from 'vitest';
import type { Container, Pod } from '../../api/types/core-v1.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { containerConfig, sandboxConfig } from './container-config.ts';
import { podFromRuntime } from './labels.ts';
import { verifyRunAsNonRoot } from './security.ts';

const podOf = (container: Partial<Container>, spec: object = {}): Pod =>
  deepFreeze({
    metadata: { name: 'p', namespace: 'ns', uid: 'u', labels: { app: 'x' } },
    spec: { containers: [{ name: 'c', image: 'img', ...container }], ...spec },
  });
const make = (pod: Pod, env: Record<string, string> = {}) =>
  containerConfig(pod, pod.spec!.containers[0]!, {
    restartCount: 2,
    env: new Map(Object.entries(env)),
    mounts: [],
    imageRef: 'sha256:1',
    image: { id: 'sha256:1', repoTags: [], repoDigests: [], size: 1, uid: 1000, pinned: false },
    memoryCapacity: 2 ** 32,
    seccompRoot: '/seccomp',
    volumeGroups: [],
  });

describe('what the runtime is asked for', () => {
  it('expands command and arguments, limits and labels the container', () => {
    const config = make(
      podOf({
        command: ['/bin/$(CMD)'],
        args: ['$(NONE)', '$$(CMD)'],
        resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '500m', memory: '64Mi', 'hugepages-2Mi': '4Mi' } },
      }),
      { CMD: 'sh' },
    );
    expect(config).toMatchObject({
      command: ['/bin/sh'],
      args: ['$(NONE)', '$(CMD)'],
      logPath: 'c/2.log',
      labels: { 'io.kubernetes.pod.uid': 'u', 'io.kubernetes.container.name': 'c' },
      annotations: { 'io.kubernetes.container.restartCount': '2' },
    });
    expect(config.linux.resources).toEqual({
      cpuShares: 102,
      cpuPeriod: 100_000,
      cpuQuota: 50_000,
      memoryLimitInBytes: 67_108_864,
      oomScoreAdj: 985,
      hugepageLimits: [{ pageSize: '2MB', limit: 4_194_304 }],
    });
  });
  it('merges the security contexts of pod and container', () => {
    const { securityContext } = make(
      podOf(
        {
          securityContext: {
            runAsGroup: 7,
            allowPrivilegeEscalation: false,
            capabilities: { drop: ['ALL'] },
            readOnlyRootFilesystem: true,
          },
        },
        { securityContext: { runAsUser: 5, fsGroup: 9, supplementalGroups: [3, 9], seccompProfile: { type: 'RuntimeDefault' } } },
      ),
    ).linux;
    expect(securityContext).toMatchObject({
      runAsUser: 5,
      runAsGroup: 7,
      noNewPrivs: true,
      readonlyRootfs: true,
      supplementalGroups: [3, 9],
      capabilities: { add: [], drop: ['ALL'] },
      seccomp: { profileType: 'RuntimeDefault' },
      privileged: false,
    });
    expect(securityContext.maskedPaths).toContain('/proc/kcore');
  });
  it('makes a sandbox with host ports, sysctls and DNS', () => {
    const config = sandboxConfig(
      podOf(
        { ports: [{ containerPort: 80, hostPort: 8080 }, { containerPort: 81 }] },
        { securityContext: { sysctls: [{ name: 'a.b', value: '1' }] } },
      ),
      {
        attempt: 1,
        hostname: 'h',
        dns: { servers: ['1.1.1.1'], searches: [], options: [] },
        logDir: '/l',
        cgroupParent: '/k',
        seccompRoot: '/s',
      },
    );
    expect(config).toMatchObject({
      hostname: 'h',
      portMappings: [{ protocol: 'TCP', containerPort: 80, hostPort: 8080, hostIp: '' }],
      labels: { app: 'x', 'io.kubernetes.pod.name': 'p' },
      linux: {
        cgroupParent: '/k',
        sysctls: { 'a.b': '1' },
        securityContext: { namespaceOptions: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' } },
      },
    });
  });
  it.each([
    [{ runAsNonRoot: true, runAsUser: 0 }, undefined, "container's runAsUser breaks non-root policy"],
    [{ runAsNonRoot: true }, { uid: 0 }, 'container has runAsNonRoot and image will run as root'],
    [{ runAsNonRoot: true }, { username: 'nobody' }, 'image has non-numeric user (nobody)'],
  ])('refuses root: %j', (securityContext, image, message) => {
    const pod = podOf({ securityContext });
    expect(() => verifyRunAsNonRoot(pod, pod.spec!.containers[0]!, image)).toThrow(message);
  });
  it('lets others pass', () => {
    const pod = podOf({ securityContext: { runAsNonRoot: true } });
    expect(() => verifyRunAsNonRoot(pod, pod.spec!.containers[0]!, { uid: 1000 })).not.toThrow();
  });
  it('remembers enough of a forgotten pod to stop it politely', () => {
    const pod = podOf({ lifecycle: { preStop: { exec: { command: ['bye'] } } } }, { terminationGracePeriodSeconds: 7 });
    const config = make(pod);
    const again = podFromRuntime([], [{ labels: config.labels, annotations: config.annotations, image: 'img' }]);
    expect(again).toMatchObject({
      metadata: { name: 'p', namespace: 'ns', uid: 'u' },
      spec: {
        terminationGracePeriodSeconds: 7,
        containers: [{ name: 'c', lifecycle: { preStop: { exec: { command: ['bye'] } } } }],
      },
    });
  });
});
