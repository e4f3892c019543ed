import { badRequest, isStatusError } from '../../api/meta/status.ts';
import { type PatchType, patchTypes } from '../../api/request.ts';
import { JSON_FAULT } from '../../api/wire/json-members.ts';

/** As much of a body is shown to whoever sent it; upstream's summarizeData. Bytes. */
const SHOWN_BYTES = 30;
const OPEN_BRACE = 0x7b;

/** What is said of an object that cannot be read, or does not tell its type; other errors stay as they are. */
export function unreadableObject(err: unknown, body: Buffer, kind: string | undefined): unknown {
  if (kind === undefined || !isStatusError(err, 'BadRequest')) return err;
  return badRequest(`the object provided is unrecognized (must be of type ${kind}): ${err.message} (${summaryOf(body)})`);
}

function summaryOf(body: Buffer): string {
  if (body.length === 0) return '<empty>';
  const shown = body.subarray(0, SHOWN_BYTES).toString(body[0] === OPEN_BRACE ? 'utf8' : 'hex');
  return body.length > SHOWN_BYTES ? `${shown} ...` : shown;
}

/** What is said of a patch that cannot be read: upstream reads each type with another function. */
export function unreadablePatch(err: unknown, type: PatchType): unknown {
  if (!isStatusError(err, 'BadRequest')) return err;
  const cause = err.message.startsWith(JSON_FAULT) ? err.message.slice(JSON_FAULT.length) : err.message;
  switch (type) {
    case patchTypes.apply:
      return badRequest(`error decoding YAML: error converting YAML to JSON: ${cause}`);
    case patchTypes.strategic:
      return badRequest(cause);
    default:
      return badRequest(`error decoding patch: ${cause}`);
  }
}
