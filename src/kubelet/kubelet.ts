import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isNotFound } from '../api/meta/status.ts';
import { formatMicroTime } from '../api/meta/time.ts';
import type { ConfigMap, Node, Pod, Secret } from '../api/types/core-v1.ts';
import type { Informer } from '../client/contract.ts';
import {
  configMaps,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  runtimeClasses,
  secrets,
  services,
} from '../client/resource-refs.ts';
import { readFilesystemSpace } from '../runtime/stats.ts';
import { CRASH_BACKOFF_MAX } from './containers/crash-backoff.ts';
import type { DnsOptions } from './containers/dns.ts';
import type { DownwardContext } from './containers/downward.ts';
import { referencedObjects } from './containers/env.ts';
import { podFromRuntime } from './containers/labels.ts';
import { Eviction } from './eviction/eviction.ts';
import { defaultEvictionPolicy, PressureTracker, pressureRejection } from './eviction/thresholds.ts';
import { defaultImageGcPolicy, ImageGc } from './images/image-gc.ts';
import { Images } from './images/images.ts';
import { MAX_LOG_FILES, MAX_LOG_SIZE } from './logs/rotate-log.ts';
import { rotateLogs } from './logs/rotation.ts';
import { KubeletMetrics } from './metrics.ts';
import { hostAddress, hostMachine } from './node/machine.ts';
import { NodeReporter } from './node/node-reporter.ts';
import type { ObservedPod } from './observed/observed.ts';
import { RuntimeCache } from './observed/runtime-cache.ts';
import { RuntimeWatch } from './observed/runtime-watch.ts';
import type { KubeletOptions } from './options.ts';
import { rejection } from './pods/admission.ts';
import { clearForgottenPods } from './pods/forgotten-pods.ts';
import { noCgroups, type PodServices } from './pods/pod-services.ts';
import { fromApi, isMirrorPod, isStatic } from './pods/pod-source.ts';
import { allContainers, containerFieldPath, isTerminalPhase, podFormat, podName, podNamespace, podUid } from './pods/pod-spec.ts';
import { PodWorker } from './pods/pod-worker.ts';
import { Preemption } from './pods/preemption.ts';
import { StatusWriter } from './pods/status-writer.ts';
import { UserNamespaces } from './pods/user-namespaces.ts';
import { runProbe } from './probes/run-probe.ts';
import { ObjectCache } from './references/object-cache.ts';
import { TokenCache } from './references/tokens.ts';
import { resizeObstacle } from './resources/resize.ts';
import { logind } from './shutdown/logind.ts';
import { NodeShutdown } from './shutdown/node-shutdown.ts';
import { ManifestDirectory } from './static-pods/manifest-directory.ts';
import { StaticPods } from './static-pods/static-pods.ts';
import { StatsSource } from './stats/stats-source.ts';
import { LocalVolumes } from './volumes/local-volume.ts';
import { hostMounter, plainMounter } from './volumes/mounter.ts';

/** Why a node that is about to be gone takes no pods. */
const SHUTTING_DOWN = { reason: 'NodeShutdown', message: 'Pod was rejected as the node is shutting down.' };

/** The pods of one node, kept as the API says, and the node itself. */
export class KubeletCore {
  readonly options: KubeletOptions;
  readonly metrics: KubeletMetrics;
  readonly cache: RuntimeCache;
  readonly reporter: NodeReporter;
  readonly hostIPs: readonly string[];
  readonly stats: StatsSource;
  readonly #workers = new Map<string, PodWorker>();
  readonly #tokens: TokenCache;
  readonly #userNamespaces: UserNamespaces;
  readonly #images: Images;
  readonly #watch: RuntimeWatch;
  readonly #pressure: PressureTracker;
  readonly #imageGc: ImageGc;
  readonly #eviction: Eviction;
  readonly #shutdown: NodeShutdown;
  readonly #preemption: Preemption;
  /** When pods of the API were first seen. */
  readonly #seenAt = new Map<string, string>();
  #statics: StaticPods | undefined;
  #services: PodServices | undefined;
  #configMaps: ObjectCache<ConfigMap> | undefined;
  #secrets: ObjectCache<Secret> | undefined;
  #podInformer: Informer<Pod> | undefined;
  #nodeInformer: Informer<Node> | undefined;
  /** The informer has seen the node: when it has none, there is none. */
  #nodeSeen = false;
  #runtimeName = 'containerd';
  #imageDir: { readonly separate: string | undefined } | undefined;
  #port = 10_250;

  constructor(given: KubeletOptions) {
    this.metrics = new KubeletMetrics(given.nodeName);
    const options = { ...given, runtime: this.metrics.timed(given.runtime, given.clock) };
    this.options = options;
    this.hostIPs = options.nodeIps ?? [options.nodeIp ?? hostAddress()];
    this.cache = new RuntimeCache(options.runtime, (uid) => this.#observed(uid));
    this.#watch = new RuntimeWatch({
      runtime: options.runtime,
      cache: this.cache,
      clock: options.clock,
      logger: options.logger,
      seen: () => {
        this.reporter.poke();
        // What could not be done for want of a runtime can be now.
        for (const worker of this.#workers.values()) worker.poke();
      },
    });
    this.#userNamespaces = new UserNamespaces(options.rootDir);
    this.#tokens = new TokenCache(options.client, options.clock);
    this.#images = new Images(options.runtime, options.clock);
    const machine = options.machine ?? hostMachine;
    const eviction = options.eviction ?? defaultEvictionPolicy;
    this.#pressure = new PressureTracker(eviction);
    this.reporter = new NodeReporter({
      nodeName: options.nodeName,
      addresses: this.hostIPs,
      labels: options.nodeLabels ?? {},
      taints: options.taints ?? [],
      unschedulable: options.unschedulable ?? false,
      ...(options.providerId === undefined ? {} : { providerId: options.providerId }),
      maxPods: options.maxPods ?? 110,
      reserved: options.reserved ?? { cpuMilli: 0, memory: 0 },
      eviction,
      pressure: this.#pressure,
      rootDir: options.rootDir,
      machine,
      client: options.client,
      runtime: options.runtime,
      clock: options.clock,
      logger: options.logger,
      recorder: options.recorder,
      port: () => this.#port,
      // The informer may lag behind the registration.
      current: () => this.#nodeInformer?.get(options.nodeName) ?? (this.#nodeSeen ? undefined : this.reporter.node),
      problems: () => [...this.#watch.problems(), ...[this.#shutdown.reason].filter((r) => r !== undefined)],
    });
    this.stats = new StatsSource({
      nodeName: options.nodeName,
      rootDir: options.rootDir,
      machine,
      facts: this.reporter.facts,
      runtime: options.runtime,
      clock: options.clock,
      pods: () => this.pods(),
      observedPods: () => this.observedPods(),
    });
    this.#imageGc = new ImageGc({
      runtime: options.runtime,
      clock: options.clock,
      logger: options.logger,
      policy: options.imageGcPolicy ?? defaultImageGcPolicy,
      space: readFilesystemSpace,
      pods: () => this.observedPods(),
      volumes: () =>
        [...this.#workers.values()].flatMap((w) => w.pod.spec?.volumes?.flatMap((v) => v.image?.reference ?? []) ?? []),
      record: (reason, message) => this.reporter.warn(reason, message),
    });
    this.#preemption = new Preemption({
      clock: options.clock,
      logger: options.logger,
      rejection: (pod, node, others) => rejection(pod, node, others, options.allowedUnsafeSysctls),
      worker: (uid) => this.#workers.get(uid),
      record: (pod, reason, message) => this.#services?.record(pod, 'Warning', reason, message),
      again: (pod) => {
        // It may have changed meanwhile, or gone.
        const now = isStatic(pod)
          ? this.#statics?.running(pod)
          : this.#podInformer?.list().find((p) => podUid(p) === podUid(pod));
        if (now !== undefined) this.#run(isStatic(now) ? now : this.#asRun(now));
      },
    });
    this.#shutdown = new NodeShutdown({
      periods: options.shutdownGracePeriods ?? [],
      source: options.shutdownSource ?? logind(),
      clock: options.clock,
      logger: options.logger,
      activePods: () => this.#activePods(),
      end: (pod, reason, message, grace) => this.#workers.get(podUid(pod))?.end({ reason, message, grace, disrupts: true }),
      hasEnded: (pod) => !['running', 'terminating'].includes(this.#workers.get(podUid(pod))?.stage ?? 'released'),
      changed: () => this.reporter.poke(),
    });
    this.#eviction = new Eviction({
      policy: eviction,
      tracker: this.#pressure,
      use: async () => machine.use(options.rootDir, await this.#imageDirectory()),
      clock: options.clock,
      logger: options.logger,
      stats: (age) => this.stats.snapshot(age),
      activePods: () => this.#activePods(),
      evict: (pod, reason, message, grace, signal) => {
        this.metrics.evictions.inc({ eviction_signal: signal });
        this.evict(podUid(pod), reason, message, grace);
      },
      reclaimDisk: async () => void (await this.#imageGc.removeUnused()),
      record: (pod, reason, message) => {
        if (pod === undefined) this.reporter.warn(reason, message);
        else this.#services?.record(pod, 'Warning', reason, message);
      },
      changed: () => this.reporter.poke(),
    });
  }

  /** Every pod the runtime has. */
  observedPods(): readonly ObservedPod[] {
    return this.cache.uids().map((uid) => this.cache.get(uid));
  }

  /** Pods the API has bound to this node, as the kubelet last saw them, with the statuses it has made. */
  pods(): readonly Pod[] {
    return [...this.#workers.values()].map((w) => {
      const status = this.#services?.status.get(w.uid);
      return status === undefined ? w.pod : { ...w.pod, status };
    });
  }

  pod(namespace: string, name: string): Pod | undefined {
    return this.pods().find((p) => podName(p) === name && podNamespace(p) === namespace);
  }

  /** Evicts a pod: it ends as Failed with this reason, within `grace` seconds. */
  evict(uid: string, reason: string, message: string, grace = 0): void {
    this.#workers.get(uid)?.end({ reason, message, grace, disrupts: true });
  }

  /** Where images are, when that is not the kubelet's own file system. */
  async #imageDirectory(): Promise<string | undefined> {
    if (this.#imageDir === undefined) {
      const [fs] = await this.options.runtime.imageFsInfo();
      const [images, own] = await Promise.all([fs?.mountpoint, this.options.rootDir].map((dir) => dir && stat(dir)));
      const apart = images && own && images.dev !== own.dev;
      this.#imageDir = { separate: apart ? fs?.mountpoint : undefined };
    }
    return this.#imageDir.separate;
  }

  setPort(port: number): void {
    this.#port = port;
  }

  /** Works until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    const o = this.options;
    await mkdir(join(o.rootDir, 'pods'), { recursive: true, mode: 0o750 });
    await mkdir(o.podLogDir, { recursive: true, mode: 0o755 });
    await this.#userNamespaces.load();
    const statics = this.#makeStaticPods(signal);
    const status = new StatusWriter(o.client, o.clock, o.logger, signal, (pod) => (isStatic(pod) ? statics.mirrorOf(pod) : pod));
    this.#configMaps = new ObjectCache(o.client, configMaps, o.clock, o.logger, (uid) =>
      this.#workers.get(uid)?.refreshVolumes(),
    );
    this.#secrets = new ObjectCache(o.client, secrets, o.clock, o.logger, (uid) => this.#workers.get(uid)?.refreshVolumes());
    const hostResolvConf = o.resolvConf === '' ? '' : await readFile(o.resolvConf ?? '/etc/resolv.conf', 'utf8').catch(() => '');
    const hostsFile = await readFile('/etc/hosts', 'utf8').catch(() => '');
    const reporting = this.reporter.run(signal).catch((err: unknown) => {
      if (!signal.aborted) o.logger.error({ err }, 'node reporter ended');
    });
    this.#runtimeName = await this.#watch.firstLook(signal);
    this.#services = this.#makeServices(
      status,
      { clusterDns: o.clusterDns, clusterDomain: o.clusterDomain, hostResolvConf },
      hostsFile,
    );

    this.#nodeInformer = o.informers.informer(nodes, { fieldSelector: `metadata.name=${o.nodeName}` });
    const serviceInformer = o.informers.informer(services);
    this.#podInformer = o.informers.informer(pods, { fieldSelector: `spec.nodeName=${o.nodeName}` });
    this.#nodeInformer.addHandler({
      onAdd: () => {
        this.#nodeSeen = true;
        this.reporter.poke();
        statics.nodeSeen();
      },
      onDelete: () => this.reporter.poke(),
    });
    // Pods are not taken that would be ended at once.
    await this.#eviction.observe().catch((err: unknown) => o.logger.warn({ err }, 'the machine could not be looked at'));
    // Services first: a container that starts before they are known would miss their variables.
    await Promise.all([serviceInformer.synced(signal), this.#nodeInformer.synced(signal)]);
    // Known before what the runtime has is judged.
    if (o.staticPodPath === undefined) statics.setWanted(new Map());
    else {
      const { staticPodPath: path, nodeName, clock, logger } = o;
      await new ManifestDirectory({ path, nodeName, clock, logger, changed: (wanted) => statics.setWanted(wanted) }).start(
        signal,
      );
    }
    this.#podInformer.addHandler({
      onAdd: (pod) => this.#seen(pod),
      onUpdate: (pod) => this.#seen(pod),
      onDelete: (pod) => this.#deleted(pod),
    });
    await this.#podInformer.synced(signal);
    this.#adoptOrphans();
    this.#watch.start(signal);
    await clearForgottenPods({
      rootDir: o.rootDir,
      podLogDir: o.podLogDir,
      mounter: this.#services.mounter,
      localVolumes: this.#services.localVolumes,
      cgroups: this.#services.cgroups,
      logger: o.logger,
      isKnown: (uid) => this.#workers.has(uid),
    });
    const loops = [
      rotateLogs(o.runtime, this.cache, o.clock, o.logger, signal, o.logLimits ?? { size: MAX_LOG_SIZE, files: MAX_LOG_FILES }),
      this.#shutdown.run(signal),
      this.#eviction.run(signal),
      this.#imageGc.run(signal),
    ];
    await Promise.all([reporting, ...loops, aborted(signal)]);
    await Promise.all([...this.#workers.values()].map((worker) => worker.stop()));
    this.#configMaps.stop();
    this.#secrets.stop();
  }

  #makeServices(status: StatusWriter, dns: DnsOptions, hostsFile: string): PodServices {
    const o = this.options;
    const mounter = o.mounter ?? (process.getuid?.() === 0 ? hostMounter : plainMounter);
    const serviceInformer = o.informers.informer(services);
    const environment = (pod: Pod, podIPs: readonly string[]) => ({
      downward: this.#downward(podIPs),
      services: serviceInformer.list(),
      configMap: (name: string) => this.#configMaps?.get(podNamespace(pod), name),
      secret: (name: string) => this.#secrets?.get(podNamespace(pod), name),
    });
    const localVolumes = new LocalVolumes(o.rootDir, mounter);
    let stamps = 0;
    return {
      runtime: o.runtime,
      metrics: this.metrics,
      cache: this.cache,
      images: this.#images,
      clock: o.clock,
      random: o.random,
      logger: o.logger,
      status,
      cgroups: o.cgroups ?? noCgroups,
      mounter,
      localVolumes,
      userNamespaces: this.#userNamespaces,
      abilities: () => this.reporter.abilities,
      runtimeName: this.#runtimeName,
      rootDir: o.rootDir,
      podLogDir: o.podLogDir,
      clusterDomain: o.clusterDomain,
      hostIPs: this.hostIPs,
      memoryCapacity: this.reporter.facts.memory,
      maxRestartPeriod: o.maxContainerRestartPeriod ?? CRASH_BACKOFF_MAX,
      dns,
      hostsFile,
      record: (pod, type, reason, message, container) => {
        const fieldPath = container === undefined ? undefined : containerFieldPath(pod, container);
        const { name, namespace, uid, resourceVersion } = pod.metadata ?? {};
        // A reference: events know which container they are about by its path in the pod.
        o.recorder.event(
          (fieldPath === undefined
            ? { ...pod, apiVersion: 'v1', kind: 'Pod' }
            : { kind: 'Pod', apiVersion: 'v1', name, namespace, uid, resourceVersion, fieldPath }) as Pod,
          type,
          reason,
          message,
        );
      },
      probe: (probe, target, signal) => runProbe(o.runtime, probe, target, signal),
      prepare: async (pod) => {
        const { configMaps: maps, secrets: keys } = referencedObjects(pod);
        const uid = podUid(pod);
        await Promise.all([
          this.#configMaps?.use(uid, podNamespace(pod), maps),
          this.#secrets?.use(uid, podNamespace(pod), keys),
        ]);
      },
      environment,
      volumes: (pod, podIPs) => ({
        rootDir: o.rootDir,
        mounter,
        local: localVolumes,
        sources: { ...environment(pod, podIPs), token: (audience, seconds) => this.#tokens.get(pod, audience, seconds) },
        stamp: () => `${new Date(o.clock.now()).toISOString().slice(0, 19).replace(/[-:T]/g, '_')}_${++stamps}`,
        claim: (name) => orUndefined(o.client.resource(persistentVolumeClaims).get(name, podNamespace(pod))),
        persistentVolume: (name) => orUndefined(o.client.resource(persistentVolumes).get(name, '')),
        warn: (reason, message) => this.#services?.record(pod, 'Warning', reason, message),
      }),
      pullSecrets: (pod) =>
        (pod.spec?.imagePullSecrets ?? []).flatMap((ref) => this.#secrets?.get(podNamespace(pod), ref.name ?? '') ?? []),
      runtimeHandler: async (pod) => {
        const name = pod.spec?.runtimeClassName;
        if (name === undefined || name === '') return undefined;
        return (await o.client.resource(runtimeClasses).get(name, '')).handler;
      },
      tokenRenewAt: (uid) => this.#tokens.renewAt(uid),
      resizeObstacle: (pod) => {
        const node = this.#node();
        return node === undefined ? undefined : resizeObstacle(pod, node, this.#others(podUid(pod)));
      },
      remove: async (pod) => {
        const uid = pod.metadata?.uid;
        try {
          await o.client.resource(pods).delete(podName(pod), podNamespace(pod), {
            gracePeriodSeconds: 0,
            ...(uid === undefined ? {} : { preconditions: { uid } }),
          });
        } catch (err) {
          if (!isNotFound(err)) throw err;
        }
      },
      released: (uid) => this.#released(uid),
    };
  }

  #downward(podIPs: readonly string[]): DownwardContext {
    return {
      nodeName: this.options.nodeName,
      hostIPs: this.hostIPs,
      podIPs,
      allocatable: this.#node()?.status?.allocatable ?? {},
    };
  }

  #node(): Node | undefined {
    return this.#nodeInformer?.get(this.options.nodeName) ?? this.reporter.node;
  }

  #makeStaticPods(signal: AbortSignal): StaticPods {
    const { client, clock, logger } = this.options;
    this.#statics = new StaticPods(
      {
        client,
        clock,
        logger,
        node: () => this.#nodeInformer?.get(this.options.nodeName),
        start: (pod) => this.#run(pod),
        stop: (uid) => {
          const worker = this.#workers.get(uid);
          if (worker !== undefined) worker.removed(worker.pod);
        },
        mirrored: (uid) => this.#services?.status.retarget(uid),
      },
      signal,
    );
    return this.#statics;
  }

  /** A pod is in the API, or has changed there. */
  #seen(pod: Pod): void {
    if (isMirrorPod(pod)) this.#statics?.mirrorSeen(pod);
    else this.#run(this.#asRun(pod));
  }

  #asRun(pod: Pod): Pod {
    const uid = podUid(pod);
    let seen = this.#seenAt.get(uid);
    if (seen === undefined) this.#seenAt.set(uid, (seen = formatMicroTime(this.options.clock.now())));
    return fromApi(pod, seen);
  }

  #run(pod: Pod): void {
    const services = this.#services;
    if (services === undefined) return;
    const uid = podUid(pod);
    const worker = this.#workers.get(uid);
    if (worker !== undefined) {
      worker.update(pod);
      return;
    }
    // Pods that have begun are not asked again: a kubelet that restarts does not throw out what runs.
    const begun = this.cache.get(uid).containers.length > 0 || pod.metadata?.deletionTimestamp !== undefined;
    if (!begun && !isTerminalPhase(pod.status?.phase)) {
      const node = this.#node();
      const others = this.#others(uid);
      const no =
        (this.#shutdown.reason === undefined ? undefined : SHUTTING_DOWN) ??
        pressureRejection(pod, this.#pressure.current) ??
        (node === undefined ? undefined : rejection(pod, node, others, this.options.allowedUnsafeSysctls));
      if (no !== undefined) {
        if (this.#preemption.makeRoom(pod, no, node, others)) return;
        this.#reject(pod, no.reason, no.message);
        return;
      }
    }
    const created = new PodWorker(services, pod);
    this.#workers.set(uid, created);
    created.poke();
  }

  /** Pods that run. */
  #activePods(): readonly Pod[] {
    return [...this.#workers.values()].filter((w) => w.stage === 'running').map((w) => w.pod);
  }

  /** The pods, but this one, that use what the node has. */
  #others(uid: string): readonly Pod[] {
    return [...this.#workers.values()]
      .filter((w) => w.uid !== uid && (w.stage === 'running' || w.stage === 'terminating'))
      .map((w) => w.pod)
      .filter((p) => !isTerminalPhase(p.status?.phase));
  }

  #reject(pod: Pod, reason: string, message: string): void {
    const services = this.#services!;
    services.record(pod, 'Warning', reason, message);
    const worker = new PodWorker(services, pod);
    this.#workers.set(podUid(pod), worker);
    services.logger.info({ pod: podFormat(pod), reason, message }, 'pod was rejected');
    worker.end({ reason, message: `Pod was rejected: ${message}` });
  }

  #deleted(pod: Pod): void {
    if (isMirrorPod(pod)) this.#statics?.mirrorGone(pod);
    else this.#workers.get(podUid(pod))?.removed(this.#asRun(pod));
  }

  #released(uid: string): void {
    const worker = this.#workers.get(uid);
    void worker?.stop();
    if (worker !== undefined) {
      const names = allContainers(worker.pod).map((c) => c.name);
      this.metrics.forgetPod(podNamespace(worker.pod), podName(worker.pod), uid, names);
    }
    this.#workers.delete(uid);
    this.#services?.status.forget(uid);
    this.#configMaps?.release(uid);
    this.#secrets?.release(uid);
    this.#tokens.forget(uid);
    this.#seenAt.delete(uid);
    this.#userNamespaces.release(uid);
    this.#statics?.released(uid);
    // A pod that came back under the same uid while its old life was being cleared away.
    const again = this.#podInformer?.list().find((p) => podUid(p) === uid && !isMirrorPod(p));
    if (again !== undefined) this.#seen(again);
  }

  #observed(uid: string): void {
    const worker = this.#workers.get(uid);
    if (worker !== undefined) worker.poke();
    else if (this.#podInformer?.hasSynced === true) this.#adoptOrphan(uid);
  }

  #adoptOrphans(): void {
    for (const uid of this.cache.uids()) if (!this.#workers.has(uid)) this.#adoptOrphan(uid);
  }

  /** The runtime has a pod that the API has not: it is killed and cleared away. */
  #adoptOrphan(uid: string): void {
    const observed = this.cache.get(uid);
    if (this.#services === undefined || observed.sandboxes.length + observed.containers.length === 0) return;
    const pod = podFromRuntime(observed.sandboxes, observed.containers);
    const worker = new PodWorker(this.#services, pod, true);
    this.#workers.set(uid, worker);
    this.options.logger.info({ pod: podFormat(pod) }, 'clearing away a pod the API does not know');
    worker.poke();
  }

  /** Whether the runtime has been seen at least once. */
  get ready(): boolean {
    return this.#watch.ready;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

async function orUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (err) {
    if (isNotFound(err)) return undefined;
    throw err;
  }
}
