import { describe, expect, it } from 'vitest';
import { type FaultCase, faultsOf, resourceOf } from '../resource.fixture.ts';

const cases: Readonly<Record<string, readonly FaultCase[]>> = {
  'storage.k8s.io/v1/storageclasses': [
    [
      'wants sense',
      {
        provisioner: '',
        reclaimPolicy: 'X',
        volumeBindingMode: 'Y',
        parameters: { '': 'x' },
        allowedTopologies: [
          {
            matchLabelExpressions: [
              { key: 'a', values: [] },
              { key: 'a', values: ['x', 'x'] },
            ],
          },
        ],
      },
      undefined,
      [
        'provisioner: Required value',
        'parameters: Invalid value: "": field can not be empty.',
        'reclaimPolicy: Unsupported value: "X": supported values: "Delete", "Retain"',
        'volumeBindingMode: Unsupported value: "Y": supported values: "Immediate", "WaitForFirstConsumer"',
        'allowedTopologies[0].matchLabelExpressions[0].values: Required value',
        'allowedTopologies[0].matchLabelExpressions[1].values[1]: Duplicate value: "x"',
        'allowedTopologies[0].matchLabelExpressions[1].key: Duplicate value: "a"',
      ],
    ],
    [
      'keeps what cannot change',
      { provisioner: 'a', parameters: { a: 'b' } },
      (c) => {
        c.provisioner = 'b';
        c.parameters = {};
        c.reclaimPolicy = 'Retain';
        c.volumeBindingMode = 'WaitForFirstConsumer';
      },
      [
        'parameters: Forbidden: updates to parameters are forbidden.',
        'provisioner: Forbidden: updates to provisioner are forbidden.',
        'reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden.',
        'volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable',
      ],
    ],
  ],
  'storage.k8s.io/v1/csidrivers': [
    [
      'wants sense',
      {
        spec: {
          volumeLifecycleModes: ['X'],
          fsGroupPolicy: 'Y',
          tokenRequests: [{ audience: 'a', expirationSeconds: 1 }, { audience: 'a' }],
        },
      },
      undefined,
      [
        'spec.fsGroupPolicy: Unsupported value: "Y": supported values: "File", "None", "ReadWriteOnceWithFSType"',
        'spec.tokenRequests[0].expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes',
        'spec.tokenRequests[1].audience: Duplicate value: "a"',
        'spec.volumeLifecycleModes: Unsupported value: "X": supported values: "Persistent", "Ephemeral"',
      ],
    ],
    [
      'keeps what cannot change',
      { spec: {} },
      (c) => {
        c.spec.attachRequired = false;
        c.spec.volumeLifecycleModes = ['Ephemeral'];
        c.spec.fsGroupPolicy = 'File';
        c.spec.storageCapacity = true;
        c.spec.podInfoOnMount = true;
      },
      [
        'spec.attachedRequired: Invalid value: false: field is immutable',
        'spec.volumeLifecycleModes: Invalid value: ["Ephemeral"]: field is immutable',
      ],
    ],
  ],
  'storage.k8s.io/v1/csinodes': [
    [
      'wants sense',
      {
        spec: {
          drivers: [
            { name: '', nodeID: '' },
            {
              name: 'a',
              nodeID:
                'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
              topologyKeys: ['', 'a b', 'k', 'k'],
              allocatable: { count: -1 },
            },
            { name: 'a', nodeID: 'y' },
          ],
        },
      },
      undefined,
      [
        'spec.drivers[0].name: Required value',
        'spec.drivers[0].nodeID: Required value',
        'spec.drivers[1].nodeID: Invalid value: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx": must be 256 characters or less',
        'spec.drivers[1].allocatable.count: Invalid value: -1: must be greater than or equal to 0',
        'spec.drivers[1]: Required value',
        'spec.drivers[1]: Invalid value: "": name part must be non-empty',
        "spec.drivers[1]: Invalid value: \"\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        "spec.drivers[1]: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        'spec.drivers[1]: Duplicate value: "k"',
        'spec.drivers[2].name: Duplicate value: "a"',
      ],
    ],
  ],
  'storage.k8s.io/v1/volumeattachments': [
    [
      'wants sense',
      { spec: { attacher: '', nodeName: '', source: {} } },
      undefined,
      [
        'spec.attacher: Required value',
        'spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName',
        "spec.nodeName: Invalid value: \"\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      ],
    ],
    [
      'keeps what cannot change',
      { spec: { attacher: 'a', nodeName: 'n', source: { persistentVolumeName: 'p' } } },
      (v) => {
        v.spec.nodeName = 'm';
      },
      ['spec: Invalid value: {"attacher":"a","nodeName":"m","source":{"persistentVolumeName":"p"}}: field is immutable'],
    ],
  ],
  'storage.k8s.io/v1/csistoragecapacities': [
    [
      'wants sense',
      { storageClassName: 'A', capacity: '-1' },
      undefined,
      [
        "storageClassName: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        'capacity: Invalid value: "-1": must be greater than or equal to 0',
      ],
    ],
    [
      'keeps what cannot change',
      { storageClassName: 'a' },
      (c) => {
        c.storageClassName = 'b';
        c.nodeTopology = { matchLabels: { a: 'b' } };
      },
      [
        'nodeTopology: Invalid value: {"matchLabels":{"a":"b"}}: field is immutable',
        'storageClassName: Invalid value: "b": field is immutable',
      ],
    ],
  ],
  'storage.k8s.io/v1/volumeattributesclasses': [
    [
      'wants sense',
      { driverName: '' },
      undefined,
      ['driverName: Required value', 'parameters: Required value: must contain at least one key/value pair'],
    ],
    [
      'keeps what cannot change',
      { driverName: 'a', parameters: { a: 'b' } },
      (c) => {
        c.driverName = 'b';
        c.parameters = { a: 'c' };
      },
      [
        'driverName: Forbidden: updates to driverName are forbidden.',
        'parameters: Forbidden: updates to parameters are forbidden.',
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
