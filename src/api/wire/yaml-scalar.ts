/**
 * What a plain YAML scalar means to go-yaml v2, which sigs.k8s.io/yaml reads with: YAML 1.1, without its base-60 numbers.
 * `undefined` means that it is a string.
 */
export type Resolved = { readonly value: boolean | number | null | string } | undefined;

const words: ReadonlyMap<string, boolean | number | null> = new Map<string, boolean | number | null>([
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON'].map((w) => [w, true] as const),
  ...['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF'].map((w) => [w, false] as const),
  ...['', '~', 'null', 'Null', 'NULL'].map((w) => [w, null] as const),
  ...['.nan', '.NaN', '.NAN'].map((w) => [w, Number.NaN] as const),
  ...['.inf', '.Inf', '.INF', '+.inf', '+.Inf', '+.INF'].map((w) => [w, Number.POSITIVE_INFINITY] as const),
  ...['-.inf', '-.Inf', '-.INF'].map((w) => [w, Number.NEGATIVE_INFINITY] as const),
]);

const integer = /^([-+]?)(0b[01]+|0o?[0-7]+|0x[0-9a-fA-F]+|0|[1-9][0-9]*)$/i;
const float = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/;

/** The value of a plain scalar, when it is not a string. */
export function resolvePlain(text: string): Resolved {
  const word = words.get(text);
  if (word !== undefined) return { value: word };
  if (!/^[-+.0-9]/.test(text)) return undefined;
  // Times look like numbers at first, and stay strings.
  if (/^[0-9]{4}-/.test(text)) return undefined;
  const plain = text.replaceAll('_', '');
  const match = integer.exec(plain);
  if (match !== null) {
    const digits = match[2]!.toLowerCase();
    const value = /^0[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number(digits);
    return { value: match[1] === '-' ? 0 - value : value };
  }
  return float.test(plain) ? { value: Number(plain) } : undefined;
}

const timestamp = /^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ][0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(\.[0-9]*)?(Z|[-+][0-9]{2}:[0-9]{2})?)?$/;
const base60 = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/;

/** Whether a string, written plain, would be read as something else, here or by another reader of YAML 1.1. */
export const needsQuotes = (text: string): boolean =>
  text === '<<' || resolvePlain(text) !== undefined || timestamp.test(text) || base60.test(text);
