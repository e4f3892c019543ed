import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { type ContainerRuntime, RuntimeError } from '../runtime/contract.ts';
import type { Clock } from '../util/clock.ts';
import { isRunning, type ObservedPod } from './observed/observed.ts';

/** Calls of the runtime by their names in metrics (kuberuntime instrumented services). */
const operations: Readonly<Partial<Record<keyof ContainerRuntime, string>>> = {
  version: 'version',
  status: 'status',
  runPodSandbox: 'run_podsandbox',
  stopPodSandbox: 'stop_podsandbox',
  removePodSandbox: 'remove_podsandbox',
  podSandboxStatus: 'podsandbox_status',
  listPodSandboxes: 'list_podsandbox',
  createContainer: 'create_container',
  startContainer: 'start_container',
  stopContainer: 'stop_container',
  removeContainer: 'remove_container',
  listContainers: 'list_containers',
  containerStatus: 'container_status',
  updateContainerResources: 'update_container',
  reopenContainerLog: 'reopen_container_log',
  execSync: 'exec_sync',
  exec: 'exec',
  attach: 'attach',
  portForward: 'port_forward',
  containerStats: 'container_stats',
  listContainerStats: 'list_container_stats',
  listPodSandboxStats: 'list_podsandbox_stats',
  listImages: 'list_images',
  imageStatus: 'image_status',
  pullImage: 'pull_image',
  removeImage: 'remove_image',
  imageFsInfo: 'image_fs_info',
};

/** 5 ms to 745 s. */
const operationBuckets = Array.from({ length: 14 }, (_, i) => 0.005 * 2.5 ** i);
const podStartBuckets = [
  0.5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800, 2700, 3600,
];

/** The kubelet's own metrics, under upstream's names. */
export class KubeletMetrics {
  readonly #registry = new Registry();
  readonly #probeRegistry = new Registry();
  readonly #operations = this.#counter(
    'kubelet_runtime_operations_total',
    '[ALPHA] Cumulative number of runtime operations by operation type.',
    ['operation_type'],
  );
  readonly #operationErrors = this.#counter(
    'kubelet_runtime_operations_errors_total',
    '[ALPHA] Cumulative number of runtime operation errors by operation type.',
    ['operation_type'],
  );
  readonly #operationSeconds = new Histogram({
    name: 'kubelet_runtime_operations_duration_seconds',
    help: '[ALPHA] Duration in seconds of runtime operations. Broken down by operation type.',
    labelNames: ['operation_type'],
    buckets: operationBuckets,
    registers: [this.#registry],
  });
  /** From when a pod was first seen until all of it runs. Seconds. */
  readonly podStart = new Histogram({
    name: 'kubelet_pod_start_duration_seconds',
    help: '[ALPHA] Duration in seconds from kubelet seeing a pod for the first time to the pod starting to run',
    buckets: podStartBuckets,
    registers: [this.#registry],
  });
  readonly startedPods = this.#counter('kubelet_started_pods_total', '[ALPHA] Cumulative number of pods started', []);
  readonly startedContainers = this.#counter(
    'kubelet_started_containers_total',
    '[ALPHA] Cumulative number of containers started',
    ['container_type'],
  );
  readonly evictions = this.#counter('kubelet_evictions', '[ALPHA] Cumulative number of pod evictions by eviction signal', [
    'eviction_signal',
  ]);
  readonly probes = new Counter({
    name: 'prober_probe_total',
    help: '[BETA] Cumulative number of a liveness, readiness or startup probe for a container by result.',
    labelNames: ['container', 'namespace', 'pod', 'pod_uid', 'probe_type', 'result'],
    registers: [this.#probeRegistry],
  });
  readonly #sandboxes = this.#gauge('kubelet_running_pods', '[ALPHA] Number of pods that have a running pod sandbox', []);
  readonly #containers = this.#gauge('kubelet_running_containers', '[ALPHA] Number of containers currently running', [
    'container_state',
  ]);
  readonly #active = this.#gauge(
    'kubelet_active_pods',
    '[ALPHA] The number of pods the kubelet considers active and which are being considered when admitting new pods.',
    [],
  );

  constructor(nodeName: string) {
    this.#gauge('kubelet_node_name', "[ALPHA] The node's name. The count is always 1.", ['node']).set({ node: nodeName }, 1);
  }

  #counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }
  #gauge(name: string, help: string, labelNames: string[]): Gauge {
    return new Gauge({ name, help, labelNames, registers: [this.#registry] });
  }

  /** The text of /metrics. */
  text(pods: readonly ObservedPod[]): Promise<string> {
    this.#sandboxes.set(pods.filter((p) => p.sandboxes.some((s) => s.ready)).length);
    this.#active.set(pods.filter((p) => p.containers.some(isRunning)).length);
    for (const state of ['created', 'exited', 'running', 'unknown'] as const) {
      const count = pods.reduce((n, p) => n + p.containers.filter((c) => c.state === state).length, 0);
      this.#containers.set({ container_state: state }, count);
    }
    return this.#registry.metrics();
  }

  /** The text of /metrics/probes. */
  probesText(): Promise<string> {
    return this.#probeRegistry.metrics();
  }

  /** What is told of a pod's probes goes with the pod. */
  forgetPod(namespace: string, pod: string, uid: string, containers: readonly string[]): void {
    for (const container of containers) {
      for (const probe_type of ['Liveness', 'Readiness', 'Startup']) {
        for (const result of ['successful', 'failed', 'unknown']) {
          this.probes.remove({ container, namespace, pod, pod_uid: uid, probe_type, result });
        }
      }
    }
  }

  /** The same runtime, each call of which is counted and timed. */
  timed(runtime: ContainerRuntime, clock: Clock): ContainerRuntime {
    return new Proxy(runtime, {
      get: (target, name: keyof ContainerRuntime) => {
        const call = target[name] as (...args: unknown[]) => Promise<unknown>;
        const operation_type = operations[name];
        if (operation_type === undefined) return call;
        return async (...args: unknown[]): Promise<unknown> => {
          const begun = clock.monotonic();
          this.#operations.inc({ operation_type });
          try {
            return await call.apply(target, args);
          } catch (err) {
            if (err instanceof RuntimeError) this.#operationErrors.inc({ operation_type });
            throw err;
          } finally {
            this.#operationSeconds.observe({ operation_type }, (clock.monotonic() - begun) / 1000);
          }
        };
      },
    });
  }
}
