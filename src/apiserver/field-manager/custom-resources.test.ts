import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { definition, version } from '../crd/test-support.ts';
import { type Any, ApplyApi, entriesOf, refusal } from './test-api.ts';

let api: ApplyApi;
beforeEach(async () => {
  api = await ApplyApi.start();
  await api.create(definition() as Any, 'customresourcedefinitions');
  const established = async (): Promise<boolean> => {
    const crd = await api.get('apiextensions.k8s.io/v1', 'customresourcedefinitions', 'widgets.example.com');
    return crd.status?.conditions?.some((c: Any) => c.type === 'Established' && c.status === 'True') ?? false;
  };
  await expect.poll(established, { timeout: 10_000, interval: 1 }).toBe(true);
});
afterEach(() => api.close());

const widget = (spec: object, more: object = {}): Any => ({
  apiVersion: 'example.com/v1',
  kind: 'Widget',
  metadata: { name: 'w' },
  spec,
  ...more,
});

describe('custom resources', () => {
  it('are tracked by their schema, each field as it was given', async () => {
    const made = await api.create(widget({ size: 1, tags: ['b', 'a'], open: { x: { y: [1] } }, either: '5%' }), 'widgets');
    expect(entriesOf(made)).toEqual({
      'creator Update':
        '{"f:spec":{".":{},"f:color":{},"f:either":{},"f:open":{".":{},"f:x":{".":{},"f:y":{}}},"f:size":{},"f:tags":{".":{},"v:\\"a\\"":{},"v:\\"b\\"":{}}}}',
    });
  });

  it('merge as their schema says, unknown fields by member', async () => {
    await api.apply(widget({ tags: ['a'], open: { x: 1 } }), 'widgets', 'one');
    const both = await api.apply(widget({ tags: ['b'], open: { y: 2 } }), 'widgets', 'two');
    expect(both.spec).toEqual({ color: 'red', tags: ['a', 'b'], open: { x: 1, y: 2 } });
    expect((await refusal(api.apply(widget({ open: { x: 2 } }), 'widgets', 'two'))).message).toBe(
      'Apply failed with 1 conflict: conflict with "one": .spec.open.x',
    );
    const less = await api.apply(widget({}), 'widgets', 'one');
    expect(less.spec).toEqual({ color: 'red', tags: ['b'], open: { y: 2 } });
  });

  it('are refused when they are not of their type', async () => {
    expect((await refusal(api.apply(widget({ sise: 1 }), 'widgets', 'one'))).message).toBe(
      'failed to create typed patch object (/w; example.com/v1, Kind=Widget): .spec.sise: field not declared in schema',
    );
    expect((await refusal(api.apply(widget({ size: 'x' }), 'widgets', 'one'))).message).toBe(
      'failed to create typed patch object (/w; example.com/v1, Kind=Widget): .spec.size: expected numeric (int or float), got string',
    );
  });

  it('have texts with a format compared as whatever they are: validation tells of their type', async () => {
    const more = definition(
      { plural: 'gadgets', kind: 'Gadget' },
      version('v1', { due: { type: 'string', format: 'date' } }),
    ) as Any;
    await api.create(more, 'customresourcedefinitions');
    const ready = async (): Promise<boolean> => {
      const crd = await api.get('apiextensions.k8s.io/v1', 'customresourcedefinitions', 'gadgets.example.com');
      return crd.status?.conditions?.some((c: Any) => c.type === 'Established' && c.status === 'True') ?? false;
    };
    await expect.poll(ready, { timeout: 10_000, interval: 1 }).toBe(true);
    const gadget = (due: unknown): Any => ({ ...widget({ due }), kind: 'Gadget' });
    expect(await refusal(api.apply(gadget(1), 'gadgets', 'one'))).toMatchObject({ code: 422, reason: 'Invalid' });
    expect((await api.apply(gadget('2026-01-01'), 'gadgets', 'one')).spec.due).toBe('2026-01-01');
  });

  it('of which an update is wrong are refused by validation, not by tracking', async () => {
    expect(await refusal(api.create(widget({ size: 'x' }), 'widgets'))).toMatchObject({ code: 422, reason: 'Invalid' });
    expect(await refusal(api.create(widget({ tags: ['a', 'a'] }), 'widgets'))).toMatchObject({ code: 422 });
  });

  it('have their status owned by those who write it through status', async () => {
    await api.apply(widget({ size: 1 }), 'widgets', 'one');
    const config = { ...widget({ size: 7 }, { status: { replicas: 2 } }), metadata: { name: 'w', labels: { l: '1' } } };
    const live = await api.apply(config, 'widgets/status', 'controller');
    expect(live).toMatchObject({ spec: { size: 1 }, status: { replicas: 2 } });
    expect(entriesOf(live)['controller Apply status']).toBe('{"f:status":{"f:replicas":{}}}');
  });

  it('scale where their definition says', async () => {
    await api.apply(widget({ size: 1 }), 'widgets', 'one');
    const scale: Any = { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'w' }, spec: { replicas: 3 } };
    const apply = (force: boolean): Promise<Any> =>
      api.patch('example.com/v1', 'widgets/scale', 'w', scale, 'application/apply-patch+yaml', { fieldManager: 'auto', force });
    expect((await refusal(apply(false))).message).toBe('Apply failed with 1 conflict: conflict with "one": .spec.replicas');
    await apply(true);
    const live = await api.get('example.com/v1', 'widgets', 'w');
    expect(live.spec.size).toBe(3);
    expect(entriesOf(live)['auto Apply scale']).toBe('{"f:spec":{"f:size":{}}}');
  });
});
