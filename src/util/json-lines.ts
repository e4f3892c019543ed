const NEWLINE = 10;

/**
 * The JSON values of a byte stream that has one per line. Chunks are joined only when a line is complete, so a large object costs its size once.
 * Throws when a line is longer than `maxBytes`.
 */
export async function* jsonLines(chunks: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<unknown> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const tail = chunk.subarray(start, end);
      start = end + 1;
      const line = held.length === 0 ? tail : Buffer.concat([...held, tail]);
      held = [];
      heldBytes = 0;
      if (line.length > 0) yield JSON.parse(line.toString('utf8'));
    }
    if (start < chunk.length) {
      const rest = chunk.subarray(start);
      held.push(rest);
      heldBytes += rest.length;
      if (heldBytes > maxBytes) throw new Error(`a line of the stream is longer than ${maxBytes} bytes`);
    }
  }
  if (heldBytes > 0) {
    const rest = Buffer.concat(held).toString('utf8').trim();
    if (rest !== '') yield JSON.parse(rest);
  }
}
