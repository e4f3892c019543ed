import { describe, expect, it } from 'vitest';
import { type FaultCase, faultsOf, resourceOf } from '../resource.fixture.ts';

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
        'spec.validationActions: Unsupported value: "X": supported values: "Audit", "Deny", "Warn"',
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
