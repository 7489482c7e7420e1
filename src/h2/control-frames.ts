import { textToBytes } from "../base/index.ts";
import { FrameType } from "./frames.ts";
import type { OutputBuffer } from "./output.ts";

/** Writes the frames that carry no application bytes. */
export class ControlFrames {
  readonly #out: OutputBuffer;

  constructor(out: OutputBuffer) {
    this.#out = out;
  }

  settings(pairs: readonly (readonly [number, number])[]): void {
    this.#out.frameHeader(pairs.length * 6, FrameType.settings, 0, 0);
    for (const [id, value] of pairs) {
      const at = this.#out.extend(2);
      this.#out.bytes[at] = 0;
      this.#out.bytes[at + 1] = id;
      this.#out.uint32(value);
    }
  }

  acknowledgeSettings(flags: number): void {
    this.#out.frameHeader(0, FrameType.settings, flags, 0);
  }

  windowUpdate(streamId: number, bytes: number): void {
    this.#out.frameHeader(4, FrameType.windowUpdate, 0, streamId);
    this.#out.uint32(bytes);
  }

  rstStream(streamId: number, code: number): void {
    this.#out.frameHeader(4, FrameType.rstStream, 0, streamId);
    this.#out.uint32(code);
  }

  ping(payload: Uint8Array, flags: number): void {
    this.#out.frameHeader(8, FrameType.ping, flags, 0);
    this.#out.append(payload);
  }

  goaway(lastId: number, code: number, text: string): void {
    const debug = textToBytes(text);
    this.#out.frameHeader(8 + debug.length, FrameType.goaway, 0, 0);
    this.#out.uint32(lastId);
    this.#out.uint32(code);
    this.#out.append(debug);
  }
}
