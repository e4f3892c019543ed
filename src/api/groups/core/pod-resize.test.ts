import { describe, expect, it } from 'vitest';
import { created, type Draft, resourceOf, subresourceFaults } from '../resource.fixture.ts';

const pods = resourceOf('v1/pods');
const container = (name: string, resources: Draft = {}, more: Draft = {}): Draft => ({ name, image: 'i', resources, ...more });
const burstable = container('first', { requests: { cpu: '10m' } });
const podOf = (containers: readonly Draft[], spec: Draft = {}): Draft => {
  const pod = created(pods, { spec: { containers, ...spec } });
  return { ...pod, status: { ...pod.status, qosClass: 'Burstable' } };
};
const resize = (pod: Draft, change: (spec: Draft) => void): readonly string[] =>
  subresourceFaults(pods, 'resize', pod, (copy) => change(copy.spec));

describe('the resize of a pod', () => {
  it('adds requests and limits where there were none, of memory too, without a restart', () => {
    const pod = podOf([
      burstable,
      container('second'),
      container('third', { requests: { memory: '20Mi' }, limits: { memory: '40Mi' } }),
    ]);
    expect(
      resize(pod, ({ containers }) => {
        containers[1].resources = { requests: { cpu: '20m', memory: '15Mi' }, limits: { cpu: '30m', memory: '30Mi' } };
        containers[2].resources.limits.memory = '30Mi';
      }),
    ).toEqual([]);
  });

  it('removes nothing, and touches no other resource', () => {
    const pod = podOf([container('first', { requests: { cpu: '10m', memory: '1Mi' }, limits: { cpu: '20m' } })]);
    expect(
      resize(pod, ({ containers }) => {
        containers[0].resources = { requests: { memory: '1Mi', 'ephemeral-storage': '1Gi' }, limits: {} };
      }),
    ).toEqual([
      'spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed',
      'spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed',
      'spec: Forbidden: only cpu and memory resources are mutable',
    ]);
  });

  it('keeps the containers, their names and their order', () => {
    const pod = podOf([burstable, container('second')], { initContainers: [container('init')] });
    expect(resize(pod, ({ containers }) => containers.reverse())).toEqual([
      'spec.containers[0].name: Forbidden: containers may not be renamed or reordered on resize',
      'spec.containers[1].name: Forbidden: containers may not be renamed or reordered on resize',
    ]);
    expect(resize(pod, (spec) => spec.containers.pop())).toEqual([
      'spec.containers: Forbidden: containers may not be added or removed on resize',
    ]);
    expect(resize(pod, (spec) => delete spec.initContainers)).toEqual([
      'spec.initContainers: Forbidden: initContainers may not be added or removed on resize',
    ]);
  });

  it('is that of the pod as a whole as well', () => {
    const pod = podOf([burstable], { resources: { requests: { cpu: '1', memory: '64Mi' }, limits: { memory: '128Mi' } } });
    expect(
      resize(pod, (spec) => {
        spec.resources.requests.cpu = '2';
        spec.resources.limits.cpu = '3';
      }),
    ).toEqual([]);
    expect(resize(pod, (spec) => delete spec.resources)).toContain(
      'spec.resources: Forbidden: pod-level resources cannot be removed',
    );
    expect(resize(pod, (spec) => delete spec.resources.requests.memory)).toContain(
      'spec.resources.requests: Forbidden: pod-level resource requests cannot be removed',
    );
  });

  it('does not change how the pod is treated', () => {
    const pod = podOf([burstable]);
    expect(
      resize(pod, ({ containers }) => {
        containers[0].resources = { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '1', memory: '1Gi' } };
      }),
    ).toEqual(['spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing']);
  });
});
