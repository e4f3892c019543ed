import type { FieldError } from '../../../api/meta/field-error.ts';
import type { KubernetesObject, ObjectMeta } from '../../../api/meta/object.ts';
import { internalStatus, invalidObject } from '../../../api/meta/status.ts';
import type { EphemeralContainer, Namespace, Pod, PodSpec, PodTemplateSpec } from '../../../api/types/core-v1.ts';
import type { AdmissionAttributes, AdmissionPlugin, AdmissionTarget, ApiAccess, ResourceView } from '../../contract.ts';
import { refuse } from '../refusal.ts';
import { createEvaluator, describeViolations } from './evaluate.ts';
import {
  compareLevels,
  describePolicy,
  isFullyPrivileged,
  LABEL_PREFIX,
  type LevelVersion,
  type Policy,
  policyOf,
  samePolicy,
} from './policy.ts';

/** Subresources of pods that do not change what runs. */
const harmless: ReadonlySet<string> = new Set(['exec', 'attach', 'binding', 'eviction', 'log', 'portforward', 'proxy', 'status']);
/** What carries a pod template. */
const workloads: ReadonlySet<string> = new Set([
  '/replicationcontrollers',
  '/podtemplates',
  'apps/replicasets',
  'apps/deployments',
  'apps/statefulsets',
  'apps/daemonsets',
  'batch/jobs',
  'batch/cronjobs',
]);
/** How many pods of a namespace are looked at when its policy changes. */
const MAX_PODS_CHECKED = 3_000;

type Labels = Readonly<Record<string, string>>;
interface Resolved {
  readonly policy: Policy;
  readonly errors: readonly FieldError[];
  readonly privileged: boolean;
}

/** Holds pods to the Pod Security Standard that the labels of their namespace name. */
export function podSecurity(): AdmissionPlugin {
  return new PodSecurity();
}

class PodSecurity implements AdmissionPlugin {
  readonly name = 'PodSecurity';
  readonly #evaluate = createEvaluator();
  #namespaces: ResourceView<Namespace> | undefined;
  #pods: ResourceView<Pod> | undefined;
  /** Labels are frozen with their namespace: what they mean is found once. */
  readonly #policies = new WeakMap<Labels, Resolved>();
  readonly #unlabelled = resolve(undefined);

  initialize(access: ApiAccess): void {
    this.#namespaces = access.view<Namespace>('', 'namespaces');
    this.#pods = access.view<Pod>('', 'pods');
  }

  handles({ operation, group, resource, subresource }: AdmissionTarget): boolean {
    if (operation !== 'CREATE' && operation !== 'UPDATE') return false;
    if (group === '' && resource === 'pods') return !harmless.has(subresource);
    if (subresource !== '') return false;
    return (group === '' && resource === 'namespaces') || workloads.has(`${group}/${resource}`);
  }

  validate(attributes: AdmissionAttributes): void {
    switch (attributes.resource.resource) {
      case 'namespaces':
        this.#validateNamespace(attributes);
        break;
      case 'pods':
        this.#validatePod(attributes);
        break;
      default:
        this.#validateWorkload(attributes);
    }
  }

  #validateNamespace(attributes: AdmissionAttributes): void {
    const namespace = attributes.object as Namespace;
    const { policy, errors } = this.#policyOf(namespace.metadata?.labels);
    const name = namespace.metadata?.name ?? '';
    if (attributes.operation === 'CREATE') {
      if (errors.length > 0) throw invalidObject(attributes.kind, name, errors);
      return;
    }
    const old = this.#policyOf(attributes.oldObject?.metadata?.labels);
    // Labels that were wrong already do not stand in the way of other changes.
    if (errors.length > 0 && JSON.stringify(errors) !== JSON.stringify(old.errors)) {
      throw invalidObject(attributes.kind, name, errors);
    }
    const { enforce } = policy;
    const before = old.policy.enforce;
    if (samePolicy(enforce, before) || enforce.level === 'privileged') return;
    if (enforce.version === before.version && compareLevels(enforce.level, before.level) < 0) return;
    for (const warning of this.#violationsIn(name, enforce)) attributes.warn(warning);
  }

  #validatePod(attributes: AdmissionAttributes): void {
    const found = this.#policyFor(attributes.namespace);
    if (found === undefined) {
      attributes.annotate(`${LABEL_PREFIX}error`, `failed to lookup namespace ${JSON.stringify(attributes.namespace)}`);
      throw internalStatus(`failed to lookup namespace ${JSON.stringify(attributes.namespace)}`);
    }
    if (found.privileged) {
      attributes.annotate(`${LABEL_PREFIX}enforce-policy`, 'privileged:latest');
      return;
    }
    const pod = attributes.object as Pod;
    if (pod.spec === undefined) return;
    if (attributes.operation === 'UPDATE' && !changesImages(pod.spec, (attributes.oldObject as Pod).spec)) return;
    this.#judge(attributes, found, pod.spec, pod.metadata, true);
  }

  /** Workloads are never refused, since their pods will be: whoever makes them is told. */
  #validateWorkload(attributes: AdmissionAttributes): void {
    const found = this.#policyFor(attributes.namespace);
    if (found === undefined) return;
    const { warn, audit } = found.policy;
    if (found.errors.length === 0 && warn.level === 'privileged' && audit.level === 'privileged') return;
    const template = templateOf(attributes.object);
    if (template?.spec !== undefined) this.#judge(attributes, found, template.spec, template.metadata, false);
  }

  #judge(
    attributes: AdmissionAttributes,
    { policy, errors }: Resolved,
    spec: PodSpec,
    metadata: ObjectMeta | undefined,
    enforced: boolean,
  ): void {
    if (errors.length > 0) {
      attributes.annotate(`${LABEL_PREFIX}error`, `Failed to parse policy: ${errors.map((e) => e.detail).join(', ')}`);
    }
    const violations = (of: LevelVersion): string => describeViolations(this.#evaluate(of, spec, metadata));
    const inEnforce = enforced ? violations(policy.enforce) : '';
    if (enforced) attributes.annotate(`${LABEL_PREFIX}enforce-policy`, describePolicy(policy.enforce));
    const same = enforced && samePolicy(policy.audit, policy.enforce);
    const inAudit = same ? inEnforce : violations(policy.audit);
    if (inAudit !== '') {
      attributes.annotate(`${LABEL_PREFIX}audit-violations`, wouldViolate(policy.audit, inAudit));
    }
    if (inEnforce !== '') {
      throw refuse(attributes, `violates PodSecurity ${JSON.stringify(describePolicy(policy.enforce))}: ${inEnforce}`);
    }
    const inWarn = samePolicy(policy.warn, policy.audit)
      ? inAudit
      : enforced && samePolicy(policy.warn, policy.enforce)
        ? inEnforce
        : violations(policy.warn);
    if (inWarn !== '') attributes.warn(wouldViolate(policy.warn, inWarn));
  }

  /** What those who tighten a namespace's policy are told about the pods that are there. */
  #violationsIn(namespace: string, enforce: LevelVersion): readonly string[] {
    const pods = oneOfEachOwnerFirst([...(this.#pods?.list(namespace) ?? [])]);
    const checked = pods.slice(0, MAX_PODS_CHECKED);
    const byReason = new Map<string, { name: string; count: number }>();
    for (const { spec, metadata } of checked) {
      if (spec === undefined) continue;
      const reason = this.#evaluate(enforce, spec, metadata)
        .map((v) => v.reason)
        .join(', ');
      if (reason === '') continue;
      const name = metadata?.name ?? '';
      const known = byReason.get(reason);
      if (known === undefined) byReason.set(reason, { name, count: 1 });
      else {
        known.count++;
        if (name < known.name) known.name = name;
      }
    }
    const level = JSON.stringify(describePolicy(enforce));
    const tail = (count: number): string =>
      count === 1 ? '' : count === 2 ? ' (and 1 other pod)' : ` (and ${count - 1} other pods)`;
    return [
      ...(checked.length < pods.length
        ? [`new PodSecurity enforce level only checked against the first ${checked.length} of ${pods.length} existing pods`]
        : []),
      ...(byReason.size > 0
        ? [`existing pods in namespace ${JSON.stringify(namespace)} violate the new PodSecurity enforce level ${level}`]
        : []),
      ...[...byReason].map(([reason, { name, count }]) => `${name}${tail(count)}: ${reason}`).sort(),
    ];
  }

  #policyFor(namespace: string): Resolved | undefined {
    const found = this.#namespaces?.get('', namespace);
    return found === undefined ? undefined : this.#policyOf(found.metadata?.labels);
  }

  #policyOf(labels: Labels | undefined): Resolved {
    if (labels === undefined) return this.#unlabelled;
    let resolved = this.#policies.get(labels);
    if (resolved === undefined) {
      resolved = resolve(labels);
      this.#policies.set(labels, resolved);
    }
    return resolved;
  }
}

function resolve(labels: Labels | undefined): Resolved {
  const { policy, errors } = policyOf(labels);
  return { policy, errors, privileged: errors.length === 0 && isFullyPrivileged(policy) };
}

const wouldViolate = (policy: LevelVersion, violations: string): string =>
  `would violate PodSecurity ${JSON.stringify(describePolicy(policy))}: ${violations}`;

/** Of what a running pod can change, images and ephemeral containers matter. */
function changesImages(spec: PodSpec, old: PodSpec | undefined): boolean {
  if (old === undefined) return true;
  for (const field of ['containers', 'initContainers'] as const) {
    const now = spec[field] ?? [];
    const then = old[field] ?? [];
    if (now.length !== then.length || now.some((c, i) => c.image !== then[i]?.image)) return true;
  }
  const before = old.ephemeralContainers ?? [];
  return (spec.ephemeralContainers ?? []).some(
    (c: EphemeralContainer) => before.find((b) => b.name === c.name)?.image !== c.image,
  );
}

function templateOf(object: KubernetesObject | undefined): PodTemplateSpec | undefined {
  const { kind, template, spec } = object as {
    readonly kind?: string;
    readonly template?: PodTemplateSpec;
    readonly spec?: {
      readonly template?: PodTemplateSpec;
      readonly jobTemplate?: { readonly spec?: { readonly template?: PodTemplateSpec } };
    };
  };
  if (kind === 'PodTemplate') return template;
  return kind === 'CronJob' ? spec?.jobTemplate?.spec?.template : spec?.template;
}

/** Replicas are alike: one of each owner, and then the others. */
function oneOfEachOwnerFirst(pods: readonly Pod[]): readonly Pod[] {
  const seen = new Set<string>();
  const others: Pod[] = [];
  const first = pods.filter((pod) => {
    const owner = pod.metadata?.ownerReferences?.find((r) => r.controller === true)?.uid;
    if (owner === undefined) return true;
    if (seen.has(owner)) {
      others.push(pod);
      return false;
    }
    seen.add(owner);
    return true;
  });
  return [...first, ...others];
}
