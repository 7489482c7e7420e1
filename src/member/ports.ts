import type { Commit, PageSource } from "../bolt/index.ts";
import type { Entry, HardState, Message, SnapshotMeta } from "../proto/index.ts";

/**
 * The member's four ways out: disk, network, time and chance. Everything else in this room is
 * computation, so that a test with other ports decides what happens and when.
 */

export interface LogPort {
  /**
   * Appends entries, then the hard state, in one contiguous write and, when `mustSync`, one sync.
   * Resolves when durable. Rejects only with a fatal error: the process must stop. One call at a
   * time.
   */
  append(batch: {
    readonly hardState: HardState | undefined;
    readonly entries: readonly Entry[];
    readonly mustSync: boolean;
  }): Promise<void>;
  /** A `.snap` file, then the log's snapshot record, both synced. */
  saveSnapshot(meta: SnapshotMeta, v2json: Uint8Array): Promise<void>;
  /** Segments wholly before the index may be removed. */
  release(index: number): Promise<void>;
  close(): Promise<void>;
}

export interface PageFilePort {
  /** Pages from a bounded cache. */
  readonly source: PageSource;
  /** Carries a commit out: pages, sync, meta, sync. Until it resolves `source` serves its pages. */
  write(commit: Commit): Promise<void>;
  /** Gives back what lies beyond so many pages: see `Db.readInPages`. Never during a write. */
  shrink(sizeInPages: number): Promise<void>;
  /** Fetches a page that `source` missed. */
  load(page: number): Promise<void>;
  /** Bytes of the file itself, for snapshots. */
  readRaw(offset: number, length: number): Promise<Uint8Array>;
  readonly sizeBytes: number;
  close(): Promise<void>;
}

export interface NetworkPort {
  /** Sends messages to other members, or drops them: raft sends again. */
  send(messages: readonly Message[]): void;
}

export interface TimePort {
  /** Monotonic milliseconds. */
  now(): number;
  /**
   * Whether this turn of the event loop has had its share of the processor (about 4 ms). Who must
   * not starve where others use that up says since when he goes on, a time of `now`: he has 2 ms of
   * every turn.
   */
  turnIsSpent(since?: number): boolean;
  /** Resolves in a later turn, after whoever else waits has had one. */
  nextTurn(): Promise<void>;
  /** Calls `work` in a later turn, after the input that is there now has been read. */
  soon(work: () => void): void;
  sleep(ms: number): Promise<void>;
}

export interface LogLines {
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
}

/** How people read durations (`1m30s`) and sizes (`2.1 GB`), as Go prints them. */
export interface TextPort {
  duration(ms: number): string;
  bytes(count: number): string;
}

/** A running SHA-256. */
export interface HashPort {
  update(bytes: Uint8Array): void;
  digest(): Uint8Array;
}

export interface Ports {
  readonly log: LogPort;
  readonly pageFile: PageFilePort;
  readonly network: NetworkPort;
  readonly time: TimePort;
  readonly lines: LogLines;
  readonly text: TextPort;
  readonly sha256: () => HashPort;
}
