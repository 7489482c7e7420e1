import { assert } from "../base/index.ts";
import type { Commit, PageSource } from "../bolt/index.ts";
import type { PageFile } from "./page-file.ts";

/** Reads the bytes of one file, also when another has taken its place. To be closed. */
export interface RawFile {
  readonly sizeBytes: number;
  /** Fills the bytes with those from the offset on. */
  read(offset: number, bytes: Uint8Array): Promise<void>;
  close(): void;
}

/** A file with those who read it. It is closed when it is out of use and the last of them is done. */
class Seat {
  readonly file: PageFile;
  readers = 0;
  isOutOfUse = false;

  constructor(file: PageFile) {
    this.file = file;
  }
}

/** The page file in use; one that was received can take its place. */
export class PageFiles {
  #seat: Seat;
  /** Told when closing a file that is out of use failed. */
  readonly #warn: (text: string) => void;

  constructor(file: PageFile, warn: (text: string) => void) {
    this.#seat = new Seat(file);
    this.#warn = warn;
  }

  get source(): PageSource {
    return this.#seat.file.source;
  }

  get sizeBytes(): number {
    return this.#seat.file.sizeBytes;
  }

  write(commit: Commit): Promise<void> {
    return this.#seat.file.write(commit);
  }

  shrink(sizeInPages: number): Promise<void> {
    return this.#seat.file.shrink(sizeInPages);
  }

  load(page: number): Promise<void> {
    return this.#seat.file.load(page);
  }

  open(): RawFile {
    const seat = this.#seat;
    let isOpen = true;
    seat.readers++;
    return {
      sizeBytes: seat.file.sizeBytes,
      read: (offset, bytes) => seat.file.fill(offset, bytes),
      close: () => {
        if (!isOpen) return;
        isOpen = false;
        seat.readers--;
        this.#maybeClose(seat);
      },
    };
  }

  /** From now on the other file is in use. Between two writes only. */
  exchange(file: PageFile): void {
    const seat = this.#seat;
    assert(file !== seat.file, "another file");
    this.#seat = new Seat(file);
    seat.isOutOfUse = true;
    this.#maybeClose(seat);
  }

  close(): Promise<void> {
    return this.#seat.file.close();
  }

  #maybeClose(seat: Seat): void {
    if (!seat.isOutOfUse || seat.readers > 0) return;
    seat.file.close().catch((error: Error) => this.#warn(error.message));
  }
}
