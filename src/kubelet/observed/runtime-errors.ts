import { RuntimeError, runtimeErrorCodes } from '../../runtime/contract.ts';

const names: Readonly<Record<number, string>> = {
  1: 'Canceled',
  2: 'Unknown',
  3: 'InvalidArgument',
  4: 'DeadlineExceeded',
  5: 'NotFound',
  6: 'AlreadyExists',
  7: 'PermissionDenied',
  8: 'ResourceExhausted',
  9: 'FailedPrecondition',
  10: 'Aborted',
  11: 'OutOfRange',
  12: 'Unimplemented',
  13: 'Internal',
  14: 'Unavailable',
  15: 'DataLoss',
  16: 'Unauthenticated',
};

/** An error of the runtime as Go prints it: `rpc error: code = NotFound desc = …`. Others by their message. */
export function rpcText(err: unknown): string {
  if (err instanceof RuntimeError && !err.message.startsWith('rpc error:')) {
    return `rpc error: code = ${names[err.code] ?? `Code(${err.code})`} desc = ${err.message}`;
  }
  return err instanceof Error ? err.message : String(err);
}

/** An error's description alone. */
export const errorText = (err: unknown): string => (err instanceof Error ? err.message : String(err));

export const isRuntimeNotFound = (err: unknown): boolean =>
  err instanceof RuntimeError && err.code === runtimeErrorCodes.notFound;

/** A container that cannot be started now: the reason of its waiting state, and the message there. */
export class StartError extends Error {
  override readonly name = 'StartError';
  readonly reason: string;
  /** Milliseconds until it is worth trying again; undefined for the usual back-off. */
  readonly retryIn: number | undefined;
  constructor(reason: string, message: string, retryIn?: number) {
    super(message);
    this.reason = reason;
    this.retryIn = retryIn;
  }
}
