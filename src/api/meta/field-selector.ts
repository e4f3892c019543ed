import { SelectorError } from './label-selector.ts';

/** One condition on one field. */
export interface FieldRequirement {
  readonly field: string;
  readonly operator: '=' | '!=';
  readonly value: string;
}

/** Conditions on fields, all of which must hold. Immutable. */
export class FieldSelector {
  readonly requirements: readonly FieldRequirement[];
  constructor(requirements: readonly FieldRequirement[]) {
    this.requirements = requirements;
  }

  get empty(): boolean {
    return this.requirements.length === 0;
  }

  /** Whether an object passes; `get` gives the value of a field, '' for one it has not. */
  matches(get: (field: string) => string): boolean {
    for (const { field, operator, value } of this.requirements) if ((get(field) === value) !== (operator === '=')) return false;
    return true;
  }

  /** The one value a field must have; undefined when several may do. */
  exactValue(field: string): string | undefined {
    return this.requirements.find((r) => r.field === field && r.operator === '=')?.value;
  }

  /** The text, as it could be parsed again. */
  toString(): string {
    return this.requirements.map((r) => `${r.field}${r.operator}${escapeFieldValue(r.value)}`).join(',');
  }
}

export const everyField: FieldSelector = new FieldSelector([]);

/** Parses `status.phase!=Running,spec.nodeName=a`. Throws a SelectorError with apimachinery's message. */
export function parseFieldSelector(text: string): FieldSelector {
  const requirements: FieldRequirement[] = [];
  for (const term of splitTerms(text).sort()) {
    if (term === '') continue;
    const match = /^(.*?)(!=|==|=)(.*)$/s.exec(term);
    if (match === null) throw new SelectorError(`invalid selector: '${text}'; can't understand '${term}'`);
    requirements.push({ field: match[1]!, operator: match[2] === '!=' ? '!=' : '=', value: unescapeFieldValue(match[3]!) });
  }
  return requirements.length === 0 ? everyField : new FieldSelector(requirements);
}

/** The selector that asks for one value of one field. */
export const oneField = (field: string, value: string): FieldSelector => new FieldSelector([{ field, operator: '=', value }]);

/** Splits at commas that no backslash stands before. */
function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === ',') {
      terms.push(text.slice(start, i));
      start = i + 1;
    }
  }
  terms.push(text.slice(start));
  return terms;
}

/** Puts a backslash before every comma, equals sign and backslash. */
export const escapeFieldValue = (value: string): string => value.replace(/[\\,=]/g, '\\$&');

/** Takes the backslashes out. Throws a SelectorError for one that escapes nothing, and for a bare `,` or `=`. */
export function unescapeFieldValue(text: string): string {
  if (!/[\\,=]/.test(text)) return text;
  let out = '';
  const characters = [...text];
  for (let i = 0; i < characters.length; i++) {
    const c = characters[i]!;
    if (c === '\\') {
      const escaped = characters[++i] ?? '';
      if (escaped === '' || !'\\,='.includes(escaped)) {
        throw new SelectorError(`invalid field selector: invalid escape sequence: \\${escaped}`);
      }
      out += escaped;
    } else if (c === ',' || c === '=') {
      throw new SelectorError(`invalid field selector: unescaped character in value: ${c.codePointAt(0)}`);
    } else out += c;
  }
  return out;
}
