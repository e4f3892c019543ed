import { systemPriorities } from '../../api/groups/scheduling.ts';
import { onceFor } from '../../api/repeated-parts.ts';
import type { Pod, PodSpec } from '../../api/types/core-v1.ts';
import type { PriorityClass } from '../../api/types/scheduling-v1.ts';
import type { AdmissionAttributes, AdmissionPlugin, ApiAccess, ResourceView } from '../contract.ts';
import { refuse } from './refusal.ts';
import { isWriteOf } from './targets.ts';

const GROUP = 'scheduling.k8s.io';
/** Stands for the class of pods that have none. */
const noClass = {};

const descriptions: Readonly<Record<string, string>> = {
  'system-node-critical': 'Used for system critical pods that must not be moved from their current node.',
  'system-cluster-critical':
    'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
};

/** Gives pods the number that their PriorityClass stands for, and keeps the default class the only one. */
export function priority(): AdmissionPlugin {
  return new PriorityPlugin();
}

/** Makes the two system priority classes that are missing. */
export async function ensurePriorityClasses(access: ApiAccess): Promise<void> {
  const resource = 'priorityclasses';
  const view = access.view<PriorityClass>(GROUP, resource);
  const missing = Object.entries(systemPriorities).filter(([name]) => view?.get('', name) === undefined);
  const classes = missing.map(([name, value]) => ({
    apiVersion: `${GROUP}/v1`,
    kind: 'PriorityClass',
    metadata: { name },
    value,
    description: descriptions[name] ?? '',
  }));
  await access.seed({ group: GROUP, version: 'v1', resource }, classes, 'kube-apiserver');
}

class PriorityPlugin implements AdmissionPlugin {
  readonly name = 'Priority';
  #view: ResourceView<PriorityClass> | undefined;
  /** The default class; null when it has not been looked for since the last change. */
  #default: PriorityClass | undefined | null = null;

  initialize(access: ApiAccess): void {
    this.#view = access.view<PriorityClass>(GROUP, 'priorityclasses');
    this.#view?.watch(() => {
      this.#default = null;
    }, new AbortController().signal);
  }

  handles(target: Parameters<AdmissionPlugin['handles']>[0]): boolean {
    return isWriteOf(target, '', 'pods', 'CREATE', 'UPDATE') || isWriteOf(target, GROUP, 'priorityclasses', 'CREATE', 'UPDATE');
  }

  mutate(attributes: AdmissionAttributes): AdmissionAttributes['object'] {
    if (attributes.resource.resource !== 'pods') return attributes.object;
    const pod = attributes.object as Pod;
    if (pod.spec === undefined) return pod;
    const spec =
      attributes.operation === 'CREATE'
        ? this.#resolve(attributes, pod.spec)
        : keepPriority(pod.spec, (attributes.oldObject as Pod | undefined)?.spec);
    return spec === pod.spec ? pod : ({ ...pod, spec } as Pod);
  }

  validate(attributes: AdmissionAttributes): void {
    if (attributes.resource.resource !== 'priorityclasses') return;
    const object = attributes.object as PriorityClass;
    if (object.globalDefault !== true) return;
    const standing = this.#defaultClass();
    if (standing === undefined) return;
    if (attributes.operation === 'UPDATE' && standing.metadata?.name === object.metadata?.name) return;
    throw refuse(attributes, `PriorityClass ${standing.metadata?.name} is already marked as default. Only one default can exist`);
  }

  #resolve(attributes: AdmissionAttributes, spec: PodSpec): PodSpec {
    const named = spec.priorityClassName || undefined;
    const found = named === undefined ? this.#defaultClass() : this.#view?.get('', named);
    if (found === undefined && named !== undefined) {
      throw refuse(attributes, `no PriorityClass with name ${named} was found`);
    }
    const value = found?.value ?? 0;
    if (spec.priority !== undefined && spec.priority !== value) {
      throw refuse(
        attributes,
        `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
      );
    }
    const policy = found === undefined ? 'PreemptLowerPriority' : found.preemptionPolicy;
    if (policy !== undefined && spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy) {
      throw refuse(
        attributes,
        `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${policy} from the given PriorityClass name`,
      );
    }
    return onceFor(spec, found ?? noClass, () => {
      const name = named ?? found?.metadata?.name;
      return {
        ...spec,
        ...(name === undefined ? {} : { priorityClassName: name }),
        priority: value,
        ...(policy === undefined ? {} : { preemptionPolicy: policy }),
      };
    });
  }

  /** The class that pods without one get: of several, made by a race, the one with the least value. */
  #defaultClass(): PriorityClass | undefined {
    if (this.#default === null) {
      this.#default = undefined;
      for (const candidate of this.#view?.list() ?? []) {
        if (candidate.globalDefault !== true) continue;
        if (this.#default === undefined || (candidate.value ?? 0) < (this.#default.value ?? 0)) this.#default = candidate;
      }
    }
    return this.#default;
  }
}

/** An update that leaves the resolved fields out keeps them. */
function keepPriority(spec: PodSpec, old: PodSpec | undefined): PodSpec {
  const lost = spec.priority === undefined && old?.priority !== undefined;
  const lostPolicy = spec.preemptionPolicy === undefined && old?.preemptionPolicy !== undefined;
  if (!lost && !lostPolicy) return spec;
  return {
    ...spec,
    ...(lost ? { priority: old.priority } : {}),
    ...(lostPolicy ? { preemptionPolicy: old.preemptionPolicy } : {}),
  };
}
