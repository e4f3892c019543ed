import { semanticEqual } from '../../api/groups/semantic-equal.ts';
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '../../api/types/apps-v1.ts';
import type { PodTemplateSpec } from '../../api/types/core-v1.ts';
import { findCondition } from '../conditions.ts';
import { selectorIsEmpty } from '../label-selector.ts';
import { controllerRef } from '../workload/controller-ref.ts';
import { templateHash } from '../workload/template-hash.ts';
import {
  DESIRED_REPLICAS,
  maxRevision,
  newSetAnnotations,
  REVISION,
  replicasAnnotation,
  withReplicasAnnotations,
} from './annotations.ts';
import { boundsOf, byAge, isRolling, maxScaledDown, newSetSize, proportionalSizes, sizeOf, totalSize } from './rollout-size.ts';
import {
  condition,
  countedStatus,
  hasHistoryLimit,
  hasProgressDeadline,
  isComplete,
  progressCheckIn,
  rolloutStatus,
  setCondition,
} from './status.ts';

export const HASH_LABEL = 'pod-template-hash';

export interface DeploymentObservation {
  readonly deployment: Deployment;
  /** The sets it controls. */
  readonly replicaSets: readonly ReplicaSet[];
  /** Pods of its sets that have not finished, terminating ones included, by the set's uid; only looked at for Recreate. */
  readonly unfinishedPods: (setUid: string) => number;
}

/** One write, in the order they are to be done. An event is reported when its write succeeded. */
export type DeploymentAction =
  | { readonly type: 'create'; readonly set: ReplicaSet; readonly event?: string }
  | { readonly type: 'update'; readonly set: ReplicaSet; readonly event?: string }
  | { readonly type: 'delete'; readonly set: ReplicaSet }
  | { readonly type: 'status'; readonly deployment: Deployment }
  | { readonly type: 'warn'; readonly reason: string; readonly message: string };

export interface DeploymentPlan {
  readonly actions: readonly DeploymentAction[];
  /** When to look again although nothing changes: to see a deadline pass. */
  readonly requeueAfterMs?: number;
}

/** Whether two templates are one but for the label that tells sets apart. */
export function sameTemplate(a: PodTemplateSpec, b: PodTemplateSpec): boolean {
  return semanticEqual('io.k8s.api.core.v1.PodTemplateSpec', withoutHash(a), withoutHash(b));
}

function withoutHash(template: PodTemplateSpec): PodTemplateSpec {
  if (template.metadata?.labels?.[HASH_LABEL] === undefined) return template;
  const { [HASH_LABEL]: _, ...labels } = template.metadata.labels;
  return { ...template, metadata: { ...template.metadata, labels } };
}

/** Decides on everything a Deployment needs now. Pure. */
export function planDeployment(observed: DeploymentObservation, now: number): DeploymentPlan {
  return new Planner(observed, now).plan();
}

class Planner {
  readonly #observed: DeploymentObservation;
  readonly #deployment: Deployment;
  readonly #now: number;
  readonly #actions: DeploymentAction[] = [];
  #newSet: ReplicaSet | undefined;
  /** Oldest first. */
  #oldSets: ReplicaSet[];
  #conditions: readonly DeploymentCondition[];
  #revision: string | undefined;

  constructor(observed: DeploymentObservation, now: number) {
    this.#observed = observed;
    this.#deployment = observed.deployment;
    this.#now = now;
    const sets = byAge(observed.replicaSets);
    const template = observed.deployment.spec!.template;
    // Of several with the template the oldest is the new one: the choice must not change between passes.
    this.#newSet = sets.find((set) => set.spec?.template !== undefined && sameTemplate(set.spec.template, template));
    this.#oldSets = sets.filter((set) => set !== this.#newSet);
    this.#conditions = observed.deployment.status?.conditions ?? [];
    this.#revision = observed.deployment.metadata?.annotations?.[REVISION];
  }

  plan(): DeploymentPlan {
    const { spec, metadata, status } = this.#deployment;
    if (selectorIsEmpty(spec?.selector)) return this.#planSelectingAll();
    if (metadata?.deletionTimestamp !== undefined) return this.#finish(this.#counted());
    this.#notePause();
    if (spec?.paused === true) {
      this.#keepNewSet();
      this.#scale();
      this.#cleanUp();
      return this.#finish(this.#counted());
    }
    if (this.#isScalingEvent()) {
      this.#keepNewSet();
      this.#scale();
      return this.#finish(this.#counted());
    }
    const busy = isRolling(this.#deployment) ? this.#rollOver() : this.#recreate();
    if (!busy && isComplete(this.#deployment, status)) this.#cleanUp();
    return this.#finish(rolloutStatus(this.#deployment, this.#all(), this.#newSet, this.#conditions, this.#now));
  }

  #all(): readonly ReplicaSet[] {
    return this.#newSet === undefined ? this.#oldSets : [...this.#oldSets, this.#newSet];
  }

  #counted(): DeploymentStatus {
    return countedStatus(this.#deployment, this.#all(), this.#newSet, this.#conditions, this.#now);
  }

  #planSelectingAll(): DeploymentPlan {
    const message = 'This deployment is selecting all pods. A non-empty selector is required.';
    this.#actions.push({ type: 'warn', reason: 'SelectingAll', message });
    const generation = this.#deployment.metadata?.generation ?? 0;
    if ((this.#deployment.status?.observedGeneration ?? 0) < generation) {
      this.#actions.push({
        type: 'status',
        deployment: { ...this.#deployment, status: { ...this.#deployment.status, observedGeneration: generation } },
      });
    }
    return { actions: this.#actions };
  }

  /** A pause stops the progress clock, and resuming starts it anew; unless the deadline had already passed. */
  #notePause(): void {
    if (!hasProgressDeadline(this.#deployment)) return;
    const current = findCondition(this.#conditions, 'Progressing');
    if (current?.reason === 'ProgressDeadlineExceeded') return;
    const wasPaused = current?.reason === 'DeploymentPaused';
    const paused = this.#deployment.spec?.paused === true;
    if (paused === wasPaused) return;
    const [reason, message] = paused
      ? ['DeploymentPaused', 'Deployment is paused']
      : ['DeploymentResumed', 'Deployment is resumed'];
    this.#conditions = setCondition(this.#conditions, condition('Progressing', 'Unknown', reason!, message!, this.#now));
  }

  /** The wanted number changed since some active set was last scaled. */
  #isScalingEvent(): boolean {
    const { replicas } = boundsOf(this.#deployment);
    return this.#all().some((set) => {
      const desired = replicasAnnotation(set, DESIRED_REPLICAS);
      return sizeOf(set) > 0 && desired !== undefined && desired !== replicas;
    });
  }

  /** Brings the new set's annotations, revision and minReadySeconds up to date, where it exists. */
  #keepNewSet(): boolean {
    const set = this.#newSet;
    if (set === undefined) return false;
    const current = set.metadata?.annotations ?? {};
    const annotations = newSetAnnotations(this.#deployment, current, maxRevision(this.#oldSets) + 1n);
    const minReadySeconds = this.#deployment.spec?.minReadySeconds ?? 0;
    if (annotations !== current || (set.spec?.minReadySeconds ?? 0) !== minReadySeconds) {
      const updated = { ...set, metadata: { ...set.metadata, annotations }, spec: { ...set.spec!, minReadySeconds } };
      this.#actions.push({ type: 'update', set: updated });
      this.#newSet = updated;
    }
    this.#revision = annotations[REVISION] ?? this.#revision;
    if (hasProgressDeadline(this.#deployment) && findCondition(this.#conditions, 'Progressing') === undefined) {
      const message = `Found new replica set ${JSON.stringify(set.metadata?.name)}`;
      this.#conditions = setCondition(
        this.#conditions,
        condition('Progressing', 'True', 'FoundNewReplicaSet', message, this.#now),
      );
    }
    return true;
  }

  #ensureNewSet(): ReplicaSet {
    if (this.#keepNewSet()) return this.#newSet!;
    const revision = maxRevision(this.#oldSets) + 1n;
    const empty = newReplicaSet(this.#deployment, revision);
    const size = newSetSize(this.#deployment, this.#oldSets, 0);
    const set: ReplicaSet = { ...empty, spec: { ...empty.spec!, replicas: size } };
    const event = size > 0 ? `Scaled up replica set ${set.metadata?.name} from 0 to ${size}` : undefined;
    this.#actions.push({ type: 'create', set, ...(event === undefined ? {} : { event }) });
    this.#newSet = set;
    this.#revision = String(revision);
    if (hasProgressDeadline(this.#deployment)) {
      const message = `Created new replica set ${JSON.stringify(set.metadata?.name)}`;
      this.#conditions = setCondition(
        this.#conditions,
        condition('Progressing', 'True', 'NewReplicaSetCreated', message, this.#now),
      );
    }
    return set;
  }

  /** Plans a set's new size; says whether the size changes. Annotations may need writing even when it does not. */
  #resize(set: ReplicaSet, size: number, evenIfSame = false): boolean {
    const before = sizeOf(set);
    if (size === before && !evenIfSame) return false;
    const { replicas, maxSurge } = boundsOf(this.#deployment);
    const annotations = withReplicasAnnotations(set.metadata?.annotations, replicas, replicas + maxSurge);
    if (size === before && annotations === set.metadata?.annotations) return false;
    const updated: ReplicaSet = { ...set, metadata: { ...set.metadata, annotations }, spec: { ...set.spec!, replicas: size } };
    const direction = size > before ? 'up' : 'down';
    const event = `Scaled ${direction} replica set ${set.metadata?.name} from ${before} to ${size}`;
    this.#put(set, updated, size === before ? undefined : event);
    return size !== before;
  }

  /** Writes a set once in a plan, however many steps change it. */
  #put(old: ReplicaSet, updated: ReplicaSet, event: string | undefined): void {
    const planned = this.#actions.findIndex((action) => action.type === 'update' && action.set === old);
    const action = { type: 'update' as const, set: updated, ...(event === undefined ? {} : { event }) };
    if (planned >= 0) this.#actions[planned] = action;
    else this.#actions.push(action);
    if (this.#newSet === old) this.#newSet = updated;
    else this.#oldSets = this.#oldSets.map((set) => (set === old ? updated : set));
  }

  /** Follows a change of the wanted number outside a rollout, or shares it among the sets within one. */
  #scale(): void {
    const { replicas } = boundsOf(this.#deployment);
    const active = this.#all().filter((set) => sizeOf(set) > 0);
    if (active.length <= 1) {
      const only = active[0] ?? this.#newSet ?? this.#oldSets.at(-1);
      if (only !== undefined) this.#resize(only, replicas);
      return;
    }
    if (this.#newSet !== undefined && isSaturated(this.#newSet, replicas)) {
      for (const set of this.#oldSets) if (sizeOf(set) > 0) this.#resize(set, 0);
      return;
    }
    if (!isRolling(this.#deployment)) return;
    for (const [set, size] of proportionalSizes(this.#deployment, active)) this.#resize(set, size, true);
  }

  /** One step of a rolling update: up first, then down. Says whether it did something. */
  #rollOver(): boolean {
    const newSet = this.#ensureNewSet();
    const { replicas } = boundsOf(this.#deployment);
    const size = sizeOf(newSet);
    const target = size > replicas ? replicas : size === replicas ? size : newSetSize(this.#deployment, this.#all(), size);
    if (this.#resize(newSet, target)) return true;
    return this.#shrinkOldSets();
  }

  #shrinkOldSets(): boolean {
    if (totalSize(this.#oldSets) === 0) return false;
    const limit = maxScaledDown(this.#deployment, this.#all(), this.#newSet!);
    if (limit <= 0) return false;
    const cleaned = this.#dropUnhealthy(limit);
    return this.#dropAvailable() + cleaned > 0;
  }

  /** Old pods that are not available go first: they serve nobody, and would hold the rollout up. */
  #dropUnhealthy(limit: number): number {
    let dropped = 0;
    for (const set of [...this.#oldSets]) {
      if (dropped >= limit) break;
      const unhealthy = sizeOf(set) - (set.status?.availableReplicas ?? 0);
      if (sizeOf(set) === 0 || unhealthy === 0) continue;
      const count = Math.min(limit - dropped, unhealthy);
      if (count <= 0) continue;
      this.#resize(set, sizeOf(set) - count);
      dropped += count;
    }
    return dropped;
  }

  #dropAvailable(): number {
    const { replicas, maxUnavailable } = boundsOf(this.#deployment);
    const available = this.#all().reduce((sum, set) => sum + (set.status?.availableReplicas ?? 0), 0);
    const limit = available - (replicas - maxUnavailable);
    let dropped = 0;
    for (const set of [...this.#oldSets]) {
      if (dropped >= limit) break;
      if (sizeOf(set) === 0) continue;
      const count = Math.min(sizeOf(set), limit - dropped);
      this.#resize(set, sizeOf(set) - count);
      dropped += count;
    }
    return dropped;
  }

  /** One step of Recreate: all old pods gone before the first new one. Says whether it waits. */
  #recreate(): boolean {
    this.#keepNewSet();
    let scaledDown = false;
    for (const set of [...this.#oldSets]) if (sizeOf(set) > 0) scaledDown = this.#resize(set, 0) || scaledDown;
    if (scaledDown || this.#oldPodsRun()) return true;
    const newSet = this.#newSet ?? this.#ensureNewSet();
    this.#resize(newSet, boundsOf(this.#deployment).replicas);
    return false;
  }

  #oldPodsRun(): boolean {
    return this.#oldSets.some(
      (set) => (set.status?.replicas ?? 0) > 0 || this.#observed.unfinishedPods(set.metadata?.uid ?? '') > 0,
    );
  }

  /** Deletes the oldest empty sets beyond the history limit. */
  #cleanUp(): void {
    if (!hasHistoryLimit(this.#deployment)) return;
    const alive = this.#oldSets.filter((set) => set.metadata?.deletionTimestamp === undefined);
    const excess = alive.length - this.#deployment.spec!.revisionHistoryLimit!;
    for (const set of alive.slice(0, Math.max(0, excess))) {
      const { generation = 0 } = set.metadata ?? {};
      const settled =
        (set.status?.replicas ?? 0) === 0 && sizeOf(set) === 0 && generation <= (set.status?.observedGeneration ?? 0);
      if (settled) this.#actions.push({ type: 'delete', set });
    }
  }

  /** Adds the status write, when there is something to write. */
  #finish(status: DeploymentStatus): DeploymentPlan {
    const { metadata } = this.#deployment;
    const revised = this.#revision !== undefined && metadata?.annotations?.[REVISION] !== this.#revision;
    const changed = !semanticEqual('io.k8s.api.apps.v1.DeploymentStatus', status, this.#deployment.status);
    if (revised || changed) {
      const annotations = revised ? { ...metadata?.annotations, [REVISION]: this.#revision! } : metadata?.annotations;
      const deployment: Deployment = {
        ...this.#deployment,
        metadata: { ...metadata, ...(annotations === undefined ? {} : { annotations }) },
        status,
      };
      this.#actions.push({ type: 'status', deployment });
    }
    const requeueAfterMs = progressCheckIn(this.#deployment, status, this.#now);
    return { actions: this.#actions, ...(requeueAfterMs === undefined ? {} : { requeueAfterMs }) };
  }
}

function isSaturated(set: ReplicaSet, replicas: number): boolean {
  return (
    sizeOf(set) === replicas &&
    replicasAnnotation(set, DESIRED_REPLICAS) === replicas &&
    (set.status?.availableReplicas ?? 0) === replicas
  );
}

/** The set for the Deployment's template, of no size yet. Its name follows from the template: creating it twice makes one. */
function newReplicaSet(deployment: Deployment, revision: bigint): ReplicaSet {
  const { template, selector, minReadySeconds = 0 } = deployment.spec!;
  const hash = templateHash(template, deployment.status?.collisionCount);
  const labels = { ...template.metadata?.labels, [HASH_LABEL]: hash };
  const { replicas, maxSurge } = boundsOf(deployment);
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${deployment.metadata!.name}-${hash}`,
      namespace: deployment.metadata!.namespace!,
      labels,
      annotations: withReplicasAnnotations(newSetAnnotations(deployment, {}, revision), replicas, replicas + maxSurge),
      ownerReferences: [controllerRef(deployment, 'apps/v1', 'Deployment')],
    },
    spec: {
      replicas: 0,
      minReadySeconds,
      selector: { ...selector, matchLabels: { ...selector?.matchLabels, [HASH_LABEL]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}
