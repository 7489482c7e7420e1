import { EMPTY_BYTES } from "../base/index.ts";
import {
  type ConfState,
  EMPTY_CONF_STATE,
  ENTRY_TYPE,
  type Entry,
  type HardState,
  type Snapshot,
  type SnapshotMeta,
} from "./raft-types.ts";
import { BYTES, Reader, VARINT, varintBytes, Writer } from "./wire.ts";

/**
 * Codecs of what the log and the snapshot files hold: raftpb.Entry, HardState, ConfState and
 * Snapshot, walpb.Snapshot, etcdserverpb.Metadata. All are proto2: an absent field and a zero are
 * read alike. Terms and indices are numbers; one above 2^53 is refused.
 */

/** Who wrote a log: `etcdserverpb.Metadata`, the same in every segment. */
export interface LogMetadata {
  readonly nodeId: bigint;
  readonly clusterId: bigint;
}

// Entry: 1 type, 2 term, 3 index, 4 data. A normal entry has no type, an empty one no data. Other
// types always have data, even when empty: without it the bytes could pass for a HardState.

/** Bytes that `writeEntry` will write. */
export function entryBytes(entry: Entry): number {
  const length = entry.data.length;
  const head = 2 + varintBytes(entry.term) + varintBytes(entry.index);
  if (entry.type === ENTRY_TYPE.normal) {
    return length === 0 ? head : head + 1 + varintBytes(length) + length;
  }
  return head + 2 + 1 + varintBytes(length) + length;
}

export function writeEntry(w: Writer, entry: Entry): void {
  if (entry.type !== ENTRY_TYPE.normal) counterField(w, 1, entry.type);
  counterField(w, 2, entry.term);
  counterField(w, 3, entry.index);
  if (entry.data.length > 0 || entry.type !== ENTRY_TYPE.normal) w.messageField(4, entry.data);
}

/** Reads to the reader's end. Throws ProtoError. `data` is a view. */
export function readEntry(r: Reader): Entry {
  let type = 0;
  let term = 0;
  let index = 0;
  let data = EMPTY_BYTES;
  while (r.next()) {
    if (r.tag === 8 + VARINT) type = r.uint();
    else if (r.tag === 16 + VARINT) term = r.counter();
    else if (r.tag === 24 + VARINT) index = r.counter();
    else if (r.tag === 32 + BYTES) data = r.view();
    else r.skip();
  }
  return { type, term, index, data };
}

// HardState: 1 term, 2 vote, 3 commit, all three always written.

export function writeHardState(w: Writer, state: HardState): void {
  counterField(w, 1, state.term);
  w.tag(2, VARINT);
  w.bigVarint(state.vote);
  counterField(w, 3, state.commit);
}

/** Reads to the reader's end. Throws ProtoError, also when a field is missing or unknown. */
export function readHardState(r: Reader): HardState {
  const state = { term: -1, vote: -1n, commit: -1 };
  while (r.next()) {
    if (r.tag === 8 + VARINT) state.term = r.counter();
    else if (r.tag === 16 + VARINT) state.vote = r.big();
    else if (r.tag === 24 + VARINT) state.commit = r.counter();
    else r.fail("unknown field in a hard state");
  }
  if (state.term < 0 || state.vote < 0n || state.commit < 0) r.fail("incomplete hard state");
  return state;
}

// ConfState: 1 voters, 2 learners, 3 voters_outgoing, 4 learners_next (all unpacked), 5 auto_leave
// (written even when false, as etcd does).

export function writeConfState(w: Writer, conf: ConfState): void {
  idFields(w, 1, conf.voters);
  idFields(w, 2, conf.learners);
  idFields(w, 3, conf.votersOutgoing);
  idFields(w, 4, conf.learnersNext);
  w.tag(5, VARINT);
  w.varint(conf.autoLeave ? 1 : 0);
}

/** Reads to the reader's end. Throws ProtoError. */
export function readConfState(r: Reader): ConfState {
  const lists: [bigint[], bigint[], bigint[], bigint[]] = [[], [], [], []];
  let autoLeave = false;
  while (r.next()) {
    const list = lists[(r.tag >>> 3) - 1];
    if (list !== undefined && r.tag % 8 === VARINT) list.push(r.big());
    else if (list !== undefined && r.tag % 8 === BYTES) readPacked(r.nested(), list);
    else if (r.tag === 40 + VARINT) autoLeave = r.bool();
    else r.skip();
  }
  const [voters, learners, votersOutgoing, learnersNext] = lists;
  return { voters, learners, votersOutgoing, learnersNext, autoLeave };
}

// A snapshot's position is written twice, with other field numbers each time.
//   walpb.Snapshot:           1 index, 2 term, 3 conf_state
//   raftpb.SnapshotMetadata:  1 conf_state, 2 index, 3 term

/** `walpb.Snapshot`. The position 0 has no configuration. */
export function writeWalSnapshot(w: Writer, meta: SnapshotMeta): void {
  counterField(w, 1, meta.index);
  counterField(w, 2, meta.term);
  if (meta.index > 0) confStateField(w, 3, meta.confState);
}

/**
 * Reads `walpb.Snapshot` to the reader's end. Throws ProtoError, also when index or term is
 * missing, or the configuration of an index above 0.
 */
export function readWalSnapshot(r: Reader): SnapshotMeta {
  let index = -1;
  let term = -1;
  let confState: ConfState | undefined;
  while (r.next()) {
    if (r.tag === 8 + VARINT) index = r.counter();
    else if (r.tag === 16 + VARINT) term = r.counter();
    else if (r.tag === 24 + BYTES) confState = readConfState(r.nested());
    else r.skip();
  }
  if (index < 0 || term < 0) r.fail("incomplete snapshot position");
  if (index > 0 && confState === undefined) r.fail("snapshot position without configuration");
  return { index, term, confState: confState ?? EMPTY_CONF_STATE };
}

/** `raftpb.Snapshot`: 1 data, 2 metadata. */
export function encodeSnapshot(snapshot: Snapshot): Uint8Array {
  const w = new Writer(snapshot.data.length + 256);
  w.messageField(1, snapshot.data);
  const metadata = w.open(2);
  confStateField(w, 1, snapshot.meta.confState);
  counterField(w, 2, snapshot.meta.index);
  counterField(w, 3, snapshot.meta.term);
  w.close(metadata);
  return w.copy();
}

/** Reads `raftpb.Snapshot` to the reader's end. Throws ProtoError. `data` is a view. */
export function readSnapshot(r: Reader): Snapshot {
  let data = EMPTY_BYTES;
  let meta: SnapshotMeta = { index: 0, term: 0, confState: EMPTY_CONF_STATE };
  while (r.next()) {
    if (r.tag === 8 + BYTES) data = r.view();
    else if (r.tag === 16 + BYTES) meta = readSnapshotMetadata(r.nested());
    else r.skip();
  }
  return { meta, data };
}

/** `etcdserverpb.Metadata`: 1 NodeID, 2 ClusterID, both always written. */
export function encodeLogMetadata(metadata: LogMetadata): Uint8Array {
  const w = new Writer(24);
  w.tag(1, VARINT);
  w.bigVarint(metadata.nodeId);
  w.tag(2, VARINT);
  w.bigVarint(metadata.clusterId);
  return w.copy();
}

/** Throws ProtoError. */
export function decodeLogMetadata(bytes: Uint8Array): LogMetadata {
  const r = new Reader(bytes);
  const metadata = { nodeId: 0n, clusterId: 0n };
  while (r.next()) {
    if (r.tag === 8 + VARINT) metadata.nodeId = r.big();
    else if (r.tag === 16 + VARINT) metadata.clusterId = r.big();
    else r.skip();
  }
  return metadata;
}

function readSnapshotMetadata(r: Reader): SnapshotMeta {
  let index = 0;
  let term = 0;
  let confState = EMPTY_CONF_STATE;
  while (r.next()) {
    if (r.tag === 8 + BYTES) confState = readConfState(r.nested());
    else if (r.tag === 16 + VARINT) index = r.counter();
    else if (r.tag === 24 + VARINT) term = r.counter();
    else r.skip();
  }
  return { index, term, confState };
}

function confStateField(w: Writer, field: number, conf: ConfState): void {
  const start = w.open(field);
  writeConfState(w, conf);
  w.close(start);
}

function counterField(w: Writer, field: number, value: number): void {
  w.tag(field, VARINT);
  w.varint(value);
}

function idFields(w: Writer, field: number, ids: readonly bigint[]): void {
  for (const id of ids) {
    w.tag(field, VARINT);
    w.bigVarint(id);
  }
}

function readPacked(r: Reader, into: bigint[]): void {
  while (r.at < r.end) into.push(r.big());
}
