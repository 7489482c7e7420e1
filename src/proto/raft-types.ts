import { EMPTY_BYTES } from "../base/index.ts";
import { BYTES, Reader, VARINT, Writer } from "./wire.ts";

/** `raftpb.EntryType`. */
export const ENTRY_TYPE = { normal: 0, confChange: 1, confChangeV2: 2 } as const;

/** One entry of the log. `data` is a view of whatever it was read from: copy it to keep it. */
export interface Entry {
  readonly term: number;
  readonly index: number;
  /** One of `ENTRY_TYPE`. */
  readonly type: number;
  readonly data: Uint8Array;
}

/** What a member must never forget: written before any answer that depends on it is sent. */
export interface HardState {
  readonly term: number;
  /** The member voted for in `term`; 0 for none. */
  readonly vote: bigint;
  readonly commit: number;
}

/** The members of a configuration. Outgoing voters and next learners exist in joint ones only. */
export interface ConfState {
  readonly voters: readonly bigint[];
  readonly learners: readonly bigint[];
  readonly votersOutgoing: readonly bigint[];
  readonly learnersNext: readonly bigint[];
  readonly autoLeave: boolean;
}

/** Of a cluster without members. */
export const EMPTY_CONF_STATE: ConfState = {
  voters: [],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

export interface SnapshotMeta {
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
}

export interface Snapshot {
  readonly meta: SnapshotMeta;
  readonly data: Uint8Array;
}

/** `raftpb.MessageType`. */
export const MESSAGE_TYPE = {
  hup: 0,
  beat: 1,
  prop: 2,
  app: 3,
  appResp: 4,
  vote: 5,
  voteResp: 6,
  snap: 7,
  heartbeat: 8,
  heartbeatResp: 9,
  unreachable: 10,
  snapStatus: 11,
  checkQuorum: 12,
  transferLeader: 13,
  timeoutNow: 14,
  readIndex: 15,
  readIndexResp: 16,
  preVote: 17,
  preVoteResp: 18,
  storageAppend: 19,
  storageAppendResp: 20,
  storageApply: 21,
  storageApplyResp: 22,
  forgetLeader: 23,
} as const;

/** `raftpb.Message`, zero and empty standing for absent fields. */
export interface Message {
  /** One of `MESSAGE_TYPE`. */
  readonly type: number;
  readonly to: bigint;
  readonly from: bigint;
  readonly term: number;
  readonly logTerm: number;
  readonly index: number;
  readonly entries: readonly Entry[];
  readonly commit: number;
  readonly snapshot: Snapshot | undefined;
  readonly reject: boolean;
  readonly rejectHint: number;
  readonly context: Uint8Array;
  /** Only between a member and its own storage. */
  readonly vote: bigint;
  /** Only between a member and its own storage. */
  readonly responses: readonly Message[];
}

const NO_ENTRIES: readonly Entry[] = [];
const NO_MESSAGES: readonly Message[] = [];

/** A message with the given fields; the others are zero. All messages have one shape. */
export function message(fields: Partial<Message> & Pick<Message, "type" | "to">): Message {
  return {
    type: fields.type,
    to: fields.to,
    from: fields.from ?? 0n,
    term: fields.term ?? 0,
    logTerm: fields.logTerm ?? 0,
    index: fields.index ?? 0,
    entries: fields.entries ?? NO_ENTRIES,
    commit: fields.commit ?? 0,
    snapshot: fields.snapshot,
    reject: fields.reject ?? false,
    rejectHint: fields.rejectHint ?? 0,
    context: fields.context ?? EMPTY_BYTES,
    vote: fields.vote ?? 0n,
    responses: fields.responses ?? NO_MESSAGES,
  };
}

/** `raftpb.ConfChangeType`. */
export const CONF_CHANGE_TYPE = {
  addNode: 0,
  removeNode: 1,
  updateNode: 2,
  addLearner: 3,
} as const;

/** `raftpb.ConfChangeTransition`. */
export const TRANSITION = { auto: 0, jointImplicit: 1, jointExplicit: 2 } as const;

export interface ConfChange {
  readonly id: bigint;
  /** One of `CONF_CHANGE_TYPE`. */
  readonly type: number;
  readonly nodeId: bigint;
  readonly context: Uint8Array;
}

export interface ConfChangeSingle {
  /** One of `CONF_CHANGE_TYPE`. */
  readonly type: number;
  readonly nodeId: bigint;
}

export interface ConfChangeV2 {
  /** One of `TRANSITION`. */
  readonly transition: number;
  readonly changes: readonly ConfChangeSingle[];
  readonly context: Uint8Array;
}

// ConfChange: 1 id, 2 type, 3 node_id, 4 context. Type and node are written even when zero.

export function encodeConfChange(change: ConfChange): Uint8Array {
  const w = new Writer(64);
  w.bigField(1, change.id);
  w.tag(2, VARINT);
  w.varint(change.type);
  w.tag(3, VARINT);
  w.bigVarint(change.nodeId);
  w.bytesField(4, change.context);
  return w.copy();
}

/** Throws ProtoError. `context` is a view. */
export function decodeConfChange(bytes: Uint8Array): ConfChange {
  const r = new Reader(bytes);
  const change = { id: 0n, type: 0, nodeId: 0n, context: EMPTY_BYTES };
  while (r.next()) {
    if (r.tag === 8 + VARINT) change.id = r.big();
    else if (r.tag === 16 + VARINT) change.type = r.int32();
    else if (r.tag === 24 + VARINT) change.nodeId = r.big();
    else if (r.tag === 32 + BYTES) change.context = r.view();
    else r.skip();
  }
  return change;
}

// ConfChangeV2: 1 transition, 2 changes { 1 type, 2 node_id }, 3 context.

export function encodeConfChangeV2(change: ConfChangeV2): Uint8Array {
  const w = new Writer(64);
  w.tag(1, VARINT);
  w.varint(change.transition);
  for (const single of change.changes) {
    const start = w.open(2);
    w.tag(1, VARINT);
    w.varint(single.type);
    w.tag(2, VARINT);
    w.bigVarint(single.nodeId);
    w.close(start);
  }
  w.bytesField(3, change.context);
  return w.copy();
}

/** Throws ProtoError. `context` is a view. */
export function decodeConfChangeV2(bytes: Uint8Array): ConfChangeV2 {
  const r = new Reader(bytes);
  const changes: ConfChangeSingle[] = [];
  const change = { transition: 0, changes, context: EMPTY_BYTES };
  while (r.next()) {
    if (r.tag === 8 + VARINT) change.transition = r.int32();
    else if (r.tag === 16 + BYTES) changes.push(decodeConfChangeSingle(r.nested()));
    else if (r.tag === 24 + BYTES) change.context = r.view();
    else r.skip();
  }
  return change;
}

function decodeConfChangeSingle(r: Reader): ConfChangeSingle {
  const single = { type: 0, nodeId: 0n };
  while (r.next()) {
    if (r.tag === 8 + VARINT) single.type = r.int32();
    else if (r.tag === 16 + VARINT) single.nodeId = r.big();
    else r.skip();
  }
  return single;
}
