import { qosClass } from '../groups/core/pod-qos.ts';
import { hasPodLevelResources, podLimits, podRequests } from '../groups/core/pod-resources.ts';
import { isExtendedResource, isHugePages, isNativeResource } from '../groups/core/resource-names.ts';
import { Quantity } from '../meta/quantity.ts';
import { parseTime } from '../meta/time.ts';
import type { Pod, PodAffinityTerm, PodSpec, ResourceList } from '../types/core-v1.ts';
import type { Amounts } from './amounts.ts';
import { type QuotaEvaluator, selectsValue } from './evaluator.ts';

const COUNT = 'count/pods';
const one = Quantity.of(1);
const computed = ['cpu', 'memory', 'ephemeral-storage'];

const counted: ReadonlySet<string> = new Set([
  COUNT,
  'pods',
  ...computed.flatMap((name) => [name, `requests.${name}`, `limits.${name}`]),
]);

/** Resources that every container must name once a quota limits them: a mistake that upstream keeps for these, and repeats for no others. */
const demanded: ReadonlySet<string> = new Set(['cpu', 'memory'].flatMap((name) => [name, `requests.${name}`, `limits.${name}`]));

/** How pods count: by number, and by what they request and are limited to as long as they run. */
export const podQuota: QuotaEvaluator = {
  counts: (name) =>
    counted.has(name) ||
    name.startsWith('hugepages-') ||
    name.startsWith('requests.hugepages-') ||
    (name.startsWith('requests.') && !isNativeResource(name)),
  usage: (object, now) => {
    const pod = object as Pod;
    const amounts = new Map([[COUNT, one]]);
    if (isOver(pod, now)) return amounts;
    amounts.set('pods', one);
    return compute(amounts, podRequests(pod), podLimits(pod));
  },
  matchesScope: (requirement, object) => {
    const pod = object as Pod;
    switch (requirement.scopeName) {
      case 'Terminating':
        return isTerminating(pod);
      case 'NotTerminating':
        return !isTerminating(pod);
      case 'BestEffort':
        return qosClass(pod) === 'BestEffort';
      case 'NotBestEffort':
        return qosClass(pod) !== 'BestEffort';
      case 'PriorityClass': {
        const name = pod.spec?.priorityClassName;
        return selectsValue(requirement, name ? [name] : []);
      }
      case 'CrossNamespacePodAffinity':
        return pod.spec !== undefined && reachesAcrossNamespaces(pod.spec);
      default:
        return false;
    }
  },
  constraint: (names, object) => {
    const { spec } = object as Pod;
    const required = names.filter((name) => demanded.has(name));
    // What a pod says of itself as a whole stands for its containers (KEP-2837).
    if (required.length === 0 || spec === undefined || hasPodLevelResources(spec)) return undefined;
    const missing = new Map<string, string[]>();
    for (const { name, resources } of [...(spec.containers ?? []), ...(spec.initContainers ?? [])]) {
      const given = compute(new Map(), resources?.requests ?? {}, resources?.limits ?? {});
      for (const resource of required) {
        if (given.has(resource)) continue;
        const lacking = missing.get(resource);
        if (lacking === undefined) missing.set(resource, [name]);
        else lacking.push(name);
      }
    }
    if (missing.size === 0) return undefined;
    const told = [...missing.keys()].sort().map((resource) => `${resource} for: ${missing.get(resource)!.sort().join(',')}`);
    return `must specify ${told.join('; ')}`;
  },
};

/** Pods that have ended, or should have been gone, use nothing. */
function isOver({ metadata, status }: Pod, now: number): boolean {
  if (status?.phase === 'Failed' || status?.phase === 'Succeeded') return true;
  const deletion = parseTime(metadata?.deletionTimestamp);
  const grace = metadata?.deletionGracePeriodSeconds;
  return deletion !== undefined && grace !== undefined && now > deletion + grace * 1000;
}

const isTerminating = (pod: Pod): boolean => (pod.spec?.activeDeadlineSeconds ?? -1) >= 0;

function compute(amounts: Map<string, Quantity>, requests: ResourceList, limits: ResourceList): Amounts {
  for (const [name, text] of Object.entries(requests)) {
    const amount = Quantity.parse(String(text));
    const plain = computed.includes(name) || isHugePages(name);
    if (plain) amounts.set(name, amount);
    if (plain || isExtendedResource(name)) amounts.set(`requests.${name}`, amount);
  }
  for (const name of computed) {
    if (limits[name] !== undefined) amounts.set(`limits.${name}`, Quantity.parse(String(limits[name])));
  }
  return amounts;
}

function reachesAcrossNamespaces({ affinity }: PodSpec): boolean {
  const reaches = (term: PodAffinityTerm): boolean => (term.namespaces ?? []).length > 0 || term.namespaceSelector !== undefined;
  return [affinity?.podAffinity, affinity?.podAntiAffinity].some(
    (terms) =>
      terms?.requiredDuringSchedulingIgnoredDuringExecution?.some(reaches) === true ||
      terms?.preferredDuringSchedulingIgnoredDuringExecution?.some((w) => reaches(w.podAffinityTerm)) === true,
  );
}
