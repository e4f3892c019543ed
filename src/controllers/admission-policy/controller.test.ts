import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ValidatingAdmissionPolicy, ValidatingAdmissionPolicySpec } from '../../api/types/admissionregistration-v1.ts';
import { fieldManager } from '../../apiserver/field-manager/index.ts';
import { customResourceDefinitions, validatingAdmissionPolicies } from '../../client/resource-refs.ts';
import { createServerFixture, type ServerFixture } from '../test-support/server.ts';
import { admissionPolicyStatusController } from './controller.ts';

let f: ServerFixture;
beforeEach(async () => {
  f = await createServerFixture({ fieldManager: fieldManager() });
  f.start(admissionPolicyStatusController());
});
afterEach(() => f.stop());

const rule = (group: string, version: string, ...resources: readonly string[]) => ({
  apiGroups: [group],
  apiVersions: [version],
  operations: ['CREATE' as const],
  resources,
});
const policy = (spec: ValidatingAdmissionPolicySpec): ValidatingAdmissionPolicy => ({ metadata: { name: 'p' }, spec });
const status = () => f.find(validatingAdmissionPolicies, 'p')?.status;

async function warningsOf(spec: ValidatingAdmissionPolicySpec): Promise<readonly string[]> {
  await f.create(validatingAdmissionPolicies, policy(spec));
  await f.advance();
  expect(status()?.observedGeneration).toBe(1);
  return status()?.typeChecking?.expressionWarnings?.map((w) => `${w.fieldRef}: ${w.warning}`) ?? [];
}

const deployments = { resourceRules: [rule('apps', 'v1', 'deployments')] };

test('expressions that fit the types have no warnings, and are looked at once', async () => {
  const spec = {
    matchConstraints: deployments,
    variables: [{ name: 'wanted', expression: 'object.spec.replicas' }],
    validations: [
      {
        expression:
          'variables.wanted > 1 && object.metadata.namespace != "" && object.metadata.creationTimestamp < timestamp("2030-01-01T00:00:00Z")',
      },
      {
        expression:
          'object.spec.template.spec.containers.all(c, !has(c.resources) || c.resources.limits.all(k, quantity(c.resources.limits[k]).isGreaterThan(quantity("1"))))',
      },
      {
        expression:
          'request.userInfo.username != "" && namespaceObject.metadata.labels["a"] == "b" && authorizer.requestResource.check("x").allowed()',
      },
    ],
  };
  expect(await warningsOf(spec)).toEqual([]);
  expect(status()?.typeChecking).toEqual({});
  const writes = f.writes.length;
  await f.advance(60_000);
  expect(f.writes.length).toBe(writes);
});

test('confused types are told, of the expression and its message', async () => {
  expect(
    await warningsOf({
      matchConstraints: deployments,
      validations: [
        { expression: "object.spec.replicas > '1'", messageExpression: "'wants replicas > 1, got ' + object.spec.replicas" },
      ],
    }),
  ).toEqual([
    "spec.validations[0].expression: apps/v1, Kind=Deployment: ERROR: <input>:1:22: found no matching overload for '_>_' applied to '(int, string)'\n | object.spec.replicas > '1'\n | .....................^\n",
    "spec.validations[0].messageExpression: apps/v1, Kind=Deployment: ERROR: <input>:1:28: found no matching overload for '_+_' applied to '(string, int)'\n | 'wants replicas > 1, got ' + object.spec.replicas\n | ...........................^\n",
  ]);
});

test('every type that is named is looked at, custom ones too', async () => {
  await f.create(customResourceDefinitions, {
    metadata: { name: 'widgets.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'widgets', kind: 'Widget' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: { spec: { type: 'object', properties: { size: { type: 'integer' } } } },
            },
          },
        },
      ],
    },
  } as never);
  await f.advance();
  const found = await warningsOf({
    paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
    matchConstraints: {
      resourceRules: [rule('', 'v1', 'pods', 'configmaps'), rule('example.com', 'v1', 'widgets'), rule('*', '*', 'secrets')],
    },
    validations: [{ expression: 'object.spec.size > 1 && object.metadata.labels["a"] == params.data["a"] && !has(params.spec)' }],
  });
  expect(found).toHaveLength(1);
  const of = (kind: string): string | undefined => found[0]!.split('\n\n').find((part) => part.includes(`Kind=${kind}: `));
  expect(of('Pod')).toContain("undefined field 'size'");
  expect(of('ConfigMap')).toContain("undefined field 'spec'");
  expect(of('Widget')).not.toContain("field 'size'");
  expect(of('Widget')).toContain("undefined field 'spec'");
  expect(of('Secret')).toBeUndefined();
});
