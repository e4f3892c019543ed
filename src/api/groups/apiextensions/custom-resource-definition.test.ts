import { describe, expect, it } from 'vitest';
import { created, createFaults, type Draft, resourceOf, updated, updateFaults } from '../resource.fixture.ts';
import { resolveFieldPath } from './field-path.ts';

const crds = resourceOf('apiextensions.k8s.io/v1/customresourcedefinitions');
const version = (more: Draft = {}): Draft => ({
  name: 'v1',
  served: true,
  storage: true,
  schema: {
    openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties: { size: { type: 'integer' } } } } },
  },
  ...more,
});
const crdOf = (spec: Draft = {}): Draft => ({
  metadata: { name: 'widgets.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'widgets', kind: 'Widget' },
    versions: [version()],
    ...spec,
  },
});
/** A definition of one version, whose objects have this schema as `spec`. */
const specOf = (schema: Draft, more: Draft = {}): Draft =>
  crdOf({ versions: [version({ schema: { openAPIV3Schema: { type: 'object', properties: { spec: schema } } }, ...more })] });
const rootOf = (schema: Draft, more: Draft = {}): Draft =>
  crdOf({ versions: [version({ schema: { openAPIV3Schema: schema }, ...more })] });
const at = 'spec.validation.openAPIV3Schema';
const within = `${at}.properties[spec]`;

describe('a new definition', () => {
  it('names what follows from its kind', () => {
    const crd = created(crds, crdOf());
    expect(crd.spec.names).toEqual({ plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' });
    expect(crd.spec.conversion).toEqual({ strategy: 'None' });
    expect(crd.status).toEqual({ conditions: [], acceptedNames: { plural: '', kind: '' }, storedVersions: ['v1'] });
    expect(crd.metadata.generation).toBe(1);
  });

  it.each<[string, Draft, readonly string[]]>([
    ['is content', crdOf(), []],
    [
      'wants a name that follows from it',
      { ...crdOf(), metadata: { name: 'widget.example.com' } },
      ['metadata.name: Invalid value: "widget.example.com": must be spec.names.plural+"."+spec.group'],
    ],
    [
      'wants its parts',
      { metadata: { name: '.' }, spec: {} },
      [
        'spec.group: Required value',
        'spec.scope: Required value',
        'spec.versions: Invalid value: null: must have exactly one version marked as storage version',
        'spec.names.plural: Required value',
        'spec.names.singular: Required value',
        'spec.names.kind: Required value',
        'spec.names.listKind: Required value',
        'status.storedVersions: Invalid value: null: must have at least one stored version',
      ],
    ],
    [
      'wants a schema of each version',
      crdOf({ versions: [version({ schema: undefined }), version({ name: 'v2', storage: false })] }),
      ['spec.versions[0].schema.openAPIV3Schema: Required value'],
    ],
    [
      'speaks of a version where versions differ',
      crdOf({
        versions: [
          version(),
          version({ name: 'v2', storage: false, schema: { openAPIV3Schema: { type: 'object', properties: { a: {} } } } }),
        ],
      }),
      [
        'spec.versions[1].schema.openAPIV3Schema.properties[a].type: Required value: must not be empty for specified object fields',
      ],
    ],
    [
      'wants columns that can be shown',
      crdOf({ versions: [version({ additionalPrinterColumns: [{ name: '', type: 'text', format: 'bool', jsonPath: 'x' }] })] }),
      [
        'spec.additionalPrinterColumns[0].name: Required value',
        'spec.additionalPrinterColumns[0].type: Invalid value: "text": must be one of boolean,date,integer,number,string',
        'spec.additionalPrinterColumns[0].format: Invalid value: "bool": must be one of byte,date,date-time,double,float,int32,int64,password',
        'spec.additionalPrinterColumns[0].JSONPath: Invalid value: "x": must be a simple json path starting with .',
      ],
    ],
    [
      'wants replicas where they are',
      crdOf({
        versions: [
          version({
            subresources: { scale: { specReplicasPath: '.status.x', statusReplicasPath: '', labelSelectorPath: '.x' } },
          }),
        ],
      }),
      [
        'spec.subresources.scale.specReplicasPath: Invalid value: ".status.x": should be a json path under .spec',
        'spec.subresources.scale.statusReplicasPath: Required value',
        'spec.subresources.scale.labelSelectorPath: Invalid value: ".x": should be a json path under either .spec or .status',
      ],
    ],
    [
      'wants fields to select by that are there',
      crdOf({
        versions: [
          version({
            selectableFields: [
              { jsonPath: '.spec.size' },
              { jsonPath: '.spec.size' },
              { jsonPath: '.spec' },
              { jsonPath: '.x' },
              { jsonPath: ".spec['size']" },
            ],
          }),
        ],
      }),
      [
        'spec.selectableFields[1].jsonPath: Duplicate value: ".spec.size"',
        'spec.selectableFields[2].jsonPath: Invalid value: ".spec": must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.',
        'spec.selectableFields[3].jsonPath: Invalid value: ".x": is an invalid path: does not refer to a valid field',
        `spec.selectableFields[4].jsonPath: Invalid value: ".spec['size']": is an invalid path: array notation is not allowed`,
      ],
    ],
    [
      'wants a warning that can be read',
      crdOf({ versions: [version({ deprecated: true, deprecationWarning: 'a\nb' })] }),
      [
        'spec.versions[0].deprecationWarning: Invalid value: "a\\nb": must only contain printable UTF-8 characters; non-printable character found at index 1',
      ],
    ],
    [
      'wants a way to convert',
      crdOf({ conversion: { strategy: 'Webhook', webhook: { conversionReviewVersions: ['v3'] } } }),
      [
        'spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook',
        'spec.conversion.conversionReviewVersions: Invalid value: ["v3"]: must include at least one of v1, v1beta1',
      ],
    ],
    [
      'wants approval for the groups of the community',
      {
        metadata: { name: 'widgets.example.k8s.io' },
        spec: { ...crdOf().spec, group: 'example.k8s.io' },
      },
      [
        'metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111',
      ],
    ],
    [
      'prunes',
      crdOf({ preserveUnknownFields: true }),
      [
        'spec.preserveUnknownFields: Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
      ],
    ],
  ])('%s', (_what, draft, faults) => {
    expect(createFaults(crds, draft)).toEqual(faults);
  });
});

describe('a schema', () => {
  it.each<[string, Draft, readonly string[]]>([
    [
      'may be rich',
      specOf({
        type: 'object',
        required: ['ports'],
        properties: {
          ports: {
            type: 'array',
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['port', 'protocol'],
            items: {
              type: 'object',
              required: ['port'],
              properties: { port: { type: 'integer', format: 'int32' }, protocol: { type: 'string', default: 'TCP' } },
            },
          },
          anything: { 'x-kubernetes-preserve-unknown-fields': true },
          amount: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }], pattern: '^[0-9]+%?$' },
          template: { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
          labels: { type: 'object', additionalProperties: { type: 'string' } },
          choice: {
            type: 'object',
            properties: { a: { type: 'string' }, b: { type: 'string' } },
            oneOf: [{ required: ['a'] }, { properties: { b: { minLength: 1 } } }],
          },
        },
        'x-kubernetes-validations': [{ rule: 'size(self.ports) > 0', message: 'there must be some', fieldPath: '.ports' }],
      }),
      [],
    ],
    [
      'says its types',
      specOf({
        type: 'object',
        properties: { a: {}, b: { type: 'array', items: {} }, c: { type: 'array' }, d: { type: 'text' } },
      }),
      [
        `${within}.properties[a].type: Required value: must not be empty for specified object fields`,
        `${within}.properties[b].items.type: Required value: must not be empty for specified array items`,
        `${within}.properties[c].items: Required value: must be specified`,
        `${within}.properties[d].type: Unsupported value: "text": supported values: "array", "boolean", "integer", "number", "object", "string"`,
      ],
    ],
    [
      'is of an object',
      rootOf({ type: 'array', items: { type: 'string' }, additionalProperties: { type: 'string' }, nullable: true }),
      [
        `${at}.nullable: Forbidden: nullable cannot be true at the root`,
        `${at}.additionalProperties: Forbidden: must not be used at the root`,
        `${at}.type: Invalid value: "array": must be object at the root`,
      ],
    ],
    [
      'has no shape in its logic',
      specOf({
        type: 'object',
        properties: { a: { type: 'string' } },
        anyOf: [
          {
            type: 'object',
            description: 'x',
            properties: { a: { default: 'b', nullable: true }, z: { minLength: 1 }, metadata: {} },
          },
        ],
        not: { 'x-kubernetes-validations': [{ rule: 'true' }], additionalProperties: { minLength: 1 } },
      }),
      [
        `${within}.anyOf[0].description: Forbidden: must be empty to be structural`,
        `${within}.anyOf[0].properties[a].default: Forbidden: must be undefined to be structural`,
        `${within}.anyOf[0].properties[a].nullable: Forbidden: must be false to be structural`,
        `${within}.anyOf[0].properties[metadata]: Forbidden: must not be specified in a nested context`,
        `${within}.anyOf[0].type: Forbidden: must be empty to be structural`,
        `${within}.not.additionalProperties: Forbidden: must be undefined to be structural`,
        `${within}.not.x-kubernetes-validations: Forbidden: must be empty to be structural`,
      ],
    ],
    [
      'knows what its logic speaks of',
      rootOf({
        type: 'object',
        properties: { a: { type: 'string' } },
        allOf: [{ properties: { z: { minLength: 1 } }, items: { minLength: 1 } }],
      }),
      [
        `${at}.items: Required value: because it is defined in ${at}.allOf[0].items`,
        `${at}.properties[z]: Required value: because it is defined in ${at}.allOf[0].properties[z]`,
      ],
    ],
    [
      'lets metadata be',
      rootOf({
        type: 'object',
        properties: { kind: { type: 'integer' }, metadata: { type: 'object', properties: { labels: { type: 'object' } } } },
      }),
      [
        `${at}.properties[kind].type: Invalid value: "integer": must be string`,
        `${at}.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified`,
      ],
    ],
    [
      'has patterns that can be matched',
      specOf({ type: 'string', pattern: '(' }),
      [
        `${within}.pattern: Invalid value: "(": must be a valid regular expression, but isn't: error parsing regexp: missing closing ): \`(\``,
      ],
    ],
    [
      'has no keywords that there are not',
      specOf({
        type: 'object',
        $ref: '#/x',
        id: 'x',
        patternProperties: { a: {} },
        uniqueItems: true,
        additionalProperties: false,
        properties: { a: { type: 'string' } },
      }),
      [
        `${within}.id: Forbidden: id is not supported`,
        `${within}.patternProperties: Forbidden: patternProperties is not supported`,
        `${within}.$ref: Forbidden: $ref is not supported`,
        `${within}.uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic`,
        `${within}.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive`,
      ],
    ],
    [
      'merges in ways that there are',
      specOf({
        type: 'object',
        'x-kubernetes-map-type': 'loose',
        properties: {
          a: { type: 'string', 'x-kubernetes-list-type': 'set' },
          b: {
            type: 'array',
            'x-kubernetes-list-type': 'map',
            items: {
              type: 'object',
              nullable: true,
              properties: { k: { type: 'string' }, l: { type: 'array', items: { type: 'string' } } },
            },
            'x-kubernetes-list-map-keys': ['k', 'l', 'm', 'k'],
          },
          c: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'object', properties: { x: { type: 'string' } } } },
          d: { type: 'array', 'x-kubernetes-list-map-keys': ['k'], items: { type: 'string' } },
        },
      }),
      [
        `${within}.properties[a].type: Invalid value: "string": must be array if x-kubernetes-list-type is specified`,
        `${within}.properties[b].items.properties[l].type: Invalid value: "object": must be a scalar type if parent array's x-kubernetes-list-type is map`,
        `${within}.properties[b].x-kubernetes-list-map-keys: Invalid value: ["k","l","m","k"]: entries must all be names of item properties`,
        `${within}.properties[b].x-kubernetes-list-map-keys: Invalid value: ["k","l","m","k"]: must not contain duplicate entries`,
        `${within}.properties[b].items.nullable: Forbidden: cannot be nullable when x-kubernetes-list-type is map`,
        `${within}.properties[b].items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property`,
        `${within}.properties[b].items.properties[l].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property`,
        `${within}.properties[b].items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property`,
        `${within}.properties[c].items.x-kubernetes-map-type: Invalid value: null: must be atomic as item of a list with x-kubernetes-list-type=set`,
        `${within}.properties[d].x-kubernetes-list-type: Required value: must be map if x-kubernetes-list-map-keys is non-empty`,
        `${within}.x-kubernetes-map-type: Unsupported value: "loose": supported values: "atomic", "granular"`,
      ],
    ],
    [
      'has defaults that are valid',
      specOf({
        type: 'object',
        properties: {
          a: { type: 'integer', default: 'x' },
          b: { type: 'object', default: { y: 1 }, properties: { z: { type: 'string' } } },
        },
      }),
      [
        `${within}.properties[a].default: Invalid value: "string":  in body must be of type integer: "string"`,
        `${within}.properties[b].default: Invalid value: {"y":1}: must not have unknown fields`,
      ],
    ],
    [
      'has defaults within embedded resources that make valid ones',
      specOf({
        type: 'object',
        properties: {
          // What metadata do not know is dropped when the default is used.
          a: {
            type: 'object',
            'x-kubernetes-embedded-resource': true,
            properties: {
              metadata: { type: 'object', default: { name: 'n', unknown: 1 } },
              kind: { type: 'string', default: 'b c' },
            },
          },
          b: {
            type: 'object',
            'x-kubernetes-embedded-resource': true,
            properties: {
              metadata: { type: 'object', properties: { labels: { type: 'object', default: { a: 'b c' } } } },
            },
          },
          c: {
            type: 'object',
            'x-kubernetes-embedded-resource': true,
            'x-kubernetes-preserve-unknown-fields': true,
            default: { apiVersion: 'v1', spec: 1 },
          },
        },
      }),
      [
        `${within}.properties[a].properties[kind].default: Invalid value: "b c": must result in valid metadata: kind: Invalid value: "b c": may have mixed case, but should otherwise match: a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')`,
        `${within}.properties[b].properties[metadata].properties[labels].default: Invalid value: {"a":"b c"}: must result in valid metadata: metadata.labels: Invalid value: "b c": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
        `${within}.properties[c].default.kind: Required value`,
      ],
    ],
    [
      'has no defaults where objects say who they are',
      rootOf({ type: 'object', properties: { kind: { type: 'string', default: 'Widget' } } }),
      [`${at}.properties[kind].default: Forbidden: must not be set in top-level kind`],
    ],
    [
      'has rules that say something',
      specOf({
        type: 'object',
        properties: { a: { type: 'string' } },
        'x-kubernetes-validations': [
          { rule: ' ' },
          { rule: 'true', message: ' ' },
          { rule: 'a ||\nb' },
          { rule: 'true', messageExpression: ' ', reason: 'Because', fieldPath: '.b' },
        ],
      }),
      [
        `${within}.x-kubernetes-validations[0].rule: Required value: rule is not specified`,
        `${within}.x-kubernetes-validations[1].message: Invalid value: " ": must be non-empty if specified`,
        `${within}.x-kubernetes-validations[2].message: Required value: message must be specified if rule contains line breaks`,
        `${within}.x-kubernetes-validations[3].messageExpression: Required value: messageExpression must be non-empty if specified`,
        `${within}.x-kubernetes-validations[3].reason: Unsupported value: "Because": supported values: "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"`,
        `${within}.x-kubernetes-validations[3].fieldPath: Invalid value: ".b": must be a valid path`,
      ],
    ],
  ])('%s', (_what, draft, faults) => {
    expect(createFaults(crds, draft)).toEqual(faults);
  });

  it('has, beside a status of its own, nothing that would be lost with it', () => {
    const [fault] = createFaults(crds, rootOf({ type: 'object', maxProperties: 3 }, { subresources: { status: {} } }));
    expect(fault).toBe(
      `${at}: Invalid value: {"type":"object","maxProperties":3}: only [Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations] fields are allowed at the root of the schema if the status subresource is enabled`,
    );
  });
});

describe('an update of a definition', () => {
  const established = (draft: Draft): Draft => {
    const crd = created(crds, draft);
    return { ...crd, status: { ...crd.status, conditions: [{ type: 'Established', status: 'True' }] } };
  };

  it('keeps who it is', () => {
    expect(
      updateFaults(crds, established(crdOf()), (crd) => {
        crd.spec.scope = 'Cluster';
        crd.spec.names.plural = 'gadgets';
      }),
    ).toEqual([
      'spec.scope: Invalid value: "Cluster": field is immutable',
      'spec.names.plural: Invalid value: "gadgets": field is immutable',
    ]);
  });

  it('keeps the versions that objects are stored in', () => {
    const [fault] = updateFaults(crds, established(crdOf()), (crd) => void (crd.spec.versions[0].name = 'v2'));
    expect(fault).toMatch(/^status\.storedVersions\[0\]: Invalid value: "v1": missing from spec\.versions; v1 was previously/);
  });

  it('adds the version that objects are stored in from now on', () => {
    const next = updated(crds, established(crdOf()), (crd) => {
      crd.spec.versions[0].storage = false;
      crd.spec.versions.push(version({ name: 'v2' }));
    });
    expect(next.status.storedVersions).toEqual(['v1', 'v2']);
    expect(next.metadata.generation).toBe(2);
  });

  it('goes on breaking rules that it broke before they were there', () => {
    const list = {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['k'],
      items: { type: 'object', properties: { k: { type: 'string' } } },
    };
    const old = established(crdOf());
    const broken = structuredClone(old);
    broken.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.list = list;
    expect(updateFaults(crds, broken, (crd) => void (crd.spec.names.shortNames = ['w']))).toEqual([]);
    expect(updateFaults(crds, old, (crd) => void (crd.spec.versions = broken.spec.versions))).toHaveLength(1);
  });

  it('warns of formats that mean nothing, once', () => {
    const old = created(crds, specOf({ type: 'string', format: 'emoji' }));
    expect(crds.warnings?.(old, undefined)).toEqual(['unrecognized format "emoji"']);
    expect(crds.warnings?.(old, old)).toEqual([]);
  });
});

describe('a path to a field', () => {
  const schema = {
    type: 'object',
    properties: { spec: { type: 'object', properties: { 'a.b': { type: 'object', additionalProperties: { type: 'string' } } } } },
  };
  it('goes by names and keys', () => {
    expect(resolveFieldPath(".spec['a.b'].x", schema)).toEqual({ parts: ['spec', 'a.b', 'x'], schema: { type: 'string' } });
    expect(resolveFieldPath(".spec['a.b']['it\\'s']", schema).parts).toEqual(['spec', 'a.b', "it's"]);
  });
  it.each([
    ['spec', 'expected [ or . but got: spec'],
    ['.', 'unexpected end of JSON path'],
    ['.spec[0]', 'expected single quoted string but got 0'],
    ['.spec.a', 'does not refer to a valid field'],
    [".spec['a.b'", 'unexpected end of JSON path'],
    [".spec['a.b'].x.y", 'does not refer to a valid field'],
  ])('%s is none', (text, message) => {
    expect(() => resolveFieldPath(text, schema)).toThrow(message);
  });
});
