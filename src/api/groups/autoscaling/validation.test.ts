import { describe, expect, it } from 'vitest';
import { type FaultCase, faultsOf, resourceOf } from '../resource.fixture.ts';

const cases: Readonly<Record<string, readonly FaultCase[]>> = {
  'autoscaling/v2/horizontalpodautoscalers': [
    [
      'is content',
      { spec: { scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' }, maxReplicas: 3 } },
      undefined,
      [],
    ],
    [
      'wants its parts',
      { spec: {} },
      undefined,
      [
        'spec.maxReplicas: Required value: must be set and greater than 0',
        'spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`',
        'spec.scaleTargetRef.kind: Required value',
        'spec.scaleTargetRef.name: Required value',
        'spec.scaleTargetRef.apiVersion: Invalid value: "": apiVersion must specify API group',
      ],
    ],
    [
      'wants sense',
      {
        spec: {
          scaleTargetRef: { kind: '', name: 'a/b' },
          maxReplicas: 0,
          minReplicas: 0,
          metrics: [
            { type: 'X' },
            { type: 'Resource' },
            { type: 'Resource', resource: { name: '', target: { type: 'Utilization' } } },
            { type: 'Pods', pods: { metric: { name: '' }, target: { type: 'Value', value: '1' } } },
            {
              type: 'Object',
              object: { describedObject: { kind: 'A', name: 'b' }, metric: { name: 'm' }, target: { type: 'Value' } },
            },
            {
              type: 'External',
              external: { metric: { name: 'm' }, target: { type: 'AverageValue', averageValue: '1', value: '2' } },
            },
            { type: 'Resource', pods: {}, resource: { name: 'cpu', target: { type: 'AverageValue', averageValue: '-1' } } },
          ],
        },
      },
      undefined,
      [
        'spec.minReplicas: Invalid value: 0: must be greater than or equal to 1',
        'spec.maxReplicas: Required value: must be set and greater than 0',
        'spec.scaleTargetRef.kind: Required value',
        'spec.scaleTargetRef.name: Invalid value: "a/b": may not contain \'/\'',
        'spec.scaleTargetRef.apiVersion: Invalid value: "": apiVersion must specify API group',
        'spec.metrics[0].type: Unsupported value: "X": supported values: "ContainerResource", "External", "Object", "Pods", "Resource"',
        'spec.metrics[0].type: Unsupported value: "X": supported values: "ContainerResource", "External", "Object", "Pods", "Resource"',
        'spec.metrics[1].resource: Required value: must populate information for the given metric source',
        'spec.metrics[2].resource.name: Required value: must specify a resource name',
        'spec.metrics[2].resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization',
        'spec.metrics[3].pods.metric.name: Required value: must specify a metric name',
        'spec.metrics[3].pods.target.averageValue: Required value: must specify a positive target averageValue',
        'spec.metrics[4].object.target.averageValue: Required value: must set either a target value or averageValue',
        'spec.metrics[5].external.target.value: Forbidden: may not set both a target value for metric and a per-pod target',
        'spec.metrics[6].pods.metric.name: Required value: must specify a metric name',
        'spec.metrics[6].pods.target.type: Required value: must specify a metric target type',
        'spec.metrics[6].pods.target.type: Invalid value: "": must be either Utilization, Value, or AverageValue',
        'spec.metrics[6].pods.target.averageValue: Required value: must specify a positive target averageValue',
        'spec.metrics[6].pods: Forbidden: must populate the given metric source only',
      ],
    ],
    [
      'order',
      { spec: { scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' }, maxReplicas: 3, minReplicas: 5 } },
      undefined,
      ['spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`'],
    ],
    [
      'behavior',
      {
        spec: {
          scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' },
          maxReplicas: 3,
          behavior: {
            scaleUp: {
              stabilizationWindowSeconds: 4000,
              selectPolicy: 'X',
              policies: [{ type: 'Y', value: 0, periodSeconds: 2000 }],
            },
            scaleDown: { policies: [], stabilizationWindowSeconds: -1, tolerance: '-1' },
          },
        },
      },
      undefined,
      [
        'spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 4000: must be less than or equal to 3600',
        'spec.behavior.scaleUp.selectPolicy: Unsupported value: "X": supported values: "Disabled", "Max", "Min"',
        'spec.behavior.scaleUp.policies[0].type: Unsupported value: "Y": supported values: "Percent", "Pods"',
        'spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero',
        'spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 2000: must be less than or equal to 1800',
        'spec.behavior.scaleDown.stabilizationWindowSeconds: Invalid value: -1: must be greater than or equal to zero',
        'spec.behavior.scaleDown.policies: Required value: must specify at least one Policy',
        'spec.behavior.scaleDown.tolerance: Invalid value: "-1": must be greater than or equal to 0',
      ],
    ],
  ],
};

describe.each(Object.entries(cases))('%s', (name, list) => {
  const resource = resourceOf(name);
  it.each(list)('%s', (_what, draft, change, faults) => {
    expect(faultsOf(resource, draft, change)).toEqual(faults);
  });
});
