import { parseLabelSelector } from '../../api/meta/label-selector.ts';
import { type KubernetesObject, objectKey, parseApiVersion } from '../../api/meta/object.ts';
import { isNotFound } from '../../api/meta/status.ts';
import { formatTime } from '../../api/meta/time.ts';
import type { Scale } from '../../api/types/autoscaling-v1.ts';
import type {
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerCondition,
  HorizontalPodAutoscalerStatus,
  MetricStatus,
} from '../../api/types/autoscaling-v2.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { EventRecorder, Informer, ResourceRef } from '../../client/contract.ts';
import type { Controller, ControllerContext } from '../../client/controller.ts';
import { startReconciler } from '../../client/controller-runner.ts';
import { horizontalPodAutoscalers, pods } from '../../client/resource-refs.ts';
import type { ReconcileResult } from '../../client/work-queue.ts';
import { findCondition } from '../conditions.ts';
import { discoverResources } from '../discovery.ts';
import { semanticallyEqual } from '../equality.ts';
import { messageOf } from '../workload/pod-control.ts';
import { restrain, ScaleHistory, type Verdict } from './behavior.ts';
import { type Measurement, MetricError, measure } from './measure.ts';
import { clusterMetrics, type MetricsClient } from './metrics-client.ts';
import type { Tolerance } from './replica-math.ts';

const WORKERS = 5;
/** How often every autoscaler is looked at (upstream's --horizontal-pod-autoscaler-sync-period). */
const PERIOD_MS = 15_000;
const DEFAULT_TOLERANCE = 0.1;

export interface AutoscalerOptions {
  /** Where numbers come from; the cluster's metrics APIs unless told. */
  readonly metrics?: MetricsClient;
}

/** Scales what HorizontalPodAutoscalers point at by what its pods use. */
export function horizontalPodAutoscalerController(options: AutoscalerOptions = {}): Controller {
  return {
    name: 'horizontal-pod-autoscaler-controller',
    start: (context, signal) => new Autoscaler(context, options, signal).start(),
  };
}

type Status = 'True' | 'False' | 'Unknown';

/** The conditions of one look, each set at most once. */
class Conditions {
  #list: readonly HorizontalPodAutoscalerCondition[];
  readonly #now: number;

  constructor(list: readonly HorizontalPodAutoscalerCondition[] | undefined, now: number) {
    this.#list = list ?? [];
    this.#now = now;
  }

  get list(): readonly HorizontalPodAutoscalerCondition[] {
    return this.#list;
  }

  set(type: string, status: Status, reason: string, message: string): void {
    const current = findCondition(this.#list, type);
    const lastTransitionTime =
      current?.status === status && current.lastTransitionTime !== undefined ? current.lastTransitionTime : formatTime(this.#now);
    const next = { type, status, lastTransitionTime, reason, message };
    this.#list =
      current === undefined ? [...this.#list, next] : this.#list.map((condition) => (condition === current ? next : condition));
  }
}

interface Target {
  readonly ref: ResourceRef;
  readonly scale: Scale;
}

class Autoscaler {
  readonly #context: ControllerContext;
  readonly #signal: AbortSignal;
  readonly #metrics: MetricsClient;
  readonly #autoscalers: Informer<HorizontalPodAutoscaler>;
  readonly #pods: Informer<Pod>;
  readonly #recorder: EventRecorder;
  readonly #history = new Map<string, ScaleHistory>();
  #kinds: ReadonlyMap<string, ResourceRef> = new Map();

  constructor(context: ControllerContext, options: AutoscalerOptions, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    this.#metrics = options.metrics ?? clusterMetrics(context.client);
    this.#autoscalers = context.informers.informer(horizontalPodAutoscalers);
    this.#pods = context.informers.informer(pods);
    this.#recorder = context.recorder('horizontal-pod-autoscaler');
  }

  start(): void {
    const queue = startReconciler(
      this.#context,
      {
        name: 'horizontalpodautoscaler',
        workers: WORKERS,
        informers: [this.#autoscalers, this.#pods] as readonly Informer<KubernetesObject>[],
        reconcile: (key) => this.#reconcile(key),
      },
      this.#signal,
    );
    this.#autoscalers.addHandler({
      onAdd: (autoscaler) => queue.add(objectKey(autoscaler)),
      onUpdate: (autoscaler, old) => {
        // What we write ourselves is no reason to look again.
        if (autoscaler.metadata?.generation !== old.metadata?.generation || !semanticallyEqual(autoscaler.spec, old.spec)) {
          queue.add(objectKey(autoscaler));
        }
      },
      onDelete: (autoscaler) => this.#history.delete(objectKey(autoscaler)),
    });
  }

  async #reconcile(key: string): Promise<ReconcileResult | undefined> {
    const autoscaler = this.#autoscalers.get(key);
    if (autoscaler === undefined) return undefined;
    try {
      await this.#look(key, autoscaler);
    } catch (err) {
      if (this.#signal.aborted) throw err;
      // The next look is the retry: sooner would only ask for the same numbers.
      this.#context.logger.debug({ err, key }, 'autoscaler could not be followed');
    }
    return { requeueAfterMs: PERIOD_MS };
  }

  async #look(key: string, autoscaler: HorizontalPodAutoscaler): Promise<void> {
    const { clock } = this.#context;
    const conditions = new Conditions(autoscaler.status?.conditions, clock.now());
    let target: Target;
    try {
      target = await this.#target(autoscaler);
    } catch (err) {
      const message = messageOf(err);
      this.#recorder.event(autoscaler, 'Warning', 'FailedGetScale', message);
      const text = `the HPA controller was unable to get the target's current scale: ${message}`;
      conditions.set('AbleToScale', 'False', 'FailedGetScale', text);
      await this.#write(autoscaler, { desiredReplicas: 0, ...autoscaler.status, conditions: conditions.list });
      throw err;
    }
    const found = "the HPA controller was able to get the target's current scale";
    conditions.set('AbleToScale', 'True', 'SucceededGetScale', found);
    const current = target.scale.spec?.replicas ?? 0;
    const history = this.#historyOf(key, current);
    const { minReplicas = 1, maxReplicas = 1 } = autoscaler.spec ?? {};
    let desired = current;
    let why = '';
    let metrics: readonly MetricStatus[] = autoscaler.status?.currentMetrics ?? [];
    if (current === 0 && minReplicas !== 0) {
      const message = 'scaling is disabled since the replica count of the target is zero';
      conditions.set('ScalingActive', 'False', 'ScalingDisabled', message);
    } else if (current > maxReplicas) {
      why = 'Current number of replicas above Spec.MaxReplicas';
      desired = maxReplicas;
    } else if (current < minReplicas) {
      why = 'Current number of replicas below Spec.MinReplicas';
      desired = minReplicas;
    } else {
      let measured: { readonly best: Measurement; readonly statuses: readonly MetricStatus[] };
      try {
        measured = await this.#measureAll(autoscaler, target, conditions);
      } catch (err) {
        const status = { desiredReplicas: 0, ...autoscaler.status, currentReplicas: current, conditions: conditions.list };
        await this.#write(autoscaler, status);
        this.#recorder.event(autoscaler, 'Warning', 'FailedComputeMetricsReplicas', messageOf(err));
        throw err;
      }
      metrics = measured.statuses;
      const { replicas, name } = measured.best;
      if (replicas > current) why = `${name} above target`;
      else if (replicas < current) why = 'All metrics below target';
      const verdict = restrain(autoscaler, history, current, replicas, clock.monotonic());
      applyVerdict(conditions, verdict);
      desired = verdict.replicas;
    }
    const rescaled = desired !== current;
    if (rescaled) await this.#rescale(autoscaler, target, desired, why, conditions, metrics);
    if (rescaled) history.scaled(current, desired, clock.monotonic());
    await this.#write(autoscaler, {
      ...autoscaler.status,
      observedGeneration: autoscaler.metadata?.generation ?? 0,
      currentReplicas: current,
      desiredReplicas: desired,
      currentMetrics: metrics,
      conditions: conditions.list,
      ...(rescaled ? { lastScaleTime: formatTime(clock.now()) } : {}),
    });
  }

  #historyOf(key: string, current: number): ScaleHistory {
    let history = this.#history.get(key);
    if (history === undefined) {
      history = new ScaleHistory();
      // Whatever went before: what there is now was somebody's recommendation.
      history.recommend(current, this.#context.clock.monotonic());
      this.#history.set(key, history);
    }
    return history;
  }

  async #rescale(
    autoscaler: HorizontalPodAutoscaler,
    { ref, scale }: Target,
    desired: number,
    why: string,
    conditions: Conditions,
    metrics: readonly MetricStatus[],
  ): Promise<void> {
    const { name } = autoscaler.spec!.scaleTargetRef;
    const { namespace = '' } = autoscaler.metadata!;
    const body: Scale = { ...scale, spec: { ...scale.spec, replicas: desired } };
    try {
      await this.#context.client.resource(ref).subresource('update', name, namespace, 'scale', body, { signal: this.#signal });
    } catch (err) {
      const message = messageOf(err);
      this.#recorder.event(autoscaler, 'Warning', 'FailedRescale', `New size: ${desired}; reason: ${why}; error: ${message}`);
      const text = `the HPA controller was unable to update the target scale: ${message}`;
      conditions.set('AbleToScale', 'False', 'FailedUpdateScale', text);
      const current = scale.spec?.replicas ?? 0;
      await this.#write(autoscaler, {
        desiredReplicas: 0,
        ...autoscaler.status,
        currentReplicas: current,
        currentMetrics: metrics,
        conditions: conditions.list,
      });
      throw err;
    }
    const text = `the HPA controller was able to update the target scale to ${desired}`;
    conditions.set('AbleToScale', 'True', 'SucceededRescale', text);
    this.#recorder.event(autoscaler, 'Normal', 'SuccessfulRescale', `New size: ${desired}; reason: ${why}`);
  }

  /** The most that any metric asks for. One that cannot be had keeps the others from scaling down. */
  async #measureAll(
    autoscaler: HorizontalPodAutoscaler,
    { scale }: Target,
    conditions: Conditions,
  ): Promise<{ readonly best: Measurement; readonly statuses: readonly MetricStatus[] }> {
    const inactive = (reason: string, message: string): void => conditions.set('ScalingActive', 'False', reason, message);
    const selector = scale.status?.selector ?? '';
    if (selector === '') {
      this.#recorder.event(autoscaler, 'Warning', 'SelectorRequired', 'selector is required');
      inactive('InvalidSelector', "the HPA target's scale is missing a selector");
      throw new Error('selector is required');
    }
    const parsed = parseLabelSelector(selector);
    const { namespace = '' } = autoscaler.metadata!;
    const currentReplicas = scale.spec?.replicas ?? 0;
    const context = {
      autoscaler,
      metrics: this.#metrics,
      selector,
      pods: this.#pods.list(namespace).filter((pod) => parsed.matches(pod.metadata?.labels)),
      currentReplicas,
      statusReplicas: scale.status?.replicas ?? 0,
      tolerance: toleranceOf(autoscaler),
      pluralOf: async (apiVersion: string, kind: string): Promise<string> => {
        const { group, plural } = await this.#resource(parseApiVersion(apiVersion).group, kind);
        return group === '' ? plural : `${plural}.${group}`;
      },
      now: this.#context.clock.now(),
      signal: this.#signal,
    };
    const specs = autoscaler.spec?.metrics ?? [];
    const statuses: MetricStatus[] = [];
    let best: Measurement | undefined;
    let failure: MetricError | undefined;
    let failed = 0;
    for (const spec of specs) {
      try {
        const measurement = await measure(spec, context);
        statuses.push(measurement.status);
        if (best === undefined || measurement.replicas > best.replicas) best = measurement;
      } catch (err) {
        if (!(err instanceof MetricError)) throw err;
        this.#recorder.event(autoscaler, 'Warning', err.reason, err.message);
        failed++;
        failure ??= err;
      }
    }
    if (best === undefined || (failure !== undefined && best.replicas < currentReplicas)) {
      const first = failure?.message ?? 'there are no metrics';
      inactive(failure?.reason ?? 'InvalidMetricSourceType', `the HPA was unable to compute the replica count: ${first}`);
      const summary = failure?.summary ?? first;
      throw new Error(`invalid metrics (${failed} invalid out of ${specs.length}), first error is: ${summary}`);
    }
    const text = `the HPA was able to successfully calculate a replica count from ${best.name}`;
    conditions.set('ScalingActive', 'True', 'ValidMetricFound', text);
    return { best, statuses };
  }

  async #target({ spec, metadata }: HorizontalPodAutoscaler): Promise<Target> {
    const { apiVersion = 'v1', kind, name } = spec!.scaleTargetRef;
    const ref = await this.#resource(parseApiVersion(apiVersion).group, kind);
    const scale = await this.#context.client
      .resource(ref)
      .subresource<Scale>('get', name, metadata!.namespace!, 'scale', undefined, { signal: this.#signal });
    return { ref, scale };
  }

  async #resource(group: string, kind: string): Promise<ResourceRef> {
    const id = `${group}/${kind}`;
    if (!this.#kinds.has(id)) {
      const { resources } = await discoverResources(this.#context.client, this.#signal);
      this.#kinds = new Map(resources.map((resource) => [`${resource.group}/${resource.kind}`, resource]));
    }
    const ref = this.#kinds.get(id);
    if (ref === undefined) throw new Error(`no matches for kind ${JSON.stringify(kind)} in group ${JSON.stringify(group)}`);
    return ref;
  }

  async #write(autoscaler: HorizontalPodAutoscaler, status: HorizontalPodAutoscalerStatus): Promise<void> {
    if (semanticallyEqual(status, autoscaler.status)) return;
    try {
      await this.#context.client
        .resource(horizontalPodAutoscalers)
        .updateStatus({ ...autoscaler, status }, { signal: this.#signal });
    } catch (err) {
      if (!isNotFound(err)) throw err;
    }
  }
}

function applyVerdict(conditions: Conditions, { able, limited }: Verdict): void {
  conditions.set('AbleToScale', 'True', able.reason, able.message);
  conditions.set('ScalingLimited', limited.is ? 'True' : 'False', limited.reason, limited.message);
}

function toleranceOf({ spec }: HorizontalPodAutoscaler): Tolerance {
  const read = (text: string | undefined): number => (text === undefined ? DEFAULT_TOLERANCE : toNumber(text));
  return { up: read(spec?.behavior?.scaleUp?.tolerance), down: read(spec?.behavior?.scaleDown?.tolerance) };
}

/** A small quantity as a number: `0.05`, `50m`. */
const toNumber = (text: string): number => (text.endsWith('m') ? Number(text.slice(0, -1)) / 1000 : Number(text));
