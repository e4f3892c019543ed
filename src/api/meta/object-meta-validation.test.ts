import { describe, expect, it } from 'vitest';
import { deepFreeze } from '../../util/deep-freeze.ts';
import type { ObjectMeta } from '../types/meta-v1.ts';
import { formatFieldError, invalid, notSupported } from './field-error.ts';
import { validateLabelSelector } from './label-selector-validation.ts';
import {
  isConfigMapKey,
  isDNS1123Label,
  isQualifiedName,
  isRelaxedEnvVarName,
  isValidPortName,
  nameIsDNSSubdomain,
} from './names.ts';
import { validateNameInPath, validateObjectMeta, validateObjectMetaUpdate } from './object-meta-validation.ts';

const rules = { namespaced: true, validateName: nameIsDNSSubdomain };
const faults = (meta: ObjectMeta): string[] => validateObjectMeta(deepFreeze(meta), rules).map(formatFieldError);

describe('validateObjectMeta', () => {
  it('finds nothing wrong with good metadata', () => {
    expect(
      faults({
        name: 'a.b',
        namespace: 'default',
        generateName: 'a-',
        labels: { 'example.com/x': 'y', z: '' },
        annotations: { 'Example.com/Anything': 'at all {}' },
        finalizers: ['example.com/f'],
      }),
    ).toEqual([]);
  });

  it('says what upstream says', () => {
    expect(faults({ namespace: 'x' })).toEqual(['metadata.name: Required value: name or generateName is required']);
    expect(faults({ name: 'a' })).toEqual(['metadata.namespace: Required value']);
    expect(faults({ name: 'A', namespace: 'x' })).toEqual([
      `metadata.name: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
    ]);
    expect(faults({ name: 'a', namespace: 'x', labels: { a: '-' } })).toEqual([
      `metadata.labels: Invalid value: "-": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
    ]);
    expect(faults({ name: 'a', namespace: 'x', annotations: { a: 'x'.repeat(262_144) } })).toEqual([
      'metadata.annotations: Too long: may not be more than 262144 bytes',
    ]);
    const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', uid: 'u', controller: true };
    expect(
      faults({
        name: 'a',
        namespace: 'x',
        ownerReferences: [
          { ...owner, name: 'p' },
          { ...owner, name: 'q' },
        ],
      })[0],
    ).toMatch(
      /^metadata.ownerReferences: Invalid value: .*: Only one reference can have Controller set to true. Found "true" in references for ReplicaSet\/p and ReplicaSet\/q$/,
    );
    expect(validateObjectMeta({ name: 'a', namespace: 'b' }, { ...rules, namespaced: false }).map(formatFieldError)).toEqual([
      'metadata.namespace: Forbidden: not allowed on this type',
    ]);
  });

  it('guards what may not change', () => {
    const old = deepFreeze({
      name: 'a',
      namespace: 'x',
      uid: '1',
      resourceVersion: '7',
      generation: 2,
      deletionTimestamp: '2026-01-01T00:00:00Z',
    });
    const update = (change: ObjectMeta): string[] =>
      validateObjectMetaUpdate(deepFreeze({ ...old, ...change }), old).map(formatFieldError);
    expect(update({})).toEqual([]);
    expect(update({ name: 'b', uid: '2', generation: 1, finalizers: ['x.y/z'], resourceVersion: '' })).toEqual([
      'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"x.y/z"}',
      'metadata.resourceVersion: Invalid value: "": must be specified for an update',
      'metadata.generation: Invalid value: 1: must not be decremented',
      'metadata.name: Invalid value: "b": field is immutable',
      'metadata.uid: Invalid value: "2": field is immutable',
    ]);
  });
});

describe('finalizers', () => {
  it("of most types are of a domain or Kubernetes' own", () => {
    const meta = deepFreeze({ name: 'a', namespace: 'b', finalizers: ['orphan', 'a.b/c', 'mine'] });
    expect(validateObjectMeta(meta, rules)).toEqual([]);
    expect(validateObjectMeta(meta, { ...rules, qualifiedFinalizers: true }).map(formatFieldError)).toEqual([
      'metadata.finalizers[2]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
    ]);
  });
});

describe('validateNameInPath', () => {
  it('asks that a name can stand in a URL', () => {
    expect(validateNameInPath(deepFreeze({ name: '..', generateName: 'a%/' })).map(formatFieldError)).toEqual([
      'metadata.generateName: Invalid value: "a%/": may not contain \'/\'',
      'metadata.generateName: Invalid value: "a%/": may not contain \'%\'',
      'metadata.name: Invalid value: "..": may not be \'..\'',
    ]);
    expect(validateNameInPath({ name: 'A:b', generateName: '..' })).toEqual([]);
  });
});

describe('bad values', () => {
  it('are written as Go does', () => {
    const texts = [invalid('a', 'é<\u007f\u200b\n', ''), invalid('a', { b: ['<&>'] }, ''), notSupported('a', '<', ['b'])].map(
      formatFieldError,
    );
    expect(texts).toEqual([
      'a: Invalid value: "é<\\x7f\\u200b\\n"',
      'a: Invalid value: {"b":["\\u003c\\u0026\\u003e"]}',
      'a: Unsupported value: "\\u003c": supported values: "b"',
    ]);
  });
});

describe('names', () => {
  it('say what upstream says', () => {
    expect(isDNS1123Label('a.b')).toEqual(['must not contain dots']);
    expect(isDNS1123Label('a'.repeat(64))).toEqual(['must be no more than 63 characters']);
    expect(isQualifiedName('a/b/c')[0]).toMatch(
      /^a valid label key must consist of .* with an optional DNS subdomain prefix and '\/'/,
    );
    expect(isQualifiedName('/a')).toEqual(['prefix part must be non-empty']);
    expect(isQualifiedName('a'.repeat(64))).toEqual(['name part must be no more than 63 bytes']);
    expect(isConfigMapKey('..')).toEqual(["must not be '..'"]);
    expect(isConfigMapKey('..a')).toEqual(["must not start with '..'"]);
    expect(isRelaxedEnvVarName('1 weird:name')).toEqual([]);
    expect(isRelaxedEnvVarName('a=b')).toHaveLength(1);
    expect(isValidPortName('-a--b')).toEqual(['must not contain consecutive hyphens', 'must not begin or end with a hyphen']);
    expect(nameIsDNSSubdomain('ab-', true)).toEqual([]);
  });
});

describe('validateLabelSelector', () => {
  it('says what upstream says', () => {
    const selector = {
      matchExpressions: [
        { key: 'a', operator: 'In' },
        { key: 'b', operator: 'Exists', values: ['x'] },
        { key: 'c', operator: 'Is' },
      ],
    };
    expect(validateLabelSelector(deepFreeze(selector), 'spec.selector').map(formatFieldError)).toEqual([
      "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
      "spec.selector.matchExpressions[1].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
      'spec.selector.matchExpressions[2].operator: Invalid value: "Is": not a valid selector operator',
    ]);
  });
});
