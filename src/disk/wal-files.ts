import { dirname, join } from "node:path";
import { assert, type Deferred, deferred } from "../base/index.ts";
import {
  EMPTY_CONF_STATE,
  encodeLogMetadata,
  type Entry,
  type HardState,
  type LogMetadata,
  type SnapshotMeta,
} from "../proto/index.ts";
import {
  RecordEncoder,
  SEGMENT_BYTES,
  type SegmentName,
  segmentName,
  segmentsToPurge,
} from "../wal/index.ts";
import {
  DiskError,
  type FileIo,
  nodeFileIo,
  renameFile,
  syncDirectory,
  writeNewFile,
} from "./file-io.ts";
import { SegmentFile, type SegmentPort, type SegmentTime } from "./segment-file.ts";
import { SegmentReader } from "./segment-reader.ts";
import { readEntries, readWal, type WalContent, walExists } from "./wal-reader.ts";

/** Prepared space that the tail of a new log keeps ahead of its records. */
const AHEAD_BYTES = 8 * 1024 * 1024;
/** How much of an opened log is written once more, at least. */
const REWRITTEN_BYTES = 1024 * 1024;

/** What one call of `append` saves. */
export interface LogBatch {
  readonly hardState: HardState | undefined;
  readonly entries: readonly Entry[];
  /** False when losing the batch in a crash does no harm: a hard state of which only `commit` is new. */
  readonly mustSync: boolean;
}

export interface WalOptions {
  /** The log's directory, `member/wal` or `--wal-dir`. */
  readonly directory: string;
  /** Segments to keep when purging, `--max-wals`; 0 keeps all. */
  readonly segmentsKept?: number;
  /** Bytes after which a segment is finished; fewer than etcd's in tests only. */
  readonly segmentBytes?: number;
  readonly io?: FileIo;
  readonly time?: SegmentTime;
  /** Told of what an operator should know and the log can live with. */
  readonly warn?: (text: string) => void;
  /** Told of each synced write: its bytes, and how long it took. */
  readonly wrote?: (bytes: number, seconds: number) => void;
}

/** A log that was opened, and what it held. */
export interface OpenedWal {
  readonly wal: WalFiles;
  readonly metadata: LogMetadata;
  /** The last committed snapshot position; index 0 when there was none. */
  readonly snapshot: SnapshotMeta;
  readonly hardState: HardState | undefined;
  readonly lastIndex: number;
  /** A torn write that was cut off: the file, the offset of the cut, the copy made before. */
  readonly repaired: { file: string; offset: number; copy: string } | undefined;
  /** The entries behind the snapshot, in slices; their data are views that the next slice reuses. */
  entries(): AsyncGenerator<readonly Entry[], void, undefined>;
}

interface Job {
  readonly batch: LogBatch;
  readonly snapshot: SnapshotMeta | undefined;
  readonly done: Deferred<void>;
}

/**
 * Makes a new log whose first segment holds the metadata and the snapshot position 0. The file
 * gets its name when it is whole, so that a directory has a whole log or none. The directory must
 * not hold a log yet. Throws DiskError.
 */
export async function createWal(options: WalOptions, metadata: LogMetadata): Promise<WalFiles> {
  const { directory } = options;
  const io = options.io ?? nodeFileIo;
  await makeDirectory(io, directory);
  assert(!(await walExists(io, directory)), `${directory} holds a log already`);
  const tail = await openTemporary(options);
  const metadataBytes = encodeLogMetadata(metadata);
  const encoder = new RecordEncoder(0);
  encoder.checksum();
  encoder.metadata(metadataBytes);
  encoder.snapshot(POSITION_0);
  await tail.write(encoder.view());
  encoder.reset();
  const name = segmentName(0, 0);
  await nameSegment(io, directory, tail, name);
  await syncDirectory(io, dirname(directory));
  tail.prepare(AHEAD_BYTES);
  return new WalFiles(options, {
    tail,
    encoder,
    metadataBytes,
    segments: [name],
    lastIndex: 0,
    hardState: undefined,
  });
}

/**
 * Opens a log, having read and checked it, and cuts a torn write off its end. Throws WalError when
 * the log is damaged otherwise, DiskError when a file operation fails.
 */
export async function openWal(options: WalOptions): Promise<OpenedWal> {
  const { directory } = options;
  const port = segmentPort(options);
  const { io } = port;
  const content = await readWal(io, directory);
  const { tail, segments, lastIndex, hardState } = content;
  const path = join(directory, segments.at(-1)!.file);
  const repaired = tail.torn ? await cutTornWrite(port, path, content) : undefined;
  const file = await openTail(options, path, content);
  file.prepare(AHEAD_BYTES);
  const wal = new WalFiles(options, {
    tail: file,
    encoder: new RecordEncoder(tail.crc),
    metadataBytes: content.metadataBytes,
    segments,
    lastIndex,
    hardState,
  });
  return {
    wal,
    metadata: content.metadata,
    snapshot: content.snapshot,
    hardState,
    lastIndex,
    repaired,
    entries: () => readEntries(io, directory, content),
  };
}

/**
 * Opens the last segment to append to it. What a process that died had written may be in the
 * system's memory only, and after a sync that failed it may stay there for good. So it is written
 * once more before anybody relies on it: all that is not committed, and whatever else was last.
 */
async function openTail(
  options: WalOptions,
  path: string,
  { tail, read, hardState, placeOf }: WalContent,
): Promise<SegmentFile> {
  const port = segmentPort(options);
  const { io } = port;
  const { directory, segmentBytes = SEGMENT_BYTES } = options;
  const uncommitted = placeOf((hardState?.commit ?? 0) + 1);
  const isLater = uncommitted === undefined || uncommitted.segment === read.length - 1;
  const place = isLater ? (uncommitted?.offset ?? tail.offset) : 0;
  const position = Math.max(0, Math.min(place, tail.offset - REWRITTEN_BYTES));
  const reader = await SegmentReader.open(io, path);
  const bytes = await reader.readRange(position, tail.offset);
  await reader.close();
  const file = await SegmentFile.open(port, { path, position, create: false, segmentBytes });
  await file.write(bytes);
  await syncDirectory(io, directory);
  await syncDirectory(io, dirname(directory));
  return file;
}

/**
 * Appends to a log. What arrives while a write is under way leaves together in the next one. The
 * first failure is final: it may have left anything on the disk, so every later call fails too.
 */
export class WalFiles {
  readonly #options: WalOptions;
  readonly #io: FileIo;
  readonly #encoder: RecordEncoder;
  readonly #metadata: Uint8Array;
  readonly #segmentBytes: number;
  readonly #segments: SegmentName[];
  #tail: SegmentFile;
  /** The segment after the tail, once it is being prepared; undefined inside when that failed. */
  #next: Promise<SegmentFile | undefined> | undefined;
  /** Highest index of an entry or snapshot position in the log. */
  #lastIndex: number;
  #hardState: HardState | undefined;
  /** The hard state is not in the log as it is. */
  #isStateDue = false;
  /** The commit index that the log knows. */
  #writtenCommit: number;
  /** The lowest entry that is encoded and not written. */
  #firstIndex = Infinity;
  #queue: Job[] = [];
  #running: Promise<void> | undefined;
  #failure: Error | undefined;

  constructor(
    options: WalOptions,
    state: {
      tail: SegmentFile;
      encoder: RecordEncoder;
      metadataBytes: Uint8Array;
      segments: readonly SegmentName[];
      lastIndex: number;
      hardState: HardState | undefined;
    },
  ) {
    this.#options = options;
    this.#io = options.io ?? nodeFileIo;
    this.#encoder = state.encoder;
    this.#metadata = state.metadataBytes;
    this.#segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
    this.#segments = [...state.segments];
    this.#tail = state.tail;
    this.#lastIndex = state.lastIndex;
    this.#hardState = state.hardState;
    this.#writtenCommit = state.hardState?.commit ?? 0;
  }

  /**
   * Appends entries, then the hard state. Resolves when they are on the disk; without `mustSync` at
   * once, and they leave with the next synced write. Rejects with DiskError.
   */
  append(batch: LogBatch): Promise<void> {
    return this.#submit(batch, undefined);
  }

  /** Notes a snapshot position, synced. Rejects with DiskError. */
  saveSnapshot(meta: SnapshotMeta): Promise<void> {
    return this.#submit(NOTHING_SYNCED, meta);
  }

  /** Notes the position of a snapshot that the leader sent, and commits it. Rejects with DiskError. */
  installSnapshot(meta: SnapshotMeta, hardState: HardState): Promise<void> {
    assert(hardState.commit >= meta.index, "the hard state commits the snapshot");
    return this.#submit({ ...NOTHING_SYNCED, hardState }, meta);
  }

  /** Removes segments that hold nothing above `index`, but for the newest. Failures only warn. */
  async release(index: number): Promise<void> {
    const { directory, segmentsKept = 5 } = this.#options;
    const purged = segmentsToPurge(this.#segments, { index, keep: segmentsKept });
    this.#segments.splice(0, purged.length);
    try {
      for (const { file } of purged) await this.#io.unlink(join(directory, file));
      if (purged.length > 0) await syncDirectory(this.#io, directory);
    } catch (error) {
      this.#warn(`cannot remove an old log segment: ${(error as Error).message}`);
    }
  }

  /** Writes what is not written yet and closes the files. Rejects with DiskError. */
  async close(): Promise<void> {
    try {
      if (this.#failure === undefined) await this.#submit(NOTHING_SYNCED, undefined);
      await this.#running;
    } finally {
      this.#failure ??= new Error("the log is closed");
      await this.#tail.close();
      await this.#discardNext();
    }
  }

  async #discardNext(): Promise<void> {
    const next = await this.#next;
    if (next === undefined) return;
    await next.close();
    await this.#io.unlink(next.path);
  }

  #submit(batch: LogBatch, snapshot: SnapshotMeta | undefined): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const done = deferred<void>();
    this.#queue.push({ batch, snapshot, done });
    this.#running ??= this.#run();
    return done.promise;
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      const jobs = this.#queue;
      this.#queue = [];
      try {
        await this.#save(jobs);
        for (const job of jobs) job.done.resolve();
        if (this.#tail.position >= this.#segmentBytes) await this.#cut();
      } catch (error) {
        this.#fail(error as Error, jobs);
      }
    }
    this.#running = undefined;
  }

  async #save(jobs: readonly Job[]): Promise<void> {
    let mustSync = false;
    for (const job of jobs) {
      this.#encode(job);
      mustSync ||= job.batch.mustSync;
      // Entries behind a leader's snapshot leave a gap: they must not be there without its commit.
      if (job.snapshot !== undefined && job.batch.hardState !== undefined) {
        await this.#writeTail();
        assert(this.#writtenCommit >= job.snapshot.index, "the snapshot is committed");
      }
    }
    if (mustSync) await this.#writeTail();
    if (this.#tail.position >= this.#segmentBytes / 2) this.#next ??= this.#prepareNext();
  }

  #encode({ batch, snapshot }: Job): void {
    const { entries, hardState } = batch;
    const encoder = this.#encoder;
    if (snapshot !== undefined) {
      encoder.snapshot(snapshot);
      this.#lastIndex = Math.max(this.#lastIndex, snapshot.index);
    }
    for (const entry of entries) encoder.entry(entry);
    this.#firstIndex = Math.min(this.#firstIndex, entries[0]?.index ?? Infinity);
    this.#lastIndex = entries.at(-1)?.index ?? this.#lastIndex;
    if (hardState === undefined) return;
    this.#hardState = hardState;
    this.#isStateDue = true;
  }

  /**
   * One hard state ends a write, and none commits an entry of the same write: by that a torn write
   * is told from damage (`wal/repair.ts`). Others may have committed the entry meanwhile; it will
   * be said with the next write. But a new member must not forget who told it of its cluster.
   */
  #encodeState(): void {
    const state = this.#hardState;
    if (state === undefined || !this.#isStateDue) return;
    const isFirst = this.#writtenCommit === 0;
    const commit = isFirst ? state.commit : Math.min(state.commit, this.#firstIndex - 1);
    this.#encoder.state({ ...state, commit });
    this.#writtenCommit = commit;
    this.#isStateDue = commit < state.commit;
  }

  async #writeTail(): Promise<void> {
    this.#encodeState();
    if (this.#encoder.length > 0) await this.#write(this.#tail);
  }

  async #write(file: SegmentFile): Promise<void> {
    const start = performance.now();
    const bytes = this.#encoder.length;
    await file.write(this.#encoder.view());
    this.#encoder.reset();
    this.#firstIndex = Infinity;
    this.#options.wrote?.(bytes, (performance.now() - start) / 1000);
  }

  /** Ends the tail and goes on in the next segment. A crash at any point leaves a whole log. */
  async #cut(): Promise<void> {
    // What nobody waits for belongs to this segment, before the checksum that the next begins with.
    await this.#writeTail();
    await this.#tail.truncate();
    this.#next ??= this.#prepareNext();
    const next = (await this.#next) ?? (await openTemporary(this.#options));
    this.#next = undefined;
    const encoder = this.#encoder;
    encoder.checksum();
    encoder.metadata(this.#metadata);
    if (this.#hardState !== undefined) {
      encoder.state(this.#hardState);
      this.#writtenCommit = this.#hardState.commit;
      this.#isStateDue = false;
    }
    await this.#write(next);
    const name = segmentName(this.#segments.at(-1)!.sequence + 1, this.#lastIndex + 1);
    await nameSegment(this.#io, this.#options.directory, next, name);
    this.#segments.push(name);
    await this.#tail.close();
    this.#tail = next;
    this.#tail.prepare(AHEAD_BYTES);
  }

  async #prepareNext(): Promise<SegmentFile | undefined> {
    try {
      const next = await openTemporary(this.#options);
      next.prepare(this.#segmentBytes);
      return next;
    } catch (error) {
      this.#warn(`cannot prepare the next log segment: ${(error as Error).message}`);
      return undefined;
    }
  }

  #fail(error: Error, jobs: readonly Job[]): void {
    this.#failure = error;
    for (const job of [...jobs, ...this.#queue]) job.done.reject(error);
    this.#queue = [];
  }

  #warn(text: string): void {
    this.#options.warn?.(text);
  }
}

const NOTHING_SYNCED: LogBatch = { hardState: undefined, entries: [], mustSync: true };

const POSITION_0: SnapshotMeta = {
  index: 0,
  term: 0,
  confState: EMPTY_CONF_STATE,
};

/** A segment before it has its name. */
const TEMPORARY = "0.tmp";

function segmentPort(options: WalOptions): SegmentPort {
  const { io = nodeFileIo, warn = () => {}, time = REAL_TIME } = options;
  return { io, warn, time };
}

const REAL_TIME: SegmentTime = {
  now: () => performance.now(),
  sleep: (ms) =>
    new Promise((resolve) => {
      setTimeout(resolve, ms).unref();
    }),
};

function openTemporary(options: WalOptions): Promise<SegmentFile> {
  const { directory, segmentBytes = SEGMENT_BYTES } = options;
  const at = { path: join(directory, TEMPORARY), position: 0, create: true, segmentBytes };
  return SegmentFile.open(segmentPort(options), at);
}

/** Gives a segment that was written as a temporary file its name, for good. */
async function nameSegment(
  io: FileIo,
  directory: string,
  file: SegmentFile,
  name: SegmentName,
): Promise<void> {
  await renameFile(io, { directory, from: TEMPORARY, to: name.file });
  file.path = join(directory, name.file);
}

async function makeDirectory(io: FileIo, path: string): Promise<void> {
  try {
    await io.mkdir(path, 0o700);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") return;
    throw new DiskError({ path, doing: "make directory", cause });
  }
}

/** Keeps a copy of the damaged segment beside it, then cuts the damage off. */
async function cutTornWrite(
  port: SegmentPort,
  path: string,
  { tail }: WalContent,
): Promise<{ file: string; offset: number; copy: string }> {
  const { io } = port;
  const copy = `${path}.broken`;
  const damaged = await SegmentReader.open(io, path);
  await writeNewFile(io, copy, [await damaged.readRange(0)]);
  await damaged.close();
  await syncDirectory(io, dirname(path));
  const at = { path, position: tail.offset, create: false, segmentBytes: 0 };
  const file = await SegmentFile.open(port, at);
  await file.truncate();
  await file.close();
  return { file: path, offset: tail.offset, copy };
}
