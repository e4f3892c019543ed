import { type CompileOptions, compileExpression, type Program, type Variables } from './compile.ts';
import { formatType, type Type } from './types.ts';

/** An expression compiled, or what is wrong with it. */
export type TypedExpression =
  | { readonly program: Program; readonly fault?: undefined }
  | {
      /** There is one where nothing but its type is wrong. */
      readonly program?: Program;
      readonly fault: string;
    };

/** Compiles an expression that must be of one of the types; of any when they are left out. */
export function compileTyped(
  source: string,
  variables: Variables,
  results?: readonly Type[],
  options?: CompileOptions,
): TypedExpression {
  let program: Program;
  try {
    program = compileExpression(source, variables, options);
  } catch (err) {
    return { fault: `compilation failed: ${(err as Error).message}` };
  }
  const found = formatType(program.type);
  const wanted = results?.map(formatType);
  if (wanted === undefined || wanted.includes(found)) return { program };
  return {
    program,
    fault: `must evaluate to ${wanted.length === 1 ? wanted[0] : `one of [${wanted.join(' ')}]`} but got ${found}`,
  };
}
