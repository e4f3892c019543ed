import { durationMs } from '../../api/meta/duration.ts';
import { milliValue, quantityValue } from '../../api/meta/quantity.ts';
import type { Taint } from '../../api/types/core-v1.ts';
import { parseYaml } from '../../api/wire/yaml.ts';
import { CRASH_BACKOFF_MAX } from '../containers/crash-backoff.ts';
import { defaultImageGcPolicy } from '../images/image-gc.ts';
import { MAX_LOG_FILES, MAX_LOG_SIZE } from '../logs/rotate-log.ts';
import type { KubeletOptions } from '../options.ts';
import { foreignSysctl } from '../pods/sysctl.ts';
import { type ShutdownSettings, shutdownGracePeriods } from '../shutdown/shutdown-groups.ts';
import { type EvictionSettings, evictionPolicy } from './eviction-thresholds.ts';

/** The file is no KubeletConfiguration, or says something that cannot be. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

type Resources = Readonly<Record<string, string>>;

/** The settings that are kept to. */
interface Settings extends EvictionSettings, ShutdownSettings {
  readonly staticPodPath?: string;
  readonly maxPods?: number;
  readonly resolvConf?: string;
  readonly providerID?: string;
  readonly registerWithTaints?: readonly Taint[];
  readonly allowedUnsafeSysctls?: readonly string[];
  readonly crashLoopBackOff?: { readonly maxContainerRestartPeriod?: string };
  readonly kubeReserved?: Resources;
  readonly systemReserved?: Resources;
  readonly imageGCHighThresholdPercent?: number;
  readonly imageGCLowThresholdPercent?: number;
  readonly imageMinimumGCAge?: string;
  readonly containerLogMaxSize?: string;
  readonly containerLogMaxFiles?: number;
}

type Kind = 'text' | 'number' | 'boolean' | 'texts' | 'list';
const honoured: Readonly<Record<keyof Settings, Kind>> = {
  staticPodPath: 'text',
  maxPods: 'number',
  resolvConf: 'text',
  providerID: 'text',
  registerWithTaints: 'list',
  allowedUnsafeSysctls: 'list',
  crashLoopBackOff: 'texts',
  kubeReserved: 'texts',
  systemReserved: 'texts',
  imageGCHighThresholdPercent: 'number',
  imageGCLowThresholdPercent: 'number',
  imageMinimumGCAge: 'text',
  containerLogMaxSize: 'text',
  containerLogMaxFiles: 'number',
  evictionHard: 'texts',
  evictionSoft: 'texts',
  evictionSoftGracePeriod: 'texts',
  evictionMinimumReclaim: 'texts',
  evictionPressureTransitionPeriod: 'text',
  evictionMaxPodGracePeriod: 'number',
  mergeDefaultEvictionSettings: 'boolean',
  shutdownGracePeriod: 'text',
  shutdownGracePeriodCriticalPods: 'text',
  shutdownGracePeriodByPodPriority: 'list',
};

/** Settings of upstream's kubelet that mean nothing here: k8ts decides these itself, or does not have what they set. */
const passedOver: ReadonlySet<string> = new Set(
  (
    'enableServer podLogsDir syncFrequency fileCheckFrequency httpCheckFrequency staticPodURL staticPodURLHeader address port readOnlyPort ' +
    'tlsCertFile tlsPrivateKeyFile tlsCipherSuites tlsCurvePreferences tlsMinVersion rotateCertificates serverTLSBootstrap authentication ' +
    'authorization registryPullQPS registryBurst imagePullCredentialsVerificationPolicy preloadedImagesVerificationAllowlist eventRecordQPS ' +
    'eventBurst enableDebuggingHandlers enableContentionProfiling healthzPort healthzBindAddress oomScoreAdj clusterDomain clusterDNS ' +
    'streamingConnectionIdleTimeout nodeStatusUpdateFrequency nodeStatusReportFrequency nodeLeaseDurationSeconds imageMaximumGCAge ' +
    'volumeStatsAggPeriod kubeletCgroups systemCgroups cgroupRoot cgroupsPerQOS cgroupDriver cpuManagerPolicy singleProcessOOMKill ' +
    'cpuManagerPolicyOptions cpuManagerReconcilePeriod memoryManagerPolicy topologyManagerPolicy topologyManagerScope ' +
    'topologyManagerPolicyOptions qosReserved runtimeRequestTimeout hairpinMode podCIDR podPidsLimit runOnce cpuCFSQuota cpuCFSQuotaPeriod ' +
    'nodeStatusMaxImages maxOpenFiles contentType kubeAPIQPS kubeAPIBurst serializeImagePulls maxParallelImagePulls podsPerCore ' +
    'enableControllerAttachDetach protectKernelDefaults makeIPTablesUtilChains iptablesMasqueradeBit iptablesDropBit featureGates failSwapOn ' +
    'memorySwap containerLogMaxWorkers containerLogMonitorInterval configMapAndSecretChangeDetectionStrategy reservedSystemCPUs ' +
    'showHiddenMetricsForVersion systemReservedCgroup kubeReservedCgroup enforceNodeAllocatable volumePluginDir ' +
    'kernelMemcgNotification logging enableSystemLogHandler enableSystemLogQuery reservedMemory enableProfilingHandler ' +
    'enableDebugFlagsHandler seccompDefault memoryThrottlingFactor memoryReservationPolicy registerNode tracing ' +
    'localStorageCapacityIsolation containerRuntimeEndpoint imageServiceEndpoint failCgroupV1 userNamespaces'
  ).split(' '),
);

export type ConfiguredOptions = Pick<
  KubeletOptions,
  | 'staticPodPath'
  | 'maxPods'
  | 'resolvConf'
  | 'providerId'
  | 'taints'
  | 'allowedUnsafeSysctls'
  | 'maxContainerRestartPeriod'
  | 'reserved'
  | 'imageGcPolicy'
  | 'logLimits'
  | 'eviction'
  | 'shutdownGracePeriods'
>;

/** What a KubeletConfiguration (kubelet.config.k8s.io/v1beta1; JSON or YAML) says, and the names of its settings that nothing heeds. Throws ConfigurationError. */
export function readKubeletConfiguration(text: string): {
  readonly options: ConfiguredOptions;
  readonly passedOver: readonly string[];
} {
  try {
    const { settings, unheeded } = decode(text);
    return { options: optionsOf(settings), passedOver: unheeded };
  } catch (err) {
    throw new ConfigurationError((err as Error).message, { cause: err });
  }
}

function decode(text: string): { readonly settings: Settings; readonly unheeded: readonly string[] } {
  const value = parseYaml(text).value;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('it is no object');
  const { kind, apiVersion, ...fields } = value as Readonly<Record<string, unknown>>;
  if (kind !== 'KubeletConfiguration' || apiVersion !== 'kubelet.config.k8s.io/v1beta1') {
    throw new Error(`it is ${String(apiVersion)} ${String(kind)}, not kubelet.config.k8s.io/v1beta1 KubeletConfiguration`);
  }
  const settings: Record<string, unknown> = {};
  const unheeded: string[] = [];
  for (const [name, field] of Object.entries(fields)) {
    if (Object.hasOwn(honoured, name)) {
      if (field === null) continue;
      if (!isOf(field, honoured[name as keyof Settings])) throw new Error(`${name} is of the wrong type`);
      settings[name] = field;
    } else if (passedOver.has(name)) unheeded.push(name);
    else throw new Error(`unknown field ${JSON.stringify(name)}`);
  }
  return { settings: settings as Settings, unheeded };
}

function isOf(value: unknown, kind: Kind): boolean {
  switch (kind) {
    case 'text':
      return typeof value === 'string';
    case 'number':
      return Number.isInteger(value);
    case 'boolean':
      return typeof value === 'boolean';
    case 'list':
      return Array.isArray(value);
    case 'texts':
      return (
        typeof value === 'object' && !Array.isArray(value) && Object.values(value as object).every((v) => typeof v === 'string')
      );
  }
}

function optionsOf(s: Settings): ConfiguredOptions {
  const reserved = (name: string, read: (text: string | undefined) => number): number =>
    read(s.kubeReserved?.[name]) + read(s.systemReserved?.[name]);
  const { imageGCHighThresholdPercent: high = 85, imageGCLowThresholdPercent: low = 80 } = s;
  if (high < 0 || high > 100 || low < 0 || low > 100) throw new Error('image GC thresholds must be between 0 and 100');
  if (low >= high) throw new Error(`imageGCLowThresholdPercent ${low} must be less than imageGCHighThresholdPercent ${high}`);
  if (s.maxPods !== undefined && s.maxPods < 0) throw new Error(`maxPods ${s.maxPods} must not be a negative number`);
  const restart = s.crashLoopBackOff?.maxContainerRestartPeriod;
  const restartMs = restart === undefined ? undefined : durationMs(restart);
  if (restartMs !== undefined && (restartMs < 1000 || restartMs > CRASH_BACKOFF_MAX)) {
    throw new Error(
      `invalid configuration: CrashLoopBackOff.MaxContainerRestartPeriod (got: ${restart}) must be set between 1s and 5m0s`,
    );
  }
  const foreign = foreignSysctl(s.allowedUnsafeSysctls ?? []);
  if (foreign !== undefined) throw new Error(`the sysctls ${JSON.stringify(foreign)} are not known to be namespaced`);
  const periods = shutdownGracePeriods(s);
  return {
    // What an empty text names is nothing.
    ...(s.staticPodPath ? { staticPodPath: s.staticPodPath } : {}),
    ...(s.maxPods === undefined ? {} : { maxPods: s.maxPods }),
    ...(s.resolvConf === undefined ? {} : { resolvConf: s.resolvConf }),
    ...(s.providerID ? { providerId: s.providerID } : {}),
    ...(s.registerWithTaints === undefined ? {} : { taints: s.registerWithTaints }),
    ...(restartMs === undefined ? {} : { maxContainerRestartPeriod: restartMs }),
    ...(s.allowedUnsafeSysctls === undefined ? {} : { allowedUnsafeSysctls: s.allowedUnsafeSysctls }),
    reserved: {
      cpuMilli: reserved('cpu', milliValue),
      memory: reserved('memory', quantityValue),
      ephemeralStorage: reserved('ephemeral-storage', quantityValue),
    },
    imageGcPolicy: {
      high: high / 100,
      low: low / 100,
      minAge: s.imageMinimumGCAge === undefined ? defaultImageGcPolicy.minAge : durationMs(s.imageMinimumGCAge),
    },
    logLimits: {
      size: s.containerLogMaxSize === undefined ? MAX_LOG_SIZE : quantityValue(s.containerLogMaxSize),
      files: s.containerLogMaxFiles ?? MAX_LOG_FILES,
    },
    eviction: evictionPolicy(s),
    ...(periods.length === 0 ? {} : { shutdownGracePeriods: periods }),
  };
}
