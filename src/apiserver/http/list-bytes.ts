import { copyItem, itemLength } from '../rest/codec.ts';
import type { ListResult } from '../rest/read.ts';

/** A list is written in pieces of about this size, so that a large one neither blocks the loop nor doubles in memory. */
const PIECE_BYTES = 512 * 1024;
/** Entries put into one piece at most: making their bytes may cost a stringify each. */
const PIECE_ENTRIES = 500;

const COMMA = 0x2c;
const tail = Buffer.from(']}\n');

/** The JSON of a list, piece by piece, made of the ready bytes of its items. */
export function* listPieces(result: ListResult): Generator<Buffer, void, undefined> {
  const { entries, endpoint } = result;
  const head = listHead(result);
  let index = 0;
  let lead: Buffer | undefined = head;
  do {
    let size = lead?.length ?? 0;
    const from = index;
    const parts: Uint8Array[] = [];
    while (index < entries.length && index - from < PIECE_ENTRIES && size < PIECE_BYTES) {
      const bytes = endpoint.bytes(entries[index]!);
      size += 1 + (endpoint.itemHead.length === 0 ? bytes.length : itemLength(bytes, endpoint.itemHead));
      parts.push(bytes);
      index++;
    }
    const last = index === entries.length;
    const piece = Buffer.allocUnsafe(size + (last ? tail.length : 0));
    let at = 0;
    if (lead !== undefined) {
      piece.set(lead, 0);
      at = lead.length;
      lead = undefined;
    }
    for (let i = 0; i < parts.length; i++) {
      if (from + i > 0) piece[at++] = COMMA;
      const bytes = parts[i]!;
      if (endpoint.itemHead.length === 0) {
        piece.set(bytes, at);
        at += bytes.length;
      } else at = copyItem(bytes, endpoint.itemHead, piece, at);
    }
    if (last) {
      piece.set(tail, at);
      at += tail.length;
    }
    yield at === piece.length ? piece : piece.subarray(0, at);
  } while (index < entries.length);
}

/** List metadata as upstream writes it. */
export function listMetadata(result: ListResult): Record<string, unknown> {
  return {
    resourceVersion: String(result.revision),
    ...(result.continue === '' ? {} : { continue: result.continue }),
    ...(result.remaining === undefined ? {} : { remainingItemCount: result.remaining }),
  };
}

function listHead(result: ListResult): Buffer {
  const { resource, apiVersion } = result.endpoint;
  const kind = JSON.stringify(resource.listKind);
  const metadata = JSON.stringify(listMetadata(result));
  return Buffer.from(`{"kind":${kind},"apiVersion":${JSON.stringify(apiVersion)},"metadata":${metadata},"items":[`);
}
