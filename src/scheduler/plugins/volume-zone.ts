import { actions } from '../cluster-event.ts';
import { type Plugin, type PodPlan, rejectForGood } from '../framework.ts';

const NAME = 'VolumeZone';

const wrongZone = rejectForGood(NAME, 'node(s) had no available volume zone');

/** Labels of zones and regions, and what the older ones are called now. */
const zoneLabels: ReadonlyMap<string, string> = new Map([
  ['failure-domain.beta.kubernetes.io/zone', 'topology.kubernetes.io/zone'],
  ['failure-domain.beta.kubernetes.io/region', 'topology.kubernetes.io/region'],
  ['topology.kubernetes.io/zone', 'topology.kubernetes.io/zone'],
  ['topology.kubernetes.io/region', 'topology.kubernetes.io/region'],
]);
/** Sets the values of a volume's zone label apart. */
const SEPARATOR = '__';

/** VolumeZone: bound volumes that carry zone labels are used in those zones. */
export const volumeZone: Plugin = {
  name: NAME,
  weight: 0,
  local: false,
  hints: [
    { resource: 'StorageClass', actions: actions.add },
    { resource: 'Node', actions: actions.add | actions.updateNodeLabel | actions.updateNodeTaint },
    { resource: 'PersistentVolumeClaim', actions: actions.add | actions.update },
    { resource: 'PersistentVolume', actions: actions.add | actions.update },
  ],
  plan(pod, view): PodPlan | undefined {
    const wanted: { readonly key: string; readonly values: ReadonlySet<string> }[] = [];
    for (const name of pod.claims) {
      const volumeName = view.volumes.claim(pod.namespace, name)?.spec?.volumeName ?? '';
      const labels = volumeName === '' ? undefined : view.volumes.volume(volumeName)?.metadata?.labels;
      for (const [key, value] of Object.entries(labels ?? {})) {
        if (zoneLabels.has(key)) wanted.push({ key, values: new Set(value.split(SEPARATOR)) });
      }
    }
    if (wanted.length === 0) return undefined;
    return {
      filter({ labels }) {
        let zoned = false;
        for (const key of zoneLabels.keys()) if (labels[key] !== undefined) zoned = true;
        // A node without zones is taken to be everywhere.
        if (!zoned) return undefined;
        for (const { key, values } of wanted) {
          const value = labels[key] ?? labels[zoneLabels.get(key)!];
          if (value === undefined || !values.has(value)) return wrongZone;
        }
        return undefined;
      },
    };
  },
};
