import { formatTime } from '../api/meta/time.ts';
import type { Namespace, NamespaceCondition } from '../api/types/core-v1.ts';
import { findCondition } from './conditions.ts';

/** What one pass of emptying a namespace found. */
export interface DeletionOutcome {
  readonly discoveryError?: string;
  readonly contentErrors: readonly string[];
  /** What is left, by `resource.group`. */
  readonly remaining: ReadonlyMap<string, number>;
  readonly remainingFinalizers: ReadonlyMap<string, number>;
}

/** The five conditions with what they say when all is well. */
const fine = [
  ['NamespaceDeletionDiscoveryFailure', 'ResourcesDiscovered', 'All resources successfully discovered'],
  ['NamespaceDeletionGroupVersionParsingFailure', 'ParsedGroupVersions', 'All legacy kube types successfully parsed'],
  ['NamespaceDeletionContentFailure', 'ContentDeleted', 'All content successfully deleted, may be waiting on finalization'],
  ['NamespaceContentRemaining', 'ContentRemoved', 'All content successfully removed'],
  ['NamespaceFinalizersRemaining', 'ContentHasNoFinalizers', 'All content-preserving finalizers finished'],
] as const;

type ConditionType = (typeof fine)[number][0];

/** The namespace's conditions after a pass; the same array when nothing changed. */
export function namespaceConditions(namespace: Namespace, outcome: DeletionOutcome, now: number): readonly NamespaceCondition[] {
  const problems = problemsOf(outcome);
  const before = namespace.status?.conditions ?? [];
  let changed = false;
  const next = [...before];
  for (const [type, okReason, okMessage] of fine) {
    const problem = problems.get(type);
    const [status, reason, message] = problem === undefined ? ['False', okReason, okMessage] : ['True', ...problem];
    const old = findCondition(before, type);
    if (old !== undefined && old.status === status && old.reason === reason && old.message === message) continue;
    changed = true;
    const lastTransitionTime = old?.status === status ? old.lastTransitionTime! : formatTime(now);
    const condition: NamespaceCondition = { type, status: status!, lastTransitionTime, reason: reason!, message: message! };
    if (old === undefined) next.push(condition);
    else next[next.indexOf(old)] = condition;
  }
  return changed ? next : before;
}

function problemsOf(outcome: DeletionOutcome): ReadonlyMap<ConditionType, readonly [reason: string, message: string]> {
  const problems = new Map<ConditionType, readonly [string, string]>();
  const { discoveryError, contentErrors, remaining, remainingFinalizers } = outcome;
  if (discoveryError !== undefined) problems.set('NamespaceDeletionDiscoveryFailure', ['DiscoveryFailed', discoveryError]);
  if (contentErrors.length > 0) {
    const text = [...contentErrors].sort().join(', ');
    problems.set('NamespaceDeletionContentFailure', [
      'ContentDeletionFailed',
      `Failed to delete all resource types, ${contentErrors.length} remaining: ${text}`,
    ]);
  }
  if (remaining.size > 0) {
    const parts = [...remaining].map(([resource, n]) => `${resource} has ${n} resource instances`).sort();
    problems.set('NamespaceContentRemaining', ['SomeResourcesRemain', `Some resources are remaining: ${parts.join(', ')}`]);
  }
  if (remainingFinalizers.size > 0) {
    const parts = [...remainingFinalizers].map(([finalizer, n]) => `${finalizer} in ${n} resource instances`).sort();
    problems.set('NamespaceFinalizersRemaining', [
      'SomeFinalizersRemain',
      `Some content in the namespace has finalizers remaining: ${parts.join(', ')}`,
    ]);
  }
  return problems;
}
