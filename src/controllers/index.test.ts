import { expect, test } from 'vitest';
import { fieldManager } from '../apiserver/field-manager/index.ts';
import { controllers } from './index.ts';
import { createServerFixture } from './test-support/server.ts';

/** What kube-controller-manager v1.36 runs when it is told nothing (cmd/kube-controller-manager/names), without a cloud provider. */
const defaults = [
  'certificatesigningrequest-approving-controller',
  'certificatesigningrequest-cleaner-controller',
  'certificatesigningrequest-signing-controller',
  'clusterrole-aggregation-controller',
  'cronjob-controller',
  'daemonset-controller',
  'deployment-controller',
  'device-taint-eviction-controller',
  'disruption-controller',
  'endpoints-controller',
  'endpointslice-controller',
  'endpointslice-mirroring-controller',
  'ephemeral-volume-controller',
  'garbage-collector-controller',
  'horizontal-pod-autoscaler-controller',
  'job-controller',
  'legacy-serviceaccount-token-cleaner-controller',
  'namespace-controller',
  'node-ipam-controller',
  'node-lifecycle-controller',
  'persistentvolume-attach-detach-controller',
  'persistentvolume-binder-controller',
  'persistentvolume-expander-controller',
  'persistentvolume-protection-controller',
  'persistentvolumeclaim-protection-controller',
  'pod-garbage-collector-controller',
  'replicaset-controller',
  'replicationcontroller-controller',
  'resourceclaim-controller',
  'resourcequota-controller',
  'root-ca-certificate-publisher-controller',
  'service-cidr-controller',
  'serviceaccount-controller',
  'serviceaccount-token-controller',
  'statefulset-controller',
  'taint-eviction-controller',
  'ttl-after-finished-controller',
  'ttl-controller',
  'validatingadmissionpolicy-status-controller',
  'volumeattributesclass-protection-controller',
];

const all = () =>
  controllers({
    rootCa: 'CA',
    signToken: async () => 'token',
    signing: { cert: '', key: '' },
    nodeIpam: { clusterCidrs: ['10.244.0.0/16'] },
  });

test('every controller that upstream runs by default, by its name', () => {
  expect(
    all()
      .map(({ name }) => name)
      .sort(),
  ).toEqual(defaults);
});

test('together they come to rest where there is nothing to do', async () => {
  const f = await createServerFixture({ fieldManager: fieldManager() });
  f.start(...all());
  await f.advance();
  const writes = f.writes.length;
  await f.advance(120_000);
  expect(f.writes.slice(writes)).toEqual([]);
  await f.stop();
});
