import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** The parts of the scheduling queue, as metrics name them. */
export type QueueName = 'active' | 'backoff' | 'unschedulable' | 'gated';

/** How a try to schedule a pod ended. */
export type AttemptResult = 'scheduled' | 'unschedulable' | 'error';

/** The stages of a try that are timed. `PreFilter`: making plans; `Filter` and `Score`: over all nodes looked at. */
export type ExtensionPoint = 'PreFilter' | 'Filter' | 'PostFilter' | 'Score' | 'PreBind' | 'Bind';

/** What the scheduler reports. Times in seconds. */
export interface SchedulerMetrics {
  incoming(queue: QueueName, event: string): void;
  attempt(result: AttemptResult, seconds: number): void;
  algorithm(seconds: number): void;
  /** All plugins of one extension point ran for a pod. */
  extensionPoint(point: ExtensionPoint, success: boolean, seconds: number): void;
  /** A pod was bound: since it was first to be tried, and how many tries it took. */
  bound(seconds: number, attempts: number): void;
  preemption(): void;
  victims(count: number): void;
}

export const noMetrics: SchedulerMetrics = {
  incoming: () => {},
  attempt: () => {},
  algorithm: () => {},
  extensionPoint: () => {},
  bound: () => {},
  preemption: () => {},
  victims: () => {},
};

/** What is read off when metrics are collected. */
export interface SchedulerGauges {
  pending(queue: QueueName): number;
  /** Unschedulable pods by the plugins that rejected them. */
  rejections(): readonly (readonly [plugin: string, pods: number])[];
  bindings(): number;
  /** Nodes, pods and assumed pods in the cache. */
  cacheSize(): { readonly nodes: number; readonly pods: number; readonly assumed: number };
}

const queues: readonly QueueName[] = ['active', 'backoff', 'unschedulable', 'gated'];
/** Tries above this are one label, so that there are not too many. */
const MAX_ATTEMPTS_LABEL = 15;

const exponential = (start: number, factor: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => start * factor ** i);

/** The scheduler's metrics under upstream's names, in `registry`. */
export function schedulerMetrics(registry: Registry, profile: string, gauges: SchedulerGauges): SchedulerMetrics {
  const registers = [registry];
  const attempts = new Counter({
    name: 'scheduler_schedule_attempts_total',
    help: "Number of attempts to schedule pods, by the result. 'unschedulable' means a pod could not be scheduled, while 'error' means an internal scheduler problem.",
    labelNames: ['result', 'profile'] as const,
    registers,
  });
  const durations = new Histogram({
    name: 'scheduler_scheduling_attempt_duration_seconds',
    help: 'Scheduling attempt latency in seconds (scheduling algorithm + binding)',
    labelNames: ['result', 'profile'] as const,
    buckets: exponential(0.001, 2, 15),
    registers,
  });
  const algorithm = new Histogram({
    name: 'scheduler_scheduling_algorithm_duration_seconds',
    help: 'Scheduling algorithm latency in seconds',
    buckets: exponential(0.001, 2, 15),
    registers,
  });
  const extensionPoints = new Histogram({
    name: 'scheduler_framework_extension_point_duration_seconds',
    help: 'Latency for running all plugins of a specific extension point.',
    labelNames: ['extension_point', 'status', 'profile'] as const,
    buckets: exponential(0.0001, 2, 12),
    registers,
  });
  const sli = new Histogram({
    name: 'scheduler_pod_scheduling_sli_duration_seconds',
    help: 'E2e latency for a pod being scheduled, from the time the pod enters the scheduling queue and might involve multiple scheduling attempts.',
    labelNames: ['attempts'] as const,
    buckets: exponential(0.01, 2, 20),
    registers,
  });
  const tries = new Histogram({
    name: 'scheduler_pod_scheduling_attempts',
    help: 'Number of attempts to successfully schedule a pod.',
    buckets: exponential(1, 2, 5),
    registers,
  });
  const incoming = new Counter({
    name: 'scheduler_queue_incoming_pods_total',
    help: 'Number of pods added to scheduling queues by event and queue type.',
    labelNames: ['queue', 'event'] as const,
    registers,
  });
  const preemptions = new Counter({
    name: 'scheduler_preemption_attempts_total',
    help: 'Total preemption attempts in the cluster till now',
    registers,
  });
  const victims = new Histogram({
    name: 'scheduler_preemption_victims',
    help: 'Number of selected preemption victims',
    buckets: exponential(1, 2, 7),
    registers,
  });
  new Gauge({
    name: 'scheduler_pending_pods',
    help: "Number of pending pods, by the queue type. 'active' means number of pods in activeQ; 'backoff' means number of pods in backoffQ; 'unschedulable' means number of pods in unschedulablePods that the scheduler attempted to schedule and failed; 'gated' is the number of unschedulable pods that the scheduler never attempted to schedule because they are gated.",
    labelNames: ['queue'] as const,
    registers,
    collect() {
      for (const queue of queues) this.set({ queue }, gauges.pending(queue));
    },
  });
  new Gauge({
    name: 'scheduler_unschedulable_pods',
    help: 'The number of unschedulable pods broken down by plugin name. A pod will increment the gauge for all plugins that caused it to not schedule and so this metric have meaning only when broken down by plugin.',
    labelNames: ['plugin', 'profile'] as const,
    registers,
    collect() {
      this.reset();
      for (const [plugin, pods] of gauges.rejections()) this.set({ plugin, profile }, pods);
    },
  });
  new Gauge({
    name: 'scheduler_goroutines',
    help: 'Number of running goroutines split by the work they do such as binding.',
    labelNames: ['operation'] as const,
    registers,
    collect() {
      this.set({ operation: 'binding' }, gauges.bindings());
    },
  });
  new Gauge({
    name: 'scheduler_cache_size',
    help: 'Number of nodes, pods, and assumed (bound) pods in the scheduler cache.',
    labelNames: ['type'] as const,
    registers,
    collect() {
      const { nodes, pods, assumed } = gauges.cacheSize();
      this.set({ type: 'nodes' }, nodes);
      this.set({ type: 'pods' }, pods);
      this.set({ type: 'assumed_pods' }, assumed);
    },
  });
  return {
    incoming: (queue, event) => incoming.inc({ queue, event }),
    attempt(result, seconds) {
      attempts.inc({ result, profile });
      durations.observe({ result, profile }, seconds);
    },
    algorithm: (seconds) => algorithm.observe(seconds),
    extensionPoint: (extension_point, success, seconds) =>
      extensionPoints.observe({ extension_point, status: success ? 'Success' : 'Unschedulable', profile }, seconds),
    bound(seconds, count) {
      sli.observe({ attempts: count >= MAX_ATTEMPTS_LABEL ? `${MAX_ATTEMPTS_LABEL}+` : String(count) }, seconds);
      tries.observe(count);
    },
    preemption: () => preemptions.inc(),
    victims: (count) => victims.observe(count),
  };
}
