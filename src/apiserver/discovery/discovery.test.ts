import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtinSchema } from '../../api/schema/builtin.ts';
import { decodeProtobuf, openProtobuf } from '../../api/wire/protobuf.ts';
import { TestServer } from '../test-server.ts';

let api: TestServer;
const protobuf = { headers: { accept: 'application/vnd.kubernetes.protobuf' } };
const aggregated = (version: string, more = {}) => ({
  headers: { accept: `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList,application/json`, ...more },
});

interface Named {
  readonly name: string;
}

beforeAll(async () => {
  api = await TestServer.start({ advertiseAddress: '192.0.2.1:6443' });
});
afterAll(() => api.close());

describe('discovery', () => {
  it('lists versions, groups and types', async () => {
    expect((await api.get('/api')).json).toEqual({
      kind: 'APIVersions',
      versions: ['v1'],
      serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: '192.0.2.1:6443' }],
    });
    const groups = (await api.get('/apis')).json;
    expect(groups.kind).toBe('APIGroupList');
    expect(groups.groups.find((g: Named) => g.name === 'apps')).toEqual({
      name: 'apps',
      versions: [{ groupVersion: 'apps/v1', version: 'v1' }],
      preferredVersion: { groupVersion: 'apps/v1', version: 'v1' },
    });
    expect((await api.get('/apis/autoscaling')).json.versions.map((v: { version: string }) => v.version)).toEqual(['v2', 'v1']);
    const { resources } = (await api.get('/api/v1')).json;
    const byName = (name: string) => resources.find((r: Named) => r.name === name);
    expect(byName('pods')).toMatchObject({
      singularName: 'pod',
      namespaced: true,
      kind: 'Pod',
      verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
      shortNames: ['po'],
      categories: ['all'],
      storageVersionHash: 'xPOwRZ+Yhw8=',
    });
    expect(byName('pods/eviction')).toEqual({
      name: 'pods/eviction',
      singularName: '',
      namespaced: true,
      group: 'policy',
      version: 'v1',
      kind: 'Eviction',
      verbs: ['create'],
    });
    expect(byName('bindings')).toMatchObject({ kind: 'Binding', verbs: ['create'] });
    expect(['pods', 'services', 'nodes'].map((name) => byName(`${name}/proxy`).kind)).toEqual([
      'PodProxyOptions',
      'ServiceProxyOptions',
      'NodeProxyOptions',
    ]);
    expect((await api.get('/apis/nothing')).code).toBe(404);
    expect((await api.get('/apis/apps/v7')).code).toBe(404);
    expect((await api.get('/api/v1/')).json.kind).toBe('APIResourceList');
  });

  it('speaks protobuf', async () => {
    const decoded = async (path: string, type: string) =>
      decodeProtobuf(
        builtinSchema(`io.k8s.apimachinery.pkg.apis.meta.v1.${type}`),
        openProtobuf((await api.get(path, protobuf)).body),
      );
    expect(await decoded('/api', 'APIVersions')).toMatchObject({ versions: ['v1'] });
    expect(await decoded('/apis', 'APIGroupList')).toHaveProperty('groups');
    expect(await decoded('/apis/apps/v1', 'APIResourceList')).toMatchObject({ groupVersion: 'apps/v1' });
  });

  it('gives all in one (KEP-3352), once', async () => {
    for (const version of ['v2', 'v2beta1']) {
      const answer = await api.get('/apis', aggregated(version));
      expect(answer.headers['content-type']).toBe(`application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`);
      expect(answer.json).toMatchObject({ kind: 'APIGroupDiscoveryList', apiVersion: `apidiscovery.k8s.io/${version}` });
      const apps = answer.json.items.find((g: { metadata: Named }) => g.metadata.name === 'apps').versions[0];
      expect(apps).toMatchObject({ version: 'v1', freshness: 'Current' });
      expect(apps.resources.find((r: { resource: string }) => r.resource === 'deployments')).toMatchObject({
        responseKind: { group: 'apps', version: 'v1', kind: 'Deployment' },
        scope: 'Namespaced',
        singularResource: 'deployment',
        shortNames: ['deploy'],
        subresources: [
          { subresource: 'scale', responseKind: { group: 'autoscaling', version: 'v1', kind: 'Scale' } },
          { subresource: 'status' },
        ],
      });
      const again = await api.get('/apis', aggregated(version, { 'if-none-match': answer.headers.etag }));
      expect([again.code, again.body.length, again.headers.etag]).toEqual([304, 0, answer.headers.etag]);
    }
    expect((await api.get('/api', aggregated('v2'))).json.items).toHaveLength(1);
    expect((await api.get('/apis', { headers: { accept: 'text/html' } })).code).toBe(406);
  });
});

/** References to schemas that are not there. */
const dangling = (document: object, schemas: object): string[] =>
  [...JSON.stringify(document).matchAll(/"#\/(?:components\/schemas|definitions)\/([^"]+)"/g)]
    .map(([, name]) => name!)
    .filter((name) => !Object.hasOwn(schemas, name));

describe('OpenAPI', () => {
  it('v3 has a document for each group version, under the hash of its content', async () => {
    const { paths } = (await api.get('/openapi/v3')).json;
    const { serverRelativeURL: url } = paths['apis/apps/v1'];
    expect(url).toMatch(/^\/openapi\/v3\/apis\/apps\/v1\?hash=[0-9A-F]{128}$/);
    const answer = await api.get(url);
    expect(answer.headers).toMatchObject({ 'cache-control': 'public, immutable', 'content-type': 'application/json' });
    expect(answer.json).toMatchObject({ openapi: '3.0.0', info: { title: 'Kubernetes' } });
    expect(answer.json.components.schemas['io.k8s.api.apps.v1.Deployment']['x-kubernetes-group-version-kind']).toEqual([
      { group: 'apps', kind: 'Deployment', version: 'v1' },
    ]);
    expect(answer.json.paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale'].get.operationId).toBe(
      'readAppsV1NamespacedDeploymentScale',
    );
    expect((await api.get(url, { headers: { 'if-none-match': answer.headers.etag } })).code).toBe(304);
    const moved = await api.get('/openapi/v3/apis/apps/v1?hash=OLD');
    expect([moved.code, moved.headers.location]).toEqual([301, url]);
    expect((await api.get('/openapi/v3/apis/none/v1')).code).toBe(404);
    for (const { serverRelativeURL } of Object.values(paths) as { serverRelativeURL: string }[]) {
      const document = (await api.get(serverRelativeURL)).json;
      // Whatever is referred to is there.
      expect(dangling(document, document.components.schemas)).toEqual([]);
    }
  });

  it('tells of what tells what is served, and of pages that are there', async () => {
    const { paths } = (await api.get('/openapi/v3')).json;
    const operationIds = async (path: string) => {
      const found = (await api.get(paths[path].serverRelativeURL)).json.paths as Record<
        string,
        { get?: { operationId: string } }
      >;
      return Object.entries(found).map(([at, { get }]) => [at, get?.operationId]);
    };
    expect(await operationIds('api')).toEqual([['/api/', 'getCoreAPIVersions']]);
    expect(await operationIds('apis')).toEqual([['/apis/', 'getAPIVersions']]);
    expect(await operationIds('apis/rbac.authorization.k8s.io')).toEqual([
      ['/apis/rbac.authorization.k8s.io/', 'getRbacAuthorizationAPIGroup'],
    ]);
    expect(await operationIds('version')).toEqual([['/version/', 'getCodeVersion']]);
    expect(await operationIds('api/v1')).toContainEqual(['/api/v1/', 'getCoreV1APIResources']);
    expect(paths).not.toHaveProperty(['openid/v1/jwks']);
    const v2 = (await api.get('/openapi/v2')).json.paths;
    expect(v2['/apis/flowcontrol.apiserver.k8s.io/v1/'].get).toEqual({
      description: 'get available resources',
      operationId: 'getFlowcontrolApiserverV1APIResources',
      tags: ['flowcontrolApiserver_v1'],
      consumes: ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'],
      produces: ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'],
      schemes: ['https'],
      responses: {
        '200': { description: 'OK', schema: { $ref: '#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.APIResourceList' } },
        '401': { description: 'Unauthorized' },
      },
    });
    expect(v2['/version/'].get.responses['200'].schema.$ref).toBe('#/definitions/io.k8s.apimachinery.pkg.version.Info');
  });

  it('tells of parameters that all operations of a path have with the path', async () => {
    const { paths } = (await api.get('/openapi/v3')).json;
    const apps = (await api.get(paths['apis/apps/v1'].serverRelativeURL)).json.paths;
    const item = apps['/apis/apps/v1/namespaces/{namespace}/deployments/{name}'];
    const names = (parameters: readonly Named[]) => parameters.map(({ name }) => name);
    expect(names(item.parameters)).toEqual(['name', 'namespace', 'pretty']);
    expect(item.get).not.toHaveProperty('parameters');
    expect(names(item.patch.parameters).sort()).toEqual(['dryRun', 'fieldManager', 'fieldValidation', 'force']);
    const v2 = (await api.get('/openapi/v2')).json;
    const { parameters, patch } = v2.paths['/api/v1/nodes/{name}'];
    expect(parameters[0]).toMatchObject({ name: 'name', in: 'path', required: true });
    expect(v2.parameters[parameters[1].$ref.slice('#/parameters/'.length)].name).toBe('pretty');
    expect(patch.parameters[0]).toMatchObject({ name: 'body', in: 'body', required: true });
  });

  it('tells of watches by path', async () => {
    const { paths, definitions } = (await api.get('/openapi/v2')).json;
    const ids = Object.keys(paths).filter((path) => /\/watch\/(?:.*\/)?(?:pods|nodes)(?:\/|$)/.test(path));
    expect(ids.map((path) => [path, paths[path].get.operationId, paths[path].get['x-kubernetes-action']]).sort()).toEqual([
      ['/api/v1/watch/namespaces/{namespace}/pods', 'watchCoreV1NamespacedPodList', 'watchlist'],
      ['/api/v1/watch/namespaces/{namespace}/pods/{name}', 'watchCoreV1NamespacedPod', 'watch'],
      ['/api/v1/watch/nodes', 'watchCoreV1NodeList', 'watchlist'],
      ['/api/v1/watch/nodes/{name}', 'watchCoreV1Node', 'watch'],
      ['/api/v1/watch/pods', 'watchCoreV1PodListForAllNamespaces', 'watchlist'],
    ]);
    const event = definitions['io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent'];
    expect(event['x-kubernetes-group-version-kind']).toContainEqual({ group: '', version: 'v1', kind: 'WatchEvent' });
  });

  it('tells how pods are connected to and their logs read', async () => {
    const { paths } = (await api.get('/openapi/v2')).json;
    const pod = '/api/v1/namespaces/{namespace}/pods/{name}';
    const log = paths[`${pod}/log`].get;
    expect(log).toMatchObject({ operationId: 'readCoreV1NamespacedPodLog', 'x-kubernetes-action': 'get' });
    expect(log.produces[0]).toBe('text/plain');
    expect(paths[`${pod}/exec`].post).toMatchObject({
      operationId: 'connectCoreV1PostNamespacedPodExec',
      'x-kubernetes-action': 'connect',
      'x-kubernetes-group-version-kind': { group: '', kind: 'PodExecOptions', version: 'v1' },
      consumes: ['*/*'],
      produces: ['*/*'],
    });
    expect(Object.keys(paths[`${pod}/proxy/{path}`])).toEqual(expect.arrayContaining(['head', 'options', 'patch']));
    expect(paths[pod].delete.responses['200'].schema.$ref).toBe('#/definitions/io.k8s.api.core.v1.Pod');
  });

  it('v3 is given as gnostic has it to those who like that better', async () => {
    const { paths } = (await api.get('/openapi/v3')).json;
    const url = paths['apis/apps/v1'].serverRelativeURL;
    const protobuf = 'application/com.github.proto-openapi.spec.v3.v1.0+protobuf';
    const ask = (accept: string, path: string = url) => api.get(path, { headers: { accept } });
    for (const accept of [
      protobuf,
      protobuf.replace('.v1.0', '@v1.0'),
      `application/json;q=0.1, ${protobuf}`,
      `*/*;q=0.5,${protobuf}`,
    ]) {
      const answer = await ask(accept);
      expect(answer.headers).toMatchObject({ 'content-type': protobuf, vary: 'Accept', 'cache-control': 'public, immutable' });
      expect(answer.body.toString('latin1', 0, 7)).toBe('\n\x053.0.0');
    }
    for (const accept of ['*/*', 'application/*', `application/json, ${protobuf}`, `${protobuf};q=0.2, application/json;q=0.4`]) {
      expect((await ask(accept)).headers['content-type']).toBe('application/json');
    }
    const [json, binary] = [await ask('application/json'), await ask(protobuf)];
    expect(binary.headers.etag).toBe(json.headers.etag);
    expect(Date.parse(String(json.headers.expires)) - Date.parse(String(json.headers.date))).toBeGreaterThan(364 * 86_400_000);
    expect((await ask('application/yaml')).code).toBe(406);
    const moved = await ask(protobuf, '/openapi/v3/apis/apps/v1?hash=OLD');
    expect([moved.code, moved.headers.location, moved.headers['content-type']]).toEqual([301, url, protobuf]);
  });

  it('v2 is one document, in JSON and as gnostic has it', async () => {
    const answer = await api.get('/openapi/v2');
    expect(answer.json.swagger).toBe('2.0');
    expect(dangling(answer.json, answer.json.definitions)).toEqual([]);
    const shared = [...answer.body.toString().matchAll(/"#\/parameters\/([^"]+)"/g)].map((match) => match[1]!);
    expect([...new Set(shared)].sort()).toEqual(Object.keys(answer.json.parameters).sort());
    const accept = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
    const binary = await api.get('/openapi/v2', { headers: { accept } });
    expect(binary.headers['content-type']).toBe('application/com.github.proto-openapi.spec.v2.v1.0+protobuf');
    expect(binary.body.toString('latin1', 0, 5)).toBe('\n\x032.0');
    expect((await api.get('/openapi/v2', { headers: { 'if-none-match': answer.headers.etag } })).code).toBe(304);
  });

  it('has other hashes in another build: what clients keep must not outlive it', async () => {
    const indexOf = async (gitCommit: string): Promise<unknown> => {
      const server = await TestServer.start({ version: { gitCommit } });
      try {
        return (await server.get('/openapi/v3')).json;
      } finally {
        await server.close();
      }
    };
    const first = await indexOf('aaaa');
    expect(await indexOf('aaaa')).toEqual(first);
    expect(await indexOf('bbbb')).not.toEqual(first);
    expect(await indexOf('')).not.toEqual(await indexOf(''));
  });
});
