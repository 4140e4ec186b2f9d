/** Longest line a watch may hold: an etcd value is 1.5 MiB, its JSON with managed fields a few times that. */
const longestLine = 32 * 1024 * 1024;

export type LineSplitter = {
  /** Complete lines that this chunk ends, without their newline; empty lines are left out. */
  push(chunk: Uint8Array): string[];
};

/**
 * Cuts a byte stream into lines. It searches bytes, not text: 0x0A occurs in UTF-8 only as a newline, so that a chunk
 * may end in the middle of a character.
 */
export function createLineSplitter(): LineSplitter {
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;

  const finish = (tail: Uint8Array): string => {
    const bytes = pendingBytes === 0 ? tail : Buffer.concat([...pending, tail]);
    pending = [];
    pendingBytes = 0;
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  };

  return {
    push(chunk) {
      const lines: string[] = [];
      let start = 0;
      for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
        const line = finish(chunk.subarray(start, end)).trim();
        if (line !== '') lines.push(line);
        start = end + 1;
      }
      if (start < chunk.byteLength) {
        pending.push(chunk.subarray(start));
        pendingBytes += chunk.byteLength - start;
      }
      if (pendingBytes > longestLine) throw new Error(`a line of more than ${longestLine} bytes`);
      return lines;
    },
  };
}
