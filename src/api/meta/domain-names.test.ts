import { describe, expect, it } from 'vitest';
import {
  validateDomainPrefixedKey,
  validateDomainPrefixedPath,
  validateFullyQualifiedDomainName,
  validateFullyQualifiedName,
} from './domain-names.ts';
import { formatFieldError } from './field-error.ts';

describe('domain names', () => {
  it('say what upstream says', () => {
    expect(validateFullyQualifiedName('f', 'a.example.com')).toEqual([]);
    expect(validateFullyQualifiedName('f', 'example.com').map(formatFieldError)).toEqual([
      'f: Invalid value: "example.com": should be a domain with at least three segments separated by dots',
    ]);
    expect(validateFullyQualifiedName('f', '').map(formatFieldError)).toEqual(['f: Required value']);
    expect(validateFullyQualifiedDomainName('f', 'example.com.')).toEqual([]);
    expect(validateFullyQualifiedDomainName('f', 'example')).toHaveLength(1);
    expect(validateDomainPrefixedPath('f', 'acme.io/foo/bar')).toEqual([]);
    expect(validateDomainPrefixedPath('f', 'acme').map(formatFieldError)).toEqual([
      'f: Invalid value: "acme": must be a domain-prefixed path (such as "acme.io/foo")',
    ]);
    expect(validateDomainPrefixedPath('f', 'acme.io/f oo')).toHaveLength(1);
    expect(validateDomainPrefixedKey('f', 'acme.io/foo')).toEqual([]);
    expect(validateDomainPrefixedKey('f', 'foo')).toHaveLength(1);
  });
});
