/** One that seats are given to: what it would like, and what it gets at least and at most. */
export interface Claimant {
  readonly target: number;
  readonly least: number;
  readonly most: number;
}

/** Targets below this are taken for this: proportions of nothing cannot be told. */
const MIN_TARGET = 0.001;

/**
 * The proportion `p` at which everybody's `target × p`, kept within bounds, comes to `total` (KEP-1040's fair fraction). When the bounds do
 * not let it come to that, the `p` that comes nearest.
 */
export function fairProportion(total: number, claimants: readonly Claimant[]): number {
  const sumAt = (p: number): number => {
    let sum = 0;
    for (const claimant of claimants) sum += shareAt(claimant, p);
    return sum;
  };
  const bounds = claimants.flatMap((c) => [c.least / target(c), c.most / target(c)]).sort((a, b) => a - b);
  let below = 0;
  for (const bound of bounds) {
    const to = sumAt(bound);
    if (to >= total) {
      const from = sumAt(below);
      // Between two bounds nobody reaches one: the sum grows as a line does.
      return to === from ? bound : below + ((total - from) / (to - from)) * (bound - below);
    }
    below = bound;
  }
  return below;
}

/** What a claimant gets at a proportion. */
export const shareAt = (claimant: Claimant, p: number): number =>
  Math.max(claimant.least, Math.min(claimant.most, p * target(claimant)));

const target = (claimant: Claimant): number => Math.max(claimant.target, MIN_TARGET);

/** The limits of a priority level, in seats. */
export interface SeatLimits {
  readonly nominal: number;
  /** What it keeps when others borrow. */
  readonly least: number;
  /** What it has with all it may borrow. */
  readonly most: number;
}

/** The limits that a level's shares come to, out of `shareSum`, when the server has `serverSeats`. */
export function seatLimits(
  shares: number,
  lendablePercent: number,
  borrowingLimitPercent: number | undefined,
  shareSum: number,
  serverSeats: number,
): SeatLimits {
  const nominal = shareSum === 0 ? 0 : Math.ceil((serverSeats * shares) / shareSum);
  const lendable = Math.round((nominal * lendablePercent) / 100);
  const borrowing = borrowingLimitPercent === undefined ? serverSeats : Math.round((nominal * borrowingLimitPercent) / 100);
  return { nominal, least: nominal - lendable, most: nominal + borrowing };
}
