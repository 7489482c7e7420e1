import { concatBytes, copyBytes } from "../base/index.ts";
import { ConnectionError, ErrorCode, Flag, readUint32, skipPadding, violation } from "./frames.ts";
import type { HeaderList } from "./headers.ts";
import { HpackDecoder } from "./hpack.ts";
import { CONTINUATIONS_MAX } from "./limits.ts";

/**
 * Header blocks as they come in: HEADERS, then perhaps CONTINUATIONs until END_HEADERS, with
 * nothing in between. The fields tell about the block that has come last.
 */
export class HeaderBlocks {
  streamId = 0;
  /** END_STREAM of the HEADERS frame. */
  last = false;
  /** The deprecated priority fields name the stream itself, which is an error of the stream. */
  selfDependent = false;
  readonly #decoder: HpackDecoder;
  #fragments: Uint8Array[] = [];

  constructor(options: { listBytesMax: number }) {
    this.#decoder = new HpackDecoder(options);
  }

  /** Whether END_HEADERS is still to come. */
  get isPartial(): boolean {
    return this.#fragments.length > 0;
  }

  /** A HEADERS frame. Returns the list when the block is complete. */
  headers(
    flags: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): HeaderList | undefined {
    const padded = (flags & Flag.padded) !== 0;
    let from = padded ? skipPadding(bytes, start, end) : start;
    const to = padded ? end - bytes[start]! : end;
    this.streamId = id;
    this.last = (flags & Flag.endStream) !== 0;
    this.selfDependent = false;
    if ((flags & Flag.priority) !== 0) {
      if (to - from < 5) throw new ConnectionError(ErrorCode.frameSizeError, "HEADERS too short");
      this.selfDependent = (readUint32(bytes, from) & 0x7fff_ffff) === id;
      from += 5;
    }
    if ((flags & Flag.endHeaders) !== 0) return this.#decoder.decode(bytes, from, to);
    this.#fragments = [copyBytes(bytes.subarray(from, to))];
    return undefined;
  }

  /** The frame that follows an incomplete block, or a stray CONTINUATION. */
  continuation(
    flags: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): HeaderList | undefined {
    if (!this.isPartial || id !== this.streamId) violation("header block interrupted");
    if (this.#fragments.length > CONTINUATIONS_MAX) {
      throw new ConnectionError(ErrorCode.enhanceYourCalm, "too_many_continuations");
    }
    this.#fragments.push(copyBytes(bytes.subarray(start, end)));
    if ((flags & Flag.endHeaders) === 0) return undefined;
    const whole = concatBytes(this.#fragments);
    this.#fragments = [];
    return this.#decoder.decode(whole, 0, whole.length);
  }
}
