/**
 * What one pod costs between the bytes of a request and the bytes of its answer: decoding, defaults, preparation, validation, encoding.
 * `node bench/api.ts`
 */
import { bench, do_not_optimize, group, run } from 'mitata';
import { deployment } from '../src/api/groups/apps/deployment.ts';
import { pod } from '../src/api/groups/core/pod.ts';
import type { KubernetesObject } from '../src/api/meta/object.ts';
import type { RequestContext, Resource } from '../src/api/resource.ts';
import { decode } from '../src/api/schema/decode.ts';
import { applyDefaults } from '../src/api/schema/defaults.ts';
import { realisticPod } from '../src/api/schema/realistic-pod.fixture.ts';
import { parseJson } from '../src/api/wire/json.ts';
import { decodeProtobuf, encodeProtobuf, openProtobuf } from '../src/api/wire/protobuf.ts';
import { deepFreeze } from '../src/util/deep-freeze.ts';

const context: RequestContext = { user: { name: 'bench', groups: [] }, now: 0, dryRun: false, warnings: [] };
const { metadata, spec } = realisticPod;
const { labels, annotations } = metadata;

/** What a person writes, more or less: most defaults are left out. */
const terse = {
  containers: spec.containers.map((container) => ({
    ...container,
    terminationMessagePath: undefined,
    terminationMessagePolicy: undefined,
    imagePullPolicy: undefined,
  })),
  volumes: [{ name: 'config', configMap: { name: 'checkout' } }, spec.volumes[1]],
  serviceAccountName: spec.serviceAccountName,
};

const subjects: readonly (readonly [name: string, resource: Resource, object: KubernetesObject])[] = [
  [
    'pod',
    pod as Resource,
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'checkout', namespace: 'shop', labels, annotations },
      spec: terse,
    } as KubernetesObject,
  ],
  ['pod with its defaults', pod as Resource, realisticPod as unknown as KubernetesObject],
  [
    'deployment',
    deployment as Resource,
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'checkout', namespace: 'shop', labels },
      spec: { selector: { matchLabels: { app: 'checkout' } }, template: { metadata: { labels, annotations }, spec: terse } },
    } as KubernetesObject,
  ],
];

for (const [name, resource, object] of subjects) {
  const bytes = Buffer.from(JSON.stringify(object));
  const raw = deepFreeze(JSON.parse(bytes.toString()) as KubernetesObject);
  const defaulted = deepFreeze(resource.defaults(raw));
  const made = deepFreeze(resource.strategy.prepareForCreate(defaulted, context));
  const relabelled = deepFreeze({ ...made, metadata: { ...made.metadata, labels: { ...labels, more: 'yes' } } });
  const protobuf = encodeProtobuf(resource.schema, made, object.apiVersion!, object.kind!);
  const faults = resource.validate(made, context);
  if (faults.length > 0) throw new Error(JSON.stringify(faults));
  group(`${name}, ${bytes.length} bytes of JSON, ${protobuf.length} of protobuf`, () => {
    bench('parse JSON', () => do_not_optimize(parseJson(bytes, { duplicates: false })));
    bench('decode by schema', () => do_not_optimize(decode(resource.schema, raw)));
    bench('defaults', () => do_not_optimize(resource.defaults(applyDefaults(resource.schema, raw))));
    bench('prepare', () => do_not_optimize(resource.strategy.prepareForCreate(defaulted, context)));
    bench('validate', () => do_not_optimize(resource.validate(made, context)));
    bench('prepare update', () => do_not_optimize(resource.strategy.prepareForUpdate(relabelled, made, context)));
    bench('validate update', () => do_not_optimize(resource.validateUpdate(relabelled, made, context)));
    bench('row', () => do_not_optimize(resource.row(made, 0)));
    bench('freeze', () => do_not_optimize(deepFreeze(raw)));
    bench('encode JSON', () => do_not_optimize(JSON.stringify(made)));
    bench('encode protobuf', () => do_not_optimize(encodeProtobuf(resource.schema, made, 'v1', 'Pod')));
    bench('decode protobuf', () => do_not_optimize(decodeProtobuf(resource.schema, openProtobuf(protobuf))));
  });
}

await run();
