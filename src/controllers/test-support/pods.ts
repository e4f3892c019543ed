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
