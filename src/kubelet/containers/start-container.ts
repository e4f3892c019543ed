import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EphemeralContainer, Pod } from '../../api/types/core-v1.ts';
import type { Image, Mount, PodSandboxConfig } from '../../runtime/contract.ts';
import { isRunning, latest, type ObservedPod } from '../observed/observed.ts';
import { errorText, StartError } from '../observed/runtime-errors.ts';
import { killContainer } from '../pods/kill-pod.ts';
import type { PodServices } from '../pods/pod-services.ts';
import { type AnyContainer, findContainer, gracePeriodOf, isHostNetwork, podUid } from '../pods/pod-spec.ts';
import { containerDevices } from '../volumes/container-devices.ts';
import { containerMounts, recursiveReadOnly } from '../volumes/container-mounts.ts';
import { imageDirectory, podDirectory, type VolumePaths } from '../volumes/pod-volumes.ts';
import { ConfigError } from './config-error.ts';
import { containerConfig } from './container-config.ts';
import { containerEnvironment } from './env.ts';
import { readEnvFiles } from './env-file.ts';
import { runHook } from './hooks.ts';
import { hostNetworkHosts, managedHosts, podHostname } from './hosts.ts';
import { verifyRunAsNonRoot } from './security.ts';

const ETC_HOSTS = '/etc/hosts';

/** What a container is started in. */
export interface StartContext {
  readonly sandboxId: string;
  readonly sandboxConfig: PodSandboxConfig;
  readonly podIPs: readonly string[];
  readonly volumes: VolumePaths;
  readonly observed: ObservedPod;
  readonly logDir: string;
  readonly signal: AbortSignal;
  /** A pull begins, which may take long: a good moment to tell the API how things stand. */
  pulling(): void;
}

/**
 * Image, configuration, creation, start, postStart hook (kuberuntime startContainer), with their events. Returns the container's id.
 * Rejects with StartError, whose reason and message are for the container's waiting state.
 */
export async function startContainer(
  services: PodServices,
  pod: Pod,
  container: AnyContainer,
  context: StartContext,
): Promise<string> {
  const { runtime } = services;
  const { signal } = context;
  const record = (type: 'Normal' | 'Warning', reason: string, message: string): void =>
    services.record(pod, type, reason, message, container.name);
  const failed = (err: unknown, reason: string): StartError => {
    if (signal.aborted) throw signal.reason;
    const message = errorText(err);
    record('Warning', 'Failed', `Error: ${message}`);
    return new StartError(reason, message);
  };

  const ensure = (wanted: Pick<AnyContainer, 'image' | 'imagePullPolicy'>) =>
    services.images.ensure(pod, wanted, services.pullSecrets(pod), context.sandboxConfig, record, context.pulling, signal);
  let image: Awaited<ReturnType<typeof ensure>>;
  let images: ReadonlyMap<string, string>;
  try {
    image = await ensure(container);
    images = await imageVolumes(services, pod, container, ensure);
  } catch (err) {
    if (err instanceof StartError) record('Warning', 'Failed', `Error: ${err.reason}`);
    throw err;
  }

  const before = latest(context.observed, container.name);
  const restartCount = before === undefined ? await countFromLogs(context.logDir, container.name) : before.restartCount + 1;
  let config: ReturnType<typeof containerConfig>;
  try {
    verifyRunAsNonRoot(pod, container, image);
    const files = await readEnvFiles(container, context.volumes);
    const { env, skipped } = containerEnvironment(pod, container, { ...services.environment(pod, context.podIPs), files });
    if (skipped.length > 0) {
      services.record(
        pod,
        'Warning',
        'InvalidEnvironmentVariableNames',
        `Keys [${skipped.join(', ')}] from the EnvFrom source were skipped since they are considered invalid environment variable names.`,
      );
    }
    const handler = container.volumeMounts?.some((m) => m.recursiveReadOnly !== undefined)
      ? await services.runtimeHandler(pod)
      : undefined;
    const mounts = [
      ...(await containerMounts(pod, container, context.volumes, env, {
        recursiveReadOnly: recursiveReadOnly(services.abilities().runtimeHandlers, handler),
        images,
      })),
      ...(await kubeletMounts(services, pod, container, context.podIPs)),
    ];
    const targetName = (container as EphemeralContainer).targetContainerName;
    const target = targetName === undefined || targetName === '' ? undefined : latest(context.observed, targetName);
    if (targetName !== undefined && targetName !== '' && (target === undefined || !isRunning(target))) {
      throw new ConfigError(`unable to find target container ${JSON.stringify(targetName)}`);
    }
    const userNamespace = await services.userNamespaces.of(pod);
    config = containerConfig(pod, container, {
      restartCount,
      env,
      mounts,
      devices: containerDevices(pod, container, context.volumes),
      imageRef: image.id,
      image,
      memoryCapacity: services.memoryCapacity,
      seccompRoot: join(services.rootDir, 'seccomp'),
      volumeGroups: [],
      ...(userNamespace === undefined ? {} : { userNamespace }),
      ...(target === undefined ? {} : { targetId: target.id }),
    });
  } catch (err) {
    throw failed(err, 'CreateContainerConfigError');
  }
  await mkdir(join(context.logDir, container.name), { recursive: true, mode: 0o755 });

  // These two take milliseconds and are never called off: containerd would leave a container that can be neither started nor removed.
  let id: string;
  try {
    id = await runtime.createContainer(
      context.sandboxId,
      { ...config, userSpecifiedImage: container.image ?? '' },
      context.sandboxConfig,
    );
  } catch (err) {
    throw failed(err, 'CreateContainerError');
  }
  record('Normal', 'Created', 'Container created');
  signal.throwIfAborted();
  try {
    await runtime.startContainer(id);
  } catch (err) {
    throw failed(err, 'RunContainerError');
  }
  record('Normal', 'Started', 'Container started');
  services.metrics.startedContainers.inc({ container_type: containerType(pod, container.name) });

  const hook = container.lifecycle?.postStart;
  if (hook !== undefined) {
    const podIP = context.podIPs[0] ?? '';
    try {
      await runHook(hook, container, id, podIP, runtime, services.clock, signal);
    } catch (err) {
      if (signal.aborted) throw err;
      services.logger.warn({ err, container: container.name, id }, 'postStart hook failed');
      record('Warning', 'FailedPostStartHook', 'PostStartHook failed');
      await killContainer(services, pod, { id, name: container.name }, 'FailedPostStartHook', gracePeriodOf(pod), podIP, signal);
      throw new StartError('PostStartHookError', errorText(err));
    }
  }
  return id;
}

/** Brings the images that the container mounts (KEP-4639). Gives those that the runtime is to mount, by volume; the others are mounted then. */
async function imageVolumes(
  services: PodServices,
  pod: Pod,
  container: AnyContainer,
  ensure: (wanted: Pick<AnyContainer, 'image' | 'imagePullPolicy'>) => Promise<Image>,
): Promise<ReadonlyMap<string, string>> {
  const images = new Map<string, string>();
  const { mounter, rootDir } = services;
  for (const volume of pod.spec?.volumes ?? []) {
    if (volume.image === undefined || !container.volumeMounts?.some((m) => m.name === volume.name)) continue;
    const { reference, pullPolicy } = volume.image;
    const { id } = await ensure({
      ...(reference === undefined ? {} : { image: reference }),
      ...(pullPolicy === undefined ? {} : { imagePullPolicy: pullPolicy }),
    });
    if (mounter.mountImage === undefined) {
      images.set(volume.name, id);
      continue;
    }
    const dir = imageDirectory(rootDir, pod, volume.name);
    if (!(await mounter.mountsBelow(dir)).includes(dir)) await mounter.mountImage(id, dir);
  }
  return images;
}

/** As metrics name it. */
function containerType(pod: Pod, name: string): string {
  const kind = findContainer(pod, name)?.kind;
  return kind === 'init' ? 'init_container' : kind === 'ephemeral' ? 'ephemeral_container' : 'container';
}

/** The restart count of a container whose earlier incarnations the runtime has forgotten: one more than its newest log. */
async function countFromLogs(logDir: string, name: string): Promise<number> {
  const files = await readdir(join(logDir, name)).catch(() => [] as string[]);
  let next = 0;
  for (const file of files) {
    const m = /^(\d+)\.log/.exec(file);
    if (m !== null) next = Math.max(next, Number(m[1]) + 1);
  }
  return next;
}

/** Mounts of the kubelet's own making: /etc/hosts and the termination message. */
async function kubeletMounts(
  services: PodServices,
  pod: Pod,
  container: AnyContainer,
  podIPs: readonly string[],
): Promise<readonly Mount[]> {
  const mounts: Mount[] = [];
  const dir = podDirectory(services.rootDir, podUid(pod));
  const taken = (path: string): boolean => container.volumeMounts?.some((m) => m.mountPath === path) === true;
  if (!taken(ETC_HOSTS) && (podIPs.length > 0 || isHostNetwork(pod))) {
    const { hostname, domain } = podHostname(pod, services.clusterDomain);
    const text = isHostNetwork(pod)
      ? hostNetworkHosts(services.hostsFile, pod.spec?.hostAliases)
      : managedHosts(podIPs, hostname, domain, pod.spec?.hostAliases);
    const hostPath = join(dir, 'etc-hosts');
    await mkdir(dir, { recursive: true, mode: 0o750 });
    await writeFile(hostPath, text, { mode: 0o644 });
    mounts.push({ hostPath, containerPath: ETC_HOSTS, readonly: false });
  }
  const path = container.terminationMessagePath ?? '';
  if (path !== '' && !taken(path)) {
    const own = join(dir, 'containers', container.name);
    await mkdir(own, { recursive: true, mode: 0o750 });
    const hostPath = join(own, services.random.nameSuffix(8));
    await writeFile(hostPath, '');
    // Whatever user the container runs as, it may leave its last word.
    await chmod(hostPath, 0o666);
    mounts.push({ hostPath, containerPath: path, readonly: false });
  }
  return mounts;
}
