import { describe, expect, it } from 'vitest';
import { formatFieldError } from '../meta/field-error.ts';
import type { JSONSchemaProps } from '../types/apiextensions-v1.ts';
import { valueValidator } from './value-validation.ts';

const faults = (schema: JSONSchemaProps, value: unknown): readonly string[] =>
  valueValidator(schema).validate(value, 'spec.x').map(formatFieldError);

describe('values of an enum', () => {
  it('are compared after a conversion to the type of the enum, as Go converts', () => {
    const integers: JSONSchemaProps = { type: 'number', enum: [1, 2] };
    expect(faults(integers, 2.5)).toEqual([]);
    expect(faults(integers, 3.5)).toEqual(['spec.x: Unsupported value: 3.5: supported values: "1", "2"']);
    expect(faults({ type: 'number', enum: [1.5] }, 1)).toHaveLength(1);
    // 97 is the character a.
    expect(faults({ 'x-kubernetes-int-or-string': true, enum: ['a'] }, 97)).toEqual([]);
    expect(faults({ 'x-kubernetes-int-or-string': true, enum: ['a'] }, 98)).toHaveLength(1);
  });
});
