import { describe, expect, it } from 'vitest';
import type { AdmissionAttributes } from '../contract.ts';
import { requestOf } from './request-description.ts';

const attributes = (more: Partial<AdmissionAttributes>): AdmissionAttributes => ({
  operation: 'UPDATE',
  kind: { group: '', version: 'v1', kind: 'Pod' },
  resource: { group: '', version: 'v1', resource: 'pods' },
  subresource: '',
  namespace: 'x',
  name: 'p',
  object: undefined,
  oldObject: undefined,
  options: { kind: 'UpdateOptions', apiVersion: 'meta.k8s.io/v1' },
  user: { name: 'jane', groups: [] },
  dryRun: false,
  definition: undefined,
  warn: () => undefined,
  annotate: () => undefined,
  ...more,
});

const told = (more: Partial<AdmissionAttributes>): object => {
  const given = attributes(more);
  return requestOf(given, { kind: given.kind, resource: given.resource });
};

describe('the description of a request', () => {
  it('has the options of writes, and none for what is connected with them', () => {
    expect(told({})).toMatchObject({ operation: 'UPDATE', options: { kind: 'UpdateOptions' } });
    const kind = { group: '', version: 'v1', kind: 'PodExecOptions' };
    expect(told({ operation: 'CONNECT', kind, subresource: 'exec', options: {} })).toMatchObject({
      kind,
      subResource: 'exec',
      options: null,
    });
  });

  it('has a namespace in itself', () => {
    const resource = { group: '', version: 'v1', resource: 'namespaces' };
    expect(told({ resource, namespace: '', name: 'n' })).toMatchObject({ name: 'n', namespace: 'n' });
    expect(told({ resource: { ...resource, resource: 'nodes' }, namespace: '', name: 'n' })).not.toHaveProperty('namespace');
  });
});
