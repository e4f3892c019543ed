import { invalid, notSupported, required } from '../../meta/field-error.ts';
import { isDNS1123Label, isDNS1123Subdomain, isQualifiedName } from '../../meta/names.ts';
import type {
  DeviceClaim,
  DeviceConstraint,
  DeviceRequest,
  DeviceSubRequest,
  DeviceToleration,
  ExactDeviceRequest,
} from '../../types/resource-v1.ts';
import { type Errors, report } from '../core/pod-validation/options.ts';
import { maxConfigurations, validateConfiguration, validateSelectors } from './device-configuration.ts';
import { validateFullyQualifiedName, validateLabelValue, validateList, validateSet } from './names.ts';

const maxRequests = 32;
const maxConstraints = 32;
const maxAlternatives = 8;
const allocationModes = ['All', 'ExactCount'];
const tolerationOperators = ['Equal', 'Exists'];
export const taintEffects: readonly string[] = ['NoExecute', 'NoSchedule', 'None'];

/** The names of the requests of a claim; of each, those of its alternatives. */
export type RequestNames = ReadonlyMap<string, ReadonlySet<string>>;

export const requestNames = (claim: DeviceClaim | undefined): RequestNames =>
  new Map(claim?.requests?.map((r) => [r.name, new Set(r.firstAvailable?.map((alternative) => alternative.name))]));

/** Everything wrong with the devices that a claim, or a template of claims, asks for. */
export function validateDeviceClaim(claim: DeviceClaim | undefined, at: string, errors: Errors): void {
  const names = requestNames(claim);
  validateSet(claim?.requests, maxRequests, validateRequest, (r) => r.name, `${at}.requests`, errors);
  const constraint = (item: DeviceConstraint, here: string): void => validateConstraint(item, names, here, errors);
  validateList(claim?.constraints, maxConstraints, constraint, `${at}.constraints`, errors);
  validateList(
    claim?.config,
    maxConfigurations,
    (item, here) => {
      validateRequestRefs(item.requests, names, `${here}.requests`, errors);
      validateConfiguration(item, here, false, errors);
    },
    `${at}.config`,
    errors,
  );
}

function validateRequest(request: DeviceRequest, at: string, errors: Errors): void {
  const { name = '', exactly, firstAvailable = [] } = request;
  report(errors, `${at}.name`, name, isDNS1123Label(name));
  if (exactly === undefined && firstAvailable.length === 0) {
    errors.push(required(at, 'exactly one of `exactly` or `firstAvailable` is required'));
  } else if (exactly !== undefined && firstAvailable.length > 0) {
    const detail = 'exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set';
    errors.push(invalid(at, null, detail));
  } else if (exactly !== undefined) validateDevices(exactly, `${at}.exactly`, errors);
  else validateSet(firstAvailable, maxAlternatives, validateAlternative, (r) => r.name, `${at}.firstAvailable`, errors);
}

function validateAlternative(request: DeviceSubRequest, at: string, errors: Errors): void {
  const { name = '' } = request;
  report(errors, `${at}.name`, name, isDNS1123Label(name));
  validateDevices(request, at, errors);
}

function validateDevices(request: ExactDeviceRequest | DeviceSubRequest, at: string, errors: Errors): void {
  const { deviceClassName = '', selectors, allocationMode = '', count = 0, tolerations = [] } = request;
  if (deviceClassName === '') errors.push(required(`${at}.deviceClassName`));
  else report(errors, `${at}.deviceClassName`, deviceClassName, isDNS1123Subdomain(deviceClassName));
  validateSelectors(selectors, `${at}.selectors`, errors);
  if (allocationMode === 'All') {
    if (count !== 0) errors.push(invalid(`${at}.count`, count, "must not be specified when allocationMode is 'All'"));
  } else if (allocationMode === 'ExactCount') {
    if (count <= 0) errors.push(invalid(`${at}.count`, count, 'must be greater than zero'));
  } else errors.push(notSupported(`${at}.allocationMode`, allocationMode, allocationModes));
  tolerations.forEach((toleration, i) => {
    validateToleration(toleration, `${at}.tolerations[${i}]`, errors);
  });
}

function validateToleration(toleration: DeviceToleration, at: string, errors: Errors): void {
  const { key, operator, value = '', effect } = toleration;
  if (key) report(errors, `${at}.key`, key, isQualifiedName(key));
  if (operator === 'Exists') {
    if (value !== '') errors.push(invalid(`${at}.value`, value, 'must be empty for operator `Exists`'));
  } else if (operator === 'Equal') validateLabelValue(value, `${at}.value`, errors);
  else if (!operator) errors.push(required(`${at}.operator`));
  else errors.push(notSupported(`${at}.operator`, operator, tolerationOperators));
  if (effect && !taintEffects.includes(effect)) errors.push(notSupported(`${at}.effect`, effect, taintEffects));
}

function validateConstraint(constraint: DeviceConstraint, names: RequestNames, at: string, errors: Errors): void {
  const { requests, matchAttribute, distinctAttribute } = constraint;
  validateRequestRefs(requests, names, `${at}.requests`, errors);
  if (matchAttribute !== undefined) validateFullyQualifiedName(matchAttribute, `${at}.matchAttribute`, errors);
  else if (distinctAttribute !== undefined) validateFullyQualifiedName(distinctAttribute, `${at}.distinctAttribute`, errors);
  else {
    // The words are upstream's.
    const detail = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set';
    errors.push(required(at, detail));
  }
}

/** Names of requests, each once. */
export function validateRequestRefs(refs: readonly string[] | undefined, names: RequestNames, at: string, errors: Errors): void {
  const each = (ref: string, here: string): void => validateRequestRef(ref, names, here, errors);
  validateSet(refs, maxRequests, each, (ref) => ref, at, errors);
}

/** The name of a request, or of one of its alternatives: `gpu/small`. */
export function validateRequestRef(ref: string, names: RequestNames, at: string, errors: Errors): void {
  const unknown = invalid(
    at,
    ref,
    "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'",
  );
  const parts = ref.split('/');
  if (parts.length > 2) {
    errors.push(unknown);
    return;
  }
  for (const part of parts) report(errors, at, part, isDNS1123Label(part));
  const alternatives = names.get(parts[0]!);
  if (alternatives === undefined || (parts.length === 2 && !alternatives.has(parts[1]!))) errors.push(unknown);
}
