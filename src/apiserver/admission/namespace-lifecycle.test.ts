import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Namespace } from '../../api/types/core-v1.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { createTestApi, refusal, type TestApi } from './test-support.ts';

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi(namespaceLifecycle());
});
afterEach(() => api.close());

const configMap = (namespace: string, name = 'c'): { metadata: { name: string; namespace: string } } => ({
  metadata: { name, namespace },
});

describe('NamespaceLifecycle', () => {
  it('refuses content of a namespace that is not there', async () => {
    const refused = refusal(api.create('configmaps', configMap('gone')));
    await api.clock.advance(50);
    expect((await refused).status).toMatchObject({
      code: 404,
      reason: 'NotFound',
      message: 'namespaces "gone" not found',
      details: { name: 'gone', kind: 'namespaces' },
    });
  });
  it('waits a moment for a namespace that is about to be made', async () => {
    const created = api.create('configmaps', configMap('soon'));
    await api.create('namespaces', { metadata: { name: 'soon' } });
    expect((await created).metadata?.name).toBe('c');
  });
  it('refuses new content of a namespace that is on its way out, but lets what is there change and go', async () => {
    const made = await api.create('configmaps', configMap('x', 'old'));
    await api.patch('namespaces', '', 'x', { metadata: { finalizers: ['example.com/wait'] } });
    await api.remove('namespaces', '', 'x');
    expect(api.get<Namespace>('namespaces', '', 'x')?.status?.phase).toBe('Terminating');
    const { status } = await refusal(api.create('configmaps', configMap('x')));
    expect(status).toMatchObject({
      code: 403,
      reason: 'Forbidden',
      message: 'configmaps "c" is forbidden: unable to create new content in namespace x because it is being terminated',
      details: {
        name: 'c',
        kind: 'configmaps',
        causes: [{ reason: 'NamespaceTerminating', message: 'namespace x is being terminated', field: 'metadata.namespace' }],
      },
    });
    await api.update('configmaps', { ...made, data: { a: 'b' } });
    await api.remove('configmaps', 'x', 'old');
  });
  it('keeps the system namespaces', async () => {
    for (const name of ['default', 'kube-system', 'kube-public']) {
      await api.create('namespaces', { metadata: { name } });
      expect((await refusal(api.remove('namespaces', '', name))).message).toBe(
        `namespaces "${name}" is forbidden: this namespace may not be deleted`,
      );
    }
  });
  it('does not stand in the way of what has no namespace', async () => {
    await api.create('nodes', { metadata: { name: 'n' } });
  });
});
