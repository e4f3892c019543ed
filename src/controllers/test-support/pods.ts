import { formatTime } from '../../api/meta/time.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { Controller } from '../../client/controller.ts';
import { pods } from '../../client/resource-refs.ts';
import type { Fixture } from '../../client/test-support/fixture.ts';

/** A pod's status once it runs and is ready. */
export function readyStatus(now: number, ip = '10.244.0.5'): Pod['status'] {
  const lastTransitionTime = formatTime(now);
  return {
    phase: 'Running',
    podIP: ip,
    podIPs: [{ ip }],
    conditions: [{ type: 'Ready', status: 'True', lastTransitionTime }],
  };
}

/** Stands in for scheduler and kubelet: every new pod that `accepts` runs and is ready at once. */
export function instantKubelet(f: Fixture, accepts: (pod: Pod) => boolean = () => true): Controller {
  return {
    name: 'instant-kubelet',
    start(context) {
      context.informers.informer(pods).addHandler({
        onAdd: (pod) => {
          if (!accepts(pod)) return;
          const key = `${pod.metadata?.namespace}/${pod.metadata?.name}`;
          context.clock.setTimer(0, () => {
            if (f.api.find(pods, key) !== undefined)
              f.api.change(pods, key, (p) => ({ ...p, status: readyStatus(f.clock.now()) }));
          });
        },
      });
    },
  };
}

/**
 * Scheduler and kubelet through the API itself: every pod that `accepts` gets a status after `delayMs` (it runs and is ready, unless told
 * otherwise), and every pod being deleted is gone.
 */
export function quickKubelet(
  accepts: (pod: Pod) => boolean = () => true,
  delayMs = 0,
  statusOf: (pod: Pod, now: number) => Pod['status'] = (_, now) => readyStatus(now),
): Controller {
  return {
    name: 'quick-kubelet',
    start(context, signal) {
      const client = context.client.resource(pods);
      const ignore = (): void => {};
      const seen = (pod: Pod): void => {
        const { name = '', namespace = '', uid, deletionTimestamp } = pod.metadata ?? {};
        if (deletionTimestamp !== undefined) {
          client.delete(name, namespace, { gracePeriodSeconds: 0, preconditions: { uid: uid! } }).catch(ignore);
          return;
        }
        if ((pod.status?.phase ?? 'Pending') !== 'Pending' || !accepts(pod)) return;
        context.clock.setTimer(delayMs, () => {
          if (signal.aborted) return;
          const { clock } = context;
          client
            .get(name, namespace)
            .then((now) => {
              if ((now.status?.phase ?? 'Pending') !== 'Pending') return undefined;
              return client.updateStatus({ ...now, status: { ...now.status, ...statusOf(now, clock.now()) } });
            })
            .catch(ignore);
        });
      };
      context.informers.informer(pods).addHandler({ onAdd: seen, onUpdate: seen });
    },
  };
}
