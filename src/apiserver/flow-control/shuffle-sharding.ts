import { createHash } from 'node:crypto';

/**
 * Flows are dealt hands of queues: two flows seldom share all of theirs, so that one that floods its queues leaves others a way through
 * (KEP-1040; the sharding is that of k8s.io/apiserver's shufflesharding).
 */

/** The entropy of a flow: the first eight bytes of the digest of its schema's name and its distinguisher. */
export function hashFlow(schema: string, distinguisher: string): bigint {
  return createHash('sha256').update(schema).update('\0').update(distinguisher).digest().readBigUInt64LE(0);
}

/** `handSize` different numbers below `deckSize`, as `entropy` has it. Validation sees to it that it suffices. */
export function dealHand(entropy: bigint, deckSize: number, handSize: number): readonly number[] {
  const hand: number[] = [];
  const remainders: number[] = [];
  let rest = entropy;
  for (let i = 0; i < handSize; i++) {
    const size = BigInt(deckSize - i);
    remainders.push(Number(rest % size));
    rest /= size;
  }
  for (let i = 0; i < handSize; i++) {
    let card = remainders[i]!;
    for (let j = i - 1; j >= 0; j--) if (card >= remainders[j]!) card++;
    hand.push(card);
  }
  return hand;
}
