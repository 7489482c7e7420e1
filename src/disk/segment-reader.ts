import { constants } from "node:fs";
import { allocBytes, EMPTY_BYTES } from "../base/index.ts";
import { type Entry, Reader, readEntry } from "../proto/index.ts";
import { Frame, type FrameStatus } from "../wal/index.ts";
import { type FileIo, orDiskError, readFully } from "./file-io.ts";

/** Bytes read at a time. A longer frame gets a window of its own length. */
const WINDOW_BYTES = 1024 * 1024;

/**
 * Reads a segment's frames through a window that moves over the file: `load` reads, then `next`
 * gives frame after frame, until one is not wholly in the window.
 */
export class SegmentReader {
  readonly fileBytes: number;
  readonly frame = new Frame();
  /** The frame's positions count from the start of the window. `load` overwrites it. */
  window: Uint8Array;
  /** Where in the file the frame begins that `next` found. */
  offset = 0;
  /** Where in the file to look for the next one. */
  nextOffset = 0;
  #windowOffset = 0;
  #windowEnd = 0;
  readonly #io: FileIo;
  readonly #file: { readonly fd: number; readonly path: string };
  readonly #reader = new Reader(EMPTY_BYTES);

  /** Throws DiskError. */
  static async open(io: FileIo, path: string): Promise<SegmentReader> {
    const what = { path, doing: "open" };
    const fd = await orDiskError(io.open(path, constants.O_RDONLY), what);
    return new SegmentReader(io, { fd, path }, await orDiskError(io.size(fd), what));
  }

  constructor(io: FileIo, file: { readonly fd: number; readonly path: string }, fileBytes: number) {
    this.#io = io;
    this.#file = file;
    this.fileBytes = fileBytes;
    this.window = allocBytes(Math.min(WINDOW_BYTES, fileBytes));
  }

  /**
   * Reads on from `nextOffset`. False when the file ends before the frame there does. Throws
   * DiskError.
   */
  async load(): Promise<boolean> {
    const rest = this.fileBytes - this.nextOffset;
    const needed = Math.max(8, this.frame.bytesNeeded);
    if (rest < needed) return false;
    if (this.window.length < needed) this.window = allocBytes(needed);
    this.#windowOffset = this.nextOffset;
    this.#windowEnd = Math.min(rest, this.window.length);
    const bytes = this.window.subarray(0, this.#windowEnd);
    await readFully(this.#io, this.#file, bytes, this.#windowOffset);
    return true;
  }

  /** Looks at the frame at `nextOffset`, and moves on behind it if it is a record. */
  next(): FrameStatus {
    const start = this.nextOffset - this.#windowOffset;
    const status = this.frame.parse(this.window, start, this.#windowEnd);
    if (status === "record") {
      this.offset = this.nextOffset;
      this.nextOffset += this.frame.bytesNeeded;
    }
    return status;
  }

  /** The entry that the record found last holds. Its data is a view of the window. */
  entry(): Entry {
    this.#reader.bytes = this.window;
    this.#reader.at = this.frame.dataStart;
    this.#reader.end = this.frame.dataEnd;
    return readEntry(this.#reader);
  }

  /** A part of the file at once, to its end unless another is given. Throws DiskError. */
  async readRange(offset: number, end = this.fileBytes): Promise<Uint8Array> {
    const bytes = allocBytes(end - offset);
    await readFully(this.#io, this.#file, bytes, offset);
    return bytes;
  }

  async onlyZerosFrom(offset: number): Promise<boolean> {
    for (let at = offset; at < this.fileBytes; at += this.window.length) {
      const bytes = this.window.subarray(0, Math.min(this.window.length, this.fileBytes - at));
      await readFully(this.#io, this.#file, bytes, at);
      if (!isZero(bytes)) return false;
    }
    return true;
  }

  close(): Promise<void> {
    return this.#io.close(this.#file.fd);
  }
}

/** Prepared space is tens of megabytes: compared eight words at a time. */
function isZero(bytes: Uint8Array): boolean {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  let i = 0;
  for (const last = words.length - 7; i < last; i += 8) {
    const low = words[i]! | words[i + 1]! | words[i + 2]! | words[i + 3]!;
    if ((low | words[i + 4]! | words[i + 5]! | words[i + 6]! | words[i + 7]!) !== 0) return false;
  }
  for (let at = i * 4; at < bytes.length; at++) if (bytes[at] !== 0) return false;
  return true;
}
