import { tolerates } from '../../api/groups/core/toleration.ts';
import { parseTime } from '../../api/meta/time.ts';
import type { Taint, Toleration } from '../../api/types/core-v1.ts';
import type { DeviceRequestAllocationResult, DeviceTaint, ResourceClaim, ResourceSlice } from '../../api/types/resource-v1.ts';

/** The NoExecute taints of a device, as its driver publishes it now. */
export type TaintsOf = (result: DeviceRequestAllocationResult) => readonly DeviceTaint[];

const NONE: readonly DeviceTaint[] = [];

/** Files slices by the pool they are of. */
export const poolKey = (driver: string, pool: string): string => `${driver}/${pool}`;

/** The NoExecute taints of a device in the slices of its pool; what an older generation of the pool says does not count. Pure. */
export function taintsOfDevice(slices: readonly ResourceSlice[], device: string): readonly DeviceTaint[] {
  let newest = Number.NEGATIVE_INFINITY;
  for (const { spec } of slices) newest = Math.max(newest, spec.pool.generation);
  for (const { spec } of slices) {
    if (spec.pool.generation !== newest) continue;
    const found = spec.devices?.find(({ name }) => name === device);
    if (found !== undefined) return (found.taints ?? NONE).filter(({ effect }) => effect === 'NoExecute');
  }
  return NONE;
}

/** When pods that use a claim must go: milliseconds since the epoch; undefined when they may stay. Pure. */
export function claimEvictionTime(claim: ResourceClaim, taintsOf: TaintsOf): number | undefined {
  let earliest: number | undefined;
  for (const result of claim.status?.allocation?.devices?.results ?? []) {
    for (const taint of taintsOf(result)) {
      const seconds = toleratedSeconds(taint, (result.tolerations ?? []) as readonly Toleration[]);
      if (seconds === undefined) continue;
      const at = (parseTime(taint.timeAdded) ?? 0) + seconds * 1000;
      if (earliest === undefined || at < earliest) earliest = at;
    }
  }
  return earliest;
}

/** How long a taint is tolerated, 0 for not at all, undefined for ever. The shortest time counts. */
function toleratedSeconds(taint: DeviceTaint, tolerations: readonly Toleration[]): number | undefined {
  let tolerated = false;
  let least: number | undefined;
  for (const toleration of tolerations) {
    if (!tolerates(toleration, taint as Taint)) continue;
    tolerated = true;
    const { tolerationSeconds } = toleration;
    if (tolerationSeconds === undefined) continue;
    const seconds = Math.max(0, tolerationSeconds);
    if (least === undefined || seconds < least) least = seconds;
  }
  return tolerated ? least : 0;
}
