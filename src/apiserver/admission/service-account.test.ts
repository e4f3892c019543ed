import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Pod, ServiceAccount } from '../../api/types/core-v1.ts';
import { serviceAccount } from './service-account.ts';
import { createTestApi, refusal, type TestApi, testPod } from './test-support.ts';

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi(serviceAccount());
});
afterEach(() => api.close());

const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount';
const account = (name: string, more: object = {}, metadata: object = {}): ServiceAccount => ({
  metadata: { name, namespace: 'x', ...metadata },
  ...more,
});

describe('ServiceAccount', () => {
  it('gives a pod the default account and its token in every container', async () => {
    const initContainers = [{ name: 'i', image: 'i' }];
    const { spec } = await api.create<Pod>('pods', testPod('p', { initContainers }));
    const volume = spec?.volumes?.[0];
    expect(volume?.name).toMatch(/^kube-api-access-[a-z0-9]{5}$/);
    expect(volume?.projected).toEqual({
      defaultMode: 420,
      sources: [
        { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
      ],
    });
    const mount = { name: volume?.name, readOnly: true, mountPath };
    expect(spec?.containers[0]?.volumeMounts).toEqual([mount]);
    expect(spec?.initContainers?.[0]?.volumeMounts).toEqual([mount]);
    expect(spec).toMatchObject({ serviceAccountName: 'default', serviceAccount: 'default' });
  });
  it('waits for the default account of a new namespace', async () => {
    await api.create('namespaces', { metadata: { name: 'y' } });
    const waiting = api.create<Pod>('pods', testPod('p', {}, { namespace: 'y' }));
    await api.create('serviceaccounts', account('default', {}, { namespace: 'y' }));
    expect((await waiting).spec?.serviceAccountName).toBe('default');
    const late = refusal(api.create('pods', testPod('p', {}, { namespace: 'z' })));
    await api.clock.advance(2_000);
    expect((await late).message).toBe(
      'pods "p" is forbidden: error looking up service account z/default: serviceaccount "default" not found',
    );
  });
  it('refuses an account that is not there', async () => {
    const { code, message } = await refusal(api.create('pods', testPod('p', { serviceAccountName: 'no' })));
    expect(code).toBe(403);
    expect(message).toBe('pods "p" is forbidden: error looking up service account x/no: serviceaccount "no" not found');
  });
  it('mounts nothing where the pod, or else the account, does not want it', async () => {
    await api.create('serviceaccounts', account('quiet', { automountServiceAccountToken: false }));
    const quiet = await api.create<Pod>('pods', testPod('p', { serviceAccountName: 'quiet' }));
    expect(quiet.spec?.volumes).toBeUndefined();
    const more = { serviceAccountName: 'quiet', automountServiceAccountToken: true };
    expect((await api.create<Pod>('pods', testPod('q', more))).spec?.volumes).toHaveLength(1);
    const less = { automountServiceAccountToken: false };
    expect((await api.create<Pod>('pods', testPod('r', less))).spec?.volumes).toBeUndefined();
  });
  it('respects what is mounted there already', async () => {
    const containers = [{ name: 'c', image: 'i', volumeMounts: [{ name: 'own', mountPath }] }];
    const pod = await api.create<Pod>('pods', testPod('p', { containers, volumes: [{ name: 'own', emptyDir: {} }] }));
    expect(pod.spec?.volumes?.map((v) => v.name)).toEqual(['own']);
    expect(pod.spec?.containers[0]?.volumeMounts).toHaveLength(1);
  });
  it('gives pods the pull secrets of their account, unless they have their own', async () => {
    await api.create('serviceaccounts', account('a', { imagePullSecrets: [{ name: 's' }] }));
    const pod = await api.create<Pod>('pods', testPod('p', { serviceAccountName: 'a' }));
    expect(pod.spec?.imagePullSecrets).toEqual([{ name: 's' }]);
    const own = { serviceAccountName: 'a', imagePullSecrets: [{ name: 't' }] };
    expect((await api.create<Pod>('pods', testPod('q', own))).spec?.imagePullSecrets).toEqual([{ name: 't' }]);
  });

  const mirror = { annotations: { 'kubernetes.io/config.mirror': 'x' } };
  it('leaves mirror pods alone, and lets them refer to nothing', async () => {
    const onNode = { nodeName: 'n' };
    const pod = await api.create<Pod>('pods', testPod('m', onNode, mirror));
    expect(pod.spec?.volumes).toBeUndefined();
    expect(pod.spec?.serviceAccountName).toBeUndefined();
    const volume = (source: object): object => ({ ...onNode, volumes: [{ name: 'v', ...source }] });
    const token = { projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } };
    for (const [more, cause] of [
      [{ ...onNode, serviceAccountName: 'default' }, 'a mirror pod may not reference service accounts'],
      [volume({ secret: { secretName: 's' } }), 'a mirror pod may not reference secrets'],
      [volume(token), 'a mirror pod may not use ServiceAccountToken volume projections'],
    ] as const) {
      expect((await refusal(api.create('pods', testPod('n', more, mirror)))).message).toBe(`pods "n" is forbidden: ${cause}`);
    }
  });

  describe('that enforces mountable secrets', () => {
    beforeEach(() =>
      api.create(
        'serviceaccounts',
        account('a', { secrets: [{ name: 'good' }] }, { annotations: { 'kubernetes.io/enforce-mountable-secrets': 'true' } }),
      ),
    );
    const from = (name: string): object => ({ name: 'E', valueFrom: { secretKeyRef: { name, key: 'k' } } });
    it.each([
      [{ volumes: [{ name: 'v', secret: { secretName: 'bad' } }] }, 'volume with secret.secretName="bad"'],
      [
        { containers: [{ name: 'c', image: 'i', env: [from('bad')] }] },
        'container c with envVar E referencing secret.secretName="bad"',
      ],
      [
        { initContainers: [{ name: 'i', image: 'i', env: [from('bad')] }] },
        'init container i with envVar E referencing secret.secretName="bad"',
      ],
      [
        { containers: [{ name: 'c', image: 'i', envFrom: [{ secretRef: { name: 'bad' } }] }] },
        'container c with envFrom referencing secret.secretName="bad"',
      ],
    ])('refuses %j', async (more, what) => {
      const { message } = await refusal(api.create('pods', testPod('p', { serviceAccountName: 'a', ...more })));
      expect(message).toBe(
        `pods "p" is forbidden: ${what} is not allowed because service account a does not reference that secret`,
      );
    });
    it('refuses pull secrets it does not have', async () => {
      const more = { serviceAccountName: 'a', imagePullSecrets: [{ name: 'bad' }] };
      expect((await refusal(api.create('pods', testPod('p', more)))).message).toBe(
        'pods "p" is forbidden: imagePullSecrets[0].name="bad" is not allowed because service account a does not reference that imagePullSecret',
      );
    });
    it('admits what it lists', async () => {
      const more = { serviceAccountName: 'a', containers: [{ name: 'c', image: 'i', env: [from('good')] }] };
      await api.create('pods', testPod('p', more));
    });
  });
});
