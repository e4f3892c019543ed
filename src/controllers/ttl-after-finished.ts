import { objectKey } from '../api/meta/object.ts';
import { isNotFound } from '../api/meta/status.ts';
import { parseTime } from '../api/meta/time.ts';
import type { Job } from '../api/types/batch-v1.ts';
import type { Controller } from '../client/controller.ts';
import { startReconciler } from '../client/controller-runner.ts';
import { jobs } from '../client/resource-refs.ts';
import type { ReconcileResult } from '../client/work-queue.ts';

const WORKERS = 5;

/** When a finished job is to go, milliseconds since the epoch; undefined when it is not, or not yet known. Pure. */
export function expiryOf(job: Job): number | undefined {
  const ttl = job.spec?.ttlSecondsAfterFinished;
  if (ttl === undefined || job.metadata?.deletionTimestamp !== undefined) return undefined;
  const finished = (job.status?.conditions ?? []).find(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  );
  const at = parseTime(finished?.lastTransitionTime);
  return at === undefined ? undefined : at + ttl * 1000;
}

/** Deletes jobs some time after they finished, where they say so. */
export function ttlAfterFinishedController(): Controller {
  return {
    name: 'ttl-after-finished-controller',
    start(context, signal) {
      const informer = context.informers.informer(jobs);
      const client = context.client.resource(jobs);
      const reconcile = async (key: string): Promise<ReconcileResult | undefined> => {
        const cached = informer.get(key);
        const expiry = cached === undefined ? undefined : expiryOf(cached);
        if (cached === undefined || expiry === undefined) return undefined;
        const left = expiry - context.clock.now();
        if (left > 0) return { requeueAfterMs: left };
        const { name = '', namespace = '', uid } = cached.metadata ?? {};
        try {
          // The time may have been changed a moment ago: what is deleted cannot be had back.
          const fresh = await client.get(name, namespace, { signal });
          const now = expiryOf(fresh);
          if (fresh.metadata?.uid !== uid || now === undefined) return undefined;
          if (now > context.clock.now()) return { requeueAfterMs: now - context.clock.now() };
          const { resourceVersion } = fresh.metadata!;
          await client.delete(name, namespace, {
            propagationPolicy: 'Foreground',
            preconditions: { uid: uid!, resourceVersion: resourceVersion! },
            signal,
          });
        } catch (err) {
          if (!isNotFound(err)) throw err;
        }
        return undefined;
      };
      const queue = startReconciler(
        context,
        { name: 'ttl_jobs_to_delete', workers: WORKERS, informers: [informer], reconcile },
        signal,
      );
      const enqueue = (job: Job): void => {
        if (expiryOf(job) !== undefined) queue.add(objectKey(job));
      };
      informer.addHandler({ onAdd: enqueue, onUpdate: enqueue });
    },
  };
}
