/**
 * Two objects side by side, as upstream's messages show what an update may not change (go-cmp's report): unchanged lines by number,
 * the rest with `-` and `+`. For people; upstream itself promises no stable form.
 */
export function specDiff(type: string, before: unknown, after: unknown): string {
  const lines: string[] = [];
  differ(type, '', before, after, 0, lines, true);
  return lines.join('\n');
}

/** Longer reports are cut: they go into an error message. */
const maxLines = 200;

function differ(type: string, label: string, before: unknown, after: unknown, depth: number, lines: string[], top = false): void {
  const pad = '\t'.repeat(depth);
  if (!isContainer(before) || !isContainer(after) || Array.isArray(before) !== Array.isArray(after)) {
    if (before !== undefined) lines.push(`- ${pad}${label}${goText(before)},`);
    if (after !== undefined) lines.push(`+ ${pad}${label}${goText(after)},`);
    return;
  }
  lines.push(`  ${top ? '' : pad}${label}${top ? type : ''}{`);
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  let same = 0;
  const flush = (): void => {
    if (same > 0) lines.push(`  ${pad}\t... // ${same} identical ${Array.isArray(before) ? 'elements' : 'fields'}`);
    same = 0;
  };
  for (const key of keys) {
    const left = (before as Readonly<Record<string, unknown>>)[key];
    const right = (after as Readonly<Record<string, unknown>>)[key];
    if (JSON.stringify(left) === JSON.stringify(right)) {
      same++;
      continue;
    }
    flush();
    if (lines.length >= maxLines) {
      lines.push(`  ${pad}\t...`);
      break;
    }
    differ('', Array.isArray(before) ? '' : `${goName(key)}: `, left, right, depth + 1, lines);
  }
  flush();
  lines.push(`  ${top ? '' : pad}}${top ? '' : ','}`);
}

const isContainer = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** The field of the Go struct: upstream's reports are about those. */
const goName = (key: string): string => (/^[a-z]/.test(key) ? key[0]!.toUpperCase() + key.slice(1) : JSON.stringify(key));

const goText = (value: unknown): string => (value === null ? 'nil' : JSON.stringify(value));
