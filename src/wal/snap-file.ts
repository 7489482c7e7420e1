import { crc32c, EMPTY_BYTES } from "../base/index.ts";
import {
  BYTES,
  encodeSnapshot,
  ProtoError,
  Reader,
  readSnapshot,
  type Snapshot,
  VARINT,
  Writer,
} from "../proto/index.ts";
import { hex16 } from "./segment.ts";

// A `.snap` file is one message `snappb.snapshot { 1 crc: uint32, 2 data: bytes }`. `data` is a
// raftpb.Snapshot, `crc` its CRC32C, never 0. The database itself is not in it.

/** `<term>-<index>.snap`, both as 16 hexadecimal digits: the greatest name is the newest. */
export function snapFileName(term: number, index: number): string {
  return `${hex16(term)}-${hex16(index)}.snap`;
}

/** `<index>.snap.db`: the database that a leader sent along with the snapshot of that index. */
export function snapDatabaseName(index: number): string {
  return `${hex16(index)}.snap.db`;
}

/** The index in the name of a `.snap.db` file; undefined for other files. */
export function snapDatabaseIndex(file: string): number | undefined {
  const [, index] = /^([0-9a-f]{16})\.snap\.db$/.exec(file) ?? [];
  return index === undefined ? undefined : parseInt(index, 16);
}

export function encodeSnapFile(snapshot: Snapshot): Uint8Array {
  const data = encodeSnapshot(snapshot);
  const w = new Writer(data.length + 32);
  w.tag(1, VARINT);
  w.varint(crc32c(0, data));
  w.messageField(2, data);
  return w.copy();
}

/** The snapshot in a `.snap` file, its data a view. Throws ProtoError when it is damaged. */
export function decodeSnapFile(bytes: Uint8Array): Snapshot {
  const r = new Reader(bytes);
  let crc = 0;
  let data = EMPTY_BYTES;
  while (r.next()) {
    if (r.tag === 8 + VARINT) crc = r.uint();
    else if (r.tag === 16 + BYTES) data = r.view();
    else r.skip();
  }
  if (crc === 0 || data.length === 0) throw new ProtoError("snap: empty snapshot");
  if (crc32c(0, data) !== crc) throw new ProtoError("snap: crc mismatch");
  return readSnapshot(new Reader(data));
}
