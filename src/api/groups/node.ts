import { type FieldError, FieldPath, invalid } from '../meta/field-error.ts';
import { validateLabels } from '../meta/label-selector-validation.ts';
import { isDNS1123Label, isQualifiedName, nameIsDNSSubdomain } from '../meta/names.ts';
import type { Resource } from '../resource.ts';
import type { RuntimeClass } from '../types/node-v1.ts';
import { containerResourceNameFaults, quantityFaults } from './core/resource-faults.ts';
import { age, column, groupVersion, standardColumns } from './define.ts';
import { check, immutable } from './field-checks.ts';

const define = groupVersion('node.k8s.io', 'v1');

function schedulingFaults(object: RuntimeClass): readonly FieldError[] {
  const { nodeSelector, tolerations = [] } = object.scheduling ?? {};
  const path = new FieldPath('scheduling');
  const errors: FieldError[] = nodeSelector === undefined ? [] : [...validateLabels(nodeSelector, path.child('nodeSelector'))];
  tolerations.forEach((toleration, i) => {
    const at = path.child('tolerations').index(i);
    if (toleration.key) errors.push(...check(at.child('key'), toleration.key, isQualifiedName));
    else if (toleration.operator !== 'Exists') {
      const detail = 'operator must be Exists when `key` is empty, which means "match all values and all keys"';
      errors.push(invalid(at.child('operator'), toleration.operator ?? '', detail));
    }
  });
  return errors;
}

function validate(object: RuntimeClass): readonly FieldError[] {
  const overhead = new FieldPath('overhead.limits');
  return [
    ...check('handler', object.handler ?? '', isDNS1123Label),
    ...Object.entries(object.overhead?.podFixed ?? {}).flatMap(([name, amount]) => [
      ...containerResourceNameFaults(overhead.key(name), name),
      ...quantityFaults(overhead.key(name), name, amount),
    ]),
    ...schedulingFaults(object),
  ];
}

const runtimeClass = define<RuntimeClass>({
  kind: 'RuntimeClass',
  plural: 'runtimeclasses',
  namespaced: false,
  strategy: { allowUnconditionalUpdate: false },
  validate,
  validateUpdate: (object, old) => immutable('handler', object.handler ?? '', old.handler ?? ''),
  validateName: nameIsDNSSubdomain,
  columns: standardColumns(column('Handler', 'string', '')),
  row: (object, now) => [object.metadata?.name ?? '', object.handler ?? '', age(object.metadata?.creationTimestamp, now)],
});

export const nodeResources: readonly Resource[] = [runtimeClass];
