/** The text of a header: Node gives its bytes as Latin-1. */
export const headerText = (value: string): string => Buffer.from(value, 'latin1').toString('utf8');

/** The percent-encoded end of a header's name; what is no percent-encoding stays as it is, as upstream has it. */
export function unescapeKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}
