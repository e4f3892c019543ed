import { durationMs } from '../../api/meta/duration.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { SYSTEM_CRITICAL_PRIORITY } from '../pods/pod-spec.ts';

/** How long pods of this priority and above have when the node shuts down. Seconds. */
export interface ShutdownGracePeriod {
  readonly priority: number;
  readonly seconds: number;
}

/** The settings of a graceful shutdown as KubeletConfiguration has them. */
export interface ShutdownSettings {
  readonly shutdownGracePeriod?: string;
  readonly shutdownGracePeriodCriticalPods?: string;
  readonly shutdownGracePeriodByPodPriority?: readonly {
    readonly priority?: number;
    readonly shutdownGracePeriodSeconds?: number;
  }[];
}

/** What the settings mean, least priority first (nodeshutdown migrateConfig); empty: pods are not waited for. Throws Error. */
export function shutdownGracePeriods(settings: ShutdownSettings): readonly ShutdownGracePeriod[] {
  const all = settings.shutdownGracePeriod === undefined ? 0 : durationMs(settings.shutdownGracePeriod);
  const critical =
    settings.shutdownGracePeriodCriticalPods === undefined ? 0 : durationMs(settings.shutdownGracePeriodCriticalPods);
  const given = settings.shutdownGracePeriodByPodPriority ?? [];
  if (all < 0 || critical < 0 || critical > all) {
    throw new Error(
      `invalid configuration: shutdownGracePeriod ${all} ms must be >= 0, shutdownGracePeriodCriticalPods ${critical} ms must be >= 0, and must be <= shutdownGracePeriod`,
    );
  }
  if ((all > 0 || critical > 0) && given.length > 0) {
    throw new Error(
      'invalid configuration: Cannot specify both shutdownGracePeriodByPodPriority and shutdownGracePeriod at the same time',
    );
  }
  if (all > 0) {
    return [
      { priority: 0, seconds: Math.trunc((all - critical) / 1000) },
      { priority: SYSTEM_CRITICAL_PRIORITY, seconds: Math.trunc(critical / 1000) },
    ];
  }
  return given
    .map(({ priority = 0, shutdownGracePeriodSeconds: seconds = 0 }) => ({ priority, seconds }))
    .toSorted((a, b) => a.priority - b.priority);
}

/** Pods by the period that is theirs, in the order in which they are ended. Those below all periods are with the first. */
export function shutdownGroups(
  pods: readonly Pod[],
  periods: readonly ShutdownGracePeriod[],
): readonly { readonly seconds: number; readonly pods: readonly Pod[] }[] {
  const groups = periods.map(({ seconds }) => ({ seconds, pods: [] as Pod[] }));
  for (const pod of pods) {
    const priority = pod.spec?.priority ?? 0;
    const last = periods.findLastIndex((p) => p.priority <= priority);
    groups[Math.max(last, 0)]?.pods.push(pod);
  }
  return groups;
}
