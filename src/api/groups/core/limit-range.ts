import { duplicate, type FieldError, FieldPath, forbidden, invalid, required } from '../../meta/field-error.ts';
import { isQualifiedName, nameIsDNSSubdomain } from '../../meta/names.ts';
import { Quantity } from '../../meta/quantity.ts';
import type { LimitRange, LimitRangeItem } from '../../types/core-v1.ts';
import { groupVersion, plainColumns, plainRow } from '../define.ts';
import { check } from '../field-checks.ts';
import { containerResourceNameFaults, resourceNameFaults } from './resource-faults.ts';
import { isOvercommitAllowed } from './resource-names.ts';

const define = groupVersion('', 'v1');
const limitsPath = new FieldPath('spec.limits');
const bounds = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const;

/** For containers: an unset limit is the maximum; an unset request is the limit, or else the minimum. */
function defaultItem(item: LimitRangeItem): LimitRangeItem {
  if (item.type !== 'Container') return item;
  const limits = { ...item.max, ...item.default };
  return { ...item, default: limits, defaultRequest: { ...item.min, ...limits, ...item.defaultRequest } };
}

function typeFaults(item: LimitRangeItem, path: FieldPath): readonly FieldError[] {
  const type = item.type ?? '';
  const errors = check(path, type, isQualifiedName);
  if (errors.length > 0 || type.includes('/') || ['Container', 'PersistentVolumeClaim', 'Pod'].includes(type)) return errors;
  return [invalid(path, type, 'must be a standard limit type or fully qualified')];
}

function itemFaults(item: LimitRangeItem, path: FieldPath): readonly FieldError[] {
  const errors: FieldError[] = [];
  const isPod = item.type === 'Pod';
  const nameFaults = isPod || item.type === 'Container' ? containerResourceNameFaults : resourceNameFaults;
  const names = new Set<string>();
  for (const bound of bounds) {
    const isDefault = bound === 'default' || bound === 'defaultRequest';
    if (isPod && isDefault) {
      if (Object.keys(item[bound] ?? {}).length > 0) {
        errors.push(forbidden(path.child(bound), "may not be specified when `type` is 'Pod'"));
      }
      continue;
    }
    if (bound === 'maxLimitRequestRatio' && item.type === 'PersistentVolumeClaim') {
      if (item.min?.['storage'] === undefined && item.max?.['storage'] === undefined) {
        const detail = 'either minimum or maximum storage value is required, but neither was provided';
        errors.push(required(path.child('limits'), detail));
      }
    }
    for (const name of Object.keys(item[bound] ?? {})) {
      errors.push(...nameFaults(path.child(bound).key(name), name));
      names.add(name);
    }
  }
  for (const name of names) errors.push(...amountFaults(item, name, path, isPod));
  return errors;
}

/** How the bounds of one resource must lie: min ≤ default request ≤ default ≤ max. */
function amountFaults(item: LimitRangeItem, name: string, path: FieldPath, isPod: boolean): readonly FieldError[] {
  const read = (bound: (typeof bounds)[number]): Quantity | undefined => {
    const text = item[bound]?.[name];
    return text === undefined ? undefined : Quantity.parse(String(text));
  };
  const min = read('min');
  const max = read('max');
  const limit = isPod ? undefined : read('default');
  const request = isPod ? undefined : read('defaultRequest');
  const ratio = read('maxLimitRequestRatio');
  const errors: FieldError[] = [];
  const above = (low: Quantity | undefined, high: Quantity | undefined): boolean =>
    low !== undefined && high !== undefined && low.compare(high) > 0;
  const fault = (bound: string, value: Quantity, detail: string): void =>
    void errors.push(invalid(path.child(bound).key(name), value.toString(), detail));

  if (above(min, max)) fault('min', min!, `min value ${min} is greater than max value ${max}`);
  if (above(min, request)) fault('defaultRequest', request!, `min value ${min} is greater than default request value ${request}`);
  if (above(request, max)) fault('defaultRequest', request!, `default request value ${request} is greater than max value ${max}`);
  if (above(request, limit)) {
    fault('defaultRequest', request!, `default request value ${request} is greater than default limit value ${limit}`);
  }
  if (above(min, limit)) fault('default', min!, `min value ${min} is greater than default value ${limit}`);
  if (above(limit, max)) fault('default', max!, `default value ${limit} is greater than max value ${max}`);
  if (ratio !== undefined && ratio.compare(Quantity.of(1)) < 0)
    fault('maxLimitRequestRatio', ratio, `ratio ${ratio} is less than 1`);
  if (ratio !== undefined && min !== undefined && max !== undefined) {
    const most = max.toNumber() / min.toNumber();
    if (ratio.toNumber() > most) {
      fault('maxLimitRequestRatio', ratio, `ratio ${ratio} is greater than max/min = ${most.toFixed(6)}`);
    }
  }
  if (!isOvercommitAllowed(name) && limit !== undefined && request !== undefined && limit.compare(request) !== 0) {
    fault('defaultRequest', request, `default value ${limit} must equal to defaultRequest value ${request} in ${name}`);
  }
  return errors;
}

function validate(object: LimitRange): readonly FieldError[] {
  const seen = new Set<string>();
  return (object.spec?.limits ?? []).flatMap((item, i) => {
    const path = limitsPath.index(i);
    const type = item.type ?? '';
    const errors = [...typeFaults(item, path.child('type'))];
    if (seen.has(type)) errors.push(duplicate(path.child('type'), type));
    seen.add(type);
    return [...errors, ...itemFaults(item, path)];
  });
}

export const limitRange = define<LimitRange>({
  kind: 'LimitRange',
  plural: 'limitranges',
  namespaced: true,
  shortNames: ['limits'],
  defaults: (object) =>
    object.spec?.limits === undefined
      ? object
      : { ...object, spec: { ...object.spec, limits: object.spec.limits.map(defaultItem) } },
  strategy: {
    // Upstream gives what has no name one that nothing else has.
    prepareForCreate: (object) =>
      object.metadata?.name || !object.metadata?.uid
        ? object
        : { ...object, metadata: { ...object.metadata, name: object.metadata.uid } },
  },
  validate,
  validateName: nameIsDNSSubdomain,
  columns: plainColumns,
  row: plainRow,
});
