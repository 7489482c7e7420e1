import type { Gzip } from "../grpc/index.ts";

/** Loaded when the first client compresses: few do. */
const zlib = () => process.getBuiltinModule("node:zlib");

/** gRPC's gzip compression. Messages are small enough to be done in line. */
export const gzip: Gzip = {
  compress: (bytes) => zlib().gzipSync(bytes),
  expand: (bytes, bytesMax) => {
    try {
      return zlib().gunzipSync(bytes, { maxOutputLength: bytesMax });
    } catch (error) {
      return { error: describe((error as NodeJS.ErrnoException).code, bytes.length) };
    }
  },
};

/** Shorter than this there is no gzip header. */
const HEADER_BYTES = 10;

/** In the words of Go's library. */
function describe(code: string | undefined, length: number): string {
  if (code === "ERR_BUFFER_TOO_LARGE") return "too large";
  if (code === "Z_BUF_ERROR" || length < HEADER_BYTES) return "unexpected EOF";
  return "gzip: invalid header";
}
