import { Histogram, type Registry } from 'prom-client';
import { type KubernetesObject, objectKey } from '../../api/meta/object.ts';
import { isAlreadyExists, isNotFound } from '../../api/meta/status.ts';
import { parseTime } from '../../api/meta/time.ts';
import type { CronJob, CronJobStatus, Job } from '../../api/types/batch-v1.ts';
import type { EventRecorder, Informer, ResourceClient } from '../../client/contract.ts';
import type { Controller, ControllerContext } from '../../client/controller.ts';
import { startReconciler } from '../../client/controller-runner.ts';
import { cronJobs, jobs } from '../../client/resource-refs.ts';
import { sharedMetric } from '../../client/shared-metric.ts';
import type { ReconcileResult } from '../../client/work-queue.ts';
import { semanticallyEqual } from '../equality.ts';
import { namespaceIsGoing } from '../service-account.ts';
import { controllerOf } from '../workload/controller-ref.ts';
import { messageOf } from '../workload/pod-control.ts';
import { controlledBy, indexByController } from '../workload/pods-of.ts';
import { type CronPlan, endOf, planCronJob, withStarted } from './plan.ts';

const WORKERS = 5;

export interface CronJobOptions {
  /** The zone of schedules that name none; UTC unless told. */
  readonly timeZone?: string;
}

/** Starts the jobs of CronJobs when they are due. */
export function cronJobController(options: CronJobOptions = {}): Controller {
  return { name: 'cronjob-controller', start: (context, signal) => new CronShell(context, options, signal).start() };
}

class CronShell {
  readonly #context: ControllerContext;
  readonly #signal: AbortSignal;
  readonly #timeZone: string;
  readonly #cronJobs: Informer<CronJob>;
  readonly #jobs: Informer<Job>;
  readonly #client: ResourceClient<CronJob>;
  readonly #jobClient: ResourceClient<Job>;
  readonly #recorder: EventRecorder;
  readonly #skew: Histogram | undefined;

  constructor(context: ControllerContext, options: CronJobOptions, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    this.#timeZone = options.timeZone ?? 'UTC';
    this.#cronJobs = context.informers.informer(cronJobs);
    this.#jobs = context.informers.informer(jobs);
    this.#client = context.client.resource(cronJobs);
    this.#jobClient = context.client.resource(jobs);
    this.#recorder = context.recorder('cronjob-controller');
    this.#skew = creationSkew(context.metrics);
  }

  start(): void {
    indexByController(this.#jobs);
    const queue = startReconciler(
      this.#context,
      {
        name: 'cronjob',
        workers: WORKERS,
        informers: [this.#cronJobs, this.#jobs] as readonly Informer<KubernetesObject>[],
        reconcile: (key) => this.#reconcile(key),
      },
      this.#signal,
    );
    const enqueue = (cronJob: CronJob): void => queue.add(objectKey(cronJob));
    this.#cronJobs.addHandler({ onAdd: enqueue, onUpdate: enqueue, onDelete: enqueue });
    const jobChanged = (job: Job): void => {
      const ref = controllerOf(job);
      if (ref?.kind !== 'CronJob') return;
      const key = `${job.metadata?.namespace}/${ref.name}`;
      if (this.#cronJobs.get(key)?.metadata?.uid === ref.uid) queue.add(key);
    };
    this.#jobs.addHandler({ onAdd: jobChanged, onUpdate: jobChanged, onDelete: jobChanged });
  }

  async #reconcile(key: string): Promise<ReconcileResult | undefined> {
    const cached = this.#cronJobs.get(key);
    if (cached === undefined) return undefined;
    const owned = controlledBy(this.#jobs, cached.metadata!.uid!);
    const cronJob = await this.#current(cached, owned);
    if (cronJob === undefined) return undefined;
    const plan = planCronJob(
      { cronJob, jobs: owned, missing: await this.#missing(cronJob, owned), defaultTimeZone: this.#timeZone },
      this.#context.clock.now(),
    );
    for (const { type, reason, message } of plan.notices) this.#recorder.event(cronJob, type, reason, message);
    let { status } = plan;
    let failure: unknown;
    try {
      status = await this.#start(cronJob, plan);
    } catch (err) {
      failure = err;
    }
    await this.#prune(cronJob, plan);
    if (!semanticallyEqual(status, cronJob.status)) {
      try {
        await this.#client.updateStatus({ ...cronJob, status }, { signal: this.#signal });
      } catch (err) {
        if (!isNotFound(err)) throw err;
      }
    }
    if (failure !== undefined) throw failure;
    return plan.requeueAfterMs === undefined ? undefined : { requeueAfterMs: plan.requeueAfterMs };
  }

  /** The CronJob; as the server has it when jobs run that it does not know of: it may only not have been seen yet. */
  async #current(cached: CronJob, owned: readonly Job[]): Promise<CronJob | undefined> {
    const listed = new Set(cached.status?.active?.map(({ uid }) => uid));
    if (owned.every((job) => endOf(job) !== undefined || listed.has(job.metadata!.uid!))) return cached;
    const { name = '', namespace = '', uid } = cached.metadata!;
    try {
      const live = await this.#client.get(name, namespace, { signal: this.#signal });
      return live.metadata?.uid === uid ? live : undefined;
    } catch (err) {
      if (isNotFound(err)) return undefined;
      throw err;
    }
  }

  /** Active jobs that the informer does not have may only not have been seen yet: the server is asked. */
  async #missing(cronJob: CronJob, owned: readonly Job[]): Promise<ReadonlySet<string>> {
    const known = new Set(owned.map((job) => job.metadata?.uid));
    const missing = new Set<string>();
    for (const { name = '', namespace = '', uid = '' } of cronJob.status?.active ?? []) {
      if (known.has(uid)) continue;
      try {
        const job = await this.#jobClient.get(name, namespace, { signal: this.#signal });
        if (job.metadata?.uid !== uid) missing.add(uid);
      } catch (err) {
        if (!isNotFound(err)) throw err;
        missing.add(uid);
      }
    }
    return missing;
  }

  /** Makes the job that is due, if one is; gives the status then. */
  async #start(cronJob: CronJob, { create, replace, status }: CronPlan): Promise<CronJobStatus> {
    if (create === undefined) return status;
    let next = status;
    for (const ref of replace) {
      await this.#delete(cronJob, ref.name!, ref.namespace!);
      next = { ...next, active: (next.active ?? []).filter((other) => other !== ref) };
    }
    const { name = '', namespace = '' } = create.job.metadata!;
    let made: Job;
    try {
      made = await this.#jobClient.create(create.job, { signal: this.#signal });
    } catch (err) {
      if (namespaceIsGoing(err)) return next;
      if (!isAlreadyExists(err)) {
        this.#recorder.event(cronJob, 'Warning', 'FailedCreate', `Error creating job: ${messageOf(err)}`);
        throw err;
      }
      // Made by us before, and the status was not written; or by somebody else, whose business it then is.
      made = await this.#jobClient.get(name, namespace, { signal: this.#signal });
      if (controllerOf(made)?.uid !== cronJob.metadata?.uid) return next;
      return withStarted(next, made, create.scheduledTime);
    }
    this.#skew?.observe(Math.max(0, (parseTime(made.metadata?.creationTimestamp) ?? 0) - create.scheduledTime) / 1000);
    this.#recorder.event(cronJob, 'Normal', 'SuccessfulCreate', `Created job ${name}`);
    return withStarted(next, made, create.scheduledTime);
  }

  async #prune(cronJob: CronJob, { prune }: CronPlan): Promise<void> {
    for (const { metadata } of prune) {
      try {
        await this.#delete(cronJob, metadata!.name!, metadata!.namespace!);
      } catch (err) {
        this.#context.logger.warn({ err, key: objectKey(cronJob) }, 'a finished job was not removed; trying again');
      }
    }
  }

  async #delete(cronJob: CronJob, name: string, namespace: string): Promise<void> {
    try {
      await this.#jobClient.delete(name, namespace, { propagationPolicy: 'Background', signal: this.#signal });
    } catch (err) {
      if (isNotFound(err)) return;
      this.#recorder.event(cronJob, 'Warning', 'FailedDelete', `Deleted job: ${messageOf(err)}`);
      throw err;
    }
    this.#recorder.event(cronJob, 'Normal', 'SuccessfulDelete', `Deleted job ${name}`);
  }
}

/** Upstream's one metric of CronJobs. */
function creationSkew(registry: Registry | undefined): Histogram | undefined {
  if (registry === undefined) return undefined;
  const name = 'cronjob_controller_job_creation_skew_duration_seconds';
  const help = 'Time between when a cronjob is scheduled to be run, and when the corresponding job is created';
  const buckets = Array.from({ length: 10 }, (_, i) => 2 ** i);
  return sharedMetric(registry, name, () => new Histogram({ name, help, buckets, registers: [registry] }));
}
