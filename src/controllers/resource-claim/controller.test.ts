import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import type { Pod } from '../../api/types/core-v1.ts';
import type { ResourceClaim } from '../../api/types/resource-v1.ts';
import { fieldManager } from '../../apiserver/field-manager/index.ts';
import { events, pods, resourceClaims, resourceClaimTemplates } from '../../client/resource-refs.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { createServerFixture, names, type ServerFixture } from '../test-support/server.ts';
import { resourceClaimController } from './controller.ts';
import { claimFromTemplate, claimNamePrefix, planRelease } from './plan.ts';

const FINALIZER = 'resource.kubernetes.io/delete-protection';
const requests = { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'gpu' } }] } };
const pod = (name: string, more: Partial<NonNullable<Pod['spec']>> = {}): Pod => ({
  metadata: { name, namespace: 'x' },
  spec: {
    containers: [{ name: 'c', image: 'i', resources: { claims: [{ name: 'dev' }] } }],
    resourceClaims: [{ name: 'dev', resourceClaimTemplateName: 'gpus' }],
    ...more,
  },
});
const allocation = {
  devices: { results: [{ request: 'r', driver: 'd.example', pool: 'p', device: 'dev-0' }] },
};

describe('resource claims', () => {
  let f: ServerFixture;
  let registry: Registry;
  const claims = (): readonly ResourceClaim[] => f.all(resourceClaims, 'x');
  const template = () =>
    f.create(resourceClaimTemplates, {
      metadata: { name: 'gpus', namespace: 'x' },
      spec: { metadata: { labels: { a: 'b' } }, spec: requests },
    });
  const allocate = async (key: string, users: readonly string[]): Promise<void> => {
    await f.change(resourceClaims, key, (claim) => ({
      ...claim,
      metadata: { ...claim.metadata, finalizers: [FINALIZER] },
    }));
    const reservedFor = users.map((name) => ({ resource: 'pods', name, uid: f.find(pods, `x/${name}`)!.metadata!.uid! }));
    await f.change(resourceClaims, key, (claim) => ({ ...claim, status: { allocation, reservedFor } }), 'status');
  };
  beforeEach(async () => {
    f = await createServerFixture({ fieldManager: fieldManager() });
    registry = new Registry();
    const controller = resourceClaimController();
    f.start({ ...controller, start: (context, signal) => controller.start({ ...context, metrics: registry }, signal) });
  });
  afterEach(() => f.stop());

  it('are made from templates, told in the status of the pod, and counted', async () => {
    await template();
    await f.create(pods, pod('p'));
    await f.advance();
    const [claim] = claims();
    expect(claim).toMatchObject({
      metadata: {
        generateName: 'p-dev-',
        labels: { a: 'b' },
        annotations: { 'resource.kubernetes.io/pod-claim-name': 'dev' },
        ownerReferences: [{ kind: 'Pod', name: 'p', controller: true, blockOwnerDeletion: true }],
      },
      spec: requests,
    });
    const name = claim!.metadata!.name;
    expect(f.find(pods, 'x/p')?.status?.resourceClaimStatuses).toEqual([{ name: 'dev', resourceClaimName: name }]);
    expect(f.find(pods, 'x/p')?.metadata?.managedFields?.map((m) => m.manager)).toContain('ResourceClaimController');
    const text = await registry.metrics();
    expect(text).toContain(
      'dynamic_resource_allocation_resource_claims{allocated="false",admin_access="false",source="resource_claim_template"} 1',
    );
    expect(text).toContain('resourceclaim_creates_total{status="success",admin_access="false"} 1');
    const writes = f.writes.length;
    await f.advance(60_000);
    expect(f.writes.length).toBe(writes);
  });

  it('are made anew when they were deleted by mistake', async () => {
    await template();
    await f.create(pods, pod('p'));
    await f.advance();
    const before = claims()[0]!.metadata!.name!;
    await f.client.resource(resourceClaims).delete(before, 'x');
    await f.advance();
    expect(claims()).toHaveLength(1);
    expect(f.find(pods, 'x/p')?.status?.resourceClaimStatuses).toEqual([
      { name: 'dev', resourceClaimName: claims()[0]!.metadata!.name },
    ]);
    expect(claims()[0]!.metadata!.name).not.toBe(before);
  });

  it('wait for their template, and say so', async () => {
    await f.create(pods, pod('p'));
    await f.advance();
    const message =
      'PodResourceClaim dev: resource claim template "gpus": resourceclaimtemplate.resource.k8s.io "gpus" not found';
    expect(f.all(events, 'x')).toMatchObject([{ reason: 'FailedResourceClaimCreation', message, type: 'Warning' }]);
    await template();
    await f.advance(60_000);
    expect(claims()).toHaveLength(1);
  });

  it('are released and deallocated when their last user is done, and kept for others', async () => {
    await f.create(resourceClaims, { metadata: { name: 'shared', namespace: 'x' }, spec: requests });
    const use = { resourceClaims: [{ name: 'dev', resourceClaimName: 'shared' }] };
    await f.create(pods, pod('p', use));
    await f.create(pods, pod('q', use));
    await allocate('x/shared', ['p', 'q']);
    await f.change(pods, 'x/p', (p) => ({ ...p, status: { ...p.status, phase: 'Succeeded' as const } }), 'status');
    await f.advance();
    expect(f.find(resourceClaims, 'x/shared')?.status).toMatchObject({ allocation, reservedFor: [{ name: 'q' }] });
    await f.client.resource(pods).delete('q', 'x', { gracePeriodSeconds: 0 });
    await f.advance();
    const free = f.find(resourceClaims, 'x/shared');
    expect([free?.status?.allocation, free?.status?.reservedFor, free?.metadata?.finalizers]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('of pods that will not run are deleted with the pod still there', async () => {
    await template();
    await f.create(pods, pod('p'));
    await f.advance();
    await allocate(`x/${claims()[0]!.metadata!.name}`, ['p']);
    await f.change(pods, 'x/p', (p) => ({ ...p, status: { ...p.status, phase: 'Failed' as const } }), 'status');
    await f.advance();
    expect([names(f.all(pods, 'x')), claims()]).toEqual([['p'], []]);
  });

  it('made by the scheduler for extended resources go the same way', async () => {
    const gpu = { 'example.com/gpu': '1' };
    const container = { name: 'c', image: 'i', resources: { limits: gpu, requests: gpu } };
    await f.create(pods, pod('p', { resourceClaims: [], containers: [container] }));
    const owner = f.find(pods, 'x/p')!;
    await f.create(resourceClaims, {
      metadata: {
        name: 'ext',
        namespace: 'x',
        annotations: { 'resource.kubernetes.io/extended-resource-claim': 'true' },
        ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'p', uid: owner.metadata!.uid!, controller: true }],
      },
      spec: requests,
    });
    await f.change(
      pods,
      'x/p',
      (p) => ({
        ...p,
        status: {
          ...p.status,
          extendedResourceClaimStatus: {
            resourceClaimName: 'ext',
            requestMappings: [{ containerName: 'c', resourceName: 'example.com/gpu', requestName: 'r' }],
          },
        },
      }),
      'status',
    );
    await allocate('x/ext', ['p']);
    await f.advance();
    expect(f.find(resourceClaims, 'x/ext')?.status?.reservedFor).toHaveLength(1);
    await f.change(pods, 'x/p', (p) => ({ ...p, status: { ...p.status, phase: 'Succeeded' as const } }), 'status');
    await f.advance();
    expect(claims()).toEqual([]);
  });

  it('that are allocated are reserved for pods that came to a node without the scheduler', async () => {
    await f.create(resourceClaims, { metadata: { name: 'shared', namespace: 'x' }, spec: requests });
    await f.create(pods, pod('other', { resourceClaims: [{ name: 'dev', resourceClaimName: 'shared' }] }));
    await allocate('x/shared', ['other']);
    await f.create(pods, pod('p', { nodeName: 'n', resourceClaims: [{ name: 'dev', resourceClaimName: 'shared' }] }));
    await f.advance();
    expect(f.find(resourceClaims, 'x/shared')?.status?.reservedFor?.map((r) => r.name)).toEqual(['other', 'p']);
  });

  it('reserved for pods nobody knows are freed', async () => {
    await f.create(resourceClaims, { metadata: { name: 'shared', namespace: 'x' }, spec: requests });
    await f.create(pods, pod('p'));
    await allocate('x/shared', ['p']);
    await f.change(
      resourceClaims,
      'x/shared',
      (claim) => ({
        ...claim,
        status: { ...claim.status, reservedFor: [{ resource: 'pods', name: 'ghost', uid: 'u' }] },
      }),
      'status',
    );
    await f.advance();
    expect(f.find(resourceClaims, 'x/shared')?.status?.allocation).toBeUndefined();
  });
});

test('names are cut in proportion', () => {
  expect(claimNamePrefix('pod', 'dev')).toBe('pod-dev-');
  const long = claimNamePrefix('p'.repeat(60), 'c'.repeat(20));
  expect([long.length <= 57, long]).toEqual([true, `${'p'.repeat(41)}-${'c'.repeat(13)}`]);
});

test('a claim never used keeps its allocation until it is deleted', () => {
  const claim = deepFreeze<ResourceClaim>({
    metadata: { name: 'c', namespace: 'x', finalizers: [FINALIZER] },
    spec: requests,
    status: { allocation },
  });
  expect(planRelease(claim, [])).toBeUndefined();
  const going = { ...claim, metadata: { ...claim.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
  expect(planRelease(going, [])).toEqual({ status: {}, unprotect: true });
});

test('labels and annotations are those of the template', () => {
  const template = deepFreeze({ metadata: { name: 't', namespace: 'x' }, spec: { spec: requests } });
  const made = claimFromTemplate({ metadata: { name: 'p', namespace: 'x', uid: 'u' } }, { name: 'dev' }, template);
  expect(made.metadata?.labels).toBeUndefined();
});
