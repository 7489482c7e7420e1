import { join } from "node:path";
import type { Entry } from "../proto/index.ts";
import {
  findIntactRecord,
  holdsLog,
  isOneTornWrite,
  lacksPart,
  type Recovered,
  Replay,
  type SegmentName,
  segmentsOf,
  WalError,
} from "../wal/index.ts";
import { DiskError, type FileIo, orDiskError } from "./file-io.ts";
import { SegmentReader } from "./segment-reader.ts";

/** What was found in a log's directory, all of it read and checked. */
export interface WalContent extends Recovered {
  /** All segments of the directory, oldest first. */
  readonly segments: readonly SegmentName[];
  /** Those that were read: from the one that holds the snapshot's next entry on. */
  readonly read: readonly SegmentName[];
  readonly tail: TailState;
}

/** The end of the last segment. */
export interface TailState {
  /** Where the last sound record ends: the next one goes here. */
  readonly offset: number;
  /** The running checksum there. */
  readonly crc: number;
  readonly fileBytes: number;
  /** Something other than zeros follows: the rest of a torn write, which must be cut off. */
  readonly torn: boolean;
}

/**
 * Looks through a log: checks every record from the newest committed snapshot position on, and
 * says what it holds. Segments before that position are not read. Throws WalError when the log is
 * damaged anywhere but in its very last record, DiskError when it cannot be read.
 */
export async function readWal(io: FileIo, directory: string): Promise<WalContent> {
  const listing = io.readdir(directory);
  const segments = segmentsOf(await orDiskError(listing, { path: directory, doing: "list" }));
  if (segments.length === 0) throw new Error(`no write-ahead log in ${directory}`);
  const connected = segments.slice(connectedFrom(segments));
  // The last segment nearly always suffices. It did not: twice as many, until all are read.
  for (let count = 1; ; count *= 2) {
    const read = connected.slice(-count);
    const replay = new Replay();
    const tail = await replaySegments(io, directory, read, replay);
    const recovered = replay.finish();
    if (recovered !== undefined) return { ...recovered, segments, read, tail };
    if (count < connected.length) continue;
    const isBroken = connected.length < segments.length;
    const reason = isBroken ? "a segment is missing before this one" : "snapshot not found";
    throw new WalError(reason, { file: connected[0]!.file, offset: 0 });
  }
}

/**
 * The last segments that follow each other begin here. What is before may be left of a removal that
 * the disk carried out in part, and in another order.
 */
function connectedFrom(segments: readonly SegmentName[]): number {
  let first = segments.length - 1;
  while (first > 0 && segments[first - 1]!.sequence === segments[first]!.sequence - 1) first--;
  return first;
}

/** Whether the directory exists and holds a log. */
export async function walExists(io: FileIo, directory: string): Promise<boolean> {
  try {
    return holdsLog(await io.readdir(directory));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw new DiskError({ path: directory, doing: "list", cause: error });
  }
}

/**
 * The entries behind the snapshot, in order, about 1 MiB at a time. Their data are views that the
 * next slice overwrites. Throws DiskError.
 */
export async function* readEntries(
  io: FileIo,
  directory: string,
  content: WalContent,
): AsyncGenerator<readonly Entry[], void, undefined> {
  let index = content.snapshot.index + 1;
  for (let place = content.placeOf(index); place !== undefined; ) {
    const segment = place.segment;
    const file = await SegmentReader.open(io, join(directory, content.read[segment]!.file));
    file.nextOffset = place.offset;
    try {
      while (place?.segment === segment) {
        if (!(await file.load())) throw new Error("the log changed while it was read");
        const slice: Entry[] = [];
        while (place?.segment === segment) {
          const status = file.next();
          if (status === "short") break;
          if (status !== "record") throw new Error("the log changed while it was read");
          if (file.offset !== place.offset) continue;
          slice.push(file.entry());
          place = content.placeOf(++index);
        }
        yield slice;
      }
    } finally {
      await file.close();
    }
  }
}

async function replaySegments(
  io: FileIo,
  directory: string,
  segments: readonly SegmentName[],
  replay: Replay,
): Promise<TailState> {
  let tail: TailState | undefined;
  for (const segment of segments) {
    const file = await SegmentReader.open(io, join(directory, segment.file));
    replay.beginSegment(segment);
    try {
      const isLast = segment === segments.at(-1);
      tail = await replaySegment(file, segment, replay, isLast);
    } finally {
      await file.close();
    }
  }
  return tail!;
}

async function replaySegment(
  file: SegmentReader,
  segment: SegmentName,
  replay: Replay,
  isLast: boolean,
): Promise<TailState> {
  const sound = await replayRecords(file, replay);
  const offset = file.nextOffset;
  // Rules in wal/repair.ts.
  const isBegun = replay.segmentIsBegun;
  if (sound && isBegun && (await file.onlyZerosFrom(offset))) {
    return { offset, crc: replay.crc, fileBytes: file.fileBytes, torn: false };
  }
  const rest = await file.readRange(offset);
  const intact = findIntactRecord(rest, 8);
  const { nextIndex: index, commit } = replay;
  const isTorn =
    intact < 0 ? lacksPart(rest, offset) : isOneTornWrite(rest, { offset, intact, index, commit });
  if (intact >= 0 && !isTorn) {
    const reason = `damaged record, but an intact one follows at offset ${offset + intact}`;
    throw new WalError(reason, { file: segment.file, offset });
  }
  if (!isLast || !isBegun || !isTorn) {
    throw new WalError("damaged record", { file: segment.file, offset });
  }
  return { offset, crc: replay.crc, fileBytes: file.fileBytes, torn: true };
}

/** Reads to the end of the written part. False when a bad record stands there. */
async function replayRecords(file: SegmentReader, replay: Replay): Promise<boolean> {
  while (await file.load()) {
    let status = file.next();
    for (; status === "record"; status = file.next()) {
      if (replay.accept(file.frame, file.window, file.offset)) continue;
      file.nextOffset = file.offset;
      return false;
    }
    if (status !== "short") return status === "end";
  }
  // Too few bytes for another frame are the end too, if they are zeros.
  return file.fileBytes - file.nextOffset < 8;
}
