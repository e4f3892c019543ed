import { describe, expect, it } from 'vitest';
import { deepFreeze } from '../../../util/deep-freeze.ts';
import {
  cells,
  created,
  createFaults,
  type Draft,
  resourceOf,
  subresourceFaults,
  testContext,
  updated,
  updateFaults,
} from '../resource.fixture.ts';

const of = (plural: string) => resourceOf(`resource.k8s.io/v1/${plural}`);
const [classes, claims, templates, slices] = ['deviceclasses', 'resourceclaims', 'resourceclaimtemplates', 'resourceslices'].map(
  of,
) as [ReturnType<typeof of>, ReturnType<typeof of>, ReturnType<typeof of>, ReturnType<typeof of>];

const claimOf = (devices: Draft = { requests: [{ name: 'gpu', exactly: { deviceClassName: 'a.io' } }] }): Draft => ({
  spec: { devices },
});
const sliceOf = (spec: Draft = {}): Draft => ({
  spec: { driver: 'a.io', pool: { name: 'node', resourceSliceCount: 1 }, nodeName: 'node', devices: [{ name: 'd' }], ...spec },
});
const label =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

describe('a claim', () => {
  it('asks for one device when it says no more', () => {
    const claim = created(claims, claimOf());
    expect(claim.spec.devices.requests[0].exactly).toEqual({ deviceClassName: 'a.io', allocationMode: 'ExactCount', count: 1 });
    expect(claim.status).toEqual({});
    expect(claim.metadata.generation).toBeUndefined();
  });

  it.each<[string, Draft, readonly string[]]>([
    ['is content', claimOf(), []],
    ['is content with nothing', {}, []],
    [
      'is content with alternatives',
      claimOf({
        requests: [
          {
            name: 'gpu',
            firstAvailable: [
              { name: 'big', deviceClassName: 'a' },
              { name: 'all', deviceClassName: 'a', allocationMode: 'All' },
            ],
          },
        ],
        constraints: [{ requests: ['gpu/big', 'gpu'], matchAttribute: 'a.io/numa' }],
        config: [{ requests: ['gpu'], opaque: { driver: 'a.io', parameters: {} } }],
      }),
      [],
    ],
    [
      'wants one way to ask',
      claimOf({
        requests: [
          { name: '' },
          { name: 'a', exactly: { deviceClassName: 'a' }, firstAvailable: [{ name: 'x', deviceClassName: 'a' }] },
        ],
      }),
      [
        `spec.devices.requests[0].name: Invalid value: "": ${label}`,
        'spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required',
        'spec.devices.requests[1]: Invalid value: null: exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set',
      ],
    ],
    [
      'wants sense in a request',
      claimOf({
        requests: [
          { name: 'a', exactly: { deviceClassName: '', allocationMode: 'All', count: 2, selectors: [{}] } },
          {
            name: 'b',
            exactly: {
              deviceClassName: 'a',
              allocationMode: 'Some',
              tolerations: [{ operator: 'Exists', value: 'x', effect: 'No' }],
            },
          },
          { name: 'b', exactly: { deviceClassName: 'a', count: -1 } },
        ],
      }),
      [
        'spec.devices.requests[0].exactly.deviceClassName: Required value',
        'spec.devices.requests[0].exactly.selectors[0].cel: Required value',
        "spec.devices.requests[0].exactly.count: Invalid value: 2: must not be specified when allocationMode is 'All'",
        'spec.devices.requests[1].exactly.allocationMode: Unsupported value: "Some": supported values: "All", "ExactCount"',
        'spec.devices.requests[1].exactly.tolerations[0].value: Invalid value: "x": must be empty for operator `Exists`',
        'spec.devices.requests[1].exactly.tolerations[0].effect: Unsupported value: "No": supported values: "NoExecute", "NoSchedule", "None"',
        'spec.devices.requests[2].exactly.count: Invalid value: -1: must be greater than zero',
        'spec.devices.requests[2]: Duplicate value: "b"',
      ],
    ],
    [
      'wants requests that there are',
      claimOf({
        requests: [{ name: 'a', exactly: { deviceClassName: 'a' } }],
        constraints: [{ requests: ['b', 'a/b', 'a/b/c'], matchAttribute: 'numa' }, {}],
        config: [{ requests: ['a', 'a'] }],
      }),
      [
        'spec.devices.constraints[0].requests[0]: Invalid value: "b": must be the name of a request in the claim or the name of a request and a subrequest separated by \'/\'',
        'spec.devices.constraints[0].requests[1]: Invalid value: "a/b": must be the name of a request in the claim or the name of a request and a subrequest separated by \'/\'',
        'spec.devices.constraints[0].requests[2]: Invalid value: "a/b/c": must be the name of a request in the claim or the name of a request and a subrequest separated by \'/\'',
        'spec.devices.constraints[0].matchAttribute: Invalid value: "numa": a fully qualified name must be a domain and a name separated by a slash',
        'spec.devices.constraints[1]: Required value: exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set',
        'spec.devices.config[0].requests[1]: Duplicate value: "a"',
        'spec.devices.config[0].opaque: Required value',
      ],
    ],
    [
      'wants not too much',
      claimOf({ requests: Array.from({ length: 33 }, (_, i) => ({ name: `r${i}`, exactly: { deviceClassName: 'a' } })) }),
      ['spec.devices.requests: Too many: 33: must have at most 32 items'],
    ],
    [
      'wants an object as configuration',
      claimOf({
        config: [
          { opaque: { driver: 'a_b', parameters: 'x' } },
          { opaque: { driver: 'a', parameters: { x: 'y'.repeat(10 * 1024) } } },
        ],
      }),
      [
        "spec.devices.config[0].opaque.driver: Invalid value: \"a_b\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        'spec.devices.config[0].opaque.parameters: Invalid value: "<value omitted>": must be a valid JSON object',
        'spec.devices.config[1].opaque.parameters: Too long: may not be more than 10240 bytes',
      ],
    ],
  ])('%s', (_what, draft, faults) => {
    expect(createFaults(claims, draft)).toEqual(faults);
  });

  it('stays as it is', () => {
    const old = created(claims, claimOf());
    expect(updateFaults(claims, old, (c) => void (c.metadata.labels = { a: 'b' }))).toEqual([]);
    const [fault] = updateFaults(claims, old, (c) => void (c.spec.devices.requests[0].name = 'x'));
    expect(fault).toMatch(/^spec: Invalid value: .*: field is immutable$/);
  });

  it('shows its state', () => {
    expect(cells(claims, {}).State).toBe('pending');
    expect(cells(claims, { status: { allocation: {} } }).State).toBe('allocated');
    expect(cells(claims, { status: { allocation: {}, reservedFor: [{}] } }).State).toBe('allocated,reserved');
    const deleted = { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } };
    expect(cells(claims, { ...deleted, status: { allocation: {} } }).State).toBe('deleted,allocated');
    expect(cells(claims, deleted).State).toBe('deleted');
  });
});

describe('the status of a claim', () => {
  const old = created(claims, claimOf());
  const result = { request: 'gpu', driver: 'a.io', pool: 'node', device: 'd' };
  const allocation = { devices: { results: [result] } };
  const status = (next: Draft, before: Draft = old): readonly string[] =>
    subresourceFaults(claims, 'status', before, (c) => void (c.status = next));

  it('is content', () => {
    const device = {
      driver: 'a.io',
      pool: 'node',
      device: 'd',
      data: { a: 1 },
      conditions: [{ type: 'Ready', status: 'True', reason: 'Because', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' }],
      networkData: { interfaceName: 'eth0', hardwareAddress: '00:00:00:00:00:01', ips: ['10.0.0.1/24', 'fd00::1/64'] },
    };
    expect(status({ allocation, reservedFor: [{ resource: 'pods', name: 'p', uid: 'u' }], devices: [device] })).toEqual([]);
  });

  it('wants results that were asked for', () => {
    const bad = { request: 'other', driver: '', pool: '', device: 'D', shareID: 'x', bindingConditions: ['a'] };
    expect(status({ allocation: { devices: { results: [bad], config: [{ source: 'Air' }] } } })).toEqual([
      'status.allocation.devices.results[0].request: Invalid value: "other": must be the name of a request in the claim or the name of a request and a subrequest separated by \'/\'',
      'status.allocation.devices.results[0].driver: Required value',
      'status.allocation.devices.results[0].pool: Required value',
      `status.allocation.devices.results[0].device: Invalid value: "D": ${label}`,
      'status.allocation.devices.results[0].bindingFailureConditions: Invalid value: null: bindingFailureConditions are required to use bindingConditions',
      'status.allocation.devices.results[0].shareID: Invalid value: "x": error validating uid: invalid UUID length: 1',
      'status.allocation.devices.config[0].source: Unsupported value: "Air": supported values: "FromClaim", "FromClass"',
      'status.allocation.devices.config[0].opaque: Required value',
    ]);
  });

  it('wants devices that are allocated', () => {
    const device = { driver: 'a.io', pool: 'node', device: 'e', data: [1], networkData: { ips: ['10.0.0.1', '10.0.0.1/08'] } };
    expect(status({ allocation, devices: [device] })).toEqual([
      'status.devices[0]: Invalid value: "a.io/node/e": must be an allocated device in the claim',
      'status.devices[0].data: Invalid value: "<value omitted>": must be a valid JSON object',
      'status.devices[0].networkData.ips[0]: Invalid value: "10.0.0.1": must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)',
      'status.devices[0].networkData.ips[1]: Invalid value: "10.0.0.1/08": must be in canonical form ("10.0.0.1/8")',
    ]);
  });

  it('reserves what is allocated, until it is deleted', () => {
    const reservedFor = [{ resource: 'pods', name: 'p', uid: 'u' }];
    expect(status({ reservedFor: [...reservedFor, {}] })).toEqual([
      'status.reservedFor[1].resource: Required value',
      'status.reservedFor[1].name: Required value',
      'status.reservedFor[1].uid: Required value',
      'status.reservedFor: Forbidden: may not be specified when `allocated` is not set',
    ]);
    const deleted = { ...old, metadata: { ...old.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' }, status: { allocation } };
    expect(status({ allocation, reservedFor }, deleted)).toEqual([
      'status.reservedFor: Forbidden: new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set',
    ]);
  });

  it('keeps an allocation, or gives it up with what is known of its devices', () => {
    const device = { driver: 'a.io', pool: 'node', device: 'd' };
    const before = { ...old, status: { allocation, devices: [device] } };
    const [fault] = status({ allocation: { devices: { results: [] } } }, before);
    expect(fault).toMatch(/^status.allocation: Invalid value: .*: field is immutable$/);
    const through = claims.subresources.status?.strategy?.prepareForUpdate(
      deepFreeze({ ...before, status: { devices: [device] } }),
      deepFreeze(before),
      testContext(),
    );
    expect(through).toMatchObject({ status: {} });
    expect(through).not.toHaveProperty('status.devices');
  });
});

describe('a template of claims', () => {
  it('is one of claims', () => {
    expect(created(templates, { spec: claimOf() }).spec.spec.devices.requests[0].exactly.count).toBe(1);
    expect(
      createFaults(templates, {
        spec: { metadata: { name: 'x', labels: { a: 'b' } }, ...claimOf({ requests: [{ name: 'a' }] }) },
      }),
    ).toEqual([
      'spec.metadata.name: Forbidden: cannot be set',
      'spec.spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required',
    ]);
  });
  it('stays as it is', () => {
    const old = created(templates, { spec: claimOf() });
    expect(updateFaults(templates, old, (t) => void (t.spec.metadata = { labels: { a: 'b' } }))).toHaveLength(1);
  });
});

describe('a class', () => {
  it('counts its changes', () => {
    const old = created(classes, { spec: { selectors: [{ cel: { expression: 'true' } }] } });
    expect(old.metadata.generation).toBe(1);
    expect(updated(classes, old, (c) => void (c.spec.extendedResourceName = 'a.io/gpu')).metadata.generation).toBe(2);
  });
  it.each<[string, string | undefined]>([
    ['true', undefined],
    ['device.driver == "a.io" && device.attributes["a.io"].fast', undefined],
    ['device.attributes["a.io"].fast', undefined],
    ['cel.bind(a, device.attributes["a.io"], a.size > 3 && a.name.startsWith("x"))', undefined],
    ['device.capacity["a.io"].memory.compareTo(quantity("1Gi")) >= 0 && device.allowMultipleAllocations', undefined],
    ['device.attributes["a.io"].all(n, n.matches("[a-z]*"))', undefined],
    ['1', 'Invalid value: "1": must evaluate to bool or the unknown type, not int'],
    ['dyn(true)', 'Invalid value: "dyn(true)": must evaluate to bool or the unknown type, not dyn'],
    [
      'device.size',
      'Invalid value: "device.size": compilation failed: ERROR: <input>:1:7: undefined field \'size\'\n | device.size\n | ......^',
    ],
    [
      'device.attributes.all(a, device.attributes.all(b, device.attributes.all(c, device.attributes.all(d, a + b + c == d))))',
      'Forbidden: too complex, exceeds cost limit',
    ],
  ])('selects by %s', (expression, fault) => {
    const faults = fault === undefined ? [] : [`spec.selectors[0].cel.expression: ${fault}`];
    expect(createFaults(classes, { spec: { selectors: [{ cel: { expression } }] } })).toEqual(faults);
  });
  it('wants sense', () => {
    expect(
      createFaults(classes, {
        spec: { extendedResourceName: 'cpu', config: [{}], selectors: [{ cel: { expression: 'x'.repeat(10241) } }] },
      }),
    ).toEqual([
      'spec.selectors[0].cel.expression: Too long: may not be more than 10240 bytes',
      'spec.config[0].opaque: Required value',
      'spec.extendedResourceName: Invalid value: "cpu": must be a valid extended resource name',
    ]);
  });
});

describe('a slice', () => {
  it.each<[string, Draft, readonly string[]]>([
    ['is content', sliceOf(), []],
    [
      'is content with all of it',
      sliceOf({
        nodeName: undefined,
        perDeviceNodeSelection: true,
        devices: [
          {
            name: 'd',
            allNodes: true,
            attributes: {
              'a.io/model': { string: 'x' },
              fast: { bool: true },
              driver: { version: '1.2.3-beta.1+b' },
              numa: { int: 1 },
            },
            capacity: {
              memory: { value: '40Gi', requestPolicy: { default: '1Gi', validRange: { min: '1Gi', step: '1Gi', max: '40Gi' } } },
            },
            allowMultipleAllocations: true,
            taints: [{ key: 'a.io/broken', effect: 'NoExecute' }],
            consumesCounters: [{ counterSet: 'c', counters: { x: { value: '1' } } }],
            bindingConditions: ['a'],
            bindingFailureConditions: ['b'],
          },
        ],
      }),
      [],
    ],
    [
      'wants a driver and a pool',
      { spec: { nodeName: 'n' } },
      [
        'spec.driver: Required value',
        'spec.pool.name: Required value',
        'spec.pool.resourceSliceCount: Invalid value: 0: must be greater than zero',
      ],
    ],
    [
      'wants its nodes told once',
      sliceOf({ allNodes: true, perDeviceNodeSelection: false, nodeSelector: { nodeSelectorTerms: [] } }),
      [
        'spec.nodeSelector.nodeSelectorTerms: Required value: must have at least one node selector term',
        'spec.nodeSelector.nodeSelectorTerms: Invalid value: []: must have exactly one node selector term',
        'spec.perDeviceNodeSelection: Invalid value: false: must be either unset or set to true',
        'spec: Invalid value: "{`nodeName`, `nodeSelector`, `allNodes`}": exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required, but multiple fields are set',
      ],
    ],
    [
      'wants nodes',
      sliceOf({ nodeName: '', sharedCounters: [{ name: '', counters: {} }] }),
      [
        'spec.nodeName: Invalid value: "": must be either unset or set to a non-empty string',
        'spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required',
        'spec: Invalid value: "": only one of `sharedCounters` or `devices` is allowed',
        'spec.sharedCounters[0].name: Required value',
        'spec.sharedCounters[0].counters: Required value',
      ],
    ],
    [
      'wants values of attributes',
      sliceOf({
        devices: [
          {
            name: 'd',
            nodeName: 'n',
            attributes: { a: {}, b: { int: 1, bool: true }, c: { version: '1.0' }, 'd/': { int: 1 }, 'a-b': { int: 1 } },
          },
        ],
      }),
      [
        'spec.devices[0].attributes[a]: Invalid value: "": exactly one value must be specified',
        'spec.devices[0].attributes[b]: Invalid value: {"int":1,"bool":true}: exactly one value must be specified',
        'spec.devices[0].attributes[c].version: Invalid value: "1.0": must be a string compatible with semver.org spec 2.0.0',
        'spec.devices[0].attributes[d/]: Invalid value: "": the name must not be empty',
        "spec.devices[0].attributes[a-b]: Invalid value: \"a-b\": a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '[A-Za-z_][A-Za-z0-9_]*')",
        'spec.devices[0]: Invalid value: null: `nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec',
      ],
    ],
    [
      'drops what is not switched on',
      sliceOf({ devices: [{ name: 'd', attributes: { a: { ints: [1] } }, nodeAllocatableResourceMappings: { cpu: {} } }] }),
      ['spec.devices[0].attributes[a]: Invalid value: "": exactly one value must be specified'],
    ],
    [
      'wants policies for shared devices only',
      sliceOf({
        devices: [
          { name: 'a', capacity: { m: { value: '1', requestPolicy: {} } } },
          {
            name: 'b',
            allowMultipleAllocations: true,
            capacity: {
              m: { value: '4', requestPolicy: { default: '3', validValues: ['2', '1', '8'] } },
              n: { value: '4', requestPolicy: { default: '9', validRange: { min: '1', max: '8', step: '2' } } },
              o: { value: '4', requestPolicy: { validRange: {}, validValues: ['1'] } },
              p: { value: '4', requestPolicy: { validRange: {} } },
              q: { value: '4', requestPolicy: { default: '1', validRange: {} } },
            },
          },
        ],
      }),
      [
        'spec.devices[0].capacity[m].requestPolicy: Forbidden: allowMultipleAllocations must be true',
        'spec.devices[1].capacity[m].requestPolicy.validValues[1]: Invalid value: "1": values must be sorted in ascending order',
        'spec.devices[1].capacity[m].requestPolicy.validValues[2]: Invalid value: "8": option is larger than capacity value: 4',
        'spec.devices[1].capacity[m].requestPolicy.validValues: Invalid value: "3": default value is not valid according to the requestPolicy',
        'spec.devices[1].capacity[n].requestPolicy.validRange.max: Invalid value: "8": max is larger than capacity value: 4',
        'spec.devices[1].capacity[n].requestPolicy.validRange.max: Invalid value: "9": default is more than max: 8',
        'spec.devices[1].capacity[n].requestPolicy.validRange.step: Invalid value: "8": value is not a multiple of a given step (2) from (1)',
        'spec.devices[1].capacity[o].requestPolicy: Forbidden: exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time',
        'spec.devices[1].capacity[p].requestPolicy.default: Required value: required when validRange is defined',
        'spec.devices[1].capacity[q].requestPolicy.validRange.min: Required value: required when validRange is defined',
      ],
    ],
    [
      'wants fewer devices when there is more to them',
      sliceOf({ devices: Array.from({ length: 65 }, (_, i) => ({ name: `d${i}`, taints: [{ key: 'a', effect: 'None' }] })) }),
      ['spec.devices: Too many: 65: must have at most 64 items'],
    ],
  ])('%s', (_what, draft, faults) => {
    expect(createFaults(slices, draft)).toEqual(faults);
  });

  it('stays where it is', () => {
    const old = created(slices, sliceOf());
    expect(
      updateFaults(slices, old, (s) => {
        Object.assign(s.spec, { driver: 'b', nodeName: 'other' });
        s.spec.pool.name = 'p';
      }),
    ).toEqual([
      'spec.pool.name: Invalid value: "p": field is immutable',
      'spec.driver: Invalid value: "b": field is immutable',
      'spec.nodeName: Invalid value: "other": field is immutable',
    ]);
  });

  it('tells since when a taint is there', () => {
    const old = created(slices, sliceOf({ devices: [{ name: 'd', taints: [{ key: 'a', effect: 'NoSchedule' }] }] }));
    expect(old.spec.devices[0].taints[0].timeAdded).toBe('2026-01-01T00:00:00Z');
    const aged = structuredClone(old);
    aged.spec.devices[0].taints[0].timeAdded = '2025-01-01T00:00:00Z';
    const same = updated(slices, aged, (s) => void (s.spec.pool.generation = 2));
    expect(same.spec.devices[0].taints[0].timeAdded).toBe('2025-01-01T00:00:00Z');
    expect(same.metadata.generation).toBe(2);
    const changed = updated(slices, aged, (s) => void (s.spec.devices[0].taints[0].effect = 'NoExecute'));
    expect(changed.spec.devices[0].taints[0].timeAdded).toBe('2026-01-01T00:00:00Z');
  });

  it('is found by node and driver, and shown', () => {
    const slice = created(slices, sliceOf());
    expect(slices.fieldSelectors['spec.nodeName']?.(slice)).toBe('node');
    expect(slices.fieldSelectors['spec.driver']?.(slice)).toBe('a.io');
    expect(cells(slices, slice)).toMatchObject({ Name: 'a', Node: 'node', Driver: 'a.io', Pool: 'node' });
  });
});
