import { describe, expect, it } from 'vitest';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { StatusError } from '../meta/status.ts';
import { builtinSchema, builtinTypeNames } from './builtin.ts';
import { type Decoded, decode, strictDecodingMessage, strictProblems } from './decode.ts';
import { realisticPod } from './realistic-pod.fixture.ts';

const pod = builtinSchema('io.k8s.api.core.v1.Pod');
const deployment = builtinSchema('io.k8s.api.apps.v1.Deployment');
const configMap = builtinSchema('io.k8s.api.core.v1.ConfigMap');
const secret = builtinSchema('io.k8s.api.core.v1.Secret');

const decodePod = (value: unknown): Decoded<Record<string, unknown>> =>
  decode(pod, deepFreeze(structuredClone(value)), { kind: 'Pod', version: 'v1' });

function message(schema: typeof pod, kind: string, value: unknown): string {
  try {
    decode(schema, value, { kind, version: 'v1' });
  } catch (err) {
    if (err instanceof StatusError) {
      expect(err.code).toBe(400);
      expect(err.reason).toBe('BadRequest');
      return err.message;
    }
    throw err;
  }
  return 'no error';
}

describe('decode', () => {
  it('hands back a complete pod as it is', () => {
    const first = decodePod(realisticPod).object;
    expect(decodePod(first).object).toEqual(first);
    const again = deepFreeze(structuredClone(first));
    expect(decode(pod, again).object).toBe(again);
  });

  it('names the structs that Go embeds', () => {
    expect(message(pod, 'Pod', { spec: { volumes: [{ emptyDir: 1 }] } })).toMatch(
      /into Go struct field Volume\.spec\.volumes\.VolumeSource\.emptyDir of type v1\.EmptyDirVolumeSource$/,
    );
  });

  it('brings quantities, times and ports to canonical form', () => {
    const { object } = decodePod({
      metadata: { name: 'a', creationTimestamp: '2026-01-02T03:04:05.678+02:00' },
      spec: {
        containers: [
          {
            name: 'c',
            resources: { limits: { cpu: 0.5, memory: '1024Mi', 'example.com/x': 2 } },
            readinessProbe: { httpGet: { port: 'http' } },
          },
        ],
      },
    });
    expect(object).toEqual({
      metadata: { name: 'a', creationTimestamp: '2026-01-02T01:04:05Z' },
      spec: {
        containers: [
          {
            name: 'c',
            resources: { limits: { cpu: '500m', memory: '1Gi', 'example.com/x': '2' } },
            readinessProbe: { httpGet: { port: 'http' } },
          },
        ],
      },
      status: {},
    });
  });

  it('drops what Go would not write and adds what it always writes', () => {
    const { object } = decodePod({
      metadata: { name: 'a', labels: {}, annotations: null, generateName: '', creationTimestamp: null, deletionTimestamp: null },
      spec: {
        hostNetwork: false,
        nodeName: '',
        volumes: [],
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'c', ports: [{ containerPort: 0, hostPort: 0 }], env: [{ name: 'E', value: '' }] }],
      },
    });
    expect(object).toEqual({
      metadata: { name: 'a' },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'c', resources: {}, ports: [{ containerPort: 0, protocol: 'TCP' }], env: [{ name: 'E' }] }],
      },
      status: {},
    });
    expect(decode(deployment, {}).object).toEqual({
      metadata: {},
      spec: { strategy: {}, template: { metadata: {}, spec: { containers: [] } } },
      status: {},
    });
  });

  it('takes null for the zero value inside lists and maps', () => {
    expect(decode(configMap, { data: { a: null } }).object).toEqual({ metadata: {}, data: { a: '' } });
    expect(decodePod({ spec: { containers: [null] } }).object).toMatchObject({
      spec: { containers: [{ name: '', resources: {} }] },
    });
  });

  it('prunes and reports unknown fields by path', () => {
    const { object, unknownFields } = decodePod({
      spec: {
        foo: 1,
        containers: [
          { name: 'a', resources: {}, bar: {} },
          { name: 'b', resources: {}, Image: 'x' },
        ],
      },
      baz: true,
    });
    expect(unknownFields).toEqual([
      'unknown field "spec.foo"',
      'unknown field "spec.containers[0].bar"',
      'unknown field "spec.containers[1].Image"',
      'unknown field "baz"',
    ]);
    expect(object).toEqual({
      metadata: {},
      spec: {
        containers: [
          { name: 'a', resources: {} },
          { name: 'b', resources: {} },
        ],
      },
      status: {},
    });
    const problems = strictProblems(unknownFields.slice(0, 2), ['duplicate field "spec.foo.x"', 'duplicate field "kind"']);
    expect(strictDecodingMessage(problems)).toBe(
      'strict decoding error: duplicate field "kind", unknown field "spec.foo", unknown field "spec.containers[0].bar"',
    );
  });

  it('names the type and the field of what does not fit, as Go does', () => {
    const inDeployment = (spec: unknown): string => message(deployment, 'Deployment', { spec });
    const prefix = 'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal';
    expect(inDeployment({ replicas: '3' })).toBe(
      `${prefix} string into Go struct field DeploymentSpec.spec.replicas of type int32`,
    );
    expect(inDeployment({ replicas: 3_000_000_000 })).toBe(
      `${prefix} number 3000000000 into Go struct field DeploymentSpec.spec.replicas of type int32`,
    );
    expect(inDeployment({ replicas: 1.5 })).toBe(
      `${prefix} number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32`,
    );
    expect(inDeployment({ paused: 'yes' })).toBe(`${prefix} string into Go struct field DeploymentSpec.spec.paused of type bool`);
    expect(inDeployment([])).toBe(`${prefix} array into Go struct field Deployment.spec of type v1.DeploymentSpec`);
    expect(inDeployment({ template: { spec: { containers: {} } } })).toBe(
      `${prefix} object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container`,
    );
    expect(inDeployment({ template: { spec: { containers: [{ ports: [{ containerPort: '80' }] }] } } })).toBe(
      `${prefix} string into Go struct field ContainerPort.spec.template.spec.containers.ports.containerPort of type int32`,
    );
    expect(inDeployment({ template: { spec: { dnsPolicy: 1 } } })).toBe(
      `${prefix} number into Go struct field PodSpec.spec.template.spec.dnsPolicy of type v1.DNSPolicy`,
    );
    expect(inDeployment({ strategy: { rollingUpdate: { maxSurge: true } } })).toBe(
      `${prefix} bool into Go struct field RollingUpdateDeployment.spec.strategy.rollingUpdate.maxSurge of type int32`,
    );
    expect(message(deployment, 'Deployment', { metadata: { labels: { a: 1 } } })).toBe(
      `${prefix} number into Go struct field ObjectMeta.metadata.labels of type string`,
    );
    expect(message(deployment, 'Deployment', { metadata: { labels: 'a' } })).toBe(
      `${prefix} string into Go struct field ObjectMeta.metadata.labels of type map[string]string`,
    );
    expect(message(deployment, 'Deployment', { metadata: { creationTimestamp: 7 } })).toBe(
      `${prefix} number into Go struct field ObjectMeta.metadata.creationTimestamp of type string`,
    );
  });

  it('passes on the message of a type that reads itself', () => {
    const prefix = 'Pod in version "v1" cannot be handled as a Pod: ';
    expect(message(pod, 'Pod', { metadata: { creationTimestamp: 'today' } })).toBe(
      `${prefix}parsing time "today" as "2006-01-02T15:04:05Z07:00": cannot parse "today" as "2006"`,
    );
    expect(message(pod, 'Pod', { spec: { overhead: { cpu: 'lots' } } })).toBe(
      `${prefix}quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`,
    );
    expect(message(secret, 'Secret', { data: { a: 'nope!' } })).toBe(
      'Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 4',
    );
  });

  it('treats __proto__ and constructor as plain data', () => {
    const data = JSON.parse('{"data":{"__proto__":"a","constructor":null},"__proto__":{"polluted":true},"toString":1}');
    const { object, unknownFields } = decode<{ data: object }>(configMap, data);
    expect(Object.entries(object.data)).toEqual([
      ['__proto__', 'a'],
      ['constructor', ''],
    ]);
    expect(Object.keys(object)).toEqual(['data', 'metadata']);
    expect(unknownFields).toEqual(['unknown field "__proto__"', 'unknown field "toString"']);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it('refuses structures deeper than any type needs', () => {
    let schema: unknown = { type: 'object' };
    for (let i = 0; i < 20_000; i++) schema = { properties: { a: schema } };
    const crd = builtinSchema('io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition');
    const value = { spec: { versions: [{ schema: { openAPIV3Schema: schema } }] } };
    expect(message(crd, 'CustomResourceDefinition', value)).toMatch(/exceeded max depth$/);
  });

  it('reads JSON schemas in all their forms', () => {
    const props = builtinSchema('io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps');
    const given = { items: { type: 'string', odd: 1 }, additionalProperties: true, default: { any: [null] } };
    const { object, unknownFields } = decode(props, given);
    expect(object).toEqual({ items: { type: 'string' }, additionalProperties: true, default: { any: [null] } });
    expect(unknownFields).toEqual([]);
  });

  it('keeps 64-bit numbers readable as such', () => {
    const { object } = decodePod({ spec: { containers: [], terminationGracePeriodSeconds: 2 ** 63 } });
    const seconds = (object['spec'] as { terminationGracePeriodSeconds: number }).terminationGracePeriodSeconds;
    expect(BigInt(JSON.stringify(seconds))).toBeLessThan(2n ** 63n);
  });

  it('is stable: what it gives, it gives again, for every type', () => {
    for (const name of builtinTypeNames()) {
      const schema = builtinSchema(name);
      const { object } = decode(schema, {});
      expect(decode(schema, deepFreeze(object)).object).toBe(object);
    }
  });
});

describe('known parts', () => {
  it('are taken as they are; what differs is decoded as ever', () => {
    const known = deepFreeze(decode<typeof realisticPod>(pod, realisticPod).object);
    const [first, second] = known.spec.containers as readonly object[];
    const containers = [{ ...first, resources: { requests: { cpu: '1000m' } }, imagined: 1 }, second];
    const value = { ...known, spec: { ...known.spec, containers } };
    const decoded = decode<typeof realisticPod>(pod, value, { known });
    expect(decoded).toEqual(decode(pod, value));
    expect(decoded.unknownFields).toEqual(['unknown field "spec.containers[0].imagined"']);
    expect(decoded.object.metadata).toBe(known.metadata);
    expect(decoded.object.spec.containers[1]).toBe(second);
    expect(decode(pod, known, { known }).object).toBe(known);
  });
});
