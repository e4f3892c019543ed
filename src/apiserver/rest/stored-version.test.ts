import { expect, it } from 'vitest';
import { systemClock } from '../../util/clock.ts';
import { fieldManager } from '../field-manager/field-manager.ts';
import { TestServer } from '../test-server.ts';
import { openTestStore } from '../test-store.ts';

const group = '/apis/admissionregistration.k8s.io/v1';
const bindings = `${group}/mutatingadmissionpolicybindings`;
const key = (name: string) => `/registry/mutatingadmissionpolicybindings/${name}`;
const v1 = 'admissionregistration.k8s.io/v1';
const v1beta1 = 'admissionregistration.k8s.io/v1beta1';
const binding = (name: string) => ({ metadata: { name }, spec: { policyName: 'p' } });

it('stores policies of mutation as v1beta1, and shows them as v1', async () => {
  const store = await openTestStore(systemClock);
  const old = { kind: 'MutatingAdmissionPolicyBinding', apiVersion: v1, ...binding('old') };
  const value = Buffer.from(JSON.stringify({ ...old, metadata: { name: 'old', uid: 'u' } }));
  await store.commit([{ type: 'put', key: key('old'), value, expectedRevision: 0 }]);
  const api = await TestServer.start({ store, fieldManager: fieldManager() });
  try {
    const storedAs = async (name: string): Promise<string> =>
      JSON.parse(Buffer.from((await store.get(key(name)))!.value).toString()).apiVersion;
    const made = await api.post(bindings, binding('new'));
    expect([made.code, made.json.apiVersion, await storedAs('new')]).toEqual([201, v1, v1beta1]);

    expect((await api.get(`${bindings}/old`)).json).toMatchObject({ ...old, apiVersion: v1 });
    const changed = { ...old, spec: { policyName: 'q' } };
    expect((await api.put(`${bindings}/old`, changed)).json).toMatchObject({ apiVersion: v1, spec: { policyName: 'q' } });
    expect(await storedAs('old')).toBe(v1beta1);

    const patched = await api.patch(`${bindings}/new?fieldManager=m`, 'application/apply-patch+yaml', {
      ...old,
      metadata: { name: 'new', labels: { a: 'b' } },
    });
    expect(patched.json).toMatchObject({
      metadata: { labels: { a: 'b' }, managedFields: [{ apiVersion: v1 }, { apiVersion: v1 }] },
    });
    const { items } = (await api.get(bindings)).json;
    expect(items.map((item: { metadata: { name: string } }) => item.metadata.name)).toEqual(['new', 'old']);

    const { resources } = (await api.get(group)).json;
    const hash = (plural: string) => resources.find((r: { name: string }) => r.name === plural).storageVersionHash;
    expect(hash('mutatingadmissionpolicies')).toBe('LYmCf+UMVdg=');
    expect(hash('mutatingadmissionpolicybindings')).toBe('90V5FRZZ3Zg=');
  } finally {
    await api.close();
  }
});
