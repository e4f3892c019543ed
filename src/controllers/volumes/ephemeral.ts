import { objectKey } from '../../api/meta/object.ts';
import { isAlreadyExists } from '../../api/meta/status.ts';
import type { PersistentVolumeClaim, Pod, Volume } from '../../api/types/core-v1.ts';
import type { Controller } from '../../client/controller.ts';
import { startReconciler } from '../../client/controller-runner.ts';
import { persistentVolumeClaims, pods } from '../../client/resource-refs.ts';
import { namespaceIsGoing } from '../service-account.ts';
import { controllerOf, controllerRef } from '../workload/controller-ref.ts';
import { messageOf } from '../workload/pod-control.ts';
import { isFinished } from '../workload/pod-state.ts';

const WORKERS = 10;

/** The claim of a pod's generic ephemeral volume; it goes with the pod. Pure. */
export function ephemeralClaim(pod: Pod, volume: Volume): PersistentVolumeClaim {
  const { metadata, spec } = volume.ephemeral!.volumeClaimTemplate!;
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: `${pod.metadata!.name}-${volume.name}`,
      namespace: pod.metadata!.namespace!,
      ...(metadata?.labels === undefined ? {} : { labels: metadata.labels }),
      ...(metadata?.annotations === undefined ? {} : { annotations: metadata.annotations }),
      ownerReferences: [controllerRef(pod, 'v1', 'Pod')],
    },
    spec,
  };
}

/** Makes the claims of generic ephemeral volumes. */
export function ephemeralVolumeController(): Controller {
  return {
    name: 'ephemeral-volume-controller',
    start(context, signal) {
      const allPods = context.informers.informer(pods);
      const claims = context.informers.informer(persistentVolumeClaims);
      const recorder = context.recorder('ephemeral-volume-controller');
      const client = context.client.resource(persistentVolumeClaims);
      const ensure = async (pod: Pod, volume: Volume): Promise<void> => {
        const wanted = ephemeralClaim(pod, volume);
        const name = wanted.metadata!.name!;
        let there = claims.get(objectKey(wanted));
        if (there === undefined) {
          try {
            there = await client.create(wanted, { signal });
          } catch (err) {
            if (namespaceIsGoing(err)) return;
            if (!isAlreadyExists(err)) throw err;
            there = await client.get(name, pod.metadata!.namespace!, { signal });
          }
        }
        if (controllerOf(there)?.uid !== pod.metadata?.uid) {
          throw new Error(`PVC ${objectKey(wanted)} was not created for pod ${objectKey(pod)} (pod is not owner)`);
        }
      };
      const reconcile = async (key: string): Promise<void> => {
        const pod = allPods.get(key);
        if (pod === undefined || pod.metadata?.deletionTimestamp !== undefined || isFinished(pod)) return;
        for (const volume of pod.spec?.volumes ?? []) {
          if (volume.ephemeral?.volumeClaimTemplate === undefined) continue;
          try {
            await ensure(pod, volume);
          } catch (err) {
            if (signal.aborted) throw err;
            recorder.event(pod, 'Warning', 'FailedBinding', `ephemeral volume ${volume.name}: ${messageOf(err)}`);
            throw err;
          }
        }
      };
      const queue = startReconciler(
        context,
        { name: 'ephemeral_volume', workers: WORKERS, informers: [allPods, claims] as never, reconcile },
        signal,
      );
      const hasEphemeral = (pod: Pod): boolean => pod.spec?.volumes?.some(({ ephemeral }) => ephemeral !== undefined) === true;
      allPods.addHandler({
        onAdd: (pod) => {
          if (hasEphemeral(pod)) queue.add(objectKey(pod));
        },
      });
      // A claim in the way, or one of an earlier pod of the name, is gone.
      claims.addHandler({
        onDelete: (claim) => {
          const owner = controllerOf(claim);
          for (const pod of allPods.list(claim.metadata?.namespace)) {
            const ours = hasEphemeral(pod) && claim.metadata!.name!.startsWith(`${pod.metadata!.name}-`);
            if (ours || owner?.uid === pod.metadata?.uid) queue.add(objectKey(pod));
          }
        },
      });
    },
  };
}
