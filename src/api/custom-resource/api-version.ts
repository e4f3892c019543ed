interface Parts {
  readonly major: bigint;
  /** 3 for `v1`, 2 for betas, 1 for alphas. */
  readonly stage: number;
  readonly minor: bigint;
}

function parse(name: string): Parts | undefined {
  const found = /^v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?$/.exec(name);
  if (found === null) return undefined;
  const stage = found[2] === undefined ? 3 : found[2] === 'beta' ? 2 : 1;
  return { major: BigInt(found[1]!), stage, minor: BigInt(found[3] ?? 0) };
}

/**
 * The order of API versions: stable before beta before alpha, then by their numbers; what is no version comes last, by its letters, backwards
 * (apimachinery CompareKubeAwareVersionStrings). Positive when `a` is the better one.
 */
export function compareVersions(a: string, b: string): number {
  if (a === b) return 0;
  const [x, y] = [parse(a), parse(b)];
  if (x === undefined || y === undefined) {
    if (x !== undefined) return 1;
    if (y !== undefined) return -1;
    return a < b ? 1 : -1;
  }
  if (x.stage !== y.stage) return x.stage - y.stage;
  if (x.major !== y.major) return x.major > y.major ? 1 : -1;
  return x.minor > y.minor ? 1 : -1;
}
