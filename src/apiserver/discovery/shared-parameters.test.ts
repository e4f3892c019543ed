import { expect, test } from 'vitest';
import type { Descriptions } from '../../api/schema/openapi.ts';
import type { Parameter } from './operations.ts';
import { describeParameter, SharedParameters } from './shared-parameters.ts';

const known: Readonly<Record<string, string>> = {
  namespace: 'object name and auth scope, such as for teams and projects',
  name: 'nobody says this',
};
const descriptions: Descriptions = { type: () => undefined, field: () => undefined, parameter: (name) => known[name] };
const namespace: Parameter = { name: 'namespace', in: 'path', type: 'string', description: 'Where.' };
const limit: Parameter = { name: 'limit', in: 'query', type: 'integer', description: 'How many.' };

test('parameters stand once, by the names that kube-openapi gives them', () => {
  const parameters = new SharedParameters(descriptions);
  // As upstream's published document has it.
  expect(parameters.of(namespace)).toEqual({ $ref: '#/parameters/namespace-vgWSWtn3' });
  expect(parameters.of({ ...namespace })).toEqual(parameters.of(namespace));
  parameters.of(limit);
  const all = parameters.all();
  expect(Object.keys(all)).toEqual([expect.stringMatching(/^limit-[\w-]{8}$/), 'namespace-vgWSWtn3']);
  expect(all['namespace-vgWSWtn3']).toEqual({
    uniqueItems: true,
    type: 'string',
    description: known['namespace'],
    name: 'namespace',
    in: 'path',
    required: true,
  });
});

test('what tells of one kind, or of what a server can do, stands with its operation', () => {
  const parameters = new SharedParameters(descriptions);
  expect(parameters.of({ ...namespace, name: 'name', description: 'name of the Pod' })).toMatchObject({
    name: 'name',
    description: 'name of the Pod',
  });
  expect(parameters.of({ ...limit, name: 'dryRun' })).toMatchObject({ name: 'dryRun', description: 'How many.' });
  expect(parameters.all()).toEqual({});
});

test('without descriptions parameters have our own', () => {
  expect(describeParameter(namespace, undefined)).toBe('Where.');
  expect(describeParameter(namespace, descriptions)).toBe(known['namespace']);
});
