import { Quantity } from '../meta/quantity.ts';
import type { ResourceClaim } from '../types/resource-v1.ts';
import type { Amounts } from './amounts.ts';
import type { QuotaEvaluator } from './evaluator.ts';

const COUNT = 'count/resourceclaims.resource.k8s.io';
const CLASS_SUFFIX = '.deviceclass.resource.k8s.io/devices';
const one = Quantity.of(1);
/** The most devices that one claim can be given (resource.k8s.io AllocationResultsMaxSize): what a request for all may come to. */
const MAX_DEVICES = 32;

/** What a request asks of one class, or one of its alternatives. */
interface DeviceRequest {
  readonly deviceClassName?: string;
  readonly allocationMode?: string;
  readonly count?: number;
}

/** Modes that are not known count nothing. */
function devicesOf({ allocationMode, count = 0 }: DeviceRequest): number {
  if (allocationMode === 'ExactCount') return count;
  return allocationMode === 'All' ? MAX_DEVICES : 0;
}

/** How claims of devices count: by number, and by the devices that they may be given of each class at worst. */
export const resourceClaimQuota: QuotaEvaluator = {
  counts: (name) => name === COUNT || name.endsWith(CLASS_SUFFIX),
  usage: (object): Amounts => {
    const devices = new Map<string, number>();
    const add = (deviceClass: string, count: number): void =>
      void devices.set(deviceClass, (devices.get(deviceClass) ?? 0) + count);
    for (const { exactly, firstAvailable = [] } of (object as ResourceClaim).spec?.devices?.requests ?? []) {
      if (firstAvailable.length > 0) {
        const most = new Map<string, number>();
        for (const alternative of firstAvailable) {
          const name = alternative.deviceClassName ?? '';
          const count = devicesOf(alternative);
          if (count > (most.get(name) ?? 0)) most.set(name, count);
        }
        for (const [name, count] of most) add(name, count);
      } else if (exactly !== undefined) {
        add(exactly.deviceClassName ?? '', devicesOf(exactly));
      }
    }
    return new Map([[COUNT, one], ...[...devices].map(([name, count]) => [name + CLASS_SUFFIX, Quantity.of(count)] as const)]);
  },
  matchesScope: () => false,
};
