/** Go's %v of a JSON value as it holds them: `map[a:1 b:[x y]]`, names in order. */
export function goText(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(goText).join(' ')}]`;
  if (typeof value !== 'object') return String(value);
  const map = value as Readonly<Record<string, unknown>>;
  const members = Object.keys(map).sort();
  return `map[${members.map((name) => `${name}:${goText(map[name])}`).join(' ')}]`;
}
