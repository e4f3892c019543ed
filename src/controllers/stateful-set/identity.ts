import type { OwnerReference } from '../../api/meta/object.ts';
import type { ControllerRevision, StatefulSet } from '../../api/types/apps-v1.ts';
import type { PersistentVolumeClaim, Pod, Volume } from '../../api/types/core-v1.ts';
import { controllerRef } from '../workload/controller-ref.ts';
import { podFromTemplate } from '../workload/pod-control.ts';
import { REVISION_HASH, templateOf } from '../workload/revisions.ts';

export const POD_NAME = 'statefulset.kubernetes.io/pod-name';
const POD_INDEX = 'apps.kubernetes.io/pod-index';

export const podNameOf = (set: StatefulSet, ordinal: number): string => `${set.metadata!.name}-${ordinal}`;
export const claimNameOf = (set: StatefulSet, template: PersistentVolumeClaim, ordinal: number): string =>
  `${template.metadata!.name}-${set.metadata!.name}-${ordinal}`;
export const revisionOf = (pod: Pod): string => pod.metadata?.labels?.[REVISION_HASH] ?? '';
export const firstOrdinal = (set: StatefulSet): number => set.spec?.ordinals?.start ?? 0;
export const setRef = (set: StatefulSet): OwnerReference => controllerRef(set, 'apps/v1', 'StatefulSet');

/** The ordinal in a pod's name; undefined when the pod is not named as one of the set. */
export function ordinalOf(set: StatefulSet, pod: Pod): number | undefined {
  const match = /^(.*)-([0-9]+)$/.exec(pod.metadata?.name ?? '');
  if (match === null || match[1] !== set.metadata?.name) return undefined;
  const ordinal = Number(match[2]);
  return ordinal <= 2_147_483_647 ? ordinal : undefined;
}

export function inRange(set: StatefulSet, ordinal: number): boolean {
  const first = firstOrdinal(set);
  return ordinal >= first && ordinal < first + (set.spec?.replicas ?? 1);
}

/** The claims of one ordinal. */
export function claimsOf(set: StatefulSet, ordinal: number): readonly PersistentVolumeClaim[] {
  return (set.spec?.volumeClaimTemplates ?? []).map((template) => ({
    ...template,
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      ...template.metadata,
      name: claimNameOf(set, template, ordinal),
      namespace: set.metadata!.namespace!,
      // So that whoever selects the set's pods finds their claims.
      labels: { ...template.metadata?.labels, ...set.spec?.selector?.matchLabels },
    },
  }));
}

/** The pod of an ordinal, of a revision. */
export function newPod(set: StatefulSet, revision: ControllerRevision, ordinal: number): Pod {
  const template = templateOf(revision) ?? set.spec!.template;
  const pod = podFromTemplate(template, set, setRef(set));
  const name = podNameOf(set, ordinal);
  const { generateName: _, ...metadata } = pod.metadata!;
  const { serviceName } = set.spec!;
  const spec = pod.spec ?? { containers: [] };
  return withIdentity(set, {
    ...pod,
    metadata: { ...metadata, name, labels: { ...metadata.labels, [REVISION_HASH]: revision.metadata!.name! } },
    spec: { ...spec, hostname: name, ...(serviceName ? { subdomain: serviceName } : {}) },
  });
}

/** The pod with the labels and volumes of its identity; the same object when it has them. */
export function withIdentity(set: StatefulSet, pod: Pod): Pod {
  const ordinal = ordinalOf(set, pod);
  if (ordinal === undefined) return pod;
  const { name = '', labels = {} } = pod.metadata ?? {};
  let next = pod;
  if (labels[POD_NAME] !== name || labels[POD_INDEX] !== String(ordinal)) {
    next = { ...next, metadata: { ...next.metadata, labels: { ...labels, [POD_NAME]: name, [POD_INDEX]: String(ordinal) } } };
  }
  if (!storageMatches(set, pod, ordinal)) next = { ...next, spec: { ...next.spec!, volumes: volumesOf(set, pod, ordinal) } };
  return next;
}

function storageMatches(set: StatefulSet, pod: Pod, ordinal: number): boolean {
  const volumes = pod.spec?.volumes ?? [];
  return (set.spec?.volumeClaimTemplates ?? []).every((template) =>
    volumes.some(
      (volume) =>
        volume.name === template.metadata!.name &&
        volume.persistentVolumeClaim?.claimName === claimNameOf(set, template, ordinal),
    ),
  );
}

/** Volumes of the claims take the place of those of the template that have their names. */
function volumesOf(set: StatefulSet, pod: Pod, ordinal: number): readonly Volume[] {
  const own = (set.spec?.volumeClaimTemplates ?? []).map((template) => ({
    name: template.metadata!.name!,
    persistentVolumeClaim: { claimName: claimNameOf(set, template, ordinal), readOnly: false },
  }));
  const names = new Set(own.map(({ name }) => name));
  return [...own, ...(pod.spec?.volumes ?? []).filter(({ name }) => !names.has(name))];
}
