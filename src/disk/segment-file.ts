import { constants } from "node:fs";
import type { TimePort } from "../member/index.ts";
import { DiskError, type FileIo, orDiskError, writeFully } from "./file-io.ts";

/** Zeros written at a time, and the pause between two pieces: 20 MB/s at most. */
const PIECE_BYTES = 1024 * 1024;
const PIECE_PAUSE_MS = 50;
/** How long to wait for somebody to make room on a full disk. */
const FULL_DISK_PAUSE_MS = 1000;

/** The most that is written without handing it to a thread: one usual request. */
const SMALL_BYTES = 4096;
/** A write that takes longer is slow, and for so long afterwards none is waited for. */
const SLOW_WRITE_MS = 3;
const SLOW_DISK_MS = 1000;

/** With O_DSYNC one call writes and syncs. On macOS it would not reach the disk: see `sync`. */
const WRITES_ARE_SYNCED = process.platform === "linux";
const OPEN_FLAGS = constants.O_RDWR | (WRITES_ARE_SYNCED ? constants.O_DSYNC : 0);

const ZEROS = new Uint8Array(PIECE_BYTES);

/** What a segment is written through. */
export interface SegmentPort {
  readonly io: FileIo;
  readonly warn: (text: string) => void;
  readonly time: SegmentTime;
}

/** Monotonic milliseconds, and pauses that do not keep the process alive. */
export type SegmentTime = Pick<TimePort, "now" | "sleep">;

/**
 * A segment that is written: appended to in synced writes, while space ahead of them is prepared.
 * Writing into prepared space syncs faster, since the file's size and extents stay as they are;
 * and a full disk is noticed by the preparation, which can wait, before it strikes a write of the
 * log, which is fatal. The space is written with zeros: a hole would promise nothing.
 */
export class SegmentFile {
  path: string;
  /** Where the next record goes. Moves on when a write begins, not when it ends. */
  position: number;
  /** End of the space that holds records or zeros. A piece under way begins behind it. */
  #prepared: number;
  /** How far ahead of `position` to prepare. */
  #aheadBytes = 0;
  #piece: Promise<void> | undefined;
  #isPausing = false;
  #failure: DiskError | undefined;
  #slowUntilMs = 0;
  readonly #io: FileIo;
  readonly #fd: number;
  /**
   * Zeros have a descriptor of their own: when a sync fails, the system tells each descriptor of
   * the file once. Were there one for both, a failed sync of zeros could hide that of a record.
   */
  readonly #zerosFd: number;
  readonly #segmentBytes: number;
  readonly #port: SegmentPort;

  /** Opens a segment to append at `position`; zeros fill it from there on. Throws DiskError. */
  static async open(
    port: SegmentPort,
    at: { path: string; position: number; create: boolean; segmentBytes: number },
  ): Promise<SegmentFile> {
    const { io } = port;
    const flags = at.create ? OPEN_FLAGS | constants.O_CREAT | constants.O_TRUNC : OPEN_FLAGS;
    const what = { path: at.path, doing: "open" };
    const fd = await orDiskError(io.open(at.path, flags, 0o600), what);
    const zerosFd = await orDiskError(io.open(at.path, OPEN_FLAGS), what);
    const fileBytes = await orDiskError(io.size(fd), what);
    return new SegmentFile(port, { ...at, fd, zerosFd, fileBytes });
  }

  private constructor(
    port: SegmentPort,
    at: {
      path: string;
      fd: number;
      zerosFd: number;
      position: number;
      fileBytes: number;
      segmentBytes: number;
    },
  ) {
    this.#port = port;
    this.#io = port.io;
    this.#fd = at.fd;
    this.#zerosFd = at.zerosFd;
    this.path = at.path;
    this.position = at.position;
    this.#prepared = at.fileBytes;
    this.#segmentBytes = at.segmentBytes;
  }

  /** Appends. Resolves when the bytes are on the disk. Throws DiskError. One call at a time. */
  async write(bytes: Uint8Array): Promise<void> {
    const position = this.position;
    this.position += bytes.length;
    // Zeros on their way to the same place could land on top.
    if (this.#piece !== undefined && this.position > this.#prepared) await this.#piece;
    if (this.#failure !== undefined) throw this.#failure;
    if (this.position > this.#prepared) this.#prepared = this.position;
    const written = this.#mayBlock(bytes) ? this.#writeNow(bytes, position) : 0;
    if (written < bytes.length) {
      const rest = bytes.subarray(written);
      await writeFully(this.#io, { fd: this.#fd, path: this.path }, rest, position + written);
    }
    if (!WRITES_ARE_SYNCED) await this.#sync();
    if (this.#aheadBytes > 0) this.#prepareNext(PIECE_PAUSE_MS);
  }

  /**
   * Whether to write in this turn of the event loop. Handing a write to a thread and hearing back
   * takes as long as a quick disk takes to sync it: a single client would wait twice. So a small
   * write is waited for here, unless the disk was slow lately or is busy with zeros for this file.
   */
  #mayBlock(bytes: Uint8Array): boolean {
    const isSmall = bytes.length <= SMALL_BYTES && WRITES_ARE_SYNCED;
    return isSmall && this.#piece === undefined && this.#port.time.now() >= this.#slowUntilMs;
  }

  /** Returns the bytes that were written, as a write does. Throws DiskError. */
  #writeNow(bytes: Uint8Array, position: number): number {
    const beganMs = this.#port.time.now();
    try {
      return this.#io.writeSync?.(this.#fd, bytes, position) ?? 0;
    } catch (cause) {
      throw new DiskError({ path: this.path, offset: position, doing: "write", cause });
    } finally {
      const nowMs = this.#port.time.now();
      if (nowMs - beganMs > SLOW_WRITE_MS) this.#slowUntilMs = nowMs + SLOW_DISK_MS;
    }
  }

  /** Keeps so many bytes ahead of the records prepared, in the background. */
  prepare(aheadBytes: number): void {
    this.#aheadBytes = aheadBytes;
    this.#prepareNext(PIECE_PAUSE_MS);
  }

  /** Cuts the file behind its records, for good. Throws DiskError. */
  async truncate(): Promise<void> {
    await this.#stopPreparing();
    const what = { path: this.path, offset: this.position, doing: "truncate" };
    await orDiskError(this.#io.truncate(this.#fd, this.position), what);
    this.#prepared = this.position;
    await this.#sync();
  }

  async close(): Promise<void> {
    await this.#stopPreparing();
    await this.#io.close(this.#zerosFd);
    await this.#io.close(this.#fd);
  }

  async #stopPreparing(): Promise<void> {
    this.#aheadBytes = 0;
    await this.#piece;
  }

  #sync(): Promise<void> {
    return orDiskError(this.#io.sync(this.#fd), { path: this.path, doing: "sync" });
  }

  #prepareNext(pauseMs: number): void {
    if (this.#isPausing || this.#piece !== undefined) return;
    if (this.#prepared >= Math.min(this.#segmentBytes, this.position + this.#aheadBytes)) return;
    this.#isPausing = true;
    void this.#port.time.sleep(pauseMs).then(() => {
      this.#isPausing = false;
      if (this.#aheadBytes > 0) this.#piece = this.#preparePiece();
    });
  }

  async #preparePiece(): Promise<void> {
    const from = Math.min(this.#segmentBytes, Math.max(this.#prepared, this.position));
    const bytes = ZEROS.subarray(0, Math.min(PIECE_BYTES, this.#segmentBytes - from));
    let pauseMs = PIECE_PAUSE_MS;
    try {
      await writeFully(this.#io, { fd: this.#zerosFd, path: this.path }, bytes, from);
      this.#prepared = Math.max(this.#prepared, from + bytes.length);
    } catch (error) {
      this.#pieceFailed(error as DiskError);
      pauseMs = FULL_DISK_PAUSE_MS;
    }
    this.#piece = undefined;
    this.#prepareNext(pauseMs);
  }

  /** A full disk is not fatal yet: records still go where there is room. Anything else is. */
  #pieceFailed(error: DiskError): void {
    this.#port.warn(`cannot prepare space for the log: ${error.message}`);
    if (error.code === "ENOSPC" || error.code === "EDQUOT") return;
    this.#failure = error;
    this.#aheadBytes = 0;
  }
}
