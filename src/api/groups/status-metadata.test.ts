import { describe, expect, it } from 'vitest';
import { deepFreeze } from '../../util/deep-freeze.ts';
import type { KubernetesObject } from '../meta/object.ts';
import { builtinResources } from './index.ts';
import { testContext } from './resource.fixture.ts';

const metadata = (mark: string) => ({
  name: 'a',
  generation: mark === 'old' ? 1 : 2,
  labels: { mark },
  annotations: { mark },
  finalizers: [`example.com/${mark}`],
  ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: mark, uid: mark }],
  managedFields: [{ manager: mark }],
});

/** What an update through `status` takes over of the metadata. */
function taken(group: string, plural: string): string[] {
  const resource = builtinResources.find((r) => r.group === group && r.plural === plural)!;
  const object = (mark: string): KubernetesObject =>
    deepFreeze({
      apiVersion: 'v1',
      kind: resource.kind,
      metadata: metadata(mark),
      spec: { mark },
      status: {},
    } as KubernetesObject);
  const prepare = resource.subresources['status']!.strategy!.prepareForUpdate;
  const after = prepare(object('new'), object('old'), testContext()) as KubernetesObject & { readonly spec: unknown };
  expect(after.spec).toEqual({ mark: 'old' });
  expect(after.metadata?.generation).toBe(1);
  const sent: Readonly<Record<string, unknown>> = metadata('new');
  const stored = after.metadata as unknown as Readonly<Record<string, unknown>>;
  const names = ['labels', 'annotations', 'finalizers', 'ownerReferences', 'managedFields'];
  return names.filter((name) => JSON.stringify(stored[name]) === JSON.stringify(sent[name]));
}

describe('an update through status', () => {
  it.each([
    ['networking.k8s.io', 'servicecidrs'],
    ['storage.k8s.io', 'volumeattachments'],
    ['resource.k8s.io', 'resourceclaims'],
    ['admissionregistration.k8s.io', 'validatingadmissionpolicies'],
    ['flowcontrol.apiserver.k8s.io', 'flowschemas'],
    ['flowcontrol.apiserver.k8s.io', 'prioritylevelconfigurations'],
    ['apiregistration.k8s.io', 'apiservices'],
  ])('leaves the metadata of %s/%s', (group, plural) => {
    expect(taken(group, plural)).toEqual(['managedFields']);
  });

  it('takes those of others as it has them, but for the labels of deployments', () => {
    const all = ['labels', 'annotations', 'finalizers', 'ownerReferences', 'managedFields'];
    for (const [group, plural] of [
      ['apps', 'replicasets'],
      ['', 'services'],
      ['', 'namespaces'],
      ['networking.k8s.io', 'ingresses'],
    ] as const)
      expect(taken(group, plural)).toEqual(all);
    expect(taken('apps', 'deployments')).toEqual(all.slice(1));
  });
});
