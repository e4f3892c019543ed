import { isNotFound } from '../api/meta/status.ts';
import { patchTypes } from '../api/request.ts';
import type { Node } from '../api/types/core-v1.ts';
import type { Controller } from '../client/controller.ts';
import { startReconciler } from '../client/controller-runner.ts';
import { nodes } from '../client/resource-refs.ts';

const WORKERS = 5;
const ANNOTATION = 'node.alpha.kubernetes.io/ttl';

/** The sizes of clusters that one number of seconds is for; they overlap, so that a cluster at the edge does not go back and forth. */
const steps = [
  { from: 0, to: 100, seconds: 0 },
  { from: 90, to: 500, seconds: 15 },
  { from: 450, to: 1000, seconds: 30 },
  { from: 900, to: 2000, seconds: 60 },
  { from: 1800, to: 10_000, seconds: 300 },
  { from: 9000, to: Number.POSITIVE_INFINITY, seconds: 600 },
] as const;

/** The step for a cluster of so many nodes, coming from another step. Pure. */
export function ttlStep(current: number, nodeCount: number): number {
  let step = current;
  while (nodeCount > steps[step]!.to) step++;
  while (nodeCount < steps[step]!.from) step--;
  return step;
}

/** Tells kubelets, by an annotation of their nodes, how long they may keep secrets and config maps: longer in larger clusters. */
export function nodeTtlController(): Controller {
  return {
    name: 'ttl-controller',
    start(context, signal) {
      const informer = context.informers.informer(nodes);
      let step = 0;
      let count = 0;
      const reconcile = async (name: string): Promise<void> => {
        const node = informer.get(name);
        const wanted = String(steps[step]!.seconds);
        if (node === undefined || node.metadata?.annotations?.[ANNOTATION] === wanted) return;
        const patch = { metadata: { annotations: { [ANNOTATION]: wanted } } };
        try {
          await context.client.resource(nodes).patch(name, '', patchTypes.merge, patch, { signal });
        } catch (err) {
          if (!isNotFound(err)) throw err;
        }
      };
      const queue = startReconciler(
        context,
        { name: 'ttlcontroller', workers: WORKERS, informers: [informer], reconcile },
        signal,
      );
      const resize = (by: number): void => {
        count += by;
        const next = ttlStep(step, count);
        if (next === step) return;
        step = next;
        for (const node of informer.list()) queue.add(node.metadata!.name!);
      };
      informer.addHandler({
        onAdd: (node) => {
          resize(1);
          queue.add(node.metadata!.name!);
        },
        onUpdate: (node: Node) => {
          if (node.metadata?.annotations?.[ANNOTATION] !== String(steps[step]!.seconds)) queue.add(node.metadata!.name!);
        },
        onDelete: () => resize(-1),
      });
    },
  };
}
