import type { Head, LogRecord, TrailMark } from './engine.ts';

/**
 * The bytes of a log record: a head of fixed size, the key, the value. Part of the file format: a change here is a new format version.
 *
 * offset 0: u16 length of the key; 2: u8 1 for a put, 0 for a delete; 3: u8 zero; 4: u32 zero; 8: f64 createRevision; 16: f64 previousSlot;
 * 24: f64 expiresAt; 32: key; then the value. Little endian.
 */
const HEAD_BYTES = 32;

export function encodeRecord(record: LogRecord): Buffer {
  const { key, value } = record;
  const out = Buffer.allocUnsafe(HEAD_BYTES + key.length + (value?.length ?? 0));
  out.writeUInt16LE(key.length, 0);
  out[2] = value === undefined ? 0 : 1;
  out[3] = 0;
  out.writeUInt32LE(0, 4);
  out.writeDoubleLE(record.createRevision, 8);
  out.writeDoubleLE(record.previousSlot, 16);
  out.writeDoubleLE(record.expiresAt, 24);
  out.write(key, HEAD_BYTES, 'latin1');
  if (value !== undefined) out.set(value, HEAD_BYTES + key.length);
  return out;
}

/** `bytes` must be the caller's own: the value is a view of them. */
export function decodeRecord(slot: number, bytes: Buffer): LogRecord {
  const keyEnd = HEAD_BYTES + bytes.readUInt16LE(0);
  return {
    slot,
    key: bytes.toString('latin1', HEAD_BYTES, keyEnd),
    value: bytes[2] === 0 ? undefined : bytes.subarray(keyEnd),
    createRevision: bytes.readDoubleLE(8),
    previousSlot: bytes.readDoubleLE(16),
    expiresAt: bytes.readDoubleLE(24),
  };
}

export function decodeTrail(slot: number, bytes: Buffer): TrailMark {
  return { slot, previousSlot: bytes.readDoubleLE(16), isDelete: bytes[2] === 0, bytes: bytes.length - HEAD_BYTES };
}

/** The index value of a living key: where its record is, and the rest of its head. */
export function encodeHead(record: LogRecord): Buffer {
  const out = Buffer.allocUnsafe(24);
  out.writeDoubleLE(record.slot, 0);
  out.writeDoubleLE(record.createRevision, 8);
  out.writeDoubleLE(record.expiresAt, 16);
  return out;
}

export function decodeHead(bytes: Buffer): Head {
  return { slot: bytes.readDoubleLE(0), createRevision: bytes.readDoubleLE(8), expiresAt: bytes.readDoubleLE(16) };
}
