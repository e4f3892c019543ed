import { compareQuantities } from '../../api/meta/quantity.ts';
import type { Pod, PodSpec, ResourceList } from '../../api/types/core-v1.ts';
import type { RuntimeClass } from '../../api/types/node-v1.ts';
import type { AdmissionAttributes, AdmissionPlugin, ResourceView } from '../contract.ts';
import { mergeTolerations } from './merge-tolerations.ts';
import { refuse } from './refusal.ts';
import { isWriteOf } from './targets.ts';

/** Gives pods the overhead and the place that their runtime class asks for; an overhead must come from there. */
export function runtimeClass(): AdmissionPlugin {
  let classes: ResourceView<RuntimeClass> | undefined;
  const classOf = (attributes: AdmissionAttributes, spec: PodSpec): RuntimeClass | undefined => {
    const name = spec.runtimeClassName;
    if (name === undefined) return undefined;
    const found = classes?.get('', name);
    if (found === undefined) throw refuse(attributes, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`);
    return found;
  };
  return {
    name: 'RuntimeClass',
    initialize: (access) => {
      classes = access.view<RuntimeClass>('node.k8s.io', 'runtimeclasses');
    },
    handles: (target) => isWriteOf(target, '', 'pods', 'CREATE'),
    mutate: (attributes) => {
      const pod = attributes.object as Pod;
      if (pod.spec?.runtimeClassName === undefined) return pod;
      const found = classOf(attributes, pod.spec);
      if (found === undefined) return pod;
      return { ...pod, spec: withScheduling(attributes, withOverhead(attributes, pod.spec, found), found) } as Pod;
    },
    validate: (attributes) => {
      const { spec } = attributes.object as Pod;
      if (spec === undefined || (spec.runtimeClassName === undefined && spec.overhead === undefined)) return;
      const defined = classOf(attributes, spec)?.overhead;
      if (defined !== undefined && !sameAmounts(defined.podFixed, spec.overhead)) throw mismatch(attributes);
      if (defined === undefined && spec.overhead !== undefined) {
        throw refuse(attributes, 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead');
      }
    },
  };
}

const mismatch = (attributes: AdmissionAttributes): Error =>
  refuse(attributes, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");

function withOverhead(attributes: AdmissionAttributes, spec: PodSpec, { overhead }: RuntimeClass): PodSpec {
  if (overhead === undefined) return spec;
  if (spec.overhead !== undefined && !sameAmounts(overhead.podFixed, spec.overhead)) throw mismatch(attributes);
  return overhead.podFixed === undefined ? spec : { ...spec, overhead: overhead.podFixed };
}

function withScheduling(attributes: AdmissionAttributes, spec: PodSpec, { scheduling }: RuntimeClass): PodSpec {
  if (scheduling === undefined) return spec;
  const { nodeSelector: wanted = {}, tolerations: more = [] } = scheduling;
  for (const [key, value] of Object.entries(wanted)) {
    const own = spec.nodeSelector?.[key];
    if (own === undefined || own === value) continue;
    throw refuse(
      attributes,
      `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`,
    );
  }
  const nodeSelector = { ...spec.nodeSelector, ...wanted };
  const tolerations = mergeTolerations(spec.tolerations ?? [], more);
  return {
    ...spec,
    ...(Object.keys(nodeSelector).length === 0 ? {} : { nodeSelector }),
    ...(tolerations.length === 0 ? {} : { tolerations }),
  };
}

function sameAmounts(a: ResourceList = {}, b: ResourceList = {}): boolean {
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => b[name] !== undefined && compareQuantities(String(a[name]), String(b[name])) === 0);
}
