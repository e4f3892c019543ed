import { nameIsDNSSubdomain } from '../../meta/names.ts';
import { formatTime } from '../../meta/time.ts';
import { onceFor } from '../../repeated-parts.ts';
import type { RequestContext, Subresource } from '../../resource.ts';
import type {
  Affinity,
  Container,
  Pod,
  PodAffinityTerm,
  PodSpec,
  PodTemplateSpec,
  Volume,
  VolumeProjection,
} from '../../types/core-v1.ts';
import type { LabelSelector, LabelSelectorRequirement } from '../../types/meta-v1.ts';
import { groupVersion, withGeneration } from '../define.ts';
import { semanticEqual } from '../semantic-equal.ts';
import { mapField, mapListField, mapShared, withFields } from './copy-on-change.ts';
import { podColumns, podRow } from './pod-columns.ts';
import { defaultPod, syncServiceAccount } from './pod-defaults.ts';
import { qosClassOf } from './pod-qos.ts';
import { keepOnlyResize, validatePodResize } from './pod-resize.ts';
import { prepareStatus, validatePodStatusUpdate } from './pod-status.ts';
import { validateEphemeralContainersUpdate, validatePodUpdate } from './pod-update.ts';
import { appArmorPrefix, appArmorProfileOf } from './pod-validation/annotations.ts';
import { validatePodCreate } from './pod-validation.ts';
import { podWarnings } from './pod-warnings.ts';

const define = groupVersion('', 'v1');
const noSpec: PodSpec = Object.freeze({ containers: [] });

/**
 * The seconds a delete gives a pod: what the request asks, or the pod's own; none when nothing runs for it, since it is not on a node or
 * has ended. A negative number means one second.
 */
export function podGracePeriod(pod: Pod, requested: number | undefined): number {
  if (!pod.spec?.nodeName) return 0;
  if (pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded') return 0;
  const period = requested ?? pod.spec.terminationGracePeriodSeconds ?? 0;
  return period < 0 ? 1 : period;
}

const stopsBySignal = (container: Container): boolean => container.lifecycle?.stopSignal !== undefined;

/** The container as it is stopped by default. */
function withoutStopSignal(container: Container): Container {
  if (!stopsBySignal(container)) return container;
  const { stopSignal: _dropped, ...rest } = container.lifecycle!;
  return withFields(container, { lifecycle: Object.keys(rest).length === 0 ? undefined : rest });
}

/**
 * Takes away what this release has switched off, unless the old object makes use of it: pod groups and signals to stop by
 * (GenericWorkload and ContainerStopSignals are alpha), and the projections of certificates (their APIs are beta, and off).
 */
export function dropDisabledPodFields(spec: PodSpec, old: PodSpec | undefined): PodSpec {
  let result = spec;
  if (spec.schedulingGroup !== undefined && old?.schedulingGroup === undefined) {
    result = withFields(result, { schedulingGroup: undefined });
  }
  if (!old?.containers.some(stopsBySignal) && !old?.initContainers?.some(stopsBySignal)) {
    result = mapListField(mapListField(result, 'containers', withoutStopSignal), 'initContainers', withoutStopSignal);
  }
  for (const field of ['clusterTrustBundle', 'podCertificate'] as const) {
    const inUse = old?.volumes?.some((v) => v.projected?.sources?.some((s) => s[field] !== undefined)) ?? false;
    if (inUse) continue;
    result = mapListField(result, 'volumes', (volume: Volume) =>
      mapField(volume, 'projected', (projected) =>
        mapListField(projected, 'sources', (source: VolumeProjection) => withFields(source, { [field]: undefined })),
      ),
    );
  }
  return result;
}

/** As `dropDisabledPodFields`, for a template; and the alias of the service account's name kept in step. */
export function prepareTemplate(template: PodTemplateSpec, old: PodTemplateSpec | undefined): PodTemplateSpec {
  return mapField(template, 'spec', (spec) => dropDisabledPodFields(syncServiceAccount(spec), old?.spec));
}

const prepareNewSpec = (spec: PodSpec): PodSpec => dropDisabledPodFields(syncServiceAccount(spec), undefined);

function prepareForCreate(pod: Pod, context: RequestContext): Pod {
  let spec = onceFor(pod.spec ?? noSpec, prepareNewSpec, prepareNewSpec);
  spec = mapField(spec, 'affinity', (affinity) => mergeLabelKeys(affinity, pod));
  spec = mapListField(spec, 'topologySpreadConstraints', (constraint) =>
    constraint.labelSelector === undefined || !constraint.matchLabelKeys?.length
      ? constraint
      : { ...constraint, labelSelector: withPodLabels(constraint.labelSelector, constraint.matchLabelKeys, 'In', pod) },
  );
  spec = appArmorFields(spec, pod, context);
  const gated = (spec.schedulingGates?.length ?? 0) > 0;
  const status: Pod['status'] = {
    phase: 'Pending',
    ...(gated
      ? {
          conditions: [
            {
              type: 'PodScheduled',
              status: 'False',
              lastTransitionTime: formatTime(context.now),
              reason: 'SchedulingGated',
              message: 'Scheduling is blocked due to non-empty scheduling gates',
            },
          ],
        }
      : {}),
    qosClass: onceFor(spec, qosClassOf, qosClassOf),
  };
  return withGeneration({ ...pod, spec, status }, 1);
}

/** Keys whose values the pod has itself become part of its selectors (KEP-3633), once and for all. */
function mergeLabelKeys(affinity: Affinity, pod: Pod): Affinity {
  const term = (t: PodAffinityTerm): PodAffinityTerm => {
    if (t.labelSelector === undefined) return t;
    let selector = withPodLabels(t.labelSelector, t.matchLabelKeys ?? [], 'In', pod);
    selector = withPodLabels(selector, t.mismatchLabelKeys ?? [], 'NotIn', pod);
    return withFields(t, { labelSelector: selector });
  };
  let result = affinity;
  for (const kind of ['podAffinity', 'podAntiAffinity'] as const) {
    result = mapField(result, kind, (terms) => {
      const hard = mapListField(terms, 'requiredDuringSchedulingIgnoredDuringExecution', term);
      return mapListField(hard, 'preferredDuringSchedulingIgnoredDuringExecution', (weighted) =>
        mapField(weighted, 'podAffinityTerm', term),
      );
    });
  }
  return result;
}

function withPodLabels(selector: LabelSelector, keys: readonly string[], operator: 'In' | 'NotIn', pod: Pod): LabelSelector {
  const labels = pod.metadata?.labels ?? {};
  const more: LabelSelectorRequirement[] = keys
    .filter((key) => labels[key] !== undefined)
    .map((key) => ({ key, operator, values: [labels[key]!] }));
  return more.length === 0 ? selector : { ...selector, matchExpressions: [...(selector.matchExpressions ?? []), ...more] };
}

/** AppArmor profiles that are only in annotations become fields (KEP-24, version skew). */
function appArmorFields(spec: PodSpec, pod: Pod, context: RequestContext): PodSpec {
  const annotations = pod.metadata?.annotations;
  if (annotations === undefined || spec.os?.name === 'windows') return spec;
  const ofPod = spec.securityContext?.appArmorProfile;
  const change = (container: Container): Container => {
    const key = appArmorPrefix + container.name;
    const annotation = annotations[key];
    if (annotation === undefined || container.securityContext?.appArmorProfile !== undefined) return container;
    const profile = appArmorProfileOf(annotation);
    const differs =
      profile !== undefined && (profile.type !== ofPod?.type || profile.localhostProfile !== ofPod?.localhostProfile);
    if (profile === undefined || differs) {
      context.warnings.push(`metadata.annotations[${key}]: deprecated since v1.30; use the "appArmorProfile" field instead`);
    }
    return differs ? { ...container, securityContext: { ...container.securityContext, appArmorProfile: profile } } : container;
  };
  return withFields(spec, {
    initContainers: spec.initContainers && mapShared(spec.initContainers, change),
    containers: mapShared(spec.containers, change),
  });
}

/** The new spec under the old status; a generation more when the spec changed. */
function prepareForUpdate(pod: Pod, old: Pod): Pod {
  const spec = dropDisabledPodFields(syncServiceAccount(pod.spec ?? noSpec), old.spec);
  return nextGeneration(withFields(pod, { spec, status: old.status }), old);
}

function nextGeneration(pod: Pod, old: Pod): Pod {
  const before = old.metadata?.generation ?? 0;
  const same = semanticEqual('io.k8s.api.core.v1.PodSpec', pod.spec, old.spec);
  return withGeneration(pod, same ? before : before + 1);
}

/** Metadata as a subresource may write it: finalizers, labels and annotations; the rest stays. */
function statusMetadata(pod: Pod, old: Pod): Pod {
  const { deletionTimestamp: _d, deletionGracePeriodSeconds: _g, ownerReferences: _o, ...metadata } = pod.metadata ?? {};
  const { deletionTimestamp, deletionGracePeriodSeconds, ownerReferences } = old.metadata ?? {};
  return withFields(pod, {
    metadata: {
      ...metadata,
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
      ...(deletionGracePeriodSeconds === undefined ? {} : { deletionGracePeriodSeconds }),
      ...(ownerReferences === undefined ? {} : { ownerReferences }),
    },
  });
}

const subresources: readonly Subresource<Pod>[] = [
  {
    name: 'status',
    verbs: ['get', 'patch', 'update'],
    strategy: { prepareForUpdate: prepareStatus },
    validateUpdate: validatePodStatusUpdate,
  },
  {
    name: 'ephemeralcontainers',
    verbs: ['get', 'patch', 'update'],
    strategy: {
      prepareForUpdate: (pod, old) => {
        const spec = withFields(old.spec ?? noSpec, { ephemeralContainers: pod.spec?.ephemeralContainers });
        return nextGeneration(statusMetadata(withFields(pod, { spec, status: old.status }), old), old);
      },
    },
    validateUpdate: validateEphemeralContainersUpdate,
  },
  {
    name: 'resize',
    verbs: ['get', 'patch', 'update'],
    strategy: {
      prepareForUpdate: (pod, old) => nextGeneration(statusMetadata(keepOnlyResize(pod, old), old), old),
    },
    validateUpdate: validatePodResize,
  },
  { name: 'log', verbs: ['get'] },
  { name: 'exec', verbs: ['create', 'get'], kind: { group: '', version: 'v1', kind: 'PodExecOptions' } },
  { name: 'attach', verbs: ['create', 'get'], kind: { group: '', version: 'v1', kind: 'PodAttachOptions' } },
  { name: 'portforward', verbs: ['create', 'get'], kind: { group: '', version: 'v1', kind: 'PodPortForwardOptions' } },
  {
    name: 'proxy',
    verbs: ['create', 'delete', 'get', 'patch', 'update'],
    kind: { group: '', version: 'v1', kind: 'PodProxyOptions' },
  },
  { name: 'binding', verbs: ['create'], kind: { group: '', version: 'v1', kind: 'Binding' } },
  {
    name: 'eviction',
    verbs: ['create'],
    kind: { group: 'policy', version: 'v1', kind: 'Eviction' },
    olderVersions: ['v1beta1'],
  },
];

/** The pods of a namespace. */
export const pod = define<Pod>({
  kind: 'Pod',
  plural: 'pods',
  namespaced: true,
  shortNames: ['po'],
  categories: ['all'],
  generation: true,
  subresources,
  defaults: defaultPod,
  strategy: {
    prepareForCreate,
    prepareForUpdate,
    allowUnconditionalUpdate: true,
    gracePeriod: podGracePeriod,
  },
  validate: (object) => validatePodCreate(object),
  validateUpdate: validatePodUpdate,
  validateName: nameIsDNSSubdomain,
  columns: podColumns,
  row: podRow,
  fieldSelectors: {
    'spec.nodeName': (p) => p.spec?.nodeName ?? '',
    // What it was called before v1; clients may still.
    'spec.host': (p) => p.spec?.nodeName ?? '',
    'spec.restartPolicy': (p) => p.spec?.restartPolicy ?? '',
    'spec.schedulerName': (p) => p.spec?.schedulerName ?? '',
    'spec.serviceAccountName': (p) => p.spec?.serviceAccountName ?? '',
    'spec.hostNetwork': (p) => String(p.spec?.hostNetwork === true),
    'status.phase': (p) => p.status?.phase ?? '',
    'status.podIP': (p) => p.status?.podIPs?.[0]?.ip ?? '',
    // Conversion knows the label, and selection has no value for it.
    'status.podIPs': () => '',
    'status.nominatedNodeName': (p) => p.status?.nominatedNodeName ?? '',
  },
  warnings: podWarnings,
});
