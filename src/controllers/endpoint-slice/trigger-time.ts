import type { ObjectMeta } from '../../api/meta/object.ts';
import { formatTime, parseTime } from '../../api/meta/time.ts';
import type { Pod, Service } from '../../api/types/core-v1.ts';
import { podCondition } from '../workload/pod-state.ts';

/** Tells what change led to a version of Endpoints or slices; programming latency is measured from it. */
export const TRIGGER_TIME = 'endpoints.kubernetes.io/last-change-trigger-time';

/** Remembers, by service, which changes of pods have been dealt with. */
export class TriggerTimes {
  readonly #pods = new Map<string, ReadonlyMap<string, number>>();

  /** The earliest change since the last call, milliseconds; undefined when nothing that has a time changed. */
  next(key: string, service: Service, pods: readonly Pod[]): number | undefined {
    const before = this.#pods.get(key);
    const times = new Map<string, number>();
    let earliest: number | undefined;
    for (const pod of pods) {
      const time = parseTime(podCondition(pod, 'Ready')?.lastTransitionTime);
      if (time === undefined) continue;
      const name = pod.metadata?.name ?? '';
      times.set(name, time);
      if (time > (before?.get(name) ?? 0) && (earliest === undefined || time < earliest)) earliest = time;
    }
    this.#pods.set(key, times);
    return before === undefined ? parseTime(service.metadata?.creationTimestamp) : earliest;
  }

  forget(key: string): void {
    this.#pods.delete(key);
  }
}

/** Metadata with the trigger time in it, or without any when there is none. */
export function withTriggerTime(metadata: ObjectMeta | undefined, time: number | undefined): ObjectMeta {
  const { [TRIGGER_TIME]: _, ...others } = metadata?.annotations ?? {};
  const annotations = time === undefined ? others : { ...others, [TRIGGER_TIME]: formatTime(time) };
  const { annotations: __, ...rest } = metadata ?? {};
  return Object.keys(annotations).length === 0 ? rest : { ...rest, annotations };
}
