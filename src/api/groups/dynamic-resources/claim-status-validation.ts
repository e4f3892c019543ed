import { type FieldError, forbidden, invalid, notSupported, required, tooLong, tooMany } from '../../meta/field-error.ts';
import { isDNS1123Label } from '../../meta/names.ts';
import type {
  AllocatedDeviceStatus,
  AllocationResult,
  DeviceAllocationConfiguration,
  DeviceRequestAllocationResult,
  NetworkDeviceData,
  ResourceClaim,
  ResourceClaimConsumerReference,
  ResourceClaimStatus,
} from '../../types/resource-v1.ts';
import { validateConditions } from '../conditions-validation.ts';
import { type Errors, report } from '../core/pod-validation/options.ts';
import { validateNodeSelector } from '../core/pod-validation/scheduling.ts';
import { deepEqual } from '../define.ts';
import { validateInterfaceAddress } from '../ip.ts';
import { validateBindingConditions } from './binding-conditions.ts';
import { type RequestNames, requestNames, validateRequestRef, validateRequestRefs } from './claim-validation.ts';
import { maxConfigurations, validateConfiguration, validateRawObject } from './device-configuration.ts';
import { validateDriverName, validateList, validatePoolName, validateSet, validateUid } from './names.ts';

const maxReservations = 256;
const maxResults = 32;
const maxConditions = 8;
const maxDataLength = 10 * 1024;
const maxInterfaceNameLength = 256;
const maxHardwareAddressLength = 128;
const maxIPs = 16;
const any = -1;
const sources = ['FromClaim', 'FromClass'];
const noStatus: ResourceClaimStatus = Object.freeze({});

type DeviceId = Pick<AllocatedDeviceStatus, 'driver' | 'pool' | 'device' | 'shareID'>;

/** One allocated device among all, and its share when it is shared: `driver/pool/device[/share]`. */
export const allocatedDeviceId = ({ driver = '', pool = '', device = '', shareID }: DeviceId): string =>
  `${driver}/${pool}/${device}${shareID === undefined ? '' : `/${shareID}`}`;

/** Everything wrong with a claim's new status. */
export function validateClaimStatusUpdate(claim: ResourceClaim, old: ResourceClaim): readonly FieldError[] {
  const errors: Errors = [];
  const { reservedFor = [], devices, allocation } = claim.status ?? noStatus;
  const before = old.status ?? noStatus;
  const names = requestNames(claim.spec?.devices);
  validateSet(reservedFor, maxReservations, validateConsumer, (c) => c.uid, 'status.reservedFor', errors);
  const allocated = new Set(allocation?.devices?.results?.map(allocatedDeviceId));
  const device = (item: AllocatedDeviceStatus, at: string): void => validateDeviceStatus(item, allocated, at, errors);
  validateSet(devices, any, device, allocatedDeviceId, 'status.devices', errors);
  if (reservedFor.length > 0) {
    if (allocation === undefined) {
      errors.push(forbidden('status.reservedFor', 'may not be specified when `allocated` is not set'));
    } else if (claim.metadata?.deletionTimestamp !== undefined) {
      const grown = reservedFor.some((c) => !before.reservedFor?.some((b) => deepEqual(b, c)));
      const detail = 'new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set';
      if (grown) errors.push(forbidden('status.reservedFor', detail));
    }
  }
  if (allocation !== undefined) {
    if (before.allocation === undefined) validateAllocation(allocation, names, 'status.allocation', errors);
    else if (!deepEqual(allocation, before.allocation)) {
      errors.push(invalid('status.allocation', allocation, 'field is immutable'));
    }
  }
  return errors;
}

function validateConsumer(consumer: ResourceClaimConsumerReference, at: string, errors: Errors): void {
  for (const field of ['resource', 'name', 'uid'] as const) if (!consumer[field]) errors.push(required(`${at}.${field}`));
}

function validateAllocation({ devices, nodeSelector }: AllocationResult, names: RequestNames, at: string, errors: Errors): void {
  const result = (item: DeviceRequestAllocationResult, here: string): void => validateResult(item, names, here, errors);
  validateList(devices?.results, maxResults, result, `${at}.devices.results`, errors);
  const config = (item: DeviceAllocationConfiguration, here: string): void => {
    if (!item.source) errors.push(required(`${here}.source`));
    else if (!sources.includes(item.source)) errors.push(notSupported(`${here}.source`, item.source, sources));
    validateRequestRefs(item.requests, names, `${here}.requests`, errors);
    validateConfiguration(item, here, false, errors);
  };
  // Those of the class and those of the claim.
  validateList(devices?.config, 2 * maxConfigurations, config, `${at}.devices.config`, errors);
  if (nodeSelector !== undefined) validateNodeSelector(nodeSelector, `${at}.nodeSelector`, false, errors);
}

function validateResult(result: DeviceRequestAllocationResult, names: RequestNames, at: string, errors: Errors): void {
  const { request = '', driver, pool, device = '', shareID } = result;
  validateRequestRef(request, names, `${at}.request`, errors);
  validateDriverName(driver, `${at}.driver`, errors);
  validatePoolName(pool, `${at}.pool`, errors);
  report(errors, `${at}.device`, device, isDNS1123Label(device));
  validateBindingConditions(result, at, errors);
  if (shareID !== undefined) validateUid(shareID, `${at}.shareID`, errors);
}

function validateDeviceStatus(status: AllocatedDeviceStatus, allocated: ReadonlySet<string>, at: string, errors: Errors): void {
  const { driver, pool, device = '', shareID, conditions = [], data, networkData } = status;
  validateDriverName(driver, `${at}.driver`, errors);
  validatePoolName(pool, `${at}.pool`, errors);
  report(errors, `${at}.device`, device, isDNS1123Label(device));
  if (shareID !== undefined) validateUid(shareID, `${at}.shareID`, errors);
  const id = allocatedDeviceId(status);
  if (!allocated.has(id)) errors.push(invalid(at, id, 'must be an allocated device in the claim'));
  if (conditions.length > maxConditions) errors.push(tooMany(`${at}.conditions`, conditions.length, maxConditions));
  errors.push(...validateConditions(conditions, `${at}.conditions`));
  if (data !== undefined) validateRawObject(data, `${at}.data`, maxDataLength, errors);
  if (networkData !== undefined) validateNetworkData(networkData, `${at}.networkData`, errors);
}

function validateNetworkData(data: NetworkDeviceData, at: string, errors: Errors): void {
  const { interfaceName = '', hardwareAddress = '', ips } = data;
  if (Buffer.byteLength(interfaceName) > maxInterfaceNameLength) {
    errors.push(tooLong(`${at}.interfaceName`, maxInterfaceNameLength));
  }
  if (Buffer.byteLength(hardwareAddress) > maxHardwareAddressLength) {
    errors.push(tooLong(`${at}.hardwareAddress`, maxHardwareAddressLength));
  }
  const address = (ip: string, here: string): void => void errors.push(...validateInterfaceAddress(here, ip));
  validateSet(ips, maxIPs, address, (ip) => ip, `${at}.ips`, errors);
}
