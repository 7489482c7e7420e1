import { type FileIo, lockFile, nodeFileIo, PAGE_GROWTH_BYTES } from "../disk/index.ts";
import type { TimePort } from "../member/index.ts";
import { SEGMENT_BYTES } from "../wal/index.ts";
import { LoopTime } from "./time.ts";

/** What a member stands on: disk, time and chance. A simulation brings its own. */
export interface Host {
  readonly io: FileIo;
  /** Locks an open database file against other processes. Throws LockError. */
  readonly lock: (fd: number, directory: string) => Promise<void>;
  readonly time: TimePort;
  /** Milliseconds since 1970: request ids begin there, so that those of two lives differ. */
  readonly wallMs: () => number;
  /** A whole number in [0, bound). */
  readonly random: (bound: number) => number;
  /** Bytes after which a segment of the log is finished. */
  readonly segmentBytes: number;
  /** Bytes by which the page file grows at a time. */
  readonly pageGrowthBytes: number;
}

/** The machine this process runs on. */
export function machine(): Host {
  return {
    io: nodeFileIo,
    lock: lockFile,
    time: new LoopTime(),
    wallMs: Date.now,
    random: (bound) => Math.floor(Math.random() * bound),
    segmentBytes: SEGMENT_BYTES,
    pageGrowthBytes: PAGE_GROWTH_BYTES,
  };
}
