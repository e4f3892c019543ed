import type {
  Job,
  PodFailurePolicy,
  PodFailurePolicyOnExitCodesRequirement,
  PodFailurePolicyOnPodConditionsPattern,
  SuccessPolicy,
} from '../../api/types/batch-v1.ts';
import type { ContainerStatus, Pod, PodCondition } from '../../api/types/core-v1.ts';
import { IndexSet } from './indexes.ts';

/** What the first rule that matches says about a failed pod. */
export interface FailureVerdict {
  /** Why the whole job is to fail. */
  readonly jobFailure?: string;
  /** Whether it counts towards the limits. */
  readonly counts: boolean;
  readonly action?: 'FailJob' | 'FailIndex' | 'Ignore' | 'Count';
}

const counted: FailureVerdict = { counts: true };

/** Judges a failed pod by the policy (KEP-3329): the first rule that matches decides; without one it counts. Pure. */
export function judgeFailure(policy: PodFailurePolicy | undefined, pod: Pod): FailureVerdict {
  for (const [i, { action, onExitCodes, onPodConditions }] of (policy?.rules ?? []).entries()) {
    let why: string | undefined;
    const subject = `${pod.metadata?.namespace}/${pod.metadata?.name}`;
    if (onExitCodes !== undefined) {
      const status = containerWithExitCode(pod, onExitCodes);
      if (status !== undefined) {
        const code = status.state!.terminated!.exitCode;
        why = `Container ${status.name} for pod ${subject} failed with exit code ${code} matching ${action} rule at index ${i}`;
      }
    } else if (onPodConditions !== undefined) {
      const condition = matchingCondition(pod, onPodConditions);
      if (condition !== undefined) why = `Pod ${subject} has condition ${condition.type} matching ${action} rule at index ${i}`;
    }
    if (why === undefined) continue;
    switch (action) {
      case 'FailJob':
        return { jobFailure: why, counts: true, action };
      case 'Ignore':
        return { counts: false, action };
      case 'FailIndex':
      case 'Count':
        return { counts: true, action };
    }
  }
  return counted;
}

function containerWithExitCode(pod: Pod, rule: PodFailurePolicyOnExitCodesRequirement): ContainerStatus | undefined {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  return [...containerStatuses, ...initContainerStatuses].find((status) => {
    const code = status.state?.terminated?.exitCode;
    if (code === undefined || code === 0) return false;
    if (rule.containerName !== undefined && rule.containerName !== status.name) return false;
    return rule.values.includes(code) === (rule.operator === 'In');
  });
}

function matchingCondition(pod: Pod, patterns: readonly PodFailurePolicyOnPodConditionsPattern[]): PodCondition | undefined {
  return (pod.status?.conditions ?? []).find((condition) =>
    patterns.some(({ type, status = 'True' }) => condition.type === type && condition.status === status),
  );
}

/** The success rule that the succeeded indexes meet (KEP-3998), as a message; undefined when none does. Pure. */
export function metSuccessRule(policy: SuccessPolicy | undefined, completions: number, succeeded: IndexSet): string | undefined {
  if (policy === undefined || succeeded.total === 0) return undefined;
  for (const [i, { succeededIndexes, succeededCount }] of policy.rules.entries()) {
    let met = false;
    if (succeededIndexes !== undefined) {
      const required = IndexSet.parse(succeededIndexes, completions);
      if (required.total === 0) continue;
      const overlap = required.overlap(succeeded);
      met = overlap === required.total || (succeededCount !== undefined && overlap >= succeededCount);
    } else met = succeededCount !== undefined && succeeded.total >= succeededCount;
    if (met) return `Matched rules at index ${i}`;
  }
  return undefined;
}

/** Pods are replaced only once they have failed, not already when they are being deleted (KEP-3939). */
export function replacesOnlyFailed({ spec }: Job): boolean {
  if (spec?.podReplacementPolicy !== undefined) return spec.podReplacementPolicy === 'Failed';
  return spec?.podFailurePolicy !== undefined;
}
