import { expect, test } from 'vitest';
import {
  kubeconfigTransport,
  mergeKubeconfig,
  parseKubeconfig,
  removeFromKubeconfig,
  serializeKubeconfig,
} from './kubeconfig.ts';

const existing = parseKubeconfig(`
apiVersion: v1
kind: Config
clusters:
- name: other
  cluster: {server: 'https://other:6443', proxy-url: 'http://p'}
contexts:
- name: other
  context: {cluster: other, user: admin, namespace: web}
users:
- name: admin
  user: {token: abc}
current-context: other
`);

test('a merge keeps what is there and makes the new context current', () => {
  const entry = {
    name: 'k8ts',
    cluster: { server: 'https://127.0.0.1:6443', 'certificate-authority-data': Buffer.from('CA').toString('base64') },
    user: {
      'client-certificate-data': Buffer.from('CERT').toString('base64'),
      'client-key-data': Buffer.from('KEY').toString('base64'),
    },
  };
  const merged = parseKubeconfig(serializeKubeconfig(mergeKubeconfig(mergeKubeconfig(existing, entry), entry)));
  expect(merged.clusters?.map((c) => c.name)).toEqual(['other', 'k8ts']);
  expect(merged.clusters?.[0]?.cluster).toHaveProperty('proxy-url', 'http://p');
  expect(kubeconfigTransport(merged)).toEqual({
    namespace: 'default',
    http: { server: 'https://127.0.0.1:6443', ca: 'CA', cert: 'CERT', key: 'KEY' },
  });
  expect(kubeconfigTransport(merged, { context: 'other' })).toEqual({
    namespace: 'web',
    http: { server: 'https://other:6443', token: 'abc' },
  });
  expect(removeFromKubeconfig(merged, 'k8ts').contexts?.map((c) => c.name)).toEqual(['other']);
});

test('what is missing is named', () => {
  expect(() => kubeconfigTransport({})).toThrow('no current-context');
  expect(() => kubeconfigTransport({ ...existing, clusters: [] })).toThrow('no cluster "other"');
});
