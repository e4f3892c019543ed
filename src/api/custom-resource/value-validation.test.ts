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

describe('the bounds of a number', () => {
  const within = (x: JSONSchemaProps, value: unknown): readonly string[] =>
    valueValidator({ type: 'object', properties: { x } }).validate({ x: value }, 'spec').map(formatFieldError);

  it('are told as integers of an integer, and as Go prints floats where either is none', () => {
    expect(within({ type: 'integer', maximum: 2147483648 }, 2147483649)).toEqual([
      'spec.x: Invalid value: 2147483649: x in body should be less than or equal to 2147483648',
    ]);
    const fraction: JSONSchemaProps = { type: 'integer', maximum: 2147483647.5 };
    expect(within(fraction, 2147483648)).toContain(
      'spec.x: Invalid value: 2.147483648e+09: x in body should be less than or equal to 2.1474836475e+09',
    );
    expect(within({ type: 'number', minimum: 1e6, exclusiveMinimum: true }, 0.00001)).toEqual([
      'spec.x: Invalid value: 1e-05: x in body should be greater than 1e+06',
    ]);
    // Beside an integer the fraction of a bound of type number is cut off.
    expect(within({ type: 'number', minimum: 2.5 }, 1)).toEqual([
      'spec.x: Invalid value: 1: x in body should be greater than or equal to 2',
    ]);
  });

  it('are multiples by division of integers, or of floats', () => {
    expect(within({ type: 'integer', multipleOf: 3 }, 9007199254740990)).toEqual([]);
    expect(within({ type: 'integer', multipleOf: 3 }, 9007199254740991)).toEqual([
      'spec.x: Invalid value: 9007199254740991: x in body should be a multiple of 3',
    ]);
    expect(within({ type: 'number', multipleOf: 0.01 }, 1.23)).toEqual([]);
    expect(within({ type: 'number', multipleOf: 0.5 }, 1.3)).toEqual([
      'spec.x: Invalid value: 1.3: x in body should be a multiple of 0.5',
    ]);
    // An integer has the factor cut to one.
    expect(within({ type: 'number', multipleOf: 0.5 }, 3)).toEqual([
      'spec.x: Invalid value: 0: factor MultipleOf declared for x must be positive: 0',
    ]);
    expect(within({ type: 'integer', multipleOf: 2.5 }, 3000001)).toContain(
      'spec.x: Invalid value: 3.000001e+06: x in body should be a multiple of 2.5',
    );
  });
});
