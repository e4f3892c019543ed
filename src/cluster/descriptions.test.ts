import { expect, it } from 'vitest';
import { describedBy } from './descriptions.ts';

const descriptions = describedBy({
  V1Pod: ['A pod.', { kind: 'What it is.', spec: 'What it shall be.', status: '' }],
  V1PodList: ['Pods.', { kind: 'What it is.' }],
  V1Event: ['Not this one.', {}],
  CoreV1Event: ['An event of core.', {}],
  V1ListMeta: ['', { _continue: 'Where to go on.' }],
  parameters: ['', { _continue: 'Go on.', watch: 'Look.' }],
  V1JSONSchemaProps: ['', { x_kubernetes_embedded_resource: 'Embedded.' }],
});

it('finds types and fields by the names of OpenAPI', () => {
  expect(descriptions.type('io.k8s.api.core.v1.Pod')).toBe('A pod.');
  expect(descriptions.field('io.k8s.api.core.v1.Pod', 'spec')).toBe('What it shall be.');
  expect(descriptions.type('io.k8s.api.core.v1.Event')).toBe('An event of core.');
  expect(descriptions.field('io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta', 'continue')).toBe('Where to go on.');
  expect([descriptions.parameter('continue'), descriptions.parameter('watch')]).toEqual(['Go on.', 'Look.']);
  expect(descriptions.parameter('limit')).toBeUndefined();
  const props = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps';
  expect(descriptions.field(props, 'x-kubernetes-embedded-resource')).toBe('Embedded.');
});

it('tells of the metadata that all kinds have', () => {
  expect(descriptions.field('io.k8s.api.core.v1.Pod', 'metadata')).toMatch(/^Standard object's metadata\. More info: /);
  expect(descriptions.field('io.k8s.api.core.v1.PodList', 'metadata')).toMatch(/^Standard list metadata\. More info: /);
  expect(descriptions.field('io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta', 'metadata')).toBeUndefined();
});

it('says nothing of what it does not know', () => {
  expect(descriptions.type('com.example.v1.Thing')).toBeUndefined();
  expect(descriptions.field('io.k8s.api.core.v1.Pod', 'status')).toBeUndefined();
  expect(descriptions.field('io.k8s.api.core.v1.Pod', 'constructor')).toBeUndefined();
  expect(descriptions.type('io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta')).toBeUndefined();
});
