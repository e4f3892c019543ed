/** A port or an amount: a number, or a name or percentage. */
export type IntOrString = number | string;

const percentage = /^[+-]?[0-9]+$/;

/**
 * Of `total`, what an int-or-percent says: `25%` of 10 is 3 rounded up and 2 rounded down; a number is itself.
 * Throws with apimachinery's message when a string is not a percentage.
 */
export function scaledValue(value: IntOrString, total: number, roundUp: boolean): number {
  if (typeof value === 'number') return value;
  const percent = parsePercent(value);
  const scaled = (percent * total) / 100;
  return roundUp ? Math.ceil(scaled) : Math.floor(scaled);
}

/** The number before the `%`; throws otherwise. */
export function parsePercent(value: string): number {
  if (!value.endsWith('%')) throw new Error('invalid value for IntOrString: invalid type: string is not a percentage');
  const digits = value.slice(0, -1);
  if (!percentage.test(digits)) {
    throw new Error(
      `invalid value for IntOrString: invalid value ${JSON.stringify(value)}: strconv.Atoi: parsing ${JSON.stringify(digits)}: invalid syntax`,
    );
  }
  return Number(digits);
}

/** Whether a text is digits and a percent sign: `25%`. */
export const isPercent = (value: string): boolean => /^[0-9]+%$/.test(value);

/** Reads a flag or annotation: an int32 when it is one, the text otherwise (intstr.Parse). */
export function parseIntOrString(text: string): IntOrString {
  if (!percentage.test(text)) return text;
  const n = Number(text);
  return n >= -0x80000000 && n <= 0x7fffffff ? n + 0 : text;
}

/** The number, or a string's number, or 0. */
export function intValue(value: IntOrString): number {
  if (typeof value === 'number') return value;
  return percentage.test(value) ? Number(value) : 0;
}
