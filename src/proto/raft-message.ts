import { EMPTY_BYTES } from "../base/index.ts";
import { encodeSnapshot, entryBytes, readEntry, readSnapshot, writeEntry } from "./raftpb.ts";
import { type Entry, MESSAGE_TYPE, type Message, type Snapshot } from "./raft-types.ts";
import { BYTES, type Reader, VARINT, type Writer } from "./wire.ts";

// raftpb.Message: 1 type, 2 to, 3 from, 4 term, 5 logTerm, 6 index, 7 entries, 8 commit,
// 9 snapshot, 10 reject, 11 rejectHint, 12 context. 13 vote and 14 responses stay on their member:
// they are never written, and skipped when read. What is zero is left out, but the type.

const NO_ENTRIES: readonly Entry[] = [];
const NO_MESSAGES: readonly Message[] = [];

export function writeRaftMessage(w: Writer, m: Message): void {
  w.tag(1, VARINT);
  w.varint(m.type);
  w.bigField(2, m.to);
  w.bigField(3, m.from);
  w.intField(4, m.term);
  w.intField(5, m.logTerm);
  w.intField(6, m.index);
  for (const entry of m.entries) {
    w.tag(7, BYTES);
    w.varint(entryBytes(entry));
    writeEntry(w, entry);
  }
  w.intField(8, m.commit);
  if (m.snapshot !== undefined) w.messageField(9, encodeSnapshot(m.snapshot));
  w.boolField(10, m.reject);
  w.intField(11, m.rejectHint);
  w.bytesField(12, m.context);
}

/** Reads to the reader's end. Throws ProtoError. Data and context are views. */
export function readRaftMessage(r: Reader): Message {
  let type: number = MESSAGE_TYPE.hup;
  let to = 0n;
  let from = 0n;
  let term = 0;
  let logTerm = 0;
  let index = 0;
  let entries: Entry[] | undefined;
  let commit = 0;
  let snapshot: Snapshot | undefined;
  let reject = false;
  let rejectHint = 0;
  let context = EMPTY_BYTES;
  while (r.next()) {
    if (r.tag === 8 + VARINT) type = messageType(r);
    else if (r.tag === 16 + VARINT) to = r.big();
    else if (r.tag === 24 + VARINT) from = r.big();
    else if (r.tag === 32 + VARINT) term = r.counter();
    else if (r.tag === 40 + VARINT) logTerm = r.counter();
    else if (r.tag === 48 + VARINT) index = r.counter();
    else if (r.tag === 56 + BYTES) (entries ??= []).push(readEntry(r.nested()));
    else if (r.tag === 64 + VARINT) commit = r.counter();
    else if (r.tag === 72 + BYTES) snapshot = readSnapshot(r.nested());
    else if (r.tag === 80 + VARINT) reject = r.bool();
    else if (r.tag === 88 + VARINT) rejectHint = r.counter();
    else if (r.tag === 96 + BYTES) context = r.view();
    else r.skip();
  }
  return {
    type,
    to,
    from,
    term,
    logTerm,
    index,
    entries: entries ?? NO_ENTRIES,
    commit,
    snapshot,
    reject,
    rejectHint,
    context,
    vote: 0n,
    responses: NO_MESSAGES,
  };
}

/** A type from the future would be an unknown field to Go's proto2, which reads as the first. */
function messageType(r: Reader): number {
  const value = r.int32();
  return value >= 0 && value <= MESSAGE_TYPE.forgetLeader ? value : MESSAGE_TYPE.hup;
}
