import { describe, expect, it } from 'vitest';
import { builtinSchema } from './builtin.ts';
import { openApiDefinitions } from './openapi.ts';

const roots = [
  { schema: builtinSchema('io.k8s.api.core.v1.Pod'), kinds: [{ group: '', version: 'v1', kind: 'Pod' }] },
  { schema: builtinSchema('io.k8s.api.apps.v1.Deployment'), kinds: [{ group: 'apps', version: 'v1', kind: 'Deployment' }] },
];

describe('openApiDefinitions', () => {
  const v3 = openApiDefinitions(roots, 'v3');
  const v2 = openApiDefinitions(roots, 'v2');

  it('publishes a kind with its parts, in version 3', () => {
    expect(v3['io.k8s.api.core.v1.Pod']).toEqual({
      type: 'object',
      properties: {
        apiVersion: { type: 'string' },
        kind: { type: 'string' },
        metadata: { allOf: [{ $ref: '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' }], default: {} },
        spec: { allOf: [{ $ref: '#/components/schemas/io.k8s.api.core.v1.PodSpec' }], default: {} },
        status: { allOf: [{ $ref: '#/components/schemas/io.k8s.api.core.v1.PodStatus' }], default: {} },
      },
      'x-kubernetes-group-version-kind': [{ group: '', version: 'v1', kind: 'Pod' }],
    });
    const container = v3['io.k8s.api.core.v1.Container'] as { properties: Record<string, unknown>; required: string[] };
    expect(container.required).toEqual(['name']);
    expect(container.properties).toMatchObject({
      name: { type: 'string', default: '' },
      ports: {
        type: 'array',
        items: { $ref: '#/components/schemas/io.k8s.api.core.v1.ContainerPort' },
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['containerPort', 'protocol'],
        'x-kubernetes-patch-merge-key': 'containerPort',
        'x-kubernetes-patch-strategy': 'merge',
      },
      imagePullPolicy: { type: 'string', enum: ['Always', 'IfNotPresent', 'Never'] },
    });
    expect(v3['io.k8s.api.core.v1.ContainerPort']).toMatchObject({
      properties: {
        containerPort: { type: 'integer', format: 'int32', default: 0 },
        protocol: { type: 'string', default: 'TCP' },
      },
    });
    expect(v3['io.k8s.api.core.v1.LocalObjectReference']).toMatchObject({ 'x-kubernetes-map-type': 'atomic' });
  });

  it('tells what is merged as one, and where a field has it otherwise', () => {
    const schema = builtinSchema('io.k8s.api.core.v1.PersistentVolume');
    for (const version of ['v2', 'v3'] as const) {
      const definitions = openApiDefinitions([{ schema }], version) as Record<string, { properties: Record<string, object> }>;
      const reference = definitions['io.k8s.api.core.v1.ObjectReference'];
      expect(reference).toMatchObject({ 'x-kubernetes-map-type': 'atomic' });
      expect(definitions['io.k8s.api.core.v1.PersistentVolumeSpec']!.properties['claimRef']).toMatchObject({
        'x-kubernetes-map-type': 'granular',
      });
      // Defaults may be told by the names of constants.
      const azure = definitions['io.k8s.api.core.v1.AzureDiskVolumeSource']!.properties;
      expect((azure['cachingMode'] as { default?: string }).default).toBe(version === 'v2' ? undefined : 'ReadWrite');
    }
  });

  it('tells of unions', () => {
    const schema = builtinSchema('io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationSpec');
    const definitions = openApiDefinitions([{ schema }], 'v3') as Record<string, object>;
    expect(definitions['io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationSpec']).toMatchObject({
      'x-kubernetes-unions': [{ discriminator: 'type', 'fields-to-discriminateBy': { exempt: 'Exempt', limited: 'Limited' } }],
    });
  });

  it('publishes the same without defaults, in version 2', () => {
    expect(v2['io.k8s.api.apps.v1.Deployment']).toMatchObject({
      properties: { spec: { $ref: '#/definitions/io.k8s.api.apps.v1.DeploymentSpec' } },
    });
    expect(v2['io.k8s.apimachinery.pkg.api.resource.Quantity']).toEqual({ type: 'string' });
    expect(v2['io.k8s.apimachinery.pkg.util.intstr.IntOrString']).toEqual({ type: 'string', format: 'int-or-string' });
    expect(JSON.stringify(v2)).not.toContain('"default":');
  });

  it('tells of fields by what their types are, where nobody told of them', () => {
    const types: Readonly<Record<string, string>> = { PodSpec: 'What a pod shall be.', Container: 'One of its processes.' };
    const last = (type: string): string => type.slice(type.lastIndexOf('.') + 1);
    const descriptions = {
      type: (type: string) => types[last(type)],
      field: (type: string, field: string) =>
        `${last(type)}.${field}` === 'PodSpec.initContainers' ? 'Those before.' : undefined,
      parameter: () => undefined,
    };
    for (const version of ['v2', 'v3'] as const) {
      const definitions = openApiDefinitions(roots, version, descriptions) as Record<
        string,
        { properties: Record<string, { description?: string; items?: object }> }
      >;
      const pod = definitions['io.k8s.api.core.v1.Pod']!.properties;
      const spec = definitions['io.k8s.api.core.v1.PodSpec']!.properties;
      expect(pod['spec']!.description).toBe('What a pod shall be.');
      expect(pod['status']).not.toHaveProperty('description');
      expect(spec['containers']!.description).toBe('One of its processes.');
      expect(spec['containers']!.items).not.toHaveProperty('description');
      expect(spec['initContainers']!.description).toBe('Those before.');
      expect(spec['hostname']).not.toHaveProperty('description');
    }
  });

  it('leaves no reference open', () => {
    for (const [definitions, prefix] of [
      [v2, '#/definitions/'],
      [v3, '#/components/schemas/'],
    ] as const) {
      const targets = [...JSON.stringify(definitions).matchAll(/"\$ref":"([^"]*)"/g)].map((m) => m[1]!);
      for (const target of targets) {
        expect(target.startsWith(prefix)).toBe(true);
        expect(definitions).toHaveProperty([target.slice(prefix.length)]);
      }
    }
  });
});
