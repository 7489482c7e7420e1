/** Bytes of data after which a segment is finished and the next one begun. */
export const SEGMENT_BYTES = 64_000_000;

/** A file of the log, as its name says it. */
export interface SegmentName {
  /** Counts the segments from 0. */
  readonly sequence: number;
  /** The first entry that the segment may hold: one above the last index before it. */
  readonly index: number;
  readonly file: string;
}

const NAME = /^([0-9a-f]{16})-([0-9a-f]{16})\.wal$/;

export function segmentName(sequence: number, index: number): SegmentName {
  return { sequence, index, file: `${hex16(sequence)}-${hex16(index)}.wal` };
}

/** The segments among the files of a directory, in order. Other files are not the log's. */
export function segmentsOf(files: readonly string[]): SegmentName[] {
  const segments: SegmentName[] = [];
  for (const file of files) {
    const [, sequence, index] = NAME.exec(file) ?? [];
    if (sequence === undefined || index === undefined) continue;
    const segment = { sequence: parseInt(sequence, 16), index: parseInt(index, 16), file };
    if (Number.isSafeInteger(segment.sequence) && Number.isSafeInteger(segment.index)) {
      segments.push(segment);
    }
  }
  return segments.toSorted((a, b) => a.sequence - b.sequence);
}

/** Whether a directory with these files holds a log. */
export function holdsLog(files: readonly string[]): boolean {
  return files.some((file) => file.endsWith(".wal"));
}

/**
 * The segments that hold nothing above `index` and may go, oldest first, so that at least `keep`
 * stay (0: keep all). The last segment that begins before `index` stays: a log is opened at the
 * last segment that begins at or below the snapshot.
 */
export function segmentsToPurge(
  segments: readonly SegmentName[],
  { index, keep }: { index: number; keep: number },
): SegmentName[] {
  if (keep === 0) return [];
  const needed = segments.findLastIndex((segment) => segment.index < index);
  return segments.slice(0, Math.max(0, Math.min(needed, segments.length - keep)));
}

/** A counter as file names have it. */
export function hex16(value: number): string {
  return value.toString(16).padStart(16, "0");
}
