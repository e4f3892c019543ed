import { formatDuration } from '../../api/meta/duration.ts';
import { Quantity } from '../../api/meta/quantity.ts';
import { CRASH_BACKOFF_MAX } from '../containers/crash-backoff.ts';
import { type Amount, defaultEvictionPolicy, type Threshold } from '../eviction/thresholds.ts';
import { defaultImageGcPolicy } from '../images/image-gc.ts';
import { MAX_LOG_FILES, MAX_LOG_SIZE } from '../logs/rotate-log.ts';
import type { KubeletOptions } from '../options.ts';

const binary = (bytes: number): string => Quantity.of(Math.trunc(bytes), 'BinarySI').toString();
const duration = (ms: number): string => formatDuration(BigInt(Math.round(ms)) * 1_000_000n);
const percent = (share: number): number => Math.round(share * 100);
const amount = (a: Amount): string => ('quantity' in a ? binary(a.quantity) : `${Number((a.share * 100).toFixed(6))}%`);

/** What /configz shows: the settings in force, by their names in KubeletConfiguration. */
export function configz(options: KubeletOptions): object {
  const { eviction = defaultEvictionPolicy, imageGcPolicy: images = defaultImageGcPolicy, reserved } = options;
  const logs = options.logLimits ?? { size: MAX_LOG_SIZE, files: MAX_LOG_FILES };
  const of = (soft: boolean, tell: (t: Threshold) => string | undefined): object =>
    Object.fromEntries(
      eviction.thresholds.filter((t) => t.grace > 0 === soft && tell(t) !== undefined).map((t) => [t.signal, tell(t)]),
    );
  const hasSoft = eviction.thresholds.some((t) => t.grace > 0);
  const hasReclaims = eviction.thresholds.some((t) => t.minReclaim !== undefined);
  const reclaim = (t: Threshold): string | undefined => t.minReclaim && amount(t.minReclaim);
  return {
    kubeletconfig: {
      kind: 'KubeletConfiguration',
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      ...(options.staticPodPath === undefined ? {} : { staticPodPath: options.staticPodPath }),
      address: options.server?.address ?? '0.0.0.0',
      port: options.server?.port ?? 10_250,
      clusterDomain: options.clusterDomain,
      clusterDNS: options.clusterDns,
      maxPods: options.maxPods ?? 110,
      resolvConf: options.resolvConf ?? '/etc/resolv.conf',
      ...(options.providerId === undefined ? {} : { providerID: options.providerId }),
      ...(options.taints === undefined ? {} : { registerWithTaints: options.taints }),
      ...(options.allowedUnsafeSysctls === undefined ? {} : { allowedUnsafeSysctls: options.allowedUnsafeSysctls }),
      crashLoopBackOff: { maxContainerRestartPeriod: duration(options.maxContainerRestartPeriod ?? CRASH_BACKOFF_MAX) },
      nodeStatusUpdateFrequency: '10s',
      nodeStatusReportFrequency: '5m0s',
      nodeLeaseDurationSeconds: 40,
      imageMinimumGCAge: duration(images.minAge),
      imageGCHighThresholdPercent: percent(images.high),
      imageGCLowThresholdPercent: percent(images.low),
      evictionHard: of(false, (t) => amount(t.value)),
      ...(hasSoft
        ? { evictionSoft: of(true, (t) => amount(t.value)), evictionSoftGracePeriod: of(true, (t) => duration(t.grace)) }
        : {}),
      evictionPressureTransitionPeriod: duration(eviction.pressureTransitionPeriod),
      evictionMaxPodGracePeriod: eviction.maxPodGracePeriod,
      ...(hasReclaims ? { evictionMinimumReclaim: { ...of(true, reclaim), ...of(false, reclaim) } } : {}),
      ...(reserved === undefined
        ? {}
        : {
            systemReserved: {
              cpu: `${reserved.cpuMilli}m`,
              memory: binary(reserved.memory),
              'ephemeral-storage': binary(reserved.ephemeralStorage ?? 0),
            },
          }),
      containerLogMaxSize: binary(logs.size),
      containerLogMaxFiles: logs.files,
      ...(options.shutdownGracePeriods === undefined
        ? {}
        : {
            shutdownGracePeriodByPodPriority: options.shutdownGracePeriods.map(({ priority, seconds }) => ({
              priority,
              shutdownGracePeriodSeconds: seconds,
            })),
          }),
      enableServer: true,
      authentication: { anonymous: { enabled: false }, webhook: { enabled: true } },
      authorization: { mode: 'Webhook' },
    },
  };
}
