import { describe, expect, it } from 'vitest';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { withReadableEntries } from './admitted-entries.ts';

const entry = { manager: 'a', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: { 'f:data': {} } };
const object = (managedFields?: readonly object[]) =>
  deepFreeze({ kind: 'ConfigMap', metadata: { name: 'm', ...(managedFields === undefined ? {} : { managedFields }) } });

describe('managedFields after admission', () => {
  it('are what admission made of them', () => {
    const warnings: string[] = [];
    const admitted = object([{ ...entry, manager: 'b' }]);
    expect(withReadableEntries(admitted, object([entry]), warnings)).toBe(admitted);
    expect(warnings).toEqual([]);
  });

  it('are as before, with a warning, when they cannot be read', () => {
    const warnings: string[] = [];
    expect(withReadableEntries(object([{ ...entry, operation: 'Guess' }]), object([entry]), warnings)).toEqual(object([entry]));
    expect(warnings).toEqual([
      '.metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating admission controller; please fix your requests: operation must be `Apply` or `Update`',
    ]);
    expect(withReadableEntries(object([{}]), object(), warnings)).toEqual(object());
  });
});
