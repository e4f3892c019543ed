import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { validateDefinition, validateDefinitionUpdate } from '../../api/groups/apiextensions/definition-validation.ts';
import type { FieldError } from '../../api/meta/field-error.ts';
import type { KubernetesObject } from '../../api/meta/object.ts';
import type { JSONSchemaProps } from '../../api/types/apiextensions-v1.ts';
import { createTestApi, refusal, type TestApi } from '../admission/test-support.ts';
import { definition, version } from './test-support.ts';

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi();
});
afterEach(() => api.close());

const crds = 'customresourcedefinitions';
type Rules = NonNullable<JSONSchemaProps['x-kubernetes-validations']>;

const withRules = (rules: Rules, properties: Record<string, JSONSchemaProps> = {}) =>
  definition({}, version('v1', properties, { 'x-kubernetes-validations': rules }));

async function define(rules: Rules, properties: Record<string, JSONSchemaProps> = {}): Promise<void> {
  await api.create(crds, withRules(rules, properties));
  while (api.server.registry.find('example.com', 'v1', 'widgets') === undefined) await new Promise((r) => setImmediate(r));
}

const widget = (spec: object, name = 'a'): object => ({
  apiVersion: 'example.com/v1',
  kind: 'Widget',
  metadata: { name, namespace: 'x' },
  spec,
});
const causes = async (call: Promise<unknown>): Promise<readonly string[]> =>
  (await refusal(call)).status.details?.causes?.map((c) => `${c.field}: ${c.message}`) ?? [];

describe('rules of custom resources', () => {
  it('refuse, with their own words', async () => {
    await define([
      { rule: 'self.size < 5' },
      { rule: "self.color == 'red'", message: ' only red ', reason: 'FieldValueForbidden', fieldPath: '.color' },
      { rule: '!has(self.name)', messageExpression: "'name is ' + self.name", reason: 'FieldValueRequired' },
      { rule: 'self.size / 0 > 1', message: 'never' },
    ]);
    expect(await causes(api.create('widgets', widget({ size: 7, color: 'green', name: 'abc' })))).toEqual([
      'spec: Invalid value: failed rule: self.size < 5',
      'spec.color: Forbidden: only red',
      'spec: Required value: name is abc',
      'spec: Invalid value: "object": division by zero evaluating rule: never',
    ]);
  });

  it('are not run over what has the wrong shape', async () => {
    await define([{ rule: 'self.size < 5' }]);
    expect(await causes(api.create('widgets', widget({ size: 'x' })))).toEqual([
      'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"',
      '.spec.size: Invalid value: 0: .spec.size accessor error: x is of the type string, expected int64',
      '<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
    ]);
  });

  it('compare with what was there', async () => {
    const keyed: JSONSchemaProps = {
      type: 'array',
      maxItems: 5,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['k'],
      items: {
        type: 'object',
        required: ['k'],
        properties: {
          k: { type: 'string', maxLength: 5 },
          v: { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self >= oldSelf' }] },
        },
      },
    };
    await define(
      [
        { rule: 'self.size >= oldSelf.size', message: 'may not shrink' },
        { rule: "oldSelf.hasValue() || self.name == 'first'", optionalOldSelf: true },
      ],
      { keyed },
    );
    expect(await causes(api.create('widgets', widget({ size: 1, name: 'second' })))).toEqual([
      "spec: Invalid value: failed rule: oldSelf.hasValue() || self.name == 'first'",
    ]);
    const made = await api.create<KubernetesObject>(
      'widgets',
      widget({
        size: 1,
        name: 'first',
        keyed: [
          { k: 'a', v: 2 },
          { k: 'b', v: 1 },
        ],
      }),
    );
    const next = {
      ...made,
      spec: {
        size: 0,
        keyed: [
          { k: 'b', v: 0 },
          { k: 'c', v: 0 },
          { k: 'a', v: 3 },
        ],
      },
    };
    expect(await causes(api.update('widgets', next))).toEqual([
      'spec: Invalid value: may not shrink',
      'spec.keyed[0].v: Invalid value: 0: failed rule: self >= oldSelf',
    ]);
  });

  it('only warn of what has not changed', async () => {
    await define([], {});
    const made = await api.create<KubernetesObject>('widgets', widget({ size: 7 }));
    const stored = api.get<KubernetesObject>(crds, '', 'widgets.example.com')!;
    const { spec } = withRules([{ rule: 'self.size < 5' }]);
    const before = api.server.registry.find('example.com', 'v1', 'widgets');
    await api.update(crds, { ...stored, spec });
    while (api.server.registry.find('example.com', 'v1', 'widgets') === before) await new Promise((r) => setImmediate(r));
    const labelled = { ...made, metadata: { ...made.metadata, labels: { a: 'b' } } };
    const updated = await api.update<KubernetesObject>('widgets', labelled);
    expect(updated.metadata?.labels).toEqual({ a: 'b' });
    expect(await causes(api.update('widgets', { ...updated, spec: { size: 8 } }))).toEqual([
      'spec: Invalid value: failed rule: self.size < 5',
    ]);
  });

  it('must compile and be cheap', async () => {
    const refused = async (rules: Rules, properties: Record<string, JSONSchemaProps> = {}): Promise<readonly string[]> =>
      causes(api.create(crds, withRules(rules, properties)));
    const at = 'spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0]';
    expect(await refused([{ rule: 'self.nope > 1' }])).toEqual([
      `${at}.rule: Invalid value: {"Rule":"self.nope \\u003e 1","Message":"","MessageExpression":"","Reason":null,"FieldPath":"","OptionalOldSelf":null}: compilation failed: ERROR: <input>:1:5: undefined field 'nope'\n | self.nope > 1\n | ....^`,
    ]);
    expect(await refused([{ rule: 'self.size' }])).toEqual([
      `${at}.rule: Invalid value: {"Rule":"self.size","Message":"","MessageExpression":"","Reason":null,"FieldPath":"","OptionalOldSelf":null}: cel expression must evaluate to a bool`,
    ]);
    expect(await refused([{ rule: 'self.size > 1', optionalOldSelf: true }])).toEqual([
      `${at}.optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule`,
    ]);
    const strings: JSONSchemaProps = { type: 'array', items: { type: 'string' } };
    const all = await refused([{ rule: 'self.list.all(x, self.list.all(y, x == y))' }], { list: strings });
    const advice =
      '(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)';
    expect(all).toEqual([
      `${at}.rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x ${advice}`,
      `${at}.rule: Forbidden: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema`,
      `spec.validation.openAPIV3Schema: Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of more than 100x ${advice}`,
    ]);
    const item: JSONSchemaProps = { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self > oldSelf' }] };
    expect(await refused([], { list: { type: 'array', maxItems: 3, items: item } })).toEqual([
      'spec.validation.openAPIV3Schema.properties[spec].properties[list].items.x-kubernetes-validations[0].rule: Invalid value: "self > oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema within spec.validation.openAPIV3Schema.properties[spec].properties[list]',
    ]);
  });

  it('may stay dear as long as the schema stays', async () => {
    const list: JSONSchemaProps = { type: 'array', maxItems: 3000, items: { type: 'integer' } };
    const dear = withRules([{ rule: 'self.list.all(x, self.list.all(y, x == y))' }], { list });
    const at = 'spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule';
    const complaints = (errors: readonly FieldError[]): readonly string[] =>
      errors.filter((error) => error.path.includes('openAPIV3Schema')).map((error) => error.path);
    expect(complaints(validateDefinition(dear))).toEqual([at]);
    const labelled = { ...dear, metadata: { ...dear.metadata, labels: { a: 'b' } } };
    expect(complaints(validateDefinitionUpdate(labelled, dear))).toEqual([]);
    const longer = withRules(dear.spec!.versions[0]!.schema!.openAPIV3Schema!.properties!['spec']!['x-kubernetes-validations']!, {
      list: { ...list, maxItems: 3001 },
    });
    expect(complaints(validateDefinitionUpdate(longer, dear))).toEqual([at]);
  });

  it('hold for defaults', async () => {
    const refused = (schema: JSONSchemaProps) => causes(api.create(crds, withRules([], { count: schema })));
    const at = 'spec.validation.openAPIV3Schema.properties[spec].properties[count].default';
    expect(
      await refused({ type: 'integer', default: 3, 'x-kubernetes-validations': [{ rule: 'self > 4' }, { rule: 'self < 2' }] }),
    ).toEqual([`${at}: Invalid value: 3: failed rule: self > 4`, `${at}: Invalid value: 3: failed rule: self < 2`]);
    const grown: Rules = [{ rule: 'oldSelf.hasValue() || self > 4', optionalOldSelf: true }];
    expect(await refused({ type: 'integer', default: 3, 'x-kubernetes-validations': grown })).toEqual([
      `${at}: Invalid value: 3: failed rule: oldSelf.hasValue() || self > 4`,
    ]);
    await define([], { count: { type: 'integer', default: 5, 'x-kubernetes-validations': grown } });
  });
});
