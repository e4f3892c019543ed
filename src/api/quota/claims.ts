import { Quantity } from '../meta/quantity.ts';
import type { PersistentVolumeClaim } from '../types/core-v1.ts';
import { type QuotaEvaluator, selectsValue } from './evaluator.ts';

const COUNT = 'count/persistentvolumeclaims';
const CLAIMS = 'persistentvolumeclaims';
const STORAGE = 'requests.storage';
const CLASS_SUFFIX = '.storageclass.storage.k8s.io/';
const CLASS_ANNOTATION = 'volume.beta.kubernetes.io/storage-class';
const one = Quantity.of(1);

/** How claims count: by number and requested storage, in all and by storage class. */
export const claimQuota: QuotaEvaluator = {
  counts: (name) =>
    name === COUNT ||
    name === CLAIMS ||
    name === STORAGE ||
    name.endsWith(CLASS_SUFFIX + CLAIMS) ||
    name.endsWith(CLASS_SUFFIX + STORAGE),
  usage: (object) => {
    const { metadata, spec } = object as PersistentVolumeClaim;
    const amounts = new Map([
      [CLAIMS, one],
      [COUNT, one],
    ]);
    const className = metadata?.annotations?.[CLASS_ANNOTATION] ?? spec?.storageClassName ?? '';
    if (className !== '') amounts.set(className + CLASS_SUFFIX + CLAIMS, one);
    const request = spec?.resources?.requests?.['storage'];
    if (request !== undefined) {
      const storage = wholeBytes(Quantity.parse(String(request)));
      amounts.set(STORAGE, storage);
      if (className !== '') amounts.set(className + CLASS_SUFFIX + STORAGE, storage);
    }
    return amounts;
  },
  matchesScope: (requirement, object) => {
    if (requirement.scopeName !== 'VolumeAttributesClass') return false;
    const { spec, status } = object as PersistentVolumeClaim;
    const names = [
      spec?.volumeAttributesClassName,
      status?.currentVolumeAttributesClassName,
      status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
    ].filter((name): name is string => name !== undefined && name !== '');
    return selectsValue(requirement, names);
  },
};

const wholeBytes = (amount: Quantity): Quantity =>
  amount.exponent >= 0 ? amount : Quantity.of(amount.scaledValue(0), amount.format);
