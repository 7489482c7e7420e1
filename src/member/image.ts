import type { Pin } from "../bolt/index.ts";
import { readMeta, writeMeta } from "../bolt/index.ts";
import { allocBytes, assert } from "../base/index.ts";
import type { HashPort, PageFilePort } from "./ports.ts";

/**
 * A consistent image of the page file, read from front to back while the file goes on changing.
 * Both meta pages are made anew from the commit that is pinned, as bbolt's `WriteTo` does.
 */
export class Image {
  readonly sizeBytes: number;
  readonly #pin: Pin;
  readonly #file: PageFilePort;
  readonly #hash: HashPort;
  readonly #metas: Uint8Array;
  #offset = 0;

  constructor(options: { pin: Pin; file: PageFilePort; hash: HashPort }) {
    this.#pin = options.pin;
    this.#file = options.file;
    this.#hash = options.hash;
    const meta = readMeta(options.pin.meta);
    assert(typeof meta !== "string", "a durable meta page is valid");
    this.sizeBytes = meta.sizeInPages * meta.pageSize;
    this.#metas = allocBytes(2 * meta.pageSize);
    writeMeta(this.#metas.subarray(0, meta.pageSize), 0, meta);
    writeMeta(this.#metas.subarray(meta.pageSize), 1, { ...meta, txid: meta.txid - 1 });
  }

  /** The next bytes of the image; fewer than asked for only at the seam behind the metas. */
  async read(length: number): Promise<Uint8Array> {
    const { length: metaBytes } = this.#metas;
    const bytes =
      this.#offset < metaBytes
        ? this.#metas.subarray(this.#offset, Math.min(metaBytes, this.#offset + length))
        : await this.#file.readRaw(this.#offset, length);
    this.#offset += bytes.length;
    this.#hash.update(bytes);
    return bytes;
  }

  /** SHA-256 of everything read. */
  digest(): Uint8Array {
    return this.#hash.digest();
  }

  close(): void {
    this.#pin.release();
  }
}
