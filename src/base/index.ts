/**
 * Words that every room may use: assertions, byte arithmetic, checksums and small containers.
 * Nothing here knows what a key, a log or a member is.
 */
export { assert, unreachable } from "./assert.ts";
export {
  allocBytes,
  base64ToBytes,
  bytesToBase64,
  Arena,
  bytesToHex,
  bytesToKey,
  bytesToText,
  compareBytes,
  compareRegions,
  concatBytes,
  copyBytes,
  EMPTY_BYTES,
  endOfPrefix,
  equalBytes,
  hexToBytes,
  keyToBytes,
  textToBytes,
  viewBytes,
} from "./bytes.ts";
export { crc32c } from "./crc32c.ts";
export { type Deferred, deferred } from "./deferred.ts";
export { formatDuration } from "./go-duration.ts";
export { Heap } from "./heap.ts";
export { exponentialBounds, Histogram } from "./histogram.ts";
export { jsonNumber } from "./json-number.ts";
export { Prng } from "./prng.ts";
export { urlProblem } from "./go-url.ts";
export { quoteBytes, quoteText, runeBytes } from "./quote.ts";
export { sortInSlices } from "./sort.ts";
export { errnoText, errnoWord, networkErrorText, type SystemError } from "./system-error.ts";
