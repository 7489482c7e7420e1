import type { Socket } from "node:net";

/** Something that gathers bytes for a socket. */
export interface OutputSource {
  readonly hasOutput: boolean;
  /** Everything gathered, as one run of bytes. */
  takeOutput(): Uint8Array;
  /** The bytes taken last have left; their buffer is free again. */
  reuseOutput(): void;
}

/** No more is handed to a socket while this much waits in it; its `drain` event calls for more. */
const SOCKET_BYTES_MAX = 1024 * 1024;

/** Writes what has gathered, in as few writes as possible. Returns how many bytes that was. */
export function writeOutput(socket: Socket, source: OutputSource): number {
  let written = 0;
  while (source.hasOutput && socket.writableLength < SOCKET_BYTES_MAX && socket.writable) {
    const bytes = source.takeOutput();
    socket.write(bytes);
    written += bytes.length;
    // Written through to the kernel: nobody holds the buffer any more.
    if (socket.writableLength === 0) source.reuseOutput();
  }
  return written;
}
