import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Any, ApplyApi, entriesOf, refusal } from './test-api.ts';

let api: ApplyApi;
beforeEach(async () => {
  api = await ApplyApi.start();
});
afterEach(() => api.close());

const map = (data: Record<string, string>, metadata: object = {}): Any => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'm', ...metadata },
  data,
});
const deployment = (spec: object = {}, container: object = {}, metadata: object = {}): Any => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'd', ...metadata },
  spec: {
    selector: { matchLabels: { app: 'd' } },
    template: { metadata: { labels: { app: 'd' } }, spec: { containers: [{ name: 'c', image: 'i', ...container }] } },
    ...spec,
  },
});

describe('managedFields of creates, updates and patches', () => {
  it("tell who created what, in upstream's form", async () => {
    const made = await api.create(map({ b: '1', a: '2' }, { labels: { l: '1' } }), 'configmaps');
    expect(JSON.stringify(made.metadata.managedFields)).toBe(
      '[{"manager":"creator","operation":"Update","apiVersion":"v1","time":"2026-01-01T00:00:00Z","fieldsType":"FieldsV1",' +
        '"fieldsV1":{"f:data":{".":{},"f:a":{},"f:b":{}},"f:metadata":{"f:labels":{".":{},"f:l":{}}}}}]',
    );
  });

  it('hold what a typed object has beyond what was said', async () => {
    const made = await api.create(deployment({}, { ports: [{ containerPort: 80 }] }), 'deployments');
    expect(made.metadata.managedFields[0].fieldsV1).toEqual({
      'f:spec': {
        'f:progressDeadlineSeconds': {},
        'f:replicas': {},
        'f:revisionHistoryLimit': {},
        'f:selector': {},
        'f:strategy': { 'f:rollingUpdate': { '.': {}, 'f:maxSurge': {}, 'f:maxUnavailable': {} }, 'f:type': {} },
        'f:template': {
          'f:metadata': { 'f:labels': { '.': {}, 'f:app': {} } },
          'f:spec': {
            'f:containers': {
              'k:{"name":"c"}': {
                '.': {},
                'f:image': {},
                'f:imagePullPolicy': {},
                'f:name': {},
                'f:ports': {
                  '.': {},
                  'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {}, 'f:protocol': {} },
                },
                'f:resources': {},
                'f:terminationMessagePath': {},
                'f:terminationMessagePolicy': {},
              },
            },
            'f:dnsPolicy': {},
            'f:restartPolicy': {},
            'f:schedulerName': {},
            'f:securityContext': {},
            'f:terminationGracePeriodSeconds': {},
          },
        },
      },
    });
  });

  it('move to whoever changes a field', async () => {
    await api.create(map({ a: '1', b: '1' }), 'configmaps', 'one');
    await api.clock.advance(5_000);
    const changed = await api.merge('v1', 'configmaps', 'm', { data: { a: '2', c: '1' } }, 'two');
    expect(entriesOf(changed)).toEqual({
      'one Update': '{"f:data":{".":{},"f:b":{}}}',
      'two Update': '{"f:data":{"f:a":{},"f:c":{}}}',
    });
    expect(changed.metadata.managedFields.map((e: Any) => e.time)).toEqual(['2026-01-01T00:00:00Z', '2026-01-01T00:00:05Z']);
    const fewer = await api.merge('v1', 'configmaps', 'm', { data: { b: null, c: null } }, 'three');
    expect(entriesOf(fewer)).toEqual({ 'one Update': '{"f:data":{}}', 'two Update': '{"f:data":{"f:a":{}}}' });
  });

  it('keep time, revision and sets when nothing changes', async () => {
    const made = await api.create(map({ a: '1' }), 'configmaps', 'one');
    await api.clock.advance(5_000);
    expect(await api.update(made, 'configmaps', 'two')).toEqual(made);
    expect(await api.update(map({ a: '1' }), 'configmaps', 'two')).toEqual(made);
    expect(await api.merge('v1', 'configmaps', 'm', { data: { a: '1' } }, 'two')).toEqual(made);
  });

  it('tell status writers apart, who own nothing of the spec', async () => {
    const made = await api.create(deployment({}, {}, { labels: { x: '1' } }), 'deployments', 'one');
    await api.update({ ...made, spec: { ...made.spec, replicas: 9 }, status: { replicas: 1 } }, 'deployments/status', 'one');
    const patch = { metadata: { labels: { x: '2' } }, status: { replicas: 9 } };
    const live = await api.merge('apps/v1', 'deployments', 'd', patch, 'two');
    expect(live.spec.replicas).toBe(1);
    expect(entriesOf(live)['one Update status']).toBe('{"f:status":{"f:replicas":{}}}');
    expect(entriesOf(live)['two Update']).toBe('{"f:metadata":{"f:labels":{"f:x":{}}}}');
  });

  it('make a status writer that writes the same fields again keep its set', async () => {
    const made = await api.create(deployment(), 'deployments', 'one');
    const write = (replicas: number): Promise<Any> =>
      api.merge('apps/v1', 'deployments/status', 'd', { status: { replicas } }, 'kubelet');
    const first = await write(made.status?.replicas ?? 1);
    const second = await write(2);
    const third = await write(3);
    const sets = [first, second, third].map(
      (o) => o.metadata.managedFields.find((e: Any) => e.subresource === 'status').fieldsV1,
    );
    expect(sets[2]).toBe(sets[1]);
    expect(third.metadata.managedFields[0]).toBe(second.metadata.managedFields[0]);
  });

  it('share their sets among objects that are written alike', async () => {
    const live: Any[] = [];
    for (const name of ['a', 'b']) {
      await api.create({ ...map({ k: name }), metadata: { name } }, 'configmaps', 'one');
      live.push(await api.merge('v1', 'configmaps', name, { data: { x: name } }, 'two'));
    }
    const [a, b] = live.map((o) => o.metadata.managedFields);
    expect(b.map((e: Any) => e.manager)).toEqual(['one', 'two']);
    for (const i of [0, 1]) expect(b[i].fieldsV1).toBe(a[i].fieldsV1);
  });

  it('call a writer without a name by its program', async () => {
    const made = await api.send('create', 'v1', 'configmaps', '', { body: map({ a: '1' }) });
    expect(made.metadata.managedFields[0].manager).toBe('kube-apiserver');
  });

  it('can be written by hand, and are put in order then', async () => {
    const made = await api.create(map({ a: '1' }), 'configmaps', 'one');
    const entry = made.metadata.managedFields[0];
    const sent = {
      ...made,
      metadata: {
        ...made.metadata,
        managedFields: [{ ...entry, manager: 'other', fieldsV1: { 'f:data': { 'f:a': {}, '.': {} } } }],
      },
    };
    const written = await api.update(sent, 'configmaps', 'two');
    expect(entriesOf(written)).toEqual({ 'other Update': '{"f:data":{".":{},"f:a":{}}}' });
  });

  it('stay as they were when what is sent of them cannot be read', async () => {
    const made = await api.create(map({ a: '1' }), 'configmaps', 'one');
    for (const wrong of [
      { manager: 'x' },
      { ...made.metadata.managedFields[0], fieldsV1: { x: {} } },
      { ...made.metadata.managedFields[0], fieldsType: 'V2' },
    ]) {
      const written = await api.update({ ...made, metadata: { ...made.metadata, managedFields: [wrong] } }, 'configmaps', 'two');
      expect(entriesOf(written)).toEqual(entriesOf(made));
    }
  });

  it.each([[[]], [[{}]]])('are reset by %j, and begin again with the first apply', async (managedFields) => {
    const made = await api.create(map({ a: '1' }), 'configmaps', 'one');
    const reset = await api.update({ ...made, metadata: { ...made.metadata, managedFields } }, 'configmaps', 'two');
    expect(reset.metadata.managedFields).toBeUndefined();
    const later = await api.merge('v1', 'configmaps', 'm', { data: { b: '1' } });
    expect(later.metadata.managedFields).toBeUndefined();
    const applied = await api.apply(map({ c: '1' }), 'configmaps', 'three');
    expect(entriesOf(applied)).toEqual({
      'three Apply': '{"f:data":{"f:c":{}}}',
      'before-first-apply Update': '{"f:data":{".":{},"f:a":{},"f:b":{}}}',
    });
  });

  it('are not set by hand through a subresource', async () => {
    const made = await api.create(deployment(), 'deployments', 'one');
    const sent = { ...made, metadata: { ...made.metadata, managedFields: [] }, status: { replicas: 3 } };
    expect(Object.keys(entriesOf(await api.update(sent, 'deployments/status', 'two')))).toEqual([
      'one Update',
      'two Update status',
    ]);
  });

  it('merge the oldest updates when there are more than ten', async () => {
    await api.create(map({ k0: '1' }), 'configmaps', 'w0');
    let live: Any;
    for (let i = 1; i <= 12; i++) {
      await api.clock.advance(1_000);
      live = await api.merge('v1', 'configmaps', 'm', { data: { [`k${i}`]: '1' } }, `w${i}`);
    }
    const entries = live.metadata.managedFields;
    expect(entries.map((e: Any) => e.manager)).toEqual([
      'ancient-changes',
      ...[4, 5, 6, 7, 8, 9, 10, 11, 12].map((i) => `w${i}`),
    ]);
    expect(entries[0]).toMatchObject({ operation: 'Update', apiVersion: 'v1', time: '2026-01-01T00:00:03Z' });
    expect(entriesOf(live)['ancient-changes Update']).toBe('{"f:data":{".":{},"f:k0":{},"f:k1":{},"f:k2":{},"f:k3":{}}}');
  });

  it('of a resize hold resources only, and of ephemeral containers those only', async () => {
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'i' }] } };
    await api.create(
      { ...pod, spec: { containers: [{ name: 'c', image: 'i', resources: { limits: { cpu: '1' } } }] } } as Any,
      'pods',
    );
    const resized = {
      metadata: { labels: { x: '1' } },
      spec: { containers: [{ name: 'c', image: 'i', resources: { limits: { cpu: '2' } } }] },
    };
    await api.patch('v1', 'pods/resize', 'p', resized, 'application/strategic-merge-patch+json', { fieldManager: 'resizer' });
    const debug = { spec: { ephemeralContainers: [{ name: 'd', image: 'i' }] } };
    const live = await api.patch('v1', 'pods/ephemeralcontainers', 'p', debug, 'application/strategic-merge-patch+json', {
      fieldManager: 'debugger',
    });
    expect(entriesOf(live)['resizer Update resize']).toBe(
      '{"f:spec":{"f:containers":{"k:{\\"name\\":\\"c\\"}":{"f:resources":{"f:limits":{"f:cpu":{}}}}}}}',
    );
    expect(JSON.parse(entriesOf(live)['debugger Update ephemeralcontainers'] ?? '{}')['f:spec']).toHaveProperty(
      'f:ephemeralContainers',
    );
  });

  it('of a scale tell that it was one, without a time', async () => {
    await api.create(deployment({ replicas: 1 }), 'deployments', 'one');
    await api.clock.advance(1_000);
    await api.merge('apps/v1', 'deployments/scale', 'd', { spec: { replicas: 4 } }, 'scaler');
    const live = await api.get('apps/v1', 'deployments', 'd');
    expect(entriesOf(live)['scaler Update scale']).toBe('{"f:spec":{"f:replicas":{}}}');
    expect(entriesOf(live)['one Update']).not.toContain('replicas');
    expect(live.metadata.managedFields[0]).not.toHaveProperty('time');
  });
});

describe('apply', () => {
  it('creates, with what was applied as its own', async () => {
    const made = await api.apply(deployment({ replicas: 2 }), 'deployments', 'app');
    expect(made.spec).toMatchObject({ replicas: 2, strategy: { type: 'RollingUpdate' } });
    expect(made.metadata.managedFields).toEqual([
      {
        manager: 'app',
        operation: 'Apply',
        apiVersion: 'apps/v1',
        time: '2026-01-01T00:00:00Z',
        fieldsType: 'FieldsV1',
        fieldsV1: {
          'f:spec': {
            'f:replicas': {},
            'f:selector': {},
            'f:template': {
              'f:metadata': { 'f:labels': { 'f:app': {} } },
              'f:spec': { 'f:containers': { 'k:{"name":"c"}': { '.': {}, 'f:image': {}, 'f:name': {} } } },
            },
          },
        },
      },
    ]);
  });

  it('that come at once for a name that is new make one object of all', async () => {
    const managers = ['app', 'app', 'other'];
    await Promise.all(managers.map((manager, i) => api.apply(map({ [`${manager}${i}`]: '' }), 'configmaps', manager)));
    const live = await api.get('v1', 'configmaps', 'm');
    const entries = entriesOf(live);
    expect(Object.keys(entries).sort()).toEqual(['app Apply', 'other Apply']);
    // Of two by one manager the later counts.
    expect(Object.keys(live.data)).toHaveLength(2);
    expect(live.data).toHaveProperty('other2');
  });

  it('writes nothing when nothing changes', async () => {
    const made = await api.apply(deployment({ replicas: 2 }), 'deployments', 'app');
    await api.clock.advance(9_000);
    expect(await api.apply(deployment({ replicas: 2 }), 'deployments', 'app')).toEqual(made);
  });

  it('does not count as a change what only is written otherwise', async () => {
    const config = deployment({}, { resources: { limits: { cpu: '1000m' } } });
    const made = await api.apply(config, 'deployments', 'app');
    await api.clock.advance(9_000);
    const again = await api.apply(config, 'deployments', 'app');
    expect(again.metadata).toEqual(made.metadata);
  });

  it('says which field another manager owns', async () => {
    await api.apply(deployment({ replicas: 2 }), 'deployments', 'app');
    expect(await refusal(api.apply(deployment({ replicas: 3 }), 'deployments', 'other'))).toEqual({
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'Apply failed with 1 conflict: conflict with "app": .spec.replicas',
      reason: 'Conflict',
      details: { causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "app"', field: '.spec.replicas' }] },
      code: 409,
    });
  });

  it('says of all fields who owns them, and how', async () => {
    await api.create(deployment({ replicas: 1, paused: true }), 'deployments', 'maker');
    await api.apply(deployment({ minReadySeconds: 5 }, { image: 'i' }), 'deployments', 'app');
    await api.merge('apps/v1', 'deployments/scale', 'd', { spec: { replicas: 2 } }, 'scaler');
    const status = await refusal(
      api.apply(deployment({ replicas: 3, minReadySeconds: 6, paused: false }, { image: 'j' }), 'deployments', 'z'),
    );
    expect(status.message).toBe(
      [
        'Apply failed with 5 conflicts: conflicts with "app":',
        '- .spec.minReadySeconds',
        '- .spec.template.spec.containers[name="c"].image',
        'conflicts with "maker" using apps/v1:',
        '- .spec.paused',
        '- .spec.template.spec.containers[name="c"].image',
        'conflicts with "scaler" with subresource "scale" using apps/v1:',
        '- .spec.replicas',
      ].join('\n'),
    );
    expect(status.details?.causes).toHaveLength(5);
  });

  it('takes fields when it is forced to', async () => {
    await api.apply(map({ a: '1', b: '1' }), 'configmaps', 'one');
    const forced = await api.apply(map({ a: '2' }), 'configmaps', 'two', { force: true });
    expect(entriesOf(forced)).toEqual({ 'one Apply': '{"f:data":{"f:b":{}}}', 'two Apply': '{"f:data":{"f:a":{}}}' });
    expect(forced.data).toEqual({ a: '2', b: '1' });
  });

  it('removes what is no longer applied, and what it emptied', async () => {
    await api.apply(map({ a: '1', b: '1' }, { labels: { l: '1' } }), 'configmaps', 'one');
    await api.apply({ ...map({ b: '1' }) }, 'configmaps', 'two');
    const less = await api.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm' } }, 'configmaps', 'one');
    expect(less.data).toEqual({ b: '1' });
    expect(less.metadata).not.toHaveProperty('labels');
    expect(entriesOf(less)).toEqual({ 'two Apply': '{"f:data":{"f:b":{}}}' });
  });

  it('leaves alone what somebody else scaled', async () => {
    await api.apply(deployment({ replicas: 2 }), 'deployments', 'app');
    await api.merge('apps/v1', 'deployments/scale', 'd', { spec: { replicas: 5 } }, 'scaler');
    expect((await api.apply(deployment(), 'deployments', 'app')).spec.replicas).toBe(5);
  });

  it('gives defaults back to fields that it lets go of', async () => {
    await api.apply(deployment({ replicas: 2, paused: true }), 'deployments', 'app');
    const less = await api.apply(deployment(), 'deployments', 'app');
    expect(less.spec.replicas).toBe(1);
    expect(less.spec).not.toHaveProperty('paused');
  });

  it('sees what Go always has within values that are owned as one', async () => {
    const claim = (more: object): Any => ({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'c' },
      spec: {
        accessModes: ['ReadWriteOnce'],
        resources: { requests: { storage: '1Gi' } },
        dataSource: { kind: 'PersistentVolumeClaim', name: 'a', ...more },
      },
    });
    await api.create(claim({}), 'persistentvolumeclaims', 'maker');
    // The group of a data source is null where none was given: what does not name it is another value.
    const status = await refusal(api.apply(claim({}), 'persistentvolumeclaims', 'app'));
    expect(status.message).toBe('Apply failed with 1 conflict: conflict with "maker" using v1: .spec.dataSource');
    const made = await api.apply(claim({ apiGroup: null }), 'persistentvolumeclaims', 'app');
    expect(entriesOf(made)['app Apply']).toContain('f:dataSource');
  });

  it('merges ports by number and protocol', async () => {
    await api.apply(
      deployment({}, { ports: [{ containerPort: 80 }, { containerPort: 53, protocol: 'UDP', name: 'dns' }] }),
      'deployments',
      'app',
    );
    const live = await api.apply(deployment({}, { ports: [{ containerPort: 80, name: 'web' }] }), 'deployments', 'other');
    expect(live.spec.template.spec.containers[0].ports).toEqual([
      { containerPort: 80, protocol: 'TCP', name: 'web' },
      { containerPort: 53, protocol: 'UDP', name: 'dns' },
    ]);
  });

  it('through status owns the status only', async () => {
    await api.apply(deployment({ replicas: 1 }), 'deployments', 'app');
    const config = { ...deployment({ replicas: 7 }), status: { replicas: 3 } };
    const live = await api.apply(config, 'deployments/status', 'controller', { force: true });
    expect(live).toMatchObject({ spec: { replicas: 1 }, status: { replicas: 3 } });
    expect(entriesOf(live)['controller Apply status']).toBe('{"f:status":{"f:replicas":{}}}');
    const again = await api.apply({ ...deployment({ replicas: 1 }), status: { replicas: 8 } }, 'deployments', 'app');
    expect(again.status.replicas).toBe(3);
    expect(entriesOf(again)['app Apply']).not.toContain('f:status');
  });

  it('on trial changes nothing', async () => {
    const tried = await api.apply(map({ a: '1' }), 'configmaps', 'app', { dryRun: ['All'] });
    expect(tried.data).toEqual({ a: '1' });
    expect((await refusal(api.get('v1', 'configmaps', 'm'))).code).toBe(404);
  });

  it.each<[string, object, number, string]>([
    ['managedFields', map({}, { managedFields: [] }), 400, 'metadata.managedFields must be nil'],
    ['another kind', { ...map({}), kind: 'Secret' }, 400, 'invalid object type: /v1, Kind=Secret'],
    ['no kind', { metadata: { name: 'm' } }, 400, 'invalid object type: /, Kind='],
    [
      'an unknown field',
      { ...map({}), dat: 1 },
      500,
      'failed to create typed patch object (/m; /v1, Kind=ConfigMap): .dat: field not declared in schema',
    ],
    [
      'a wrong type',
      map({ a: 1 } as never),
      500,
      'failed to create typed patch object (/m; /v1, Kind=ConfigMap): .data.a: expected string, got &value.valueUnstructured{Value:1}',
    ],
    ['another name', map({}, { name: 'n' }), 400, 'the name of the object (n) does not match the name on the URL (m)'],
    [
      'another namespace',
      map({}, { namespace: 'y' }),
      400,
      'the namespace of the provided object does not match the namespace sent on the request',
    ],
    [
      'a uid',
      map({}, { uid: 'u' }),
      409,
      'Operation cannot be fulfilled on configmaps "m": uid mismatch: the provided object specified uid u, and no existing object was found',
    ],
  ])('refuses %s', async (_what, body, code, message) => {
    const status = await refusal(
      api.patch('v1', 'configmaps', 'm', body, 'application/apply-patch+yaml', { fieldManager: 'app' }),
    );
    expect(status).toMatchObject({ code, message });
  });

  it('insists on the version that it names', async () => {
    const made = await api.apply(map({ a: '1' }), 'configmaps', 'app');
    await api.apply(map({ b: '1' }), 'configmaps', 'other');
    const stale = await refusal(
      api.apply(map({ a: '2' }, { resourceVersion: made.metadata.resourceVersion }), 'configmaps', 'app'),
    );
    expect(stale).toMatchObject({ code: 409, reason: 'Conflict' });
    expect(stale.message).toContain('the object has been modified');
  });
});

describe('apply of a scale', () => {
  const scale = (replicas: number): Any => ({
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: { name: 'd' },
    spec: { replicas },
  });
  const apply = (replicas: number, manager: string, force = false): Promise<Any> =>
    api.patch('apps/v1', 'deployments/scale', 'd', scale(replicas), 'application/apply-patch+yaml', {
      fieldManager: manager,
      force,
    });

  it('owns the replicas of the parent', async () => {
    await api.apply(deployment({ replicas: 2 }), 'deployments', 'app');
    expect((await refusal(apply(3, 'auto'))).message).toBe('Apply failed with 1 conflict: conflict with "app": .spec.replicas');
    expect((await apply(3, 'auto', true)).spec).toEqual({ replicas: 3 });
    const live = await api.get('apps/v1', 'deployments', 'd');
    expect(live.spec.replicas).toBe(3);
    expect(entriesOf(live)['auto Apply scale']).toBe('{"f:spec":{"f:replicas":{}}}');
    expect(entriesOf(live)['app Apply']).not.toContain('replicas');
    expect(live.metadata.managedFields.map((e: Any) => e.apiVersion)).toEqual(['apps/v1', 'apps/v1']);
  });

  it('shares them with who wants as many', async () => {
    await api.apply(deployment({ replicas: 2 }), 'deployments', 'app');
    await apply(2, 'auto');
    const live = await api.get('apps/v1', 'deployments', 'd');
    expect(Object.keys(entriesOf(live)).sort()).toEqual(['app Apply', 'auto Apply scale']);
    expect(entriesOf(live)['app Apply']).toContain('replicas');
    const again = await apply(2, 'auto');
    expect(again.metadata.resourceVersion).toBe(live.metadata.resourceVersion);
  });

  it('gives them back when it scales to what another one says', async () => {
    await api.create(deployment({ replicas: 2 }), 'deployments', 'maker');
    expect((await refusal(apply(3, 'auto'))).message).toBe(
      'Apply failed with 1 conflict: conflict with "maker" using autoscaling/v1: .spec.replicas',
    );
    await apply(2, 'auto');
    const live = await api.get('apps/v1', 'deployments', 'd');
    expect(entriesOf(live)['maker Update']).toContain('replicas');
  });
});

it('apply creates only for those who may create', async () => {
  const decide = ({ verb, resource }: { verb: string; resource: string }) =>
    verb === 'create' && resource === 'configmaps' ? ({ decision: 'deny' } as const) : ({ decision: 'allow' } as const);
  const guarded = await ApplyApi.start({ authorize: decide });
  expect(await refusal(guarded.apply(map({ a: '1' }), 'configmaps', 'app'))).toMatchObject({
    code: 403,
    message:
      'configmaps "m" is forbidden: User "system:apiserver" cannot create resource "configmaps" in API group "" in the namespace "x"',
  });
  await guarded.close();
});

describe('versions of one type', () => {
  const autoscaler = (apiVersion: string, spec: object): Any => ({
    apiVersion,
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'h' },
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' }, maxReplicas: 5, ...spec },
  });
  const cpu = (averageUtilization: number): object => ({
    metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } } }],
  });
  const type = 'horizontalpodautoscalers';

  it('are compared each in their own', async () => {
    await api.apply(autoscaler('autoscaling/v1', { targetCPUUtilizationPercentage: 50 }), type, 'old');
    const same = await api.apply(autoscaler('autoscaling/v2', cpu(50)), type, 'new');
    expect(Object.keys(entriesOf(same))).toEqual(['new Apply', 'old Apply']);
    const status = await refusal(api.apply(autoscaler('autoscaling/v2', cpu(60)), type, 'new'));
    expect(status.message).toBe('Apply failed with 1 conflict: conflict with "old": .spec.targetCPUUtilizationPercentage');
    const forced = await api.apply(autoscaler('autoscaling/v2', cpu(60)), type, 'new', { force: true });
    expect(entriesOf(forced)['old Apply']).not.toContain('targetCPU');
  });

  it('are one for an applier: what it applied in one it removes in the other', async () => {
    await api.apply(autoscaler('autoscaling/v1', { minReplicas: 2, targetCPUUtilizationPercentage: 50 }), type, 'app');
    const next = await api.apply(autoscaler('autoscaling/v2', cpu(50)), type, 'app');
    expect(next.spec.minReplicas).toBe(1);
    expect(next.metadata.managedFields).toHaveLength(1);
    expect(next.metadata.managedFields[0].apiVersion).toBe('autoscaling/v2');
  });
});

describe('kubectl, which applied on the client before', () => {
  const annotation = 'kubectl.kubernetes.io/last-applied-configuration';
  const clientSide = (data: Record<string, string>): Any =>
    map(data, { annotations: { [annotation]: `${JSON.stringify(map(data))}\n` } });

  it('takes over without conflicts what it had applied', async () => {
    await api.create(clientSide({ a: '1', b: '1' }), 'configmaps', 'kubectl-client-side-apply');
    const applied = await api.apply(map({ a: '2', b: '1' }), 'configmaps', 'kubectl');
    expect(applied.data).toEqual({ a: '2', b: '1' });
    expect(applied.metadata.annotations[annotation]).toBe(
      '{"apiVersion":"v1","data":{"a":"2","b":"1"},"kind":"ConfigMap","metadata":{"name":"m"}}\n',
    );
  });

  it('still conflicts with what others changed since', async () => {
    await api.create(clientSide({ a: '1', b: '1' }), 'configmaps', 'kubectl-client-side-apply');
    await api.merge('v1', 'configmaps', 'm', { data: { b: '5' } }, 'other');
    const status = await refusal(api.apply(map({ a: '2', b: '2' }), 'configmaps', 'kubectl'));
    expect(status.message).toBe('Apply failed with 1 conflict: conflict with "other" using v1: .data.b');
  });

  it('has no such leave under another name', async () => {
    await api.create(clientSide({ a: '1' }), 'configmaps', 'kubectl-client-side-apply');
    expect((await refusal(api.apply(map({ a: '2' }), 'configmaps', 'me'))).code).toBe(409);
  });

  it('keeps annotations that hold nothing else, empty', async () => {
    await api.create(clientSide({ a: '1' }), 'configmaps', 'kubectl-client-side-apply');
    const applied = await api.apply(clientSide({ a: '2' }), 'configmaps', 'kubectl', { force: true });
    expect(applied.metadata.annotations[annotation]).toBe(
      '{"apiVersion":"v1","data":{"a":"2"},"kind":"ConfigMap","metadata":{"annotations":{},"name":"m"}}\n',
    );
  });

  it('leaves the annotation away when it would be too long', async () => {
    await api.create(clientSide({ a: '1' }), 'configmaps', 'kubectl-client-side-apply');
    const applied = await api.apply(map({ a: 'x'.repeat(300_000) }), 'configmaps', 'kubectl');
    expect(applied.metadata.annotations ?? {}).not.toHaveProperty([annotation]);
  });
});
