import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PersistentVolumeClaim } from '../../api/types/core-v1.ts';
import type { Ingress } from '../../api/types/networking-v1.ts';
import { defaultIngressClass } from './default-ingress-class.ts';
import { defaultStorageClass } from './default-storage-class.ts';
import { persistentVolumeClaimResize } from './persistent-volume-claim-resize.ts';
import { storageObjectInUseProtection } from './storage-object-in-use-protection.ts';
import { createTestApi, refusal, type TestApi } from './test-support.ts';

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi(
    defaultStorageClass(),
    storageObjectInUseProtection(),
    persistentVolumeClaimResize(),
    defaultIngressClass(),
  );
});
afterEach(() => api.close());

const claim = (name: string, spec: object = {}, metadata: object = {}): object => ({
  metadata: { name, namespace: 'x', ...metadata },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
});
const storageClass = (name: string, isDefault: boolean, more: object = {}): Promise<unknown> =>
  api.create('storageclasses', {
    metadata: { name, annotations: { 'storageclass.kubernetes.io/is-default-class': String(isDefault) } },
    provisioner: 'p',
    ...more,
  });

describe('DefaultStorageClass', () => {
  const classOf = async (name: string, spec: object = {}, metadata: object = {}): Promise<string | undefined> =>
    (await api.create<PersistentVolumeClaim>('persistentvolumeclaims', claim(name, spec, metadata))).spec?.storageClassName;
  it('gives claims the newest default class', async () => {
    expect(await classOf('none')).toBeUndefined();
    await storageClass('b', true);
    await storageClass('a', true);
    await storageClass('c', false);
    expect(await classOf('tie')).toBe('a');
    await api.clock.advance(1000);
    await storageClass('d', true);
    expect(await classOf('newest')).toBe('d');
  });
  it('respects what the claim says, also when it says none', async () => {
    await storageClass('a', true);
    expect(await classOf('own', { storageClassName: 'mine' })).toBe('mine');
    expect(await classOf('empty', { storageClassName: '' })).toBe('');
    const annotations = { 'volume.beta.kubernetes.io/storage-class': 'old' };
    expect(await classOf('old', {}, { annotations })).toBeUndefined();
  });
});

describe('StorageObjectInUseProtection', () => {
  it('gives claims and volumes their finalizer once', async () => {
    const made = await api.create<PersistentVolumeClaim>('persistentvolumeclaims', claim('c'));
    expect(made.metadata?.finalizers).toEqual(['kubernetes.io/pvc-protection']);
    const finalizers = ['a.b/c', 'kubernetes.io/pvc-protection'];
    const own = await api.create<PersistentVolumeClaim>('persistentvolumeclaims', claim('d', {}, { finalizers }));
    expect(own.metadata?.finalizers).toEqual(finalizers);
    const volume = await api.create('persistentvolumes', {
      metadata: { name: 'v' },
      spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/x' } },
    });
    expect(volume.metadata?.finalizers).toEqual(['kubernetes.io/pv-protection']);
  });
});

describe('PersistentVolumeClaimResize', () => {
  const grow = (name: string): Promise<unknown> =>
    api.patch('persistentvolumeclaims', 'x', name, { spec: { resources: { requests: { storage: '2Gi' } } } });
  const bound = async (name: string, storageClassName: string): Promise<void> => {
    await api.create('persistentvolumeclaims', claim(name, { storageClassName, volumeName: 'v' }));
    await api.patch('persistentvolumeclaims/status', 'x', name, { status: { phase: 'Bound', capacity: { storage: '1Gi' } } });
  };
  it('lets bound claims grow where their class allows it', async () => {
    await storageClass('grows', false, { allowVolumeExpansion: true });
    await storageClass('fixed', false);
    await bound('a', 'grows');
    await bound('b', 'fixed');
    await grow('a');
    expect((await refusal(grow('b'))).message).toBe(
      'persistentvolumeclaims "b" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
    );
  });
  it('refuses to grow what is not bound', async () => {
    await api.create('persistentvolumeclaims', claim('c', { storageClassName: 'grows' }));
    const { message } = await refusal(grow('c'));
    expect(message).toMatch(/Only bound persistent volume claims can be expanded|spec is immutable/);
  });
});

describe('DefaultIngressClass', () => {
  it('gives ingresses the default class', async () => {
    await api.create('ingressclasses', {
      metadata: { name: 'nginx', annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
      spec: { controller: 'k8s.io/nginx' },
    });
    const ingress = (name: string, spec: object = {}, annotations: object = {}): Promise<Ingress> =>
      api.create<Ingress>('ingresses', {
        metadata: { name, namespace: 'x', annotations },
        spec: { defaultBackend: { service: { name: 's', port: { number: 80 } } }, ...spec },
      });
    expect((await ingress('a')).spec?.ingressClassName).toBe('nginx');
    expect((await ingress('b', { ingressClassName: 'own' })).spec?.ingressClassName).toBe('own');
    expect((await ingress('c', {}, { 'kubernetes.io/ingress.class': 'old' })).spec?.ingressClassName).toBeUndefined();
  });
});
