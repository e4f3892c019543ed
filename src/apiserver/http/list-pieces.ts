import type { KubernetesObject } from '../../api/meta/object.ts';
import { builtinSchema } from '../../api/schema/builtin.ts';
import { encodeMessage, protobufFieldHead, protobufHead } from '../../api/wire/protobuf.ts';
import { toYaml } from '../../api/wire/yaml.ts';
import type { Entry } from '../../store/collection.ts';
import { Slice } from '../../util/slice.ts';
import { copyItem, itemLength } from '../rest/codec.ts';
import type { ListResult } from '../rest/read.ts';
import type { PiecePool } from './piece-pool.ts';

/**
 * Lists are written in pieces of about this size, so that a large one neither blocks the loop nor doubles in memory. Whoever writes
 * them takes a turn of the loop between two; an empty piece is no more than that.
 */
const PIECE_BYTES = 512 * 1024;
/** Entries whose ready bytes are put into one piece at most, however small they are. */
const PIECE_ENTRIES = 5_000;

const COMMA = 0x2c;
const tail = Buffer.from(']}\n');
const nothing = Buffer.alloc(0);

export type Pieces = Generator<Buffer, void, undefined>;

/** The JSON of a list, piece by piece, made of the ready bytes of its items. Pieces are the pool's, but one that is the whole list. */
export function* listPieces(result: ListResult, pool: PiecePool): Pieces {
  const { entries, endpoint } = result;
  const head = listHead(result);
  const slice = new Slice();
  let index = 0;
  let lead: Buffer | undefined = head;
  do {
    let size = lead?.length ?? 0;
    const from = index;
    const parts: Uint8Array[] = [];
    slice.restart();
    // Bytes that are not ready cost a stringify each.
    while (index < entries.length && index - from < PIECE_ENTRIES && size < PIECE_BYTES && !slice.over) {
      const bytes = endpoint.bytes(entries[index]!);
      size += 1 + (endpoint.itemHead.length === 0 ? bytes.length : itemLength(bytes, endpoint.itemHead));
      parts.push(bytes);
      index++;
    }
    const last = index === entries.length;
    const whole = size + (last ? tail.length : 0);
    const piece = from === 0 && last ? Buffer.allocUnsafe(whole) : pool.take(whole);
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

/** JSON whose items are made one by one: `head`, then the items of a list, then its end. */
export function* madePieces(result: ListResult, head: object, list: string, item: (object: KubernetesObject) => object): Pieces {
  const { entries, endpoint } = result;
  let text = `${JSON.stringify(head).slice(0, -1)},"${list}":[`;
  const slice = new Slice();
  for (let i = 0; i < entries.length; i++) {
    if (i > 0) text += ',';
    text += JSON.stringify(item(endpoint.object(entries[i]!)));
    if (slice.over || text.length > PIECE_BYTES) {
      yield Buffer.from(text);
      text = '';
      slice.restart();
    }
  }
  yield Buffer.from(`${text}]}\n`);
}

type Fields = Readonly<Record<string, unknown>>;

/** As `madePieces`, in YAML: keys sorted, so that the list stands between those of the head. */
export function* yamlPieces(result: ListResult, head: object, list: string, item: (object: KubernetesObject) => object): Pieces {
  const { entries, endpoint } = result;
  const fields = Object.entries(head as Fields);
  const some = (pick: (key: string) => boolean): string => {
    const picked = fields.filter(([key]) => pick(key));
    return picked.length === 0 ? '' : toYaml(Object.fromEntries(picked));
  };
  let text = some((key) => key < list) + (entries.length === 0 ? `${list}: []\n` : `${list}:\n`);
  const slice = new Slice();
  for (let i = 0; i < entries.length; i++) {
    text += toYaml([item(endpoint.object(entries[i]!))]);
    if (slice.over || text.length > PIECE_BYTES) {
      yield Buffer.from(text);
      text = '';
      slice.restart();
    }
  }
  yield Buffer.from(text + some((key) => key > list));
}

/** As `madePieces`, indented for eyes. */
export function* prettyPieces(
  result: ListResult,
  head: object,
  list: string,
  item: (object: KubernetesObject) => object,
): Pieces {
  const { entries, endpoint } = result;
  let text = `${JSON.stringify(head, null, 2).slice(0, -2)},\n  "${list}": [`;
  const slice = new Slice();
  for (let i = 0; i < entries.length; i++) {
    const lines = JSON.stringify(item(endpoint.object(entries[i]!)), null, 2);
    text += `${i > 0 ? ',' : ''}\n    ${lines.replaceAll('\n', '\n    ')}`;
    if (slice.over || text.length > PIECE_BYTES) {
      yield Buffer.from(text);
      text = '';
      slice.restart();
    }
  }
  yield Buffer.from(`${text}${entries.length > 0 ? '\n  ' : ''}]\n}\n`);
}

/** The protobuf of a list. Its length comes first, so that all items are made before anything is written. */
export function* protobufPieces(
  result: ListResult,
  apiVersion: string,
  kind: string,
  message: (entry: Entry<KubernetesObject>) => Uint8Array,
): Pieces {
  const { entries } = result;
  const metadata = encodeMessage(builtinSchema('io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta'), listMetadata(result));
  const parts: Uint8Array[] = [protobufFieldHead(1, metadata.length), metadata];
  let total = parts[0]!.length + metadata.length;
  const slice = new Slice();
  for (let i = 0; i < entries.length; i++) {
    const item = message(entries[i]!);
    const itemHead = protobufFieldHead(2, item.length);
    parts.push(itemHead, item);
    total += itemHead.length + item.length;
    if (!slice.over) continue;
    yield nothing;
    slice.restart();
  }
  let piece: Uint8Array[] = [protobufHead(total, apiVersion, kind)];
  let size = 0;
  for (const part of parts) {
    piece.push(part);
    size += part.length;
    if (size < PIECE_BYTES) continue;
    yield Buffer.concat(piece);
    piece = [];
    size = 0;
  }
  if (piece.length > 0) yield Buffer.concat(piece);
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
