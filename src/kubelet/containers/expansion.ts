/**
 * Replaces `$(NAME)` by what `lookup` says; `$$` is a dollar, and a reference to an unknown name stays as it stands
 * (third_party/forked/golang/expansion).
 */
export function expand(input: string, lookup: (name: string) => string | undefined): string {
  if (!input.includes('$')) return input;
  let out = '';
  let i = 0;
  while (i < input.length) {
    const c = input[i]!;
    if (c !== '$' || i + 1 >= input.length) {
      out += c;
      i++;
      continue;
    }
    const next = input[i + 1]!;
    if (next === '$') {
      out += '$';
      i += 2;
    } else if (next === '(') {
      const end = input.indexOf(')', i + 2);
      if (end < 0) {
        out += '$(';
        i += 2;
      } else {
        const name = input.slice(i + 2, end);
        out += lookup(name) ?? `$(${name})`;
        i = end + 1;
      }
    } else {
      out += c + next;
      i += 2;
    }
  }
  return out;
}

/** As `expand`, but every name must be known: subPathExpr. Returns the names that are not. */
export function expandStrict(
  input: string,
  lookup: (name: string) => string | undefined,
): { readonly text: string; readonly missing: readonly string[] } {
  const missing: string[] = [];
  const text = expand(input, (name) => {
    const value = lookup(name);
    if (value === undefined) missing.push(name);
    return value;
  });
  return { text, missing };
}
