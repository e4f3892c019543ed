import type { TableColumn } from '../../resource.ts';
import type { Container, ContainerStatus, Pod, PodCondition } from '../../types/core-v1.ts';
import { age, ageColumn, column, humanDuration, nameColumn } from '../define.ts';

/** The pod table: what `kubectl get pods` shows. */
export const podColumns: readonly TableColumn[] = [
  nameColumn,
  column('Ready', 'string', 'The aggregate readiness state of this pod for accepting traffic.'),
  column('Status', 'string', 'The aggregate status of the containers in this pod.'),
  column(
    'Restarts',
    'string',
    'The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.',
  ),
  ageColumn,
  column(
    'IP',
    'string',
    'podIP address allocated to the pod. Routable at least within the cluster. Empty if not yet allocated.',
    1,
  ),
  column(
    'Node',
    'string',
    'NodeName indicates in which node this pod is scheduled. If empty, this pod is a candidate for scheduling by the scheduler defined in schedulerName. Once this field is set, the kubelet for this node becomes responsible for the lifecycle of this pod. This field should not be used to express a desire for the pod to be scheduled on a specific node. https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#nodename',
    1,
  ),
  column(
    'Nominated Node',
    'string',
    'nominatedNodeName is set only when this pod preempts other pods on the node, but it cannot be scheduled right away as preemption victims receive their graceful termination periods. This field does not guarantee that the pod will be scheduled on this node. Scheduler may decide to place the pod elsewhere if other nodes become available sooner. Scheduler may also decide to give the resources on this node to a higher priority pod that is created after preemption. As a result, this field may be different than PodSpec.nodeName when the pod is scheduled.',
    1,
  ),
  column(
    'Readiness Gates',
    'string',
    'If specified, all readiness gates will be evaluated for pod readiness. A pod is ready when all its containers are ready AND all conditions specified in the readiness gates have status equal to "True" More info: https://git.k8s.io/enhancements/keps/sig-network/580-pod-readiness-gates',
    1,
  ),
];

/** Whether an init container goes on running beside the containers: a sidecar. */
export const isRestartableInit = (container: Container | undefined): boolean => container?.restartPolicy === 'Always';

/** What the tables sum up over a pod's containers. */
interface Summary {
  readonly ready: number;
  readonly total: number;
  readonly reason: string;
  readonly restarts: number;
  /** Milliseconds since the epoch; 0 when no container was restarted. */
  readonly lastRestart: number;
}

/** The cells of a pod's row. `now` in milliseconds. */
export function podRow(pod: Pod, now: number): readonly unknown[] {
  const { spec, status } = pod;
  const summary = summarize(pod);
  const restarts =
    summary.restarts !== 0 && summary.lastRestart !== 0
      ? `${summary.restarts} (${humanDuration(now - summary.lastRestart)} ago)`
      : String(summary.restarts);
  return [
    pod.metadata?.name ?? '',
    `${summary.ready}/${summary.total}`,
    summary.reason,
    restarts,
    age(pod.metadata?.creationTimestamp, now),
    status?.podIPs?.[0]?.ip || '<none>',
    spec?.nodeName || '<none>',
    status?.nominatedNodeName || '<none>',
    readinessGates(pod),
  ];
}

/** The STATUS cell of a pod: `Running`, `Init:0/1`, `CrashLoopBackOff`, `Terminating` … */
export const podStatusText = (pod: Pod): string => summarize(pod).reason;

function summarize(pod: Pod): Summary {
  const { spec, status } = pod;
  const initContainers = spec?.initContainers ?? [];
  const total = (spec?.containers?.length ?? 0) + initContainers.filter(isRestartableInit).length;
  let reason = status?.reason || (status?.phase ?? '');
  for (const c of status?.conditions ?? []) {
    if (c.type === 'PodScheduled' && c.reason === 'SchedulingGated') reason = 'SchedulingGated';
  }

  let ready = 0;
  let restarts = 0;
  let lastRestart = 0;
  let sidecarRestarts = 0;
  let lastSidecarRestart = 0;
  let initializing = false;
  const initStatuses = status?.initContainerStatuses ?? [];
  for (let i = 0; i < initStatuses.length; i++) {
    const container = initStatuses[i] as ContainerStatus;
    const sidecar = isRestartableInit(initContainers.find((c) => c.name === container.name));
    const restarted = lastTermination(container);
    restarts += container.restartCount ?? 0;
    lastRestart = Math.max(lastRestart, restarted);
    if (sidecar) {
      sidecarRestarts += container.restartCount ?? 0;
      lastSidecarRestart = Math.max(lastSidecarRestart, restarted);
    }
    const { terminated, waiting } = container.state ?? {};
    if (terminated !== undefined && terminated.exitCode === 0) continue;
    if (sidecar && container.started === true) {
      if (container.ready) ready++;
      continue;
    }
    // The first container that has not done its part tells the state of all of them.
    initializing = true;
    if (terminated !== undefined) reason = `Init:${terminated.reason || exitText(terminated)}`;
    else if (waiting?.reason && waiting.reason !== 'PodInitializing') reason = `Init:${waiting.reason}`;
    else reason = `Init:${i}/${initContainers.length}`;
    break;
  }

  if (!initializing || conditionIsTrue(status?.conditions, 'Initialized')) {
    restarts = sidecarRestarts;
    lastRestart = lastSidecarRestart;
    let running = false;
    const statuses = status?.containerStatuses ?? [];
    // From the last to the first: the first container's trouble is what is shown.
    for (let i = statuses.length - 1; i >= 0; i--) {
      const container = statuses[i] as ContainerStatus;
      restarts += container.restartCount ?? 0;
      lastRestart = Math.max(lastRestart, lastTermination(container));
      const { terminated, waiting, running: runs } = container.state ?? {};
      if (waiting?.reason) reason = waiting.reason;
      else if (terminated !== undefined) reason = terminated.reason || exitText(terminated);
      else if (container.ready && runs !== undefined) {
        running = true;
        ready++;
      }
    }
    if (reason === 'Completed' && running) reason = conditionIsTrue(status?.conditions, 'Ready') ? 'Running' : 'NotReady';
  }

  if (pod.metadata?.deletionTimestamp !== undefined) {
    if (status?.reason === 'NodeLost') reason = 'Unknown';
    else if (status?.phase !== 'Succeeded' && status?.phase !== 'Failed') reason = 'Terminating';
  }
  return { ready, total, reason, restarts, lastRestart };
}

const exitText = (terminated: { readonly exitCode?: number; readonly signal?: number }): string =>
  terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode ?? 0}`;

const lastTermination = (container: ContainerStatus): number => {
  const at = container.lastState?.terminated?.finishedAt;
  return at === undefined ? 0 : Date.parse(at);
};

const conditionIsTrue = (conditions: readonly PodCondition[] | undefined, type: string): boolean =>
  conditions?.some((c) => c.type === type && c.status === 'True') ?? false;

/** `1/2`: how many of the readiness gates have a condition that is True. */
function readinessGates(pod: Pod): string {
  const gates = pod.spec?.readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  const conditions = pod.status?.conditions ?? [];
  const open = gates.filter((gate) => conditions.find((c) => c.type === gate.conditionType)?.status === 'True');
  return `${open.length}/${gates.length}`;
}
