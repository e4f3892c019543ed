import { describe, expect, it } from 'vitest';
import { type FaultCase, faultsOf, resourceOf } from '../resource.fixture.ts';

const cases: Readonly<Record<string, readonly FaultCase[]>> = {
  'apps/v1/deployments': [
    [
      'is content',
      {
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
        },
      },
      undefined,
      [],
    ],
    [
      'wants its parts',
      { spec: {} },
      undefined,
      [
        'spec.selector: Required value',
        'spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`',
        'spec.template.spec.containers: Required value',
      ],
    ],
    [
      'wants sense',
      {
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
          replicas: -1,
          minReadySeconds: -1,
          revisionHistoryLimit: -1,
          progressDeadlineSeconds: -5,
          strategy: { type: 'X' },
        },
      },
      undefined,
      [
        'spec.replicas: Invalid value: -1: must be greater than or equal to 0',
        'spec.strategy: Unsupported value: {"Type":"X","RollingUpdate":null}: supported values: "Recreate", "RollingUpdate"',
        'spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0',
        'spec.revisionHistoryLimit: Invalid value: -1: must be greater than or equal to 0',
        'spec.progressDeadlineSeconds: Invalid value: -5: must be greater than or equal to 0',
        'spec.progressDeadlineSeconds: Invalid value: -5: must be greater than minReadySeconds',
      ],
    ],
    [
      'selector',
      {
        spec: {
          selector: { matchLabels: { x: 'y' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
        },
      },
      undefined,
      ['spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`'],
    ],
    [
      'emptysel',
      {
        spec: { selector: {}, template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } } },
      },
      undefined,
      ['spec.selector: Invalid value: {}: empty selector is invalid for deployment'],
    ],
    [
      'badsel',
      {
        spec: {
          selector: { matchExpressions: [{ key: 'a', operator: 'Foo' }] },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
        },
      },
      undefined,
      [
        'spec.selector.matchExpressions[0].operator: Invalid value: "Foo": not a valid selector operator',
        'spec.selector: Invalid value: {"matchExpressions":[{"key":"a","operator":"Foo"}]}: invalid label selector',
      ],
    ],
    [
      'recreate',
      {
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
          strategy: { type: 'Recreate', rollingUpdate: {} },
        },
      },
      undefined,
      ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
    ],
    [
      'rolling',
      {
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
          strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: '0%' } },
        },
      },
      undefined,
      ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0'],
    ],
    [
      'rolling2',
      {
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
          strategy: { rollingUpdate: { maxUnavailable: '150%', maxSurge: 'x' } },
        },
      },
      undefined,
      [
        "spec.strategy.rollingUpdate.maxSurge: Invalid value: \"x\": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
        'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "150%": must not be greater than 100%',
      ],
    ],
    [
      'rolling without a number',
      {
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
          strategy: { rollingUpdate: { maxUnavailable: '' } },
        },
      },
      undefined,
      [
        "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"\": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
      ],
    ],
    [
      'deadline',
      {
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
          minReadySeconds: 20,
          progressDeadlineSeconds: 10,
        },
      },
      undefined,
      ['spec.progressDeadlineSeconds: Invalid value: 10: must be greater than minReadySeconds'],
    ],
    [
      'restart',
      {
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: {
            metadata: { labels: { a: 'b' } },
            spec: { restartPolicy: 'Never', activeDeadlineSeconds: 5, containers: [{ name: 'c', image: 'i' }] },
          },
        },
      },
      undefined,
      [
        'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
        'spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported',
      ],
    ],
    [
      'keeps what cannot change',
      {
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
        },
      },
      (d) => {
        d.spec.selector.matchLabels.a = 'c';
        d.spec.template.metadata.labels.a = 'c';
      },
      ['spec.selector: Invalid value: {"matchLabels":{"a":"c"}}: field is immutable'],
    ],
  ],
  'apps/v1/replicasets': [
    [
      'wants its parts',
      { spec: {} },
      undefined,
      [
        'spec.selector: Required value',
        'spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`',
        'spec.template.spec.containers: Required value',
      ],
    ],
    [
      'wants sense',
      {
        spec: {
          selector: { matchLabels: { x: 'y' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
          replicas: -1,
          minReadySeconds: -1,
        },
      },
      undefined,
      [
        'spec.replicas: Invalid value: -1: must be greater than or equal to 0',
        'spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0',
        'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`',
      ],
    ],
    [
      'keeps what cannot change',
      {
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
        },
      },
      (d) => {
        d.spec.selector.matchLabels.a = 'c';
        d.spec.template.metadata.labels.a = 'c';
      },
      ['spec.selector: Invalid value: {"matchLabels":{"a":"c"}}: field is immutable'],
    ],
  ],
  'apps/v1/daemonsets': [
    [
      'is content',
      {
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
        },
      },
      undefined,
      [],
    ],
    [
      'wants its parts',
      { spec: {} },
      undefined,
      [
        'spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`',
        'spec.template.spec.containers: Required value',
      ],
    ],
    [
      'strategy',
      {
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
          updateStrategy: { type: 'X' },
        },
      },
      undefined,
      ['spec.updateStrategy: Unsupported value: {"type":"X"}: supported values: "RollingUpdate", "OnDelete"'],
    ],
    [
      'rolling',
      {
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
          updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0 } },
        },
      },
      undefined,
      ['spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0'],
    ],
    [
      'rolling2',
      {
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
          updateStrategy: { rollingUpdate: { maxUnavailable: 1, maxSurge: 1 } },
        },
      },
      undefined,
      ['spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero'],
    ],
    [
      'rolling3',
      {
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
          updateStrategy: { rollingUpdate: { maxUnavailable: '200%' } },
        },
      },
      undefined,
      ['spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: "200%": must not be greater than 100%'],
    ],
    [
      'min',
      {
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
          minReadySeconds: -1,
          revisionHistoryLimit: -1,
        },
      },
      undefined,
      [
        'spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0',
        'spec.revisionHistoryLimit: Invalid value: -1: must be greater than or equal to 0',
      ],
    ],
    [
      'keeps what cannot change',
      {
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
        },
      },
      (d) => {
        d.spec.selector.matchLabels.a = 'c';
        d.spec.template.metadata.labels.a = 'c';
      },
      ['spec.selector: Invalid value: {"matchLabels":{"a":"c"}}: field is immutable'],
    ],
  ],
  'apps/v1/statefulsets': [
    [
      'is content',
      {
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
          serviceName: 's',
        },
      },
      undefined,
      [],
    ],
    [
      'wants its parts',
      { spec: {} },
      undefined,
      [
        'spec.selector: Required value',
        'spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`',
        'spec.template.spec.containers: Required value',
      ],
    ],
    [
      'wants sense',
      {
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
          podManagementPolicy: 'X',
          updateStrategy: { type: 'Y' },
          replicas: -1,
          minReadySeconds: -1,
          ordinals: { start: -1 },
          persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Q', whenScaled: 'Delete' },
          serviceName: 'A b',
          revisionHistoryLimit: -1,
        },
      },
      undefined,
      [
        "spec.podManagementPolicy: Invalid value: \"X\": must be 'OrderedReady' or 'Parallel'",
        'spec.updateStrategy: Invalid value: {"type":"Y"}: must be \'RollingUpdate\' or \'OnDelete\'',
        'spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: "Q": supported values: "Retain", "Delete"',
        'spec.replicas: Invalid value: -1: must be greater than or equal to 0',
        'spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0',
        'spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0',
        "spec.serviceName: Invalid value: \"A b\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
      ],
    ],
    [
      'ondelete',
      {
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
          updateStrategy: { type: 'OnDelete', rollingUpdate: { partition: 1 } },
        },
      },
      undefined,
      ['spec.updateStrategy.rollingUpdate: Invalid value: {"partition":1}: only allowed for updateStrategy \'RollingUpdate\''],
    ],
    [
      'drops how many may be missing, and wants a partition',
      {
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
          updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: -1, maxUnavailable: 0 } },
        },
      },
      undefined,
      ['spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: must be greater than or equal to 0'],
    ],
    [
      'keeps what cannot change',
      {
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
          serviceName: 's',
        },
      },
      (d) => {
        d.spec.serviceName = 't';
      },
      [
        "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
      ],
    ],
    [
      'changes what can',
      {
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
          serviceName: 's',
        },
      },
      (d) => {
        d.spec.replicas = 4;
        d.spec.minReadySeconds = 1;
        d.spec.template.spec.containers[0].image = 'z';
        d.spec.updateStrategy.type = 'OnDelete';
        delete d.spec.updateStrategy.rollingUpdate;
        d.spec.ordinals = { start: 2 };
        d.spec.persistentVolumeClaimRetentionPolicy.whenScaled = 'Delete';
        d.spec.revisionHistoryLimit = 3;
      },
      [],
    ],
  ],
  'apps/v1/controllerrevisions': [
    ['wants its parts', {}, undefined, ['data: Required value: data is mandatory']],
    ['neg', { data: { a: 1 }, revision: -1 }, undefined, ['revision: Invalid value: -1: must be greater than or equal to 0']],
    [
      'keeps what cannot change',
      { data: { a: 1 }, revision: 1 },
      (r) => {
        r.data = { a: 2 };
      },
      ['data: Invalid value: {"a":2}: field is immutable'],
    ],
  ],
  'v1/replicationcontrollers': [
    ['wants its parts', { spec: {} }, undefined, ['spec.selector: Required value', 'spec.template: Required value']],
    [
      'wants sense',
      {
        spec: {
          replicas: -1,
          minReadySeconds: -1,
          selector: { x: 'y' },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
        },
      },
      undefined,
      [
        'spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0',
        'spec.replicas: Invalid value: -1: must be greater than or equal to 0',
        'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`',
      ],
    ],
    [
      'is content',
      { spec: { template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } } } },
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
