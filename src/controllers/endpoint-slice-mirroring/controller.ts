import { type KubernetesObject, objectKey } from '../../api/meta/object.ts';
import { isNotFound } from '../../api/meta/status.ts';
import type { EndpointSlice } from '../../api/types/discovery-v1.ts';
import type { Informer } from '../../client/contract.ts';
import type { Controller } from '../../client/controller.ts';
import { startReconciler } from '../../client/controller-runner.ts';
import { endpointSlices, endpoints, services } from '../../client/resource-refs.ts';
import { indexSlices, ownerKey, slicesOf } from '../endpoint-slice/controller.ts';
import { MANAGED_BY } from '../endpoint-slice/plan.ts';
import { SliceTracker } from '../endpoint-slice/slice-tracker.ts';
import { namespaceIsGoing } from '../service-account.ts';
import { CONTROLLER_NAME, MAX_ENDPOINTS_PER_SUBSET, type MirrorPlan, planMirror, shouldMirror } from './plan.ts';

const WORKERS = 5;
const MAX_RETRIES = 15;

const nothing: MirrorPlan = { create: [], update: [], delete: [], invalid: 0, skipped: 0 };

/** Mirrors Endpoints that users write themselves into EndpointSlices, where proxies look. */
export function endpointSliceMirroringController(): Controller {
  return {
    name: 'endpointslice-mirroring-controller',
    start(context, signal) {
      const owners = context.informers.informer(endpoints);
      const spaces = context.informers.informer(services);
      const slices = context.informers.informer(endpointSlices);
      const client = context.client.resource(endpointSlices);
      const recorder = context.recorder('endpoint-slice-mirroring-controller');
      const tracker = new SliceTracker();
      const waiting = new Set<string>();
      indexSlices(slices);

      const perform = async (key: string, plan: MirrorPlan): Promise<void> => {
        const seen = (slice: KubernetesObject): EndpointSlice | undefined => slices.get(objectKey(slice));
        for (const slice of plan.create) {
          try {
            const made = await client.create(slice, { signal });
            tracker.wrote(key, made, seen(made));
          } catch (err) {
            if (namespaceIsGoing(err)) return;
            throw err;
          }
        }
        for (const slice of plan.update) {
          const made = await client.update(slice, { signal });
          tracker.wrote(key, made, seen(made));
        }
        for (const slice of plan.delete) {
          const { name = '', namespace = '' } = slice.metadata ?? {};
          try {
            await client.delete(name, namespace, { signal });
            tracker.deleted(key, name, seen(slice));
          } catch (err) {
            if (!isNotFound(err)) throw err;
          }
        }
      };

      const reconcile = async (key: string): Promise<void> => {
        if (!tracker.upToDate(key)) {
          waiting.add(key);
          return;
        }
        const object = owners.get(key);
        const standing = slicesOf(slices, key, CONTROLLER_NAME);
        if (!shouldMirror(object, spaces.get(key))) {
          await perform(key, { ...nothing, delete: standing });
          return;
        }
        const plan = planMirror(object, standing);
        if (plan.invalid > 0) {
          const message = `Skipped ${plan.invalid} invalid IP addresses when mirroring to EndpointSlices`;
          recorder.event(object, 'Warning', 'InvalidIPAddress', message);
        }
        if (plan.skipped > plan.invalid) {
          const message = `A max of ${MAX_ENDPOINTS_PER_SUBSET} addresses can be mirrored to EndpointSlices per Endpoints subset. ${plan.skipped} addresses were skipped`;
          recorder.event(object, 'Warning', 'TooManyAddressesToMirror', message);
        }
        await perform(key, plan);
      };

      const queue = startReconciler(
        context,
        {
          name: 'endpoint_slice_mirroring',
          workers: WORKERS,
          informers: [owners, spaces, slices] as readonly Informer<KubernetesObject>[],
          reconcile,
          maxRetries: MAX_RETRIES,
        },
        signal,
      );
      const add = (object: KubernetesObject): void => queue.add(objectKey(object));
      owners.addHandler({ onAdd: add, onUpdate: add, onDelete: add });
      spaces.addHandler({
        onAdd: add,
        onUpdate: (service, old) => {
          if ((service.spec?.selector === undefined) !== (old.spec?.selector === undefined)) add(service);
        },
        onDelete: add,
      });
      const seen = (slice: EndpointSlice, gone: boolean): void => {
        if (slice.metadata?.labels?.[MANAGED_BY] !== CONTROLLER_NAME) return;
        const key = ownerKey(slice);
        const news = tracker.observed(key, slice, gone);
        if (news || (tracker.upToDate(key) && waiting.delete(key))) queue.add(key);
      };
      slices.addHandler({
        onAdd: (slice) => seen(slice, false),
        onUpdate: (slice) => seen(slice, false),
        onDelete: (slice) => seen(slice, true),
      });
    },
  };
}
