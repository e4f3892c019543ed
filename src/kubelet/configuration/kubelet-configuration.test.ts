import { describe, expect, it } from 'vitest';
import { ConfigurationError, readKubeletConfiguration } from './kubelet-configuration.ts';

const head = 'apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n';
const read = (text: string) => readKubeletConfiguration(head + text);

describe('a KubeletConfiguration', () => {
  it('that says nothing means the defaults', () => {
    const { options, passedOver } = read('');
    expect(passedOver).toEqual([]);
    expect(options).toMatchObject({
      reserved: { cpuMilli: 0, memory: 0, ephemeralStorage: 0 },
      imageGcPolicy: { high: 0.85, low: 0.8, minAge: 120_000 },
      logLimits: { size: 10 * 2 ** 20, files: 5 },
      eviction: { pressureTransitionPeriod: 300_000, maxPodGracePeriod: 0 },
    });
    expect(options.eviction!.thresholds.map((t) => t.signal)).toEqual([
      'memory.available',
      'nodefs.available',
      'nodefs.inodesFree',
      'imagefs.available',
      'imagefs.inodesFree',
    ]);
    expect(options.shutdownGracePeriods).toBeUndefined();
  });

  it('sets what the kubelet goes by, and tells what nothing here does', () => {
    const { options, passedOver } = read(`
staticPodPath: /etc/kubernetes/manifests
maxPods: 7
cgroupDriver: systemd
featureGates: {A: true}
kubeReserved: {cpu: 100m, memory: 1Gi}
systemReserved: {cpu: "1", ephemeral-storage: 1Gi}
evictionHard: {memory.available: 5%, nodefs.available: 0%}
evictionSoft: {memory.available: 1Gi}
evictionSoftGracePeriod: {memory.available: 1m30s}
evictionMinimumReclaim: {memory.available: 200Mi}
evictionMaxPodGracePeriod: 30
evictionPressureTransitionPeriod: 30s
containerLogMaxSize: 1Mi
imageMinimumGCAge: 0s
registerWithTaints: [{key: a, effect: NoSchedule}]
crashLoopBackOff: {maxContainerRestartPeriod: 2s}
allowedUnsafeSysctls: ['net.core.*', kernel.msgmax]
shutdownGracePeriod: 30s
shutdownGracePeriodCriticalPods: 10s
`);
    expect(passedOver).toEqual(['cgroupDriver', 'featureGates']);
    const minReclaim = { quantity: 200 * 2 ** 20 };
    expect(options).toEqual({
      staticPodPath: '/etc/kubernetes/manifests',
      maxPods: 7,
      reserved: { cpuMilli: 1100, memory: 2 ** 30, ephemeralStorage: 2 ** 30 },
      taints: [{ key: 'a', effect: 'NoSchedule' }],
      maxContainerRestartPeriod: 2000,
      allowedUnsafeSysctls: ['net.core.*', 'kernel.msgmax'],
      imageGcPolicy: { high: 0.85, low: 0.8, minAge: 0 },
      logLimits: { size: 2 ** 20, files: 5 },
      eviction: {
        thresholds: [
          { signal: 'memory.available', value: { share: 0.05 }, grace: 0, minReclaim },
          { signal: 'memory.available', value: { quantity: 2 ** 30 }, grace: 90_000, minReclaim },
        ],
        pressureTransitionPeriod: 30_000,
        maxPodGracePeriod: 30,
      },
      shutdownGracePeriods: [
        { priority: 0, seconds: 20 },
        { priority: 2_000_000_000, seconds: 10 },
      ],
    });
  });

  it.each([
    ['evictionHard: {memory.free: 1Gi}', 'unrecognized eviction signal memory.free'],
    ['evictionHard: {memory.available: "0"}', 'eviction threshold memory.available must be positive: 0'],
    ['evictionHard: {memory.available: 101%}', 'eviction percentage threshold memory.available must be <= 100%: 101%'],
    ['evictionHard: {memory.available: lots}', 'quantities must match'],
    ['evictionSoft: {memory.available: 1Gi}', 'grace period must be specified for the soft eviction threshold memory.available'],
    ['allowedUnsafeSysctls: [vm.swappiness]', 'the sysctls "vm.swappiness" are not known to be namespaced'],
    ['crashLoopBackOff: {maxContainerRestartPeriod: 6m}', 'must be set between 1s and 5m0s'],
    ['maxPods: many', 'maxPods is of the wrong type'],
    ['maxPods: -1', 'maxPods -1 must not be a negative number'],
    ['maxpods: 7', 'unknown field "maxpods"'],
    ['imageGCLowThresholdPercent: 90', 'imageGCLowThresholdPercent 90 must be less than imageGCHighThresholdPercent 85'],
    ['shutdownGracePeriodCriticalPods: 10s', 'must be <= shutdownGracePeriod'],
    ['shutdownGracePeriod: 10', 'shutdownGracePeriod is of the wrong type'],
    [
      'shutdownGracePeriod: 10s\nshutdownGracePeriodByPodPriority: [{priority: 0, shutdownGracePeriodSeconds: 1}]',
      'Cannot specify both',
    ],
  ])('that cannot be is refused: %s', (text, message) => {
    expect(() => read(text)).toThrow(ConfigurationError);
    expect(() => read(text)).toThrow(message);
  });

  it('is of that kind and version', () => {
    expect(() => readKubeletConfiguration('kind: Pod\napiVersion: v1')).toThrow(
      'it is v1 Pod, not kubelet.config.k8s.io/v1beta1',
    );
    expect(() => readKubeletConfiguration('7')).toThrow('it is no object');
  });
});
