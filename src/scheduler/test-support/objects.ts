import type { Container, Node, Pod, Taint } from '../../api/types/core-v1.ts';
import { pods } from '../../client/resource-refs.ts';
import type { Fixture } from '../../client/test-support/fixture.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';

export interface NodeOptions {
  readonly cpu?: string;
  readonly memory?: string;
  readonly pods?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: readonly Taint[];
  readonly unschedulable?: boolean;
  readonly allocatable?: Readonly<Record<string, string>>;
  readonly images?: Readonly<Record<string, number>>;
}

/** A node with 4 cores, 16 GiB and room for 110 pods unless said. It carries its hostname label. */
export function makeNode(name: string, options: NodeOptions = {}): Node {
  const { cpu = '4', memory = '16Gi', pods: room = '110', labels, taints, unschedulable, allocatable, images } = options;
  return deepFreeze({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid: `node-${name}`, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec: { ...(taints === undefined ? {} : { taints }), ...(unschedulable === undefined ? {} : { unschedulable }) },
    status: {
      allocatable: { cpu, memory, pods: room, ...allocatable },
      ...(images === undefined
        ? {}
        : { images: Object.entries(images).map(([image, sizeBytes]) => ({ names: [image], sizeBytes })) }),
    },
  } as Node);
}

export interface PodOptions {
  readonly namespace?: string;
  readonly uid?: string;
  readonly cpu?: string;
  readonly memory?: string;
  readonly node?: string;
  readonly priority?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly container?: Partial<Container>;
  readonly spec?: Partial<Pod['spec']>;
  readonly metadata?: Partial<Pod['metadata']>;
  readonly status?: Pod['status'];
}

/** A pod with one container; its uid is its name unless said. */
export function makePod(name: string, options: PodOptions = {}): Pod {
  const { namespace = 'default', uid = name, cpu, memory, node, priority, labels, container, spec, metadata, status } = options;
  const requests = { ...(cpu === undefined ? {} : { cpu }), ...(memory === undefined ? {} : { memory }) };
  return deepFreeze({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, uid, ...(labels === undefined ? {} : { labels }), ...metadata },
    spec: {
      containers: [{ name: 'main', image: 'image', resources: { requests }, ...container }],
      schedulerName: 'default-scheduler',
      ...(node === undefined ? {} : { nodeName: node }),
      ...(priority === undefined ? {} : { priority }),
      ...spec,
    },
    status: { phase: 'Pending', ...status },
  } as Pod);
}

/** Makes the API in memory carry out bindings. `before` may refuse one by throwing. */
export function bindingApi(f: Fixture, before?: (name: string, node: string) => void): void {
  const handle = f.api.handle.bind(f.api);
  f.api.handle = async (request, user) => {
    if (request.subresource === 'binding') {
      const { target } = request.body as { readonly target: { readonly name: string } };
      before?.(request.name, target.name);
      const key = `${request.namespace}/${request.name}`;
      const pod = f.api.find(pods, key);
      if (pod !== undefined) {
        if ((pod.spec?.nodeName ?? '') !== '') throw new Error(`${key} is bound already, to ${pod.spec?.nodeName}`);
        f.api.change(pods, key, (p) => ({ ...p, spec: { ...p.spec!, nodeName: target.name } }));
      }
    }
    return handle(request, user);
  };
}
