import { Quantity } from '../meta/quantity.ts';
import type { ResourceList } from '../types/core-v1.ts';

/** Amounts of named resources that are reckoned with: `pods` → 3. */
export type Amounts = ReadonlyMap<string, Quantity>;

const zero = Quantity.of(0);

export const amountsOf = (list: ResourceList | undefined): Amounts =>
  new Map(Object.entries(list ?? {}).map(([name, text]) => [name, Quantity.parse(String(text))]));

export const toResourceList = (amounts: Amounts): ResourceList =>
  Object.fromEntries([...amounts].map(([name, amount]) => [name, amount.toString()]));

export function addAmounts(a: Amounts, b: Amounts): Amounts {
  const sum = new Map(a);
  for (const [name, amount] of b) {
    const had = sum.get(name);
    sum.set(name, had === undefined ? amount : had.add(amount));
  }
  return sum;
}

/** `a - b` of what `a` names, never less than nothing; what only `b` names is nothing. */
export function subtractToZero(a: Amounts, b: Amounts): Amounts {
  const difference = new Map<string, Quantity>();
  for (const [name, amount] of a) {
    const less = b.get(name);
    const left = less === undefined ? amount : amount.sub(less);
    difference.set(name, left.sign < 0 ? zero : left);
  }
  for (const name of b.keys()) if (!a.has(name)) difference.set(name, zero);
  return difference;
}

/** Only the named ones. */
export function maskAmounts(amounts: Amounts, names: Iterable<string>): Amounts {
  const kept = new Map<string, Quantity>();
  for (const name of names) {
    const amount = amounts.get(name);
    if (amount !== undefined) kept.set(name, amount);
  }
  return kept;
}

export const withoutZeros = (amounts: Amounts): Amounts => new Map([...amounts].filter(([, amount]) => !amount.isZero));

/** The names of which `amounts` has more than `limits` allow. */
export const exceeding = (amounts: Amounts, limits: Amounts): readonly string[] =>
  [...amounts].filter(([name, amount]) => (limits.get(name)?.compare(amount) ?? 0) < 0).map(([name]) => name);

export const sameAmounts = (a: Amounts, b: Amounts): boolean =>
  a.size === b.size && [...a].every(([name, amount]) => b.get(name)?.equals(amount) === true);

/** `cpu=1,pods=2`, by name. */
export const describeAmounts = (amounts: Amounts): string =>
  [...amounts]
    .map(([name, amount]) => `${name}=${amount}`)
    .sort()
    .join(',');
