import { type FieldError, invalid } from '../../meta/field-error.ts';
import { nameIsLongName } from '../../meta/names.ts';
import type { DeviceClass } from '../../types/resource-v1.ts';
import type { Errors } from '../core/pod-validation/options.ts';
import { isExtendedResource } from '../core/resource-names.ts';
import { deepEqual, groupVersion } from '../define.ts';
import { maxConfigurations, validateConfiguration, validateSelectors } from './device-configuration.ts';
import { validateList } from './names.ts';

const define = groupVersion('resource.k8s.io', 'v1');

function validate(object: DeviceClass, old?: DeviceClass): readonly FieldError[] {
  const errors: Errors = [];
  const { selectors, config, extendedResourceName } = object.spec ?? {};
  const stored = old !== undefined && deepEqual(config, old.spec?.config);
  validateSelectors(selectors, 'spec.selectors', errors);
  validateList(config, maxConfigurations, (item, at) => validateConfiguration(item, at, stored, errors), 'spec.config', errors);
  if (extendedResourceName !== undefined && !isExtendedResource(extendedResourceName)) {
    errors.push(invalid('spec.extendedResourceName', extendedResourceName, 'must be a valid extended resource name'));
  }
  return errors;
}

/** A kind of device that can be claimed, and how such devices are configured. */
export const deviceClass = define<DeviceClass>({
  kind: 'DeviceClass',
  plural: 'deviceclasses',
  namespaced: false,
  generation: true,
  validate: (object) => validate(object),
  validateUpdate: (object, old) => validate(object, old),
  validateName: nameIsLongName,
});
