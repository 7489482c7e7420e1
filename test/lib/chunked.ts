/** Takes a chunked body apart, up to where it is cut off. `end` is the place behind it. */
export function dechunk(bytes: Buffer, start: number): { body: Buffer; end: number } {
  const parts: Buffer[] = [];
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd < 0) return { body: Buffer.concat(parts), end: bytes.length };
    const length = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
    const from = lineEnd + 2;
    if (!(length > 0)) return { body: Buffer.concat(parts), end: from + 2 };
    parts.push(bytes.subarray(from, from + length));
    at = from + length + 2;
  }
}
