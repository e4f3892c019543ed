import type { Chain, NamedSet, Ruleset } from './ruleset.ts';

/** Elements per command, so that no line of a script grows without bound. */
const ELEMENTS_PER_COMMAND = 500;

/**
 * The nft commands that turn table `table` from `from` into `to`; '' when nothing is to be done. One script is one transaction: traffic
 * sees the old rules or the new ones. Without `from` the table is made anew, whatever it held. What did not change is not touched, so that
 * the memory of dynamic sets (session affinity) stays.
 */
export function rulesetCommands(family: string, table: string, from: Ruleset | undefined, to: Ruleset): string {
  const at = `${family} ${table}`;
  const lines: string[] = [];
  if (from === undefined) lines.push(`add table ${at}`, `delete table ${at}`, `add table ${at}`);
  const before = from ?? { chains: new Map<string, Chain>(), sets: new Map<string, NamedSet>() };
  const anew =
    from === undefined
      ? []
      : [...to.sets].filter(([name, set]) => changedDeclaration(before.sets.get(name), set)).map(([name]) => name);

  const newChains = [...to.chains].filter(([name]) => !before.chains.has(name));
  for (const [name, chain] of newChains)
    lines.push(`add chain ${at} ${name}${chain.hook === undefined ? '' : ` { ${chain.hook} }`}`);
  // A set whose declaration changed must go first, and with it every rule that names it.
  const refreshed = new Set(
    [...to.chains]
      .filter(([, chain]) => anew.some((set) => chain.rules.some((r) => r.includes(`@${set}`))))
      .map(([name]) => name),
  );
  for (const name of refreshed) if (before.chains.has(name)) lines.push(`flush chain ${at} ${name}`);
  for (const name of anew) lines.push(`delete ${before.sets.get(name)!.kind} ${at} ${name}`);
  for (const [name, set] of to.sets) {
    if (!before.sets.has(name) || anew.includes(name)) lines.push(`add ${set.kind} ${at} ${name} { ${set.declaration} }`);
  }
  for (const [name, chain] of to.chains) {
    const old = before.chains.get(name);
    if (old !== undefined && sameRules(old, chain) && !refreshed.has(name)) continue;
    if (old !== undefined && !refreshed.has(name)) lines.push(`flush chain ${at} ${name}`);
    for (const rule of chain.rules) lines.push(`add rule ${at} ${name} ${rule}`);
  }
  for (const [name, set] of to.sets) {
    const old = anew.includes(name) ? undefined : before.sets.get(name);
    const gone = [...(old?.elements ?? [])].filter(([key, value]) => set.elements.get(key) !== value).map(([key]) => key);
    const added = [...set.elements].filter(([key, value]) => old?.elements.get(key) !== value);
    pushElements(lines, `delete element ${at} ${name}`, gone);
    pushElements(
      lines,
      `add element ${at} ${name}`,
      added.map(([key, value]) => (value === '' ? key : `${key} : ${value}`)),
    );
  }
  const oldChains = [...before.chains.keys()].filter((name) => !to.chains.has(name));
  for (const name of oldChains) lines.push(`flush chain ${at} ${name}`);
  for (const name of oldChains) lines.push(`delete chain ${at} ${name}`);
  for (const [name, set] of before.sets) if (!to.sets.has(name)) lines.push(`delete ${set.kind} ${at} ${name}`);
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

const changedDeclaration = (old: NamedSet | undefined, set: NamedSet): boolean =>
  old !== undefined && (old.declaration !== set.declaration || old.kind !== set.kind);

const sameRules = (a: Chain, b: Chain): boolean =>
  a.rules.length === b.rules.length && a.rules.every((rule, i) => rule === b.rules[i]);

function pushElements(lines: string[], command: string, elements: readonly string[]): void {
  for (let i = 0; i < elements.length; i += ELEMENTS_PER_COMMAND) {
    lines.push(`${command} { ${elements.slice(i, i + ELEMENTS_PER_COMMAND).join(', ')} }`);
  }
}
