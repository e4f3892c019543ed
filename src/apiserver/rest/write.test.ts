import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestServer } from '../test-server.ts';

let api: TestServer;
const maps = '/api/v1/namespaces/x/configmaps';
const pods = '/api/v1/namespaces/x/pods';
const deployments = '/apis/apps/v1/namespaces/x/deployments';
const merge = 'application/merge-patch+json';

const deployment = (name: string, replicas = 1) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: { a: 'b' } },
    template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
  },
});

beforeAll(async () => {
  api = await TestServer.start();
});
afterAll(() => api.close());

describe('create', () => {
  it('gives the object with what the system adds', async () => {
    const answer = await api.post(maps, { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'a' }, data: { k: 'v' } });
    expect(answer.code).toBe(201);
    expect(answer.headers['content-type']).toBe('application/json');
    const { metadata, ...rest } = answer.json;
    expect(rest).toEqual({ kind: 'ConfigMap', apiVersion: 'v1', data: { k: 'v' } });
    expect(metadata).toMatchObject({ name: 'a', namespace: 'x', uid: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    expect(metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(Number(metadata.resourceVersion)).toBeGreaterThan(0);
    expect((await api.get(`${maps}/a`)).json).toEqual(answer.json);
  });

  it('takes the namespace from what the cluster has', async () => {
    const made = await api.post('/api/v1/nodes', { metadata: { name: 'placed', namespace: 'y' } });
    expect([made.code, made.json.metadata.namespace]).toEqual([201, undefined]);
    const path = '/api/v1/nodes/placed';
    const kept = { ...made.json, metadata: { ...made.json.metadata, namespace: 'y', labels: { a: 'b' } } };
    expect((await api.put(path, kept)).json.metadata).toMatchObject({ name: 'placed', labels: { a: 'b' } });
    expect((await api.get(path)).json.metadata).not.toHaveProperty('namespace');
  });

  it('refuses what is there, and says so of what is going', async () => {
    await api.post(maps, { metadata: { name: 'twice' } });
    expect((await api.post(maps, { metadata: { name: 'twice' } })).json).toMatchObject({
      code: 409,
      reason: 'AlreadyExists',
      message: 'configmaps "twice" already exists',
      details: { name: 'twice', kind: 'configmaps' },
    });
    await api.post(maps, { metadata: { name: 'going', finalizers: ['a.b/c'] } });
    await api.remove(`${maps}/going`);
    expect((await api.post(maps, { metadata: { name: 'going' } })).json).toMatchObject({
      code: 409,
      message: 'object is being deleted: configmaps "going" already exists',
    });
  });

  it('makes names', async () => {
    const first = await api.post(maps, { metadata: { generateName: 'made-' } });
    expect(first.json.metadata.name).toMatch(/^made-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
    const long = await api.post(maps, { metadata: { generateName: `${'a'.repeat(70)}-` } });
    expect(long.json.metadata.name).toHaveLength(63);
    expect((await api.post(maps, { metadata: {} })).json).toMatchObject({
      code: 422,
      message: 'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
    });
  });

  it.each([
    [
      { metadata: { name: 'n', namespace: 'y' } },
      400,
      'the namespace of the provided object does not match the namespace sent on the request',
    ],
    [
      { kind: 'Secret', metadata: { name: 'n' } },
      400,
      'Secret in version "v1" cannot be handled as a ConfigMap: converting (v1.Secret) to (core.ConfigMap): unknown conversion',
    ],
    [
      { kind: 'Ingress', apiVersion: 'networking.k8s.io/v1', metadata: { name: 'n' } },
      400,
      'Ingress in version "v1" cannot be handled as a ConfigMap: converting (v1.Ingress) to (core.ConfigMap): unknown conversion',
    ],
    [
      { apiVersion: 'apps/v1', metadata: { name: 'n' } },
      400,
      'ConfigMap in version "v1" cannot be handled as a ConfigMap: no kind "ConfigMap" is registered for version "apps/v1" in scheme "pkg/api/legacyscheme/scheme.go:30"',
    ],
    [
      { apiVersion: 'v2', kind: 'ConfigMap', metadata: { name: 'n' } },
      400,
      'the API version in the data (v2) does not match the expected API version (v1)',
    ],
    [
      { apiVersion: 'a/b/c', metadata: { name: 'n' } },
      400,
      'the object provided is unrecognized (must be of type ConfigMap): unexpected GroupVersion string: a/b/c ({"apiVersion":"a/b/c","metadat ...)',
    ],
    [
      { kind: 5 },
      400,
      `the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: json: cannot unmarshal number into Go struct field .kind of type string ({"kind":5})`,
    ],
    [{ metadata: { name: 'n', resourceVersion: '5' } }, 500, 'resourceVersion should not be set on objects to be created'],
    [
      { metadata: { name: 'N' } },
      422,
      'ConfigMap "N" is invalid: metadata.name: Invalid value: "N": a lowercase RFC 1123 subdomain',
    ],
    [
      { metadata: { name: 'n' }, data: [] },
      400,
      'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal array into Go struct field ConfigMap.data of type map[string]string',
    ],
  ])('refuses %j', async (body, code, message) => {
    const answer = await api.post(maps, body);
    expect(answer.json.message.slice(0, message.length)).toBe(message);
    expect(answer.code).toBe(code);
  });

  it('writes nothing on a dry run', async () => {
    const answer = await api.post(`${maps}?dryRun=All`, { metadata: { name: 'dry' } });
    expect([answer.code, answer.json.metadata.uid]).toEqual([201, expect.any(String)]);
    expect((await api.get(`${maps}/dry`)).code).toBe(404);
    expect((await api.post(`${maps}?dryRun=Some`, { metadata: { name: 'dry' } })).json).toMatchObject({
      code: 422,
      message: 'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: supported values: "All"',
    });
  });

  it('takes an owner once', async () => {
    const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'o', uid: 'u1' };
    const answer = await api.post(maps, { metadata: { name: 'owned', ownerReferences: [owner, owner] } });
    expect(answer.json.metadata.ownerReferences).toEqual([owner]);
    expect(answer.headers['warning']).toContain('299 - ".metadata.ownerReferences contains duplicate entries; API server dedups');
  });

  it('warns of types that should not be used any more', async () => {
    expect((await api.get('/api/v1/endpoints')).headers['warning']).toBe(
      '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"',
    );
    expect((await api.get(maps)).headers['warning']).toBeUndefined();
  });

  it('takes no methods that are not there', async () => {
    expect((await api.post(`${maps}/a`, { metadata: { name: 'a' } })).code).toBe(405);
    expect((await api.put(maps, { metadata: { name: 'a' } })).code).toBe(405);
    expect((await api.post('/api/v1/configmaps', { metadata: { name: 'a' } })).code).toBe(405);
    const headers = { 'content-type': 'application/vnd.kubernetes.protobuf' };
    expect((await api.post('/apis/nothing/v1/things', 'x', { headers })).code).toBe(404);
    expect((await api.post(`${maps}/a/nothing`, 'x', { headers })).code).toBe(404);
    expect((await api.get('/apis/apps/v1/things')).json).toMatchObject({
      code: 404,
      message: 'the server could not find the requested resource',
    });
    expect((await api.get(`${maps}/nope`)).json).toMatchObject({
      code: 404,
      reason: 'NotFound',
      message: 'configmaps "nope" not found',
    });
  });
});

describe('fieldValidation', () => {
  const text = '{"metadata":{"name":"NAME"},"data":{"k":"1","k":"2"},"bogus":1}';
  const send = (name: string, mode: string) => api.post(`${maps}?${mode}`, text.replace('NAME', name));

  it('warns unless told otherwise', async () => {
    const answer = await send('warned', '');
    expect(answer.code).toBe(201);
    expect(answer.headers['warning']).toBe('299 - "duplicate field \\"data.k\\"", 299 - "unknown field \\"bogus\\""');
    expect(answer.json.data).toEqual({ k: '2' });
    expect((await send('ignored', 'fieldValidation=Ignore')).headers['warning']).toBeUndefined();
  });

  it('refuses when strict', async () => {
    expect((await send('strict', 'fieldValidation=Strict')).json).toMatchObject({
      code: 400,
      reason: 'BadRequest',
      message:
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: duplicate field "data.k", unknown field "bogus"',
    });
    const unknownFirst = '{"metadata":{"name":"strict"},"bogus":1,"data":{"k":"1","k":"2"}}';
    expect((await api.post(`${maps}?fieldValidation=Strict`, unknownFirst)).json.message).toContain(
      'strict decoding error: unknown field "bogus", duplicate field "data.k"',
    );
    expect((await send('odd', 'fieldValidation=Odd')).json).toMatchObject({
      code: 422,
      message:
        'CreateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "Odd": supported values: "", "Ignore", "Strict", "Warn"',
    });
  });

  it('holds for patches too', async () => {
    await api.post(maps, { metadata: { name: 'patched' } });
    const warned = await api.patch(`${maps}/patched`, merge, { bogus: 1 });
    expect([warned.code, warned.headers['warning']]).toEqual([200, '299 - "unknown field \\"bogus\\""']);
    const strict = await api.patch(`${maps}/patched?fieldValidation=Strict`, merge, { bogus: 1 });
    expect(strict.json).toMatchObject({ code: 422, reason: 'Invalid' });
    expect(strict.json.message).toContain('strict decoding error: unknown field "bogus"');
  });
});

describe('update', () => {
  it('locks optimistically', async () => {
    const created = (await api.post(maps, { metadata: { name: 'u' } })).json;
    const first = await api.put(`${maps}/u`, { ...created, data: { a: '1' } });
    expect(first.code).toBe(200);
    expect(first.json.metadata.uid).toBe(created.metadata.uid);
    const stale = await api.put(`${maps}/u`, { ...created, data: { a: '2' } });
    expect(stale.json).toMatchObject({
      code: 409,
      reason: 'Conflict',
      message:
        'Operation cannot be fulfilled on configmaps "u": the object has been modified; please apply your changes to the latest version and try again',
    });
    // Without a version it is unconditional.
    expect((await api.put(`${maps}/u`, { metadata: { name: 'u' }, data: { a: '3' } })).code).toBe(200);
    const other = await api.put(`${maps}/u`, { metadata: { name: 'u', uid: 'other' } });
    expect(other.json.message).toBe(
      `Operation cannot be fulfilled on configmaps "u": Precondition failed: UID in precondition: other, UID in object meta: ${created.metadata.uid}`,
    );
  });

  it('changes nothing when nothing changes', async () => {
    const created = (await api.post(maps, { metadata: { name: 'same' }, data: { a: 'b' } })).json;
    expect((await api.put(`${maps}/same`, created)).json.metadata.resourceVersion).toBe(created.metadata.resourceVersion);
  });

  it('wants the name of the URL', async () => {
    await api.post(maps, { metadata: { name: 'here' } });
    expect((await api.put(`${maps}/here`, { metadata: { name: 'there' } })).json).toMatchObject({
      code: 400,
      message: 'the name of the object (there) does not match the name on the URL (here)',
    });
    expect((await api.put(`${maps}/missing`, { metadata: { name: 'missing' } })).code).toBe(404);
  });

  it('creates where a type allows it', async () => {
    const lease = { metadata: { name: 'l' }, spec: {} };
    const answer = await api.put('/apis/coordination.k8s.io/v1/namespaces/x/leases/l', lease);
    expect(answer.code).toBe(201);
  });

  it('changes what another has made meanwhile', async () => {
    const endpoints = (who: string) => ({ metadata: { name: 'raced', labels: { who } } });
    const path = '/api/v1/namespaces/x/endpoints/raced';
    const [one, two] = await Promise.all([api.put(path, endpoints('one')), api.put(path, endpoints('two'))]);
    expect([one.code, two.code].sort()).toEqual([200, 201]);
    expect(one.json.metadata.uid).toBe(two.json.metadata.uid);
    const last = one.code === 200 ? one : two;
    expect((await api.get(path)).json).toEqual(last.json);
  });

  it('keeps status and spec apart, and counts generations', async () => {
    const created = (await api.post(deployments, { ...deployment('d'), status: { replicas: 9 } })).json;
    expect(created.metadata.generation).toBe(1);
    expect(created.status.replicas ?? 0).toBe(0);
    const scaled = (
      await api.put(`${deployments}/d`, { ...created, spec: { ...created.spec, replicas: 2 }, status: { replicas: 7 } })
    ).json;
    expect([scaled.metadata.generation, scaled.status.replicas ?? 0]).toEqual([2, 0]);
    const status = (
      await api.put(`${deployments}/d/status`, { ...scaled, spec: { ...scaled.spec, replicas: 5 }, status: { replicas: 3 } })
    ).json;
    expect([status.metadata.generation, status.status.replicas, status.spec.replicas]).toEqual([2, 3, 2]);
    const labelled = (await api.patch(`${deployments}/d`, merge, { metadata: { labels: { x: 'y' } } })).json;
    expect(labelled.metadata.generation).toBe(2);
  });

  it('serves scale', async () => {
    await api.post(deployments, deployment('scaled', 3));
    const scale = (await api.get(`${deployments}/scaled/scale`)).json;
    expect(scale).toMatchObject({
      kind: 'Scale',
      apiVersion: 'autoscaling/v1',
      spec: { replicas: 3 },
      status: { selector: 'a=b' },
    });
    const asTable = { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } };
    const table = (await api.get(`${deployments}/scaled/scale`, asTable)).json;
    expect(table.columnDefinitions.map((c: { name: string }) => c.name)).toEqual(['Name', 'Desired', 'Available', 'Age']);
    expect(table.rows[0]).toMatchObject({
      cells: ['scaled', 3, 0, expect.any(String)],
      object: { kind: 'PartialObjectMetadata' },
    });
    const put = await api.put(`${deployments}/scaled/scale`, { ...scale, spec: { replicas: 4 } });
    expect([put.code, put.json.spec.replicas]).toEqual([200, 4]);
    expect((await api.patch(`${deployments}/scaled/scale`, merge, { spec: { replicas: 6 } })).json.spec.replicas).toBe(6);
    expect((await api.get(`${deployments}/scaled`)).json.spec.replicas).toBe(6);
    expect((await api.put(`${deployments}/scaled/scale`, { ...scale, spec: { replicas: -1 } })).json).toMatchObject({
      code: 422,
      message: 'Scale.autoscaling "scaled" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
    });
  });
});

describe('patch', () => {
  it('knows its types', async () => {
    await api.post(deployments, deployment('p'));
    const containers = { spec: { template: { spec: { containers: [{ name: 'd', image: 'j' }] } } } };
    const strategic = await api.patch(`${deployments}/p`, 'application/strategic-merge-patch+json', containers);
    expect(strategic.json.spec.template.spec.containers.map((c: { name: string }) => c.name)).toEqual(['d', 'c']);
    const merged = await api.patch(`${deployments}/p`, merge, containers);
    expect(merged.json.spec.template.spec.containers.map((c: { name: string }) => c.name)).toEqual(['d']);
    const json = await api.patch(`${deployments}/p`, 'application/json-patch+json', [
      { op: 'replace', path: '/spec/replicas', value: 8 },
    ]);
    expect(json.json.spec.replicas).toBe(8);
    expect((await api.patch(`${deployments}/p`, 'application/json', {})).json).toMatchObject({ code: 415 });
    expect((await api.patch(`${deployments}/none`, merge, {})).code).toBe(404);
    expect((await api.patch(`${deployments}/p`, merge, { metadata: { name: 'q' } })).code).toBe(400);
    expect((await api.patch(`${deployments}/p`, 'application/json-patch+json', [{ op: 'remove', path: '/nope' }])).code).toBe(
      422,
    );
  });

  it('tells what does not fit in the words of what put it together', async () => {
    await api.post(deployments, deployment('wrong'));
    const strategic = 'application/strategic-merge-patch+json';
    const told = async (type: string, body: object, query = ''): Promise<readonly unknown[]> => {
      const { json } = await api.patch(`${deployments}/wrong${query}`, type, body);
      return [json.code, json.message];
    };
    for (const [patch, shown, detail] of [
      [{ metadata: { labels: 'x' } }, 'map[metadata:map[labels:x]]', 'cannot restore map from string'],
      [{ metadata: { finalizers: 1 } }, 'map[metadata:map[finalizers:1]]', 'cannot restore slice from int64'],
      [{ spec: { template: true } }, 'map[spec:map[template:true]]', 'cannot restore struct from: bool'],
      [{ spec: { replicas: 'two' } }, 'map[spec:map[replicas:two]]', 'unrecognized type: int32'],
      [{ spec: { replicas: 1.5 } }, 'map[spec:map[replicas:1.5]]', 'cannot convert float64 to int32'],
      [
        { metadata: { labels: { b: 1, a: null } } },
        'map[metadata:map[labels:map[a:<nil> b:1]]]',
        'cannot convert int64 to string',
      ],
      [{ spec: { paused: [] } }, 'map[spec:map[paused:[]]]', 'unrecognized type: bool'],
      [
        { spec: { strategy: { rollingUpdate: { maxSurge: true } } } },
        'map[spec:map[strategy:map[rollingUpdate:map[maxSurge:true]]]]',
        'json: cannot unmarshal bool into Go value of type int32',
      ],
    ] as const) {
      expect(await told(strategic, patch)).toEqual([422, ` "" is invalid: patch: Invalid value: "${shown}": ${detail}`]);
    }
    const [code, message] = await told(merge, { spec: { replicas: 'two' } });
    expect(code).toBe(422);
    expect(message).toMatch(
      /^ "" is invalid: patch: Invalid value: "\{.*\\"replicas\\":\\"two\\".*\}": json: cannot unmarshal string into Go /,
    );
    const unknown = { spec: { b: 1, a: 2 } };
    expect(await told(strategic, unknown, '?fieldValidation=Strict')).toEqual([
      422,
      ' "" is invalid: patch: Invalid value: "map[spec:map[a:2 b:1]]": strict decoding error: unknown field "spec.a", unknown field "spec.b"',
    ]);
  });

  it('says of a text that cannot be read what reads it', async () => {
    await api.post(maps, { metadata: { name: 'garbled' } });
    const told = async (type: string): Promise<readonly unknown[]> => {
      const { json } = await api.patch(`${maps}/garbled`, type, Buffer.from('{"a":]'));
      return [json.code, json.message];
    };
    const cause = "invalid character ']' looking for beginning of value";
    expect(await told(merge)).toEqual([400, `error decoding patch: ${cause}`]);
    expect(await told('application/json-patch+json')).toEqual([400, `error decoding patch: ${cause}`]);
    expect(await told('application/strategic-merge-patch+json')).toEqual([400, cause]);
    expect((await told('application/apply-patch+yaml'))[1]).toMatch(
      /^error decoding YAML: error converting YAML to JSON: yaml: /,
    );
    const posted = await api.post(maps, Buffer.from('apiVersion: v1\nkind: ConfigMap\n'));
    expect(posted.json.message).toBe(
      "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: " +
        "invalid character 'a' looking for beginning of value (61706956657273696f6e3a2076310a6b696e643a20436f6e6669674d6170 ...)",
    );
    expect((await api.post(maps, Buffer.from(''))).json.message).toMatch(/\(<empty>\)$/);
  });

  it('insists on a version that it names', async () => {
    const created = (await api.post(maps, { metadata: { name: 'pv' } })).json;
    await api.patch(`${maps}/pv`, merge, { data: { a: 'b' } });
    const { resourceVersion } = created.metadata;
    expect((await api.patch(`${maps}/pv`, merge, { metadata: { resourceVersion }, data: { a: 'c' } })).code).toBe(409);
  });

  it('does not lose a change when many come at once', async () => {
    await api.post(maps, { metadata: { name: 'race' } });
    const answers = await Promise.all(
      Array.from({ length: 5 }, (_, i) => api.patch(`${maps}/race`, merge, { data: { [`k${i}`]: 'v' } })),
    );
    expect(answers.map((a) => a.code)).toEqual([200, 200, 200, 200, 200]);
    expect(Object.keys((await api.get(`${maps}/race`)).json.data)).toHaveLength(5);
    const more = await Promise.all(
      Array.from({ length: 25 }, (_, i) => api.patch(`${maps}/race`, merge, { data: { [`l${i}`]: 'v' } })),
    );
    expect(more.map((a) => a.code)).toEqual(more.map(() => 200));
  });
});

describe('delete', () => {
  it('answers a Status, or the object for some types', async () => {
    const { uid } = (await api.post(maps, { metadata: { name: 'd' } })).json.metadata;
    const answer = await api.remove(`${maps}/d`);
    expect([answer.code, answer.json]).toEqual([
      200,
      { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details: { name: 'd', kind: 'configmaps', uid } },
    ]);
    expect((await api.remove(`${maps}/d`)).code).toBe(404);
    await api.post('/api/v1/namespaces/x/serviceaccounts', { metadata: { name: 'sa' } });
    expect((await api.remove('/api/v1/namespaces/x/serviceaccounts/sa')).json.kind).toBe('ServiceAccount');
    const classes = '/apis/storage.k8s.io/v1/storageclasses';
    await api.post(classes, { metadata: { name: 'slow' }, provisioner: 'example.com/disks' });
    expect((await api.remove(`${classes}/slow`)).json).toMatchObject({ kind: 'StorageClass', metadata: { name: 'slow' } });
  });

  it('checks preconditions', async () => {
    const { uid, resourceVersion } = (await api.post(maps, { metadata: { name: 'pre' } })).json.metadata;
    const wrong = await api.remove(`${maps}/pre`, { preconditions: { uid: 'other' } });
    expect(wrong.json).toMatchObject({ code: 409, reason: 'Conflict' });
    expect(wrong.json.message).toContain(
      `the UID in the precondition (other) does not match the UID in record (${uid}). The object might have been deleted and then recreated`,
    );
    expect((await api.remove(`${maps}/pre`, { preconditions: { resourceVersion: '1' } })).code).toBe(409);
    expect((await api.remove(`${maps}/pre`, { preconditions: { uid, resourceVersion } })).code).toBe(200);
  });

  it('waits for finalizers', async () => {
    await api.post(maps, { metadata: { name: 'f', finalizers: ['a.b/c', 'a.b/d'] } });
    await api.remove(`${maps}/f`);
    const waiting = (await api.get(`${maps}/f`)).json;
    expect(waiting.metadata).toMatchObject({ deletionTimestamp: expect.any(String), deletionGracePeriodSeconds: 0 });
    const added = await api.patch(`${maps}/f`, merge, { metadata: { finalizers: ['a.b/c', 'a.b/d', 'a.b/e'] } });
    expect(added.json.message).toContain('no new finalizers can be added if the object is being deleted');
    expect((await api.patch(`${maps}/f`, merge, { metadata: { finalizers: ['a.b/c'] } })).code).toBe(200);
    expect((await api.get(`${maps}/f`)).code).toBe(200);
    expect((await api.patch(`${maps}/f`, merge, { metadata: { finalizers: null } })).code).toBe(200);
    expect((await api.get(`${maps}/f`)).code).toBe(404);
  });

  it('gives pods on a node their grace', async () => {
    const pod = (name: string, nodeName?: string) => ({
      metadata: { name },
      spec: { containers: [{ name: 'c', image: 'i' }], ...(nodeName === undefined ? {} : { nodeName }) },
    });
    await api.post(pods, pod('unbound'));
    await api.remove(`${pods}/unbound`);
    expect((await api.get(`${pods}/unbound`)).code).toBe(404);
    await api.post(pods, pod('bound', 'n'));
    const first = (await api.remove(`${pods}/bound`)).json;
    expect(first.metadata).toMatchObject({
      deletionGracePeriodSeconds: 30,
      deletionTimestamp: expect.any(String),
      generation: 2,
    });
    // A longer period does not replace a shorter one; a shorter does.
    expect((await api.remove(`${pods}/bound?gracePeriodSeconds=60`)).json.metadata.deletionGracePeriodSeconds).toBe(30);
    expect((await api.remove(`${pods}/bound`, { gracePeriodSeconds: 5 })).json.metadata.deletionGracePeriodSeconds).toBe(5);
    expect((await api.remove(`${pods}/bound?gracePeriodSeconds=0`)).code).toBe(200);
    expect((await api.get(`${pods}/bound`)).code).toBe(404);
  });

  it('ends a grace beyond all times at the last one', async () => {
    await api.post(pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'patient' },
      spec: { nodeName: 'n', containers: [{ name: 'c', image: 'i' }] },
    });
    const marked = await api.remove(`${pods}/patient`, { gracePeriodSeconds: 9_007_199_254_740_991 });
    expect(marked.json.metadata).toMatchObject({ deletionTimestamp: '9999-12-31T23:59:59Z' });
    expect((await api.remove(`${pods}/patient?gracePeriodSeconds=0`)).code).toBe(200);
  });

  it('leaves dependents to the garbage collector as asked', async () => {
    const gone = async (name: string, body: unknown) => {
      await api.post(deployments, deployment(name));
      const answer = await api.remove(`${deployments}/${name}`, body);
      expect(answer.code).toBeLessThan(300);
      const found = await api.get(`${deployments}/${name}`);
      return found.code === 404 ? undefined : found.json.metadata.finalizers;
    };
    expect(await gone('back', { propagationPolicy: 'Background' })).toBeUndefined();
    expect(await gone('fore', { propagationPolicy: 'Foreground' })).toEqual(['foregroundDeletion']);
    expect(await gone('orph', { propagationPolicy: 'Orphan' })).toEqual(['orphan']);
    await api.post(deployments, deployment('odd'));
    expect((await api.remove(`${deployments}/odd?propagationPolicy=Odd`)).json).toMatchObject({ code: 422 });
    expect((await api.remove(`${deployments}/odd`, { propagationPolicy: 'Orphan', orphanDependents: true })).code).toBe(422);
  });

  it('writes nothing on a dry run', async () => {
    await api.post(maps, { metadata: { name: 'stays' } });
    expect((await api.remove(`${maps}/stays`, { dryRun: ['All'] })).code).toBe(200);
    expect((await api.get(`${maps}/stays`)).code).toBe(200);
  });

  it('takes collections by selector', async () => {
    const secrets = '/api/v1/namespaces/coll/secrets';
    for (const [name, labels] of [
      ['a', { k: '1' }],
      ['b', { k: '1' }],
      ['c', {}],
    ] as const) {
      await api.post(secrets, { metadata: { name, labels } });
    }
    const answer = await api.remove(`${secrets}?labelSelector=k%3D1`);
    expect([answer.code, answer.json.kind, answer.json.items.length]).toEqual([200, 'SecretList', 2]);
    expect((await api.get(secrets)).json.items.map((i: { metadata: { name: string } }) => i.metadata.name)).toEqual(['c']);
  });
});

describe('pods/binding and bindings', () => {
  it('puts a pod on a node, once', async () => {
    const spec = { containers: [{ name: 'c', image: 'i' }] };
    for (const name of ['b1', 'b2']) await api.post(pods, { metadata: { name }, spec });
    const target = { kind: 'Node', name: 'n' };
    const first = await api.post(`${pods}/b1/binding`, { metadata: { name: 'b1' }, target });
    expect([first.code, first.json.status]).toEqual([201, 'Success']);
    expect((await api.get(`${pods}/b1`)).json.spec.nodeName).toBe('n');
    expect((await api.post(`${pods}/b1/binding`, { metadata: { name: 'b1' }, target })).json).toMatchObject({
      code: 409,
      message: 'Operation cannot be fulfilled on pods/binding "b1": pod b1 is already assigned to node "n"',
    });
    expect((await api.post('/api/v1/namespaces/x/bindings', { metadata: { name: 'b2' }, target })).code).toBe(201);
    expect((await api.get(`${pods}/b2`)).json.spec.nodeName).toBe('n');
  });
});

describe('pods/eviction', () => {
  it('asks the budget', async () => {
    const spec = { nodeName: 'n', containers: [{ name: 'c', image: 'i' }] };
    const status = { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } };
    for (const name of ['e1', 'e2']) {
      await api.post(pods, { metadata: { name, labels: { e: 'v' } }, spec });
      await api.patch(`${pods}/${name}/status`, merge, status);
    }
    const budgets = '/apis/policy/v1/namespaces/x/poddisruptionbudgets';
    await api.post(budgets, { metadata: { name: 'pdb' }, spec: { minAvailable: 1, selector: { matchLabels: { e: 'v' } } } });
    const numbers = { observedGeneration: 1, disruptionsAllowed: 1, currentHealthy: 2, desiredHealthy: 1, expectedPods: 2 };
    await api.patch(`${budgets}/pdb/status`, merge, { status: numbers });
    const evict = (name: string, deleteOptions = {}) =>
      api.post(`${pods}/${name}/eviction`, { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name }, deleteOptions });
    expect((await evict('e1', { dryRun: ['All'] })).code).toBe(201);
    const older = {
      apiVersion: 'policy/v1beta1',
      kind: 'Eviction',
      metadata: { name: 'e1' },
      deleteOptions: { dryRun: ['All'] },
    };
    expect((await api.post(`${pods}/e1/eviction`, older)).code).toBe(201);
    expect((await api.post(`${pods}/e1/eviction`, { ...older, apiVersion: 'policy/v1alpha1' })).code).toBe(400);
    expect((await api.get(`${pods}/e1`)).json.metadata.deletionTimestamp).toBeUndefined();
    expect((await api.get(`${budgets}/pdb`)).json.status.disruptionsAllowed).toBe(1);
    expect((await evict('e1')).code).toBe(201);
    expect((await api.get(`${pods}/e1`)).json.metadata.deletionTimestamp).toBeDefined();
    expect((await evict('e2')).json).toMatchObject({
      code: 429,
      reason: 'TooManyRequests',
      message: "Cannot evict pod as it would violate the pod's disruption budget.",
      details: {
        causes: [{ reason: 'DisruptionBudget', message: 'The disruption budget pdb needs 1 healthy pods and has 2 currently' }],
      },
    });
  });
});
