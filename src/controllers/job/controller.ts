import { type KubernetesObject, objectKey } from '../../api/meta/object.ts';
import { isNotFound } from '../../api/meta/status.ts';
import { patchTypes } from '../../api/request.ts';
import type { Job, JobStatus } from '../../api/types/batch-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { EventRecorder, Informer, ResourceClient, WorkQueue } from '../../client/contract.ts';
import type { Controller, ControllerContext } from '../../client/controller.ts';
import { startReconciler } from '../../client/controller-runner.ts';
import { jobs, pods } from '../../client/resource-refs.ts';
import type { ReconcileResult } from '../../client/work-queue.ts';
import { semanticallyEqual } from '../equality.ts';
import { selectorMatches } from '../label-selector.ts';
import { namespaceIsGoing } from '../service-account.ts';
import { claim, controllerOf } from '../workload/controller-ref.ts';
import { Expectations } from '../workload/expectations.ts';
import { watchOwnedPods } from '../workload/owned-pods.ts';
import { type PacedQueue, pacedQueue } from '../workload/paced-queue.ts';
import { PodControl, podKeys, slowStart } from '../workload/pod-control.ts';
import { isReady } from '../workload/pod-state.ts';
import { candidatesFor, indexByController } from '../workload/pods-of.ts';
import { assessJob, isJobFinished, type JobAssessment } from './assess.ts';
import { type BackoffRecord, noFailures } from './backoff.ts';
import { isTracked, jobRef, newJobPod, TRACKING } from './job-pods.ts';
import { type JobMetrics, type JobSyncAction, jobMetrics } from './metrics.ts';
import { type JobPlan, planJob } from './plan.ts';
import { conclude, type PassOutcome, planTracking, settleUncounted, type TrackingPlan } from './tracking.ts';

const WORKERS = 5;
const ORPHAN_WORKERS = 5;
const MANAGER = 'kubernetes.io/job-controller';

/** Runs Jobs to their end. */
export function jobController(): Controller {
  return { name: 'job-controller', start: (context, signal) => new JobShell(context, signal).start() };
}

const isOurs = (job: Job): boolean => job.spec?.managedBy === undefined || job.spec.managedBy === MANAGER;

class JobShell {
  readonly #context: ControllerContext;
  readonly #signal: AbortSignal;
  readonly #jobs: Informer<Job>;
  readonly #pods: Informer<Pod>;
  readonly #client: ResourceClient<Job>;
  readonly #podClient: ResourceClient<Pod>;
  readonly #recorder: EventRecorder;
  readonly #control: PodControl;
  readonly #expectations: Expectations;
  /** Uids of pods whose finalizers were taken off, by job, until the informer shows it. */
  readonly #released = new Map<string, Set<string>>();
  readonly #backoff = new Map<string, BackoffRecord>();
  readonly #metrics: JobMetrics;
  /** Jobs as last written, until the informer has caught up: what is counted must not be counted again. */
  readonly #written = new Map<string, Job>();
  #queue!: PacedQueue;
  #orphans!: WorkQueue;

  constructor(context: ControllerContext, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    this.#jobs = context.informers.informer(jobs);
    this.#pods = context.informers.informer(pods);
    this.#client = context.client.resource(jobs);
    this.#podClient = context.client.resource(pods);
    this.#recorder = context.recorder('job-controller');
    this.#control = new PodControl(context.client, this.#recorder);
    this.#expectations = new Expectations(context.clock);
    this.#metrics = jobMetrics(context.metrics);
  }

  start(): void {
    indexByController(this.#pods);
    const informers = [this.#jobs, this.#pods] as readonly Informer<KubernetesObject>[];
    const queue = startReconciler(
      this.#context,
      { name: 'job', workers: WORKERS, informers, reconcile: (key) => this.#reconcile(key) },
      this.#signal,
    );
    this.#queue = pacedQueue(queue, this.#context.clock);
    this.#orphans = startReconciler(
      this.#context,
      { name: 'job_orphan_pod', workers: ORPHAN_WORKERS, informers, reconcile: (key) => this.#freeOrphan(key) },
      this.#signal,
    );
    const enqueue = (job: Job): void => {
      if (isOurs(job)) this.#queue.add(objectKey(job));
    };
    this.#jobs.addHandler({
      onAdd: enqueue,
      onUpdate: (job) => {
        enqueue(job);
        if (isJobFinished(job)) this.#freePodsOf(job);
      },
      onDelete: (job) => {
        this.#forget(objectKey(job));
        this.#freePodsOf(job);
      },
    });
    watchOwnedPods<Job>({
      pods: this.#pods,
      owners: this.#jobs,
      kind: 'Job',
      expectations: this.#expectations,
      selects: (job, pod) => selectorMatches(job.spec?.selector, pod.metadata?.labels),
      wake: enqueue,
    });
    this.#pods.addHandler({
      onAdd: (pod) => this.#podSeen(pod),
      onUpdate: (pod) => this.#podSeen(pod),
      onDelete: (pod) => this.#releaseSeen(pod),
    });
  }

  #podSeen(pod: Pod): void {
    if (!isTracked(pod)) {
      this.#releaseSeen(pod);
      return;
    }
    const owner = this.#jobOf(pod);
    if (owner === undefined || isJobFinished(owner)) this.#orphans.add(objectKey(pod));
  }

  #releaseSeen(pod: Pod): void {
    const ref = controllerOf(pod);
    if (ref?.kind !== 'Job') return;
    const key = `${pod.metadata?.namespace}/${ref.name}`;
    const released = this.#released.get(key);
    if (released?.delete(pod.metadata?.uid ?? '') === true && released.size === 0) this.#released.delete(key);
  }

  #jobOf(pod: Pod): Job | undefined {
    const ref = controllerOf(pod);
    if (ref?.kind !== 'Job') return undefined;
    const job = this.#jobs.get(`${pod.metadata?.namespace}/${ref.name}`);
    return job?.metadata?.uid === ref.uid ? job : undefined;
  }

  #freePodsOf(job: Job): void {
    for (const pod of candidatesFor(this.#pods, job)) {
      if (isTracked(pod) && controllerOf(pod)?.uid === job.metadata?.uid) this.#orphans.add(objectKey(pod));
    }
  }

  #forget(key: string): void {
    this.#expectations.forget(key);
    this.#released.delete(key);
    this.#backoff.delete(key);
    this.#written.delete(key);
  }

  /** Takes the finalizer off a pod that nobody will count any more. */
  async #freeOrphan(key: string): Promise<void> {
    const pod = this.#pods.get(key);
    if (pod === undefined || !isTracked(pod)) return;
    const job = this.#jobOf(pod);
    if (job !== undefined && (!isOurs(job) || !isJobFinished(job))) return;
    try {
      await this.#release(pod);
    } catch (err) {
      if (!isNotFound(err)) throw err;
    }
  }

  async #release(pod: Pod): Promise<void> {
    const { name = '', namespace = '', uid } = pod.metadata ?? {};
    const patch = { metadata: { uid, '$deleteFromPrimitiveList/finalizers': [TRACKING] } };
    await this.#podClient.patch(name, namespace, patchTypes.strategic, patch, { signal: this.#signal });
  }

  /** The job as it is: as cached, or as written by ourselves where that is newer. */
  #latest(key: string): Job | undefined {
    const cached = this.#jobs.get(key);
    const written = this.#written.get(key);
    if (cached === undefined || written === undefined) return cached;
    const [a = '', b = ''] = [cached.metadata?.resourceVersion, written.metadata?.resourceVersion];
    const behind = a.length === b.length ? a < b : a.length < b.length;
    if (behind && cached.metadata?.uid === written.metadata?.uid) return written;
    this.#written.delete(key);
    return cached;
  }

  async #reconcile(key: string): Promise<ReconcileResult | undefined> {
    const job = this.#latest(key);
    if (job === undefined) {
      this.#forget(key);
      return undefined;
    }
    if (!isOurs(job)) return undefined;
    if (isJobFinished(job)) {
      this.#backoff.delete(key);
      return undefined;
    }
    const startedAt = this.#context.clock.monotonic();
    let failed = true;
    let action: JobSyncAction = 'reconciling';
    const acted = (what: JobSyncAction): void => {
      action = what;
    };
    try {
      const result = await this.#sync(key, job, acted);
      failed = false;
      return result;
    } finally {
      this.#metrics.synced(job, action, failed, (this.#context.clock.monotonic() - startedAt) / 1000);
    }
  }

  /** One pass over a job that has not ended. Tells what it did. */
  async #sync(key: string, job: Job, acted: (what: JobSyncAction) => void): Promise<ReconcileResult | undefined> {
    const satisfied = this.#expectations.satisfied(key);
    const released: ReadonlySet<string> = new Set(this.#released.get(key));
    const owned = await this.#queue.compute(key, () => this.#claimPods(job));
    const { clock } = this.#context;
    const before = this.#backoff.get(key) ?? noFailures;
    const assessment = this.#queue.compute(key, () => assessJob({ job, pods: owned, released, backoff: before }, clock.now()));
    const plan = planJob(assessment, clock.now());
    const pass = await this.#perform(key, assessment, plan, satisfied);
    if (pass.outcome.managed) acted(actionOf(plan));
    const tracking = this.#queue.compute(key, () => planTracking(assessment, pass.outcome, clock.now()));
    for (const { type, reason, message } of tracking.notices) this.#recorder.event(job, type, reason, message);
    await this.#track(key, job, assessment, tracking);
    if (pass.error !== undefined) throw pass.error;
    const waits = [plan.action === 'wait' ? plan.ms : undefined, assessment.deadlineIn].filter((ms) => ms !== undefined);
    return waits.length === 0 ? undefined : { requeueAfterMs: Math.max(1, Math.min(...waits)) };
  }

  async #claimPods(job: Job): Promise<readonly Pod[]> {
    const { name = '', namespace = '' } = job.metadata ?? {};
    return await claim<Pod>({
      owner: job,
      ownerRef: jobRef(job),
      candidates: candidatesFor(this.#pods, job),
      matches: (pod) => selectorMatches(job.spec?.selector, pod.metadata?.labels),
      client: this.#podClient,
      freshOwner: () => this.#client.get(name, namespace, { signal: this.#signal }),
      finalizers: [TRACKING],
    });
  }

  /** Creates and deletes; tells how many pods there are then. */
  async #perform(
    key: string,
    assessment: JobAssessment,
    plan: JobPlan,
    satisfied: boolean,
  ): Promise<{ readonly outcome: PassOutcome; readonly error: unknown }> {
    const { job, active, ready, terminating } = assessment;
    const unchanged = { settled: true, active: active.length, ready, terminating, managed: false };
    if (plan.action === 'end') {
      const { gone, error } = await this.#delete(key, job, plan.pods, false);
      const settled = satisfied && gone.length === active.length;
      return { outcome: { ...after(unchanged, gone), settled }, error };
    }
    if (!satisfied || job.metadata?.deletionTimestamp !== undefined) return { outcome: unchanged, error: undefined };
    const managed = { ...unchanged, managed: true };
    switch (plan.action) {
      case 'remove': {
        const { gone, error } = await this.#delete(key, job, plan.pods, true);
        return { outcome: after(managed, gone), error };
      }
      case 'create': {
        const { created, error } = await this.#create(key, assessment, plan.indexes);
        return { outcome: { ...managed, active: active.length + created }, error };
      }
      case 'wait':
      case 'none':
        return { outcome: managed, error: undefined };
    }
  }

  /** Deletes pods. Those that are not to be counted lose their finalizer first. */
  async #delete(
    key: string,
    job: Job,
    list: readonly Pod[],
    uncounted: boolean,
  ): Promise<{ readonly gone: readonly Pod[]; readonly error: unknown }> {
    if (list.length === 0) return { gone: [], error: undefined };
    this.#expectations.expectDeletions(key, podKeys(list));
    const gone: Pod[] = [];
    let error: unknown;
    await Promise.all(
      list.map(async (pod) => {
        try {
          if (uncounted && isTracked(pod)) await this.#release(pod);
          await this.#control.delete(pod, job, this.#signal);
          gone.push(pod);
        } catch (err) {
          this.#expectations.deletionObserved(key, objectKey(pod));
          if (isNotFound(err)) gone.push(pod);
          else error ??= err;
        }
      }),
    );
    return { gone, error };
  }

  async #create(
    key: string,
    { job, lastFailed }: JobAssessment,
    indexes: readonly (number | undefined)[],
  ): Promise<{ readonly created: number; readonly error: unknown }> {
    this.#expectations.expectCreations(key, indexes.length);
    const result = await slowStart(indexes.length, async (i) => {
      const index = indexes[i];
      const replaced = index === undefined ? undefined : lastFailed.get(index);
      try {
        await this.#control.create(newJobPod(job, index, replaced), job, this.#signal);
      } catch (err) {
        this.#expectations.creationObserved(key);
        if (!namespaceIsGoing(err)) throw err;
      }
    });
    for (let i = 0; i < result.skipped; i++) this.#expectations.creationObserved(key);
    return { created: result.succeeded, error: result.error };
  }

  /** Writes what is to be remembered, takes finalizers off, and writes the numbers. */
  async #track(key: string, job: Job, assessment: JobAssessment, tracking: TrackingPlan): Promise<void> {
    let latest = job;
    if (tracking.before !== undefined) latest = await this.#write(key, job, tracking.before);
    if (assessment.backoff.failures > 0) this.#backoff.set(key, assessment.backoff);
    else this.#backoff.delete(key);
    const { released, error } = await this.#releaseAll(key, tracking.release);
    const done = new Set([...assessment.released, ...released]);
    const held = new Set<string>();
    for (const pod of assessment.pods) {
      const uid = pod.metadata?.uid ?? '';
      if (isTracked(pod) && !done.has(uid)) held.add(uid);
    }
    const base = latest.status ?? {};
    const settled = settleUncounted(base, held);
    const final = error === undefined ? conclude(settled, tracking.final) : settled;
    if (final !== base) {
      const finished = await this.#write(key, latest, final);
      if (final !== settled) this.#reportEnd(finished, tracking);
    }
    if (error !== undefined) throw error;
  }

  #reportEnd(job: Job, { final }: TrackingPlan): void {
    if (final !== undefined) this.#metrics.finished(job, final);
    if (final?.type === 'Failed') {
      this.#recorder.event(job, 'Warning', final.reason ?? '', final.message ?? '');
      return;
    }
    const { completions } = job.spec ?? {};
    if (completions !== undefined && (job.status?.succeeded ?? 0) > completions) {
      const message = 'Too many succeeded pods running after completion count reached';
      this.#recorder.event(job, 'Warning', 'TooManySucceededPods', message);
    }
    this.#recorder.event(job, 'Normal', 'Completed', 'Job completed');
  }

  async #write(key: string, job: Job, status: JobStatus): Promise<Job> {
    if (semanticallyEqual(job.status, status)) return job;
    const written = await this.#client.updateStatus({ ...job, status }, { signal: this.#signal });
    this.#written.set(key, written);
    this.#metrics.counted(job, job.status, status);
    return written;
  }

  async #releaseAll(
    key: string,
    list: readonly Pod[],
  ): Promise<{ readonly released: ReadonlySet<string>; readonly error: unknown }> {
    const released = new Set<string>();
    let error: unknown;
    if (list.length === 0) return { released, error };
    const pending = this.#released.get(key) ?? new Set<string>();
    this.#released.set(key, pending);
    await Promise.all(
      list.map(async (pod) => {
        const uid = pod.metadata?.uid ?? '';
        pending.add(uid);
        try {
          await this.#release(pod);
          released.add(uid);
        } catch (err) {
          if (isNotFound(err)) released.add(uid);
          else {
            pending.delete(uid);
            error ??= err;
          }
        }
      }),
    );
    return { released, error };
  }
}

/** The counts with these active pods on their way out. */
function after(outcome: PassOutcome, gone: readonly Pod[]): PassOutcome {
  return {
    ...outcome,
    active: outcome.active - gone.length,
    ready: outcome.ready - gone.filter(isReady).length,
    terminating: outcome.terminating + gone.length,
  };
}

const actionOf = ({ action }: JobPlan): JobSyncAction =>
  action === 'create' ? 'pods_created' : action === 'remove' ? 'pods_deleted' : 'tracking';
