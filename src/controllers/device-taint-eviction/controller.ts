import { Counter, Histogram, type Registry } from 'prom-client';
import { type KubernetesObject, objectKey } from '../../api/meta/object.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { ResourceClaim, ResourceSlice } from '../../api/types/resource-v1.ts';
import type { EventRecorder, Informer, WorkQueue } from '../../client/contract.ts';
import type { Controller, ControllerContext } from '../../client/controller.ts';
import { startReconciler } from '../../client/controller-runner.ts';
import { pods, resourceClaims, resourceSlices } from '../../client/resource-refs.ts';
import { sharedMetric } from '../../client/shared-metric.ts';
import type { ReconcileResult } from '../../client/work-queue.ts';
import { semanticallyEqual } from '../equality.ts';
import { indexByResourceClaim, podsOfResourceClaim } from '../resource-claim/claim-users.ts';
import { claimsUsedBy, isDone } from '../resource-claim/plan.ts';
import { deleteDisrupted } from '../workload/pod-disruption.ts';
import { claimEvictionTime, poolKey, taintsOfDevice } from './plan.ts';

const WORKERS = 8;
const BY_POOL = 'slice-pool';
const CLAIMS_OF_POOL = 'claim-pool';
const NONE: readonly string[] = [];
const NAME = 'device-taint-eviction-controller';
const WHY = { reason: 'DeletionByDeviceTaintManager', message: 'Device Taint manager: deleting due to NoExecute taint' };

/** Deletes pods whose devices got NoExecute taints that their claims do not tolerate, or no longer (KEP-5055). */
export function deviceTaintEvictionController(): Controller {
  return { name: NAME, start: (context, signal) => new DeviceTaintEviction(context, signal).start() };
}

class DeviceTaintEviction {
  readonly #context: ControllerContext;
  readonly #signal: AbortSignal;
  readonly #pods: Informer<Pod>;
  readonly #claims: Informer<ResourceClaim>;
  readonly #slices: Informer<ResourceSlice>;
  readonly #recorder: EventRecorder;
  readonly #observe: (latencyMs: number) => void;
  /** The uids of pods that are to go, by key. */
  readonly #standing = new Map<string, string>();
  #queue!: WorkQueue;

  constructor(context: ControllerContext, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    this.#pods = context.informers.informer(pods);
    this.#claims = context.informers.informer(resourceClaims);
    this.#slices = context.informers.informer(resourceSlices);
    this.#recorder = context.recorder(NAME);
    this.#observe = evictionMetrics(context.metrics);
  }

  start(): void {
    this.#slices.addIndex(BY_POOL, ({ spec }) => [poolKey(spec.driver, spec.pool.name)]);
    this.#claims.addIndex(CLAIMS_OF_POOL, poolsOf);
    indexByResourceClaim(this.#pods);
    this.#queue = startReconciler(
      this.#context,
      {
        name: NAME,
        workers: WORKERS,
        informers: [this.#pods, this.#claims, this.#slices] as readonly Informer<KubernetesObject>[],
        reconcile: (key) => this.#reconcile(key),
      },
      this.#signal,
    );
    const claimChanged = (claim: ResourceClaim): void => {
      for (const pod of podsOfResourceClaim(this.#pods, objectKey(claim))) this.#queue.add(objectKey(pod));
    };
    this.#claims.addHandler({
      onAdd: (claim) => {
        if (this.#evictionOf(claim) !== undefined) claimChanged(claim);
      },
      onUpdate: (claim, old) => {
        if (!semanticallyEqual(claim.status, old.status)) claimChanged(claim);
      },
      onDelete: claimChanged,
    });
    const poolChanged = ({ spec }: ResourceSlice): void => {
      for (const claim of this.#claims.byIndex(CLAIMS_OF_POOL, poolKey(spec.driver, spec.pool.name))) claimChanged(claim);
    };
    this.#slices.addHandler({
      onAdd: poolChanged,
      onUpdate: (slice, old) => {
        if (!semanticallyEqual(slice.spec, old.spec)) poolChanged(slice);
      },
      onDelete: poolChanged,
    });
    const podChanged = (pod: Pod): void => {
      if (this.#standing.has(objectKey(pod)) || claimsUsedBy(pod).length > 0) this.#queue.add(objectKey(pod));
    };
    this.#pods.addHandler({ onAdd: podChanged, onUpdate: podChanged, onDelete: podChanged });
  }

  #evictionOf(claim: ResourceClaim): number | undefined {
    return claimEvictionTime(claim, ({ driver, pool, device }) =>
      taintsOfDevice(this.#slices.byIndex(BY_POOL, poolKey(driver, pool)), device),
    );
  }

  /** When a pod must go, for the earliest of the claims it uses. */
  #evictionOfPod(pod: Pod): number | undefined {
    const { namespace, uid } = pod.metadata ?? {};
    let earliest: number | undefined;
    for (const name of claimsUsedBy(pod)) {
      const claim = this.#claims.get(`${namespace}/${name}`);
      if (claim?.status?.reservedFor?.some((user) => user.uid === uid) !== true) continue;
      const at = this.#evictionOf(claim);
      if (at !== undefined && (earliest === undefined || at < earliest)) earliest = at;
    }
    return earliest;
  }

  async #reconcile(key: string): Promise<ReconcileResult | undefined> {
    const pod = this.#pods.get(key);
    const standing = this.#standing.get(key);
    if (pod === undefined || pod.metadata?.deletionTimestamp !== undefined || isDone(pod)) {
      this.#standing.delete(key);
      return undefined;
    }
    const at = this.#evictionOfPod(pod);
    if (at === undefined) {
      if (this.#standing.delete(key) && standing === pod.metadata?.uid) this.#tell(pod, 'Cancelling deletion');
      return undefined;
    }
    const now = this.#context.clock.now();
    this.#standing.set(key, pod.metadata?.uid ?? '');
    if (at > now) return { requeueAfterMs: at - now };
    this.#tell(pod, 'Marking for deletion');
    await deleteDisrupted(this.#context.client.resource(pods), pod, WHY, now, this.#signal);
    this.#observe(this.#context.clock.now() - at);
    this.#standing.delete(key);
    return undefined;
  }

  #tell(pod: Pod, message: string): void {
    this.#recorder.event(pod, 'Normal', 'DeviceTaintManagerEviction', message);
  }
}

const poolsOf = (claim: ResourceClaim): readonly string[] => {
  const results = claim.status?.allocation?.devices?.results;
  return results === undefined ? NONE : [...new Set(results.map(({ driver, pool }) => poolKey(driver, pool)))];
};

/** Upstream's metrics of evictions; gives what counts one, that came so many milliseconds after it was due. */
function evictionMetrics(registry: Registry | undefined): (latencyMs: number) => void {
  if (registry === undefined) return () => {};
  const registers = [registry];
  const total = 'device_taint_eviction_controller_pod_deletions_total';
  const help = 'Total number of Pods deleted by DeviceTaintEvictionController since its start.';
  const deletions = sharedMetric(registry, total, () => new Counter({ name: total, help, registers }));
  const duration = {
    name: 'device_taint_eviction_controller_pod_deletion_duration_seconds',
    help: "Latency, in seconds, between the time when a device taint effect has been activated and a Pod's deletion via DeviceTaintEvictionController.",
    buckets: [0.005, 0.025, 0.1, 0.5, 1, 2.5, 10, 30, 60, 120, 180, 240],
    registers,
  };
  const latency = sharedMetric(registry, duration.name, () => new Histogram(duration));
  return (latencyMs) => {
    deletions.inc();
    latency.observe(latencyMs / 1000);
  };
}
