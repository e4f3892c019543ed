import { type KubernetesObject, objectKey, splitKey } from '../../api/meta/object.ts';
import type { Node, Pod } from '../../api/types/core-v1.ts';
import type { EventRecorder, Informer, ResourceClient, WorkQueue } from '../../client/contract.ts';
import type { Controller, ControllerContext } from '../../client/controller.ts';
import { startReconciler } from '../../client/controller-runner.ts';
import { nodes, pods } from '../../client/resource-refs.ts';
import type { ReconcileResult } from '../../client/work-queue.ts';
import { semanticallyEqual } from '../equality.ts';
import { deleteDisrupted } from '../workload/pod-disruption.ts';
import { indexByNode, podsOnNode } from '../workload/pods-on-node.ts';
import { type Eviction, noExecuteTaints, planEviction } from './plan.ts';

const WORKERS = 8;
const WHY = { reason: 'DeletionByTaintManager', message: 'Taint manager: deleting due to NoExecute taint' };

/** Deletes pods from nodes with NoExecute taints that they do not tolerate, or no longer. */
export function taintEvictionController(): Controller {
  return { name: 'taint-eviction-controller', start: (context, signal) => new TaintEviction(context, signal).start() };
}

class TaintEviction {
  readonly #context: ControllerContext;
  readonly #signal: AbortSignal;
  readonly #nodes: Informer<Node>;
  readonly #pods: Informer<Pod>;
  readonly #client: ResourceClient<Pod>;
  readonly #recorder: EventRecorder;
  /** Evictions that are due or to come, by pod. */
  readonly #standing = new Map<string, Eviction & { readonly uid: string }>();
  #queue!: WorkQueue;

  constructor(context: ControllerContext, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    this.#nodes = context.informers.informer(nodes);
    this.#pods = context.informers.informer(pods);
    this.#client = context.client.resource(pods);
    this.#recorder = context.recorder('taint-eviction-controller');
  }

  start(): void {
    indexByNode(this.#pods);
    this.#queue = startReconciler(
      this.#context,
      {
        name: 'taint_eviction',
        workers: WORKERS,
        informers: [this.#nodes, this.#pods] as readonly Informer<KubernetesObject>[],
        reconcile: (key) => this.#reconcile(key),
      },
      this.#signal,
    );
    const nodeChanged = (node: Node): void => {
      for (const pod of podsOnNode(this.#pods, node.metadata!.name!)) this.#queue.add(objectKey(pod));
    };
    this.#nodes.addHandler({
      onAdd: (node) => {
        if (noExecuteTaints(node.spec?.taints).length > 0) nodeChanged(node);
      },
      onUpdate: (node, old) => {
        if (node.spec?.taints === old.spec?.taints) return;
        if (!semanticallyEqual(noExecuteTaints(node.spec?.taints), noExecuteTaints(old.spec?.taints))) nodeChanged(node);
      },
      onDelete: nodeChanged,
    });
    const podChanged = (pod: Pod): void => {
      const key = objectKey(pod);
      if (this.#standing.has(key) || this.#taintsOf(pod).length > 0) this.#queue.add(key);
    };
    this.#pods.addHandler({ onAdd: podChanged, onUpdate: podChanged, onDelete: podChanged });
  }

  #taintsOf(pod: Pod): ReturnType<typeof noExecuteTaints> {
    const node = pod.spec?.nodeName;
    return node ? noExecuteTaints(this.#nodes.get(node)?.spec?.taints) : [];
  }

  async #reconcile(key: string): Promise<ReconcileResult | undefined> {
    const pod = this.#pods.get(key);
    const standing = this.#standing.get(key);
    const uid = pod?.metadata?.uid ?? '';
    const ours = standing?.uid === uid ? standing : undefined;
    if (pod === undefined || pod.metadata?.deletionTimestamp !== undefined) {
      this.#standing.delete(key);
      if (pod === undefined && standing !== undefined) this.#cancelled(key, standing.uid);
      return undefined;
    }
    const now = this.#context.clock.monotonic();
    const eviction = planEviction(pod, this.#taintsOf(pod), ours, now);
    if (eviction === undefined) {
      if (this.#standing.delete(key) && ours !== undefined) this.#cancelled(key, uid);
      return undefined;
    }
    this.#standing.set(key, { ...eviction, uid });
    if (eviction.at > now) return { requeueAfterMs: eviction.at - now };
    await this.#evict(pod);
    this.#standing.delete(key);
    return undefined;
  }

  #reference(key: string, uid: string): KubernetesObject {
    const { namespace, name } = splitKey(key);
    return { apiVersion: 'v1', kind: 'Pod', namespace, name, uid } as KubernetesObject;
  }

  #cancelled(key: string, uid: string): void {
    this.#recorder.event(this.#reference(key, uid), 'Normal', 'TaintManagerEviction', `Cancelling deletion of Pod ${key}`);
  }

  async #evict(pod: Pod): Promise<void> {
    const key = objectKey(pod);
    const reference = this.#reference(key, pod.metadata?.uid ?? '');
    this.#recorder.event(reference, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${key}`);
    await deleteDisrupted(this.#client, pod, WHY, this.#context.clock.now(), this.#signal);
  }
}
