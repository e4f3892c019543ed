import { type FieldError, forbidden, invalid, required } from '../../meta/field-error.ts';
import type {
  Affinity,
  Container,
  NodeAffinity,
  NodeSelectorTerm,
  Pod,
  PodSchedulingGate,
  PodSpec,
  Toleration,
} from '../../types/core-v1.ts';
import { semanticEqual } from '../semantic-equal.ts';
import { withFields } from './copy-on-change.ts';
import { mirrorAnnotation, validatePodAnnotationUpdates } from './pod-validation/annotations.ts';
import type { Errors, PodValidationOptions } from './pod-validation/options.ts';
import { validateTolerations } from './pod-validation/scheduling.ts';
import { collectPod, ratchet } from './pod-validation.ts';
import { specDiff } from './spec-diff.ts';

const v1 = 'io.k8s.api.core.v1';
const maxInt32 = 2 ** 31 - 1;
const noSpec: PodSpec = Object.freeze({ containers: [] });

const updatableFields = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
].join(',');

/** Everything wrong with a pod as the successor of `old` (ValidatePodUpdate): nearly all of its spec is there to stay. */
export function validatePodUpdate(pod: Pod, old: Pod): readonly FieldError[] {
  return ratchet((options) => collectUpdate(pod, old, options), old.spec, old.metadata);
}

function collectUpdate(pod: Pod, old: Pod, options: PodValidationOptions): readonly FieldError[] {
  const errors: Errors = [];
  const after = pod.spec ?? noSpec;
  const before = old.spec ?? noSpec;
  collectPod(pod, options, errors);
  validatePodAnnotationUpdates(pod, old, options, errors);
  if (!validateContainerUpdates(after.containers, before.containers, 'spec.containers', errors)) return errors;
  if (!validateContainerUpdates(after.initContainers, before.initContainers, 'spec.initContainers', errors)) return errors;
  if (!validateDeadline(after.activeDeadlineSeconds, before.activeDeadlineSeconds, errors)) return errors;
  validateAddedTolerations(after.tolerations ?? [], before.tolerations ?? [], errors);
  validateDeletedGates(after.schedulingGates ?? [], before.schedulingGates ?? [], errors);
  if (semanticEqual(`${v1}.PodSpec`, after, before)) return errors;

  // What may change is put back as it was: what then differs may not.
  let reverted: PodSpec = withFields(after, {
    containers: withImages(after.containers, before.containers),
    initContainers: after.initContainers && withImages(after.initContainers, before.initContainers ?? []),
    activeDeadlineSeconds: before.activeDeadlineSeconds,
    schedulingGates: before.schedulingGates,
    tolerations: before.tolerations,
  });
  if ((before.terminationGracePeriodSeconds ?? 0) < 0 && after.terminationGracePeriodSeconds === 1) {
    reverted = withFields(reverted, { terminationGracePeriodSeconds: before.terminationGracePeriodSeconds });
  }
  if (before.schedulingGates?.length) reverted = revertGated(reverted, before, errors);
  if (!semanticEqual(`${v1}.PodSpec`, reverted, before)) {
    const diff = specDiff(`${v1}.PodSpec`, before, reverted);
    errors.push(forbidden('spec', `pod updates may not change fields other than ${updatableFields}\n${diff}`));
  }
  return errors;
}

/** False when what follows makes no sense. */
function validateContainerUpdates(
  after: readonly Container[] | undefined,
  before: readonly Container[] | undefined,
  at: string,
  errors: Errors,
): boolean {
  if ((after?.length ?? 0) !== (before?.length ?? 0)) {
    errors.push(forbidden(at, 'pod updates may not add or remove containers'));
    return false;
  }
  after?.forEach((container, i) => {
    const image = container.image ?? '';
    if (image === '') errors.push(required(`${at}[${i}].image`));
    if (image.trim() !== image) {
      errors.push(invalid(`${at}[${i}].image`, image, 'must not have leading or trailing whitespace'));
    }
  });
  return true;
}

/** A deadline can be set, and made shorter. False when what follows makes no sense. */
function validateDeadline(after: number | undefined, before: number | undefined, errors: Errors): boolean {
  const at = 'spec.activeDeadlineSeconds';
  if (after === undefined) {
    if (before !== undefined) errors.push(invalid(at, after, 'must not update from a positive integer to nil value'));
    return true;
  }
  if (after < 0 || after > maxInt32) {
    errors.push(invalid(at, after, `must be between 0 and ${maxInt32}, inclusive`));
    return false;
  }
  if (before !== undefined && before < after) {
    errors.push(invalid(at, after, 'must be less than or equal to previous value'));
    return false;
  }
  return true;
}

/** Tolerations can be added; of those there are, only the seconds can change. */
function validateAddedTolerations(after: readonly Toleration[], before: readonly Toleration[], errors: Errors): void {
  if (after === before) return;
  for (const old of before) {
    const kept = after.some((now) =>
      semanticEqual(`${v1}.Toleration`, now, withFields(old, { tolerationSeconds: now.tolerationSeconds })),
    );
    if (!kept) {
      errors.push(forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds'));
      return;
    }
  }
  validateTolerations(after, 'spec.tolerations', errors);
}

function validateDeletedGates(after: readonly PodSchedulingGate[], before: readonly PodSchedulingGate[], errors: Errors): void {
  if (after === before) return;
  after.forEach(({ name }, i) => {
    if (before.some((gate) => gate.name === name)) return;
    errors.push(
      forbidden(`spec.schedulingGates[${i}].name`, `only deletion is allowed, but found new scheduling gate '${name}'`),
    );
  });
}

const withImages = (after: readonly Container[], before: readonly Container[]): readonly Container[] =>
  after.map((container, i) => withFields(container, { image: before[i]?.image }));

/** A pod that may not be scheduled yet can still be told more narrowly where to (KEP-3838): node selectors and affinity grow. */
function revertGated(after: PodSpec, before: PodSpec, errors: Errors): PodSpec {
  let reverted = after;
  const selector = after.nodeSelector ?? {};
  for (const [key, value] of Object.entries(before.nodeSelector ?? {})) {
    if (selector[key] === value) continue;
    errors.push(
      invalid('spec.nodeSelector', selector, 'only additions to spec.nodeSelector are allowed (no mutations or deletions)'),
    );
    break;
  }
  reverted = withFields(reverted, { nodeSelector: before.nodeSelector });
  const then = before.affinity?.nodeAffinity;
  const now = after.affinity?.nodeAffinity;
  if (then === now || (then !== undefined && now !== undefined && semanticEqual(`${v1}.NodeAffinity`, now, then))) {
    return reverted;
  }
  validateNarrowerAffinity(now, then, errors);
  const rest: Affinity = withFields(after.affinity ?? {}, { nodeAffinity: then });
  const gone = before.affinity === undefined && Object.keys(rest).length === 0;
  return withFields(reverted, { affinity: gone ? undefined : rest });
}

function validateNarrowerAffinity(after: NodeAffinity | undefined, before: NodeAffinity | undefined, errors: Errors): void {
  const old = before?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  if (old.length === 0) return;
  const now = after?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const at = 'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms';
  if (old.length !== now.length) {
    errors.push(invalid(at, now, 'no additions/deletions to non-empty NodeSelectorTerms list are allowed'));
    return;
  }
  old.forEach((term, i) => {
    if (!onlyAdds(now[i]!, term)) {
      errors.push(invalid(`${at}[${i}]`, now[i], 'only additions are allowed (no mutations or deletions)'));
    }
  });
}

/** A term is narrowed by what is ANDed to it; an empty one matches nothing, and adding to it would widen. */
function onlyAdds(after: NodeSelectorTerm, before: NodeSelectorTerm): boolean {
  const lists = ['matchExpressions', 'matchFields'] as const;
  if (lists.every((list) => !before[list]?.length) && lists.some((list) => after[list]?.length)) return false;
  return lists.every((list) =>
    (before[list] ?? []).every((requirement, i) => {
      const now = after[list]?.[i];
      return now !== undefined && semanticEqual(`${v1}.NodeSelectorRequirement`, now, requirement);
    }),
  );
}

/** An update through `ephemeralcontainers`: containers are added, none is changed or taken away. */
export function validateEphemeralContainersUpdate(pod: Pod, old: Pod): readonly FieldError[] {
  return ratchet(
    (options) => {
      if (old.metadata?.annotations?.[mirrorAnnotation] !== undefined) {
        return [forbidden('', 'static pods do not support ephemeral containers')];
      }
      const errors: Errors = [];
      collectPod(pod, options, errors);
      validatePodAnnotationUpdates(pod, old, options, errors);
      for (const container of old.spec?.ephemeralContainers ?? []) {
        const now = pod.spec?.ephemeralContainers?.find((c) => c.name === container.name);
        if (now === undefined) {
          errors.push(
            forbidden(
              'spec.ephemeralContainers',
              `existing ephemeral containers ${JSON.stringify(container.name)} may not be removed\n`,
            ),
          );
        } else if (!semanticEqual(`${v1}.EphemeralContainer`, container, now)) {
          const diff = specDiff(`${v1}.EphemeralContainer`, container, now);
          errors.push(
            forbidden(
              'spec.ephemeralContainers',
              `existing ephemeral containers ${JSON.stringify(container.name)} may not be changed\n${diff}`,
            ),
          );
        }
      }
      return errors;
    },
    old.spec,
    old.metadata,
  );
}
