import { describe, expect, it } from 'vitest';
import { type FaultCase, faultsOf, resourceOf } from '../resource.fixture.ts';

const cases: Readonly<Record<string, readonly FaultCase[]>> = {
  'flowcontrol.apiserver.k8s.io/v1/flowschemas': [
    [
      'wants sense',
      {
        spec: {
          priorityLevelConfiguration: { name: '' },
          matchingPrecedence: 20000,
          distinguisherMethod: { type: 'X' },
          rules: [
            {
              subjects: [{ kind: 'X' }, { kind: 'User', user: { name: '' } }],
              resourceRules: [{ verbs: ['foo'], apiGroups: [], resources: [] }],
              nonResourceRules: [{ verbs: ['x'], nonResourceURLs: ['y'] }],
            },
          ],
        },
      },
      undefined,
      [
        'spec.matchingPrecedence: Invalid value: 20000: must not be greater than 10000',
        'spec.distinguisherMethod.type: Unsupported value: {"Type":"X"}: supported values: "ByNamespace", "ByUser"',
        'spec.priorityLevelConfiguration.name: Required value: must reference a priority level',
        'spec.rules[0].subjects[0].kind: Unsupported value: "X": supported values: "Group", "ServiceAccount", "User"',
        'spec.rules[0].subjects[1].user.name: Required value',
        'spec.rules[0].resourceRules[0].verbs: Unsupported value: ["foo"]: supported values: "create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"',
        'spec.rules[0].resourceRules[0].apiGroups: Required value: resource rules must supply at least one api group',
        'spec.rules[0].resourceRules[0].resources: Required value: resource rules must supply at least one resource',
        'spec.rules[0].resourceRules[0].namespaces: Required value: resource rules that are not cluster scoped must supply at least one namespace',
        'spec.rules[0].nonResourceRules[0].verbs: Unsupported value: ["x"]: supported values: "create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"',
        'spec.rules[0].nonResourceRules[0].nonResourceURLs[0]: Invalid value: "y": must start with slash',
      ],
    ],
  ],
  'flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations': [
    [
      'wants sense',
      { spec: { type: 'X' } },
      undefined,
      ['spec.type: Unsupported value: "X": supported values: "Exempt", "Limited"'],
    ],
    [
      'limited',
      {
        spec: {
          type: 'Limited',
          limited: {
            nominalConcurrencyShares: -1,
            limitResponse: { type: 'Queue', queuing: { queues: 0, handSize: 9, queueLengthLimit: 0 } },
          },
        },
      },
      undefined,
      ['spec.limited.nominalConcurrencyShares: Invalid value: -1: must be a non-negative integer'],
    ],
    [
      'exempt',
      { spec: { type: 'Exempt', limited: {} } },
      undefined,
      [
        "spec.type: Invalid value: \"Exempt\": type must be 'Exempt' if and only if name is 'exempt'",
        'spec.limited: Forbidden: must be nil if the type is not Limited',
      ],
    ],
    [
      'mandatory ones are as they are',
      { metadata: { name: 'exempt' }, spec: { type: 'Exempt', exempt: { nominalConcurrencyShares: 7 } } },
      undefined,
      [],
    ],
  ],
};

describe.each(Object.entries(cases))('%s', (name, list) => {
  const resource = resourceOf(name);
  it.each(list)('%s', (_what, draft, change, faults) => {
    expect(faultsOf(resource, draft, change)).toEqual(faults);
  });
});
