import { type FieldError, invalid } from '../../../api/meta/field-error.ts';

/** The Pod Security Standards, from loose to strict. */
export type Level = 'privileged' | 'baseline' | 'restricted';
const levels: readonly Level[] = ['privileged', 'baseline', 'restricted'];

/** Which release's standard counts: the minor of a 1.x, or the newest that this server knows. */
export type Version = number | 'latest';

export interface LevelVersion {
  readonly level: Level;
  readonly version: Version;
}

/** What a namespace asks for its pods. */
export interface Policy {
  readonly enforce: LevelVersion;
  readonly audit: LevelVersion;
  readonly warn: LevelVersion;
}

type Mode = keyof Policy;
const modes: readonly Mode[] = ['enforce', 'audit', 'warn'];

export const LABEL_PREFIX = 'pod-security.kubernetes.io/';
const anything: LevelVersion = { level: 'privileged', version: 'latest' };
/** What holds where no label says otherwise. */
export const defaultPolicy: Policy = { enforce: anything, audit: anything, warn: anything };

export const describePolicy = ({ level, version }: LevelVersion): string =>
  `${level}:${version === 'latest' ? version : `v1.${version}`}`;

export const samePolicy = (a: LevelVersion, b: LevelVersion): boolean => a.level === b.level && a.version === b.version;

/** Positive when `a` is stricter than `b`. */
export const compareLevels = (a: Level, b: Level): number => levels.indexOf(a) - levels.indexOf(b);

export const isFullyPrivileged = (policy: Policy): boolean => modes.every((mode) => policy[mode].level === 'privileged');

/**
 * The policy that a namespace's labels make, and what is wrong with them. What cannot be read counts as the strictest level where it is
 * enforced, and as none where it is only told.
 */
export function policyOf(labels: Readonly<Record<string, string>> | undefined): {
  readonly policy: Policy;
  readonly errors: readonly FieldError[];
} {
  const errors: FieldError[] = [];
  const policy: Record<Mode, LevelVersion> = { ...defaultPolicy };
  const told = new Set<Mode>();
  for (const mode of modes) {
    const level = labels?.[LABEL_PREFIX + mode];
    if (level !== undefined) {
      const known = levels.find((l) => l === level);
      if (known === undefined) errors.push(invalid(labelPath(mode), level, `must be one of ${levels.join(', ')}`));
      // An enforced level that cannot be read does not become the level of warnings.
      if (known !== undefined || mode === 'warn') told.add(mode);
      policy[mode] = { ...policy[mode], level: known ?? (mode === 'enforce' ? 'restricted' : 'privileged') };
    }
    const version = labels?.[`${LABEL_PREFIX}${mode}-version`];
    if (version !== undefined) {
      const known = parseVersion(version);
      if (known === undefined) errors.push(invalid(labelPath(`${mode}-version`), version, 'must be "latest" or "v1.x"'));
      policy[mode] = { ...policy[mode], version: known ?? 'latest' };
    }
  }
  if (!told.has('warn') && told.has('enforce') && compareLevels(policy.enforce.level, policy.warn.level) > 0) {
    const ownVersion = labels?.[`${LABEL_PREFIX}warn-version`] !== undefined;
    policy.warn = { level: policy.enforce.level, version: ownVersion ? policy.warn.version : policy.enforce.version };
  }
  return { policy, errors };
}

const labelPath = (name: string): string => `metadata.labels[${LABEL_PREFIX}${name}]`;

function parseVersion(text: string): Version | undefined {
  if (text === 'latest') return text;
  const match = /^v1\.(\d|[1-9]\d*)$/.exec(text);
  return match === null ? undefined : Number(match[1]);
}
