import type { ObjectMeta } from '../../../api/meta/object.ts';
import type { PodSpec } from '../../../api/types/core-v1.ts';
import { baselineChecks } from './baseline.ts';
import type { Check, PodCheck, Violation } from './check.ts';
import type { LevelVersion } from './policy.ts';
import { restrictedChecks } from './restricted.ts';

/** The minor of the newest standard that this release knows; later ones are taken for it. */
const NEWEST = 36;

/** Everything in a pod that violates a standard. */
export type Evaluator = (policy: LevelVersion, spec: PodSpec, metadata: ObjectMeta | undefined) => readonly Violation[];

/** Makes an evaluator; it picks the checks of a standard once. */
export function createEvaluator(): Evaluator {
  const chosen = new Map<string, readonly PodCheck[]>();
  return ({ level, version }, spec, metadata) => {
    if (level === 'privileged') return none;
    const minor = version === 'latest' ? NEWEST : Math.min(version, NEWEST);
    const key = `${level} ${minor}`;
    let checks = chosen.get(key);
    if (checks === undefined) {
      checks = level === 'baseline' ? choose(baselineChecks, minor, none) : restricted(minor);
      chosen.set(key, checks);
    }
    let found: Violation[] | undefined;
    for (const check of checks) {
      const violation = check(spec, metadata);
      if (violation !== undefined) (found ??= []).push(violation);
    }
    return found ?? none;
  };
}
const none: readonly never[] = [];

/** `host namespaces (hostPID=true), privileged (…)`. */
export const describeViolations = (violations: readonly Violation[]): string =>
  violations.map(({ reason, detail }) => (detail === '' ? reason : `${reason} (${detail})`)).join(', ');

const versionOf = (check: Check, minor: number): Check['versions'][number] | undefined =>
  check.versions.findLast((v) => v.from <= minor);

const choose = (checks: readonly Check[], minor: number, without: readonly string[]): readonly PodCheck[] =>
  checks.filter((c) => !without.includes(c.id)).flatMap((c) => versionOf(c, minor)?.check ?? []);

function restricted(minor: number): readonly PodCheck[] {
  const overridden = restrictedChecks.flatMap((c) => versionOf(c, minor)?.overrides ?? []);
  return [...choose(baselineChecks, minor, overridden), ...choose(restrictedChecks, minor, none)];
}
