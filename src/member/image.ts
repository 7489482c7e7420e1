import { allocBytes, assert } from "../base/index.ts";
import { type Pin, readMeta, writeMeta } from "../bolt/index.ts";
import type { HashPort, RawFile, SnapshotImage } from "./ports.ts";

/**
 * A consistent image of the page file, read in any order while the file goes on changing. Both meta
 * pages are made anew from the commit that is pinned, as bbolt's `WriteTo` does. Several may hold
 * it; its pages are free again when the last of them has closed it.
 */
export class PinnedImage {
  readonly sizeBytes: number;
  readonly #pin: Pin;
  readonly #file: RawFile;
  readonly #metas: Uint8Array;
  #holders = 0;

  constructor(pin: Pin, file: RawFile) {
    this.#pin = pin;
    this.#file = file;
    const meta = readMeta(pin.meta);
    assert(typeof meta !== "string", "a durable meta page is valid");
    this.sizeBytes = meta.sizeInPages * meta.pageSize;
    this.#metas = allocBytes(2 * meta.pageSize);
    writeMeta(this.#metas.subarray(0, meta.pageSize), 0, meta);
    writeMeta(this.#metas.subarray(meta.pageSize), 1, { ...meta, txid: meta.txid - 1 });
  }

  /** One more holder, who must close it. */
  hold(): SnapshotImage {
    let isOpen = true;
    this.#holders++;
    return {
      sizeBytes: this.sizeBytes,
      read: (offset, bytes) => this.#read(offset, bytes),
      close: () => {
        if (isOpen) this.#letGo();
        isOpen = false;
      },
    };
  }

  async #read(offset: number, bytes: Uint8Array): Promise<void> {
    const metas = this.#metas.subarray(offset, offset + bytes.length);
    bytes.set(metas);
    if (metas.length === bytes.length) return;
    await this.#file.read(offset + metas.length, bytes.subarray(metas.length));
  }

  #letGo(): void {
    if (--this.#holders > 0) return;
    this.#pin.release();
    this.#file.close();
  }
}

/** An image read from front to back, with a hash of all of it: what clients are sent. */
export class HashedImage {
  readonly sizeBytes: number;
  readonly #image: SnapshotImage;
  readonly #hash: HashPort;
  #offset = 0;

  constructor(image: SnapshotImage, hash: HashPort) {
    this.sizeBytes = image.sizeBytes;
    this.#image = image;
    this.#hash = hash;
  }

  /** The next bytes. */
  async read(length: number): Promise<Uint8Array> {
    const bytes = allocBytes(length);
    await this.#image.read(this.#offset, bytes);
    this.#offset += length;
    this.#hash.update(bytes);
    return bytes;
  }

  /** SHA-256 of everything read. */
  digest(): Uint8Array {
    return this.#hash.digest();
  }

  close(): void {
    this.#image.close();
  }
}
