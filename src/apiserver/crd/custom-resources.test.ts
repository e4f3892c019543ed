import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { builtinResources } from '../../api/groups/index.ts';
import type { KubernetesObject, WatchEvent } from '../../api/meta/object.ts';
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionVersion,
  JSONSchemaProps,
} from '../../api/types/apiextensions-v1.ts';
import { VirtualClock } from '../../util/clock.ts';
import { silentLogger } from '../../util/logger.ts';
import { SeededRandom } from '../../util/random.ts';
import { createTestApi, refusal, type TestApi } from '../admission/test-support.ts';
import { loopbackUser } from '../contract.ts';
import { createApiServer } from '../index.ts';
import { openTestStore } from '../test-store.ts';
import { definition, version } from './test-support.ts';

type Custom = KubernetesObject & { readonly spec?: Record<string, unknown>; readonly status?: Record<string, unknown> };

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi();
});
afterEach(() => api.close());

const crds = 'customresourcedefinitions';
const crd = (name = 'widgets.example.com'): CustomResourceDefinition | undefined => api.get(crds, '', name);
const condition = (type: string, name?: string) => crd(name)?.status?.conditions?.find((c) => c.type === type);

const PATIENCE_MS = 10_000;

/** Lets what the server does on its own account happen. */
async function until<T>(probe: () => T): Promise<NonNullable<T>> {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
    const found = probe();
    if (found) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error('it did not come to that');
}

async function untilAsync(probe: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; !(await probe()); ) {
    if (Date.now() > end) throw new Error('it did not come to that');
  }
}

async function define(...args: Parameters<typeof definition>): Promise<void> {
  const made = definition(...args);
  await api.create(crds, made);
  await until(() => condition('Established', made.metadata?.name)?.status === 'True');
}

const widget = (name: string, spec: object, more: object = {}): object => ({
  apiVersion: 'example.com/v1',
  kind: 'Widget',
  metadata: { name, namespace: 'x' },
  spec,
  ...more,
});

describe('a custom resource definition', () => {
  it('is established and serves its type', async () => {
    await define();
    expect(crd()?.status?.acceptedNames).toEqual({
      kind: 'Widget',
      listKind: 'WidgetList',
      plural: 'widgets',
      singular: 'widget',
    });
    expect(crd()?.status?.storedVersions).toEqual(['v1']);
    expect(condition('NamesAccepted')).toMatchObject({ status: 'True', reason: 'NoConflicts', message: 'no conflicts found' });
    expect(condition('Established')).toMatchObject({ status: 'True', reason: 'InitialNamesAccepted' });
    const made = await api.create<Custom>('widgets', widget('a', { size: 2 }));
    expect(made).toMatchObject({ apiVersion: 'example.com/v1', kind: 'Widget', spec: { size: 2, color: 'red' } });
    expect(made.metadata?.generation).toBe(1);
    expect(made.status).toBeUndefined();
    const document = (await api.server.raw('/apis/example.com/v1', loopbackUser)) as { resources: { name: string }[] };
    expect(document.resources.map((r) => r.name)).toEqual(['widgets', 'widgets/status', 'widgets/scale']);
  });

  it('adds to no version in discovery that upstream has itself', async () => {
    await api.create(crds, {
      ...definition(),
      metadata: { name: 'widgets.networking.k8s.io', annotations: { 'api-approved.kubernetes.io': 'unapproved, a test' } },
      spec: { ...definition().spec, group: 'networking.k8s.io', versions: [version('v1'), { ...version('v7'), storage: false }] },
    });
    await until(() => condition('Established', 'widgets.networking.k8s.io')?.status === 'True');
    const names = async (path: string): Promise<string[]> =>
      ((await api.server.raw(path, loopbackUser)) as { resources: { name: string }[] }).resources.map((r) => r.name);
    expect(await names('/apis/networking.k8s.io/v7')).toContain('widgets');
    const builtin = await names('/apis/networking.k8s.io/v1');
    expect(builtin).toContain('ingresses');
    expect(builtin).not.toContain('widgets');
  });

  it('does not get names that others have, until they are let go', async () => {
    await define();
    await api.create(crds, definition({ plural: 'gadgets', kind: 'Widget' }));
    await until(() => condition('NamesAccepted', 'gadgets.example.com'));
    expect(condition('NamesAccepted', 'gadgets.example.com')).toMatchObject({
      status: 'False',
      reason: 'ListKindConflict',
      message: '"WidgetList" is already in use',
    });
    expect(condition('Established', 'gadgets.example.com')).toMatchObject({ status: 'False', reason: 'NotAccepted' });
    await api.remove(crds, '', 'widgets.example.com');
    await until(() => condition('Established', 'gadgets.example.com')?.status === 'True');
    expect(crd('gadgets.example.com')?.status?.acceptedNames?.kind).toBe('Widget');
  });

  it('takes its objects and watches along when it is deleted', async () => {
    await define();
    await api.create('widgets', widget('a', { size: 1 }));
    await api.create(
      'widgets',
      widget('kept', { size: 1 }, { metadata: { name: 'kept', namespace: 'x', finalizers: ['a.b/c'] } }),
    );
    const events: WatchEvent[] = [];
    const request = { verb: 'watch', group: 'example.com', version: 'v1', resource: 'widgets', namespace: '', name: '' } as const;
    const watching = (async () => {
      for await (const event of api.server.watch({ ...request, options: { resourceVersion: '0' } }, loopbackUser))
        events.push(event);
    })();
    await until(() => events.length === 2);
    await api.remove(crds, '', 'widgets.example.com');
    await until(() => condition('Terminating')?.reason === 'InstanceDeletionInProgress');
    await until(() => api.get('widgets', 'x', 'a') === undefined);
    expect((await refusal(api.create('widgets', widget('b', { size: 1 })))).message).toBe(
      'widgets.example.com "b" is forbidden: create not allowed while custom resource definition is terminating',
    );
    const kept = await until(() => {
      const found = api.get<Custom>('widgets', 'x', 'kept');
      return found?.metadata?.deletionTimestamp === undefined ? undefined : found;
    });
    await api.update('widgets', { ...kept, metadata: { ...kept.metadata, finalizers: [] } });
    await watching;
    expect(events.filter((e) => e.type === 'DELETED').map((e) => e.object.metadata?.name)).toEqual(['a', 'kept']);
    await until(() => crd() === undefined);
    await until(() => api.server.registry.find('example.com', 'v1', 'widgets') === undefined);
  });

  it('is served again by a server that starts over the same store', async () => {
    const clock = new VirtualClock();
    const store = await openTestStore(clock);
    const start = () =>
      createApiServer({
        ...{ store, clock, random: new SeededRandom(1), logger: silentLogger, resources: builtinResources, authenticators: [] },
        ...{ authorizer: { authorize: () => ({ decision: 'allow' as const }) }, admission: [] },
      });
    const request = { namespace: '', name: '', options: {} };
    const first = await start();
    const target = { group: 'apiextensions.k8s.io', version: 'v1', resource: crds };
    await first.handle({ ...request, ...target, verb: 'create', body: definition() }, loopbackUser);
    await until(() => first.registry.find('example.com', 'v1', 'widgets'));
    const widgets = { group: 'example.com', version: 'v1', resource: 'widgets', namespace: 'x' };
    await first.handle({ ...request, ...widgets, verb: 'create', body: widget('a', { size: 1 }) }, loopbackUser);
    await first.close();
    const second = await start();
    const found = await second.handle({ ...request, ...widgets, verb: 'get', name: 'a' }, loopbackUser);
    expect(found.object).toMatchObject({ kind: 'Widget', spec: { size: 1 } });
    await second.close();
  });
});

describe('a custom resource', () => {
  it('is validated as kube-openapi does it', async () => {
    await define();
    const bad = await refusal(
      api.create('widgets', widget('bad', { size: 20.5, color: 'blue', name: 'UPPER', tags: ['a', 'a'], either: true })),
    );
    expect(bad.code).toBe(422);
    expect(bad.status.details?.causes?.map((c) => `${c.field}: ${c.message}`)).toEqual([
      'spec.size: Invalid value: "number": spec.size in body must be of type integer: "number"',
      '<nil>: Invalid value: "": Checked value must be of type integer (default format) in spec.size',
      'spec.size: Invalid value: 20.5: spec.size in body should be less than or equal to 10',
      'spec.color: Unsupported value: "blue": supported values: "red", "green"',
      'spec.name: Invalid value: "UPPER": spec.name in body should match \'^[a-z]+$\'',
      'spec.either: Invalid value: "boolean": spec.either in body must be of type integer,string: "boolean"',
      '.spec.size: Invalid value: 0: .spec.size accessor error: 20.5 is of the type float64, expected int64',
      'spec.tags[1]: Duplicate value: "a"',
    ]);
  });

  it('loses what its schema does not know', async () => {
    await define();
    const { object, warnings } = await api.respond('widgets', widget('a', { size: 1, odd: 1, open: { any: { thing: [1] } } }));
    expect((object as Custom).spec).toEqual({ size: 1, color: 'red', open: { any: { thing: [1] } } });
    expect(warnings).toEqual(['unknown field "spec.odd"']);
    const strict = await refusal(api.create('widgets', widget('b', { size: 1, odd: 1 }), { fieldValidation: 'Strict' }));
    expect(strict.message).toBe(
      'Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "spec.odd"',
    );
  });

  it('types the resources inside of it', async () => {
    const template = { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true };
    await define({}, version('v1', { templates: { type: 'array', items: template } }));
    const inner = (metadata: object, more: object = {}) => ({
      templates: [{ apiVersion: 'v1', kind: 'Pod', metadata, spec: { any: 1 }, ...more }],
    });
    const made = await api.respond('widgets', widget('a', inner({ name: 'p', labels: {}, creationTimestamp: null, odd: 1 })));
    expect((made.object as Custom).spec?.['templates']).toEqual([
      { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: { any: 1 } },
    ]);
    expect(made.warnings).toEqual(['unknown field "spec.templates[0].metadata.odd"']);
    const strange = { ...widget('b', inner({ odd: 1 })), metadata: { name: 'b', namespace: 'x', strange: 1 }, more: 1 };
    const strict = await refusal(api.create('widgets', strange as object, { fieldValidation: 'Strict' }));
    expect(strict.message).toContain(
      'strict decoding error: unknown field "metadata.strange", unknown field "more", unknown field "spec.templates[0].metadata.odd"',
    );
    const told = async (spec: object): Promise<string> => (await refusal(api.create('widgets', widget('b', spec)))).message;
    expect(await told(inner({ name: 1 }))).toBe(
      'Widget in version "v1" cannot be handled as a Widget: spec.templates[0].metadata: Invalid value: {"name":1}: json: cannot unmarshal number into Go struct field ObjectMeta.name of type string',
    );
    expect(await told(inner({}, { kind: 3 }))).toBe(
      'Widget in version "v1" cannot be handled as a Widget: spec.templates[0].kind: Invalid value: 3: must be a string',
    );
    expect(await told(inner({ name: 'a/b' }))).toContain(
      'spec.templates[0].metadata.name: Invalid value: "a/b": may not contain',
    );
  });

  it('has a status of its own, and a generation', async () => {
    await define();
    const made = await api.create<Custom>('widgets', widget('a', { size: 1 }, { status: { replicas: 5 } }));
    const updated = await api.update<Custom>('widgets/status', { ...made, spec: { size: 9 }, status: { replicas: 2 } });
    expect(updated).toMatchObject({ spec: { size: 1 }, status: { replicas: 2 }, metadata: { generation: 1 } });
    const next = await api.update<Custom>('widgets', { ...updated, spec: { size: 3 }, status: {} });
    expect(next).toMatchObject({ spec: { size: 3 }, status: { replicas: 2 }, metadata: { generation: 2 } });
    const bad = await refusal(api.update('widgets/status', { ...next, status: { replicas: 'x' } }));
    expect(bad.message).toContain('status.replicas: Invalid value: "string": replicas in body must be of type integer: "string"');
    const scaled = await api.patch('widgets/scale', 'x', 'a', { spec: { replicas: 7 } });
    expect(scaled).toMatchObject({ kind: 'Scale', spec: { replicas: 7 }, status: { replicas: 2 } });
    expect(api.get<Custom>('widgets', 'x', 'a')?.spec).toMatchObject({ size: 7 });
    await api.create('widgets', widget('unsized', { name: 'b' }));
    const at = {
      group: 'example.com',
      version: 'v1',
      resource: 'widgets',
      subresource: 'scale',
      namespace: 'x',
      name: 'unsized',
    };
    const shown = await refusal(api.server.handle({ ...at, verb: 'get', options: {} }, loopbackUser));
    expect(shown.message).toBe('Internal error occurred: the spec replicas field ".spec.size" does not exist');
    const empty = await refusal(api.patch('widgets/scale', 'x', 'unsized', { metadata: { labels: { a: 'b' } } }));
    expect(empty.message).toBe('the spec replicas field ".spec.size" cannot be empty');
    expect(await api.patch('widgets/scale', 'x', 'unsized', { spec: { replicas: 2 } })).toMatchObject({ spec: { replicas: 2 } });
  });

  it('may keep what was valid once (KEP-4008)', async () => {
    await define();
    const made = await api.create<Custom>('widgets', widget('a', { size: 5, name: 'abc' }));
    const { metadata: _m, ...rest } = definition({}, version('v1', { size: { type: 'integer', maximum: 3 } }));
    await api.update(crds, { ...crd(), ...rest, metadata: crd()?.metadata, status: crd()?.status });
    await until(() => api.server.registry.find('example.com', 'v1', 'widgets')?.resource.schema.kind === 'object');
    const kept = await api.update<Custom>('widgets', { ...made, metadata: { ...made.metadata, labels: { a: 'b' } } });
    expect(kept.spec?.['size']).toBe(5);
    const bad = await refusal(api.update('widgets', { ...kept, spec: { ...kept.spec, size: 6 } }));
    expect(bad.message).toContain('spec.size: Invalid value: 6: spec.size in body should be less than or equal to 3');
  });

  it('has the defaults of resources inside of it, without what metadata do not know', async () => {
    const resource: JSONSchemaProps = { type: 'object', 'x-kubernetes-embedded-resource': true };
    const type = { apiVersion: { type: 'string', default: 'v1' }, kind: { type: 'string', default: 'Foo' } };
    const whole = { apiVersion: 'v1', kind: 'Foo', metadata: { name: 'bar', unknown: 1 } };
    const name = {
      type: 'object',
      properties: { name: { type: 'string', default: 'bar' }, unknown: { type: 'string', default: 'x' } },
    };
    const object = { type: 'object', default: { name: 'bar', unknown: 1 } };
    const spanning = { type: 'object', default: { inner: whole }, properties: { inner: { ...resource, properties: type } } };
    const templates = {
      field: { ...resource, properties: { ...type, metadata: name } },
      metadata: { ...resource, properties: { ...type, metadata: object } },
      resource: { ...resource, properties: type, default: whole },
      spanning,
    };
    await define({}, version('v1', templates));
    const made = await api.create<Custom>('widgets', widget('a', { field: { metadata: {} }, metadata: {} }));
    const expected = { apiVersion: 'v1', kind: 'Foo', metadata: { name: 'bar' } };
    const { field, metadata, resource: given, spanning: around } = made.spec ?? {};
    expect({ field, metadata, given, around }).toEqual({
      field: expected,
      metadata: expected,
      given: expected,
      around: { inner: expected },
    });
  });

  it('has not changed when a list is in another order that goes by keys', async () => {
    const item: JSONSchemaProps = {
      type: 'object',
      required: ['name'],
      properties: { name: { type: 'string' }, size: { type: 'integer' } },
    };
    const parts = (more: JSONSchemaProps): Record<string, JSONSchemaProps> => ({
      parts: { type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'], items: item, ...more },
      rows: { type: 'array', items: item, ...more },
    });
    await define({}, version('v1', parts({})));
    const [a, b] = [
      { name: 'a', size: 1 },
      { name: 'b', size: 2 },
    ];
    const made = await api.create<Custom>('widgets', widget('w', { parts: [a, b], rows: [a, b] }));
    const { metadata: _m, ...rest } = definition({}, version('v1', parts({ maxItems: 1 })));
    await api.update(crds, { ...crd(), ...rest, metadata: crd()?.metadata, status: crd()?.status });
    const refusedFields = async (spec: object): Promise<string> =>
      api.update('widgets', { ...made, spec: { ...made.spec, ...spec } }, { dryRun: ['All'] }).then(
        () => '',
        (err: Error) => err.message,
      );
    await untilAsync(async () =>
      (await refusedFields({ rows: [b, a] })).includes('spec.rows: Too many: 2: must have at most 1 item'),
    );
    expect(await refusedFields({ parts: [b, a] })).toBe('');
    expect(await refusedFields({ parts: [b, { ...a, size: 3 }] })).toContain('spec.parts: Too many: 2: must have at most 1 item');
  });

  it('is held by no ratchet where its schema does not name all that it has', async () => {
    const root = (openAPIV3Schema: JSONSchemaProps): CustomResourceDefinitionVersion => ({
      ...{ name: 'v1', served: true, storage: true },
      schema: { openAPIV3Schema },
    });
    await define({}, root({ type: 'object', properties: { spec: { type: 'object' } } }));
    const made = await api.create<Custom>('widgets', widget('w', {}));
    const strict = root({
      type: 'object',
      required: ['size'],
      properties: { spec: { type: 'object' }, size: { type: 'integer' } },
    });
    const { metadata: _m, ...rest } = definition({}, strict);
    await api.update(crds, { ...crd(), ...rest, metadata: crd()?.metadata, status: crd()?.status });
    await untilAsync(() =>
      api.update('widgets', made, { dryRun: ['All'] }).then(
        () => false,
        (err: Error) => err.message.includes('size: Required value'),
      ),
    );
  });

  it('is told of by OpenAPI with the fields that select, and lists with what they are', async () => {
    const template: JSONSchemaProps = {
      type: 'object',
      'x-kubernetes-embedded-resource': true,
      properties: { size: { type: 'integer' } },
    };
    await define({}, version('v1', { template }));
    const schemas = async (path: string, at: (document: never) => unknown) =>
      at((await api.server.raw(path, loopbackUser)) as never) as Record<string, { properties: Record<string, object> }>;
    const v2 = await schemas('/openapi/v2', (document: { definitions: object }) => document.definitions);
    const v3 = await schemas('/openapi/v3/apis/example.com/v1', (d: { components: { schemas: object } }) => d.components.schemas);
    for (const document of [v2, v3]) {
      const selectable = { 'x-kubernetes-selectable-fields': [{ fieldPath: 'spec.name' }] };
      expect(document['com.example.v1.Widget']).toMatchObject(selectable);
      expect(document['com.example.v1.WidgetList']).toMatchObject({
        ...selectable,
        properties: {
          items: { description: expect.stringMatching(/^List of widgets\. More info: https:/) },
          metadata: { description: expect.stringMatching(/^Standard list metadata\./) },
          kind: { description: expect.stringMatching(/^Kind is a string value/), type: 'string' },
        },
      });
      expect(document['com.example.v1.Widget']?.properties['spec']).toMatchObject({
        properties: {
          template: {
            required: ['kind', 'apiVersion'],
            properties: { size: { type: 'integer' }, kind: { description: expect.stringMatching(/^kind is a string value/) } },
          },
        },
      });
    }
  });

  it('is selected by its fields and shown by its columns', async () => {
    await define();
    await api.create('widgets', widget('a', { size: 1, name: 'one' }));
    await api.create('widgets', widget('b', { size: 2, name: 'two' }));
    const request = { verb: 'list', group: 'example.com', version: 'v1', resource: 'widgets', namespace: '', name: '' } as const;
    const list = await api.server.handle({ ...request, options: { fieldSelector: 'spec.name=two' } }, loopbackUser);
    const items = (list.object as unknown as { items: readonly KubernetesObject[] }).items;
    expect(items.map((i) => i.metadata?.name)).toEqual(['b']);
    const { resource } = api.server.registry.find('example.com', 'v1', 'widgets')!;
    expect(resource.columns.map((c) => c.name)).toEqual(['Name', 'Size', 'Ready', 'Age']);
    const shown = { ...items[0], status: { conditions: [{ type: 'Ready', status: 'False' }] } };
    expect(resource.row(shown, api.clock.now() + 90_000)).toEqual(['b', 2, 'False', '90s']);
  });

  it('warns of versions that are deprecated', async () => {
    const old = { ...version('v1beta1'), storage: false, deprecated: true };
    const told = { ...version('v1alpha1'), storage: false, deprecated: true, deprecationWarning: 'do not' };
    await define({}, version('v1'), old, told);
    const list = (v: string) =>
      api.server.handle(
        { verb: 'list', group: 'example.com', version: v, resource: 'widgets', namespace: 'x', name: '', options: {} },
        loopbackUser,
      );
    expect((await list('v1')).warnings).toEqual([]);
    expect((await list('v1beta1')).warnings).toEqual(['example.com/v1beta1 Widget is deprecated; use example.com/v1 Widget']);
    expect((await list('v1alpha1')).warnings).toEqual(['do not']);
    const document = (await api.server.raw('/openapi/v3/apis/example.com/v1', loopbackUser)) as {
      components: { schemas: Record<string, Record<string, unknown>> };
    };
    expect(document.components.schemas['com.example.v1.Widget']).toMatchObject({
      'x-kubernetes-selectable-fields': [{ fieldPath: 'spec.name' }],
      'x-kubernetes-group-version-kind': [{ group: 'example.com', kind: 'Widget', version: 'v1' }],
      properties: { metadata: { allOf: [{ $ref: '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' }] } },
    });
  });

  it('is read in every version, whichever it is stored in', async () => {
    await define(
      {},
      { ...version('v1'), storage: false },
      { ...version('v2', { extra: { type: 'string', default: 'd' } }), storage: true },
    );
    const made = await api.create<Custom>('widgets', widget('a', { size: 1 }));
    expect(made.apiVersion).toBe('example.com/v1');
    const read = await api.server.handle(
      { verb: 'get', group: 'example.com', version: 'v2', resource: 'widgets', namespace: 'x', name: 'a', options: {} },
      loopbackUser,
    );
    expect(read.object).toMatchObject({ apiVersion: 'example.com/v2', spec: { size: 1 } });
    const stored = crd()!;
    await api.update(crds, {
      ...stored,
      spec: { ...stored.spec, versions: stored.spec.versions.map((v) => ({ ...v, storage: v.name === 'v1' })) },
    });
    await until(() => crd()?.status?.storedVersions?.length === 2);
    await until(() => api.server.registry.find('example.com', 'v1', 'widgets')?.resource.storage.version === 'v1');
    expect(crd()?.status?.storedVersions).toEqual(['v2', 'v1']);
    const again = await api.update<Custom>('widgets', { ...made, spec: { size: 2 } });
    expect(again).toMatchObject({ apiVersion: 'example.com/v1', spec: { size: 2 } });
  });
});
