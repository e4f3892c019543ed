import { type KubernetesObject, objectKey } from '../../api/meta/object.ts';
import { isConflict, isNotFound } from '../../api/meta/status.ts';
import { formatTime } from '../../api/meta/time.ts';
import { patchTypes } from '../../api/request.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from '../../api/types/policy-v1.ts';
import type { Controller } from '../../client/controller.ts';
import { startReconciler } from '../../client/controller-runner.ts';
import { podDisruptionBudgets, pods } from '../../client/resource-refs.ts';
import type { ReconcileResult } from '../../client/work-queue.ts';
import { semanticallyEqual } from '../equality.ts';
import { selectorMatches } from '../label-selector.ts';
import { pacedQueue } from '../workload/paced-queue.ts';
import { messageOf } from '../workload/pod-control.ts';
import { NoControllerError, ScaleFinder } from './expected-scale.ts';
import { type ExpectedScale, failSafeStatus, needsScale, planBudget, staleDisruptionIn } from './plan.ts';

const WORKERS = 1;

/** Keeps count, for every PodDisruptionBudget, of the pods that may be disrupted. */
export function disruptionController(): Controller {
  return {
    name: 'disruption-controller',
    start(context, signal) {
      const budgets = context.informers.informer(podDisruptionBudgets);
      const allPods = context.informers.informer(pods);
      const client = context.client.resource(podDisruptionBudgets);
      const recorder = context.recorder('controllermanager');
      const scales = new ScaleFinder(context, signal);

      const write = async (budget: PodDisruptionBudget, status: PodDisruptionBudgetStatus): Promise<void> => {
        if (semanticallyEqual(status, budget.status)) return;
        try {
          await client.updateStatus({ ...budget, status }, { signal });
        } catch (err) {
          if (!isNotFound(err)) throw err;
        }
      };

      const reconcile = async (key: string): Promise<ReconcileResult | undefined> => {
        const budget = budgets.get(key);
        if (budget === undefined) return undefined;
        const { namespace } = budget.metadata!;
        const selected = allPods.list(namespace).filter((pod) => selectorMatches(budget.spec?.selector, pod.metadata?.labels));
        if (selected.length === 0) recorder.event(budget, 'Normal', 'NoPods', 'No matching pods found');
        let scale: ExpectedScale | undefined;
        try {
          if (needsScale(budget)) scale = await scales.expectedScale(selected);
        } catch (err) {
          const message = `Failed to calculate the number of expected pods: ${messageOf(err)}`;
          recorder.event(budget, 'Warning', 'CalculateExpectedPodCountFailed', message);
          // Nothing may be disrupted while it is not known what there should be.
          await write(budget, failSafeStatus(budget, messageOf(err), context.clock.now()));
          if (!(err instanceof NoControllerError)) throw err;
          // Told as upstream tells it, and not tried again: the pod's next change, or its end, brings the budget back.
          context.logger.error({ podDisruptionBudget: key, reason: err.message }, 'Failed to sync PDB');
          return undefined;
        }
        if (scale !== undefined && scale.unmanaged.length > 0) {
          const list = scale.unmanaged.map((name) => `${namespace}/${name}`).join(' ');
          const message = `Pods selected by this PodDisruptionBudget (selector: ${JSON.stringify(budget.spec?.selector ?? {})}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value. Pods: [${list}]`;
          recorder.event(budget, 'Warning', 'UnmanagedPods', message);
        }
        const plan = planBudget(budget, selected, scale, context.clock.now());
        for (const pod of plan.notDeleted) {
          recorder.event(pod, 'Warning', 'NotDeleted', `Pod was expected by PDB ${key} to be deleted but it wasn't`);
        }
        await write(budget, plan.status);
        return plan.requeueAfterMs === undefined ? undefined : { requeueAfterMs: plan.requeueAfterMs };
      };

      /** A pod that was to be disrupted and is still there is not to be any more. */
      const clearStale = async (key: string): Promise<ReconcileResult | undefined> => {
        const pod = allPods.get(key);
        const left = pod === undefined ? undefined : staleDisruptionIn(pod, context.clock.now());
        if (pod === undefined || left === undefined) return undefined;
        if (left > 0) return { requeueAfterMs: left };
        const { name = '', uid } = pod.metadata!;
        const condition = { type: 'DisruptionTarget', status: 'False', lastTransitionTime: formatTime(context.clock.now()) };
        const patch = { metadata: { uid }, status: { conditions: [condition] } };
        try {
          await context.client
            .resource(pods)
            .patch(name, pod.metadata!.namespace!, patchTypes.strategic, patch, { subresource: 'status', signal });
        } catch (err) {
          if (!isNotFound(err) && !isConflict(err)) throw err;
        }
        return undefined;
      };

      const informers = [budgets, allPods, ...scales.informers];
      const queue = pacedQueue(
        startReconciler(context, { name: 'disruption', workers: WORKERS, informers: informers as never, reconcile }, signal),
        context.clock,
      );
      const stale = startReconciler(
        context,
        { name: 'stale_pod_disruption', workers: WORKERS, informers: [allPods] as never, reconcile: clearStale },
        signal,
      );
      const add = (object: KubernetesObject): void => queue.add(objectKey(object));
      budgets.addHandler({ onAdd: add, onUpdate: add });
      const podChanged = (pod: Pod): void => {
        for (const budget of budgets.list(pod.metadata?.namespace)) {
          if (selectorMatches(budget.spec?.selector, pod.metadata?.labels)) add(budget);
        }
        if (staleDisruptionIn(pod, context.clock.now()) !== undefined) stale.add(objectKey(pod));
      };
      allPods.addHandler({
        onAdd: podChanged,
        onUpdate: (pod, old) => {
          podChanged(pod);
          if (!semanticallyEqual(pod.metadata?.labels, old.metadata?.labels)) podChanged(old);
        },
        onDelete: podChanged,
      });
      // How many pods there should be changes with the controllers' specs too.
      for (const informer of scales.informers) {
        informer.addHandler({
          onUpdate: (object, old) => {
            if (object.metadata?.generation === old.metadata?.generation) return;
            for (const budget of budgets.list(object.metadata?.namespace)) if (needsScale(budget)) add(budget);
          },
        });
      }
    },
  };
}
