import { describe, expect, it } from 'vitest';
import { deepFreeze } from '../../../util/deep-freeze.ts';
import { created, type Draft, resourceOf, subresourceFaults, testContext } from '../resource.fixture.ts';

const [nodes, claims, volumes, pods] = ['nodes', 'persistentvolumeclaims', 'persistentvolumes', 'pods'].map((plural) =>
  resourceOf(`v1/${plural}`),
) as [ReturnType<typeof resourceOf>, ReturnType<typeof resourceOf>, ReturnType<typeof resourceOf>, ReturnType<typeof resourceOf>];

describe('the features that a node declares', () => {
  const faults = (declaredFeatures: readonly string[]) =>
    subresourceFaults(nodes, 'status', created(nodes, {}), (node) => void (node.status = { declaredFeatures }));
  it('are sorted, named properly and told once', () => {
    expect(faults(['A', 'B/inner', 'C1'])).toEqual([]);
    expect(faults(['B', 'B', 'A', 'a-b'])).toEqual([
      'status.declaredFeatures[1]: Duplicate value: "B"',
      'status.declaredFeatures[2]: Invalid value: "A": list must be sorted alphabetically',
      'status.declaredFeatures[3]: Invalid value: "a-b": invalid feature name "a-b": must start with an UpperCamelCase segment, with subsequent segments separated by \'/\' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes',
    ]);
    expect(faults(['A'.repeat(254)])[0]).toMatch(/: must be no more than 253 characters$/);
  });
});

describe('what a claim has been allocated', () => {
  const claim = created(claims, { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } });
  const faults = (status: Draft) => subresourceFaults(claims, 'status', claim, (copy) => void (copy.status = status));
  it('is storage, or a resource of somebody else', () => {
    const allocatedResources = { storage: '1Gi', 'example.com/blocks': '3' };
    expect(faults({ allocatedResources, allocatedResourceStatuses: { storage: 'NodeResizePending' } })).toEqual([]);
    expect(faults({ allocatedResources: { cpu: '1', storage: '-1' }, allocatedResourceStatuses: { memory: 'Lost' } })).toEqual([
      'status.allocatedResourceStatuses: Unsupported value: "memory": supported values: "storage"',
      'status.allocatedResourceStatuses: Unsupported value: "memory": supported values: "ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInProgress", "NodeResizeInfeasible", "NodeResizePending"',
      'status.allocatedResources: Unsupported value: "cpu": supported values: "storage"',
      'status.allocatedResources[storage]: Invalid value: -1: must be a valid resource quantity',
    ]);
  });
});

describe('the time of a volume’s last phase', () => {
  const old = created(volumes, {
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/a' }, storageClassName: 'a' },
  });
  const first = '2020-01-01T00:00:00Z';
  const now = '2026-01-01T00:00:00Z';
  const timeAfter = (status: Draft) => {
    const before = { ...old, status: { phase: 'Available', lastPhaseTransitionTime: first } };
    const { strategy } = volumes.subresources['status']!;
    const updated: Draft = strategy!.prepareForUpdate(deepFreeze({ ...old, status }), deepFreeze(before), testContext());
    return updated.status.lastPhaseTransitionTime;
  };
  it('is kept with the phase, and is that of the change otherwise', () => {
    expect(timeAfter({ phase: 'Available' })).toBe(first);
    expect(timeAfter({ phase: 'Bound' })).toBe(now);
    expect(timeAfter({ phase: 'Bound', lastPhaseTransitionTime: first })).toBe(now);
    expect(timeAfter({ phase: 'Bound', lastPhaseTransitionTime: '2021-01-01T00:00:00Z' })).toBe('2021-01-01T00:00:00Z');
  });
});

describe('the status of a pod', () => {
  const podOf = (spec: Draft = {}): Draft =>
    created(pods, {
      spec: {
        containers: [{ name: 'a', image: 'a', resources: { requests: { 'a.io/gpu': '1' }, limits: { 'a.io/gpu': '1' } } }],
        ...spec,
      },
    });
  const faults = (pod: Draft, status: Draft) =>
    subresourceFaults(pods, 'status', pod, (copy) => void (copy.status = { ...copy.status, ...status }));

  it('tells no user of Linux for Windows', () => {
    const containerStatuses = [{ name: 'a', user: { linux: { uid: 1, gid: -1, supplementalGroups: [2147483648] } } }];
    expect(faults(podOf({ os: { name: 'windows' } }), { containerStatuses })).toEqual([
      'status.containerStatuses[0].user.linux: Forbidden: cannot be set for a windows pod',
    ]);
    const range = 'must be between 0 and 2147483647, inclusive';
    expect(faults(podOf(), { containerStatuses })).toEqual([
      `status.containerStatuses[0].user.linux.gid: Invalid value: -1: ${range}`,
      `status.containerStatuses[0].user.linux.supplementalGroups[0]: Invalid value: 2147483648: ${range}`,
    ]);
  });

  it('tells of each device once, and of those that were asked for', () => {
    const resources = [
      { resourceID: 'x', health: 'Healthy' },
      { resourceID: 'x', health: 'Ill' },
    ];
    const allocatedResourcesStatus = [{ name: 'a.io/gpu', resources }, { name: 'b.io/gpu' }, { name: 'claim:c' }];
    const at = 'status.containerStatuses[0].allocatedResourcesStatus';
    expect(faults(podOf(), { containerStatuses: [{ name: 'a', allocatedResourcesStatus }] })).toEqual([
      `${at}[0].resources[1].health: Unsupported value: "Ill": supported values: "Healthy", "Unhealthy", "Unknown"`,
      `${at}[0].resources[1].resourceID: Duplicate value: "x"`,
      `${at}[1].name: Invalid value: "b.io/gpu": must match one of the container's resource requests`,
      `${at}[2].name: Invalid value: "claim:c": must match one of the container's resource claims in a format 'claim:<claimName>/<request>' or 'claim:<claimName>' if request is empty`,
    ]);
    expect(faults(podOf(), { ephemeralContainerStatuses: [{ name: 'e', allocatedResourcesStatus }] })).toEqual([
      'status.ephemeralContainerStatuses[0].allocatedResourcesStatus: Forbidden: must not be specified in container status',
    ]);
  });

  it('tells of claims that the pod has', () => {
    const pod = podOf({ resourceClaims: [{ name: 'c', resourceClaimTemplateName: 't' }] });
    expect(faults(pod, { resourceClaimStatuses: [{ name: 'c', resourceClaimName: 'A' }, { name: 'c' }] })).toEqual([
      expect.stringMatching(/^status\.resourceClaimStatuses\[0\]\.resourceClaimName: Invalid value: "A": a lowercase RFC 1123/),
      'status.resourceClaimStatuses[1].name: Duplicate value: "c"',
    ]);
    const mapping = { containerName: 'a', resourceName: 'a.io/gpu', requestName: 'r' };
    const claim = (requestMappings: Draft) => ({ extendedResourceClaimStatus: { resourceClaimName: 'x', requestMappings } });
    expect(faults(pod, claim([mapping]))).toEqual([]);
    const at = 'status.extendedResourceClaimStatus.requestMappings';
    expect(faults(pod, claim([mapping, mapping, { ...mapping, containerName: 'z' }]))).toEqual([
      `${at}[1].containerName: Duplicate value: "a"`,
      `${at}[1].resourceName: Duplicate value: "a.io/gpu"`,
      `${at}[1].requestName: Duplicate value: "r"`,
      `${at}[2].containerName: Invalid value: "z": must match the name of an entry in spec.initContainers.name or spec.containers.name`,
    ]);
  });

  it('nominates no other node once the pod has one', () => {
    expect(faults(podOf({ nodeName: 'n' }), { nominatedNodeName: 'm', observedGeneration: -1 })).toEqual([
      'status.nominatedNodeName: Forbidden: may not be set on pods that are already bound to a node',
      'status.observedGeneration: Invalid value: -1: must be a non-negative integer',
    ]);
  });
});
