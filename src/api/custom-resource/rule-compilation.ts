import { CompileError, compileExpression, type Program, ProgramError } from '../cel/compile.ts';
import { type DeclType, MAX_REQUEST_BYTES } from '../cel/decl-type.ts';
import { optionalOf } from '../cel/types.ts';
import type { JSONSchemaProps, ValidationRule } from '../types/apiextensions-v1.ts';

/** One of `x-kubernetes-validations`, compiled. */
export interface CompiledRule {
  readonly rule: ValidationRule;
  /** Undefined for an empty rule, and for one that does not compile. */
  readonly program: Program | undefined;
  /** Why it does not compile. */
  readonly error: string | undefined;
  readonly usesOldSelf: boolean;
  readonly message: Program | undefined;
  readonly messageError: string | undefined;
  /** Where a failure is told, within the value: `spec.limits[a]`; '' for the value itself. */
  readonly fieldPath: string;
}

const compiled = new WeakMap<ValidationRule, WeakMap<DeclType, CompiledRule>>();

/** Compiles a rule against the type of its value, once. */
export function compileRule(rule: ValidationRule, schema: JSONSchemaProps, self: DeclType): CompiledRule {
  let byType = compiled.get(rule);
  if (byType === undefined) compiled.set(rule, (byType = new WeakMap()));
  let known = byType.get(self);
  if (known === undefined) byType.set(self, (known = compile(rule, schema, self)));
  return known;
}

function compile(rule: ValidationRule, schema: JSONSchemaProps, self: DeclType): CompiledRule {
  const base = {
    rule,
    usesOldSelf: false,
    program: undefined,
    error: undefined,
    message: undefined,
    messageError: undefined,
    fieldPath: rule.fieldPath ? normalizedPath(rule.fieldPath, schema) : '',
  };
  if ((rule.rule ?? '').trim() === '') return base;
  const variables = { self, oldSelf: rule.optionalOldSelf === true ? optionalOf(self.type) : self };
  const program = attempt(rule.rule, variables, 'bool', 'compilation failed: ', 'cel expression must evaluate to a bool');
  if (typeof program === 'string') return { ...base, error: program };
  const result = { ...base, program, usesOldSelf: program.references.has('oldSelf') };
  if (!rule.messageExpression) return result;
  const wrong = 'messageExpression must evaluate to a string';
  const message = attempt(rule.messageExpression, variables, 'string', 'messageExpression compilation failed: ', wrong);
  return typeof message === 'string' ? { ...result, messageError: message } : { ...result, message };
}

/** The program, or why there is none. */
function attempt(
  source: string,
  variables: Parameters<typeof compileExpression>[1],
  type: 'bool' | 'string',
  prefix: string,
  wrongType: string,
): Program | string {
  try {
    const program = compileExpression(source, variables);
    return program.type.kind === type ? program : wrongType;
  } catch (err) {
    if (err instanceof ProgramError) return err.message;
    if (err instanceof CompileError) return prefix + err.message;
    throw err;
  }
}

/** How often a value of this type can be in one request at most. */
export const mostOften = (type: DeclType): number => Math.trunc(MAX_REQUEST_BYTES / (type.minSize + 1));

/** `.spec.limits['a.b']` as errors write it: fields by dots, keys of maps in brackets. */
function normalizedPath(text: string, root: JSONSchemaProps): string {
  let out = '';
  let schema: JSONSchemaProps | undefined = root;
  for (const [, plain, quoted] of text.matchAll(/\.([^.[\]']+)|\['((?:[^'\\]|\\.)*)'\]/g)) {
    const name = plain ?? quoted!.replace(/\\(['\\])/g, '$1');
    if (schema?.properties !== undefined) {
      out = out === '' ? name : `${out}.${name}`;
      schema = schema.properties[name];
    } else {
      out = `${out}[${name}]`;
      schema = typeof schema?.additionalProperties === 'object' ? schema.additionalProperties : undefined;
    }
  }
  return out;
}
