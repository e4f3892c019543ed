import { type FieldError, forbidden, invalid, notSupported, required, tooLong } from '../../meta/field-error.ts';
import { isDNS1123Label, isDNS1123Subdomain, isQualifiedName } from '../../meta/names.ts';
import type {
  Counter,
  CounterSet,
  Device,
  DeviceAttribute,
  DeviceCapacity,
  DeviceCounterConsumption,
  DeviceTaint,
  ResourcePool,
  ResourceSlice,
  ResourceSliceSpec,
} from '../../types/resource-v1.ts';
import { type Errors, report } from '../core/pod-validation/options.ts';
import { validateNodeSelector } from '../core/pod-validation/scheduling.ts';
import { deepEqual } from '../define.ts';
import { immutable } from '../field-checks.ts';
import { validateBindingConditions } from './binding-conditions.ts';
import { validateRequestPolicy } from './capacity-policy.ts';
import { taintEffects } from './claim-validation.ts';
import {
  maxShownKeyLength,
  maxShownLabelLength,
  validateDriverName,
  validateLabelValue,
  validateList,
  validateMap,
  validatePoolName,
  validateQualifiedName,
  validateSet,
} from './names.ts';

const maxDevices = 128;
/** Of devices that have more to them: taints, or counters that they consume. */
const maxElaborateDevices = 64;
const maxCounterSets = 8;
const maxCounters = 32;
const maxConsumptions = 2;
const maxAttributesAndCapacities = 32;
const maxAttributeLength = 64;
const maxTaints = 16;
const any = -1;

const noSpec: Partial<ResourceSliceSpec> = Object.freeze({});
const oneOfFour = 'exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required';
const oneOfThree =
  'exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec';

/** Everything wrong with a slice, new or (with `old`) changed. */
export function validateSlice(slice: ResourceSlice, old?: ResourceSlice): readonly FieldError[] {
  const errors: Errors = [];
  const spec = slice.spec ?? noSpec;
  validateDriverName(spec.driver, 'spec.driver', errors);
  validatePool(spec.pool, 'spec.pool', errors);
  if (old !== undefined) {
    const before = old.spec ?? noSpec;
    errors.push(
      ...immutable('spec.pool.name', spec.pool?.name, before.pool?.name),
      ...immutable('spec.driver', spec.driver, before.driver),
      ...immutable('spec.nodeName', spec.nodeName, before.nodeName),
    );
  }
  validateNodes(spec, errors);
  if (spec.sharedCounters !== undefined && spec.devices !== undefined) {
    errors.push(invalid('spec', '', 'only one of `sharedCounters` or `devices` is allowed'));
  }
  const elaborate = spec.devices?.some((d) => (d.taints?.length ?? 0) + (d.consumesCounters?.length ?? 0) > 0) === true;
  const known = new Map(old?.spec?.devices?.map((d) => [d.name, d]));
  const device = (item: Device, at: string): void =>
    validateDevice(item, known.get(item.name), spec.perDeviceNodeSelection === true, at, errors);
  validateSet(spec.devices, elaborate ? maxElaborateDevices : maxDevices, device, (d) => d.name, 'spec.devices', errors);
  validateSet(spec.sharedCounters, maxCounterSets, validateCounterSet, (c) => c.name, 'spec.sharedCounters', errors);
  return errors;
}

function validatePool(pool: ResourcePool | undefined, at: string, errors: Errors): void {
  const { name, resourceSliceCount = 0, generation = 0 }: Partial<ResourcePool> = pool ?? {};
  validatePoolName(name, `${at}.name`, errors);
  if (resourceSliceCount <= 0) {
    errors.push(invalid(`${at}.resourceSliceCount`, resourceSliceCount, 'must be greater than zero'));
  }
  if (generation < 0) errors.push(invalid(`${at}.generation`, generation, 'must be greater than or equal to zero'));
}

/** Which nodes can use the devices: told in one way. */
function validateNodes(spec: Partial<ResourceSliceSpec>, errors: Errors): void {
  const given: string[] = [];
  const { nodeName, nodeSelector, allNodes, perDeviceNodeSelection } = spec;
  if (nodeName === '') {
    errors.push(invalid('spec.nodeName', nodeName, 'must be either unset or set to a non-empty string'));
  } else if (nodeName !== undefined) {
    given.push('`nodeName`');
    report(errors, 'spec.nodeName', nodeName, isDNS1123Subdomain(nodeName));
  }
  if (nodeSelector !== undefined) {
    given.push('`nodeSelector`');
    validateNodeSelector(nodeSelector, 'spec.nodeSelector', false, errors);
    const terms = nodeSelector.nodeSelectorTerms;
    if (terms?.length !== 1) {
      errors.push(invalid('spec.nodeSelector.nodeSelectorTerms', terms, 'must have exactly one node selector term'));
    }
  }
  for (const [field, value] of Object.entries({ allNodes, perDeviceNodeSelection })) {
    if (value === true) given.push(`\`${field}\``);
    else if (value === false) errors.push(invalid(`spec.${field}`, value, 'must be either unset or set to true'));
  }
  if (given.length === 0) errors.push(required('spec', oneOfFour));
  else if (given.length > 1) {
    errors.push(invalid('spec', `{${given.join(', ')}}`, `${oneOfFour}, but multiple fields are set`));
  }
}

function validateDevice(device: Device, old: Device | undefined, perDevice: boolean, at: string, errors: Errors): void {
  const { name = '', attributes, capacity, taints, consumesCounters } = device;
  report(errors, `${at}.name`, name, isDNS1123Label(name));
  const count = Object.keys(attributes ?? {}).length + Object.keys(capacity ?? {}).length;
  if (count > maxAttributesAndCapacities) {
    const detail = `the total number of attributes and capacities must not exceed ${maxAttributesAndCapacities}`;
    errors.push(invalid(at, count, detail));
  }
  validateMap(attributes, any, maxShownKeyLength, validateQualifiedName, validateAttribute, `${at}.attributes`, errors);
  const shared = device.allowMultipleAllocations === true;
  const validateCapacity = ({ value, requestPolicy }: DeviceCapacity, here: string): void => {
    if (requestPolicy === undefined) return;
    if (shared) validateRequestPolicy(value, requestPolicy, `${here}.requestPolicy`, errors);
    else errors.push(forbidden(`${here}.requestPolicy`, 'allowMultipleAllocations must be true'));
  };
  validateMap(capacity, any, maxShownKeyLength, validateQualifiedName, validateCapacity, `${at}.capacity`, errors);
  if (old === undefined || !deepEqual(old.taints, taints)) validateList(taints, maxTaints, validateTaint, `${at}.taints`, errors);
  const here = `${at}.consumesCounters`;
  validateSet(consumesCounters, maxConsumptions, validateConsumption, (c) => c.counterSet, here, errors);
  validateDeviceNodes(device, perDevice, at, errors);
  validateBindingConditions(device, at, errors);
}

function validateDeviceNodes(device: Device, perDevice: boolean, at: string, errors: Errors): void {
  const { nodeName, nodeSelector, allNodes } = device;
  if (!perDevice) {
    if (nodeName !== undefined || nodeSelector !== undefined || allNodes !== undefined) {
      const detail =
        '`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec';
      errors.push(invalid(at, null, detail));
    }
    return;
  }
  const given: string[] = [];
  if (nodeName === '') errors.push(invalid(`${at}.nodeName`, nodeName, 'must not be empty'));
  else if (nodeName !== undefined) {
    given.push('`nodeName`');
    report(errors, `${at}.nodeName`, nodeName, isDNS1123Subdomain(nodeName));
  }
  if (nodeSelector !== undefined) {
    given.push('`nodeSelector`');
    validateNodeSelector(nodeSelector, `${at}.nodeSelector`, false, errors);
  }
  if (allNodes === true) given.push('`allNodes`');
  else if (allNodes === false) errors.push(invalid(`${at}.allNodes`, allNodes, 'must be either unset or set to true'));
  if (given.length === 0) errors.push(required(at, oneOfThree));
  else if (given.length > 1) errors.push(invalid(at, `{${given.join(', ')}}`, oneOfThree));
}

const number = '(0|[1-9]\\d*)';
const preRelease = '(0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*)';
const build = '[0-9a-zA-Z-]+';
/** semver.org 2.0.0 */
const isVersion = new RegExp(
  `^${number}\\.${number}\\.${number}(-${preRelease}(\\.${preRelease})*)?(\\+${build}(\\.${build})*)?$`,
);

function validateAttribute(attribute: DeviceAttribute, at: string, errors: Errors): void {
  const { string, version } = attribute;
  if (string !== undefined && Buffer.byteLength(string) > maxAttributeLength) {
    errors.push(tooLong(`${at}.string`, maxAttributeLength));
  }
  if (version !== undefined) {
    if (!isVersion.test(version)) {
      errors.push(invalid(`${at}.version`, version, 'must be a string compatible with semver.org spec 2.0.0'));
    }
    if (Buffer.byteLength(version) > maxAttributeLength) errors.push(tooLong(`${at}.version`, maxAttributeLength));
  }
  const values = Object.values(attribute).filter((value) => value !== undefined).length;
  if (values !== 1) errors.push(invalid(at, values === 0 ? '' : attribute, 'exactly one value must be specified'));
}

function validateTaint({ key = '', value, effect }: Partial<DeviceTaint>, at: string, errors: Errors): void {
  report(errors, `${at}.key`, key, isQualifiedName(key));
  if (value) validateLabelValue(value, `${at}.value`, errors);
  if (!effect) errors.push(required(`${at}.effect`));
  else if (!taintEffects.includes(effect)) errors.push(notSupported(`${at}.effect`, effect, taintEffects));
}

const counterName = (name: string, at: string, errors: Errors): void => report(errors, at, name, isDNS1123Label(name));
/** Any quantity will do. */
const counterValue = (): void => {};

function validateCounters(counters: Readonly<Record<string, Counter>> | undefined, at: string, errors: Errors): void {
  if (Object.keys(counters ?? {}).length === 0) errors.push(required(at));
  else validateMap(counters, maxCounters, maxShownLabelLength, counterName, counterValue, at, errors);
}

function validateCounterSet({ name, counters }: CounterSet, at: string, errors: Errors): void {
  if (!name) errors.push(required(`${at}.name`));
  else counterName(name, `${at}.name`, errors);
  validateCounters(counters, `${at}.counters`, errors);
}

function validateConsumption({ counterSet, counters }: DeviceCounterConsumption, at: string, errors: Errors): void {
  if (!counterSet) errors.push(required(`${at}.counterSet`));
  else counterName(counterSet, `${at}.counterSet`, errors);
  validateCounters(counters, `${at}.counters`, errors);
}
