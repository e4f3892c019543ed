import { describe, expect, it } from 'vitest';
import { type FaultCase, faultsOf, resourceOf } from '../resource.fixture.ts';

const label =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const rules = {
  resourceRules: [{ operations: ['CREATE'], apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments'] }],
};
const hookWith = (...expressions: readonly string[]) => ({
  webhooks: [
    {
      name: 'a.b.c',
      clientConfig: { url: 'https://x' },
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
      matchConditions: expressions.map((expression, i) => ({ name: `c${i}`, expression })),
    },
  ],
});

const cases: Readonly<Record<string, readonly FaultCase[]>> = {
  'admissionregistration.k8s.io/v1/validatingwebhookconfigurations': [
    [
      'wants sense',
      {
        webhooks: [
          {
            name: 'a',
            clientConfig: {},
            rules: [{ operations: [], apiGroups: [], apiVersions: [], resources: [] }],
            sideEffects: 'Some',
            admissionReviewVersions: [],
            failurePolicy: 'X',
            matchPolicy: 'Y',
            timeoutSeconds: 50,
          },
          {
            name: 'a.b.c',
            clientConfig: { url: 'http://x' },
            sideEffects: 'None',
            admissionReviewVersions: ['v1'],
            rules: [
              { operations: ['*', 'CREATE'], apiGroups: ['*', 'a'], apiVersions: ['v1'], resources: ['*', 'pods'], scope: 'X' },
            ],
          },
        ],
      },
      undefined,
      [
        'webhooks[0].name: Invalid value: "a": should be a domain with at least three segments separated by dots',
        'webhooks[0].rules[0].operations: Required value',
        'webhooks[0].rules[0].apiGroups: Required value',
        'webhooks[0].rules[0].apiVersions: Required value',
        'webhooks[0].rules[0].resources: Required value',
        'webhooks[0].failurePolicy: Unsupported value: "X": supported values: "Fail", "Ignore"',
        'webhooks[0].matchPolicy: Unsupported value: "Y": supported values: "Equivalent", "Exact"',
        'webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"',
        'webhooks[0].timeoutSeconds: Invalid value: 50: the timeout value must be between 1 and 30 seconds',
        'webhooks[0].clientConfig: Required value: exactly one of url or service is required',
        'webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1',
        'webhooks[1].rules[0].operations: Invalid value: ["*","CREATE"]: if \'*\' is present, must not specify other operations',
        'webhooks[1].rules[0].apiGroups: Invalid value: ["*","a"]: if \'*\' is present, must not specify other API groups',
        'webhooks[1].rules[0].resources: Invalid value: ["*","pods"]: if \'*\' is present, must not specify other resources without subresources',
        'webhooks[1].rules[0].scope: Unsupported value: "X": supported values: "*", "Cluster", "Namespaced"',
        'webhooks[1].clientConfig.url: Invalid value: "http": \'https\' is the only allowed URL scheme; desired format: https://host[/path]',
      ],
    ],
    [
      'compiles match conditions',
      hookWith('object.metadata.namespace == "a"', '... [] bad', 'object.metadata', 'params.x == 1'),
      undefined,
      [
        expect.stringMatching(
          /^webhooks\[0\].matchConditions\[1\].expression: Invalid value: "... \[\] bad": compilation failed: ERROR: <input>:1:2: Syntax error/,
        ),
        'webhooks[0].matchConditions[2].expression: Invalid value: "object.metadata": must evaluate to bool but got dyn',
        expect.stringMatching(/^webhooks\[0\].matchConditions\[3\].expression: .*undeclared reference to 'params'/),
      ],
    ],
    [
      'keeps match conditions that do not compile any more, as long as they are left alone',
      hookWith('1'),
      (configuration) => {
        configuration.webhooks[0].timeoutSeconds = 5;
      },
      [],
    ],
    [
      'compiles match conditions that change',
      hookWith('1'),
      (configuration) => {
        configuration.webhooks[0].matchConditions[0].expression = '2';
      },
      ['webhooks[0].matchConditions[0].expression: Invalid value: "2": must evaluate to bool but got int'],
    ],
  ],
  'admissionregistration.k8s.io/v1/validatingadmissionpolicies': [
    [
      'wants sense',
      { spec: { failurePolicy: 'X', validations: [{ expression: '' }], variables: [{ name: '', expression: '' }] } },
      undefined,
      [
        'spec.failurePolicy: Unsupported value: "X": supported values: "Fail", "Ignore"',
        'spec.matchConstraints: Required value',
        'spec.variables[0].name: Required value: name is not specified',
        'spec.variables[0].expression: Required value: expression is not specified',
        'spec.validations[0].expression: Required value: expression is not specified',
      ],
    ],
    [
      'compiles what it is made of',
      {
        spec: {
          matchConstraints: rules,
          paramKind: { apiVersion: 'a/b/c', kind: 'X Y' },
          matchConditions: [
            { name: 'ok', expression: 'params.x == 1 && authorizer.path("/x").check("get").allowed()' },
            { name: 'text', expression: '"a"' },
          ],
          variables: [
            { name: 'n', expression: 'object.spec.replicas' },
            { name: 'even', expression: 'variables.n % 2 == 0' },
            { name: 'for', expression: 'variables.none' },
          ],
          validations: [
            { expression: 'variables.even && !variables.nothing' },
            { expression: 'variables.n', messageExpression: 'authorizer.path("/")' },
            { expression: 'variables.even', messageExpression: "'odd: ' + string(variables.n)" },
          ],
          auditAnnotations: [{ key: 'k', valueExpression: '1' }],
        },
      },
      undefined,
      [
        'spec.paramKind.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c',
        `spec.paramKind.kind: Invalid value: "X Y": may have mixed case, but should otherwise match: ${label}`,
        'spec.matchConditions[1].expression: Invalid value: "\\"a\\"": must evaluate to bool but got string',
        'spec.variables[2].name: Invalid value: "for": must be a valid CEL identifier',
        expect.stringMatching(
          /^spec.variables\[2\].expression: Invalid value: "variables.none": compilation failed: ERROR: .*undefined field 'none'/,
        ),
        expect.stringMatching(/^spec.validations\[0\].expression: .*compilation failed: .*undefined field 'nothing'/),
        'spec.validations[1].expression: Invalid value: "variables.n": must evaluate to bool but got dyn',
        expect.stringMatching(
          /^spec.validations\[1\].messageExpression: .*compilation failed: .*undeclared reference to 'authorizer'/,
        ),
        'spec.auditAnnotations[0].valueExpression: Invalid value: "1": must evaluate to one of [string null] but got int',
      ],
    ],
    [
      'keeps match conditions that do not compile any more, as long as they are left alone',
      {
        spec: {
          matchConstraints: rules,
          matchConditions: [{ name: 'a', expression: '1' }],
          validations: [{ expression: 'true' }],
        },
      },
      (policy) => {
        policy.spec.failurePolicy = 'Ignore';
      },
      [],
    ],
  ],
  'admissionregistration.k8s.io/v1/mutatingadmissionpolicies': [
    [
      'compiles its mutations',
      {
        spec: {
          matchConstraints: rules,
          reinvocationPolicy: 'Never',
          mutations: [
            { patchType: 'ApplyConfiguration', applyConfiguration: { expression: 'Object{spec: Object.spec{replicas: 1}}' } },
            { patchType: 'JSONPatch', jsonPatch: { expression: '[JSONPatch{op: "add", path: "/a", value: 1}]' } },
            { patchType: 'ApplyConfiguration', applyConfiguration: { expression: '1' } },
            { patchType: 'JSONPatch', jsonPatch: { expression: 'Object{}' } },
          ],
        },
      },
      undefined,
      [
        'spec.mutations[2].applyConfiguration.expression: Invalid value: "1": must evaluate to Object but got int',
        'spec.mutations[3].jsonPatch.expression: Invalid value: "Object{}": must evaluate to list(JSONPatch) but got Object',
      ],
    ],
  ],
  'admissionregistration.k8s.io/v1/validatingadmissionpolicybindings': [
    [
      'wants sense',
      { spec: { policyName: '', validationActions: ['X', 'Deny', 'Warn'], paramRef: {} } },
      undefined,
      [
        'spec.policyName: Required value',
        'spec.paramRef: Required value: one of name or selector must be specified',
        'spec.paramRef.parameterNotFoundAction: Required value',
        'spec.validationActions[0]: Unsupported value: "X": supported values: "Audit", "Deny", "Warn"',
        'spec.validationActions: Invalid value: ["X","Deny","Warn"]: must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
      ],
    ],
  ],
};

describe.each(Object.entries(cases))('%s', (name, list) => {
  const resource = resourceOf(name);
  it.each(list)('%s', (_what, draft, change, faults) => {
    expect(faultsOf(resource, draft, change)).toEqual(faults);
  });
});
